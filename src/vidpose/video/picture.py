"""From a decoded picture to the image that is shown: colours, pixel shape, rotation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.sidedata.sidedata import SideData
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vidpose.video.orientation import Orientation
from vidpose.video.tone_mapping import ToneMapper, is_high_dynamic_range

_BT2020 = 9  # by number: PyAV before 18 has no name for it
_UNSPECIFIED = 2  # H.273
_HD_WIDTH, _SD_HEIGHT = 1280, 576  # as players decide it
_MAX_STRETCH = 16  # a pixel more oblong than this is a fault of the file


class Display:
    """Shows the pictures of one video track.

    Colours become BT.709 (HDR is tone-mapped; without a tag HD is read as BT.709, smaller
    pictures as BT.601), pixels square (the width follows the pixels' shape, the height stays),
    and rotation and mirroring are applied. Every picture keeps a shape of its own: a track may
    turn or change its size at any time.
    """

    def __init__(self, stream: VideoStream, first: VideoFrame) -> None:
        self._codec: VideoCodecContext = stream.codec_context
        self._first_size = (first.width, first.height)
        self._coded_aspect = self._codec.sample_aspect_ratio
        self._aspect = _usable(stream.sample_aspect_ratio)
        self._rotation: int | None = None
        self._orientation = Orientation()
        self._reformatter = VideoReformatter()
        self._mapper: ToneMapper | None = None
        self._mapped: tuple[int, ...] = ()

    def size(self, picture: VideoFrame) -> tuple[int, int]:
        """Width and height of the picture as shown."""
        return self._orientation_of(picture).shown_size(*self._square_size(picture))

    def image(self, picture: VideoFrame) -> NDArray[np.uint8]:
        """The picture as shown, (H, W, 3) uint8 RGB.

        Raises ValueError or an error of FFmpeg for a pixel format that has no RGB form.
        """
        width, height = self._square_size(picture)
        if is_high_dynamic_range(picture):
            rgb = self._tone_mapped(picture, width, height)
        else:
            matrix = None if picture.colorspace != _UNSPECIFIED else _assumed_matrix(picture)
            rgb = self._reformatter.reformat(picture, width, height, "rgb24", matrix)
        image = np.asarray(rgb.to_ndarray(), dtype=np.uint8)
        return self._orientation_of(picture).apply(image)

    def _tone_mapped(self, picture: VideoFrame, width: int, height: int) -> VideoFrame:
        matrix = None if picture.colorspace != _UNSPECIFIED else _BT2020
        planes = self._reformatter.reformat(
            picture, width, height, ToneMapper.source_format, matrix
        )
        kind = (width, height, picture.color_trc, picture.color_primaries)
        if self._mapper is None or kind != self._mapped:
            self._mapper, self._mapped = ToneMapper(planes), kind
        return self._mapper.map(planes)

    def _square_size(self, picture: VideoFrame) -> tuple[int, int]:
        """Size in square pixels, before rotation."""
        coded = self._codec.sample_aspect_ratio
        aspect = self._aspect
        if (picture.width, picture.height) != self._first_size or coded != self._coded_aspect:
            aspect = _usable(coded)  # the container's word was about the first pictures
        return max(1, round(picture.width * aspect)), picture.height

    def _orientation_of(self, picture: VideoFrame) -> Orientation:
        # The side data tie the picture into a reference cycle, so they are read but once.
        if picture.rotation != self._rotation:
            self._rotation = picture.rotation
            self._orientation = _orientation(picture)
        return self._orientation


def _usable(aspect: Fraction | None) -> Fraction:
    """Width of a pixel over its height; 1 where nothing sensible is given."""
    sensible = aspect and Fraction(1, _MAX_STRETCH) <= aspect <= _MAX_STRETCH
    return aspect if aspect and sensible else Fraction(1)


def _assumed_matrix(picture: VideoFrame) -> Colorspace | None:
    if picture.format.is_rgb:
        return None
    sides = picture.width, picture.height
    hd = max(sides) >= _HD_WIDTH or min(sides) > _SD_HEIGHT
    return Colorspace.ITU709 if hd else Colorspace.ITU601


def _orientation(picture: VideoFrame) -> Orientation:
    side_data = picture.side_data.get("DISPLAYMATRIX")
    if not isinstance(side_data, SideData):
        return Orientation()
    return Orientation.from_display_matrix(np.frombuffer(memoryview(side_data), np.int32).tolist())
