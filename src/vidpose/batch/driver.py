"""The driver: who does what, what became of it, and what is tried again."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from vidpose.batch.layout import Layout, video_name
from vidpose.batch.lock import FolderLock
from vidpose.batch.made_with import Marks, keep_values, refuse_other_settings
from vidpose.batch.manifest import Manifest
from vidpose.batch.pool import Crash, Frames, Pool
from vidpose.batch.progress import Monitor, Silence, Summary
from vidpose.batch.rows import CRASHED, DONE, FAILED, QUARANTINED, VideoRow
from vidpose.batch.settings import Reply, Task, vidpose_version
from vidpose.batch.sources import Source
from vidpose.errors import OutputError
from vidpose.files import cannot_write, remove_old_parts

MOST_CRASHES = 3
_MOST_TRIES = 3  # of what failed through no fault of the video, and nobody else can do
_MOST_TROUBLES = 12  # the same, whoever else can
_APPEND_EVERY = 1.0  # s: rows are written together, as each file costs a moment
_TURN = 0.2  # s between two looks at the clock and at the user's wishes


def run_batch(
    sources: Iterable[Source],
    dest: Path,
    marks: Marks,
    new_pool: Callable[[], Pool],
    *,
    retry_failed: bool = False,
    overwrite: bool = False,
    monitor: Monitor | None = None,
    check: Callable[[], object] = lambda: None,
) -> Summary:
    """Do what is missing, failed or changed of ``sources``; ``dest`` is made.

    Args:
        new_pool: makes the workers; called when there is something to do.
        retry_failed: also those that killed their process too often.
        overwrite: also those that are finished with other settings.
        check: called several times a second; what it raises stops the batch, and passes.

    A failure of a video is a row of the manifest. Raises OutputError when ``dest`` cannot be
    written, another batch is at work there, or finished results of these sources were made with
    other settings, InputError when its manifest is damaged.
    """
    layout, sources = Layout(dest), list(sources)
    try:
        layout.manifest.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(dest, error) from error
    with FolderLock(layout.lock) as lock:
        # Of a batch that was killed: nobody else writes there now, and if, it is held open.
        for folder in layout.shared():
            remove_old_parts(folder, seconds=-math.inf)
        manifest = Manifest(layout.manifest)
        if not overwrite:
            refuse_other_settings(layout, manifest.rows, sources, marks)
        keep_values(layout, marks)
        batch = _Batch(sources, layout, manifest, marks, retry_failed, monitor or Silence())

        def turn() -> None:
            lock.check()
            check()

        try:
            batch.run(new_pool, turn)
        finally:
            with suppress(OutputError):
                lock.check()
                batch.write_rows()
        manifest.gather()
    return batch.summary()


@dataclass(eq=False)
class _Video:
    """A video that is not done yet."""

    source: Source
    name: str
    crashes: int = 0
    tries: int = 0
    troubles: int = 0
    seams: tuple[float, ...] = ()
    open_pieces: int = 0
    seconds: float = 0.0
    failed: bool = False
    digest: str | None = None
    warnings: dict[str, None] = field(default_factory=dict)


class _Batch:
    def __init__(
        self,
        sources: Sequence[Source],
        layout: Layout,
        manifest: Manifest,
        marks: Marks,
        retry_failed: bool,
        monitor: Monitor,
    ) -> None:
        self._start = time.monotonic()
        self._layout, self._manifest, self._marks = layout, manifest, marks
        self._monitor = monitor
        self._videos: dict[str, _Video] = {}
        self._counts = dict.fromkeys((DONE, FAILED, QUARANTINED), 0)
        self._frames = 0
        unique = {source.name: source for source in sources}
        self._total, self._kept = len(unique), 0
        taken = {row.video for row in manifest.rows.values()}
        self._work = float(sum(map(_weight, unique.values()))) or 1.0
        self._worked = 0.0
        for source in unique.values():
            row = manifest.rows.get(source.name)
            if row is not None and self._stays(row, source, retry_failed):
                self._worked += _weight(source)
                continue
            name = row.video if row is not None else video_name(source.name, taken)
            taken.add(name)
            crashes = row.crashes if row is not None and row.status == CRASHED else 0
            self._videos[name] = _Video(source, name, crashes)
        # The largest first, so that nobody waits for one of them at the end.
        largest_first = sorted(self._videos.values(), key=lambda video: -video.source.bytes)
        self._queue = deque(Task("video", v.name, v.source.name) for v in largest_first)
        self._rows: list[VideoRow] = []
        self._busy = 0  # tasks under way
        self._sound: set[str] = set()  # workers whose last task did not fail for their place
        self._written = time.monotonic()
        monitor.planned(self._total, self._kept, self._worked / self._work)

    def run(self, new_pool: Callable[[], Pool], turn: Callable[[], object]) -> None:
        """All tasks, with what they bring after them."""
        if not self._queue:
            return
        turn()
        with closing(new_pool()) as pool:
            while self._queue or self._busy:
                while self._queue and pool.free():
                    pool.submit(self._queue.popleft())
                    self._busy += 1
                for event in pool.wait(_TURN):
                    if isinstance(event, Frames):
                        self._monitor.frames(event.count)
                        continue
                    self._busy -= 1
                    if isinstance(event, Crash):
                        self._take_crash(event)
                    else:
                        self._take_reply(event)
                if time.monotonic() - self._written >= _APPEND_EVERY:
                    self.write_rows()
                turn()

    def write_rows(self) -> None:
        """Put what is known onto the disk."""
        self._manifest.append(self._rows)
        self._rows.clear()
        self._written = time.monotonic()

    def summary(self) -> Summary:
        counts, seconds = self._counts, time.monotonic() - self._start
        return Summary(
            self._total,
            self._kept,
            counts[DONE],
            counts[FAILED],
            counts[QUARANTINED],
            self._frames,
            seconds,
        )

    def _stays(self, row: VideoRow, source: Source, retry_failed: bool) -> bool:
        """Whether a video is left as it is."""
        same = (row.stamp, row.settings) == (source.stamp, self._marks.settings)
        if row.status == DONE and same and self._layout.table(row.video).exists():
            self._kept += 1
            return True
        if row.status == QUARANTINED and not retry_failed and row.stamp == source.stamp:
            self._counts[QUARANTINED] += 1
            return True
        return False

    def _take_reply(self, reply: Reply) -> None:
        if reply.fault == "place":
            self._sound.discard(reply.worker)
        else:
            self._sound.add(reply.worker)
        video = self._videos[reply.task.video]
        video.seconds += reply.seconds
        video.digest = reply.digest or video.digest
        video.warnings.update(dict.fromkeys(reply.warnings))
        if reply.task.kind == "piece":
            video.open_pieces -= 1
        if reply.error is not None:
            self._take_error(video, reply)
        elif reply.seams:
            self._split(video, reply.seams)
        elif reply.task.kind == "piece":
            if video.open_pieces == 0 and not video.failed:
                join = Task("join", video.name, video.source.name, video.seams)
                self._queue.appendleft(join)
        else:
            self._finish(video, DONE, reply.worker, frames=reply.frames, people=reply.people)

    def _take_error(self, video: _Video, reply: Reply) -> None:
        if video.failed:
            return
        # While others work or can, one worker's full disk tells nothing of the video.
        video.tries += not self._sound and not self._busy
        video.troubles += 1
        again = video.tries < _MOST_TRIES and video.troubles < _MOST_TROUBLES
        if reply.fault == "place" and again:
            self._again(video, reply.task)
            return
        self._finish(video, FAILED, reply.worker, error=reply.error)

    def _take_crash(self, crash: Crash) -> None:
        video = self._videos[crash.task.video]
        self._clear(video.name)
        if crash.task.kind == "piece":
            video.open_pieces -= 1
        if video.failed:
            return
        if crash.innocent:
            self._again(video, crash.task)
            return
        video.crashes += 1
        times = "once" if video.crashes == 1 else f"{video.crashes} times"
        error = f"its process died {times}, at last by {crash.reason}"
        if video.crashes >= MOST_CRASHES:
            self._finish(video, QUARANTINED, "", error=f"{error}; not tried again unasked")
            return
        self._note(self._row(video, CRASHED, "", error=error))
        self._again(video, crash.task)

    def _again(self, video: _Video, task: Task) -> None:
        video.open_pieces += task.kind == "piece"
        self._queue.append(task)

    def _split(self, video: _Video, seams: tuple[float, ...]) -> None:
        video.seams, video.open_pieces = seams, len(seams) + 1
        for number in reversed(range(len(seams) + 1)):
            piece = Task("piece", video.name, video.source.name, seams, number)
            self._queue.appendleft(piece)

    def _finish(
        self,
        video: _Video,
        status: str,
        worker: str,
        *,
        frames: int = 0,
        people: int = 0,
        error: str | None = None,
    ) -> None:
        video.failed = status != DONE
        self._counts[status] += 1
        self._frames += frames
        self._worked += _weight(video.source)
        row = self._row(video, status, worker, error=error)
        self._note(replace(row, frames=frames, people=people))
        if video.failed:
            self._clear(video.name)

    def _row(self, video: _Video, status: str, worker: str, *, error: str | None) -> VideoRow:
        return VideoRow(
            video=video.name,
            source=video.source.name,
            status=status,
            stamp=video.source.stamp,
            model=self._marks.model,
            settings=self._marks.settings,
            version=vidpose_version(),
            worker=worker,
            finished=time.time(),
            seconds=video.seconds,
            pieces=len(video.seams) + 1,
            error=error,
            crashes=video.crashes,
            warnings="\n".join(video.warnings),
            digest=video.digest,
        )

    def _note(self, row: VideoRow) -> None:
        self._rows.append(row)
        self._monitor.video(row, self._worked / self._work)

    def _clear(self, name: str) -> None:
        """Remove what a dead or failed task left; files that somebody holds open stay."""
        for folder in (self._layout.table(name).parent, self._layout.pieces(name)):
            remove_old_parts(folder, seconds=-math.inf)
            with suppress(OSError):
                folder.rmdir()  # only if nothing is in it


def _weight(source: Source) -> float:
    """How much work a source is, beside others: its bytes, and a little for its beginning."""
    return source.bytes + 50_000.0
