"""Files for OpenSim: markers in metres (.trc) and angles in degrees (.mot), of one person.

Both formats hold evenly spaced rows of one subject and say how many there are before the first, so
they are written from a whole result, not frame by frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import OutputError
from vidpose.files import AtomicFile, cannot_write

Floats = NDArray[np.float64]


def write_trc(path: Path, times: Floats, markers: Floats, names: Sequence[str]) -> None:
    """Markers as a .trc file: ``times`` (T,) s, ``markers`` (T, M, 2) metres, y upwards.

    z is 0: the picture's plane. Missing values are left empty, as OpenSim expects. Raises
    OutputError when nothing is to be written or the folder cannot be written.
    """
    if not len(times):
        raise OutputError(f"{path}: nothing to write: the person is in no frame")
    rate = f"{_rate(times):.6g}"
    count, size = str(len(times)), str(len(names))
    keys = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate",
            "OrigDataStartFrame", "OrigNumFrames")  # fmt: skip
    values = (rate, rate, count, size, "m", rate, "1", count)
    axes = [f"{axis}{marker}" for marker in range(1, len(names) + 1) for axis in "XYZ"]
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "\t".join(keys),
        "\t".join(values),
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(axes),
        "",
    ]
    flat = np.concatenate([markers, np.zeros((*markers.shape[:2], 1))], axis=2)
    flat[np.isnan(markers[..., 0])] = np.nan
    for number, (time, row) in enumerate(zip(times, flat.reshape(len(times), -1), strict=True), 1):
        lines.append("\t".join([str(number), f"{time:.6f}", *map(_cell, row)]))
    _write(path, lines)


def write_mot(path: Path, times: Floats, values: Floats, names: Sequence[str]) -> None:
    """Angles as a .mot file: ``times`` (T,) s, ``values`` (T, A) degrees; missing ones are nan.

    Raises OutputError as `write_trc` does.
    """
    if not len(times):
        raise OutputError(f"{path}: nothing to write: the person is in no frame")
    lines = [
        path.stem,
        "version=1",
        f"nRows={len(times)}",
        f"nColumns={len(names) + 1}",
        "inDegrees=yes",
        "endheader",
        "\t".join(["time", *names]),
    ]
    for time, row in zip(times, values, strict=True):
        lines.append("\t".join([f"{time:.6f}", *(_cell(value, "nan") for value in row)]))
    _write(path, lines)


def _rate(times: Floats) -> float:
    return 1 / float(np.median(np.diff(times))) if len(times) > 1 else 1.0


def _cell(value: float, missing: str = "") -> str:
    return missing if np.isnan(value) else f"{value:.6f}"


def _write(path: Path, lines: Sequence[str]) -> None:
    target = AtomicFile(path)
    try:
        target.temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
        target.commit()
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        target.discard()
