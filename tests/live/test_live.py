"""Live sources: the newest frame, reconnection, records that grow, the page."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vidpose.errors import InputError, OutputError, VidposeError
from vidpose.inference import PoseModel
from vidpose.io import read_results
from vidpose.live import LiveRecord, LiveSession, RecordFile
from vidpose.live.newest import NewestFrames
from vidpose.live.pictures import NewestPicture
from vidpose.results import FrameResult, ResultHeader, SourceInfo
from vidpose.skeleton import COCO_17
from vidpose.tracking import PoseStream
from vidpose.video import VideoReader

HEADER = ResultHeader(
    "0.1.0", "dkd", COCO_17, SourceInfo("webcam:0", 64, 48, None, None, None, False)
)


def write_clip(path: Path, count: int, rate: int = 25, format: str | None = None) -> Path:
    with av.open(str(path), "w", format=format) as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(count):
            picture = np.full((48, 64, 3), 20 + number, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


class NoPeople:
    """A detector that finds no person."""

    def detect(self, image: NDArray[np.uint8]) -> tuple[Any, Any]:
        return np.zeros((0, 4)), np.zeros(0)


def test_a_file_is_played_at_its_own_speed(tmp_path: Path) -> None:
    frames = NewestFrames(write_clip(tmp_path / "a.avi", 11, rate=20))
    begun = time.monotonic()
    times = []
    while not frames.ended:
        arrival = frames.take(1.0)
        if arrival is not None:
            times.append(arrival.frame.time)
    assert time.monotonic() - begun == pytest.approx(0.5, abs=0.25)
    assert times == pytest.approx([0.05 * index for index in range(11)], abs=1e-6)
    frames.close()


def test_who_is_slow_gets_the_newest_frame_and_the_number_of_dropped_ones(tmp_path: Path) -> None:
    frames = NewestFrames(write_clip(tmp_path / "a.avi", 40, rate=40))
    first = frames.take(1.0)
    time.sleep(0.4)
    second = frames.take(1.0)
    frames.close()
    assert first is not None
    assert second is not None
    assert second.frame.index - first.frame.index - 1 == second.dropped
    assert second.dropped >= 8
    assert time.monotonic() - second.arrived < 0.2


def test_a_file_begins_again_on_request(tmp_path: Path) -> None:
    frames = NewestFrames(write_clip(tmp_path / "a.avi", 3, rate=50), loop=True)
    connections = {found.connection for _ in range(12) if (found := frames.take(1.0)) is not None}
    frames.close()
    assert len(connections) > 2


def test_a_source_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        NewestFrames(tmp_path / "none.mp4")


@pytest.fixture
def flaky_server(tmp_path: Path) -> Iterator[str]:
    """An address that gives the same few frames at every request, and then hangs up."""
    data = write_clip(tmp_path / "a.ts", 6, format="mpegts").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/a.ts"
    server.shutdown()


def test_a_lost_stream_is_opened_again_and_times_go_on(
    flaky_server: str, frame_model: PoseModel
) -> None:
    said: list[str] = []
    frames = NewestFrames(flaky_server, say=said.append)
    session = LiveSession(frames, PoseStream(frame_model, NoPeople()))
    records: list[LiveRecord] = []
    begun = time.monotonic()
    for _, record in session.records(lambda: time.monotonic() > begun + 20):
        records.append(record)
        if session.numbers().connections >= 2:
            break
    frames.close()
    times = [record.result.time for record in records]
    assert times[0] == 0
    assert times == sorted(set(times))
    assert times[-1] >= 0.5  # the pause before opening again is part of the time
    assert [record.result.index for record in records] == sorted(
        {record.result.index for record in records}
    )
    assert "opening it again in 0.5 s" in said[0]


def test_records_are_whole_lines_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "door.jsonl"
    records = RecordFile(path, HEADER)
    for index in range(3):
        records.write(LiveRecord(FrameResult(2 * index, 0.1 * index), 0.0123, 1))
        found = read_results(path)
        assert [frame.index for frame in found.frames] == [0, 2, 4][: index + 1]
    records.close()
    line = json.loads(path.read_text().splitlines()[1])
    assert (line["age"], line["dropped"]) == (0.0123, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [("there.jsonl", "it exists"), ("a.csv", "go to .jsonl"), ("no/a.jsonl", "cannot write")],
)
def test_files_that_cannot_be_records(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "there.jsonl").write_text("kept")
    with pytest.raises(OutputError, match=message):
        RecordFile(tmp_path / name, HEADER)
    assert (tmp_path / "there.jsonl").read_text() == "kept"


def test_numbers_are_of_the_last_seconds(tmp_path: Path, frame_model: PoseModel) -> None:
    frames = NewestFrames(write_clip(tmp_path / "a.avi", 20, rate=20))
    session = LiveSession(frames, PoseStream(frame_model, NoPeople()))
    ages = [record.age for _, record in session.records()]
    numbers = session.numbers()
    frames.close()
    assert numbers.frames == len(ages)
    assert numbers.rate == pytest.approx(20, rel=0.35)
    assert numbers.age_ms == pytest.approx(1000 * float(np.median(ages)), rel=0.01)
    assert 0 <= numbers.dropped < 0.5


def test_pictures_are_numbered_and_wanted_only_when_watched() -> None:
    picture = NewestPicture()
    assert not picture.wanted
    with picture.watched():
        assert picture.wanted
        assert picture.after(0) is None
        picture.show(np.full((48, 64, 3), (200, 30, 10), dtype=np.uint8))
        newest = picture.after(0)
        assert newest is not None
        assert picture.after(newest[0]) is None
    assert not picture.wanted
    image = cv2.imdecode(np.frombuffer(newest[1], np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_allclose(image[20, 20, ::-1], (200, 30, 10), atol=4)


def page(token: str | None) -> Any:
    pytest.importorskip("starlette", reason="starlette is not installed")
    testclient = pytest.importorskip("starlette.testclient", reason="httpx is not installed")
    from vidpose.live.server import live_page
    from vidpose.live.session import LiveNumbers

    picture = NewestPicture()
    picture.closed = True
    numbers = LiveNumbers(25.0, 8.0, 12.0, 0.1, 100, 1, 1)
    app = live_page(picture, lambda: numbers, token, "webcam </script>")
    return testclient.TestClient(app, base_url="http://127.0.0.1")


def test_the_page_asks_no_token_of_this_machine_and_no_name_of_others() -> None:
    client = page(None)
    answer = client.get("/")
    assert answer.status_code == 200
    assert "webcam \\u003c/script>" in answer.text
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


def test_a_token_guards_everything() -> None:
    client = page("secret")
    for path in ("/", "/pictures", "/numbers"):
        assert client.get(path).status_code == 403
        assert client.get(path, params={"token": "wrong"}).status_code == 403
    assert client.get("/", params={"token": "secret"}).status_code == 200
    assert client.get("/pictures").status_code == 200  # the page's cookie


def test_an_address_in_use_is_one_line() -> None:
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    from vidpose.live.server import PageServer

    first = PageServer(page(None).app, "127.0.0.1", 0)
    with pytest.raises(VidposeError, match="try another --port"):
        PageServer(page(None).app, "127.0.0.1", first.port)
    first.close()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_command_serves_and_leaves_readable_records(tmp_path: Path, ending: int) -> None:
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    import urllib.request

    clip, out = write_clip(tmp_path / "a.avi", 25), tmp_path / "a.jsonl"
    command = [sys.executable, "-m", "vidpose", "live", clip, "--loop", "--port", "0", "--out", out]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().split("watch at ")[1].strip()
    with urllib.request.urlopen(address + "numbers") as events:
        for _ in range(8):
            line = events.readline().decode()
            if line.startswith("data:") and json.loads(line[5:])["frames"] > 5:
                break
    with urllib.request.urlopen(address + "pictures") as pictures:
        part = pictures.read(4000)
    assert b"image/jpeg" in part
    assert b"\xff\xd8" in part
    process.send_signal(ending)
    code = process.wait(timeout=10)
    assert code == (-ending if ending == signal.SIGKILL else 0)
    found = read_results(out)
    assert len(found.frames) > 5
    assert [frame.time for frame in found.frames] == sorted({frame.time for frame in found.frames})


def test_a_line_that_does_not_fit_on_the_disk_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    records = RecordFile(path, HEADER)
    whole = path.read_bytes()
    write, calls = os.write, 0

    def nearly_full(file: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data[:5])

    monkeypatch.setattr(os, "write", nearly_full)
    with pytest.raises(OutputError, match="No space left"):
        records.write(LiveRecord(FrameResult(0, 0.0), 0.1, 0))
    monkeypatch.undo()
    records.close()
    assert path.read_bytes() == whole


def test_an_address_that_never_answers_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidpose.video.opening._OPEN_TIMEOUT", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(InputError, match="no answer within 1 s"):
            VideoReader(address)
