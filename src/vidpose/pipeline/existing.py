"""What stands of a run's outputs already, and what may have come between."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vidpose.errors import InputError, OutputError
from vidpose.files import identity
from vidpose.pipeline.options import TrackOptions, differing
from vidpose.pipeline.provenance import (
    is_drawn_output,
    is_numbered,
    numbered_files,
    why_anew,
)
from vidpose.redact import redacted
from vidpose.results import Provenance
from vidpose.tracking import PoseStream
from vidpose.video.digest import source_digest
from vidpose.video.drawing import DrawStyle
from vidpose.video.file_object import FileObject, VideoSource
from vidpose.video.sources import image_sequence, is_stream


def provenance_of(
    source: VideoSource, stream: PoseStream, settings: TrackOptions, angles: bool
) -> Provenance:
    """What outputs of this source, stream and settings are made from."""
    model, detector = stream.model, stream.detector
    named = isinstance(source, FileObject) or is_stream(source)
    further: dict[str, Any] = {"angles": True} if angles else {}
    if model.runtime != "onnxruntime":
        further["runtime"] = model.runtime
    return Provenance(
        source=redacted(str(source) if named else str(Path(str(source)).absolute())),
        source_digest=source_digest(source),
        model=model.name,
        model_digest=model.digest,
        detector_digest=getattr(detector, "digest", "") or type(detector).__qualname__,
        options={**differing(settings), **further},
    )


def differing_style(style: DrawStyle | None) -> dict[str, Any]:
    """What of the style is not the usual one, as JSON values."""
    chosen, usual = asdict(style or DrawStyle()), asdict(DrawStyle())
    return {name: value for name, value in chosen.items() if value != usual[name]}


def files_of(source: VideoSource) -> list[Path]:
    """The files that the source is read from: none of a camera, all images of a folder."""
    if is_stream(source):
        return []
    if isinstance(source, FileObject):
        name = getattr(source.file, "name", None)
        return [Path(name)] if isinstance(name, (str, os.PathLike)) else []
    try:
        return image_sequence(source) or [Path(source)]
    except InputError:  # which is said where the source is opened
        return []


def sources_among(outputs: Iterable[Path], sources: Iterable[VideoSource]) -> list[Path]:
    """Those of the outputs that are, under whatever name, files that a source is read from."""
    there = {output: [file for file in _files_named(output) if file.exists()] for output in outputs}
    if not any(there.values()):
        return []
    taken = {identity(file) for source in sources for file in files_of(source)}
    return [path for path, files in there.items() if taken.intersection(map(identity, files))]


def refuse_own_source(outputs: Iterable[Path], source: VideoSource) -> None:
    """Raise OutputError for an output that would replace what it is made from, or another one."""
    outputs = list(outputs)
    for path in sources_among(outputs, [source]):
        raise OutputError(f"{path}: this is the source, it would be overwritten; name another file")
    seen: dict[tuple[int, int] | Path, Path] = {}
    for path in outputs:
        first = seen.setdefault(identity(path), path)
        if first is not path:
            raise OutputError(f"{path}: this is the same file as the output {first}; give it once")


def _files_named(output: Path) -> list[Path]:
    return numbered_files(output) if is_numbered(output) else [output]


def complete_outputs(
    paths: Iterable[Path], provenance: Provenance, drawn: Provenance
) -> list[Path]:
    """Those of the outputs that are made already. Raises OutputError for one that only has the
    name of such a one. ``drawn``: the provenance of outputs that show the video."""
    complete = []
    for path in paths:
        if is_numbered(path) and numbered_files(path):
            raise OutputError(
                f"{path}: such pictures exist; --overwrite (overwrite=True) replaces them"
            )
        if path.is_symlink() or path.exists():
            reason = why_anew(path, drawn if is_drawn_output(path) else provenance)
            if reason is not None:
                raise OutputError(
                    f"{path}: exists, but {reason}; --overwrite (overwrite=True) makes it anew, "
                    "--out FOLDER/ writes elsewhere"
                )
            complete.append(path)
    return complete


def refuse_rivals(paths: Iterable[Path], kept: Iterable[Path]) -> None:
    """Raise OutputError where another process has made an output since this one began."""
    for path in set(paths).difference(kept):
        if path.exists():
            raise OutputError(
                f"{path}: another process has made it meanwhile; run again to see whether it is "
                "the same, or choose another --out"
            )


def changed_meanwhile(source: VideoSource, provenance: Provenance) -> tuple[str, ...]:
    """A warning if the source is not what it was when its digest was taken."""
    if provenance.source_digest in (None, source_digest(source)):
        return ()
    return (
        redacted(
            f"{source}: the file changed while it was read, the results may be of both versions; "
            "run again with --overwrite once it is finished"
        ),
    )
