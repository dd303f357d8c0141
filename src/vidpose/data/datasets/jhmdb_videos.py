"""JHMDB's clips as videos with masks, labelled or not: real motion to learn from.

Beside the layout of `jhmdb.py`: ``ReCompress_Videos/CLASS/CLIP.*`` in place of `Rename_Images`, and
``puppet_mask`` for every clip. Clips without ``joint_positions`` have a mask alone. Videos and
masks are decoded once, into a cache.
"""

from __future__ import annotations

import glob
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.data.clips import LabelledClip, LabelsMissingError
from vidpose.data.datasets import jhmdb
from vidpose.data.datasets.matlab import load_array
from vidpose.errors import DataError
from vidpose.skeleton import JHMDB_15
from vidpose.video import VideoReader

_MASKS, _QUALITY = "masks.npy", 95


class NothingToReadError(DataError):
    """No clip of a part is at hand."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskedClip:
    """A clip and where its person is.

    Attributes:
        clip: frames in the cache, boxes around the mask; keypoints are NaN where not labelled
            the clip.
        folder: of the cache.
    """

    clip: LabelledClip
    folder: Path

    def mask(self, frame: int) -> NDArray[np.bool_]:
        """(H, W), true on the person."""
        packed = np.load(self.folder / _MASKS, mmap_mode="r")
        width = 8 * packed.shape[2]
        bits = np.unpackbits(np.asarray(packed[frame]), axis=1, count=width)
        return bits.astype(bool)


def open_videos(
    root: Path, split: str, part: jhmdb.Part, cache: Path, *, incomplete: bool
) -> list[MaskedClip]:
    """The clips of a split's training or test part that have a video and a mask.

    Args:
        root: the data set's folder.
        split: "1", "2" or "3".
        part: no clip of the other part is read.
        cache: folder for decoded frames.
        incomplete: leave out what is missing; without it every clip must be there.

    Raises DataError where something is missing, damaged, or of another length.
    """
    listed = jhmdb.read_split(root, split, "jhmdb")
    found = []
    for name, (label, its_part) in sorted(listed.items()):
        if its_part == part:
            clip = _open(root, label, name, cache, incomplete)
            found += [] if clip is None else [clip]
    if not found:
        raise NothingToReadError(f"{root}: no {part} clip of split {split} has a video and a mask")
    return found


def _open(root: Path, label: str, name: str, cache: Path, incomplete: bool) -> MaskedClip | None:
    videos = sorted((root / "ReCompress_Videos" / label).glob(f"{glob.escape(name)}.*"))
    mask = root / "puppet_mask" / label / name / "puppet_mask.mat"
    if not videos or not mask.is_file():
        if incomplete:
            return None
        missing = mask if videos else root / "ReCompress_Videos" / label / f"{name}.*"
        raise DataError(
            f"{missing} is missing: a clip is learnt from by its video and its mask; complete the "
            "copy, or leave such clips out with incomplete: true"
        )
    folder = cache / "jhmdb-videos" / label / name
    if not folder.is_dir():
        _decode(videos[0], mask, folder)
    frames = tuple(sorted(folder.glob("*.jpg")))
    boxes = jhmdb.mask_boxes(mask, len(frames))
    try:
        keypoints = jhmdb.read_clip(root, label, name).keypoints
    except LabelsMissingError:
        keypoints = np.full((len(frames), JHMDB_15.num_keypoints, 3), np.nan, np.float32)
        keypoints[..., 2] = 0
    if len(keypoints) != len(frames):
        raise DataError(
            f"{root / 'joint_positions' / label / name}: joints of {len(keypoints)} frames, the "
            f"video {videos[0]} has {len(frames)}"
        )
    clip = LabelledClip(name, frames, keypoints, boxes, JHMDB_15, "puppet mask")
    return MaskedClip(clip, folder)


def _decode(video: Path, mask: Path, folder: Path) -> None:
    """Write a video's frames and its mask to `folder`, which appears when it is complete."""
    with VideoReader(video) as reader:
        images = [frame.image for frame in reader]
    masks = load_array(mask, "part_mask")
    masks = masks[..., None] if masks.ndim == 2 else masks
    if masks.shape != (*images[0].shape[:2], len(images)):
        raise DataError(
            f"{mask}: a mask of {' x '.join(map(str, masks.shape))}, the video {video} has "
            f"{len(images)} frames of {images[0].shape[0]} x {images[0].shape[1]}"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix="decoding-", dir=folder.parent))
    try:
        for number, image in enumerate(images):
            path = str(unfinished / f"{number + 1:05d}.jpg")
            cv2.imwrite(path, image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        np.save(unfinished / _MASKS, np.packbits(masks.transpose(2, 0, 1) > 0, axis=2))
        try:
            unfinished.replace(folder)
        except OSError:  # another training was faster
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
