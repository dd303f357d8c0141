"""Videos from elsewhere, by fsspec's own local protocols."""

from __future__ import annotations

import io
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import av
import numpy as np
import pytest

pytest.importorskip("fsspec", reason="fsspec is not installed")

import fsspec
from walkers import film

from vidpose.batch.layout import Layout
from vidpose.batch.remote import local_copy, remote_videos
from vidpose.batch.settings import Reply, Settings, Task
from vidpose.batch.sources import find_sources
from vidpose.batch.worker import Worker
from vidpose.errors import InputError, OutputError
from vidpose.io import read_results
from vidpose.video.digest import source_digest


def address(path: Path) -> str:
    return f"file://{path.absolute()}"


def test_a_folder_a_pattern_and_a_file(clips: list[Path]) -> None:
    folder = clips[0].parent
    (folder / "notes.txt").touch()
    whole = [address(clip) for clip in clips]
    for spec in (folder, folder / "*"):
        assert [source.name for source in find_sources(address(spec))] == whole
    (one,) = find_sources(whole[0])
    assert one.bytes == clips[0].stat().st_size
    assert one.stamp
    clips[0].write_bytes(b"other")
    assert find_sources(whole[0])[0].stamp != one.stamp


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("file:///no/such/video.mp4", "no such file or folder there"),
        ("nosuch://x/y.mp4", "cannot be reached .Protocol not known"),
        ("http://127.0.0.1:9/y.mp4", "cannot be reached|install|requires"),
    ],
)
def test_what_is_not_there_is_one_line(spec: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        remote_videos(spec)
    assert str(caught.value).startswith(spec)
    assert "\n" not in str(caught.value)


def test_an_empty_folder_has_no_videos(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no videos there"):
        remote_videos(address(tmp_path))


def do(source: str, dest: Path, settings: Settings) -> Reply:
    return Worker(dest, settings).do(Task("video", "a.mp4", source), "w")


def unsearchable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidpose.batch.remote._can_be_searched", lambda file: False)


@pytest.mark.parametrize("copied", [False, True])
def test_results_name_the_address_and_are_those_of_the_file(
    clips: list[Path],
    tmp_path: Path,
    settings: Settings,
    copied: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scratch = tmp_path / "scratch"
    if copied:
        unsearchable(monkeypatch)
        scratch.mkdir()
    dest, source = tmp_path / "dest", address(clips[0])
    reply = do(source, dest, replace(settings, scratch=scratch))
    assert (reply.error, reply.frames) == (None, 6)
    result = read_results(Layout(dest).table("a.mp4"))
    assert result.header is not None
    assert result.header.provenance is not None
    assert result.header.source.path == result.header.provenance.source == source
    assert not Layout(dest).pieces("a.mp4").exists()
    assert not copied or list(scratch.iterdir()) == []

    whole = do(str(clips[0]), tmp_path / "file", settings)
    assert reply.digest == whole.digest
    assert result.frames == read_results(Layout(tmp_path / "file").table("a.mp4")).frames
    assert list((tmp_path / "file").rglob("*.part*")) == []


def test_a_copy_has_a_limit_and_needs_a_place(
    clips: list[Path], tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsearchable(monkeypatch)
    large = do(address(clips[0]), tmp_path / "other", replace(settings, scratch_limit=9))
    assert large.fault == "video"
    assert "more than --scratch-limit allows (9)" in (large.error or "")
    lost = do(address(clips[0]), tmp_path / "other", replace(settings, scratch=tmp_path / "none"))
    assert (lost.fault, "cannot write" in (lost.error or "")) == ("place", True)


def test_a_long_video_is_copied_and_split(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = film(tmp_path / "long.mp4", 40)
    split = replace(settings, split=1.0, scratch=tmp_path)
    assert do(address(long), tmp_path / "dest", split).seams
    gone = do(address(long), tmp_path / "dest", replace(split, scratch=tmp_path / "none"))
    assert gone.fault == "place", "it was copied"
    short = do(
        address(film(tmp_path / "short.mp4")), tmp_path / "dest", replace(split, scratch=None)
    )
    assert (short.seams, short.frames) == ((), 6)


def test_a_connection_that_breaks_is_the_fault_of_the_place(
    clips: list[Path], tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaking(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.reads += 1
            if self.reads > 6:
                raise RuntimeError("reset by peer")
            return super().read(min(size or 0, 1000))

    class System:
        def open(self, *_: object, **options: object) -> Breaking:
            return Breaking(clips[0].read_bytes())

    monkeypatch.setattr("vidpose.batch.remote._open", lambda spec: (System(), "a.mp4"))
    reply = do("s3://b/a.mp4", tmp_path / "dest", settings)
    assert (reply.error, reply.fault) == (
        "s3://b/a.mp4: the connection broke while it was read (reset by peer)",
        "place",
    )
    assert [path for path in tmp_path.joinpath("dest").rglob("*") if path.is_file()] == []


def test_from_memory(clips: list[Path], tmp_path: Path, settings: Settings) -> None:
    system = fsspec.filesystem("memory")
    system.pipe_file("/films/a.mp4", clips[0].read_bytes())
    (source,) = find_sources("memory://films/*.mp4")
    reply = do(source.name, tmp_path / "dest", replace(settings, scratch=tmp_path / "none"))
    assert (source.name, reply.error, reply.frames) == ("memory:///films/a.mp4", None, 6)
    system.rm("/films", recursive=True)


class Whole(SimpleHTTPRequestHandler):
    """A server that gives files as a whole only."""

    def log_message(self, *_: object) -> None:
        pass


class Parts(Whole):
    """One that gives parts of them."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted is None:
            super().do_GET()
            return
        self.asked.append(wanted[0])
        content = Path(self.translate_path(self.path)).read_bytes()
        part = content[int(wanted[1]) : int(wanted[2]) + 1]
        self.send_response(206)
        first = int(wanted[1])
        self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)


@contextmanager
def serving(handler: type[Whole], folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A clip of some MB: one of fsspec's blocks is not all of it."""
    with av.open(str(tmp_path / "large.avi"), "w") as container:
        stream = container.add_stream("rawvideo", rate=10)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number in range(16):
            picture = np.full((480, 640, 3), 10 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    return tmp_path / "large.avi"


@pytest.mark.parametrize("handler", [Whole, Parts])
def test_over_http(handler: type[Whole], large: Path, tmp_path: Path, settings: Settings) -> None:
    pytest.importorskip("aiohttp", reason="fsspec reads http with aiohttp")
    (tmp_path / "scratch").mkdir()
    Parts.asked.clear()
    with serving(handler, tmp_path) as server:
        (source,) = find_sources(f"{server}/large.avi")
        found = replace(settings, scratch=tmp_path / ("scratch" if handler is Whole else "none"))
        reply = do(source.name, tmp_path / "dest", found)
    assert (reply.error, reply.frames) == (None, 16)
    assert reply.digest == source_digest(large)
    assert bool(Parts.asked) == (handler is Parts)


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, object]]:
    """The options of fsspec for a server that speaks S3, with a bucket called films."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    command = shutil.which("moto_server")
    if command is None:
        pytest.skip("no S3 server here: pip install 'moto[server]'")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [command, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 60
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < end
            time.sleep(0.1)
        yield {"endpoint_url": f"http://127.0.0.1:{port}", "key": "k", "secret": "s"}
    finally:
        server.terminate()
        server.wait()


def test_from_a_bucket(
    bucket: dict[str, object],
    large: Path,
    clips: list[Path],
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(fsspec.config.conf, "s3", bucket)
    system = fsspec.filesystem("s3")
    system.mkdir("films")
    for clip in (large, *clips):
        system.put_file(str(clip), f"films/some/{clip.name}")
    found = find_sources("s3://films/some")
    assert [source.name for source in found] == [
        f"s3://films/some/{name}" for name in ("a.mp4", "b.mp4", "c.mp4", "large.avi")
    ]
    assert [source.bytes for source in found] == [clip.stat().st_size for clip in (*clips, large)]
    for source, frames in zip(found, (6, 6, 6, 16), strict=True):
        reply = do(
            source.name, tmp_path / source.name[-5:], replace(settings, scratch=tmp_path / "0")
        )
        assert (reply.error, reply.frames) == (None, frames)
    assert reply.digest == source_digest(large)
    with pytest.raises(InputError, match=r"^s3://films/none.mp4: no such file"):
        find_sources("s3://films/none.mp4")
    before = found[0].stamp
    system.put_file(str(large), "films/some/a.mp4")
    system.invalidate_cache()
    assert find_sources("s3://films/some/a.mp4")[0].stamp != before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_is_full_when_a_copy_ends_is_a_fault_of_the_place(
    clips: list[Path], tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsearchable(monkeypatch)
    made = []

    def folder(**_: object) -> str:
        made.append(tmp_path / "scratch")
        made[0].mkdir()
        (made[0] / "a.mp4").symlink_to("/dev/full")
        return str(made[0])

    monkeypatch.setattr("vidpose.batch.remote.tempfile.mkdtemp", folder)
    reply = do(address(clips[0]), tmp_path / "dest", settings)
    assert made
    assert (reply.fault, "No space left" in (reply.error or "")) == ("place", True)


def test_no_room_for_a_copy(clips: list[Path]) -> None:
    with (
        pytest.raises(OutputError, match="cannot write"),
        local_copy(address(clips[0]), Path("/proc"), 10**6),
    ):
        pass
