"""Which kind of network a file holds, by what goes in and what comes out."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import CropForm, PeopleForm, Size
from vidpose.bundle.imported import Element, Layout
from vidpose.errors import BundleError
from vidpose.importing.reading import NetworkFile

_ELEMENTS: tuple[Element, ...] = get_args(Element)

KNOWN = (
    "heatmaps [N,K,h,w], SimCC [N,K,x] and [N,K,y], coordinates [N,1,K,3], YOLO-pose [1,5+3K,M] or "
    "[1,M,6+3K], RTMO [1,M,5] and [1,M,K,3], MoveNet MultiPose [1,6,56]"
)


@dataclass(frozen=True, slots=True)
class Recognised:
    """What the shapes say. `joints`: K. `size`: (height, width) of the input. `outputs`: names of
    those that are read. `classes`: of YOLO, `numbers` of each of its keypoints. `movenet`:
    whether it is one of MoveNet's forms, of which colour, values and keypoints are known; `yolo`:
    whether the metadata are Ultralytics'."""

    form: CropForm | PeopleForm
    joints: int
    size: Size
    element: Element
    layout: Layout
    batched: bool
    outputs: tuple[str, ...]
    classes: int = 1
    numbers: int = 3
    movenet: bool = False
    yolo: bool = False

    @property
    def one_stage(self) -> bool:
        """Whether it finds everybody in the whole picture."""
        return self.form in ("yolo", "yolo-nms", "rtmo", "multipose")


def recognise(network: NetworkFile, size: Size | None = None) -> Recognised:
    """Run the network once and recognise it.

    `size`: (height, width) for a network that leaves the size of its input open.

    Raises BundleError when it is no network for one picture, its size is open and not given, it
    cannot run, gives numbers that are none, or has outputs of no known form.
    """
    layout, element, size = _input(network, size)
    found = trial(network, layout, element, size, 1)
    for name, value in found.items():
        if not _is_numbers(value):
            raise BundleError(
                f"{network.path}: not a pose network of a known form; its output '{name}' is no "
                f"array of numbers. Known are {KNOWN}"
            )
        if not np.isfinite(value).all():
            raise BundleError(
                f"{network.path}: output '{name}' holds NaN or infinity already for plain grey; "
                "the file is damaged or was exported wrongly"
            )
    yolo = network.metadata.get("task") == "pose" and "kpt_shape" in network.metadata
    known = _crop_form(found, size) or _people_form(found, network.metadata if yolo else {}, layout)
    if known is None:
        shapes = ", ".join(f"'{name}' {list(value.shape)}" for name, value in found.items())
        raise BundleError(
            f"{network.path}: not a pose network of a known form; its outputs are {shapes}. "
            f"Known are {KNOWN}"
        )
    form, joints, outputs, classes = known
    movenet = layout == "nhwc" and joints == 17 and form in ("coordinates", "multipose")
    return Recognised(
        form=form,
        joints=joints,
        size=size,
        element=element,
        layout=layout,
        batched=_is_batched(network, layout, element, size, outputs),
        outputs=outputs,
        classes=classes,
        numbers=(_keypoints(network.metadata) or (0, 3))[1] if yolo else 3,
        movenet=movenet,
        yolo=yolo,
    )


def trial(
    network: NetworkFile, layout: Layout, element: Element, size: Size, count: int
) -> dict[str, NDArray[Any]]:
    """All outputs by name for `count` grey pictures."""
    shape = (count, 3, *size) if layout == "nchw" else (count, *size, 3)
    grey = 128 if element in ("uint8", "int32") else 0.5
    feed = {network.session.inputs[0].name: np.full(shape, grey, element)}
    try:
        values = network.session.run(None, feed)
    except Exception as error:  # the runtime's own errors share no narrower base
        reason = " ".join(str(error).split())[:300]
        raise BundleError(
            f"{network.path}: cannot run on a picture of {size[0]} x {size[1]} ({reason}); "
            "export it for this size, or give another --size"
        ) from error
    names = [port.name for port in network.session.outputs]
    return dict(zip(names, values, strict=True))


def _is_numbers(value: object) -> bool:
    """No text, and no sequence or map of arrays."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiub"


def _input(network: NetworkFile, size: Size | None) -> tuple[Layout, Element, Size]:
    inputs = network.session.inputs
    described = ", ".join(f"'{port.name}' {list(port.shape)}" for port in inputs)
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise BundleError(f"{network.path}: one input for a picture is needed, it has {described}")
    element = next((each for each in _ELEMENTS if each == inputs[0].element), None)
    if element is None:
        raise BundleError(
            f"{network.path}: its input is {inputs[0].element}; known are {', '.join(_ELEMENTS)}"
        )
    _, a, b, c = inputs[0].shape
    layout: Layout
    if a == 3 and c != 3:
        layout, sides = "nchw", (b, c)
    elif c == 3 and a != 3:
        layout, sides = "nhwc", (a, b)
    else:
        raise BundleError(
            f"{network.path}: input {described} does not say which axis has the three colours; "
            "export it with that axis fixed to 3"
        )
    if None in sides and size is None:
        raise BundleError(
            f"{network.path}: the size of its input is open, {described}; say which one it was "
            "trained for: --size HEIGHTxWIDTH"
        )
    for mine, given in zip(sides, size or (None, None), strict=True):
        if mine is not None and given is not None and mine != given:
            raise BundleError(
                f"{network.path}: its input is fixed, {described}; --size {size[0]}x{size[1]} "  # type: ignore[index]
                "does not fit"
            )
    height, width = (mine or given for mine, given in zip(sides, size or sides, strict=True))
    assert height is not None
    assert width is not None
    return layout, element, (height, width)


_Known = tuple[CropForm | PeopleForm, int, tuple[str, ...], int]


def _crop_form(found: Mapping[str, NDArray[Any]], size: Size) -> _Known | None:
    """Form, joints, outputs and classes of a network for one person."""
    shapes = {name: value.shape for name, value in found.items()}
    names = list(shapes)
    if len(shapes) == 1:
        shape = shapes[names[0]]
        if len(shape) == 4 and shape[1] == 1 and shape[3] in (2, 3) and shape[2] > 1:
            return "coordinates", shape[2], (names[0],), 1
        if len(shape) == 3 and shape[0] == 1 and shape[2] in (2, 3) and shape[1] > 1:
            return "coordinates", shape[1], (names[0],), 1
        whole = len(shape) == 4 and min(shape[1:]) > 1
        if whole and shape[2] * size[1] == shape[3] * size[0] and shape[2] <= size[0]:
            return "heatmaps", shape[1], (names[0],), 1
    if len(shapes) == 2:
        return _simcc(shapes, size)
    return None


def _simcc(shapes: Mapping[str, Sequence[int]], size: Size) -> _Known | None:
    """Two outputs of as many places for each pixel, told apart by size, else by name or order."""
    (one, a), (two, b) = shapes.items()
    if len(a) != 3 or len(b) != 3 or a[1] != b[1]:
        return None
    fits = a[2] * size[0] == b[2] * size[1] and a[2] >= size[1]
    exchanged = b[2] * size[0] == a[2] * size[1] and b[2] >= size[1]
    if fits and exchanged:  # a square
        exchanged = one.lower().endswith("y") and two.lower().endswith("x")
        fits = not exchanged
    if not fits and not exchanged:
        return None
    return "simcc", a[1], (one, two) if fits else (two, one), 1


def _people_form(
    found: Mapping[str, NDArray[Any]], metadata: Mapping[str, str], layout: Layout
) -> _Known | None:
    """Form, joints, outputs and classes of a network for everybody in the picture."""
    shapes = {name: value.shape for name, value in found.items()}
    if len(shapes) == 1:
        ((name, shape),) = shapes.items()
        if len(shape) != 3 or shape[0] != 1:
            return None
        if layout == "nhwc":
            points, rest = divmod(shape[2] - 5, 3)
            return ("multipose", points, (name,), 1) if points > 1 and not rest else None
        classes = _classes(metadata)
        told = _keypoints(metadata)
        if told is not None:  # else few people after suppression look like few channels before it
            joints, values = told[0], told[0] * told[1]
            if shape[2] == 6 + values:
                return "yolo-nms", joints, (name,), 1
            return ("yolo", joints, (name,), classes) if shape[1] == 4 + classes + values else None
        points, rest = divmod(shape[1] - 4 - classes, 3)
        if shape[1] < shape[2] and points > 1 and not rest:
            return "yolo", points, (name,), classes
        points, rest = divmod(shape[2] - 6, 3)
        return ("yolo-nms", points, (name,), 1) if points > 1 and not rest else None
    for boxes, keypoints in permutations(shapes) if len(shapes) == 2 else ():
        a, b = shapes[boxes], shapes[keypoints]
        if len(a) == 3 and a[2] == 5 and len(b) == 4 and b[3] == 3 and a[:2] == b[:2]:
            return "rtmo", b[2], (boxes, keypoints), 1
    return None


def _classes(metadata: Mapping[str, str]) -> int:
    """How many classes a YOLO tells apart: its metadata name them."""
    try:
        return max(1, len(ast.literal_eval(metadata["names"])))
    except (KeyError, ValueError, SyntaxError, TypeError):
        return 1


def _keypoints(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Keypoints and numbers for each (2 or 3), as Ultralytics' metadata say; None without them."""
    try:
        joints, numbers = ast.literal_eval(metadata["kpt_shape"])
    except (KeyError, ValueError, SyntaxError, TypeError):
        return None
    fits = isinstance(joints, int) and joints > 0 and numbers in (2, 3)
    return (joints, numbers) if fits else None


def _is_batched(
    network: NetworkFile, layout: Layout, element: Element, size: Size, outputs: Sequence[str]
) -> bool:
    """Whether two pictures at once give two results."""
    if network.session.inputs[0].shape[0] is not None:
        return False
    try:
        found = trial(network, layout, element, size, 2)
    except BundleError:
        return False  # what the shape leaves open the graph need not be able to do
    return all(len(found[name]) == 2 for name in outputs)
