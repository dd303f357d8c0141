"""What no ONNX file says of itself, and how it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vidpose.bundle import NetworkInput, Size
from vidpose.bundle.imported import Channels, Colour, Refinement
from vidpose.errors import BundleError, VidposeError
from vidpose.importing.recognise import Recognised
from vidpose.skeleton import COCO_17, SKELETONS, Skeleton

# Of RGB; (value - mean) / deviation of values 0 to 255.
_NORMALISE: dict[str, tuple[Channels, Channels]] = {
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "unit": ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    "signed": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


class NotSaidError(VidposeError):
    """The file does not say something that has to be known; options say it."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user says of the network; None where nothing was said.

    `normalise`: "imagenet", "unit" (0 to 1), "signed" (-1 to 1), "none" (0 to 255), or the means
    and deviations of the three channels as "M,M,M/D,D,D". `padding`: factor on a person's box.
    `order`: of coordinates. `licence`: a name, `licence_text` the text itself.
    """

    skeleton: Skeleton | None = None
    normalise: str | None = None
    colour: Colour | None = None
    padding: float | None = None
    size: Size | None = None
    refinement: Refinement = "dark"
    order: Literal["xy", "yx"] | None = None
    licence: str = "unknown"
    licence_text: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """All that has to be known of a recognised network."""

    skeleton: Skeleton
    input: NetworkInput
    padding: float
    order: Literal["xy", "yx"]


def complete(recognised: Recognised, options: ImportOptions, where: str) -> Said:
    """Options together with what the file says.

    Raises NotSaidError that names everything that is missing, BundleError where the two contradict
    each other.
    """
    known, whole = recognised.movenet or recognised.yolo, recognised.element in ("uint8", "int32")
    normalise = options.normalise
    if normalise is None and (whole or recognised.movenet):
        normalise = "none"
    if normalise is None and recognised.yolo:
        normalise = "unit"
    colour = options.colour or ("rgb" if known else None)
    coco = COCO_17 if known and recognised.joints == 17 else None
    skeleton = options.skeleton or coco
    padding = options.padding or (1.25 if recognised.one_stage else None)
    order = options.order or ("yx" if recognised.movenet else None)
    missing = [
        (option, usual)
        for option, usual, value in (
            (f"--skeleton {_fitting(recognised.joints)}", "", skeleton),
            (
                f"--normalise {'|'.join((*_NORMALISE, 'M,M,M/D,D,D'))}",
                "--normalise imagenet",
                normalise,
            ),
            ("--colour rgb|bgr", "--colour rgb", colour),
            ("--padding FACTOR (from a person's box to the crop)", "--padding 1.25", padding),
            ("--order xy|yx", "", order or recognised.form != "coordinates"),
        )
        if not value
    ]
    if missing:
        usual = " ".join(each for _, each in missing if each)
        raise NotSaidError(
            f"{where}: {describe(recognised)}. What the file does not say, you have to: "
            f"{'; '.join(option for option, _ in missing)}"
            + (f" (common: {usual})" if usual and not recognised.one_stage else "")
        )
    assert skeleton is not None
    assert colour is not None
    assert padding is not None
    if skeleton.num_keypoints != recognised.joints:
        raise BundleError(
            f"{where}: it gives {recognised.joints} keypoints, skeleton '{skeleton.name}' has "
            f"{skeleton.num_keypoints}"
        )
    mean, deviation = _channels(normalise or "none", colour)
    if whole and (mean, deviation) != _NORMALISE["none"]:
        raise BundleError(f"{where}: its input is {recognised.element}: --normalise none")
    form = NetworkInput(
        recognised.element, recognised.layout, colour, mean, deviation, recognised.batched
    )
    return Said(skeleton, form, padding, order or "yx")


def describe(recognised: Recognised) -> str:
    """In words what was recognised."""
    what = {
        "heatmaps": "heatmaps",
        "simcc": "SimCC",
        "coordinates": "coordinates",
        "yolo": "one-stage, YOLO-pose",
        "yolo-nms": "one-stage, YOLO-pose with suppression",
        "rtmo": "one-stage, RTMO",
        "multipose": "one-stage, MoveNet MultiPose",
    }[recognised.form]
    height, width = recognised.size
    return (
        f"{what}, {recognised.joints} keypoints, input {height} x {width} {recognised.element} "
        f"{recognised.layout.upper()}"
    )


def _fitting(joints: int) -> str:
    names = [name for name, each in SKELETONS.items() if each.num_keypoints == joints]
    return "|".join((*names, "FILE"))


def _channels(normalise: str, colour: Colour) -> tuple[Channels, Channels]:
    """Mean and deviation in the order of the network's channels."""
    if normalise in _NORMALISE:
        mean, deviation = _NORMALISE[normalise]
        return (mean, deviation) if colour == "rgb" else (mean[::-1], deviation[::-1])
    try:
        mean, deviation = (
            tuple(float(value) for value in part.split(",")) for part in normalise.split("/")
        )
    except ValueError:
        mean = deviation = ()
    if len(mean) != 3 or len(deviation) != 3 or min(deviation) <= 0:
        raise BundleError(
            f"--normalise {normalise}: give one of {', '.join(_NORMALISE)}, or the means and "
            "deviations of the network's channels, of values 0 to 255, as 120,115,100/58,57,57"
        )
    return mean, deviation
