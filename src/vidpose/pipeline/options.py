"""What ``track``, ``process_video`` and ``vidpose run`` can be told about following people."""

from __future__ import annotations

import json
from typing import Any, TypedDict

from vidpose.tracking.trackers import TrackerName


class TrackOptions(TypedDict, total=False):
    """Keyword arguments of ``track`` and ``process_video``; see there."""

    smooth: bool
    max_people: int | None
    tracker: TrackerName
    image_rate: float | None
    video_track: int | None


DEFAULTS: TrackOptions = {
    "smooth": True,
    "max_people": None,
    "tracker": "default",
    "image_rate": None,
    "video_track": None,
}


def with_defaults(options: TrackOptions) -> TrackOptions:
    """All options. Raises TypeError for a name that is none."""
    for name in options:
        if name not in DEFAULTS:
            raise TypeError(f"unknown option '{name}'; there are {', '.join(DEFAULTS)}")
    return {**DEFAULTS, **options}


def differing(options: TrackOptions) -> dict[str, Any]:
    """The options that are not the defaults, as JSON values."""
    chosen = {name: value for name, value in options.items() if value != DEFAULTS.get(name)}
    values: dict[str, Any] = json.loads(json.dumps(chosen, sort_keys=True))
    return values
