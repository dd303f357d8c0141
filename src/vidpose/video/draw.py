"""Drawing results onto frames."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.results import FrameResult, Person
from vidpose.skeleton import FINE_GROUPS, Skeleton
from vidpose.video.frames import check_rgb

MIN_CONFIDENCE = 0.05
"""Joints less certain than this are not drawn."""

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Joint = tuple[float, float, float]  # x, y, confidence

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
    follow the size of the image and of the person; face and hands (`FINE_GROUPS`) are thinner.

    Raises InputError for another kind of image, or people with other keypoints than the skeleton's.
    """
    check_rgb(image)
    canvas = image.copy()
    draw_people(canvas, result, skeleton)
    return canvas


def draw_people(
    canvas: Image,
    result: FrameResult,
    skeleton: Skeleton,
    min_confidence: float = MIN_CONFIDENCE,
    *,
    ids_only: bool = False,
) -> None:
    """As ``draw_result``, onto the canvas itself; joints below ``min_confidence`` are left out,
    and with ``ids_only`` all of them."""
    for person in result.people:
        skeleton.check_keypoints(person.keypoints)
        _draw_person(canvas, person, skeleton, 2.0 if ids_only else min_confidence)


def colour_of(person_id: int) -> Colour:
    """The RGB colour of an id: vivid, and far from the colours of the ids next to it."""
    hue = person_id * _GOLDEN_RATIO % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _draw_person(canvas: Image, person: Person, skeleton: Skeleton, min_confidence: float) -> None:
    width = line_width(canvas, person)
    colour = colour_of(person.id)
    sides = [_side(name) for name in skeleton.keypoints]
    fine = {index for name in FINE_GROUPS for index in skeleton.group(name)}
    thin = max(1, width // 2)
    points = person.keypoints
    shown = np.isfinite(points).all(axis=1) & (points[:, 2] >= min_confidence)
    # Python's own numbers: numpy takes microseconds for each pair, of which there are hundreds.
    joints = {int(index): tuple(points[index].tolist()) for index in np.flatnonzero(shown)}
    _draw_box(canvas, person, colour, width)
    for start, end in skeleton.edges:
        if start in joints and end in joints:
            limb_sides = {sides[start], sides[end]} - {"middle"}
            side = limb_sides.pop() if len(limb_sides) == 1 else "middle"
            shade = _shaded(colour, _LIMB_SHADES[side])
            if start in fine or end in fine:
                _draw_limb(canvas, joints[start], joints[end], shade, thin, outline=0)
            else:
                _draw_limb(canvas, joints[start], joints[end], shade, width)
    for index, joint in joints.items():
        if index in fine:
            _draw_dot(canvas, joint, colour, thin)
        else:
            _draw_joint(canvas, joint, colour, _JOINT_RINGS[sides[index]], width)
    _draw_id(canvas, person, colour, width)


def line_width(canvas: Image, person: Person) -> int:
    """Pixels: 1/130 of the person's longer side, within what suits the picture."""
    by_image = math.sqrt(canvas.shape[0] * canvas.shape[1]) / 130
    by_person = max(person.box[2:]) / 130
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
    canvas: Image, start: Joint, end: Joint, colour: Colour, width: int, outline: int = 2
) -> None:
    def paint(patch: Image, left: int, top: int) -> None:
        a, b = _subpixel(start[0] - left, start[1] - top), _subpixel(end[0] - left, end[1] - top)
        if outline:
            cv2.line(patch, a, b, _BLACK, width + outline, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.line(patch, a, b, colour, width, cv2.LINE_AA, _SUBPIXEL_BITS)

    _blend(canvas, (start[:2], end[:2]), width + 3, min(start[2], end[2]), paint)


def _draw_joint(canvas: Image, joint: Joint, colour: Colour, ring: Colour, width: int) -> None:
    radius = 1.5 * width + 0.5

    def paint(patch: Image, left: int, top: int) -> None:
        centre = _subpixel(joint[0] - left, joint[1] - top)
        for fill, size in ((ring, radius + max(1.0, width / 2)), (colour, radius)):
            scaled = round(size * 2**_SUBPIXEL_BITS)
            cv2.circle(patch, centre, scaled, fill, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)

    _blend(canvas, (joint[:2],), 2 * width + 3, joint[2], paint)


def _draw_dot(canvas: Image, joint: Joint, colour: Colour, width: int) -> None:
    """A joint of face or hand: no ring, little wider than its limbs."""

    def paint(patch: Image, left: int, top: int) -> None:
        centre = _subpixel(joint[0] - left, joint[1] - top)
        radius = round((0.7 * width + 0.4) * 2**_SUBPIXEL_BITS)
        cv2.circle(patch, centre, radius, colour, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)

    _blend(canvas, (joint[:2],), width + 2, joint[2], paint)


def _draw_box(canvas: Image, person: Person, colour: Colour, width: int) -> None:
    x, y, w, h = person.box
    near, far = (x - 0.5, y - 0.5), (x + w - 0.5, y + h - 0.5)  # from edges to pixel centres

    def paint(patch: Image, left: int, top: int) -> None:
        a, b = _subpixel(near[0] - left, near[1] - top), _subpixel(far[0] - left, far[1] - top)
        cv2.rectangle(patch, a, b, colour, max(1, width // 2), cv2.LINE_AA, _SUBPIXEL_BITS)

    _blend(canvas, (near, far), width + 1, 0.8, paint)


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
    around: Sequence[tuple[float, float]],
    margin: int,
    opacity: float,
    paint: Callable[[Image, int, int], None],
) -> None:
    """Paint onto the canvas with the given opacity, within the rectangle around some points.

    `paint` gets the rectangle's pixels and its place (left, top).
    """
    height, width = canvas.shape[:2]
    left, right = _span([x for x, _ in around], margin, width)
    top, bottom = _span([y for _, y in around], margin, height)
    if right <= left or bottom <= top:
        return
    patch = canvas[top:bottom, left:right]
    if opacity >= 1.0:
        paint(patch, left, top)
        return
    painted = patch.copy()
    paint(painted, left, top)
    cv2.addWeighted(painted, opacity, patch, 1.0 - opacity, 0.0, dst=patch)


def _span(places: list[float], margin: int, limit: int) -> tuple[int, int]:
    """First pixel and the one after the last around some places, cut to `limit` pixels."""
    low, high = math.floor(min(places)) - margin, math.ceil(max(places)) + margin + 1
    return min(max(low, 0), limit), min(max(high, 0), limit)


def _subpixel(x: float, y: float) -> tuple[int, int]:
    limit = 1 << 24  # beyond any image, within OpenCV's integers
    a, b = round(x * 2**_SUBPIXEL_BITS), round(y * 2**_SUBPIXEL_BITS)
    return min(max(a, -limit), limit), min(max(b, -limit), limit)


def _whole(point: NDArray[np.integer]) -> tuple[int, int]:
    return int(point[0]), int(point[1])
