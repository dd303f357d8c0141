"""What a network gives, read once more: plainly, joint by joint, as its authors describe it.

Nothing of the stream's own preparing and decoding is used, so that a bundle is compared with
something that cannot share its faults.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import ImportedSettings, NetworkInput, OneStageSettings
from vidpose.importing.reading import NetworkFile

Row = list[float]


def raw_outputs(
    network: NetworkFile, picture: NDArray[np.uint8], form: NetworkInput, names: tuple[str, ...]
) -> list[NDArray[np.float64]]:
    """Outputs of the raw session for one picture (height, width, 3), without the batch axis."""
    values = picture.astype(np.float64)
    if form.colour == "bgr":
        values = values[:, :, [2, 1, 0]]
    if form.element not in ("uint8", "int32"):
        values = (values - np.array(form.mean)) / np.array(form.deviation)
    if form.layout == "nchw":
        values = np.moveaxis(values, 2, 0)
    feed = {network.session.inputs[0].name: np.ascontiguousarray(values[None], form.element)}
    return [np.asarray(value[0], np.float64) for value in network.session.run(names, feed)]


def crop_keypoints(
    values: list[NDArray[np.float64]], settings: ImportedSettings
) -> NDArray[np.float64]:
    """Keypoints (K, 3) of one crop: x, y in its pixels, confidence."""
    height, width = settings.size
    if settings.form == "simcc":
        rows = [
            [
                int(x.argmax()) * width / len(x),
                int(y.argmax()) * height / len(y),
                min(x.max(), y.max()),
            ]
            for x, y in zip(values[0], values[1], strict=True)
        ]
    elif settings.form == "coordinates":
        table = values[0].reshape(-1, values[0].shape[-1])
        first, second = (width, height) if settings.order == "xy" else (height, width)
        rows = []
        for row in table:
            place = [row[0] * first - 0.5, row[1] * second - 0.5]
            rows.append([*(place if settings.order == "xy" else place[::-1]), *row[2:]])
            rows[-1] += [1.0] * (3 - len(rows[-1]))
    else:
        rows = [_peak(plane, settings) for plane in values[0]]
    found = np.array(rows, np.float64)
    found[:, 2] = found[:, 2].clip(0, 1)
    return found


def people_rows(
    values: list[NDArray[np.float64]], settings: OneStageSettings
) -> NDArray[np.float64]:
    """Rows (M, 5 + 3 K): corners, score, keypoints, in pixels of the network's input."""
    height, width = settings.size
    rows: list[Row] = []
    if settings.form == "yolo":
        for x, y, w, h, score, *rest in values[0].T.tolist():
            rest = rest[settings.classes - 1 :]
            rows.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2, score, *rest])
    elif settings.form == "yolo-nms":
        rows = [[*row[:5], *row[6:]] for row in values[0].tolist() if row[5] == 0]
    elif settings.form == "rtmo":
        for box, keypoints in zip(values[0].tolist(), values[1], strict=True):
            rows.append([*box, *keypoints.ravel().tolist()])
    else:
        for row in values[0].tolist():
            points: Row = []
            for start in range(0, len(row) - 5, 3):
                y, x, score = row[start : start + 3]
                points += [x * width - 0.5, y * height - 0.5, score]
            top, left, bottom, right, score = row[-5:]
            corners = [left * width, top * height, right * width, bottom * height]
            rows.append([*corners, score, *points])
    if settings.numbers == 2:
        rows = [_scored(row) for row in rows]
    found = np.array(rows, np.float64)
    found[:, 7::3] = found[:, 7::3].clip(0, 1)
    return found


def _scored(row: Row) -> Row:
    """A row of keypoints without confidences, given the person's score."""
    scored = row[:5]
    for place in range(5, len(row), 2):
        scored += [row[place], row[place + 1], row[4]]
    return scored


def _peak(plane: NDArray[np.float64], settings: ImportedSettings) -> Row:
    """x, y and height of a map's peak."""
    height, width = plane.shape
    y, x = divmod(int(plane.argmax()), width)
    top = float(plane[y, x])
    dx = dy = 0.0
    if settings.refinement == "quarter":
        if 1 < x < width - 1 and 1 < y < height - 1:
            dx = 0.25 * float(np.sign(plane[y, x + 1] - plane[y, x - 1]))
            dy = 0.25 * float(np.sign(plane[y + 1, x] - plane[y - 1, x]))
    else:
        dx, dy = _taylor(plane, x, y, udp=settings.refinement == "udp")
    if settings.refinement == "udp":
        along = (settings.size[1] - 1) / (width - 1), (settings.size[0] - 1) / (height - 1)
    else:
        along = settings.size[1] / width, settings.size[0] / height
    return [(x + dx) * along[0], (y + dy) * along[1], top]


def _taylor(plane: NDArray[np.float64], x: int, y: int, *, udp: bool) -> tuple[float, float]:
    border = cv2.BORDER_REFLECT_101 if udp else cv2.BORDER_CONSTANT
    smooth = cv2.GaussianBlur(plane, (11, 11), 0, borderType=border)
    d = np.log(np.maximum(smooth, 1e-3 if udp else 1e-10))
    edge = 1 if udp else 2
    if not (edge <= x < d.shape[1] - edge and edge <= y < d.shape[0] - edge):
        return 0.0, 0.0
    gx, gy = (d[y, x + 1] - d[y, x - 1]) / 2, (d[y + 1, x] - d[y - 1, x]) / 2
    if udp:
        xx = d[y, x + 1] - 2 * d[y, x] + d[y, x - 1]
        yy = d[y + 1, x] - 2 * d[y, x] + d[y - 1, x]
        xy = d[y + 1, x + 1] - d[y, x + 1] - d[y + 1, x] + 2 * d[y, x]
        xy = (xy - d[y, x - 1] - d[y - 1, x] + d[y - 1, x - 1]) / 2
    else:
        xx = (d[y, x + 2] - 2 * d[y, x] + d[y, x - 2]) / 4
        yy = (d[y + 2, x] - 2 * d[y, x] + d[y - 2, x]) / 4
        xy = (d[y + 1, x + 1] - d[y - 1, x + 1] - d[y + 1, x - 1] + d[y - 1, x - 1]) / 4
    determinant = xx * yy - xy * xy
    if math.isclose(determinant, 0.0, abs_tol=1e-12):
        return 0.0, 0.0
    return -(yy * gx - xy * gy) / determinant, -(xx * gy - xy * gx) / determinant
