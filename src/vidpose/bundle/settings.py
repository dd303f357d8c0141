"""How models are used: what a bundle says beside its graphs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from vidpose.errors import BundleError

Size: TypeAlias = tuple[int, int]
Point: TypeAlias = tuple[float, float]
Curve: TypeAlias = tuple[Point, ...]

LARGEST_SIDE = 4096
"""Of a network's input, in pixels."""

IDENTITY: Curve = ((0.0, 0.0), (1.0, 1.0))
"""The calibration of a model whose raw confidences are probabilities already."""


@dataclass(frozen=True, slots=True)
class Trust:
    """When a pose is trusted. Scores are calibrated and in [0, 1], times are in seconds.

    `min_score`: a pose below it is not trusted.
    `start_score`: what a new pose must reach to become a person, or a lost person again.
    `patience`: how long a pose may stay below `min_score` before it is initialised again.
    `max_age`: age of the memory at which it is made anew by the initializer.
    `max_drop`: how far the score may fall below what it was after the last run of the
    initializer, as a part of that, before the memory is made anew. 1, the default, is never;
    0 is at any fall. Without meaning for models without memory.
    `max_drift`: how far the middle of a pose may lie from the middle of the crop that it was
    found in, as a part of the crop's sides.
    `min_confidence`: a keypoint below it keeps its kernel of the frame before, since what it
    would distil from a wrong place is no memory of the person. Without meaning for models whose
    memory has no kernel for each keypoint.
    """

    min_score: float = 0.3
    start_score: float = 0.4
    patience: float = 0.1
    max_age: float = 2.0
    max_drop: float = 1.0
    max_drift: float = 0.35
    min_confidence: float = 0.25

    def __post_init__(self) -> None:
        in_unit("trust.min_score", self.min_score)
        in_unit("trust.start_score", self.start_score)
        in_unit("trust.max_drop", self.max_drop)
        in_unit("trust.min_confidence", self.min_confidence)
        positive("trust.max_age", self.max_age)
        positive("trust.max_drift", self.max_drift)
        if self.patience < 0:
            raise BundleError(f"trust.patience must not be negative, got {self.patience}")


@dataclass(frozen=True, slots=True)
class DkdSettings:
    """How a model with memory is used. Sizes are (height, width) in pixels.

    `padding`: factor on the sides of a person's box to get the crop.
    `stride`: crop pixels for each cell of the maps.
    `calibration`: for each graph, points (raw confidence, probability) of a line.
    `offset`: for each graph that has one, how far it finds keypoints beside the labels on average,
    x and y in pixels of its crop; that is taken away from what it finds.
    """

    initializer_size: Size
    step_size: Size
    padding: float = 1.25
    stride: int = 4
    calibration: Mapping[str, Curve] = field(
        default_factory=lambda: {"initializer": IDENTITY, "step": IDENTITY}
    )
    trust: Trust = field(default_factory=Trust)
    offset: Mapping[str, Point] = field(default_factory=dict)

    def __post_init__(self) -> None:
        whole_size("initializer_size", self.initializer_size)
        whole_size("step_size", self.step_size)
        _check_pose_settings(self, ("initializer", "step"))
        first, later = self.initializer_size, self.step_size
        if first[0] * later[1] != first[1] * later[0]:
            raise BundleError(f"initializer_size {first} and step_size {later} differ in shape")


@dataclass(frozen=True, slots=True)
class FrameSettings:
    """How a model without memory is used; the fields are those of `DkdSettings`."""

    size: Size
    padding: float = 1.25
    stride: int = 4
    calibration: Mapping[str, Curve] = field(default_factory=lambda: {"frame": IDENTITY})
    trust: Trust = field(default_factory=Trust)
    offset: Mapping[str, Point] = field(default_factory=dict)

    def __post_init__(self) -> None:
        whole_size("size", self.size)
        _check_pose_settings(self, ("frame",))


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """How a detector is used.

    `input_size`: side in pixels of the square that the image is scaled to fit; a multiple of 32.
    `score_threshold`: boxes below it are dropped. `nms_iou`: overlap at which two boxes are one.
    """

    input_size: int
    score_threshold: float = 0.3
    nms_iou: float = 0.6

    def __post_init__(self) -> None:
        if self.input_size <= 0 or self.input_size % 32:
            raise BundleError(f"input_size must be a multiple of 32, got {self.input_size}")
        whole_size("input_size", (self.input_size, self.input_size))
        in_unit("score_threshold", self.score_threshold)
        in_unit("nms_iou", self.nms_iou)


def _check_pose_settings(settings: DkdSettings | FrameSettings, graphs: tuple[str, ...]) -> None:
    positive("padding", settings.padding)
    positive("stride", settings.stride)
    check_calibration(settings.calibration, graphs)
    check_offset(settings.offset, graphs, settings.stride)


def check_calibration(calibration: Mapping[str, Curve], graphs: tuple[str, ...]) -> None:
    """Raise BundleError unless there is a curve for each of the graphs."""
    if set(calibration) != set(graphs):
        raise BundleError(f"calibration must have exactly {list(graphs)}")
    for graph, curve in calibration.items():
        raw, probability = ([point[i] for point in curve] for i in (0, 1))
        rising = all(a < b for a, b in itertools.pairwise(raw))
        if len(curve) < 2 or not rising or not all(0 <= p <= 1 for p in probability):
            raise BundleError(
                f"calibration of '{graph}' must be two or more points with rising raw confidence "
                "and probabilities in [0, 1]"
            )


def check_offset(offset: Mapping[str, Point], graphs: tuple[str, ...], stride: int) -> None:
    """Raise BundleError for an offset of another graph, or of more than a map cell."""
    for graph, (x, y) in offset.items():
        if graph not in graphs:
            raise BundleError(f"offset of '{graph}': there is no such graph")
        if not (abs(x) <= stride and abs(y) <= stride):
            raise BundleError(f"offset of '{graph}' must be at most {stride} pixels, got {x}, {y}")


def whole_size(name: str, size: Sequence[object]) -> None:
    """Raise BundleError unless `size` is one in whole pixels, no side above `LARGEST_SIDE`."""
    if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise BundleError(f"{name} must be (height, width) in whole pixels, got {size}")
    if any(isinstance(side, int) and side > LARGEST_SIDE for side in size):
        raise BundleError(f"{name}: sides are at most {LARGEST_SIDE} pixels, got {size}")


def positive(name: str, value: float) -> None:
    """Raise BundleError unless the value is above 0."""
    if not value > 0:
        raise BundleError(f"{name} must be positive, got {value}")


def in_unit(name: str, value: float) -> None:
    """Raise BundleError unless the value is in [0, 1]."""
    if not 0 <= value <= 1:
        raise BundleError(f"{name} must be in [0, 1], got {value}")
