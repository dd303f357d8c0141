"""The constants of OKS for joints of known names."""

from __future__ import annotations

import re

# COCO's official sigmas, one for both sides. The joints that COCO lacks have no official value:
# head, head_top and the neck joints take CrowdPose's (0.079 for its head top and neck), thorax
# COCO's shoulder, pelvis, belly and spine COCO's hip, joints of the feet those of Halpe.
_SIGMAS = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035,
    "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062,
    "hip": 0.107, "knee": 0.087, "ankle": 0.089,
    "head": 0.079, "head_top": 0.079, "neck": 0.079, "upper_neck": 0.079, "thorax": 0.079,
    "pelvis": 0.107, "belly": 0.107, "spine": 0.107,
    "big_toe": 0.079, "small_toe": 0.079, "heel": 0.079, "foot_index": 0.079,
}  # fmt: skip

_SIDE = re.compile(r"^(left|right|l|r)_|_(left|right|l|r)$")

DEFAULT_SIGMA = 0.079
"""Of a joint of which nothing is known: COCO's shoulder, the middle of its body joints."""


def known_sigma(joint: str) -> float:
    """The sigma of a joint by its name, the same for both sides."""
    return _SIGMAS.get(_without_side(joint), DEFAULT_SIGMA)


def has_known_sigma(joint: str) -> bool:
    """Whether the joint's name is one of which a sigma is known."""
    return _without_side(joint) in _SIGMAS


def _without_side(joint: str) -> str:
    return _SIDE.sub("", joint, count=1)
