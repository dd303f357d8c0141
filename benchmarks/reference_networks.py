"""Per-frame pose networks of other projects, from ONNX files: (image, box) -> 17 COCO keypoints.

Each keeps its own pre-processing, crop shape and decoding; what they share is the box and
the sampling of the crop. None of the files belongs to this project: they are given by path.

    models = {name: load_reference(name, folder) for name in REFERENCE_NETWORKS}
    keypoints = models["tinypose"](image, (x, y, w, h))      # (17, 3): x, y, confidence
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from vidpose.inference.boxes import Box
from vidpose.inference.crop import CropRegion, crop_image, region_around
from vidpose.skeleton import COCO_17

PADDING = 1.25
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)


class Predictor(Protocol):
    """Pose of the person in `box` (x, y, w, h) of an RGB image: (17, 3) float32."""

    def __call__(self, image: NDArray[np.uint8], box: Box) -> NDArray[np.float32]: ...


def load_session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU with a fixed number of threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # As vidpose's own sessions: a thread that still spins after its call would slow the next one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class MoveNet:
    """MoveNet Lightning or Thunder over a square crop (the input's side is read from the file)."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self.session = load_session(path, threads)
        (self.input,) = self.session.get_inputs()
        self.side = int(self.input.shape[1])

    def prepare(
        self, image: NDArray[np.uint8], box: Box
    ) -> tuple[dict[str, NDArray[np.int32]], CropRegion]:
        """What the network is fed, and where it lies in the image."""
        region = region_around(box, aspect=1.0, padding=PADDING)
        crop = crop_image(image, region, (self.side, self.side))
        return {self.input.name: crop[None].astype(np.int32)}, region

    def __call__(self, image: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
        feed, region = self.prepare(image, box)
        (output,) = self.session.run(None, feed)
        y, x, score = output.reshape(17, 3).T
        # Shares of the crop's sides: edge coordinates.
        points = [x * region.w + region.x - 0.5, y * region.h + region.y - 0.5, score]
        return np.stack(points, axis=1).astype(np.float32)


class TinyPose:
    """PP-TinyPose 256x192: DARK decoding, optionally averaged with the mirrored crop.

    PaddleDetection warps so that the box's corner is crop pixel 0 and reads cell i of the map as
    crop pixel 4 i; both are kept here.
    """

    def __init__(self, path: Path, *, flip: bool = False, threads: int = 1) -> None:
        self.session = load_session(path, threads)
        (self.input,) = self.session.get_inputs()
        self.size = (int(self.input.shape[2]), int(self.input.shape[3]))
        self.flip = flip

    def maps(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Heatmaps (17, h, w) of a crop, with the flip test if it was asked for."""
        maps = self._run(crop)
        if self.flip:
            mirrored = self._run(crop[:, ::-1])[list(COCO_17.flip_index), :, ::-1]
            shifted = mirrored.copy()
            shifted[:, :, 1:] = mirrored[:, :, :-1]
            return np.asarray((maps + shifted) / 2, np.float32)
        return maps

    def _run(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        scaled = (crop.astype(np.float32) / 255 - IMAGENET_MEAN) / IMAGENET_STD
        feed = {self.input.name: np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])}
        maps: NDArray[np.float32] = self.session.run(None, feed)[0][0]
        return maps

    def __call__(self, image: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
        height, width = self.size
        region = region_around(box, aspect=width / height, padding=PADDING)
        points, score = decode_dark(self.maps(crop_image(image, region, self.size)))
        cells = np.array([region.w / (width // 4), region.h / (height // 4)])
        points = points * cells + [region.x, region.y]
        return np.column_stack([points, np.clip(score, 0, 1)]).astype(np.float32)


def decode_dark(
    maps: NDArray[np.float32], *, kernel: int = 11
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Distribution-aware decoding (Zhang et al., CVPR 2020) of heatmaps (K, h, w).

    Returns points (K, 2) in cells and the peaks' values (K,).
    """
    count, width = maps.shape[0], maps.shape[2]
    best = maps.reshape(count, -1).argmax(axis=1)
    rows, columns = np.divmod(best, width)
    scores = maps.reshape(count, -1).max(axis=1)
    points = np.stack([columns, rows], axis=1).astype(np.float64)
    for joint in range(count):
        smooth = cv2.GaussianBlur(maps[joint], (kernel, kernel), 0, borderType=cv2.BORDER_CONSTANT)
        smooth = smooth * (scores[joint] / max(float(smooth.max()), 1e-12))
        logs = np.log(np.maximum(smooth, 1e-10))
        points[joint] += _taylor_step(logs, int(columns[joint]), int(rows[joint]))
    return points, scores


def _taylor_step(logs: NDArray[np.float32], x: int, y: int) -> NDArray[np.float64]:
    """From the best cell to the top of the parabola through its neighbourhood."""
    height, width = logs.shape
    if not (1 < x < width - 2 and 1 < y < height - 2):
        return np.zeros(2)
    gradient = np.array(
        [(logs[y, x + 1] - logs[y, x - 1]) / 2, (logs[y + 1, x] - logs[y - 1, x]) / 2]
    )
    xx = (logs[y, x + 2] - 2 * logs[y, x] + logs[y, x - 2]) / 4
    yy = (logs[y + 2, x] - 2 * logs[y, x] + logs[y - 2, x]) / 4
    mixed = logs[y + 1, x + 1] - logs[y - 1, x + 1] - logs[y + 1, x - 1] + logs[y - 1, x - 1]
    hessian = np.array([[xx, mixed / 4], [mixed / 4, yy]])
    if abs(np.linalg.det(hessian)) < 1e-12:
        return np.zeros(2)
    step: NDArray[np.float64] = -np.linalg.solve(hessian, gradient)
    return step


REFERENCE_NETWORKS: dict[str, Callable[[Path, int], Predictor]] = {
    "lightning": lambda folder, n: MoveNet(folder / "movenet_lightning.onnx", threads=n),
    "thunder": lambda folder, n: MoveNet(folder / "movenet_thunder.onnx", threads=n),
    "tinypose": lambda folder, n: TinyPose(folder / "tinypose_256x192.onnx", threads=n),
    "tinypose-flip": lambda folder, n: TinyPose(
        folder / "tinypose_256x192.onnx", flip=True, threads=n
    ),
}


def load_reference(name: str, folder: Path, threads: int = 1) -> Predictor:
    """One of `REFERENCE_NETWORKS` from the folder that holds the ONNX files."""
    return REFERENCE_NETWORKS[name](folder, threads)
