"""Clothing Co-Parsing (Yang, Luo, Lin, CVPR 2014): street photographs without keypoints.

`photos/*.jpg`, mostly one upright person each, and `masks/*.png` for about half of them. Keypoints
come from a teacher (`vidpose label`).
"""

from __future__ import annotations

from pathlib import Path

from vidpose.data.samples import require


def ccp_images(root: Path | str) -> list[Path]:
    """The photographs, in the order of their names."""
    folder = require(Path(root) / "photos", "the folder photos/ of Clothing Co-Parsing")
    return sorted(folder.glob("*.jpg"))
