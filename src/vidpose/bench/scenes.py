"""Scenes with a chosen number of people, made of one person of a real video.

The person followed in most frames is cut out of the video: one window for the whole clip, around
every place where the person was. Copies of the window are laid out on a grey picture of a fixed
size, scaled down to fit beside each other. Each copy plays the clip forwards and backwards
without a jump, some frames after its neighbour, so that the copies are in different poses and
fall due for an initialisation at different times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.results import FrameResult
from vidpose.video import VideoReader, VideoWriter

Image = NDArray[np.uint8]

SIZE = (720, 1280)  # (height, width) of every scene
GREY = 114
MARGIN = 0.1  # of the person's box, on each side of the window
GAP = 0.95  # of a cell's sides, for the window in it
PHASE = 7  # frames between the clips of two neighbours


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle in whole pixels of the video, and the frames (`first` to `last`) to take."""

    x: int
    y: int
    w: int
    h: int
    first: int
    last: int


def find_window(results: Sequence[FrameResult], size: tuple[int, int]) -> Window | None:
    """The window around the person seen in most frames, None when no person was seen.

    `size`: (height, width) of the video.
    """
    seen = Counter(person.id for result in results for person in result.people)
    if not seen:
        return None
    (chosen, _), *_ = seen.most_common(1)
    of = [(r.index, p.box) for r in results for p in r.people if p.id == chosen]
    boxes = np.array([box for _, box in of])
    margin = MARGIN * boxes[:, 2:].max(axis=0)
    limit = np.array(size[::-1])
    low = np.clip(np.floor(boxes[:, :2].min(axis=0) - margin), 0, limit - 1).astype(int)
    far = (boxes[:, :2] + boxes[:, 2:]).max(axis=0) + margin
    high = np.clip(np.ceil(far), low + 1, limit).astype(int)
    (x, y), (w, h) = low.tolist(), (high - low).tolist()
    return Window(x, y, w, h, of[0][0], of[-1][0])


def cut(source: Path | str, window: Window) -> list[Image]:
    """The window's pictures, no larger than a scene."""
    scale = min(1.0, SIZE[0] / window.h, SIZE[1] / window.w)
    with VideoReader(source) as video:
        return [
            _scaled(frame.image[window.y :, window.x :][: window.h, : window.w], scale)
            for frame in islice(video, window.first, window.last + 1)
        ]


def layout(people: int, size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Places (x, y, width, height) in a scene for windows of `size` (height, width), as large as
    fit, but no larger than they are."""
    height, width = size
    scales = {
        columns: min(
            1.0,
            GAP * SIZE[1] / columns / width,
            GAP * SIZE[0] / -(-people // columns) / height,
        )
        for columns in range(1, people + 1)
    }
    columns = max(scales, key=lambda count: (scales[count], -count))
    rows = -(-people // columns)
    w, h = (max(1, round(side * scales[columns])) for side in (width, height))
    cell = SIZE[1] / columns, SIZE[0] / rows
    return [
        (
            int((number % columns + 0.5) * cell[0] - w / 2),
            int((number // columns + 0.5) * cell[1] - h / 2),
            w,
            h,
        )
        for number in range(people)
    ]


def compose(windows: Sequence[Image], people: int, index: int) -> Image:
    """Frame `index` of the scene with so many people."""
    scene = np.full((*SIZE, 3), GREY, np.uint8)
    for number, (x, y, w, h) in enumerate(layout(people, windows[0].shape[:2])):
        picture = windows[back_and_forth(index + PHASE * number, len(windows))]
        scene[y : y + h, x : x + w] = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)
    return scene


def back_and_forth(index: int, count: int) -> int:
    """0, 1, ... count - 1, count - 2, ... 1, 0, 1, ...: a place for any index."""
    if count == 1:
        return 0
    place = index % (2 * count - 2)
    return min(place, 2 * count - 2 - place)


def write_scene(
    path: Path, windows: Sequence[Image], people: int, frames: int, rate: float
) -> None:
    """Write a scene as an H.264 clip of so many frames, `rate` a second."""
    with VideoWriter(path, width=SIZE[1], height=SIZE[0]) as writer:
        for index in range(frames):
            writer.write(compose(windows, people, index), index / rate)


def _scaled(picture: Image, scale: float) -> Image:
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, np.uint8)
