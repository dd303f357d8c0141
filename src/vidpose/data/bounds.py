"""Bounds of the numbers of a configuration that is a dataclass."""

from __future__ import annotations

import math
from collections.abc import Mapping

SHARE = (0.0, 1.0)
STRENGTH = (0.0, 100.0)
FACTOR = (0.01, 100.0)


def check_bounds(config: object, bounds: Mapping[str, tuple[float, float]]) -> None:
    """Raise ValueError, naming the key, for a number outside its lowest and highest value (both
    are allowed), one that is none, and a range whose larger end comes first."""
    for key, (low, high) in bounds.items():
        value = getattr(config, key)
        numbers = value if isinstance(value, tuple) else (value,)
        if not all(math.isfinite(number) and low <= number <= high for number in numbers):
            raise ValueError(f"{key} must lie in {low:g} to {high:g}, not {value}")
        if list(numbers) != sorted(numbers):
            raise ValueError(f"{key}: the smallest comes first, not {value}")
