"""PoseTrack18 (Andriluka et al., CVPR 2018): many people in videos, 15 joints, frames labelled in part.

Official layout: `annotations/val/*.json` and `annotations/train/*.json`, one COCO-like file a video, and
`images/` as their `file_name`s say. A clip is one person (`track_id`) of one video, in the frames in
which that person is labelled; its name is VIDEO_TRACK. Coordinates count from 0, ears are never
labelled.
"""  # noqa: E501

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from vidpose.data.clips import ClipSet, LabelledClip, named_split, pixel_extent
from vidpose.errors import DataError
from vidpose.skeleton import POSETRACK_15

URL = "https://posetrack.net/"
SPLITS = {"val": 170, "train": 593}
"""Videos with public labels of each split."""

# The files have 17 places, those of the two ears stay empty.
_PLACES = [0, 1, 2, *range(5, 17)]


def open_clips(root: Path, split: str) -> ClipSet:
    """The people of "val" or "train". Raises DataError where label files are missing or damaged."""
    named_split(split, tuple(SPLITS), "PoseTrack18")
    folder = root / "annotations" / split
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise DataError(
            f"{folder}: no *.json there; give the folder of PoseTrack18 with annotations/{split}/ "
            f"and images/ (the data set: {URL})"
        )
    tracks: dict[str, tuple[Path, list[tuple[Path, dict[str, Any]]]]] = {}
    for path in paths:
        for track, frames in _tracks(root, path).items():
            tracks[f"{path.stem}_{track}"] = (path, frames)

    def read(name: str) -> LabelledClip:
        path, frames = tracks[name]
        try:
            return _clip(name, frames)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}, track {name}: damaged ({error})") from error

    # People are counted, but the official number is one of videos: without all, none is official.
    official = len(tracks) if len(paths) == SPLITS[split] else None
    return ClipSet(
        "PoseTrack18", split, POSETRACK_15, tuple(tracks), read, official, whole_folders=False
    )


def _tracks(root: Path, path: Path) -> dict[int, list[tuple[Path, dict[str, Any]]]]:
    """Image and label of each frame of each person of a video."""
    try:
        content = json.loads(path.read_text())
        files = {image["id"]: root / image["file_name"] for image in content["images"]}
        tracks: dict[int, list[tuple[Path, dict[str, Any]]]] = {}
        for entry in content["annotations"]:
            if any(entry.get("keypoints") or ()):
                frame = (files[entry["image_id"]], entry)
                tracks.setdefault(int(entry["track_id"]), []).append(frame)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a label file of PoseTrack18 ({error})") from error
    return {track: sorted(frames, key=lambda frame: frame[0]) for track, frames in tracks.items()}


def _clip(name: str, frames: list[tuple[Path, dict[str, Any]]]) -> LabelledClip:
    labels = [label for _, label in frames]
    keypoints = np.array([label["keypoints"] for label in labels], np.float32)
    keypoints = keypoints.reshape(len(frames), 17, 3)[:, _PLACES]
    keypoints[..., 2] = keypoints[..., 2] > 0
    keypoints[keypoints[..., 2] == 0, :2] = np.nan
    boxes = pixel_extent(keypoints)
    for index, label in enumerate(labels):
        if label.get("bbox"):
            boxes[index] = label["bbox"]
    heads = [label.get("bbox_head") for label in labels]
    return LabelledClip(
        name,
        tuple(image for image, _ in frames),
        keypoints,
        boxes,
        POSETRACK_15,
        head_boxes=np.array(heads, np.float32) if all(heads) else None,
    )
