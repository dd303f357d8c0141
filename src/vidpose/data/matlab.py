"""Reading MATLAB files, whose reader fails in a dozen ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import scipy.io

from vidpose.errors import DataError


def load_mat(path: Path, **options: Any) -> dict[str, Any]:
    """The variables of a MATLAB file; `options` are those of scipy's loadmat.

    Raises DataError when the file is missing or damaged.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing")
    try:
        return dict(scipy.io.loadmat(path, **options))
    except Exception as error:
        raise DataError(f"{path}: cannot be read as a MATLAB file ({error})") from error
