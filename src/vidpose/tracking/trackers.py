"""The trackers by name."""

from __future__ import annotations

from typing import Literal, get_args

from vidpose.errors import InputError
from vidpose.tracking.base import PeopleTracker, TrackerSetup
from vidpose.tracking.memory_tracker import MemoryTracker
from vidpose.tracking.optical_flow import FlowTracker
from vidpose.tracking.pose_flow import PoseFlowTracker

TrackerName = Literal["default", "poseflow", "flow"]


def new_tracker(name: TrackerName, setup: TrackerSetup) -> PeopleTracker:
    """A tracker that has seen nothing yet. Raises InputError for an unknown name."""
    if name == "default":
        return MemoryTracker(setup)
    if name == "poseflow":
        return PoseFlowTracker(setup)
    if name == "flow":
        return FlowTracker(setup)
    raise InputError(f"unknown tracker '{name}'; there are {', '.join(get_args(TrackerName))}")
