"""Skeletons in files, YAML or JSON.

    name: racket                      # how results and bundles call it
    keypoints: [tip, throat, left_side, right_side, grip]
    edges: [[tip, left_side], [tip, right_side], [left_side, throat], [throat, grip]]
    flip_pairs: [[left_side, right_side]]
    sigmas: {tip: 0.03, grip: 0.05}
    groups: {head: [tip, left_side, right_side]}
    parents: {throat: grip, tip: throat}

Only `name` and `keypoints` are needed; joints are named, or counted from 0.

- `edges`: lines to draw; without them those from the joints to their parents.
- `flip_pairs`: joints that change places in a mirror. Left out, they are the `left_x` and `right_x`
  of the same x, or `l_x` and `r_x`, `x_left` and `x_right`, `x_l` and `x_r`; an empty list says
  that images must not be mirrored in training.
- `sigmas`: OKS constants, by name, one for all, or a list. Joints without one take that of the
  joint of this name in COCO, CrowdPose or Halpe, else 0.079.
- `groups`: parts of the body; those called face, left_hand and right_hand are drawn thinner.
- `source`: where it comes from, for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from vidpose.errors import SkeletonError
from vidpose.skeleton.sigmas import known_sigma
from vidpose.skeleton.skeleton import Skeleton

SUFFIXES = (".yaml", ".yml", ".json")

SHIPPED = ("body25", "blazepose33", "coco_wholebody133", "h36m17", "halpe26")
"""Names of the files that come with vidpose."""

_SIDES = (("left", "right"), ("l", "r"))
_KEYS = ("name", "keypoints", "edges", "flip_pairs", "sigmas", "groups", "parents", "source")


def read_skeleton(path: str | Path) -> Skeleton:
    """The skeleton in a file. Raises SkeletonError, which says what is wrong with it and where."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SkeletonError(f"{path}: cannot be read ({reason})") from error
    try:
        value = _parsed(text, yaml=path.suffix.lower() != ".json")
    except ValueError as error:
        raise SkeletonError(f"{path}: {error}") from error
    return _built(value, str(path))


def read_shipped(name: str) -> Skeleton:
    """One of `SHIPPED`."""
    file = resources.files("vidpose.skeleton") / "files" / f"{name}.json"
    return _built(json.loads(file.read_text(encoding="utf-8")), name)


def _parsed(text: str, *, yaml: bool) -> Any:
    """Raises ValueError where the text is not of its format."""
    if not yaml:
        return json.loads(text)
    import yaml as library  # only files of users are YAML, so nothing else waits for it

    try:
        return library.safe_load(text)
    except library.YAMLError as error:
        raise ValueError(f"not YAML ({' '.join(str(error).split())})") from error


def _built(value: Any, where: str) -> Skeleton:
    if not isinstance(value, Mapping):
        raise SkeletonError(f"{where}: a skeleton is a mapping with name, keypoints and more")
    unknown = sorted(set(map(str, value)) - set(_KEYS))
    if unknown:
        raise SkeletonError(f"{where}: unknown entry '{unknown[0]}'; there are {', '.join(_KEYS)}")
    for key in ("name", "keypoints"):
        if key not in value:
            raise SkeletonError(f"{where}: '{key}' is missing")
    try:
        joints = _Joints(_names(value["keypoints"]))
        parents = joints.parents(value.get("parents"))
        edges = joints.pairs("edges", value.get("edges"))
        if edges is None:
            edges = [(p, joint) for joint, p in enumerate(parents) if p is not None]
        flips = joints.pairs("flip_pairs", value.get("flip_pairs"))
        return Skeleton(
            name=str(value["name"]),
            keypoints=joints.names,
            edges=tuple(edges),
            flip_pairs=tuple(joints.sides() if flips is None else flips),
            sigmas=joints.sigmas(value.get("sigmas")),
            groups=joints.groups(value.get("groups")),
            parents=parents,
        )
    except (SkeletonError, ValueError) as error:
        raise SkeletonError(f"{where}: {error}") from error


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError("keypoints must be a list of names")
    for name in value:
        # Names become column names; YAML reads a bare `no` as false and `1` as a number.
        if not isinstance(name, str) or not name or name.strip() != name:
            raise ValueError(f"keypoint {name!r} is no name; put it into quotes")
    return tuple(value)


class _Joints:
    """Joints by name or number, with messages that name the entry that is wrong."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._index = {name: index for index, name in enumerate(names)}

    def index(self, what: str, joint: Any) -> int:
        if isinstance(joint, int) and not isinstance(joint, bool):
            if 0 <= joint < len(self.names):
                return joint
        elif joint in self._index:
            return self._index[joint]
        raise ValueError(f"{what}: there is no keypoint {joint!r}")

    def pairs(self, what: str, value: Any) -> list[tuple[int, int]] | None:
        if value is None:
            return None
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ValueError(f"{what} must be a list of pairs")
        found = []
        for pair in value:
            if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
                raise ValueError(f"{what}: {pair!r} is not a pair of keypoints")
            found.append((self.index(what, pair[0]), self.index(what, pair[1])))
        return found

    def sides(self) -> list[tuple[int, int]]:
        found = []
        for name in self.names:
            for left, right in _SIDES:
                starts, ends = name.startswith(f"{left}_"), name.endswith(f"_{left}")
                other = f"{right}_{name[len(left) + 1 :]}" if starts else name
                other = f"{name[: -len(left) - 1]}_{right}" if ends and not starts else other
                if other != name and other in self._index:
                    found.append((self._index[name], self._index[other]))
        return found

    def sigmas(self, value: Any) -> tuple[float, ...]:
        known = {name: known_sigma(name) for name in self.names}
        if isinstance(value, Mapping):
            for joint, sigma in value.items():
                known[self.names[self.index("sigmas", joint)]] = _number(joint, sigma)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            return tuple(_number(index, sigma) for index, sigma in enumerate(value))
        elif value is not None:
            return (_number("all", value),) * len(self.names)
        return tuple(known.values())

    def groups(self, value: Any) -> tuple[tuple[str, tuple[int, ...]], ...]:
        if not isinstance(value, Mapping) and value is not None:
            raise ValueError("groups must be a mapping from names to lists of keypoints")
        found = []
        for name, members in (value or {}).items():
            if not isinstance(members, Sequence) or isinstance(members, str):
                raise ValueError(f"group '{name}' must be a list of keypoints")
            indices = tuple(self.index(f"group '{name}'", joint) for joint in members)
            found.append((str(name), indices))
        return tuple(found)

    def parents(self, value: Any) -> tuple[int | None, ...]:
        if not isinstance(value, Mapping) and value is not None:
            raise ValueError("parents must be a mapping from keypoints to keypoints")
        found: list[int | None] = [None] * len(self.names)
        for joint, parent in (value or {}).items():
            if parent is not None:
                found[self.index("parents", joint)] = self.index("parents", parent)
        return tuple(found) if value else ()


def _number(joint: Any, value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"sigmas: {value!r} of {joint!r} is not a number")
