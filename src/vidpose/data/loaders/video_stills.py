"""Single frames of labelled video as stills, to learn from or to be measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vidpose.data.clips import LabelledClip
from vidpose.data.loaders.video_clips import (
    VideoConfig,
    kept_out_videos,
    labelled,
    training_clips,
)
from vidpose.data.samples import Sample, read_image
from vidpose.skeleton import Skeleton


def training_frames(config: VideoConfig, every: int, skeleton: Skeleton) -> list[Sample]:
    """Every so many-th frame of the training clips, from each one's first.

    Args:
        config: the set and its split.
        every: 1 takes all frames.
        skeleton: of the keypoints that come out; what the set does not label has weight 0.

    Raises DataError as `training_clips`.
    """
    return list(_frames(config.set, training_clips(config, 1), every, skeleton))


def kept_out_frames(config: VideoConfig, every: int, most: int, skeleton: Skeleton) -> list[Sample]:
    """The same of at most `most` clips of the test part. Raises as `kept_out_videos`."""
    return list(_frames(config.set, kept_out_videos(config, 1, most), every, skeleton))


def _frames(
    name: str, clips: Sequence[LabelledClip], every: int, skeleton: Skeleton
) -> Iterator[Sample]:
    for clip in clips:
        shape = read_image(clip.frames[0]).shape
        for number in range(0, len(clip), every):
            x, y, w, h = (float(side) for side in clip.boxes[number])
            key = f"{name}/{clip.name}/{number}"
            points = labelled(clip.keypoints[number], shape[:2])
            sample = Sample(clip.frames[number], (x, y, w, h), points, key)
            yield sample.in_skeleton(clip.skeleton, skeleton)
