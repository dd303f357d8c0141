"""What a batch is told, and what passes between the driver and its workers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from vidpose.batch.made_with import Marks
from vidpose.defaults import DEFAULT_MODEL
from vidpose.inference import Detector, PoseModel
from vidpose.inference.backends.base import Runtime
from vidpose.inference.detectors.default import DEFAULT_DETECTOR, detector_for
from vidpose.pipeline.options import TrackOptions, differing, with_defaults


@dataclass(frozen=True, slots=True)
class Settings:
    """How every video of a batch is treated.

    ``model``, ``detector``: names or paths that each worker can read. ``threads``: of the
    networks, for each worker. ``options``: as of ``process_video``. ``angles``: add their columns.
    ``annotated``: draw each video too. ``split``: length in seconds of the pieces of longer
    videos (None: never split). ``overlap``: seconds by which pieces begin earlier. ``scratch``:
    where videos from elsewhere are copied to that are split or cannot be read in place (None: the
    system's folder for such).
    ``scratch_limit``: bytes that such a copy may have.
    """

    model: str = DEFAULT_MODEL
    detector: str = DEFAULT_DETECTOR
    threads: int = 1
    runtime: Runtime = "onnxruntime"
    options: TrackOptions = field(default_factory=TrackOptions)
    angles: bool = False
    annotated: bool = False
    split: float | None = None
    overlap: float = 10.0
    scratch: Path | None = None
    scratch_limit: int = 20 * 10**9

    def load(self) -> tuple[PoseModel, Detector]:
        """The networks. Raises BundleError when there are none, InputError for bad options."""
        with_defaults(self.options)
        model = PoseModel.load(self.model, self.threads, self.runtime)
        return model, detector_for(model, self.detector, self.threads, self.runtime)

    def marks(self, model: PoseModel, detector: Detector) -> Marks:
        """The same whenever the results would be the same."""
        options = differing(with_defaults(self.options))
        others: dict[str, Any] = {
            "model": model.digest,
            "detector": getattr(detector, "digest", ""),
            "runtime": self.runtime,
            "angles": self.angles,
            "annotated": self.annotated,
            "split": self.split,
        }
        text = json.dumps({**others, "options": options}, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return Marks(model.name, digest, {**others, **options})

    @property
    def splits(self) -> bool:
        """Whether long videos are split. A drawn video is made in one go, every Nth frame is
        counted from the beginning, and a part has its own start and end."""
        whole = differing(with_defaults(self.options)).keys().isdisjoint(("every", "start", "end"))
        return self.split is not None and not self.annotated and whole


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work: a whole video, a piece of it, or the joining of its pieces.

    ``seams``: times in seconds after the first frame at which a split video's pieces meet; empty
    for one that is not split, or not yet.
    """

    kind: Literal["video", "piece", "join"]
    video: str
    source: str
    seams: tuple[float, ...] = ()
    number: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """How a task ended.

    ``seams``: not empty when the video is to be split there; nothing else was done then.
    ``error``: one line; None where all went well. ``fault``: whose it is: of the video, which will
    fail anywhere, or of the place (a full disk), so that it may go well elsewhere.
    """

    task: Task
    worker: str
    seconds: float
    frames: int = 0
    people: int = 0
    digest: str | None = None
    warnings: tuple[str, ...] = ()
    seams: tuple[float, ...] = ()
    error: str | None = None
    fault: Literal["video", "place"] | None = None


def vidpose_version() -> str:
    """The version that results are marked with."""
    return version("vidpose")
