"""What a report shows: every person's keypoints, angles, speeds, and who is there when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from vidpose.analysis import (
    Trajectory,
    angle_names,
    find_merges,
    keypoint_speeds,
    person_angles,
    person_trajectories,
)
from vidpose.analysis.angles import facing_signs
from vidpose.analysis.trajectories import runs
from vidpose.report.packing import ArrayPack
from vidpose.results import FrameResult, ResultHeader
from vidpose.skeleton import Skeleton
from vidpose.video.draw import colour_of


def report_content(
    header: ResultHeader, frames: Sequence[FrameResult]
) -> tuple[dict[str, Any], str]:
    """The page's data as JSON-ready values, and the block of arrays that they point into.

    Raises VidposeError when times do not rise or an id comes twice in a frame.
    """
    pack = ArrayPack()
    times = np.array([frame.time for frame in frames], dtype=np.float64)
    people = person_trajectories(frames)
    source, skeleton = header.source, header.skeleton
    content = {
        "name": PurePath(source.path).name or source.path,
        "model": header.model,
        "version": header.version,
        "width": source.width,
        "height": source.height,
        "times": pack.times(times),
        "indices": pack.times(np.array([frame.index for frame in frames], dtype=np.float64)),
        "keypoints": list(skeleton.keypoints),
        "edges": [list(edge) for edge in skeleton.edges],
        "angles": list(angle_names(skeleton)),
        "people": [_person(each, skeleton, pack) for each in people.values()],
        "perhapsSame": [[new, old] for new, old in find_merges(frames).items()],
    }
    return content, pack.text()


def _person(trajectory: Trajectory, skeleton: Skeleton, pack: ArrayPack) -> dict[str, Any]:
    keypoints = trajectory.keypoints
    facing = facing_signs(trajectory.times, keypoints, skeleton)
    confidences = np.where(trajectory.present[:, None], keypoints[..., 2], np.nan)
    stretches = runs(trajectory.present)
    first = int(trajectory.positions[0])
    return {
        "id": trajectory.id,
        "colour": "#{:02x}{:02x}{:02x}".format(*colour_of(trajectory.id)),
        "first": first,
        "count": len(trajectory.times),
        "present": [[first + start, first + end] for start, end in stretches],
        "scores": pack.floats(trajectory.scores),
        "x": pack.floats(keypoints[..., 0]),
        "y": pack.floats(keypoints[..., 1]),
        "confidence": pack.floats(confidences),
        "speed": pack.floats(keypoint_speeds(trajectory)),
        "angles": pack.floats(person_angles(keypoints, skeleton, facing)),
    }
