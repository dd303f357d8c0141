"""``vidpose live``: a running camera or stream, with a page to watch."""

from __future__ import annotations

import secrets
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidpose.cli._errors import UsageMistake, needs_extra
from vidpose.cli._files import check_outputs
from vidpose.cli._options import (
    AllThreadsOption,
    DebugOption,
    DetectorOption,
    MaxPeopleOption,
    ModelOption,
    OverwriteOption,
    RuntimeChoice,
    RuntimeOption,
)
from vidpose.cli._runtime import chosen_model, load_networks
from vidpose.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from vidpose.inference import PoseModel
    from vidpose.live import LiveRecord, LiveSession
    from vidpose.live.pictures import NewestPicture
    from vidpose.results import SourceInfo


def live(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="webcam:0, an address (rtsp://..., http://...), or a file, played at its speed.",
        ),
    ] = "webcam:0",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE.jsonl",
            help="Write a line for every frame as it comes; readable at any moment.",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = None,
    detector: DetectorOption = None,
    max_people: MaxPeopleOption = None,
    loop: Annotated[bool, typer.Option("--loop", help="Play a file again when it ends.")] = False,
    host: Annotated[
        str,
        typer.Option(help="Address to serve the page at; other than this machine's asks a token."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(help="What a browser must bring.", show_default="made up where one is needed"),
    ] = None,
    no_page: Annotated[
        bool, typer.Option("--no-page", help="Serve nothing; for machines without a screen.")
    ] = False,
    threads: AllThreadsOption = None,
    runtime: RuntimeOption = RuntimeChoice.onnxruntime,
    overwrite: OverwriteOption = False,
    debug: DebugOption = False,
) -> None:
    """Follow people in a camera or stream as it runs, and show it in a browser.

    Only the newest frame is analysed, so the delay does not grow. A source that goes away is
    opened again. Nothing leaves this machine unless --host says so. Ctrl-C ends it.

    \b
    Examples:
      vidpose live
      vidpose live rtsp://camera.local/stream --out door.jsonl
      vidpose live webcam:0 --no-page --out gym.jsonl
    """
    from vidpose.cli._interrupt import stop_on_signals
    from vidpose.inference.backends.cpus import default_threads
    from vidpose.inference.detectors.default import DEFAULT_DETECTOR
    from vidpose.live import LiveSession
    from vidpose.live.newest import NewestFrames
    from vidpose.tracking import PoseStream

    if no_page and out is None:
        raise UsageMistake("--no-page without --out shows nothing; give --out FILE.jsonl")
    if out is not None:
        check_outputs([out], overwrite=overwrite, inputs=[source])
    count = threads or default_threads(live=True)
    pose_model, finder = load_networks(
        chosen_model(model), detector or DEFAULT_DETECTOR, count, runtime
    )
    with ExitStack() as stack:
        frames = NewestFrames(source, loop=loop, say=_say)
        stack.callback(frames.close)
        session = LiveSession(frames, PoseStream(pose_model, finder, max_people=max_people))
        write = _open_records(stack, out, frames.info, pose_model, overwrite)
        show = None if no_page else _open_page(stack, session, source, host, port, token)
        stop = stack.enter_context(stop_on_signals())
        for frame, record in session.records(lambda: stop.requested):
            if write is not None:
                write(record)
            if show is not None and show.wanted:
                from vidpose.video import draw_result

                show.show(draw_result(frame.image, record.result, pose_model.skeleton))
    numbers = session.numbers()
    opened = counted(numbers.connections, "time")
    print(f"{counted(numbers.frames, 'frame')}, opened {opened}")


def _say(line: str) -> None:
    from vidpose.redact import redacted

    print(f"vidpose: {redacted(line)}", file=sys.stderr)


def _open_records(
    stack: ExitStack,
    out: Path | None,
    info: SourceInfo,
    model: PoseModel,
    overwrite: bool,
) -> Callable[[LiveRecord], None] | None:
    """What takes each record, or None."""
    from importlib.metadata import version

    from vidpose.files import make_folder
    from vidpose.live import RecordFile
    from vidpose.results import ResultHeader

    if out is None:
        return None
    make_folder(out)
    header = ResultHeader(version("vidpose"), model.name, model.skeleton, info)
    records = RecordFile(out, header, overwrite=overwrite)
    stack.callback(records.close)
    return records.write


def _open_page(
    stack: ExitStack, session: LiveSession, source: str, host: str, port: int, token: str | None
) -> NewestPicture:
    """Serve the page and say where it is."""
    from vidpose.live.pictures import NewestPicture

    with needs_extra("live"):
        from vidpose.live.server import LOCAL_HOSTS, PageServer, live_page
    from vidpose.redact import redacted

    if host not in LOCAL_HOSTS and token is None:
        token = secrets.token_urlsafe(16)
    picture = NewestPicture()
    app = live_page(picture, session.numbers, token, redacted(source))
    server = PageServer(app, host, port)

    def close() -> None:
        picture.closed = True
        server.close()

    stack.callback(close)
    shown = f"[{host}]" if ":" in host else host
    query = f"/?token={token}" if token is not None else "/"
    print(f"watch at http://{shown}:{server.port}{query}", flush=True)
    return picture
