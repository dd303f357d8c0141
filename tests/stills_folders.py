"""Tiny data sets in their official layouts."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat

from vidpose.skeleton import COCO_17, MPII_16, map_keypoints


def write_image(path: Path, size: tuple[int, int] = (120, 90), seed: int = 0) -> Path:
    """A smooth coloured picture, (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC))
    return path


def standing_person(x: float = 45, y: float = 60, height: float = 80) -> np.ndarray:
    """COCO-17 keypoints (17, 3) of an upright person around (x, y) seen from the front."""
    # nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; left is at larger x
    places = [(0, -0.42), (0.03, -0.45), (-0.03, -0.45), (0.05, -0.43), (-0.05, -0.43)]
    for side, level in ((0.13, -0.3), (0.18, -0.12), (0.2, 0.03), (0.09, 0.05), (0.1, 0.27)):
        places += [(side, level), (-side, level)]
    places += [(0.1, 0.48), (-0.1, 0.48)]
    points = np.array(places) * height + [x, y]
    return np.column_stack([points, np.ones(17)]).astype(np.float32)


def write_lspet(root: Path, joints: np.ndarray) -> Path:
    """`joints` (14, 3, N) as Leeds Sports Pose Extended; images for all."""
    for number in range(joints.shape[2]):
        write_image(root / "images" / f"im{number + 1:05d}.jpg", seed=number)
    savemat(root / "joints.mat", {"joints": joints})
    return root


def lsp_people(count: int) -> np.ndarray:
    """Labelled joints (14, 3, count) in MATLAB's counting."""
    rng = np.random.default_rng(0)
    places = rng.uniform(10, 80, (14, 2, count))
    return np.concatenate([places, np.ones((14, 1, count))], axis=1)


def write_coco(root: Path, split: str, people: list[dict[str, object]]) -> Path:
    """Annotations and images of one split; an entry of `people` overrides a person's defaults."""
    images, annotations = {}, []
    for number, person in enumerate(people, start=1):
        image_id = int(str(person.get("image_id", number)))
        name = f"{image_id:012d}.jpg"
        if image_id not in images:
            write_image(root / split / name, seed=image_id)
            images[image_id] = {"id": image_id, "file_name": name, "width": 90, "height": 120}
        keypoints = standing_person()
        keypoints[:, 2] = 2
        annotations.append(
            {
                "id": 100 + number,
                "image_id": image_id,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [20.0, 15.0, 50.0, 90.0],
                "area": 4500.0,
                "num_keypoints": 17,
                "keypoints": keypoints.ravel().tolist(),
                **person,
            }
        )
    path = root / "annotations" / f"person_keypoints_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"images": list(images.values()), "annotations": annotations, "categories": []}
    path.write_text(json.dumps(content))
    return root


def write_mpii(root: Path, train: int = 6, val: int = 3) -> Path:
    """Standing people in MPII's common layout, each in an image of its own; heads 20 x 20."""
    points = map_keypoints(standing_person(), COCO_17, MPII_16)
    points[MPII_16.keypoints.index("upper_neck")] = [45, 38, 1]
    points[MPII_16.keypoints.index("head_top")] = [45, 20, 1]
    joints = points[:, :2] + 1
    (root / "annot").mkdir(parents=True, exist_ok=True)
    for split, count, first in (("train", train, 0), ("valid", val, train)):
        entries = [
            {
                "image": f"{first + number:09d}.jpg",
                "joints": joints.tolist(),
                "joints_vis": [1] * 16,
                "center": [46.0, 61.0],
                "scale": 0.45,
            }
            for number in range(count)
        ]
        (root / "annot" / f"{split}.json").write_text(json.dumps(entries))
        for number in range(count):
            write_image(root / "images" / f"{first + number:09d}.jpg", seed=first + number)
    heads = np.array([[[36.0], [21.0]], [[56.0], [41.0]]]) * np.ones(val)
    savemat(
        root / "annot" / "gt_valid.mat",
        {
            "pos_gt_src": np.repeat(joints[:, :, None], val, axis=2),
            "jnt_missing": np.zeros((16, val)),
            "headboxes_src": heads,
        },
    )
    return root
