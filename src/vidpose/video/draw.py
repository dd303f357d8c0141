"""Drawing results onto frames."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.results import FrameResult, Person
from vidpose.skeleton import Skeleton

MIN_CONFIDENCE = 0.05
"""Joints less certain than this are not drawn."""

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

_GOLDEN_RATIO = 0.618034
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue to the eye
_SUBPIXEL_BITS = 4
_LIMB_SHADES = {"left": 0.55, "middle": 0.0, "right": -0.4}
_JOINT_RINGS = {"left": _WHITE, "middle": (128, 128, 128), "right": _BLACK}


def draw_result(image: Image, result: FrameResult, skeleton: Skeleton) -> Image:
    """A copy of the image with everybody's limbs, joints, box and id.

    ``image``: (H, W, 3) uint8 RGB; ``result``: in pixels of that image. Every id has its colour.
    Limbs of the person's left side are light, of the right side dark; joints of the left side
    have a white ring, of the right side a black one. The less certain a joint, the more
    transparent it is, and a limb is as transparent as the less certain of its ends. Line widths
    follow the size of the image and of the person.
    """
    canvas = image.copy()
    for person in result.people:
        _draw_person(canvas, person, skeleton)
    return canvas


def colour_of(person_id: int) -> Colour:
    """The RGB colour of an id: vivid, and far from the colours of the ids next to it."""
    hue = person_id * _GOLDEN_RATIO % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _draw_person(canvas: Image, person: Person, skeleton: Skeleton) -> None:
    width = _line_width(canvas, person)
    colour = colour_of(person.id)
    sides = [_side(name) for name in skeleton.keypoints]
    points = person.keypoints
    shown = np.isfinite(points).all(axis=1) & (points[:, 2] >= MIN_CONFIDENCE)
    _draw_box(canvas, person, colour, width)
    for start, end in skeleton.edges:
        if shown[start] and shown[end]:
            limb_sides = {sides[start], sides[end]} - {"middle"}
            side = limb_sides.pop() if len(limb_sides) == 1 else "middle"
            shade = _shaded(colour, _LIMB_SHADES[side])
            _draw_limb(canvas, points[start], points[end], shade, width)
    for index in np.flatnonzero(shown):
        _draw_joint(canvas, points[index], colour, _JOINT_RINGS[sides[index]], width)
    _draw_id(canvas, person, colour, width)


def _line_width(canvas: Image, person: Person) -> int:
    """Pixels: about 1/400 of the image's side, but no more than suits a small person."""
    by_image = float(np.sqrt(canvas.shape[0] * canvas.shape[1])) / 400
    by_person = max(person.box[2:]) / 60
    return max(1, round(min(by_image, by_person)))


def _side(name: str) -> str:
    for side in ("left", "right"):
        if name.startswith(f"{side}_"):
            return side
    return "middle"


def _shaded(colour: Colour, shade: float) -> Colour:
    """The colour mixed with white (shade > 0) or black (shade < 0)."""
    target = 255 if shade > 0 else 0
    red, green, blue = (round(part + abs(shade) * (target - part)) for part in colour)
    return red, green, blue


def _draw_limb(
    canvas: Image, start: NDArray[np.float32], end: NDArray[np.float32], colour: Colour, width: int
) -> None:
    def paint(patch: Image, shift: NDArray[np.float64]) -> None:
        a, b = _subpixel(start[:2] - shift), _subpixel(end[:2] - shift)
        for line, thickness in ((_BLACK, width + 2), (colour, width)):
            cv2.line(patch, a, b, line, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)

    confidence = float(min(start[2], end[2]))
    _blend(canvas, np.array([start[:2], end[:2]]), width + 3, confidence, paint)


def _draw_joint(
    canvas: Image, point: NDArray[np.float32], colour: Colour, ring: Colour, width: int
) -> None:
    radius = 1.5 * width + 0.5

    def paint(patch: Image, shift: NDArray[np.float64]) -> None:
        centre = _subpixel(point[:2] - shift)
        for fill, size in ((ring, radius + max(1.0, width / 2)), (colour, radius)):
            scaled = round(size * 2**_SUBPIXEL_BITS)
            cv2.circle(patch, centre, scaled, fill, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)

    _blend(canvas, point[None, :2], 2 * width + 3, float(point[2]), paint)


def _draw_box(canvas: Image, person: Person, colour: Colour, width: int) -> None:
    x, y, w, h = person.box
    corners = np.array([[x, y], [x + w, y + h]]) - 0.5  # from pixel edges to pixel centres

    def paint(patch: Image, shift: NDArray[np.float64]) -> None:
        near, far = _subpixel(corners[0] - shift), _subpixel(corners[1] - shift)
        cv2.rectangle(patch, near, far, colour, max(1, width // 2), cv2.LINE_AA, _SUBPIXEL_BITS)

    _blend(canvas, corners, width + 1, 0.8, paint)


def _draw_id(canvas: Image, person: Person, colour: Colour, width: int) -> None:
    """The id on a plate at the box's top left corner, moved into the image if need be."""
    font, scale, text = cv2.FONT_HERSHEY_SIMPLEX, 0.25 + 0.2 * width, str(person.id)
    (text_width, text_height), _ = cv2.getTextSize(text, font, scale, width)
    margin = width + 1
    plate = np.array([text_width + 2 * margin, text_height + 2 * margin])
    room = np.maximum(0, np.array([canvas.shape[1], canvas.shape[0]]) - plate)
    corner = np.clip(np.array(person.box[:2]) - [0, plate[1]], 0, room).round().astype(int)
    far = corner + plate - 1
    cv2.rectangle(canvas, _whole(corner), _whole(far), colour, cv2.FILLED)
    origin = _whole(corner + np.array([margin, margin + text_height - 1]))
    ink = _BLACK if np.dot(colour, _LUMINANCE) > 110 else _WHITE
    cv2.putText(canvas, text, origin, font, scale, ink, width, cv2.LINE_AA)


def _blend(
    canvas: Image,
    around: NDArray[np.floating],
    margin: int,
    opacity: float,
    paint: Callable[[Image, NDArray[np.float64]], None],
) -> None:
    """Paint onto the canvas with the given opacity, within the rectangle around some points."""
    limit = np.array([canvas.shape[1], canvas.shape[0]])
    low = np.clip(np.floor(around.min(axis=0)) - margin, 0, limit).astype(int)
    high = np.clip(np.ceil(around.max(axis=0)) + margin + 1, 0, limit).astype(int)
    if (high <= low).any():
        return
    patch = canvas[low[1] : high[1], low[0] : high[0]]
    painted = patch.copy()
    paint(painted, low.astype(np.float64))
    opacity = min(1.0, opacity)
    cv2.addWeighted(painted, opacity, patch, 1.0 - opacity, 0.0, dst=painted)
    patch[...] = painted


def _subpixel(point: NDArray[np.floating]) -> tuple[int, int]:
    limit = 1 << 24  # beyond any image, within OpenCV's integers
    x, y = np.clip(np.round(point * 2**_SUBPIXEL_BITS), -limit, limit).astype(int)
    return int(x), int(y)


def _whole(point: NDArray[np.integer]) -> tuple[int, int]:
    return int(point[0]), int(point[1])
