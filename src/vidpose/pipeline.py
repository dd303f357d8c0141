"""One source from its first frame to its finished outputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from vidpose.cli._interrupt import StopRequest
from vidpose.cli._outputs import VIDEO_SUFFIX, Job
from vidpose.cli._progress import show_progress
from vidpose.errors import InputError, OutputError
from vidpose.io import ResultWriter, open_writer
from vidpose.results import FrameResult, ResultHeader, SourceInfo
from vidpose.skeleton import Skeleton
from vidpose.threads import Background, prefetch
from vidpose.tracking import PoseStream
from vidpose.video import Frame, VideoReader, VideoWriter, draw_result
from vidpose.video.sources import is_stream


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one source. ``people``: number of different ids."""

    frames: int
    people: int
    seconds: float
    warnings: tuple[str, ...]


def process(
    job: Job,
    missing: Sequence[Path],
    new_stream: Callable[[], PoseStream],
    title: str,
    stop: StopRequest,
) -> Outcome:
    """Write the ``missing`` outputs of ``job``; all of them are complete when this returns.

    Raises VidposeError or OSError when the source cannot be read or an output not be written, and
    Interrupted; unfinished outputs are then removed.
    """
    start = time.monotonic()
    live = is_stream(job.source)
    frames = 0
    ids: set[int] = set()
    with ExitStack() as stack:  # unwinds upwards: threads end before the files they use are closed
        reader = stack.enter_context(VideoReader(job.source))
        stream = new_stream()
        sinks = _open_outputs(stack, missing, reader, stream)
        source = stack.enter_context(closing(prefetch(reader)))
        meter = stack.enter_context(show_progress(title, _expected_frames(reader.info)))
        for frame in source:
            if live and stop.requested:  # this is how a webcam's video ends
                break
            stop.check()
            result = stream.step(frame.image, frame.time)
            for sink in sinks:
                sink((frame, result))
            meter.advance()
            frames += 1
            ids.update(person.id for person in result.people)
        if not live:
            stop.check()
        if frames == 0:
            raise InputError(f"{job.name}: no frame could be decoded")
    return Outcome(frames, len(ids), time.monotonic() - start, tuple(reader.warnings))


Sink = Callable[[tuple[Frame, FrameResult]], None]


def _open_outputs(
    stack: ExitStack, paths: Sequence[Path], reader: VideoReader, stream: PoseStream
) -> list[Sink]:
    """A function per output that takes one frame and its result; ``stack`` finishes the files."""
    model = stream.model
    header = ResultHeader(version("vidpose"), model.name, model.skeleton, reader.info)
    sinks: list[Sink] = []
    for path in paths:
        _make_folder(path)
        if path.suffix.lower() == VIDEO_SUFFIX:
            sinks.append(_video_sink(stack, path, reader.info, model.skeleton))
        else:
            writer = stack.enter_context(open_writer(path, header))
            sinks.append(_table_sink(writer))
    return sinks


def _table_sink(writer: ResultWriter) -> Sink:
    return lambda pair: writer.write(pair[1])


def _video_sink(stack: ExitStack, path: Path, info: SourceInfo, skeleton: Skeleton) -> Sink:
    """Drawing and encoding happen on a thread of their own, while the next frames are looked at."""
    audio = Path(info.path) if info.has_audio else None
    writer = stack.enter_context(
        VideoWriter(path, width=info.width, height=info.height, audio_from=audio)
    )

    def draw(pair: tuple[Frame, FrameResult]) -> None:
        frame, result = pair
        writer.write(draw_result(frame.image, result, skeleton), frame.time)

    return stack.enter_context(Background(draw)).put


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot write: {error.strerror}: {error.filename}") from error


def _expected_frames(info: SourceInfo) -> int | None:
    if info.frames:
        return info.frames
    if info.duration and info.average_rate:
        return round(info.duration * info.average_rate)
    return None
