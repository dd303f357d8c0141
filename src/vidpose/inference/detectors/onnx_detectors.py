"""Detectors of other projects, recognised by the inputs and outputs of their ONNX graph.

RTMDet's form: input float (1, 3, H, H), BGR normalised by ImageNet's mean and deviation; outputs
(1, h, w, 5) for each stride: logit, then the distances left, top, right, bottom in input pixels
from the cell's corner. Person is the only class.

YOLOX's form: input float (1, 3, H, H), BGR 0..255; one output (1, M, 5 + classes), not decoded:
centre offset in cells, log of the size in cells, objectness, class probabilities, for strides 8,
16 and 32. Person is class 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import DetectorSettings
from vidpose.errors import BundleError
from vidpose.files import digest_of, read_bytes
from vidpose.inference.backends.base import Runtime, Session, open_session
from vidpose.inference.boxes import Boxes, Scores
from vidpose.inference.detectors.bundle import Detector, letterbox, select_boxes

YOLOX_STRIDES = (8, 16, 32)
MEAN = np.array([103.53, 116.28, 123.675], np.float32)  # BGR
DEVIATION = np.array([57.375, 57.12, 58.395], np.float32)
SCORE_THRESHOLD = 0.3
NMS_IOU = 0.6


def load_onnx_detector(
    path: Path, threads: int | None = None, runtime: Runtime = "onnxruntime"
) -> Detector:
    """A detector from an ONNX file in one of the two forms; BundleError for anything else."""
    graph = read_bytes(path, BundleError)
    session = open_session(graph, str(path), threads, runtime)
    inputs, outputs = session.inputs, session.outputs
    side = _square_side(inputs[0].shape) if len(inputs) == 1 else None
    if side is not None and inputs[0].element == "float32":
        shapes = [output.shape for output in outputs]
        settings = DetectorSettings(side, SCORE_THRESHOLD, NMS_IOU)
        if all(len(shape) == 4 and shape[3] == 5 for shape in shapes):
            return RtmDet(session, settings, digest_of(path))
        cells = sum((side // stride) ** 2 for stride in YOLOX_STRIDES)
        if len(shapes) == 1 and shapes[0][1:2] == (cells,) and (shapes[0][2] or 0) > 5:
            return Yolox(session, settings, digest_of(path))
    found = [(port.name, port.element, port.shape) for port in (*inputs, *outputs)]
    raise BundleError(
        f"{path}: not a known detector; give a bundle of kind 'detector', RTMDet's form (input "
        "float [1,3,H,H], outputs [1,h,w,5]) or YOLOX's (input float [1,3,H,H], output "
        f"[1,cells,5+classes]). This graph has {found}"
    )


def _square_side(shape: tuple[int | None, ...]) -> int | None:
    if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3]:
        return None
    side = shape[2]
    return side if side is not None and side > 0 and side % 32 == 0 else None


@dataclass(frozen=True, slots=True, eq=False)
class RtmDet:
    """A detector of RTMDet's form."""

    session: Session
    settings: DetectorSettings
    digest: str = ""

    def detect(self, image: NDArray[np.uint8]) -> tuple[Boxes, Scores]:
        """See `Detector.detect`."""
        side = self.settings.input_size
        padded, scale = letterbox(image, side, square=True)
        planes = ((padded[:, :, ::-1] - MEAN) / DEVIATION).transpose(2, 0, 1)[None]
        maps = _run(self.session, planes)
        corners, scores = zip(*(_decode_rtmdet(m[0], side) for m in maps), strict=True)
        return select_boxes(
            np.concatenate(corners),
            np.concatenate(scores),
            scale,
            (image.shape[0], image.shape[1]),
            self.settings,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Yolox:
    """A detector of YOLOX's form."""

    session: Session
    settings: DetectorSettings
    digest: str = ""

    def detect(self, image: NDArray[np.uint8]) -> tuple[Boxes, Scores]:
        """See `Detector.detect`."""
        side = self.settings.input_size
        padded, scale = letterbox(image, side, square=True)
        planes = padded[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        (rows,) = _run(self.session, planes)
        corners, scores = _decode_yolox(rows[0], side)
        return select_boxes(corners, scores, scale, (image.shape[0], image.shape[1]), self.settings)


def _run(session: Session, planes: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    name = session.inputs[0].name
    outputs: list[NDArray[np.float32]] = session.run(None, {name: np.ascontiguousarray(planes)})
    return outputs


def _decode_rtmdet(
    cells: NDArray[np.float32], side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Corners (M, 4) and scores (M,) of a map (h, w, 5)."""
    rows, columns = np.mgrid[: cells.shape[0], : cells.shape[1]]
    corner = np.stack([columns, rows], axis=-1) * (side / cells.shape[0])
    low, high = corner - cells[..., 1:3], corner + cells[..., 3:5]
    corners = np.concatenate([low, high], axis=-1).reshape(-1, 4)
    scores = 1.0 / (1.0 + np.exp(-cells[..., 0].ravel()))
    return corners.astype(np.float32), scores.astype(np.float32)


def _decode_yolox(
    rows: NDArray[np.float32], side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Corners (M, 4) and person scores (M,) of rows (M, 5 + classes)."""
    grids = [np.mgrid[: side // stride, : side // stride] for stride in YOLOX_STRIDES]
    cell = np.concatenate([grid[::-1].reshape(2, -1).T for grid in grids])
    strides = np.repeat(YOLOX_STRIDES, [grid[0].size for grid in grids])[:, None]
    middle = (rows[:, :2] + cell) * strides
    half = np.exp(rows[:, 2:4]) * strides / 2
    corners = np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)
    return corners, rows[:, 4] * rows[:, 5]
