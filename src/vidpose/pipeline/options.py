"""What ``track``, ``process_video`` and ``vidpose run`` can be told about following people."""

from __future__ import annotations

import json
from typing import Any, TypedDict, cast

import numpy as np

from vidpose.errors import InputError
from vidpose.pipeline.confirmation import LONGEST_WAIT
from vidpose.pipeline.selection import Chooser, Region, region_of, seconds_of
from vidpose.results import SourceInfo
from vidpose.tracking.trackers import TrackerName


class TrackOptions(TypedDict, total=False):
    """Keyword arguments of ``track`` and ``process_video``; see there."""

    smooth: bool
    max_people: int | None
    tracker: TrackerName
    image_rate: float | None
    video_track: int | None
    start: str | float
    end: str | float | None
    every: int
    region: str | Region | None
    max_side: int | None
    person: str | int | None
    min_score: float
    confirm_score: float | None
    min_duration: float


DEFAULTS: TrackOptions = {
    "smooth": True,
    "max_people": None,
    "tracker": "default",
    "image_rate": None,
    "video_track": None,
    "start": 0.0,
    "end": None,
    "every": 1,
    "region": None,
    "max_side": None,
    "person": None,
    "min_score": 0.0,
    "confirm_score": None,
    "min_duration": 0.0,
}


_WHOLE = ("max_people", "video_track", "every", "max_side")
_NUMBERS = ("image_rate", "min_score", "confirm_score", "min_duration")


def with_defaults(options: TrackOptions) -> TrackOptions:
    """All options, in their plain forms. Raises TypeError for a name that is none, InputError for
    a value that cannot be."""
    for name in options:
        if name not in DEFAULTS:
            raise TypeError(f"unknown option '{name}'; there are {', '.join(DEFAULTS)}")
    plain = {name: _plain(name, value) for name, value in options.items()}
    full = cast("TrackOptions", {**DEFAULTS, **plain})
    full["start"] = start = seconds_of(full["start"], "start")
    if full["end"] is not None:
        full["end"] = end = seconds_of(full["end"], "end")
        if end <= start:
            raise InputError(f"end {end} s must be after start {start} s")
    if full["region"] is not None:
        full["region"] = region_of(full["region"])
    for name, least in (("every", 1), ("max_side", 16), ("max_people", 1)):
        value = full.get(name)
        if isinstance(value, int) and value < least:
            raise InputError(f"{name} must be at least {least}, got {value}")
    confirm = full["confirm_score"]
    for name, score in (("min_score", full["min_score"]), ("confirm_score", confirm)):
        if score is not None and not 0.0 <= score <= 1.0:
            raise InputError(f"{name} must lie between 0 and 1, got {score}")
    if not 0.0 <= full["min_duration"] <= LONGEST_WAIT:
        raise InputError(
            f"min_duration must lie between 0 and {LONGEST_WAIT:g} s, got {full['min_duration']}; "
            "vidpose convert --min-duration takes longer ones"
        )
    if full["person"] is not None:
        full["person"] = str(full["person"]).strip()
    Chooser(full["person"], full["min_score"])
    return full


def _plain(name: str, value: Any) -> Any:
    """Numbers, of numpy too, and truth values as Python's own. InputError for other kinds."""
    if value is None and DEFAULTS.get(name) is None:
        return None
    if name == "smooth":
        if not isinstance(value, (bool, np.bool_)):
            raise InputError(f"smooth is True or False, got {value!r}")
        return bool(value)
    if name in _WHOLE + _NUMBERS:
        kinds = (int, np.integer) if name in _WHOLE else (int, float, np.integer, np.floating)
        if not isinstance(value, kinds) or isinstance(value, bool):
            what = "whole number" if name in _WHOLE else "number"
            raise InputError(f"{name} is a {what}, got {value!r}")
        return int(value) if name in _WHOLE else float(value)
    return value


def expected_frames(info: SourceInfo, options: TrackOptions) -> int | None:
    """About how many frames of the video the options leave; None where that is not known."""
    full = with_defaults(options)
    frames = info.frames
    if info.duration and info.average_rate:
        last = info.duration if full["end"] is None else min(info.duration, float(full["end"]))
        seconds = max(0.0, last - float(full["start"]))
        frames = round(seconds * info.average_rate)
        if full["end"] is None and not full["start"] and info.frames:
            frames = info.frames
    return None if frames is None else -(-frames // full["every"])


def differing(options: TrackOptions) -> dict[str, Any]:
    """The options that are not the defaults, as JSON values."""
    chosen = {name: value for name, value in options.items() if value != DEFAULTS.get(name)}
    values: dict[str, Any] = json.loads(json.dumps(chosen, sort_keys=True))
    return values
