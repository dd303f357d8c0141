"""The kinds of bundles: which settings and which graphs each has."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from vidpose.bundle.imported import CarriedSettings, ImportedSettings, OneStageSettings
from vidpose.bundle.settings import DetectorSettings, DkdSettings, FrameSettings

Settings: TypeAlias = (
    DkdSettings
    | FrameSettings
    | DetectorSettings
    | ImportedSettings
    | CarriedSettings
    | OneStageSettings
)

KINDS: Mapping[str, tuple[type[Settings], tuple[str, ...]]] = MappingProxyType(
    {
        "dkd": (DkdSettings, ("initializer", "step")),
        "frame": (FrameSettings, ("frame",)),
        "detector": (DetectorSettings, ("detector",)),
        "imported": (ImportedSettings, ("frame",)),
        "carried": (CarriedSettings, ("frame", "memory", "step")),
        "one-stage": (OneStageSettings, ("people",)),
    }
)
