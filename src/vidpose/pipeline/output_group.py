"""Outputs that are written side by side, of which one may fail alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from vidpose.errors import OutputError
from vidpose.results import FrameResult
from vidpose.video import Frame

Sink = Callable[[Frame, FrameResult], None]


class OutputGroup:
    """Takes every frame to all outputs. One that cannot be written any more (a full disk) is
    dropped, and the others go on.

    A context manager: at its end the outputs are finished, after an exception removed.
    """

    def __init__(self) -> None:
        self._open: dict[Path, tuple[Sink, ExitStack]] = {}
        self._failures: dict[Path, OutputError] = {}

    def add(self, path: Path, sink: Sink, files: ExitStack) -> None:
        """Take an output; leaving ``files`` finishes it, or removes it after an error."""
        self._open[path] = (sink, files)

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Hand over a frame. Raises OutputError when no output is left."""
        for path, (sink, files) in list(self._open.items()):
            try:
                sink(frame, result)
            except OutputError as error:
                del self._open[path]
                self._failures[path] = error
                files.__exit__(type(error), error, error.__traceback__)
        if not self._open:
            self.raise_failures()

    @property
    def finished(self) -> list[Path]:
        """The outputs that are complete, once the group has ended."""
        return list(self._open)

    def raise_failures(self) -> None:
        """Raise OutputError where an output failed, which also says what is complete."""
        if self._failures:
            whole = [str(path) for path in self._open if str(path) != "-"]
            kept = f"; complete all the same: {', '.join(whole)}" if whole else ""
            raise OutputError("; ".join(map(str, self._failures.values())) + kept)

    def __enter__(self) -> OutputGroup:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Last opened, first ended. What is no failure of the place ends all that come after.
        raised: BaseException | None = None
        for path, (_, files) in reversed(list(self._open.items())):
            try:
                files.__exit__(kind, error, trace)
            except OutputError as failure:
                del self._open[path]
                self._failures[path] = failure
            except BaseException as other:
                raised = raised or other
                kind, error, trace = type(other), other, other.__traceback__
        if raised is not None:
            raise raised
