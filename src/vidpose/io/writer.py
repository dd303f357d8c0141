"""The one writer of all result formats: checks, the temporary file, errors in one line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vidpose.errors import OutputError
from vidpose.files import AtomicFile, FinishedOrAborted, cannot_write
from vidpose.results import FrameResult, ResultHeader


class Encoder(ABC):
    """One format: turns frames into bytes of ``file`` as they come, in constant memory."""

    def __init__(self, file: BinaryIO, header: ResultHeader) -> None:
        self.file = file
        self.header = header

    @abstractmethod
    def write(self, result: FrameResult) -> None:
        """Encode one frame."""

    def finish(self) -> None:  # noqa: B027, most formats have nothing there
        """Encode what comes after the last frame."""

    def release(self) -> None:  # noqa: B027, most formats hold nothing but the file
        """Let go of the file without finishing."""


class ResultWriter(FinishedOrAborted):
    """Writes one record per frame, in constant memory.

    The file appears under its final name on ``close``; ``abort`` removes what was written, and so
    does leaving ``with`` by an exception, or any failure. Raises OutputError when the file cannot
    be written, and for frames that are out of order or of another skeleton.
    """

    def __init__(
        self,
        path: str | Path,
        header: ResultHeader,
        encoder: Callable[[BinaryIO, ResultHeader], Encoder],
    ) -> None:
        self.path = Path(path)
        self._header = header
        self._last_index = -1
        self._open = True
        self._target = AtomicFile(self.path)
        self._file: BinaryIO | None = None
        self._encoder: Encoder | None = None
        with self._guard():
            self._file = self._target.temporary.open("wb")
            self._encoder = encoder(self._file, header)

    def write(self, result: FrameResult) -> None:
        """Add one frame; its index must be greater than the one before."""
        if not self._open or self._encoder is None:
            raise OutputError(f"{self.path}: cannot write: the file is already closed")
        with self._guard():
            self._check(result)
            self._encoder.write(result)
        self._last_index = result.index

    def close(self) -> None:
        """Finish the file and put it under its final name. Does nothing when already closed."""
        if not self._open or self._encoder is None or self._file is None:
            return
        with self._guard():
            self._encoder.finish()
            self._file.close()
        self._open = False
        self._target.commit()

    def abort(self) -> None:
        """Remove what was written. Does nothing when already closed."""
        if not self._open:
            return
        self._open = False
        if self._encoder is not None:
            self._encoder.release()
        if self._file is not None:
            with suppress(OSError):  # what is left in the buffer has no place to go
                self._file.close()
        self._target.discard()

    def _check(self, result: FrameResult) -> None:
        if result.index <= self._last_index:
            raise OutputError(
                f"{self.path}: frame {result.index} after frame {self._last_index}: "
                "write every frame once, in order"
            )
        skeleton = self._header.skeleton
        for person in result.people:
            if len(person.keypoints) != skeleton.num_keypoints:
                raise OutputError(
                    f"{self.path}: frame {result.index}, person {person.id}: "
                    f"{len(person.keypoints)} keypoints, but skeleton '{skeleton.name}' has "
                    f"{skeleton.num_keypoints}"
                )

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Leave nothing behind after a failure; make one line of the file system's errors."""
        try:
            yield
        except OSError as error:
            self.abort()
            raise cannot_write(self.path, error) from error
        except BaseException:
            self.abort()
            raise
