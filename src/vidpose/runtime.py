"""Deprecated: `vidpose.runtime` became `vidpose.inference` and `vidpose.tracking`."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from warnings import warn

_HOMES = {
    "Detector": "vidpose.inference",
    "PoseModel": "vidpose.inference",
    "PoseStream": "vidpose.tracking",
    "SmoothingSettings": "vidpose.tracking",
    "TrackerSettings": "vidpose.tracking",
    "load_detector": "vidpose.inference",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vidpose.runtime' has no attribute '{name}'")
    home = _HOMES[name]
    warn(
        f"vidpose.runtime.{name} is now {home}.{name}; this name goes away in 1.0",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(import_module(home), name)
