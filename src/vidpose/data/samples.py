"""One labelled person in one image, the unit that every still-image data set yields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import DataError
from vidpose.skeleton import Skeleton, map_keypoints
from vidpose.video import image_files

SourceName = Literal["lspet", "ccp", "coco", "mpii", "jhmdb"]
SOURCES: tuple[SourceName, ...] = get_args(SourceName)
"""The sets that training items come from; batches name them by their place here."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A person in an image.

    Attributes:
        image: file of the image.
        box: x, y, w, h in pixels, edge coordinates (0 = left edge of the first pixel).
        keypoints: float32 (K, 3), COCO's 17 joints unless another skeleton was asked for: x, y in
            pixels with the origin at the centre of the top-left pixel, and a weight in [0, 1];
            0 = unknown.
        key: names the person across files: "<data set>/<image name>/<number>".
    """

    image: Path
    box: tuple[float, float, float, float]
    keypoints: NDArray[np.float32]
    key: str

    @property
    def source(self) -> int:
        """The data set's place in `SOURCES`; -1 for another one."""
        name = self.key.partition("/")[0]
        name = "coco" if name in ("train2017", "val2017") else name
        return SOURCES.index(name) if name in SOURCES else -1

    def in_skeleton(self, source: Skeleton, target: Skeleton) -> Sample:
        """The sample with the keypoints of another skeleton; what it lacks has weight 0."""
        if source is target:
            return self
        points = map_keypoints(self.keypoints, source, target)
        points[points[:, 2] <= 0] = 0
        return self.with_keypoints(points.astype(np.float32))

    def with_keypoints(self, keypoints: NDArray[np.float32]) -> Sample:
        return replace(self, keypoints=keypoints)


def keypoint_box(keypoints: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """x, y, w, h around the keypoints (K, 3) of positive weight, in edge coordinates.

    Raises DataError when no keypoint has a weight.
    """
    known = keypoints[keypoints[:, 2] > 0, :2]
    if not len(known):
        raise DataError("a person without any labelled keypoint has no box")
    left, top = known.min(axis=0) + 0.5
    right, bottom = known.max(axis=0) + 0.5
    return float(left), float(top), float(right - left), float(bottom - top)


def read_image(path: Path) -> NDArray[np.uint8]:
    """The image as uint8 RGB (H, W, 3); more than 8 bits are scaled by the range that it uses.

    Raises DataError when it cannot be read.
    """
    try:
        image = image_files.read_image(path)
    except FileNotFoundError:
        image = None
    if image is None:
        raise DataError(f"{path}: the image is missing or damaged")
    return image


def require(path: Path, what: str) -> Path:
    """`path` if it exists. Raises DataError naming what is expected there otherwise."""
    if not path.exists():
        raise DataError(f"{path} is missing: {what}")
    return path
