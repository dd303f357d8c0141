"""A picture of any shape within a frame of one shape."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def fitted(image: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The image (H, W, 3) scaled to fit into ``shape`` (height, width), the rest black.

    An image of this shape is given back itself.
    """
    height, width = shape[:2]
    if image.shape[:2] == (height, width):
        return image
    scale = min(height / image.shape[0], width / image.shape[1])
    inner = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    canvas[top : top + inner[0], left : left + inner[1]] = cv2.resize(
        image, (inner[1], inner[0]), interpolation=method
    )
    return canvas
