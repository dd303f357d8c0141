"""The trackers by name."""

from __future__ import annotations

from typing import Literal, get_args

from vidpose.errors import InputError
from vidpose.tracking.base import PeopleTracker
from vidpose.tracking.memory_tracker import MemoryTracker
from vidpose.tracking.optical_flow import FlowTracker
from vidpose.tracking.pose_flow import PoseFlowTracker
from vidpose.tracking.reinit_policy import ModelTraits
from vidpose.tracking.settings import SmoothingSettings, TrackerSettings

TrackerName = Literal["default", "poseflow", "flow"]


def new_tracker(
    name: TrackerName,
    traits: ModelTraits,
    settings: TrackerSettings,
    smoothing: SmoothingSettings,
    max_people: int | None,
) -> PeopleTracker:
    """A tracker that has seen nothing yet. Raises InputError for an unknown name."""
    if name == "default":
        return MemoryTracker(traits, settings, smoothing, max_people)
    if name == "poseflow":
        return PoseFlowTracker(traits, settings, smoothing, max_people)
    if name == "flow":
        return FlowTracker(traits, settings, smoothing, max_people)
    raise InputError(f"unknown tracker '{name}'; there are {', '.join(get_args(TrackerName))}")
