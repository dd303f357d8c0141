"""Whether an output that exists is what a run would make again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from vidpose.errors import InputError
from vidpose.io.jsonl import read_jsonl_header
from vidpose.io.sidecar import read_note, remove_note, write_note
from vidpose.results import Provenance
from vidpose.video.pictures import ANIMATION_SUFFIXES, STILL_SUFFIXES
from vidpose.video.tag import read_tag

VIDEO_SUFFIX = ".mp4"
_WITH_HEADER = (".jsonl", ".parquet", VIDEO_SUFFIX)
PICTURE_SUFFIXES = (*ANIMATION_SUFFIXES, *STILL_SUFFIXES)
DRAWN_SUFFIXES = (VIDEO_SUFFIX, *PICTURE_SUFFIXES)


def is_drawn_output(path: Path) -> bool:
    """Whether this output shows the video, so that how people are drawn makes it another one."""
    return path.suffix.lower() in DRAWN_SUFFIXES


def is_numbered(path: Path) -> bool:
    """Whether this output is a picture per frame, as in ``frames/*.png``."""
    return "*" in path.name and path.suffix.lower() in STILL_SUFFIXES


def numbered_files(pattern: Path) -> list[Path]:
    """The pictures that there are of such an output."""
    before, _, after = pattern.name.partition("*")
    named = re.compile(rf"{re.escape(before)}\d{{6,}}{re.escape(after)}")
    folder = pattern.parent
    return (
        [path for path in folder.iterdir() if named.fullmatch(path.name)] if folder.is_dir() else []
    )


def why_anew(path: Path, wanted: Provenance) -> str | None:
    """Why an existing output is not what a run would make; None when it is, completely."""
    note = read_note(path)
    if note is not None and not note.whole:
        return "it ends before its video does"
    suffix = path.suffix.lower()
    complete = True
    try:
        if suffix == ".jsonl":
            header, complete = read_jsonl_header(path)
            made_from = header.provenance
        elif suffix == ".parquet":
            made_from = _parquet_provenance(path)
        elif suffix == VIDEO_SUFFIX:
            tag = read_tag(path)
            made_from = None if tag is None else Provenance(**tag)
        elif note is not None:
            made_from, complete = note.provenance, note.bytes == path.stat().st_size
        else:
            made_from = None
    except (InputError, OSError, TypeError):
        return "it is damaged or incomplete"
    if made_from is None:
        return "it does not say what it was made from"
    if not complete:
        return "it is incomplete or was changed"
    return _difference(made_from, wanted)


def note_outputs(paths: Iterable[Path], provenance: Provenance, *, whole: bool) -> None:
    """Note beside finished outputs what they do not say themselves. ``whole``: made from all of
    the source, not stopped before its end."""
    for path in paths:
        if is_numbered(path):
            continue
        if whole and path.suffix.lower() in _WITH_HEADER:
            remove_note(path)
        else:
            write_note(path, provenance, whole=whole)


def _difference(found: Provenance, wanted: Provenance) -> str | None:
    if found.source_digest is None or wanted.source_digest is None:
        return "a camera or a pipe never gives the same twice"
    if found.source_digest != wanted.source_digest:
        same_name = found.source == wanted.source
        return "its source has changed" if same_name else f"it was made from {found.source}"
    if (found.model, found.model_digest) != (wanted.model, wanted.model_digest):
        which = "of that name" if found.model == wanted.model else f"({found.model})"
        return f"it was made with another model {which}"
    if found.detector_digest != wanted.detector_digest:
        return "it was made with another detector"
    names = found.options.keys() | wanted.options.keys()
    differ = sorted(n for n in names if found.options.get(n) != wanted.options.get(n))
    return f"it was made with other options ({', '.join(differ)})" if differ else None


def _parquet_provenance(path: Path) -> Provenance | None:
    # pyarrow takes a while to import, so only those who use it wait.
    from vidpose.io.parquet import read_parquet_header

    header = read_parquet_header(path)
    return None if header is None else header.provenance
