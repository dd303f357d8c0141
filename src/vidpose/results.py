"""What vidpose finds in a video: people in frames, and where they come from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidpose.errors import InputError, VidposeError
from vidpose.redact import redacted
from vidpose.skeleton import Skeleton

FARTHEST = 1e6
"""Pixels beyond which no coordinate or size of a person may lie, on either side of 0."""


_GREATEST = float(np.finfo(np.float32).max)


def single(value: float) -> float:
    """The shortest decimal number that is the same float32 as ``value``.

    Results carry single precision. Holding each number as its shortest decimal makes it read the
    same in Python, in text files and in typed columns (0.97, not 0.9700000286102295).
    """
    if abs(value) > _GREATEST:
        return math.copysign(math.inf, value)  # without numpy's warning
    return float(str(np.float32(value)))


def singles(values: NDArray[np.float32]) -> list[float]:
    """``single`` of each value, in the array's order."""
    return [float(str(value)) for value in values.ravel()]


def _whole(value: Any, name: str, least: int) -> int:
    """``value`` as an int. InputError where that would change it: 1.7 is nobody's id."""
    whole = value
    if type(value) is not int:
        whole = None
        if not isinstance(value, (str, bool, np.bool_)):
            with suppress(TypeError, ValueError, OverflowError):
                whole = int(value) if float(value).is_integer() else None
        if whole is None:
            raise InputError(f"{name} must be a whole number, got {value!r}")
    if whole < least:
        raise InputError(f"{name} must be at least {least}, got {whole}")
    return int(whole)


def _finite(value: Any, name: str) -> float:
    if isinstance(value, (bool, str)) or not math.isfinite(value):
        raise InputError(f"{name} must be a finite number, got {value!r}")
    return float(value)


def _float32(values: ArrayLike) -> NDArray[np.float32]:
    """A copy as float32. TypeError for text and truth values, though numpy would take them."""
    array = np.asarray(values)
    if array.dtype == np.float32:
        return array.copy()
    mixed = array.dtype == object and any(isinstance(value, (str, bool)) for value in array.flat)
    if mixed or array.dtype.kind in "SUb":
        raise TypeError("text or true where a number belongs")
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One person in one frame, in pixels of the displayed image.

    ``id``: track number, the same for the same person in all frames of a video.
    ``score``: calibrated confidence in [0, 1].
    ``box``: (x, y, width, height), COCO's convention: x = 0 is the left EDGE of the first pixel.
    ``keypoints``: (K, 3) float32, read-only: x, y with the origin at the CENTRE of the top-left
    pixel, confidence in [0, 1]. A missing keypoint is (NaN, NaN, 0).

    Score and box are held at single precision (see ``single``). Raises InputError for a wrong
    shape, a negative id, a score or confidence outside [0, 1], a place more than a million pixels
    (``FARTHEST``) away, an infinite number, or a NaN that is not a missing keypoint.
    """

    id: int
    score: float
    box: tuple[float, float, float, float]
    keypoints: NDArray[np.float32]

    def __init__(self, id: int, score: float, box: Iterable[float], keypoints: ArrayLike) -> None:
        try:
            values = [score, *(box.tolist() if isinstance(box, np.ndarray) else box)]
            if any(isinstance(value, (str, bool)) for value in values):
                raise TypeError("text or true where a number belongs")
            score, x, y, width, height = (single(float(value)) for value in values)
            points = _float32(keypoints)
        except (TypeError, ValueError) as error:
            raise InputError(f"person {id}: malformed value ({error})") from error
        points.flags.writeable = False
        object.__setattr__(self, "id", _whole(id, "a person's id", 0))
        object.__setattr__(self, "score", score)
        object.__setattr__(self, "box", (x, y, width, height))
        object.__setattr__(self, "keypoints", points)
        self._check()

    def _check(self) -> None:
        points = self.keypoints
        if points.ndim != 2 or points.shape[1] != 3:
            raise self._error(f"keypoints must be (K, 3), got {points.shape}")
        if not all(math.isfinite(value) for value in (self.score, *self.box)):
            raise self._error("score and box must be finite numbers")
        finite = np.isfinite(points).all(axis=1)
        if not finite.all():
            missing = np.isnan(points[:, :2]).all(axis=1) & (points[:, 2] == 0)
            if not (finite | missing).all():
                raise self._error("keypoints must be finite, or (NaN, NaN, 0) where missing")
            points = points[finite]
        if not 0 <= self.score <= 1:
            raise self._error(f"its score is {self.score}; scores lie in 0 to 1")
        if len(points):
            low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
            self._check_range(low, high)
        far = max(map(abs, self.box))
        if far > FARTHEST:
            raise self._error(f"its box lies {far:.3g} pixels away; more than 1e6 is damage")

    def _check_range(self, low: list[float], high: list[float]) -> None:
        """`low`, `high`: least and greatest x, y, confidence."""
        if low[2] < 0 or high[2] > 1:
            confidence = single(low[2] if low[2] < 0 else high[2])
            raise self._error(f"a confidence is {confidence}; confidences lie in 0 to 1")
        far = max(map(abs, (*low[:2], *high[:2])))
        if far > FARTHEST:
            raise self._error(f"a keypoint lies {far:.3g} pixels away; more than 1e6 is damage")

    def _error(self, problem: str) -> InputError:
        return InputError(f"person {self.id}: {problem}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Person):
            return NotImplemented
        return (self.id, self.score, self.box) == (other.id, other.score, other.box) and (
            np.array_equal(self.keypoints, other.keypoints, equal_nan=True)
        )


@dataclass(frozen=True, slots=True)
class FrameResult:
    """All people of one decoded frame; ``people`` is empty where no person was found.

    ``index``: number of the frame, from 0. ``time``: presentation time in seconds.
    ``timings``: milliseconds by stage; not part of the comparison and not written to files.
    ``size``: (width, height) of this frame's picture in pixels where its shape is not that of the
    video's first frame (a phone turned while recording); None where it is.

    Raises InputError for a negative index, a time that is no number, or a size that is none.
    """

    index: int
    time: float
    people: tuple[Person, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict, compare=False)
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        # Plain numbers, so that numpy's and those read from a file are the same.
        object.__setattr__(self, "index", _whole(self.index, "a frame's index", 0))
        object.__setattr__(self, "time", _finite(self.time, f"frame {self.index}: its time"))
        object.__setattr__(self, "people", tuple(self.people))
        if self.size is not None:
            width, height = self.size
            name = f"frame {self.index}: a side of its picture"
            size = _whole(width, name, 1), _whole(height, name, 1)
            object.__setattr__(self, "size", size)


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known about a video before decoding it.

    ``path``: its name, of an address without passwords;
    ``width`` and ``height``: the first frame's, in pixels as displayed (upright and square);
    ``average_rate`` in frames a second, ``duration`` in seconds; None where the container does
    not say.

    Raises InputError for a size that is none, or a number that is none.
    """

    path: str
    width: int
    height: int
    average_rate: float | None
    frames: int | None
    duration: float | None
    has_audio: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", redacted(self.path))
        for side in ("width", "height"):
            value = _whole(getattr(self, side), f"the video's {side}", 1)
            object.__setattr__(self, side, value)
        for name in ("average_rate", "frames", "duration"):
            value = getattr(self, name)
            if value is not None:
                _finite(value, f"the video's {name}")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a result was made from; with equal digests and options it would be made again.

    ``source``: its name, for people. ``source_digest``: None for what is never the same twice, a
    camera or a pipe. ``model``: its name. ``options``: JSON values, those only that differ from
    the defaults; of what was cleaned or drawn again, also how.

    Raises TypeError for options that are none, as a file may hold.
    """

    source: str
    source_digest: str | None
    model: str
    model_digest: str
    detector_digest: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.options, Mapping):
            raise TypeError(f"its options are {self.options!r}")


@dataclass(frozen=True, slots=True)
class ResultHeader:
    """What a result file says about itself: vidpose's version, model, skeleton and source.

    ``provenance`` is None in files of older versions and where it was not given.
    """

    version: str
    model: str
    skeleton: Skeleton
    source: SourceInfo
    provenance: Provenance | None = None

    def to_dict(self) -> dict[str, Any]:
        """The header as JSON-ready values, the first line of a .jsonl file."""
        made_from = {"provenance": asdict(self.provenance)} if self.provenance else {}
        return {
            "vidpose": self.version,
            "model": self.model,
            "skeleton": self.skeleton.to_dict(),
            "source": asdict(self.source),
            **made_from,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ResultHeader:
        """The reverse of ``to_dict``. Raises VidposeError when a part is missing or wrong."""
        part = "header"
        try:
            version, model = str(value["vidpose"]), str(value["model"])
            skeleton = Skeleton.from_dict(value["skeleton"])
            part = "source"
            source = {each.name: value["source"][each.name] for each in fields(SourceInfo)}
            part = "provenance"
            provenance = Provenance(**value["provenance"]) if "provenance" in value else None
        except KeyError as error:
            raise VidposeError(f"result header: {error} is missing") from error
        except TypeError as error:
            raise VidposeError(f"result header: malformed {part} ({error})") from error
        return cls(version, model, skeleton, SourceInfo(**source), provenance)
