"""What stands of a run's outputs already, and what may have come between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vidpose.errors import OutputError
from vidpose.pipeline.options import TrackOptions, differing
from vidpose.pipeline.provenance import (
    is_drawn_output,
    is_numbered,
    numbered_files,
    source_digest,
    why_anew,
)
from vidpose.redact import redacted
from vidpose.results import Provenance
from vidpose.tracking import PoseStream
from vidpose.video.drawing import DrawStyle
from vidpose.video.file_object import FileObject, VideoSource
from vidpose.video.sources import is_stream


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


def complete_outputs(
    paths: Iterable[Path], provenance: Provenance, drawn: Provenance
) -> list[Path]:
    """Those of the outputs that are made already. Raises OutputError for one that only has the
    name of such a one. ``drawn``: the provenance of outputs that show the video."""
    complete = []
    for path in paths:
        if is_numbered(path) and numbered_files(path):
            raise OutputError(f"{path}: such pictures exist; --overwrite replaces them")
        if path.is_symlink() or path.exists():
            reason = why_anew(path, drawn if is_drawn_output(path) else provenance)
            if reason is not None:
                raise OutputError(
                    f"{path}: exists, but {reason}; --overwrite makes it anew, "
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
