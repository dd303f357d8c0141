"""A keypoint set and what is known of its joints."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import InputError, SkeletonError

FINE_GROUPS = ("face", "left_hand", "right_hand")
"""Groups of many small joints: they are drawn thinner, and poses are not scored by them."""

_MIRROR = {"left_": "right_", "right_": "left_"}


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A keypoint set of K joints.

    ``edges`` are the index pairs to draw as limbs. ``flip_pairs`` are the index pairs that change
    places when the image is mirrored; where there are any, every ``left_*`` joint must be paired
    with its ``right_*``. Without any, training does not mirror (``can_be_mirrored``).
    ``sigmas`` are the per-joint constants of OKS (COCO's, so variance = (2 sigma)^2).
    ``groups`` names parts of the body: pairs of a name and its joints' indices. Joints in the
    groups "face", "left_hand" and "right_hand" are drawn thinner. ``parents`` says for each joint
    which one it hangs on (None: on none); empty where that is not known.

    Raises SkeletonError when the parts do not fit together.
    """

    name: str
    keypoints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    flip_pairs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]
    groups: tuple[tuple[str, tuple[int, ...]], ...] = ()
    parents: tuple[int | None, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.keypoints)
        if count == 0:
            raise self._error("it has no keypoints")
        if len(set(self.keypoints)) != count:
            raise self._error("keypoint names must be unique")
        if len(self.sigmas) != count:
            raise self._error(f"{count} keypoints need {count} sigmas, got {len(self.sigmas)}")
        if not all(math.isfinite(sigma) and sigma > 0 for sigma in self.sigmas):
            raise self._error("sigmas must be positive numbers")
        for what, pairs in (("edge", self.edges), ("flip pair", self.flip_pairs)):
            for a, b in pairs:
                if a == b or not (0 <= a < count and 0 <= b < count):
                    raise self._error(f"{what} ({a}, {b}) must join two of the {count} keypoints")
            self._check_once(what, pairs)
        self._check_flips()
        self._check_groups()
        self._check_parents()

    def _check_once(self, what: str, pairs: Iterable[tuple[int, int]]) -> None:
        seen: set[frozenset[int]] = set()
        for pair in pairs:
            if frozenset(pair) in seen:
                a, b = (self.keypoints[end] for end in pair)
                raise self._error(f"{what} '{a}' - '{b}' is given twice")
            seen.add(frozenset(pair))

    def _check_flips(self) -> None:
        if not self.flip_pairs:
            return
        flat = [index for pair in self.flip_pairs for index in pair]
        if len(set(flat)) != len(flat):
            raise self._error("a keypoint may be in one flip pair only")
        partner = dict(self.flip_pairs) | {b: a for a, b in self.flip_pairs}
        for index, name in enumerate(self.keypoints):
            side = next((side for side in _MIRROR if name.startswith(side)), None)
            if side is None:
                continue
            mirrored = _MIRROR[side] + name.removeprefix(side)
            if index not in partner or self.keypoints[partner[index]] != mirrored:
                raise self._error(f"flip_pairs must pair '{name}' with '{mirrored}'")

    def _check_groups(self) -> None:
        if len({name for name, _ in self.groups}) != len(self.groups):
            raise self._error("group names must be unique")
        for name, members in self.groups:
            if len(set(members)) != len(members):
                raise self._error(f"group '{name}' has a keypoint twice")
            if not all(0 <= index < self.num_keypoints for index in members):
                raise self._error(f"group '{name}' must have some of the keypoints")

    def _check_parents(self) -> None:
        count = self.num_keypoints
        if self.parents and len(self.parents) != count:
            raise self._error(f"{count} keypoints need {count} parents, got {len(self.parents)}")
        if any(parent is not None and not 0 <= parent < count for parent in self.parents):
            raise self._error("parents must be keypoints")
        for index in range(len(self.parents)):
            above: int | None = index
            steps = 0
            while above is not None and steps <= count:
                above, steps = self.parents[above], steps + 1
            if above is not None:
                raise self._error(f"the parents of '{self.keypoints[index]}' go round in a circle")

    def _error(self, problem: str) -> SkeletonError:
        return SkeletonError(f"skeleton '{self.name}': {problem}")

    @property
    def num_keypoints(self) -> int:
        """K, the number of joints."""
        return len(self.keypoints)

    @property
    def flip_index(self) -> tuple[int, ...]:
        """For each joint, the joint that takes its place in the mirrored image (K indices)."""
        index = list(range(self.num_keypoints))
        for a, b in self.flip_pairs:
            index[a], index[b] = b, a
        return tuple(index)

    @property
    def can_be_mirrored(self) -> bool:
        """Whether it is known which joints change places in the mirrored image."""
        return bool(self.flip_pairs)

    def group(self, name: str) -> tuple[int, ...]:
        """Indices of the joints in a group; empty where there is no such group."""
        return dict(self.groups).get(name, ())

    def check_keypoints(self, keypoints: NDArray[np.floating]) -> None:
        """Raises InputError unless ``keypoints`` (..., K, 2 or more) has K of this skeleton."""
        if keypoints.ndim < 2 or keypoints.shape[-2] != self.num_keypoints:
            raise InputError(
                f"keypoints of shape {keypoints.shape} are not of skeleton {self.name}, which has "
                f"{self.num_keypoints}: take the result's own skeleton"
            )

    def to_dict(self) -> dict[str, Any]:
        """The skeleton as JSON-ready lists, for files and bundles."""
        value: dict[str, Any] = {
            "name": self.name,
            "keypoints": list(self.keypoints),
            "edges": [list(edge) for edge in self.edges],
            "flip_pairs": [list(pair) for pair in self.flip_pairs],
            "sigmas": list(self.sigmas),
        }
        if self.groups:
            value["groups"] = {name: list(members) for name, members in self.groups}
        if self.parents:
            value["parents"] = list(self.parents)
        return value

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Skeleton:
        """The reverse of ``to_dict``. Raises SkeletonError when a part is missing or wrong."""
        try:
            return cls(
                name=str(value["name"]),
                keypoints=tuple(str(name) for name in value["keypoints"]),
                edges=tuple((int(a), int(b)) for a, b in value["edges"]),
                flip_pairs=tuple((int(a), int(b)) for a, b in value["flip_pairs"]),
                sigmas=tuple(float(sigma) for sigma in value["sigmas"]),
                groups=tuple(
                    (str(name), tuple(int(index) for index in members))
                    for name, members in value.get("groups", {}).items()
                ),
                parents=tuple(
                    None if parent is None else int(parent) for parent in value.get("parents", ())
                ),
            )
        except KeyError as error:
            raise SkeletonError(f"skeleton: {error} is missing") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise SkeletonError(f"skeleton: malformed description ({error})") from error
