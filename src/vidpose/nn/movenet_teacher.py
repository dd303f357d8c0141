"""MoveNet (Lightning or Thunder) as it is published, as a teacher that gives heatmap logits.

Its ONNX graph decodes one person by a weighting around the frame's centre; the heatmaps before that
are what a student can learn from, so the graph is cut behind its heatmap branch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor
from torch.nn import functional

from vidpose.errors import BundleError
from vidpose.nn.movenet import HEATMAP_BRANCH


class MoveNetTeacher:
    """Crops -> heatmap logits of a MoveNet ONNX file.

    Args:
        path: the ONNX file, input int32 [1, S, S, 3] of RGB 0..255.

    Raises:
        BundleError: the file is no MoveNet.
    """

    def __init__(self, path: Path) -> None:
        import onnx

        try:
            model = onnx.load(str(path))
        except Exception as error:  # onnx and protobuf raise their own types
            raise BundleError(f"{path}: not a readable ONNX file ({error})") from error
        convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
        if len(convolutions) <= HEATMAP_BRANCH[-1]:
            raise BundleError(f"{path}: not MoveNet (found {len(convolutions)} convolutions)")
        self._maps = convolutions[HEATMAP_BRANCH[-1]].output[0]
        model.graph.output.append(onnx.ValueInfoProto(name=self._maps))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        spec = self._session.get_inputs()[0]
        self._input, self.size = spec.name, int(spec.shape[1])

    def __deepcopy__(self, memo: object) -> MoveNetTeacher:
        """Itself: it never changes, and a session cannot be copied."""
        return self

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 crops (N, 3, h, w), h the teacher's size and w at most that, multiples of 8 ->
        logits (N, 17, h/4, w/4).

        The network sees the crop in the middle of a black square, as it would see a whole picture.
        """
        height, width = images.shape[2:]
        if height != self.size or width > height or width % 8:
            raise ValueError(f"crops are {height}x{width}, the teacher takes {self.size} high ones")
        side = (height - width) // 2
        square = functional.pad(images, (side, side)).permute(0, 2, 3, 1).int().cpu().numpy()
        maps = [self._session.run([self._maps], {self._input: x[None]})[0] for x in square]
        cells = slice(side // 4, (side + width) // 4)
        return torch.from_numpy(np.concatenate(maps)[..., cells]).to(images.device)
