"""JSON lines on standard output, one for each frame as soon as it is known."""

from __future__ import annotations

import sys

from vidpose.errors import OutputError
from vidpose.io.jsonl import JsonlEncoder
from vidpose.results import FrameResult, ResultHeader


class StandardOutput:
    """Writes what a .jsonl file would hold. Raises BrokenPipeError when the reader has gone."""

    def __init__(self, header: ResultHeader) -> None:
        stdout = sys.stdout
        if stdout is None:
            raise OutputError("standard output is closed; give --out a file")
        stdout.flush()
        self._file = stdout.buffer
        self._encoder = JsonlEncoder(self._file, header, sized=False)
        self._file.flush()

    def write(self, result: FrameResult) -> None:
        """Add one frame."""
        self._encoder.write(result)
        self._file.flush()
