"""What other projects' detectors are fed, and how their outputs are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vidpose.bundle import DetectorSettings
from vidpose.errors import BundleError
from vidpose.inference.backends.base import Port
from vidpose.inference.detectors import onnx_detectors
from vidpose.inference.detectors.bundle import letterbox
from vidpose.inference.detectors.onnx_detectors import RtmDet, Yolox

SETTINGS = DetectorSettings(64, 0.3, 0.6)
COLOUR = (10, 100, 250)  # RGB


class Answers:
    """A session that gives what it is told and keeps what it was fed."""

    def __init__(self, *outputs: NDArray[np.float32]) -> None:
        self.inputs = (Port("images", "float32", (1, 3, 64, 64)),)
        self.outputs: tuple[Port, ...] = ()
        self.fed: NDArray[Any] = np.zeros(0)
        self._answers = list(outputs)

    def run(
        self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        assert outputs is None
        (self.fed,) = feed.values()
        assert list(feed) == ["images"]
        return self._answers


def image(height: int = 64, width: int = 64) -> NDArray[np.uint8]:
    return np.full((height, width, 3), COLOUR, np.uint8)


def test_rtmdet_is_fed_normalised_bgr_and_gives_distances_from_corners() -> None:
    maps = np.full((1, 8, 8, 5), -9.0, np.float32)
    maps[0, 2, 3] = (2.0, 4, 8, 12, 24)  # the corner of column 3, row 2 is (24, 16)
    maps[0, 5, 6] = (0.0, 1, 2, 3, 4)  # (48, 40)
    session = Answers(maps)
    boxes, scores = RtmDet(session, SETTINGS).detect(image())
    assert session.fed.shape == (1, 3, 64, 64)
    assert session.fed.dtype == np.float32
    expected = [(250 - 103.53) / 57.375, (100 - 116.28) / 57.12, (10 - 123.675) / 58.395]
    assert session.fed[0, :, 5, 7] == pytest.approx(expected, rel=1e-5)
    assert boxes == pytest.approx(np.array([(20, 8, 16, 32), (47, 38, 4, 6)]))
    assert scores == pytest.approx([1 / (1 + np.exp(-2)), 0.5])


def test_rtmdets_maps_are_joined_and_scaled_to_the_image() -> None:
    fine, coarse = np.full((1, 8, 8, 5), -9.0, np.float32), np.full((1, 4, 4, 5), -9.0, np.float32)
    fine[0, 0, 4] = (1.0, 8, 0, 8, 16)  # (32, 0)
    coarse[0, 1, 1] = (3.0, 8, 8, 8, 8)  # (16, 16)
    session = Answers(fine, coarse)
    boxes, _ = RtmDet(session, SETTINGS).detect(image(64, 128))  # half as large in the input
    assert boxes == pytest.approx(np.array([(16, 16, 32, 32), (48, 0, 32, 32)]))
    grey = (np.float32(114) - np.float32([103.53, 116.28, 123.675])) / [57.375, 57.12, 58.395]
    assert session.fed[0, :, 40, 7] == pytest.approx(grey, rel=1e-5)  # beside the image


def test_yolox_is_fed_bgr_and_decoded_by_strides() -> None:
    """Cells of 64 px: 8 x 8 of stride 8, then 4 x 4 of 16, then 2 x 2 of 32."""
    rows = np.zeros((1, 64 + 16 + 4, 5 + 2), np.float32)
    rows[0, 8 * 1 + 2] = (0.5, 0.25, np.log(2), np.log(1), 0.9, 0.8, 0.1)  # stride 8, row 1, col 2
    rows[0, 64 + 4 * 2 + 3] = (0, 0, 0, np.log(2), 1.0, 0.6, 0.9)  # stride 16, row 2, col 3
    rows[0, 80 + 1] = (0, 0.5, 0, 0, 0.5, 1.0, 0.0)  # stride 32, row 0, col 1
    session = Answers(rows)
    boxes, scores = Yolox(session, SETTINGS).detect(image())
    assert session.fed[0, :, 5, 7].tolist() == [250.0, 100.0, 10.0]
    assert session.fed.dtype == np.float32
    assert scores == pytest.approx([0.72, 0.6, 0.5])
    expected = np.array([(12, 6, 16, 8), (40, 16, 16, 32), (16, 0, 32, 32)], float)
    assert boxes == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("size", "square", "shape", "filled"),
    [
        ((100, 200), False, (32, 64), (32, 64)),
        ((90, 200), False, (32, 64), (29, 64)),
        ((200, 90), True, (64, 64), (64, 29)),
        ((16, 32), False, (32, 64), (32, 64)),
        ((1, 900), False, (32, 64), (1, 64)),
    ],
)
def test_an_image_fills_the_upper_left_of_the_input(
    size: tuple[int, int], square: bool, shape: tuple[int, int], filled: tuple[int, int]
) -> None:
    """The rest is grey; sides are multiples of 32."""
    padded, scale = letterbox(image(*size), 64, square=square)
    assert padded.shape == (*shape, 3)
    inside = np.zeros(shape, bool)
    inside[: filled[0], : filled[1]] = True
    assert (padded[inside] == COLOUR).all()
    assert (padded[~inside] == 114).all()
    assert scale == pytest.approx([filled[1] / size[1], filled[0] / size[0]])


@pytest.mark.parametrize(
    ("shape", "side"),
    [
        ((1, 3, 64, 64), 64),
        ((None, 3, 320, 320), 320),
        ((1, 3, 64, 96), None),
        ((1, 4, 64, 64), None),
        ((1, 3, 50, 50), None),
        ((1, 3, 0, 0), None),
        ((1, 3, None, None), None),
        ((3, 64, 64), None),
    ],
)
def test_the_input_is_a_square_of_whole_strides(
    shape: tuple[int | None, ...], side: int | None
) -> None:
    assert onnx_detectors._square_side(shape) == side


@pytest.mark.parametrize(
    ("outputs", "kind"),
    [
        ([(1, 8, 8, 5), (1, 4, 4, 5)], RtmDet),
        ([(1, 84, 85)], Yolox),
        ([(1, 84, 5)], None),
        ([(1, 83, 85)], None),
        ([(1, 8, 8, 6)], None),
        ([(1, 84, 85), (1, 84, 85)], None),
    ],
)
def test_a_file_is_recognised_by_its_ports(
    outputs: list[tuple[int, ...]],
    kind: type | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Answers()
    session.outputs = tuple(Port("out", "float32", shape) for shape in outputs)
    monkeypatch.setattr(onnx_detectors, "open_session", lambda *_: session)
    path = tmp_path / "some.onnx"
    path.write_bytes(b"graph")
    if kind is None:
        with pytest.raises(BundleError, match="not a known detector"):
            onnx_detectors.load_onnx_detector(path)
        return
    detector = onnx_detectors.load_onnx_detector(path)
    assert type(detector) is kind
    assert detector.settings == DetectorSettings(64, 0.3, 0.6)  # type: ignore[attr-defined]
