"""Networks of other projects that find everybody with their keypoints in the whole picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import OneStageSettings
from vidpose.inference.backends.base import Port, Session
from vidpose.inference.boxes import Boxes, Scores, suppress
from vidpose.inference.detectors.bundle import GREY
from vidpose.inference.imported import FAR, run_network

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Everybody:
    """People of a picture, best first: boxes (M, 4) x, y, w, h in edge coordinates, scores (M,),
    keypoints (M, K, 3) x, y, raw confidence."""

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    keypoints: Floats

    def calibrated(self, confidence: Floats) -> Everybody:
        """The same with other confidences (M, K)."""
        keypoints = np.concatenate([self.keypoints[..., :2], confidence[..., None]], axis=2)
        return Everybody(self.boxes, self.scores, keypoints)


class OneStageDetector:
    """The people that a one-stage pose model finds, as a `Detector`. `digest`: of its file."""

    def __init__(
        self, everybody: Callable[[NDArray[np.uint8]], Everybody], digest: str = ""
    ) -> None:
        self.digest = digest
        self._everybody = everybody

    def detect(self, image: NDArray[np.uint8]) -> tuple[Boxes, Scores]:
        """See `Detector.detect`."""
        found = self._everybody(image)
        return found.boxes, found.scores


class OneStageSession:
    """A session with the input `image`, uint8 RGB (1, height, width, 3) of the network's size, and
    the output `people`, float32 (M, 5 + 3 K): corners x, y, x, y; score; x, y, raw confidence."""

    def __init__(self, session: Session, settings: OneStageSettings, joints: int) -> None:
        self.inputs = (Port("image", "uint8", (None, *settings.size, 3)),)
        self.outputs = (Port("people", "float32", (None, 5 + 3 * joints)),)
        self._session = session
        self._settings = settings

    def run(
        self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """See `Session.run`."""
        settings = self._settings
        values = run_network(self._session, feed["image"][:1], settings.input, settings.outputs)
        return [decode_people(values, settings)]


def find_everybody(
    session: Session, image: NDArray[np.uint8], settings: OneStageSettings
) -> Everybody:
    """The people in a picture, uint8 RGB (height, width, 3), by an `OneStageSession`."""
    padded, scale, offset = place(image, settings)
    (rows,) = session.run(["people"], {"image": padded[None]})
    rows = rows[(np.abs(rows) <= FAR).all(axis=1) & (rows[:, 4] >= settings.score_threshold)]
    corners = (rows[:, :4].astype(np.float64) - np.tile(offset, 2)) / np.tile(scale, 2)
    limit = np.array([image.shape[1], image.shape[0]] * 2, np.float64)
    corners = np.clip(corners, 0.0, limit)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    scores = rows[:, 4].astype(np.float64)
    solid = (boxes[:, 2:] > 1.0).all(axis=1)
    keep = np.flatnonzero(solid)[suppress(boxes[solid], scores[solid], settings.nms_iou)]
    keypoints = rows[keep, 5:].reshape(len(keep), (rows.shape[1] - 5) // 3, 3)
    keypoints[..., :2] = (keypoints[..., :2] - offset) / scale
    return Everybody(boxes[keep], scores[keep], keypoints.astype(np.float32))


def place(
    image: NDArray[np.uint8], settings: OneStageSettings
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """Scale an image to fit the network's size, as its kind was trained.

    Returns the picture of that size, and factor and offset (x, y) from image to its pixels. YOLO's
    networks have it in the middle, the others in the top left corner; beside it is grey, for
    MoveNet black.
    """
    height, width = settings.size
    factor = min(height / image.shape[0], width / image.shape[1])
    inner = (
        min(max(round(image.shape[1] * factor), 1), width),
        min(max(round(image.shape[0] * factor), 1), height),
    )
    smaller = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(image, inner, interpolation=smaller)
    middle = settings.form.startswith("yolo")
    left, top = ((width - inner[0]) // 2, (height - inner[1]) // 2) if middle else (0, 0)
    beside = 0 if settings.form == "multipose" else GREY
    padded = np.full((height, width, 3), beside, np.uint8)
    padded[top : top + inner[1], left : left + inner[0]] = scaled
    scale = np.array([inner[0] / image.shape[1], inner[1] / image.shape[0]])
    return padded, scale, np.array([left, top], np.float64)


def decode_people(values: Sequence[Floats], settings: OneStageSettings) -> Floats:
    """Rows (M, 5 + 3 K) of all candidates in pixels of the network's input; see `OneStageSession`.
    Confidences are cut to [0, 1]."""
    form, size = settings.form, settings.size
    if form == "yolo":
        rows = _with_confidences(_yolo(values[0][0].T, settings.classes), settings.numbers)
    elif form == "yolo-nms":
        table = values[0][0]
        rows = np.concatenate([table[:, :5], table[:, 6:]], axis=1)[table[:, 5] == 0]
        rows = _with_confidences(rows, settings.numbers)
    elif form == "rtmo":
        rows = np.concatenate([values[0][0], values[1][0].reshape(len(values[0][0]), -1)], axis=1)
    else:
        rows = _multipose(values[0][0], size)
    rows = rows.astype(np.float32)
    rows[:, 7::3] = np.clip(rows[:, 7::3], 0.0, 1.0)
    return rows


def _yolo(table: Floats, classes: int) -> Floats:
    """From middle and size; person is the first class."""
    half = table[:, 2:4] / 2
    corners = np.concatenate([table[:, :2] - half, table[:, :2] + half], axis=1)
    return np.concatenate([corners, table[:, 4:5], table[:, 4 + classes :]], axis=1)


def _with_confidences(rows: Floats, numbers: int) -> Floats:
    """Rows with a confidence for each keypoint: where there is none, the person's score."""
    if numbers == 3:
        return rows
    points = rows[:, 5:].reshape(len(rows), -1, 2)
    scores = np.broadcast_to(rows[:, 4, None, None], (*points.shape[:2], 1))
    keypoints = np.concatenate([points, scores], axis=2)
    return np.concatenate([rows[:, :5], keypoints.reshape(len(rows), -1)], axis=1)


def _multipose(table: Floats, size: tuple[int, int]) -> Floats:
    """From parts of the sides, y before x."""
    height, width = size
    sides = np.array([width, height], np.float32)
    keypoints = table[:, :-5].reshape(len(table), -1, 3)
    points = np.concatenate([keypoints[..., 1::-1] * sides - 0.5, keypoints[..., 2:]], axis=2)
    corners = table[:, [-4, -5, -2, -3]] * np.tile(sides, 2)
    return np.concatenate([corners, table[:, -1:], points.reshape(len(table), -1)], axis=1)
