"""What a worker does: one task after the other, with networks that are loaded once."""

from __future__ import annotations

import math
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import cv2
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vidpose.batch.joining import join_pieces
from vidpose.batch.layout import Layout
from vidpose.batch.remote import in_place, is_remote, local_copy
from vidpose.batch.settings import Reply, Settings, Task
from vidpose.batch.splitting import may_be_long, piece_of, seams_of
from vidpose.errors import InputError, OutputError, VidposeError
from vidpose.files import remove_old_parts
from vidpose.inference import Detector, PoseModel
from vidpose.pipeline import Outcome, process_video
from vidpose.pipeline.options import TrackOptions
from vidpose.redact import redacted
from vidpose.results import SourceInfo
from vidpose.video import FileObject
from vidpose.video.digest import source_digest
from vidpose.video.file_object import VideoSource
from vidpose.video.sources import is_image

_WIDEST_NAME = 300  # characters of an error in the manifest


class Stopped(Exception):
    """The driver wants no more of this."""


def worker_name() -> str:
    """Host and process, for the manifest."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Worker:
    """Does tasks for the batch in ``dest``. ``networks``: already loaded ones.

    Raises VidposeError when the networks cannot be loaded.
    """

    def __init__(
        self, dest: Path, settings: Settings, networks: tuple[PoseModel, Detector] | None = None
    ) -> None:
        cv2.setNumThreads(1)  # the other cores have workers of their own
        self._layout = Layout(dest)
        self._settings = settings
        self._model, self._detector = networks or settings.load()

    def do(
        self,
        task: Task,
        name: str,
        on_frame: Callable[[], object] = lambda: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Reply:
        """Do a task; whatever fails is told in the reply. What ``should_stop`` raises passes."""
        start = time.monotonic()
        reply = Reply(task, name, 0.0)
        try:
            reply = self._do(task, reply, on_frame, should_stop)
        except Stopped:
            raise
        except Exception as error:
            reply = replace(
                reply,
                error=_one_line(error),
                fault="video" if isinstance(error, InputError) else "place",
            )
        return replace(reply, seconds=time.monotonic() - start)

    def _do(
        self,
        task: Task,
        reply: Reply,
        on_frame: Callable[[], object],
        should_stop: Callable[[], bool],
    ) -> Reply:
        table = self._layout.table(task.video)
        remove_old_parts(table.parent, seconds=-math.inf)  # of a batch that was killed
        if task.kind == "join":
            folder = self._layout.pieces(task.video)
            frames, people = join_pieces(
                [self._layout.piece(task.video, n) for n in range(len(task.seams) + 1)],
                table,
                source=task.source,
                angles=self._settings.angles,
            )
            shutil.rmtree(folder, ignore_errors=True)
            return replace(reply, frames=frames, people=people)
        with self._opened(task) as source:
            split = self._settings.split if self._settings.splits else None
            whole = task.kind == "video" and not table.exists()
            if split is not None and whole and not isinstance(source, FileObject):
                seams = seams_of(source, split)
                if seams:
                    return replace(reply, seams=seams)
            outcome = self._process(task, source, on_frame, should_stop)
            digest = source_digest(source)
        warnings = tuple(outcome.warnings)
        return replace(
            reply, frames=outcome.frames, people=outcome.people, digest=digest, warnings=warnings
        )

    @contextmanager
    def _opened(self, task: Task) -> Iterator[VideoSource]:
        """The task's video; of an address it is a copy where all of it is needed several times, as
        for what is split, or where it can be had as a whole only."""
        settings = self._settings
        if not is_remote(task.source):
            yield task.source
            return
        if task.kind == "video" and not is_image(Path(task.source)):
            with in_place(task.source) as file:
                split = settings.split if settings.splits else None
                if file is not None and (split is None or not may_be_long(file, split)):
                    yield file
                    return
        with local_copy(task.source, settings.scratch, settings.scratch_limit) as path:
            yield path

    def _process(
        self,
        task: Task,
        source: VideoSource,
        on_frame: Callable[[], object],
        should_stop: Callable[[], bool],
    ) -> Outcome:
        """A video, or a piece of one, into its files; what is complete already is kept."""
        outputs = [self._layout.table(task.video)]
        options: TrackOptions = {**self._settings.options}
        if task.kind == "piece":
            outputs = [self._layout.piece(task.video, task.number)]
            piece = piece_of(task.seams, task.number, self._settings.overlap)
            options["start"], options["end"] = piece
        elif self._settings.annotated:
            outputs.append(self._layout.annotated(task.video))
        is_copy = is_remote(task.source) and not isinstance(source, FileObject)
        renamed = task.kind == "video" and is_copy
        made = [self._layout.piece(task.video, 0)] if renamed else outputs[:1]
        outcome = self._made_once([*made, *outputs[1:]], source, options, on_frame, should_stop)
        if renamed:
            # The table shall name where the video is from, not the copy of it.
            join_pieces(made, outputs[0], source=task.source, angles=self._settings.angles)
            shutil.rmtree(made[0].parent, ignore_errors=True)
        if not outcome.written:
            frames, people = counts_of(outputs[0])
            outcome = replace(outcome, frames=frames, people=people)
        return outcome

    def _made_once(
        self,
        outputs: list[Path],
        source: VideoSource,
        options: TrackOptions,
        on_frame: Callable[[], object],
        should_stop: Callable[[], bool],
    ) -> Outcome:
        started = False

        def on_start(info: SourceInfo) -> None:
            nonlocal started
            started = True

        def after_frame(*_: object) -> None:
            on_frame()

        def run(overwrite: bool) -> Outcome:
            return process_video(
                source,
                outputs,
                model=self._model,
                detector=self._detector,
                angles=self._settings.angles,
                overwrite=overwrite,
                on_start=on_start,
                on_frame=after_frame,
                should_stop=should_stop,
                **options,
            )

        try:
            return run(overwrite=False)
        except OutputError:
            if started:
                raise
        return run(overwrite=True)  # an older result is there, of another source or other options


def counts_of(table: Path) -> tuple[int, int]:
    """Frames and people in a result."""
    columns = pq.read_table(table, columns=["frame", "id"], partitioning=None)
    return pc.count_distinct(columns["frame"]).as_py(), pc.count_distinct(columns["id"]).as_py()


def _one_line(error: Exception) -> str:
    if isinstance(error, VidposeError):
        text = str(error)
    elif isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror}"
    else:
        text = f"{type(error).__name__}: {error}"
    with suppress(UnicodeError):
        text = text.encode("utf-8", "backslashreplace").decode()
    text = redacted(" ".join(text.split()))
    return text if len(text) <= _WIDEST_NAME else text[: _WIDEST_NAME - 3] + "..."
