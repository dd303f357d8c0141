"""Results made ready for analysis: gaps, filters, ids, angles, metres and speeds.

Every function takes frames as `vidpose.read_results(...).frames` gives them and leaves them as they
are. Only numpy and scipy are needed.
"""

from vidpose.analysis.angles import AngleColumns, angle_names, person_angles
from vidpose.analysis.columns import joined_columns
from vidpose.analysis.filtering import lowpass
from vidpose.analysis.gaps import fill_gaps
from vidpose.analysis.identities import find_merges, merge_ids, without_short_visits
from vidpose.analysis.scale import Floor, MetreColumns, find_floor, metres_per_pixel
from vidpose.analysis.speeds import keypoint_speeds
from vidpose.analysis.trajectories import Trajectory, person_trajectories

__all__ = [
    "AngleColumns",
    "Floor",
    "MetreColumns",
    "Trajectory",
    "angle_names",
    "fill_gaps",
    "find_floor",
    "find_merges",
    "joined_columns",
    "keypoint_speeds",
    "lowpass",
    "merge_ids",
    "metres_per_pixel",
    "person_angles",
    "person_trajectories",
    "without_short_visits",
]
