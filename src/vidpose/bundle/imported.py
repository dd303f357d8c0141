"""Settings of networks that other projects made: how pictures enter them and poses come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from vidpose.bundle.settings import (
    IDENTITY,
    Curve,
    Point,
    Size,
    Trust,
    check_calibration,
    check_offset,
    in_unit,
    positive,
    whole_size,
)
from vidpose.errors import BundleError

Colour: TypeAlias = Literal["rgb", "bgr"]
Refinement: TypeAlias = Literal["quarter", "dark", "udp"]
CropForm: TypeAlias = Literal["heatmaps", "simcc", "coordinates"]
PeopleForm: TypeAlias = Literal["yolo", "yolo-nms", "rtmo", "multipose"]
Element: TypeAlias = Literal["float32", "float16", "uint8", "int32"]
Layout: TypeAlias = Literal["nchw", "nhwc"]
Order: TypeAlias = Literal["xy", "yx"]
Channels: TypeAlias = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """How a uint8 RGB picture enters a graph.

    `element`: the input's type. `layout`: order of its axes. `colour`: order of the channels.
    `mean`, `deviation`: of each channel in that order; the graph is given (value - mean) /
    deviation of values 0 to 255. `batched`: whether it takes several pictures at once.
    """

    element: Element
    layout: Layout
    colour: Colour
    mean: Channels = (0.0, 0.0, 0.0)
    deviation: Channels = (1.0, 1.0, 1.0)
    batched: bool = False

    def __post_init__(self) -> None:
        if len(self.mean) != 3 or len(self.deviation) != 3 or not min(self.deviation) > 0:
            raise BundleError(
                "input: mean and deviation must be three numbers each, deviation above 0"
            )


@dataclass(frozen=True, slots=True)
class ImportedSettings:
    """How a network that finds the keypoints in a person's crop is used.

    `size`: (height, width) of the crop. `outputs`: names of the graph's outputs that are read:
    one, or those of x and y for SimCC. `form`, by the shape of an output for K keypoints:

    - `heatmaps` (N, K, h, w): confidences, read to a part of a cell as `refinement` says.
    - `simcc` (N, K, bins) twice: scores of the places along x and y (Li et al., ECCV 2022).
    - `coordinates` (N, ..., K, 2 or 3): parts of the crop's sides in `order`, confidence.

    `padding`, `calibration` (of the graph "frame") and `trust` as of `FrameSettings`.
    """

    size: Size
    input: NetworkInput
    form: CropForm
    outputs: tuple[str, ...]
    refinement: Refinement = "dark"
    order: Order = "yx"
    padding: float = 1.25
    calibration: Mapping[str, Curve] = field(default_factory=lambda: {"frame": IDENTITY})
    trust: Trust = field(default_factory=Trust)

    def __post_init__(self) -> None:
        whole_size("size", self.size)
        _read_outputs(self.outputs, 2 if self.form == "simcc" else 1)
        positive("padding", self.padding)
        check_calibration(self.calibration, ("frame",))


@dataclass(frozen=True, slots=True)
class CarriedSettings:
    """An imported network that gives a step network of another model its memory.

    `initializer`: how the imported network, the graph "frame", is used. The graph "memory" makes
    the first kernels of the step's crop and of maps that say where the keypoints are. The other
    fields are those of `DkdSettings`; calibrations are of "frame" and "step".
    """

    initializer: ImportedSettings
    step_size: Size
    padding: float
    stride: int
    calibration: Mapping[str, Curve]
    trust: Trust = field(default_factory=Trust)
    offset: Mapping[str, Point] = field(default_factory=dict)

    def __post_init__(self) -> None:
        whole_size("step_size", self.step_size)
        positive("padding", self.padding)
        positive("stride", self.stride)
        check_calibration(self.calibration, ("frame", "step"))
        check_offset(self.offset, ("step",), self.stride)


@dataclass(frozen=True, slots=True)
class OneStageSettings:
    """How a network is used that finds everybody with their keypoints in the whole picture.

    `size`: (height, width) of its input. `outputs`: names of those that are read. `form`, by
    their shapes for K keypoints, all in pixels of the input but for `multipose`:

    - `yolo` (1, 4 + classes + 3 K, M): middle, size, class scores; x, y, confidence. Person is
      the first class; overlapping boxes go by `nms_iou`.
    - `yolo-nms` (1, M, 6 + 3 K): corners, score, class; x, y, confidence.
    - `rtmo` (1, M, 5) and (1, M, K, 3): corners, score; x, y, confidence.
    - `multipose` (1, M, 3 K + 5): y, x, confidence; corners y, x, y, x; score; parts of the sides.

    `classes`: of `yolo`. `numbers`: of a keypoint in YOLO's forms; of two, x and y, the confidence
    is the person's score. `score_threshold`: people below it are dropped. `padding` shapes the
    regions in which trackers ask for people. `calibration` of "people" is of the keypoints.
    """

    size: Size
    input: NetworkInput
    form: PeopleForm
    outputs: tuple[str, ...]
    classes: int = 1
    numbers: int = 3
    score_threshold: float = 0.3
    nms_iou: float = 0.65
    padding: float = 1.25
    calibration: Mapping[str, Curve] = field(default_factory=lambda: {"people": IDENTITY})
    trust: Trust = field(default_factory=Trust)

    def __post_init__(self) -> None:
        whole_size("size", self.size)
        _read_outputs(self.outputs, 2 if self.form == "rtmo" else 1)
        positive("classes", self.classes)
        if self.numbers not in (2, 3):
            raise BundleError(f"numbers must be 2 or 3, got {self.numbers}")
        positive("padding", self.padding)
        in_unit("score_threshold", self.score_threshold)
        in_unit("nms_iou", self.nms_iou)
        check_calibration(self.calibration, ("people",))


def _read_outputs(names: tuple[str, ...], count: int) -> None:
    if len(names) != count or not all(isinstance(name, str) for name in names):
        raise BundleError(f"outputs must be {count} names of the graph's outputs, got {names}")
