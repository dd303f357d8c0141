"""Pictures of people in rows of four, each as several models find them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.inference.boxes import Box
from vidpose.inference.crop import crop_image, region_around, to_crop
from vidpose.results import FrameResult, Person
from vidpose.skeleton import COCO_17
from vidpose.video.draw import draw_result

COUNT, COLUMNS = 16, 4
SIZE = (256, 192)  # of one view


def view(
    image: NDArray[np.uint8], box: Box, keypoints: NDArray[np.float32], title: str
) -> NDArray[np.uint8]:
    """The crop of a person with a pose (17, 3), in pixels of the image, drawn in; a pose of NaN is
    none."""
    keypoints = keypoints.copy()
    keypoints[np.isnan(keypoints[:, 0]), 2] = 0
    region = region_around(box, aspect=SIZE[1] / SIZE[0])
    crop = crop_image(image, region, SIZE)
    person = Person(id=1, score=1.0, box=(0, 0, 1, 1), keypoints=to_crop(keypoints, region, SIZE))
    drawn = draw_result(crop, FrameResult(0, 0.0, (person,)), COCO_17)
    return np.asarray(
        cv2.putText(drawn.copy(), title, (4, 250), 0, 0.5, (255, 255, 0), 1, cv2.LINE_AA), np.uint8
    )


def write_montage(path: Path, people: Sequence[Sequence[NDArray[np.uint8]]]) -> None:
    """Write the views of each person side by side, `COLUMNS` people a row, empty at the end."""
    cells = [np.concatenate(views, axis=1) for views in people]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % COLUMNS)
    rows = [
        np.concatenate(cells[start : start + COLUMNS], axis=1)
        for start in range(0, len(cells), COLUMNS)
    ]
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])
    print(f"wrote {path}")
