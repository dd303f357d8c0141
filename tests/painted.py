"""A small painted world, with networks that really see it.

A person is five coloured dots. Red says which keypoint a dot is, green is full on dots and absent
elsewhere, blue is the person's own colour. The initializer knows the codes of the keypoints and
prefers dots near the middle of the crop; what it distils is each dot's whole colour. So the step
network finds the person of that blue again: it does with 1 x 1 kernels what DKD does with large.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnx.parser
from numpy.typing import NDArray

from vidpose.bundle import IDENTITY, Bundle, DkdSettings, FrameSettings, Trust, write_bundle
from vidpose.results import FrameResult
from vidpose.skeleton import Skeleton
from vidpose.tracking import PoseStream

SKELETON = Skeleton(
    name="dots5",
    keypoints=("head", "left_hand", "right_hand", "left_foot", "right_foot"),
    edges=((0, 1), (0, 2), (0, 3), (0, 4)),
    flip_pairs=((1, 2), (3, 4)),
    sigmas=(0.08, 0.08, 0.08, 0.08, 0.08),
)
CODES = (51, 102, 153, 204, 255)
# Dots' middles as parts of the person's width and height, from the middle of the body.
PLACES = np.array([[0.0, -0.4], [-0.32, -0.1], [0.32, -0.1], [-0.32, 0.4], [0.32, 0.4]])
SHAPE = 0.5  # width / height of a person
INITIALIZER = (192, 144)
STEP = (96, 72)
STRIDE = 4
# The initializer's dots are larger than the decoder's window, so they never hold all the mass.
CALIBRATION = ((0.0, 0.0), (0.7, 1.0), (1.0, 1.0))

_HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
_CONSTANTS = """float full = {255}, float one = {1}, float best = {14}, float tiny = {0.01},
 float three = {3},
 float sharp = {300}, float green_sharp = {60}, int64[3] parts = {1, 1, 1},
 int64[3] flat = {0, 5, -1}, int64[3] flat2 = {0, 2, -1}, int64[5] square = {0, 5, 2, 1, 1}"""
# A cell that a dot covers in part has its code still in red / green, as it is black around.
_FEATURES = """
  real = Cast<to=1>(image)
  unit = Div(real, full)
  planes = Transpose<perm=[0,3,1,2]>(unit)
  pooled = AveragePool<kernel_shape=[4,4], strides=[4,4]>(planes)
  red, green, blue = Split<axis=1>(pooled, parts)
  some = Add(green, tiny)
  code = Div(red, some)
  features = Concat<axis=1>(code, blue)
  empty = Sub(one, green)
  empty2 = Mul(empty, empty)
  dark = Mul(empty2, green_sharp)
"""
_DISTIL = """
  clear = Mul(maps, three)
  rows = Reshape(clear, flat)
  weights = Softmax<axis=-1>(rows)
  columns = Reshape(features, flat2)
  cells = Transpose<perm=[0,2,1]>(columns)
  colours = MatMul(weights, cells)
  KERNELS = Reshape(colours, square)
"""


def initializer_graph(*, memory: bool = True) -> bytes:
    """The initializer as ONNX; without `memory` the graph of a per-frame model."""
    height, width = INITIALIZER[0] // STRIDE, INITIALIZER[1] // STRIDE
    rows, columns = np.mgrid[:height, :width]
    away = ((rows + 0.5) / height - 0.5) ** 2 + ((columns + 0.5) / width - 0.5) ** 2
    values = ", ".join(f"{value:.6f}" for value in (16.0 * away).ravel())
    codes = ", ".join(f"{code / 255:.6f}" for code in CODES)
    outputs = f"float[N,5,{height},{width}] maps"
    outputs += ", float[N,5,2,1,1] kernels" if memory else ""
    text = f"""{_HEAD}
initializer (uint8[N,{INITIALIZER[0]},{INITIALIZER[1]},3] image) => ({outputs})
<{_CONSTANTS}, float[1,5,1,1] codes = {{{codes}}},
 float[1,1,{height},{width}] away = {{{values}}}>
{{{_FEATURES}
  other = Sub(code, codes)
  other2 = Mul(other, other)
  far = Mul(other2, sharp)
  sum = Add(far, dark)
  cost = Add(sum, away)
  gain = Sub(best, cost)
  maps = Relu(gain)
{_DISTIL.replace("KERNELS", "kernels") if memory else ""}}}"""
    return _compile(text)


def step_graph() -> bytes:
    """The step network as ONNX: distance of each cell's colour to the remembered one."""
    height, width = STEP[0] // STRIDE, STEP[1] // STRIDE
    text = f"""{_HEAD}
step (uint8[N,{STEP[0]},{STEP[1]},3] image, float[N,5,2,1,1] kernels) =>
  (float[N,5,{height},{width}] maps, float[N,5,2,1,1] next_kernels)
<{_CONSTANTS}, int64[1] channel = {{2}}, int64[1] axis = {{1}}>
{{{_FEATURES}
  wide = Unsqueeze(features, axis)
  other = Sub(wide, kernels)
  other2 = Mul(other, other)
  distance = ReduceSum<keepdims=0>(other2, channel)
  far = Mul(distance, sharp)
  cost = Add(far, dark)
  gain = Sub(best, cost)
  maps = Relu(gain)
{_DISTIL.replace("KERNELS", "next_kernels")}}}"""
    return _compile(text)


def _compile(text: str) -> bytes:
    model = onnx.parser.parse_model(text)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def bundle(*, memory: bool = True, trust: Trust | None = None) -> Bundle:
    """The painted world's pose model as a bundle."""
    trust = trust or Trust(min_score=0.4, start_score=0.6)
    if not memory:
        settings = FrameSettings(
            size=INITIALIZER, stride=STRIDE, calibration={"frame": CALIBRATION}, trust=trust
        )
        graphs = {"frame": initializer_graph(memory=False)}
        return Bundle("painted", "frame", "1", "CC0-1.0", settings, graphs, SKELETON)
    dkd_settings = DkdSettings(
        initializer_size=INITIALIZER,
        step_size=STEP,
        stride=STRIDE,
        calibration={"initializer": CALIBRATION, "step": IDENTITY},
        trust=trust,
    )
    return Bundle(
        "painted",
        "dkd",
        "1",
        "CC0-1.0",
        dkd_settings,
        {"initializer": initializer_graph(), "step": step_graph()},
        SKELETON,
    )


@dataclass(frozen=True)
class Actor:
    """A person of a painted film.

    `path`: middle of the body (x, y) in pixels at a time in s; None while not there.
    `height`: of the body, in pixels. `colour`: the blue value, 0 to 255.
    """

    path: Callable[[float], tuple[float, float] | None]
    height: float = 100.0
    colour: int = 128

    def keypoints(self, time: float) -> NDArray[np.float64] | None:
        """True keypoints (5, 2) in pixels."""
        middle = self.path(time)
        if middle is None:
            return None
        return np.array(middle) + PLACES * (self.height * SHAPE, self.height)


def paint(actors: Sequence[Actor], time: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A frame (height, width, 3) of the film; later actors stand in front of earlier ones."""
    image = np.zeros((*size, 3), np.uint8)
    for actor in actors:
        keypoints = actor.keypoints(time)
        if keypoints is None:
            continue
        x, y = np.array(actor.path(time)) - (actor.height * SHAPE / 2, actor.height / 2)
        corner = round(x), round(y)
        far = round(x + actor.height * SHAPE), round(y + actor.height)
        cv2.rectangle(image, corner, far, (0, 0, actor.colour), -1)
        for code, (px, py) in zip(CODES, keypoints, strict=True):
            # Sub-pixel positions: OpenCV takes fixed-point coordinates with 4 bits of fraction.
            middle = round(px * 16), round(py * 16)
            radius = round(actor.height * 0.07 * 16)
            colour = (code, 255, actor.colour)
            cv2.circle(image, middle, radius, colour, -1, cv2.LINE_AA, shift=4)
    return image


def film(
    stream: PoseStream,
    actors: Sequence[Actor],
    *,
    rate: float,
    seconds: float,
    size: tuple[int, int],
) -> list[FrameResult]:
    """What a stream says of the film, frame by frame."""
    count = round(rate * seconds)
    return [stream.step(paint(actors, i / rate, size), i / rate) for i in range(count)]


def ids_of(actor: Actor, results: Sequence[FrameResult]) -> list[int | None]:
    """For each frame the id of the person found nearest to the actor; None when nobody is near."""
    found = []
    for result in results:
        truth = actor.keypoints(result.time)
        distances = {
            person.id: _distance(person.keypoints, truth)
            for person in result.people
            if truth is not None
        }
        nearest = min(distances, key=distances.__getitem__, default=None)
        near = nearest is not None and distances[nearest] < 0.15 * actor.height
        found.append(nearest if near else None)
    return found


def _distance(keypoints: NDArray[np.float32], truth: NDArray[np.float64]) -> float:
    """Median distance in pixels of the keypoints that are seen; infinite when none is."""
    seen = keypoints[:, 2] >= 0.25
    if not seen.any():
        return float("inf")
    return float(np.median(np.linalg.norm(keypoints[seen, :2] - truth[seen], axis=1)))


@dataclass
class BodyDetector:
    """Finds painted bodies by their blue, as a real detector would by their appearance.

    A body counts when enough of it is seen. `calls` counts its calls.
    """

    calls: int = field(default=0)

    def detect(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        self.calls += 1
        boxes, scores = [], []
        for colour in np.unique(image[:, :, 2]):
            if colour < 40:
                continue
            mask = (image[:, :, 2] == colour).astype(np.uint8)
            mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
            _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
            for x, y, w, h, area in stats[1:]:
                if area > 400 and h > 30:
                    boxes.append((x, y, w, h))
                    scores.append(0.5 + min(area, 5000) / 10000)
        return np.array(boxes, np.float64).reshape(-1, 4), np.array(scores, np.float64)


def save_bundle(folder: Path, **options: object) -> Path:
    """The painted model's bundle as a file in `folder`."""
    path = folder / "painted.vidpose"
    write_bundle(path, bundle(**options))  # type: ignore[arg-type]
    return path
