"""Short films of real people who cross each other, with exact ids and boxes.

People are cut out of Clothing Co-Parsing's photographs by its masks and pushed, as stiff as they
were photographed, over an empty scene of a real video: two to four at a time, in both directions,
of different sizes (the larger is nearer and hides the smaller), some of them turning back half
way, with a walk's bobbing and a camera that shakes. All of it lives in memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.video import VideoReader

SIZE = (540, 960)  # (height, width)
RATE = 25.0
MARGIN = 16  # px of background beyond the picture, for the camera
HEIGHTS = (190.0, 340.0)
LEAST_UPRIGHT = 0.75  # of a photograph's height that a person who is all there fills
STRIDE = 1.8  # steps a second
EMPTY = (("one_by_one.mp4", 0), ("walk_backlit.mp4", -1))
"""Videos and a frame of each without people."""


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A person: RGB (h, w, 3) and opacity (h, w) in [0, 1], as tight as the mask."""

    image: NDArray[np.float32]
    opacity: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Walk:
    """`start`, `end`: feet's x in px. `height`: px, at first and at last. `turns`: comes back."""

    start: float
    end: float
    height: tuple[float, float]
    phase: float
    turns: bool

    def pose(self, part: float, time: float) -> tuple[float, float, float, float]:
        """Feet x, y, height in px and lean in degrees, `part` in [0, 1] of the film done."""
        way = 1.0 - abs(2 * part - 1.0) if self.turns else part
        height = self.height[0] + way * (self.height[1] - self.height[0])
        swing = math.sin(2 * math.pi * STRIDE * time / 2 + self.phase)
        bob = 0.012 * height * abs(swing)
        feet = 300 + 0.65 * height  # the floor rises into the distance
        return self.start + way * (self.end - self.start), feet - bob, height, 2.0 * swing


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A frame: RGB, its time in s, and all people in it, whether visible or not.

    `boxes` (M, 4): the whole person, as if no one stood in front, cut to the picture. `visible`
    (M,): share of the person's pixels that can be seen. Row i is the person with id i.
    """

    image: NDArray[np.uint8]
    time: float
    boxes: NDArray[np.float64]
    visible: NDArray[np.float64]


def load_cutouts(root: Path) -> list[Path]:
    """Masks of the people who are all in their photograph, in the order of their names."""
    chosen = []
    for path in sorted((root / "masks").glob("*.png")):
        mask = _read(path, cv2.IMREAD_GRAYSCALE)
        rows = np.flatnonzero(np.any(mask > 127, axis=1))
        if len(rows) and rows[-1] - rows[0] >= LEAST_UPRIGHT * len(mask):
            chosen.append(path)
    return chosen


def cutout(mask_path: Path) -> Cutout:
    """The person of a mask."""
    mask = _read(mask_path, cv2.IMREAD_GRAYSCALE)
    photo = _read(mask_path.parents[1] / "photos" / f"{mask_path.stem}.jpg", cv2.IMREAD_COLOR)
    opacity = cv2.GaussianBlur(np.asarray(mask > 127, np.float32), (3, 3), 0)
    rows, columns = np.flatnonzero(opacity.any(axis=1)), np.flatnonzero(opacity.any(axis=0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return Cutout(photo[part][..., ::-1].astype(np.float32), np.asarray(opacity[part], np.float32))


def _read(path: Path, flags: int) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), flags)
    if image is None:
        raise SystemExit(f"{path}: cannot be read as an image")
    return np.asarray(image, np.uint8)


def load_backgrounds(videos: Path) -> list[NDArray[np.float32]]:
    """Empty scenes, larger than a picture by the margin on each side."""
    size = SIZE[1] + 2 * MARGIN, SIZE[0] + 2 * MARGIN
    scenes = []
    for name, index in EMPTY:
        with VideoReader(videos / name) as video:
            frames = iter(video)
            image = next(frames).image
            if index < 0:
                for frame in frames:
                    image = frame.image
        scenes.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32))
    return scenes


def film(
    masks: Sequence[Path],
    scenes: Sequence[NDArray[np.float32]],
    count: int,
    rng: np.random.Generator,
) -> list[Shot]:
    """A film of `count` frames with two to four people drawn from the masks."""
    people = int(rng.integers(2, 5))
    chosen = [cutout(masks[i]) for i in rng.choice(len(masks), people, replace=False)]
    walks = [_walk(rng, number) for number in range(people)]
    scene = scenes[int(rng.integers(len(scenes)))]
    if rng.random() < 0.5:
        scene = scene[:, ::-1]
    shake = _shake(rng, count)
    return [_shot(chosen, walks, scene, shake[i], i, count) for i in range(count)]


def _walk(rng: np.random.Generator, number: int) -> Walk:
    """Every other one walks from left to right, the later ones a length behind or ahead."""
    shift = 0.15 * (number // 2)
    near, far = rng.uniform(0.05, 0.2) + shift, rng.uniform(0.65, 0.8) + shift
    start, end = (near, far) if number % 2 == 0 else (far, near)
    height = rng.uniform(*HEIGHTS)
    return Walk(
        start=start * SIZE[1],
        end=end * SIZE[1],
        height=(height, height * rng.uniform(0.9, 1.1)),
        phase=rng.uniform(0, 2 * math.pi),
        turns=bool(rng.random() < 0.25),
    )


def _shake(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """The camera's offset (count, 2) in px: slow swings and a little noise."""
    times = np.arange(count)[:, None] / RATE
    phases = rng.uniform(0, 2 * math.pi, (3, 2))
    swings = sum(
        3.0 / (k + 1) * np.sin(2 * math.pi * 0.7 * (k + 1) * times + phases[k]) for k in range(3)
    )
    return np.asarray(swings + rng.normal(0, 0.5, (count, 2)))


def _shot(
    people: Sequence[Cutout],
    walks: Sequence[Walk],
    scene: NDArray[np.float32],
    shake: NDArray[np.float64],
    index: int,
    count: int,
) -> Shot:
    time = index / RATE
    moves = [walk.pose(index / (count - 1), time) for walk in walks]
    height, width = SIZE
    camera = np.array([[1, 0, shake[0] - MARGIN], [0, 1, shake[1] - MARGIN]])
    image = cv2.warpAffine(scene, camera, (width, height), flags=cv2.INTER_LINEAR)
    owner = np.full(SIZE, -1)
    boxes, areas = np.zeros((len(people), 4)), np.zeros(len(people))
    for number in sorted(range(len(people)), key=lambda number: moves[number][2]):
        person, matrix = people[number], _placement(people[number], moves[number], shake)
        opacity = cv2.warpAffine(person.opacity, matrix, (width, height))
        colours = cv2.warpAffine(person.image * person.opacity[..., None], matrix, (width, height))
        image = image * (1 - opacity[..., None]) + colours
        solid = opacity > 0.5
        owner[solid] = number
        # The whole area, also what lies outside the picture.
        areas[number] = (person.opacity > 0.5).sum() * abs(np.linalg.det(matrix[:, :2]))
        boxes[number] = cv2.boundingRect(solid.astype(np.uint8))
    seen = np.array([(owner == number).sum() for number in range(len(people))])
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return Shot(pixels, time, boxes, seen / areas)


def _placement(
    person: Cutout, move: tuple[float, float, float, float], shake: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The matrix (2, 3) from the cutout to the picture: feet on the spot, then the lean."""
    x, y, tall, lean = move
    rows, columns = person.opacity.shape
    feet = (columns / 2, float(rows))
    matrix = cv2.getRotationMatrix2D(feet, lean, tall / rows)
    matrix[:, 2] += np.array([x, y]) - feet + shake
    return np.asarray(matrix)
