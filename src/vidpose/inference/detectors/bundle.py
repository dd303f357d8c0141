"""People detectors: the project's own bundles, and two common ONNX forms."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import DetectorSettings, find_bundle, read_bundle
from vidpose.errors import BundleError
from vidpose.files import digest_of
from vidpose.inference.backends.base import Runtime, Session, check_ports, open_session
from vidpose.inference.boxes import Boxes, Scores, suppress

GREY = 114  # what detectors are trained to see beside the image
STRIDE = 32  # sides of a detector's input are multiples of it


class Detector(Protocol):
    """What finds people in a picture. It has no memory, so streams may share it."""

    def detect(self, image: NDArray[np.uint8]) -> tuple[Boxes, Scores]:
        """Boxes (M, 4) x, y, w, h in image pixels (edge coordinates), and scores (M,) in [0, 1].

        `image` is uint8 RGB (height, width, 3). M may be 0.
        """
        ...  # pragma: no cover


def load_detector(
    name_or_path: str | Path, threads: int | None = None, runtime: Runtime = "onnxruntime"
) -> Detector:
    """Load a detector, to run on the CPU.

    `name_or_path`: a shipped detector's name, a bundle of kind "detector", or an ONNX file of
    RTMDet's or YOLOX's form (see `vidpose.inference.detectors.onnx_detectors`). `threads`,
    `runtime` as in `PoseModel.load`. Raises BundleError when it is missing, damaged or of another
    form, VidposeError when the runtime is not installed.
    """
    path = Path(name_or_path)
    if path.suffix == ".onnx":
        from vidpose.inference.detectors.onnx_detectors import load_onnx_detector

        return load_onnx_detector(path, threads, runtime)
    path = find_bundle(name_or_path)
    bundle = read_bundle(path)
    if not isinstance(bundle.settings, DetectorSettings):
        raise BundleError(f"{path}: this is a pose model of kind '{bundle.kind}', not a detector")
    name = f"{path}, graph 'detector'"
    session = open_session(bundle.graphs["detector"], name, threads, runtime)
    check_ports(
        session,
        name,
        {"image": ("uint8", [1, None, None, 3])},
        {"boxes": [None, 4], "scores": [None]},
    )
    return BundleDetector(session, bundle.settings, digest_of(path))


class BundleDetector:
    """A detector out of a bundle: the graph finds boxes, the rest is here.

    `digest`: that of its file.
    """

    def __init__(self, session: Session, settings: DetectorSettings, digest: str = "") -> None:
        self.digest = digest
        self._session = session
        self._settings = settings

    def detect(self, image: NDArray[np.uint8]) -> tuple[Boxes, Scores]:
        """See `Detector.detect`."""
        side = self._settings.input_size
        padded, scale = letterbox(image, side, square=False)
        boxes, scores = self._session.run(["boxes", "scores"], {"image": padded[None]})
        return select_boxes(boxes, scores, scale, image.shape[:2], self._settings)


def letterbox(
    image: NDArray[np.uint8], side: int, *, square: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Scale an image to fit a square of `side` pixels, grey on the right and below.

    `square`: fill the whole square; otherwise up to the next multiple of 32. Returns the padded
    image and the factors (x, y) from image to input pixels.
    """
    height, width = image.shape[:2]
    factor = side / max(height, width)
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    smaller = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(image, size, interpolation=smaller)
    columns, rows = (side, side) if square else (_up(size[0]), _up(size[1]))
    padded = np.full((rows, columns, 3), GREY, np.uint8)
    padded[: size[1], : size[0]] = scaled
    return padded, np.array([size[0] / width, size[1] / height])


def select_boxes(
    corners: NDArray[np.float32],
    scores: NDArray[np.float32],
    scale: NDArray[np.float64],
    size: tuple[int, int],
    settings: DetectorSettings,
) -> tuple[Boxes, Scores]:
    """Final boxes in the image from candidates in the input.

    Args:
        corners: (M, 4) x1, y1, x2, y2 in input pixels. scores: (M,).
        scale: factors (x, y) from image to input pixels.
        size: (height, width) of the image, to which boxes are cut.
    """
    good = scores >= settings.score_threshold
    limit = np.array([size[1], size[0]] * 2, np.float64)
    inside = np.clip(corners[good].astype(np.float64) / np.tile(scale, 2), 0.0, limit)
    boxes = np.concatenate([inside[:, :2], inside[:, 2:] - inside[:, :2]], axis=1)
    values = scores[good].astype(np.float64)
    solid = (boxes[:, 2:] > 1.0).all(axis=1)
    boxes, values = boxes[solid], values[solid]
    keep = suppress(boxes, values, settings.nms_iou)
    return boxes[keep], values[keep]


def _up(side: int) -> int:
    return -(-side // STRIDE) * STRIDE
