"""Videos from elsewhere, by fsspec's own local protocols."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("fsspec", reason="fsspec is not installed")

from vidpose.batch.layout import Layout
from vidpose.batch.remote import local_copy, remote_videos
from vidpose.batch.settings import Reply, Settings, Task
from vidpose.batch.sources import find_sources
from vidpose.batch.worker import Worker
from vidpose.errors import InputError, OutputError
from vidpose.io import read_results


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
        ("http://127.0.0.1:9/y.mp4", "no such file|cannot be reached|install|requires"),
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


def test_results_name_the_address_and_the_copy_goes(
    clips: list[Path], tmp_path: Path, settings: Settings
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    dest, source = tmp_path / "dest", address(clips[0])
    reply = do(source, dest, replace(settings, scratch=scratch))
    assert (reply.error, reply.frames) == (None, 6)
    header = read_results(Layout(dest).table("a.mp4")).header
    assert header is not None
    assert header.provenance is not None
    assert header.source.path == header.provenance.source == source
    assert list(scratch.iterdir()) == []
    assert not Layout(dest).pieces("a.mp4").exists()

    large = do(source, tmp_path / "other", replace(settings, scratch=scratch, scratch_limit=9))
    assert large.fault == "video"
    assert "more than --scratch-limit allows (9)" in (large.error or "")
    lost = do(source, tmp_path / "other", replace(settings, scratch=tmp_path / "none"))
    assert (lost.fault, "cannot write" in (lost.error or "")) == ("place", True)
    assert list(scratch.iterdir()) == []


@pytest.fixture
def server(clips: list[Path]) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Quiet, directory=str(clips[0].parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


def test_over_http(server: str, clips: list[Path]) -> None:
    pytest.importorskip("aiohttp", reason="fsspec reads http with aiohttp")
    (source,) = find_sources(f"{server}/a.mp4")
    with local_copy(source.name, None, 10**6) as path:
        assert Path(path).read_bytes() == clips[0].read_bytes()
    assert not Path(path).exists()


def test_no_room_for_a_copy(clips: list[Path]) -> None:
    with (
        pytest.raises(OutputError, match="cannot write"),
        local_copy(address(clips[0]), Path("/proc"), 10**6),
    ):
        pass
