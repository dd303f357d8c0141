"""Pictures of people with poses drawn in, side by side and below each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.inference.boxes import Box
from vidpose.inference.crop import PADDING, crop_image, region_around, to_crop
from vidpose.results import FrameResult, Person
from vidpose.skeleton import COCO_17
from vidpose.video.draw import draw_result

SIZE = (256, 192)  # height, width of one view
COLUMNS = 4

Picture = NDArray[np.uint8]


def view(
    image: Picture, box: Box, keypoints: NDArray[np.float32], title: str, padding: float = PADDING
) -> Picture:
    """The picture around a box with a pose (17, 3) drawn in, which may be NaN, and a title."""
    region = region_around(box, aspect=SIZE[1] / SIZE[0], padding=padding)
    drawn = crop_image(image, region, SIZE)
    if np.isfinite(keypoints).all():
        person = Person(
            id=1, score=1.0, box=(0, 0, 1, 1), keypoints=to_crop(keypoints, region, SIZE)
        )
        drawn = draw_result(drawn, FrameResult(0, 0.0, (person,)), COCO_17)
    place = (4, SIZE[0] - 6)
    return np.asarray(
        cv2.putText(drawn.copy(), title, place, 0, 0.5, (255, 255, 0), 1, cv2.LINE_AA), np.uint8
    )


def save_montage(path: Path, people: Sequence[Sequence[Picture]]) -> None:
    """Write the views of each person side by side, `COLUMNS` people in a row."""
    cells = [np.concatenate(views, axis=1) for views in people]
    while len(cells) % COLUMNS:
        cells.append(np.zeros_like(cells[0]))
    rows = [
        np.concatenate(cells[start : start + COLUMNS], axis=1)
        for start in range(0, len(cells), COLUMNS)
    ]
    if not cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1]):
        raise SystemExit(f"{path}: cannot be written")
    print(f"wrote {path}")
