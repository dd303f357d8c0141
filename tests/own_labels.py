"""Made data of one's own: a skeleton of three keypoints, as a COCO file and as a YOLO-pose set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

SKELETON = {
    "name": "kite",
    "keypoints": ["left_tip", "right_tip", "tail"],
    "edges": [["left_tip", "tail"], ["right_tip", "tail"]],
}
WIDTH, HEIGHT = 60, 40
POINTS = [[20.0, 10.0, 2], [40.0, 10.0, 2], [30.0, 30.0, 1]]
BOX = [15.0, 5.0, 30.0, 30.0]


def write_skeleton(folder: Path, **values: object) -> Path:
    path = folder / "kite.yaml"
    path.write_text(yaml.safe_dump(SKELETON | values))
    return path


def write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    assert cv2.imwrite(str(path), rng.integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8))


def write_own_coco(folder: Path, name: str = "labels.json", images: int = 10) -> Path:
    """A kite in each image, folder/images/N.png."""
    people: list[dict[str, Any]] = []
    for number in range(1, images + 1):
        write_image(folder / "images" / f"{number}.png")
        people.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": BOX,
                "area": 500.0,
                "num_keypoints": 3,
                "keypoints": [value for point in POINTS for value in point],
            }
        )
    content = {
        "images": [{"id": n, "file_name": f"{n}.png"} for n in range(1, images + 1)],
        "annotations": people,
        "categories": [{"id": 1, "name": "kite", "keypoints": SKELETON["keypoints"]}],
    }
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def yolo_line(points: list[list[float]] | None = None, kind: int = 0) -> str:
    sides = (WIDTH, HEIGHT)
    x, y, w, h = BOX
    box = [(x + w / 2) / WIDTH, (y + h / 2) / HEIGHT, w / WIDTH, h / HEIGHT]
    flat = [
        value
        for point in points or POINTS
        for value in (point[0] / sides[0], point[1] / sides[1], *point[2:])
    ]
    return " ".join(f"{value:g}" for value in [kind, *box, *flat])


def write_yolo(folder: Path, images: int = 5, **values: object) -> Path:
    """A kite in each image but the last, which shows none."""
    for number in range(1, images + 1):
        write_image(folder / "images" / "train" / f"{number}.png")
        labels = folder / "labels" / "train" / f"{number}.txt"
        labels.parent.mkdir(parents=True, exist_ok=True)
        if number < images:
            labels.write_text(yolo_line() + "\n")
    content = {
        "train": "images/train",
        "kpt_shape": [3, 3],
        "flip_idx": [1, 0, 2],
        "names": {0: "kite"},
    }
    path = folder / "data.yaml"
    kept = {key: value for key, value in (content | values).items() if value is not None}
    path.write_text(yaml.safe_dump(kept))
    return path
