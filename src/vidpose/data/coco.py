"""COCO person keypoints in the official layout: `annotations/`, `train2017/`, `val2017/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from vidpose.data.samples import Sample, require
from vidpose.errors import DataError


def load_coco(root: Path | str, split: str) -> list[Sample]:
    """Every person of `split` ("train2017" or "val2017") that has labelled keypoints.

    COCO labels pixels from 0 at the corner of the grid in whole pixels; its keypoints are taken
    as pixel centres. Crowds are passed over.
    """
    root = Path(root)
    home = f"COCO's root folder with annotations/ and {split}/"
    path = require(root / "annotations" / f"person_keypoints_{split}.json", home)
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        files = {image["id"]: image["file_name"] for image in content["images"]}
        annotations = content["annotations"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a COCO keypoint file ({error})") from error
    samples = []
    for annotation in annotations:
        if annotation.get("iscrowd") or not annotation.get("num_keypoints"):
            continue
        keypoints = np.array(annotation["keypoints"], dtype=np.float32).reshape(17, 3)
        keypoints[:, 2] = keypoints[:, 2] > 0
        name = files[annotation["image_id"]]
        x, y, w, h = (float(v) for v in annotation["bbox"])
        key = f"{split}/{name}/{annotation['id']}"
        samples.append(Sample(root / split / name, (x, y, w, h), keypoints, key))
    return samples
