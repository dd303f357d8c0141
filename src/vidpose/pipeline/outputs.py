"""The outputs of a run: each takes every frame with its result."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from vidpose.files import make_folder, remove_old_parts
from vidpose.io import FurtherColumns, ResultWriter, open_writer
from vidpose.io.standard_output import StandardOutput
from vidpose.pipeline.output_group import OutputGroup, Sink
from vidpose.pipeline.provenance import PICTURE_SUFFIXES, VIDEO_SUFFIX, is_numbered
from vidpose.pipeline.selection import Viewport
from vidpose.results import FrameResult, Provenance, ResultHeader
from vidpose.skeleton import Skeleton
from vidpose.threads import Background
from vidpose.video import Frame, VideoReader, VideoWriter
from vidpose.video.drawing import Drawer, DrawStyle
from vidpose.video.pictures import (
    ANIMATION_SUFFIXES,
    Animation,
    ContactSheet,
    NumberedPictures,
)
from vidpose.video.sound import SoundSource
from vidpose.video.tag import tag_text

STANDARD_OUTPUT = Path("-")


def open_outputs(
    group: OutputGroup,
    paths: Iterable[Path],
    reader: VideoReader,
    skeleton: Skeleton,
    provenance: Provenance,
    further: FurtherColumns | None,
    viewport: Viewport,
    style: DrawStyle,
) -> None:
    """Open all outputs; ``group`` finishes the files, or removes them after an error."""
    info = reader.info
    sound: SoundSource | Path | None = reader.sound
    header = ResultHeader(version("vidpose"), provenance.model, skeleton, info, provenance)
    for path in paths:
        if path == STANDARD_OUTPUT:
            group.add(path, _table_sink(StandardOutput(header)), ExitStack())
            continue
        make_folder(path)
        remove_old_parts(path.parent)
        with ExitStack() as stack:  # unwinds upwards: threads end before the files that they use
            if path.suffix.lower() == VIDEO_SUFFIX:
                sink = _video_sink(stack, path, header, sound, viewport, style)
                # The reader's sound can be had but once.
                sound = Path(info.path) if info.has_audio and Path(info.path).is_file() else None
            elif path.suffix.lower() in PICTURE_SUFFIXES:
                sink = _picture_sink(stack, path, Drawer(skeleton, style), viewport)
            else:
                sink = _table_sink(stack.enter_context(open_writer(path, header, further)))
            group.add(path, sink, stack.pop_all())


def _table_sink(writer: ResultWriter | StandardOutput) -> Sink:
    return lambda frame, result: writer.write(result)


def _video_sink(
    stack: ExitStack,
    path: Path,
    header: ResultHeader,
    sound: SoundSource | Path | None,
    viewport: Viewport,
    style: DrawStyle,
) -> Sink:
    """Drawing and encoding happen on a thread of their own, while the next frames are analysed."""
    info, skeleton = header.source, header.skeleton
    tag = {} if header.provenance is None else asdict(header.provenance)
    width, height = viewport.drawn_size(info.width, info.height)
    writer = stack.enter_context(
        VideoWriter(
            path,
            width=width,
            height=height,
            audio_from=sound,
            comment=tag_text(tag),
        )
    )

    drawer = Drawer(skeleton, style)

    def draw(pair: tuple[Frame, FrameResult]) -> None:
        frame, result = pair
        writer.write(drawer.draw(*viewport.shrink(frame.image, result)), frame.time)

    background = stack.enter_context(Background(draw))
    return lambda frame, result: background.put((frame, result))


def _picture_sink(stack: ExitStack, path: Path, drawer: Drawer, viewport: Viewport) -> Sink:
    """Numbered pictures, an animation, or a contact sheet; finished where ``stack`` ends well."""
    pictures: NumberedPictures | Animation | ContactSheet
    if is_numbered(path):
        pictures = NumberedPictures(path)
    elif path.suffix.lower() in ANIMATION_SUFFIXES:
        pictures = Animation(path)
    else:
        pictures = ContactSheet(path)

    def finish(kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            pictures.close()

    stack.push(finish)

    def draw(pair: tuple[Frame, FrameResult]) -> None:
        frame, result = pair
        picture = drawer.draw(*viewport.shrink(frame.image, result))
        if isinstance(pictures, NumberedPictures):
            pictures.add(picture, result.index)
        else:
            pictures.add(picture, frame.time)

    background = stack.enter_context(Background(draw))
    return lambda frame, result: background.put((frame, result))
