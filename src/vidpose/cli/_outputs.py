"""Which files a run writes: from sources and ``--out`` values to one job per source."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidpose.cli._errors import UsageMistake
from vidpose.files import identity
from vidpose.io import FOREIGN_SUFFIXES, RESULT_SUFFIXES, result_suffix
from vidpose.pipeline.existing import differing_style, sources_among
from vidpose.pipeline.outputs import STANDARD_OUTPUT
from vidpose.pipeline.provenance import DRAWN_SUFFIXES, VIDEO_SUFFIX, is_drawn_output
from vidpose.redact import redacted
from vidpose.video.drawing import DrawStyle
from vidpose.video.image_files import count_pictures
from vidpose.video.pictures import STILL_SUFFIXES
from vidpose.video.sources import is_image, is_stream

_LONGEST_NAME = 255  # bytes
_OPTIONS = {"min_confidence": "draw-min-confidence"}


@dataclass(frozen=True, slots=True)
class Job:
    """One source and the files to make of it."""

    source: Path | str
    outputs: tuple[Path, ...]

    @property
    def name(self) -> str:
        """For people and file names: without passwords."""
        return redacted(str(self.source))


def plan_jobs(sources: Sequence[Path | str], outs: Sequence[str]) -> list[Job]:
    """One job per source. Four forms of ``--out``:

    - ``dance.csv``: this file; only with a single source.
    - ``.csv`` or ``results/.csv``: a file of this kind per source, named after it.
    - ``-``: JSON lines on standard output; only with a single source.
    - ``results/`` (a folder, or a name without suffix): the default kinds per source, in there.

    Without ``--out`` the default kinds go to the current folder. Raises UsageMistake for an unknown
    suffix, one file for several sources, two outputs of the same name, or an output that is a
    source.
    """
    jobs = []
    for source in sources:
        named = [path for out in outs or ["."] for path in _files_for(source, out, len(sources))]
        jobs.append(Job(source, tuple(dict.fromkeys(named))))
    _refuse_clashes(jobs)
    return jobs


def refuse_idle_options(jobs: Sequence[Job], style: DrawStyle, *, angles: bool) -> None:
    """Raise UsageMistake for options that no output has a use for."""
    outputs = [path for job in jobs for path in job.outputs]
    if not outputs:
        return
    if angles and not any(path.suffix.lower() in (".csv", ".parquet") for path in outputs):
        raise UsageMistake(
            "--angles: only .csv and .parquet have columns for them; add such an --out"
        )
    if (differ := differing_style(style)) and not any(map(is_drawn_output, outputs)):
        names = ["--" + _OPTIONS.get(name, name.replace("_", "-")) for name in differ]
        raise UsageMistake(
            f"{', '.join(names)}: nothing is drawn; add an --out that shows the video, as .mp4"
        )


def _files_for(source: Path | str, out: str, source_count: int) -> list[Path]:
    if out == "-":
        if source_count > 1:
            raise UsageMistake(f"--out -: {source_count} sources cannot share the standard output")
        return [STANDARD_OUTPUT]
    path = Path(out)
    if out.endswith(("/", os.sep)) or path.is_dir() or not _suffix_of(path):
        return [path / _named_after(source, suffix) for suffix in _default_suffixes(source)]
    suffix = _suffix_of(path)
    known = (*RESULT_SUFFIXES, *DRAWN_SUFFIXES, *FOREIGN_SUFFIXES)
    if suffix not in known:
        raise UsageMistake(
            f"--out {out}: unknown kind of output {suffix!r}; choose one of {' '.join(known)}, "
            "or end the name of a folder with /"
        )
    if path.name.lower() == suffix:
        return [path.parent / _named_after(source, suffix)]
    if source_count > 1:
        raise UsageMistake(
            f"--out {out}: {source_count} sources cannot share one file; give a folder (results/) "
            f"or only the kind (results/{suffix}) for one file per source"
        )
    return [path]


def _default_suffixes(source: Path | str) -> tuple[str, str]:
    """A table, and what shows the people: a video, or of a single picture a picture."""
    if not isinstance(source, Path) or not is_image(source) or not source.is_file():
        return ".jsonl", VIDEO_SUFFIX
    if count_pictures(source) > 1:
        return ".jsonl", VIDEO_SUFFIX
    suffix = source.suffix.lower()
    return ".jsonl", suffix if suffix in STILL_SUFFIXES else ".png"


def _suffix_of(path: Path) -> str:
    """The suffix in lower case; of ``.csv``, which pathlib calls a name without one, too."""
    if path.name.lower() in FOREIGN_SUFFIXES:
        return path.name.lower()
    return result_suffix(path) or (path.name.lower() if path.name.startswith(".") else "")


def _named_after(source: Path | str, suffix: str) -> str:
    ending = f"_pose{suffix}" if suffix in DRAWN_SUFFIXES else suffix
    return _shortened(_stem_of(source), _LONGEST_NAME - len(ending)) + ending


def _shortened(stem: str, length: int) -> str:
    """The stem, or where it is too long for a file's name, its beginning and a digest of it all."""
    data = os.fsencode(stem)
    if len(data) <= length:
        return stem
    start = data[: length - 9].decode(errors="ignore")
    return f"{start}-{hashlib.sha256(data).hexdigest()[:8]}"


def _stem_of(source: Path | str) -> str:
    if is_stream(source):
        return re.sub(r"[^\w.-]+", "_", redacted(str(source))).strip("_")
    if isinstance(source, str):  # a pattern of images is named after their folder
        return Path(source).absolute().parent.name
    return source.resolve().name if source.is_dir() else source.stem


def _refuse_clashes(jobs: Sequence[Job]) -> None:
    """Outputs must neither meet each other nor fall on a source."""
    outputs = [output for job in jobs for output in job.outputs if output != STANDARD_OUTPUT]
    for output in sources_among(outputs, [job.source for job in jobs]):
        raise UsageMistake(f"--out {output}: this is a source, it would be overwritten")
    owner: dict[tuple[int, int] | Path, Job] = {}
    for job in jobs:
        for output in job.outputs:
            key = identity(output)
            if key in owner:
                raise UsageMistake(
                    f"{owner[key].name} and {job.name} would both write {output}; "
                    "run them apart, with different --out folders"
                )
            owner[key] = job
