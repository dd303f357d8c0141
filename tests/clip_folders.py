"""Tiny video data sets in their official layouts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.io import savemat

from stills_folders import write_image

SIZE = (96, 128)
"""Height and width of the pictures."""


def write_penn(
    root: Path, name: str, frames: int = 4, *, train: int = -1, images: bool = True, **changes: Any
) -> Path:
    """A clip of Penn Action: all joints at (61, 51) counted from 1, box 30, 20 to 94, 84."""
    fields: dict[str, Any] = {
        "action": "golf_swing",
        "pose": "front",
        "x": np.full((frames, 13), 61.0),
        "y": np.full((frames, 13), 51.0),
        "visibility": np.ones((frames, 13), np.uint8),
        "train": train,
        "bbox": np.tile([30.0, 20, 94, 84], (frames, 1)),
        "dimensions": np.array([*SIZE, frames], np.uint16),
        "nframes": np.uint8(frames),
        **changes,
    }
    path = root / "labels" / f"{name}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, fields)
    for number in range(frames if images else 0):
        write_image(root / "frames" / name / f"{number + 1:06d}.jpg", SIZE, seed=number)
    return root


def write_jhmdb(
    root: Path, label: str, name: str, frames: int = 3, *, mask: bool = True, images: bool = True
) -> Path:
    """A clip of JHMDB: all joints at (61, 51) counted from 1; a mask over columns 30 to 92 and rows
    20 to 83 counted from 0."""
    positions = np.zeros((2, 15, frames))
    positions[0], positions[1] = 61, 51
    write_jhmdb_labels(root, label, name, positions)
    if mask:
        part_mask = np.zeros((*SIZE, frames), np.uint8)
        part_mask[20:84, 30:93] = 1
        write_jhmdb_mask(root, label, name, part_mask)
    for number in range(frames if images else 0):
        folder = root / "Rename_Images" / label / name
        write_image(folder / f"{number + 1:05d}.png", SIZE, seed=number)
    return root


def write_jhmdb_video(root: Path, name: str, frames: int = 8, colour: int = 0) -> None:
    """Frame t is 20 t bright (red `colour` more) with a white square on the joints, (60, 50)."""
    path = root / "ReCompress_Videos" / "catch" / f"{name}.avi"
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, SIZE[::-1])
    for t in range(frames):
        image = np.full((*SIZE, 3), min(20 * t, 255), np.uint8)
        image[..., 2] = min(20 * t + colour, 255)
        image[48:53, 58:63] = 255
        writer.write(image)
    writer.release()


def write_jhmdb_labels(root: Path, label: str, name: str, positions: np.ndarray) -> Path:
    path = root / "joint_positions" / label / name / "joint_positions.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"pos_img": positions, "viewpoint": "front"})
    return path


def write_jhmdb_mask(root: Path, label: str, name: str, mask: np.ndarray) -> Path:
    path = root / "puppet_mask" / label / name / "puppet_mask.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"part_mask": mask})
    return path


def write_splits(
    root: Path, parts: Mapping[str, Sequence[int]], label: str = "catch", folder: str = "splits"
) -> Path:
    """Split files: for each clip its part (1 train, 2 test) in splits 1, 2 and 3."""
    for number in range(3):
        path = root / folder / f"{label}_test_split_{number + 1}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{clip}.avi {part[number]} \n" for clip, part in parts.items()))
    return root


def write_posetrack(root: Path, video: str, labels: Sequence[dict[str, Any]]) -> Path:
    """A video of PoseTrack18, three images; `labels` as its annotations are."""
    names = [f"images/val/{video}/{n:06d}.jpg" for n in range(3)]
    for number, name in enumerate(names):
        write_image(root / name, SIZE, seed=number)
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    path = root / "annotations" / "val" / f"{video}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": list(labels)}))
    return root
