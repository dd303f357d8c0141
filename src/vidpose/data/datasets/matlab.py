"""Reading MATLAB files, whose reader fails in a dozen ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

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


def load_array(path: Path, name: str) -> NDArray[np.float32]:
    """The numbers of one variable. Raises DataError as `load_mat`, or when they are none."""
    content = load_mat(path)
    try:
        return np.asarray(content[name], np.float32)
    except KeyError as error:
        raise DataError(f"{path}: it has no variable '{name}'") from error
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: '{name}' holds no numbers") from error
