"""High dynamic range and wide colours brought to BT.709, as an ordinary screen shows them.

Sources: Recommendations ITU-R BT.2100 (PQ and HLG), BT.2087 (BT.2020 to BT.709), BT.2408 (diffuse
white at 203 nits).
"""

from __future__ import annotations

import math
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

PQ, HLG = 16, 18  # H.273 codes of the transfer functions
_BT2020 = 9  # H.273 code of the primaries
_SIDE = 33  # points along each axis of the table
_WHITE = 203.0  # nits shown as white
_HLG_PEAK = 1000.0  # nits of the screen that HLG's system gamma of 1.2 belongs to
_KNEE = 0.7  # brightness relative to white up to which nothing changes
_SCREEN_GAMMA = 2.4  # BT.1886

_PLANES = "gbrp16le"  # what the table is looked up with: FFmpeg's fastest way
_BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593])  # of BT.2020

Colours = NDArray[np.float64]


def is_high_dynamic_range(picture: VideoFrame) -> bool:
    """Whether the picture is coded in PQ or HLG."""
    return picture.color_trc in (PQ, HLG)


class ToneMapper:
    """Maps pictures of one kind by FFmpeg's lookup table filter.

    ``source_format``: the pixel format to hand in, R'G'B' coded as the source has it.
    """

    source_format = _PLANES

    def __init__(self, picture: VideoFrame) -> None:
        """For pictures with the size, transfer function and primaries of ``picture``."""
        wide = picture.color_primaries != 1  # untagged ones are BT.2020's by far
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=picture.width,
            height=picture.height,
            format=picture.format,
            time_base=picture.time_base or Fraction(1, 1000),
        )
        with tempfile.TemporaryDirectory(prefix="vidpose-") as folder:
            table = Path(folder) / "table.cube"
            table.write_text(_cube(colour_table(picture.color_trc, wide=wide)), encoding="ascii")
            lookup = self._graph.add("lut3d", file=str(table))
            shown = self._graph.add("format", pix_fmts="rgb24")
            sink = self._graph.add("buffersink")
            source.link_to(lookup)
            lookup.link_to(shown)
            shown.link_to(sink)
            self._graph.configure()  # reads the table

    def map(self, picture: VideoFrame) -> VideoFrame:
        """The picture, given in ``source_format``, as rgb24."""
        self._graph.push(picture)
        mapped = self._graph.pull()
        assert isinstance(mapped, VideoFrame)
        return mapped


def colour_table(transfer: int, *, wide: bool) -> Colours:
    """BT.709 R'G'B' in [0, 1] for a lattice of coded R'G'B', red running fastest: (33^3, 3).

    ``transfer``: ``PQ`` or ``HLG``; ``wide``: the primaries are BT.2020's, else BT.709's.
    """
    axis = np.linspace(0.0, 1.0, _SIDE)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    coded = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    light = _light_of_pq(coded) if transfer == PQ else _light_of_hlg(coded)
    if wide:
        light = np.maximum(light @ _BT2020_TO_BT709.T, 0.0)
    return np.clip(_with_soft_highlights(light), 0.0, 1.0) ** (1 / _SCREEN_GAMMA)


def _light_of_pq(coded: Colours) -> Colours:
    """Light relative to white (BT.2100, table 4)."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = coded ** (1 / m2)
    return np.asarray((np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) * 10000 / _WHITE)


def _light_of_hlg(coded: Colours) -> Colours:
    """Light relative to white (BT.2100, table 5), with the system gamma of a screen."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * math.log(4 * a)
    scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
    luminance = np.maximum(scene @ _LUMINANCE, 1e-9)[:, None]
    return np.asarray(scene * luminance**0.2 * _HLG_PEAK / _WHITE)


def _with_soft_highlights(light: Colours) -> Colours:
    """What is darker than the knee stays, all above nears white; hues stay."""
    brightest = np.maximum(light.max(axis=1, keepdims=True), 1e-9)
    room = 1 - _KNEE
    soft = _KNEE + room * (1 - np.exp(-(brightest - _KNEE) / room))
    return light * np.where(brightest > _KNEE, soft / brightest, 1.0)


def _cube(table: Colours) -> str:
    rows = "\n".join(f"{red:.6f} {green:.6f} {blue:.6f}" for red, green, blue in table.tolist())
    return f"LUT_3D_SIZE {_SIDE}\n{rows}\n"
