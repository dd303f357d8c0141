"""Does the bundle find what the raw network finds?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import ImportedSettings, OneStageSettings, Size
from vidpose.errors import BundleError
from vidpose.importing.reading import NetworkFile
from vidpose.importing.reference import crop_keypoints, people_rows, raw_outputs
from vidpose.inference import PoseModel

MAX_DIFFERENCE = 0.05
"""Pixels of the network's input, the largest difference of any keypoint."""

CLEAR = 0.05  # a lesser confidence is no keypoint: rounding decides where its peak is
_PICTURES = 8


def parity(
    network: NetworkFile,
    model: PoseModel,
    settings: ImportedSettings | OneStageSettings,
    pictures: Sequence[NDArray[np.uint8]],
) -> float:
    """Largest distance in pixels of the network's input between the keypoints of the bundle and
    those of the raw session, read independently.

    `pictures`: uint8 RGB of the network's size. Raises BundleError where it is more than
    `MAX_DIFFERENCE`, or where one of the two gives NaN.
    """
    worst = 0.0
    for found, truth in _pairs(network, model, settings, pictures):
        clear = truth[..., 2] > CLEAR
        difference = np.linalg.norm(found[..., :2] - truth[..., :2], axis=-1)[clear]
        confidence = np.abs(found[..., 2] - truth[..., 2])
        if not np.isfinite(difference).all() or not np.isfinite(confidence).all():
            raise BundleError(f"{network.path}: gives NaN or infinity for some pictures")
        worst = max(worst, float(difference.max(initial=0.0)))
    if worst > MAX_DIFFERENCE:
        raise BundleError(
            f"{network.path}: the bundle finds keypoints {worst:.3f} px from the raw network's "
            f"(allowed: {MAX_DIFFERENCE}); no bundle was written"
        )
    return worst


def made_pictures(size: Size, count: int = _PICTURES) -> list[NDArray[np.uint8]]:
    """Pictures of coloured blots, for want of real ones."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: size[0], : size[1]]
    pictures = []
    for _ in range(count):
        picture = np.full((*size, 3), rng.uniform(40, 200, 3))
        for _ in range(12):
            x, y = rng.uniform(0, size[1]), rng.uniform(0, size[0])
            wide, high = rng.uniform(3, size[1] / 4), rng.uniform(3, size[0] / 3)
            inside = ((columns - x) / wide) ** 2 + ((rows - y) / high) ** 2 < 1
            picture[inside] = rng.uniform(0, 255, 3)
        pictures.append(np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8))
    return pictures


def _pairs(
    network: NetworkFile,
    model: PoseModel,
    settings: ImportedSettings | OneStageSettings,
    pictures: Sequence[NDArray[np.uint8]],
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Keypoints (..., K, 3) of the bundle and of the raw network."""
    raw = [raw_outputs(network, each, settings.input, settings.outputs) for each in pictures]
    if isinstance(settings, ImportedSettings):
        found = model.initialize(np.stack(pictures))[0]  # all at once, as a stream does
        truth = [crop_keypoints(values, settings) for values in raw]
        return list(zip(np.asarray(found, np.float64), truth, strict=True))
    pairs = []
    for picture, values in zip(pictures, raw, strict=True):
        rows, others = model.initialize(picture[None])[0], people_rows(values, settings)
        shape = (len(rows), (rows.shape[1] - 5) // 3, 3)
        pairs.append((rows[:, 5:].reshape(shape).astype(np.float64), others[:, 5:].reshape(shape)))
    return pairs
