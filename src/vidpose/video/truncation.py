"""How long a video file says it is, to notice that its end is missing.

Demuxers stop quietly at the end of a file that was cut, so the outermost boxes are read here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from vidpose.video.file_object import FileObject, opened_bytes

_MP4_BOXES = frozenset(
    b"ftyp styp moov moof mdat mfra free skip wide sidx uuid meta udta pnot emsg prft pdin".split()
)
_EBML_HEADER, _MATROSKA_SEGMENT = 0x1A45DFA3, 0x18538067
_TS_PACKET = 188


def missing_bytes(source: Path | FileObject) -> int:
    """How many bytes the file lacks by its own account; 0 where it is whole or cannot tell.

    Knows MP4/MOV, Matroska/WebM, AVI and MPEG-TS (which tells only a partly missing packet).
    """
    with opened_bytes(source) as (file, size):
        head = file.read(_TS_PACKET + 1)
        declared = _parser_for(head)
        if declared is None:
            return 0
        file.seek(0)
        return max(0, declared(file, size) - size)


def whole_boxes(source: Path | FileObject) -> int:
    """Bytes of an MP4/MOV in front of its first incomplete box; 0 where there is none."""
    with opened_bytes(source) as (file, size):
        if _parser_for(file.read(_TS_PACKET + 1)) is not _mp4_size:
            return 0
        position = 0
        while position < size:
            end = _mp4_box_end(file, position)
            if end is None:
                return 0
            if end > size:
                return position
            position = end
    return 0


def _parser_for(head: bytes) -> Callable[[BinaryIO, int], int] | None:
    if head[4:8] in _MP4_BOXES:
        return _mp4_size
    if int.from_bytes(head[:4], "big") == _EBML_HEADER:
        return _matroska_size
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _avi_size
    if len(head) > _TS_PACKET and head[0] == head[_TS_PACKET] == 0x47:
        return _transport_stream_size
    return None


def _mp4_size(file: BinaryIO, size: int) -> int:
    position = 0
    while position < size:
        end = _mp4_box_end(file, position)
        if end is None:
            return size
        position = end
    return position


def _mp4_box_end(file: BinaryIO, position: int) -> int | None:
    """Where the box at ``position`` ends; None for the last one, and where there is no box."""
    file.seek(position)
    header = file.read(16)
    if len(header) < 8:
        return position + 8
    if header[4:8] not in _MP4_BOXES:
        return None  # trailing bytes that are no box: nothing can be said
    length = int.from_bytes(header[:4], "big")
    if length == 1:
        length = int.from_bytes(header[8:16], "big")
    return position + length if length >= 8 else None  # 0 means "to the end of the file"


def _matroska_size(file: BinaryIO, size: int) -> int:
    for _ in range(2):  # the EBML header, then the segment that holds everything
        identifier = _ebml_number(file, keep_marker=True)
        length = _ebml_number(file, keep_marker=False)
        if identifier is None or length is None:
            return size  # an unknown length, as in a live recording
        if identifier == _MATROSKA_SEGMENT:
            return file.tell() + length
        file.seek(length, 1)
    return size


def _ebml_number(file: BinaryIO, *, keep_marker: bool) -> int | None:
    """A variable-length number; None at the end of the file or for "unknown" (all ones)."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    extra = 8 - first[0].bit_length()
    number = int.from_bytes(first + file.read(extra), "big")
    if keep_marker:
        return number
    marker = 1 << (7 * (extra + 1))
    return None if number == 2 * marker - 1 else number - marker


def _avi_size(file: BinaryIO, size: int) -> int:
    position = 0
    while position + 8 <= size:  # files above 1 GB hold several RIFF chunks
        file.seek(position)
        header = file.read(8)
        length = int.from_bytes(header[4:8], "little")
        if header[:4] != b"RIFF" or length == 0:
            return size
        position += 8 + length + length % 2
    return position


def _transport_stream_size(file: BinaryIO, size: int) -> int:
    whole = size // _TS_PACKET * _TS_PACKET
    file.seek(whole)
    # After damage or junk the packets lie elsewhere, and nothing can be said.
    return whole + _TS_PACKET if file.read(1) == b"\x47" else size
