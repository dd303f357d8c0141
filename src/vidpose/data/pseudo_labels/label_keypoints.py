"""`vidpose label`: keypoints of a heatmap teacher for images that lack them.

The teacher is an ONNX file with one input [1, 3, H, W] (RGB / 255, ImageNet mean and standard
deviation) and one output of 17 heatmaps [1, 17, h, w] in COCO order, such as PP-TinyPose. Each
crop is seen as it is and mirrored; peaks are refined to sub-pixel by the second-order expansion of
DARK (Zhang et al., CVPR 2020).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.data.datasets.ccp import ccp_images
from vidpose.data.datasets.coco import load_coco
from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.data.heatmap_network import OnnxHeatmaps
from vidpose.data.pseudo_labels.keypoint_labels import write_label_file
from vidpose.data.samples import Sample, read_image
from vidpose.errors import BundleError, DataError
from vidpose.inference.crop import crop_image, region_around, to_image
from vidpose.skeleton import COCO_17

LABEL_SETS = ("lspet", "ccp", "coco")


class HeatmapTeacher:
    """A per-crop pose network that gives 17 heatmaps with peaks near 1."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        self._network = OnnxHeatmaps(path, threads=threads)
        if self._network.num_keypoints != COCO_17.num_keypoints:
            raise BundleError(
                f"{path}: expected an output [1, 17, h, w], found "
                f"{self._network.num_keypoints} heatmaps"
            )
        self._size = self._network.size

    def __call__(
        self, image: NDArray[np.uint8], box: tuple[float, float, float, float]
    ) -> NDArray[np.float32]:
        """Keypoints (17, 3) in image pixels with the map's peak value as confidence."""
        region = region_around(box, aspect=self._size[1] / self._size[0])
        crop = crop_image(image, region, self._size)
        maps = self._maps(crop)
        mirrored = self._maps(np.ascontiguousarray(crop[:, ::-1]))[:, :, ::-1]
        mirrored = np.roll(mirrored[list(COCO_17.flip_index)], 1, axis=2)
        points = dark_peaks(np.float32(0.5) * (maps + mirrored))
        stride = self._size[1] / maps.shape[2]
        # These networks are trained with cell i at crop pixel i * stride. Mirrored and moved by a
        # column, a map is then a quarter of a cell to the right, the mean an eighth.
        points[:, 0] -= 0.125
        points[:, :2] *= stride
        return to_image(points, region, self._size)

    def _maps(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        maps: NDArray[np.float32] = self._network(crop[None])[0]
        return maps


def dark_peaks(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sub-pixel peaks (K, 3) of heatmaps (K, h, w): x, y in cells and the value, clipped to [0, 1].

    The logarithm of the smoothed map is expanded to second order around its maximum (DARK).
    """
    out = np.zeros((len(maps), 3), np.float32)
    for joint, raw in enumerate(maps):
        smooth = np.log(np.maximum(cv2.GaussianBlur(raw, (11, 11), 0), 1e-10))
        y, x = np.unravel_index(int(raw.argmax()), raw.shape)
        shift = np.zeros(2)
        if 1 < x < raw.shape[1] - 2 and 1 < y < raw.shape[0] - 2:
            shift = _newton_step(smooth[y - 2 : y + 3, x - 2 : x + 3])
        out[joint] = x + shift[0], y + shift[1], np.clip(raw[y, x], 0, 1)
    return out


def _newton_step(patch: NDArray[np.float32]) -> NDArray[np.float64]:
    """Offset (x, y) from the centre of a 5x5 patch to the top of its quadratic expansion."""
    gradient = np.array([patch[2, 3] - patch[2, 1], patch[3, 2] - patch[1, 2]]) / 2
    xx = (patch[2, 4] - 2 * patch[2, 2] + patch[2, 0]) / 4
    yy = (patch[4, 2] - 2 * patch[2, 2] + patch[0, 2]) / 4
    xy = (patch[3, 3] - patch[1, 3] - patch[3, 1] + patch[1, 1]) / 4
    determinant = xx * yy - xy * xy
    if abs(determinant) < 1e-9:
        return np.zeros(2)
    inverse = np.array([[yy, -xy], [-xy, xx]]) / determinant
    return np.asarray(np.clip(-inverse @ gradient, -1, 1), dtype=np.float64)


def write_labels(data: str, out: Path, teacher: Path, detector: Path | None = None) -> int:
    """Label the data set `data` ("lspet:PATH", "ccp:PATH" or "coco:PATH") and write `out`.

    Images that are kept out of training are not labelled. Sets without boxes (ccp) need a person
    `detector` (an ONNX file or bundle); the largest person of each photograph is taken.
    Returns the number of people written.
    """
    kind, _, location = data.partition(":")
    if kind not in LABEL_SETS or not location:
        raise DataError(f"{data}: expected KIND:PATH with KIND one of {', '.join(LABEL_SETS)}")
    root = Path(location)
    network = HeatmapTeacher(teacher)
    samples = [
        sample.with_keypoints(network(read_image(sample.image), sample.box))
        for sample in _unlabelled(kind, root, detector)
    ]
    info = {
        "teacher": teacher.name,
        "data": kind,
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }
    write_label_file(out, samples, root, info)
    return len(samples)


def _unlabelled(kind: str, root: Path, detector: Path | None) -> Iterator[Sample]:
    if kind == "lspet":
        kept_out = kept_out_names(root)
        yield from (s for s in load_lspet(root) if s.image.name not in kept_out)
    elif kind == "coco":
        yield from load_coco(root, "train2017")
    else:
        yield from _largest_people(root, detector)


def _largest_people(root: Path, detector: Path | None) -> Iterator[Sample]:
    from vidpose.inference.detectors.bundle import load_detector

    if detector is None:
        raise DataError(f"{root}: this set has no boxes; give a person detector (--detector)")
    find = load_detector(str(detector))
    for path in ccp_images(root):
        boxes, _ = find.detect(read_image(path))
        if len(boxes):
            x, y, w, h = (float(v) for v in max(boxes, key=lambda box: box[2] * box[3]))
            empty = np.zeros((17, 3), np.float32)
            yield Sample(path, (x, y, w, h), empty, f"ccp/{path.name}/0")
