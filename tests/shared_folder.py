"""Where the optional real data and the model outside the package lie."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def shared_root() -> Path:
    """The folder that VIDPOSE_SHARED names, or `shared` beside the checkout; it may be absent."""
    configured = os.environ.get("VIDPOSE_SHARED")
    return Path(configured) if configured else REPOSITORY.parent / "shared"


FLOAT_MODEL = REPOSITORY / "models" / "dkd-base.vidpose"
"""The default model in float32, which the wheel does not carry."""
