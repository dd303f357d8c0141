"""Does the ONNX file find the same keypoints as the torch network?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from vidpose.data.datasets.coco import load_coco
from vidpose.data.samples import read_image
from vidpose.errors import BundleError
from vidpose.export.graphs import FrameGraph, InitializerGraph, MemoryNetwork, StepGraph
from vidpose.inference.decode import best_windows, padded_shares, read_windows
from vidpose.inference.detectors.bundle import letterbox
from vidpose.nn.shrink import shrink

MAX_DIFFERENCE = 0.05
"""Pixels of the crop, the largest difference of any keypoint."""

_BATCH = 8  # crops at a time: the large networks take gigabytes for more
_CLEAR = 0.05  # a smaller mass is no keypoint: its peak is decided by rounding
_TIE = 1e-3  # windows whose masses differ by a smaller share hold the same


def dkd_parity(
    network: MemoryNetwork, graphs: Mapping[str, bytes], crops: NDArray[np.uint8], stride: int
) -> float:
    """Largest keypoint difference in crop pixels, over the initializer and two steps after it.

    Args:
        crops: uint8 (N, h, w, 3) at the initializer's size.
    """
    sessions = {name: open_graph(content) for name, content in graphs.items()}
    parts = [crops[start : start + _BATCH] for start in range(0, len(crops), _BATCH)]
    return max(_dkd_difference(network, sessions, part, stride) for part in parts)


def _dkd_difference(
    network: MemoryNetwork,
    sessions: Mapping[str, onnxruntime.InferenceSession],
    crops: NDArray[np.uint8],
    stride: int,
) -> float:
    first, later = InitializerGraph(network), StepGraph(network)
    images = torch.from_numpy(crops)
    small = shrink(images.permute(0, 3, 1, 2).float(), network.ratio)
    steps = small.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    with torch.no_grad():
        maps, kernels = first(images)
        onnx_maps, onnx_kernels = sessions["initializer"].run(None, {"image": crops})
        worst = keypoint_difference(maps.numpy(), onnx_maps, stride)
        for _ in range(2):
            maps, kernels = later(steps, kernels)
            feed = {"image": steps.numpy(), "kernels": onnx_kernels}
            onnx_maps, onnx_kernels = sessions["step"].run(None, feed)
            worst = max(worst, keypoint_difference(maps.numpy(), onnx_maps, stride))
    return worst


def frame_parity(
    network: nn.Module, content: bytes, crops: NDArray[np.uint8], stride: int
) -> float:
    """Largest keypoint difference in crop pixels of a per-frame network."""
    with torch.no_grad():
        maps = FrameGraph(network)(torch.from_numpy(crops))
    (onnx_maps,) = open_graph(content).run(None, {"image": crops})
    return keypoint_difference(maps.numpy(), onnx_maps, stride)


def finder_parity(graph: nn.Module, content: bytes, coco: Path, side: int) -> float:
    """Largest difference in input pixels of the boxes of likely people, on COCO val images."""
    session = open_graph(content)
    worst = 0.0
    for path in sorted({sample.image for sample in load_coco(coco, "val2017")}):
        image, _ = letterbox(read_image(path), side, square=False)
        with torch.no_grad():
            boxes, scores = graph(torch.from_numpy(image[None]))
        onnx_boxes, onnx_scores = session.run(None, {"image": image[None]})
        likely = scores.numpy() > 0.1
        difference = np.abs(boxes.numpy() - onnx_boxes)[likely]
        worst = max(worst, float(difference.max(initial=0.0)))
        worst = max(worst, float(np.abs(scores.numpy() - onnx_scores).max()))
    return worst


def keypoint_difference(
    maps: NDArray[np.float32], others: NDArray[np.float32], stride: int
) -> float:
    """Largest distance in crop pixels between the keypoints of two sets of map logits.

    Where both windows of a keypoint hold as much of the other map as its own does, rounding alone
    chose between them, and the first map's is read in both.
    """
    first, second = padded_shares(maps), padded_shares(others)
    windows = best_windows(first)
    points, mass = read_windows(first, windows)
    other_points, other_mass = read_windows(second, best_windows(second))
    same_points, same_mass = read_windows(second, windows)
    tie = same_mass > (1 - _TIE) * other_mass
    other_points = np.where(tie[..., None], same_points, other_points)
    distance = np.linalg.norm(points - other_points, axis=-1)[mass > _CLEAR] * stride
    return float(distance.max(initial=0.0))


def refuse_differences(difference: float) -> None:
    """Raise BundleError where the keypoints of graph and network differ too much (or by NaN)."""
    if not difference < MAX_DIFFERENCE:
        raise BundleError(
            f"the ONNX graph differs from the torch network by {difference:.3f} px "
            f"(allowed: {MAX_DIFFERENCE}); no bundle was written"
        )


def open_graph(content: bytes) -> onnxruntime.InferenceSession:
    """A CPU session of a serialised graph."""
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
