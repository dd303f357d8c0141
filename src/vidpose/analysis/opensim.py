"""One person's markers and angles as OpenSim reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidpose.analysis.angles import AngleColumns
from vidpose.analysis.scale import chosen_person, find_floor, metres_per_pixel
from vidpose.io.opensim import write_mot, write_trc
from vidpose.results import FrameResult
from vidpose.skeleton import Skeleton


def export_trc(
    path: Path,
    frames: Sequence[FrameResult],
    skeleton: Skeleton,
    height: float,
    person: int | None = None,
) -> int:
    """Write ``person`` (by default whoever is seen longest) as a .trc file; returns their id.

    Markers are the keypoints in metres, x along the floor, y upwards from it, z 0. ``height`` of
    the person in metres gives the scale. Raises VidposeError as `metres_per_pixel` does.
    """
    chosen = chosen_person(frames, person)
    scale = metres_per_pixel(frames, skeleton, height, chosen.id)
    floor = find_floor(chosen, skeleton, scale)
    markers = floor.to_metres(chosen.keypoints[..., :2], scale)
    write_trc(path, chosen.times, markers, skeleton.keypoints)
    return chosen.id


def export_mot(
    path: Path, frames: Sequence[FrameResult], skeleton: Skeleton, person: int | None = None
) -> int:
    """Write the angles of ``person`` in degrees as a .mot file; returns their id."""
    chosen = chosen_person(frames, person)
    columns = AngleColumns(skeleton)
    values = np.full((len(chosen.times), len(columns.names)), np.nan)
    for row, position in enumerate(chosen.positions):
        frame = frames[int(position)]
        for each, found in zip(frame.people, columns.rows(frame), strict=True):
            if each.id == chosen.id:
                values[row] = found
    write_mot(path, chosen.times, values, columns.names)
    return chosen.id
