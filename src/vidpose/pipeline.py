"""One source from its first frame to its finished outputs, for programs and the command line."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import cast

from vidpose.analysis.angles import AngleColumns
from vidpose.defaults import DEFAULT_MODEL
from vidpose.errors import InputError, OutputError
from vidpose.files import remove_old_parts
from vidpose.inference import Detector, PoseModel, load_detector
from vidpose.inference.backends.base import default_threads
from vidpose.io import ResultWriter, open_writer
from vidpose.results import FrameResult, ResultHeader, SourceInfo
from vidpose.skeleton import Skeleton
from vidpose.threads import Background, prefetch
from vidpose.tracking import PoseStream
from vidpose.tracking.pose_stream import DEFAULT_DETECTOR
from vidpose.tracking.trackers import TrackerName
from vidpose.video import Frame, VideoReader, VideoWriter, draw_result
from vidpose.video.sources import is_stream

VIDEO_SUFFIX = ".mp4"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one source.

    ``people``: number of different ids. ``seconds``: from opening the source to the finished
    outputs. ``warnings``: one line for each kind of trouble with the source.
    """

    frames: int
    people: int
    seconds: float
    warnings: tuple[str, ...]


def track(
    source: str | Path,
    *,
    model: str | Path | PoseModel = DEFAULT_MODEL,
    detector: str | Path | Detector = DEFAULT_DETECTOR,
    smooth: bool = True,
    max_people: int | None = None,
    tracker: TrackerName = "default",
    image_rate: float | None = None,
) -> Generator[tuple[Frame, FrameResult], None, None]:
    """The people of a video, frame by frame.

        for frame, result in vidpose.track("dance.mp4"):
            print(result.time, [person.id for person in result.people])

    Lazy: models and source are opened when the first pair is asked for, and decoding is never
    more than a few frames ahead. The source is closed when the frames end, when something fails,
    or when the generator is closed or forgotten.

    Args:
        source: as ``VideoReader`` takes it: a file, an image folder, a glob of images,
            ``webcam:0`` or an address.
        model: a loaded model, a shipped one's name, or a bundle's path.
        detector: likewise.
        smooth, max_people, tracker: as of ``PoseStream``.
        image_rate: frames a second of a source that is images; 30 unless given.

    Raises VidposeError when the model or the source cannot be read.
    """
    stream = _new_stream(source, model, detector, smooth, max_people, tracker)
    with _opened(source, image_rate) as (_, frames):
        for frame in frames:
            yield frame, _look(stream, frame)


def process_video(
    source: str | Path,
    outputs: str | Path | Iterable[str | Path],
    *,
    model: str | Path | PoseModel = DEFAULT_MODEL,
    detector: str | Path | Detector = DEFAULT_DETECTOR,
    smooth: bool = True,
    max_people: int | None = None,
    tracker: TrackerName = "default",
    image_rate: float | None = None,
    angles: bool = False,
    on_start: Callable[[SourceInfo], object] | None = None,
    on_frame: Callable[[Frame, FrameResult], bool | None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Find the people of a video and write the results, as ``vidpose run`` does.

        vidpose.process_video("dance.mp4", ["dance.jsonl", "dance_pose.mp4"])

    Outputs have their names only when all of this is done: whatever fails, also within a
    callback, removes what is unfinished, leaves older files as they were, closes everything and
    is raised here. Missing folders are made; files that exist are replaced.

    Args:
        source, model, detector, smooth, max_people, tracker, image_rate: as of ``track``.
        outputs: files to write, one or several; the suffix chooses the kind: .jsonl .csv
            .parquet .json (COCO results) or .mp4 (the video with the poses drawn in).
        angles: add joint and segment angles in degrees to .csv and .parquet
            (`vidpose.analysis.angles`).
        on_start: called once with what is known of the video before its first frame.
        on_frame: called with every frame and its result once they were handed to the outputs;
            False (not None) ends the video with this frame.
        should_stop: asked before every frame, about ten times a second while the source keeps
            one waiting, and once before the outputs are finished; True ends the video here.

    Raises VidposeError when the source cannot be read or an output not be written.
    """
    start = time.monotonic()
    count = 0
    ids: set[int] = set()
    stream = _new_stream(source, model, detector, smooth, max_people, tracker)
    with _opened(source, image_rate, should_stop) as (reader, frames), ExitStack() as files:
        if on_start is not None:
            on_start(reader.info)
        sinks = _open_outputs(files, _as_paths(outputs), reader.info, stream.model, angles)
        for frame in frames:
            result = _look(stream, frame)
            for sink in sinks:
                sink((frame, result))
            count += 1
            ids.update(person.id for person in result.people)
            if on_frame is not None and on_frame(frame, result) is False:
                break
        if count == 0:
            raise InputError(f"{source}: no frame could be decoded")
    return Outcome(count, len(ids), time.monotonic() - start, tuple(reader.warnings))


def _look(stream: PoseStream, frame: Frame) -> FrameResult:
    """The frame's people, under its number in the source; nobody in a damaged picture."""
    if frame.damaged:
        return FrameResult(frame.index, frame.time)
    return replace(stream.step(frame.image, frame.time), index=frame.index)


def _new_stream(
    source: str | Path,
    model: str | Path | PoseModel,
    detector: str | Path | Detector,
    smooth: bool,
    max_people: int | None,
    tracker: TrackerName,
) -> PoseStream:
    threads = default_threads(live=is_stream(source))
    if isinstance(model, (str, Path)):
        model = PoseModel.load(model, threads)
    if isinstance(detector, (str, Path)):
        detector = load_detector(detector, threads)
    return PoseStream(model, detector, smooth=smooth, max_people=max_people, tracker=tracker)


@contextmanager
def _opened(
    source: str | Path,
    image_rate: float | None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[tuple[VideoReader, Iterator[Frame]]]:
    """The reader, and its frames, decoded ahead. Opening, reading and closing happen on another
    thread, so that a source which does not answer cannot hold this one."""
    with closing(prefetch(_read(source, image_rate), should_stop=should_stop or _never)) as items:
        reader = next(items, None)
        if not isinstance(reader, VideoReader):
            raise InputError(f"{source}: stopped before it was open")
        yield reader, cast("Iterator[Frame]", items)


def _read(
    source: str | Path, image_rate: float | None
) -> Generator[VideoReader | Frame, None, None]:
    with VideoReader(source, image_rate=image_rate) as reader:
        yield reader
        yield from reader


def _never() -> bool:
    return False


Sink = Callable[[tuple[Frame, FrameResult]], None]


def _as_paths(outputs: str | Path | Iterable[str | Path]) -> list[Path]:
    if isinstance(outputs, (str, Path)):
        return [Path(outputs)]
    return [Path(output) for output in outputs]


def _open_outputs(
    stack: ExitStack, paths: Iterable[Path], info: SourceInfo, model: PoseModel, angles: bool
) -> list[Sink]:
    """A function per output that takes one frame and its result; ``stack`` finishes the files.

    It unwinds upwards, so threads end before the files that they use are closed.
    """
    header = ResultHeader(version("vidpose"), model.name, model.skeleton, info)
    sinks: list[Sink] = []
    for path in paths:
        _make_folder(path)
        if path.suffix.lower() == VIDEO_SUFFIX:
            sinks.append(_video_sink(stack, path, info, model.skeleton))
        else:
            further = AngleColumns(model.skeleton) if angles else None
            writer = stack.enter_context(open_writer(path, header, further))
            sinks.append(_table_sink(writer))
    return sinks


def _table_sink(writer: ResultWriter) -> Sink:
    return lambda pair: writer.write(pair[1])


def _video_sink(stack: ExitStack, path: Path, info: SourceInfo, skeleton: Skeleton) -> Sink:
    """Drawing and encoding happen on a thread of their own, while the next frames are processed."""
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
    remove_old_parts(path.parent)
