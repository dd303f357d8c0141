"""Networks of other projects as sessions that the stream knows: a uint8 crop in, keypoints out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import ImportedSettings, NetworkInput
from vidpose.errors import BundleError
from vidpose.inference.backends.base import Port, Session
from vidpose.inference.decode_imported import (
    Keypoints,
    decode_coordinates,
    decode_heatmaps,
    decode_simcc,
)

FAR = 1e4
"""Pixels of a network's input beyond which what it gives is no place; results allow 1e6 of the
picture's."""


class ImportedSession:
    """A session with the input `image`, uint8 RGB (N, height, width, 3), and the output
    `keypoints`, float32 (N, K, 3): x, y in pixels of the crop, raw confidence. A keypoint that the
    network gives as NaN, infinity, or beyond `FAR` lies in the crop's middle with confidence 0."""

    def __init__(self, session: Session, settings: ImportedSettings, joints: int) -> None:
        self.inputs = (Port("image", "uint8", (None, *settings.size, 3)),)
        self.outputs = (Port("keypoints", "float32", (None, joints, 3)),)
        self._session = session
        self._settings = settings
        self._joints = joints

    def run(
        self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """See `Session.run`."""
        values = run_network(
            self._session, feed["image"], self._settings.input, self._settings.outputs
        )
        points, confidence = decode(values, self._settings)
        if points.shape[1] != self._joints:
            raise BundleError(
                f"the network gave {points.shape[1]} keypoints, its skeleton has {self._joints}"
            )
        keypoints = np.concatenate([points, confidence[..., None]], axis=2)
        height, width = self._settings.size
        return [np.where(lost(keypoints), (width / 2, height / 2, 0), keypoints).astype(np.float32)]


def lost(keypoints: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which keypoints (..., K, 3) are no places (..., K, 1): no keypoint rather than no video."""
    return np.asarray(~(np.abs(keypoints) <= FAR).all(axis=-1, keepdims=True))


def run_network(
    session: Session, pictures: NDArray[np.uint8], form: NetworkInput, outputs: Sequence[str]
) -> list[NDArray[np.float32]]:
    """Outputs of a network for pictures (N, height, width, 3), joined along the first axis where
    it takes one picture at a time."""
    (port,) = session.inputs
    prepared = prepare(pictures, form)
    if form.batched or len(prepared) == 1:
        found = session.run(outputs, {port.name: prepared})
    else:
        single = [session.run(outputs, {port.name: each[None]}) for each in prepared]
        found = [np.concatenate(parts) for parts in zip(*single, strict=True)]
    return [np.asarray(value, np.float32) for value in found]


def prepare(pictures: NDArray[np.uint8], form: NetworkInput) -> NDArray[Any]:
    """uint8 RGB (N, height, width, 3) as the network takes it."""
    ordered = pictures if form.colour == "rgb" else pictures[..., ::-1]
    axes = (1, 1, 1, 3)
    if form.layout == "nchw":
        # Whole planes in memory first: the arithmetic then runs along them.
        ordered, axes = ordered.transpose(0, 3, 1, 2), (1, 3, 1, 1)
    values = np.ascontiguousarray(ordered)
    if form.element in ("uint8", "int32"):
        return values.astype(form.element)
    mean, deviation = (
        np.array(part, np.float32).reshape(axes) for part in (form.mean, form.deviation)
    )
    scaled = values.astype(np.float32)
    scaled -= mean
    scaled /= deviation
    return scaled.astype(form.element, copy=False)


def decode(values: Sequence[NDArray[np.float32]], settings: ImportedSettings) -> Keypoints:
    """Points (N, K, 2) in pixels of the crop and raw confidences (N, K) of a network's outputs."""
    if settings.form == "heatmaps":
        return decode_heatmaps(values[0], settings.size, settings.refinement)
    if settings.form == "simcc":
        return decode_simcc(values[0], values[1], settings.size)
    return decode_coordinates(values[0], settings.size, settings.order)
