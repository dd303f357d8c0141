"""Penn Action's label tracks: 2,326 clips, 163,841 frames, 13 joints (Zhang et al., ICCV 2013).

Official layout: ``labels/0001.mat`` and ``frames/0001/000001.jpg``. The joints are the head and
then pairs of shoulders, elbows, wrists, hips, knees and ankles. The first of each pair is the
person's RIGHT one: people seen from behind carry it on the right of the image, people facing the
camera on the left, although the data set's own description says left first.

Coordinates are those of the files, in pixels of the frames.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidpose.data.clips import ClipSet, LabelledClip, fill_boxes, named_split
from vidpose.data.datasets.matlab import load_mat
from vidpose.errors import DataError
from vidpose.skeleton import PENN_13

URL = "http://dreamdragon.github.io/PennAction/"
SPLITS = {"train": 1258, "test": 1068}
"""Clips of the official splits."""

JOINTS = PENN_13.keypoints
"""The 13 joints in the files' order, sides as the person's own."""

Split = Literal["train", "test", "all"]

_CACHE_VERSION = 1


@dataclass(frozen=True, slots=True)
class PennTrack:
    """One clip's labels, T frames.

    Attributes:
        name: the clip's number as in the file names, e.g. "0502".
        action: one of 15 actions, e.g. "golf_swing".
        viewpoint: "front", "back", "left" or "right".
        train: whether the official flag puts the clip into the training split.
        keypoints: float32 (T, 13, 3): x, y in pixels and 1 where the joint is visible, else 0.
        labelled: bool (T, 13): whether the joint has a position. Occluded joints mostly have one
            (a guess of the annotators); joints outside the image do not.
        boxes: float32 (T, 4): x, y, w, h in pixels. Missing or empty boxes repeat the previous
            frame's (the next one's at the start of a clip).
    """

    name: str
    action: str
    viewpoint: str
    train: bool
    keypoints: NDArray[np.float32]
    labelled: NDArray[np.bool_]
    boxes: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.keypoints)


def read_track(path: Path) -> PennTrack:
    """Read one official label file.

    Raises:
        DataError: the file is missing, no MATLAB file, or without the official fields.
    """
    fields = load_mat(path)
    try:
        x = np.asarray(fields["x"], np.float32)
        y = np.asarray(fields["y"], np.float32)
        visible = np.asarray(fields["visibility"]) > 0
        boxes = np.asarray(fields["bbox"], np.float32)
        train = int(fields["train"].item()) == 1
        action, viewpoint = str(fields["action"].item()), str(fields["pose"].item())
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: not a Penn Action label file ({error})") from error
    if x.ndim != 2 or x.shape[1] != len(JOINTS) or y.shape != x.shape or visible.shape != x.shape:
        raise DataError(f"{path}: x, y and visibility must be frames x {len(JOINTS)}")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise DataError(f"{path}: bbox must be frames x 4, got {boxes.shape}")
    return PennTrack(
        name=path.stem,
        action=action,
        viewpoint=viewpoint,
        train=train,
        keypoints=np.stack([x, y, visible.astype(np.float32)], axis=-1),
        # Joints without a position are stored in the image's very corner, up to (1, 1).
        labelled=visible | (x > 1) | (y > 1),
        boxes=_repair_boxes(boxes, len(x)),
    )


def read_tracks(
    root: Path, *, split: Split = "all", cache_dir: Path | None = None
) -> tuple[PennTrack, ...]:
    """Read the label files of a split, ordered by name.

    Args:
        root: the data set's folder, the one that holds ``labels``.
        split: "train" (1,258 clips), "test" (1,068) or "all".
        cache_dir: where to keep all labels in one file; later calls read that instead. It is
            written anew when the label files changed.

    Raises:
        DataError: there are no label files, or one of them is not valid.
    """
    paths = _label_files(root)
    if cache_dir is None:
        tracks = [read_track(path) for path in paths]
    else:
        cache = cache_dir / f"penn_action_{_fingerprint(paths)}.npz"
        if not cache.is_file():
            _write_cache(cache, [read_track(path) for path in paths])
        tracks = _read_cache(cache)
    return tuple(track for track in tracks if split == "all" or track.train == (split == "train"))


def open_clips(root: Path, split: str) -> ClipSet:
    """The clips of the split "train" or "test".

    A label file that cannot be read is in both: reading it then says what is wrong with it.

    Raises DataError when there are no label files.
    """
    named_split(split, tuple(SPLITS), "Penn Action")
    tracks: dict[str, PennTrack | DataError] = {}
    for path in _label_files(root):
        try:
            track = read_track(path)
        except DataError as error:
            tracks[path.stem] = error
        else:
            if track.train == (split == "train"):
                tracks[track.name] = track

    def read(name: str) -> LabelledClip:
        found = tracks[name]
        if isinstance(found, DataError):
            raise found
        return as_clip(root, found)

    return ClipSet("Penn Action", split, PENN_13, tuple(tracks), read, SPLITS[split])


def as_clip(root: Path, track: PennTrack) -> LabelledClip:
    """The track with its images, in vidpose's pixels.

    The files count from 1, an interpretation: their mark of a joint without a position is
    (1, 1), and the code of LSTM Pose Machines compares them with MATLAB's pixel indices. The
    sides of the boxes stay x2 - x1 and y2 - y1, as the protocol measures them.
    """
    keypoints = track.keypoints.copy()
    keypoints[..., :2] -= 1
    keypoints[~track.labelled, :2] = np.nan
    boxes = track.boxes - np.array([1, 1, 0, 0], np.float32)
    frames = tuple(frame_path(root, track, index) for index in range(len(track)))
    return LabelledClip(track.name, frames, keypoints, boxes, PENN_13)


def frame_path(root: Path, track: PennTrack, index: int) -> Path:
    """The image file of a track's frame; `index` counts from 0."""
    return root / "frames" / track.name / f"{index + 1:06d}.jpg"


def unlabelled(root: Path) -> list[Path]:
    """Folders of images whose labels are missing."""
    folders = sorted((root / "frames").glob("*/"))
    return [path for path in folders if not (root / "labels" / f"{path.name}.mat").is_file()]


def _label_files(root: Path) -> list[Path]:
    paths = sorted((root / "labels").glob("*.mat"))
    if not paths:
        inside = root / "Penn_Action"
        which = f"{inside}" if (inside / "labels").is_dir() else "the folder 'Penn_Action'"
        raise DataError(
            f"{root}: no labels/*.mat there; give {which} with labels/ and frames/ "
            f"(the data set: {URL})"
        )
    return paths


def _repair_boxes(corners: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Corner boxes (<= T, 4) to x, y, w, h (T, 4), holes filled from the neighbours."""
    boxes = np.zeros((frames, 4), np.float32)
    count = min(frames, len(corners))
    boxes[:count, :2] = corners[:count, :2]
    boxes[:count, 2:] = corners[:count, 2:] - corners[:count, :2]
    return fill_boxes(boxes)


def _fingerprint(paths: Sequence[Path]) -> str:
    """Changes with the label files' names, sizes and times, and with the cache's layout."""
    digest = hashlib.sha256(f"{_CACHE_VERSION}".encode())
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _write_cache(path: Path, tracks: Sequence[PennTrack]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {
        "names": np.array([track.name for track in tracks]),
        "actions": np.array([track.action for track in tracks]),
        "viewpoints": np.array([track.viewpoint for track in tracks]),
        "train": np.array([track.train for track in tracks]),
        "lengths": np.array([len(track) for track in tracks]),
        "keypoints": np.concatenate([track.keypoints for track in tracks]),
        "labelled": np.concatenate([track.labelled for track in tracks]),
        "boxes": np.concatenate([track.boxes for track in tracks]),
    }
    # Several workers may write at once: each writes its own file and the last rename wins.
    temporary = path.with_name(f"{path.stem}.{np.random.default_rng().integers(1 << 62)}.tmp.npz")
    np.savez(temporary, **arrays)
    temporary.replace(path)


def _read_cache(path: Path) -> list[PennTrack]:
    with np.load(path) as stored:
        data = {key: stored[key] for key in stored.files}
    cuts = np.cumsum(data["lengths"])[:-1]
    columns = zip(
        data["names"],
        data["actions"],
        data["viewpoints"],
        data["train"],
        np.split(data["keypoints"], cuts),
        np.split(data["labelled"], cuts),
        np.split(data["boxes"], cuts),
        strict=True,
    )
    return [
        PennTrack(str(name), str(action), str(viewpoint), bool(train), points, labelled, boxes)
        for name, action, viewpoint, train, points, labelled, boxes in columns
    ]
