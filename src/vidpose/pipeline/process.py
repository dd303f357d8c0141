"""From a source to results, frame by frame, and on to finished files."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vidpose.defaults import DEFAULT_MODEL
from vidpose.errors import InputError
from vidpose.inference import Detector, PoseModel
from vidpose.inference.backends.cpus import default_threads
from vidpose.inference.detectors.default import DEFAULT_DETECTOR, detector_for
from vidpose.io import FurtherColumns
from vidpose.pipeline.confirmation import CONFIRM_SCORE, Confirmation
from vidpose.pipeline.existing import (
    changed_meanwhile,
    complete_outputs,
    differing_style,
    provenance_of,
    refuse_own_source,
    refuse_rivals,
)
from vidpose.pipeline.options import TrackOptions, with_defaults
from vidpose.pipeline.output_group import OutputGroup
from vidpose.pipeline.outputs import STANDARD_OUTPUT, open_outputs
from vidpose.pipeline.provenance import (
    VIDEO_SUFFIX,
    is_drawn_output,
    note_outputs,
)
from vidpose.pipeline.reading import opened
from vidpose.pipeline.selection import Chooser, Viewport, region_of
from vidpose.redact import redacted
from vidpose.results import FrameResult, SourceInfo
from vidpose.skeleton import Skeleton
from vidpose.tracking import PoseStream
from vidpose.video import Frame, VideoReader
from vidpose.video.drawing import DrawStyle, check_style
from vidpose.video.file_object import VideoSource, check_source
from vidpose.video.sources import is_stream

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one source.

    ``people``: number of different ids. ``seconds``: from opening the source to the finished
    outputs. ``warnings``: one line for each kind of trouble with the source. ``written``,
    ``kept``: the outputs made now, and those that were complete already; with nothing to write
    the source is not read, and ``frames`` is 0.
    """

    frames: int
    people: int
    seconds: float
    warnings: tuple[str, ...]
    written: tuple[Path, ...]
    kept: tuple[Path, ...]


def track(
    source: VideoSource,
    *,
    model: str | Path | PoseModel = DEFAULT_MODEL,
    detector: str | Path | Detector = DEFAULT_DETECTOR,
    **options: Unpack[TrackOptions],
) -> Generator[tuple[Frame, FrameResult], None, None]:
    """The people of a video, frame by frame.

        for frame, result in vidpose.track("dance.mp4"):
            print(result.time, [person.id for person in result.people])

    Lazy: models and source are opened when the first pair is asked for, and decoding is never
    more than a few frames ahead. The source is closed when the frames end, when something fails,
    or when the generator is closed or forgotten.

    Args:
        source: as ``VideoReader`` takes it: a file, an image folder, a glob of images,
            ``webcam:0``, an address, a ``vidpose.video.FileObject``.
        model: a loaded model, a shipped one's name, or a bundle's path.
        detector: likewise.
        smooth: filter keypoints over time (True).
        max_people: at most so many people at a time; those who are there first stay (None: all).
        tracker: how people are told apart: "default", "poseflow" or "flow".
        image_rate: frames a second of a source that is images (30).
        video_track: which video track of several, counted from 1 (the best one).
        start, end: the part to take, in seconds after the first frame, or "hh:mm:ss.mmm"; from
            the first frame at or after ``start`` up to the last before ``end``. Frames keep their
            numbers and times. Of a file, little before ``start`` is decoded.
        every: take only every Nth frame of that (1).
        region: x, y, width, height in pixels, the part that is searched (everything).
        max_side: pictures are made smaller until their longer side has so many pixels, before
            people are detected and drawn (None: never).
        person: keep one person: "largest" in each frame, "first" there, an id, or "x,y@t":
            whoever's box has that pixel at t seconds, from then on (None: all).
        min_score: leave people out of frames in which their score is lower (0).
        confirm_score: leave out who never reaches this median score over a second, as drawings and
            posters do (.6 where the model's confidences are calibrated, else 0, which is off).
        min_duration: leave out who is seen for less than so many seconds, 1.5 at most (0).

    Frames come up to 1.5 seconds late where one of the last two is on, so that who is confirmed
    is there from the first frame.

    Coordinates are always those of the whole picture, ``frame.image``.

    Raises InputError for options that cannot be and for a source that cannot be read, BundleError
    for a model that cannot. TypeError for an option that there is not.
    """
    check_source(source)
    settings = with_defaults(options)
    finder = _Finder(source, _new_stream(source, model, detector, settings), settings)
    with opened(source, settings) as (reader, frames):
        yield from finder.results(frames, reader)


def process_video(
    source: VideoSource,
    outputs: str | Path | Iterable[str | Path],
    *,
    model: str | Path | PoseModel = DEFAULT_MODEL,
    detector: str | Path | Detector = DEFAULT_DETECTOR,
    angles: bool = False,
    style: DrawStyle | None = None,
    overwrite: bool = False,
    on_start: Callable[[SourceInfo], object] | None = None,
    on_frame: Callable[[Frame, FrameResult], bool | None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    **options: Unpack[TrackOptions],
) -> Outcome:
    """Find the people of a video and write the results, as ``vidpose run`` does.

        vidpose.process_video("dance.mp4", ["dance.jsonl", "dance_pose.mp4"])

    Outputs have their names only when all of this is done: whatever fails, also within a
    callback, removes what is unfinished, leaves older files as they were, closes everything and
    is raised here. An output that cannot be written any more (a full disk) does so alone: the
    others are finished before it is raised. Missing folders are made.

    Args:
        source, model, detector: as of ``track``, and so are all ``options``.
        outputs: files to write, one or several; the suffix chooses the kind: .jsonl .csv
            .parquet .json (COCO results) or those of other tools (`vidpose.io`); .mp4 (the video
            with the poses drawn in), .gif or .webp (its first minute, made small), .jpg or .png
            (a contact sheet of 16 frames), ``frames/*.png`` (a file per frame); "-" stands for
            JSON lines on standard output.
        angles: add joint and segment angles in degrees to .csv and .parquet
            (`vidpose.analysis.angles`).
        style: how people are drawn.
        overwrite: replace outputs that exist. Without it those are kept that are complete results
            of this very source, model and options, and others raise OutputError. A source is never
            replaced.
        on_start: called once with what is known of the video before its first frame.
        on_frame: called with every frame and its result once they were handed to the outputs;
            False (not None) ends the video with this frame.
        should_stop: asked before every frame, about ten times a second while the source keeps
            one waiting, and once before the outputs are finished; True ends the video here.

    Raises what ``track`` does, and OutputError when an output cannot be written.
    """
    check_source(source)
    check_style(style)
    start = time.monotonic()
    settings = with_defaults(options)
    paths = [outputs] if isinstance(outputs, (str, Path)) else list(outputs)
    wanted = list(dict.fromkeys(map(Path, paths)))
    files_wanted = [path for path in wanted if path != STANDARD_OUTPUT]
    refuse_own_source(files_wanted, source)
    stream = _new_stream(source, model, detector, settings)
    finder = _Finder(source, stream, settings)
    provenance = provenance_of(source, stream, settings, angles)
    drawn = replace(provenance, options={**provenance.options, **differing_style(style)})
    kept = [] if overwrite else complete_outputs(files_wanted, provenance, drawn)
    written = [path for path in wanted if path not in kept]
    if kept and not written:
        return Outcome(0, 0, time.monotonic() - start, (), (), tuple(kept))
    count, ids, whole = 0, set[int](), False
    style, sound = style or DrawStyle(), any(p.suffix.lower() == VIDEO_SUFFIX for p in written)
    video = opened(source, settings, should_stop, sound=sound)
    group = OutputGroup()
    with video as (reader, frames), group:
        if on_start is not None:
            on_start(reader.info)
        skeleton = stream.model.skeleton
        further = _angle_columns(skeleton) if angles else None
        tables = [path for path in written if not is_drawn_output(path)]
        pictures = [path for path in written if is_drawn_output(path)]
        for paths_of, made_from in ((tables, provenance), (pictures, drawn)):
            open_outputs(
                group, paths_of, reader, skeleton, made_from, further, finder.viewport, style
            )
        for frame, result in finder.results(frames, reader):
            group.write(frame, result)
            count += 1
            ids.update(person.id for person in result.people)
            if on_frame is not None and on_frame(frame, result) is False:
                break
        else:
            whole = should_stop is None or not should_stop()
        if count == 0:
            raise InputError(f"{source}: {_why_no_frame(settings)}")
        if not overwrite:
            refuse_rivals(files_wanted, kept)
    done = [path for path in group.finished if path != STANDARD_OUTPUT]
    note_outputs((path for path in done if path in tables), provenance, whole=whole)
    note_outputs((path for path in done if path in pictures), drawn, whole=whole)
    group.raise_failures()
    seconds = time.monotonic() - start
    changed = changed_meanwhile(source, provenance)
    warnings = (*reader.warnings, *finder.warnings, *changed)
    return Outcome(count, len(ids), seconds, warnings, tuple(written), tuple(kept))


class _Finder:
    """One video's stream of people, with the part searched and whom to keep."""

    def __init__(self, source: VideoSource, stream: PoseStream, settings: TrackOptions) -> None:
        region = settings["region"]
        self.viewport = Viewport(
            None if region is None else region_of(region), settings["max_side"], str(source)
        )
        self._source = source
        self._chooser = Chooser(settings["person"], settings["min_score"])
        score = settings["confirm_score"]
        if score is None:
            score = CONFIRM_SCORE if stream.model.initializer.calibrated else 0.0
        self._confirmation = Confirmation(score, settings["min_duration"])
        self._stream = stream

    def results(
        self, frames: Iterable[Frame], reader: VideoReader
    ) -> Iterator[tuple[Frame, FrameResult]]:
        """Every frame with its people, some frames after it was decoded."""
        for frame in frames:
            for ready, result in self._confirmation.push(frame, self._infer(frame)):
                yield ready, self._chooser.keep(result, ready.time - reader.origin)
        for ready, result in self._confirmation.finish():
            yield ready, self._chooser.keep(result, ready.time - reader.origin)

    def _infer(self, frame: Frame) -> FrameResult:
        """The people of the frame, under its number in the source; none in a damaged picture."""
        if frame.damaged:
            return FrameResult(frame.index, frame.time)
        seen = self.viewport.apply(frame.image, lambda image: self._stream.step(image, frame.time))
        return replace(seen, index=frame.index)

    @property
    def warnings(self) -> list[str]:
        """What to say at the end."""
        found = [*self._confirmation.warnings, *self._chooser.warnings]
        return [redacted(f"{self._source}: {warning}") for warning in found]


def _why_no_frame(settings: TrackOptions) -> str:
    if settings["start"]:
        return f"it has no frame at or after {settings['start']} s, where it was to start"
    return "no frame could be decoded"


def _new_stream(
    source: VideoSource,
    model: str | Path | PoseModel,
    detector: str | Path | Detector,
    settings: TrackOptions,
) -> PoseStream:
    threads = default_threads(live=is_stream(source))
    if isinstance(model, (str, Path)):
        model = PoseModel.load(model, threads)
    if isinstance(detector, (str, Path)):
        detector = detector_for(model, detector, threads)
    return PoseStream(
        model,
        detector,
        smooth=settings["smooth"],
        max_people=settings["max_people"],
        tracker=settings["tracker"],
    )


def _angle_columns(skeleton: Skeleton) -> FurtherColumns:
    # It brings scipy.signal along, for which only those wait who want angles.
    from vidpose.analysis.angles import AngleColumns

    return AngleColumns(skeleton)
