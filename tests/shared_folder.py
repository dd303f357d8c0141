"""Where the optional real data lie."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def shared_root() -> Path:
    """The folder that VIDPOSE_SHARED names, or `shared` beside the checkout; it may be absent."""
    configured = os.environ.get("VIDPOSE_SHARED")
    return Path(configured) if configured else REPOSITORY.parent / "shared"
