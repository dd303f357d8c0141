"""JSON values as the types that settings want, or one line that names the key.

Bundles come from strangers too. What is checked here is the type, that numbers are finite and of a
size that can mean something; ranges are checked by the settings themselves.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from vidpose.errors import BundleError
from vidpose.skeleton import Skeleton

LARGEST = 1_000_000
"""No setting is larger: sizes are pixels, times seconds, the rest parts of something."""

MOST_KEYPOINTS = 1000

_SKELETON: Mapping[str, Any] = {
    "name": str,
    "keypoints": tuple[str, ...],
    "edges": tuple[tuple[int, int], ...],
    "flip_pairs": tuple[tuple[int, int], ...],
    "sigmas": tuple[float, ...],
}

_T = TypeVar("_T")


def read_settings(kind: type[_T], value: Any, key: str = "settings") -> _T:
    """An instance of the dataclass ``kind`` from JSON values; ``key`` is its name in messages.

    Raises BundleError for a name that is unknown or missing, and for a value of another type.
    """
    parts = {part.name: part for part in fields(kind)}  # type: ignore[arg-type]
    known = set(parts)
    given: Mapping[str, Any] = _of(dict, key, value, "an object")
    if unknown := sorted(set(given) - known):
        raise BundleError(f"{key}: unknown {_short(unknown[0])}, there are only {sorted(known)}")
    for name, part in parts.items():
        if name not in given and part.default is MISSING and part.default_factory is MISSING:
            raise BundleError(f"{key}: lacks '{name}'")
    hints = get_type_hints(kind)
    return kind(**{name: read_value(hints[name], part, f"{key}.{name}")
                   for name, part in given.items()})  # fmt: skip


def read_value(kind: Any, value: Any, key: str) -> Any:
    """The value as ``kind``: number, text, Literal, dataclass, or tuples and mappings of these."""
    origin, arguments = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and is_dataclass(kind):
        return read_settings(kind, value, key)
    if origin is Literal:
        if not isinstance(value, str) or value not in arguments:
            raise BundleError(f"{key}: must be one of {list(arguments)}, got {_short(value)}")
        return value
    if origin is tuple:
        return _tuple(arguments, value, key)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        given = _of(dict, key, value, "an object")
        return {name: read_value(arguments[1], part, f"{key}.{name}")
                for name, part in given.items()}  # fmt: skip
    if origin is types.UnionType and type(None) in arguments:
        others = [each for each in arguments if each is not type(None)]
        return None if value is None else read_value(others[0], value, key)
    if kind is str:
        return _of(str, key, value, "text")
    if kind is bool:
        return _of(bool, key, value, "true or false")
    if kind is int:
        return int(_number(value, key, whole=True))
    if kind is float:
        return float(_number(value, key, whole=False))
    raise TypeError(f"{key}: settings of type {kind} cannot be read")


def read_metrics(value: Any) -> Mapping[str, Any]:
    """What was measured: any JSON values, but sizes and costs are numbers."""
    given: Mapping[str, Any] = _of(dict, "metrics", value, "an object")
    for name, part in given.items():
        if name == "parameters" or name.endswith("_mmacs"):
            if not _is_finite(part) or part < 0:
                raise BundleError(f"metrics.{name}: must be a number from 0, got {_short(part)}")
        elif isinstance(part, float) and not math.isfinite(part):
            raise BundleError(f"metrics.{name}: must be finite, got {part}")
    return given


def read_skeleton(value: Any) -> Skeleton:
    """A skeleton of at most `MOST_KEYPOINTS`. Raises SkeletonError too."""
    given: Mapping[str, Any] = _of(dict, "skeleton", value, "an object")
    for part, kind in _SKELETON.items():
        if part in given:
            read_value(kind, given[part], f"skeleton.{part}")
    if len(given.get("keypoints", ())) > MOST_KEYPOINTS:
        raise BundleError(f"skeleton.keypoints: at most {MOST_KEYPOINTS} are allowed")
    try:
        return Skeleton.from_dict(given)
    except OverflowError as error:
        raise BundleError(f"skeleton: malformed description ({error})") from error


def _tuple(arguments: tuple[Any, ...], value: Any, key: str) -> tuple[Any, ...]:
    given = _of(list, key, value, "a list")
    if arguments[-1] is Ellipsis:
        kinds = [arguments[0]] * len(given)
    else:
        kinds = list(arguments)
        if len(given) != len(kinds):
            raise BundleError(f"{key}: must have {len(kinds)} values, got {len(given)}")
    return tuple(
        read_value(kind, part, f"{key}[{index}]")
        for index, (kind, part) in enumerate(zip(kinds, given, strict=True))
    )


def _of(kind: type[_T], key: str, value: Any, called: str) -> _T:
    if not isinstance(value, kind):
        raise BundleError(f"{key}: must be {called}, got {_short(value)}")
    return value


def _number(value: Any, key: str, *, whole: bool) -> float:
    if not _is_finite(value) or (whole and not isinstance(value, int)):
        called = "a whole number" if whole else "a number"
        raise BundleError(f"{key}: must be {called}, got {_short(value)}")
    if abs(value) > LARGEST:
        raise BundleError(f"{key}: must be at most {LARGEST}, got {_short(value)}")
    return float(value) if not whole else value


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return isinstance(value, int) or math.isfinite(value)


def _short(value: Any) -> str:
    """The value as a message can hold it; numbers of many digits are not spelt out."""
    if isinstance(value, int) and abs(value) > 10**30:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
