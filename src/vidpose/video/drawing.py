"""Drawing a video's results: styles, and trails that remember where people were."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.errors import InputError, VidposeError
from vidpose.results import FrameResult, Person
from vidpose.skeleton import Skeleton
from vidpose.video.draw import MIN_CONFIDENCE, colour_of, draw_people, line_width
from vidpose.video.faces import blur_faces

_HIPS = ("left_hip", "right_hip")


@dataclass(frozen=True, slots=True)
class DrawStyle:
    """How people are drawn.

    ``min_confidence``: keypoints below it are left out, in [0, 1]. ``trails``: seconds for which
    the way of everybody's hips stays visible. ``ids_only``: boxes and ids without keypoints.
    ``blur_faces``: make heads unrecognisable. ``on_black``: skeletons without the picture.
    """

    min_confidence: float = MIN_CONFIDENCE
    trails: float = 0.0
    ids_only: bool = False
    blur_faces: bool = False
    on_black: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise VidposeError(f"least confidence to draw: {self.min_confidence:g} is not in 0..1")
        if not 0 <= self.trails <= 3600:
            raise VidposeError(f"trails: {self.trails:g} s is not between 0 and 3600")


def check_style(style: object) -> None:
    """Raises InputError for what is no style."""
    if style is not None and not isinstance(style, DrawStyle):
        kind = type(style).__name__
        raise InputError(f"a style is a vidpose.video.drawing.DrawStyle, got {kind}")


class Drawer:
    """Draws the frames of one video in one style; trails need them in order."""

    def __init__(self, skeleton: Skeleton, style: DrawStyle | None = None) -> None:
        self._skeleton = skeleton
        self._style = style or DrawStyle()
        self._trails: dict[int, deque[tuple[float, float, float]]] = {}

    def draw(self, image: NDArray[np.uint8], result: FrameResult) -> NDArray[np.uint8]:
        """A new picture (H, W, 3) uint8 RGB; ``result`` in pixels of ``image``."""
        style = self._style
        canvas = np.zeros_like(image) if style.on_black else image.copy()
        if style.blur_faces and not style.on_black:
            blur_faces(canvas, result, self._skeleton)
        if style.trails:
            self._draw_trails(canvas, result)
        draw_people(canvas, result, self._skeleton, style.min_confidence, ids_only=style.ids_only)
        return canvas

    def _draw_trails(self, canvas: NDArray[np.uint8], result: FrameResult) -> None:
        for person in result.people:
            x, y = _middle(person, self._skeleton)
            self._trails.setdefault(person.id, deque()).append((result.time, x, y))
        oldest = result.time - self._style.trails
        widths = {person.id: line_width(canvas, person) for person in result.people}
        for id, trail in list(self._trails.items()):
            while trail and trail[0][0] < oldest:
                trail.popleft()
            if not trail:
                del self._trails[id]
                continue
            line = np.array([(x, y) for _, x, y in trail])
            fixed = np.round(line * 16).astype(np.int32)  # sixteenths of a pixel
            width = widths.get(id, 2)
            cv2.polylines(canvas, [fixed], False, colour_of(id), width, cv2.LINE_AA, 4)


def _middle(person: Person, skeleton: Skeleton) -> tuple[float, float]:
    """The middle between the hips, else the middle of the box."""
    hips = [skeleton.keypoints.index(name) for name in _HIPS if name in skeleton.keypoints]
    points = person.keypoints[hips]
    known = points[np.isfinite(points[:, 0]) & (points[:, 2] >= MIN_CONFIDENCE)] if hips else points
    if len(known):
        x, y = known[:, :2].mean(axis=0).tolist()
        return x, y
    left, top, width, height = person.box
    return left + width / 2 - 0.5, top + height / 2 - 0.5
