"""MoveNet (Lightning or Thunder) as it is published, as a teacher that gives heatmap logits.

Its ONNX file decodes one person by a weighting around the frame's centre; the heatmaps before that
are what a student can learn from. They are those of `PoseNet` with the file's weights.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from vidpose.nn.movenet import LIGHTNING_WIDTH, PoseNet
from vidpose.nn.movenet_weights import load_movenet_pose, movenet_width
from vidpose.nn.pixels import normalise

_SIDES = {True: 192, False: 256}  # of Lightning's and Thunder's pictures


class MoveNetTeacher:
    """Crops -> heatmap logits of a MoveNet ONNX file, on the device of the crops.

    Raises:
        BundleError: the file is no MoveNet.
    """

    def __init__(self, path: Path) -> None:
        width = movenet_width(path)
        self.size = _SIDES[width == LIGHTNING_WIDTH]
        network = PoseNet(width=width)
        load_movenet_pose(network, path)
        self._network = network.eval().requires_grad_(False)

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 crops (N, 3, h, w), h the teacher's size and w at most that, multiples of 8 ->
        logits (N, 17, h/4, w/4).

        The network sees the crop in the middle of a black square, as it would see a whole picture.
        """
        height, width = images.shape[2:]
        if height != self.size or width > height or width % 8:
            raise ValueError(f"crops are {height}x{width}, the teacher takes {self.size} high ones")
        side = (height - width) // 2
        square = normalise(functional.pad(images, (side, side)))
        with torch.no_grad():
            maps: Tensor = self._network.to(images.device)(square)
        return maps[..., side // 4 : (side + width) // 4]
