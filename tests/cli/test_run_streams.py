"""``vidpose run`` between other programs: pipes, silence, odd names, secrets, signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from command import NewClip, Vidpose

from vidpose.io import read_results
from vidpose.video import VideoReader

RUN = [sys.executable, "-m", "vidpose", "run"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_json_lines_on_stdout_are_those_of_the_file(
    vidpose: Vidpose, models: list[str], new_clip: NewClip
) -> None:
    clip = new_clip("dance.avi", frames=5)
    ended = vidpose("run", clip, *models, "--out", "-", "--out", "dance.jsonl")
    assert ended.returncode == 0
    header, *frames = map(json.loads, ended.stdout.splitlines())
    in_file = [json.loads(line) for line in Path("dance.jsonl").read_text().splitlines()]
    assert frames == in_file[1:]
    assert header["provenance"] == in_file[0]["provenance"]
    assert "5 frames, 1 person" in ended.stderr
    assert "wrote dance.jsonl" in ended.stderr
    assert "wrote -" not in ended.stderr


def test_stdout_takes_one_source(vidpose: Vidpose, models: list[str], new_clip: NewClip) -> None:
    clips = new_clip("a.avi"), new_clip("b.avi")
    ended = vidpose("run", *clips, *models, "--out", "-")
    assert ended.returncode == 2
    assert "2 sources cannot share" in ended.stderr


def test_quiet_says_nothing(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, tmp_path: Path
) -> None:
    clips = new_clip("clips/a.avi").parent
    ended = vidpose("run", clips, *models, "--quiet", "--out", ".csv")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    (clips / "b.avi").write_bytes(b"no video")
    ended = vidpose("run", clips, *models, "-q", "--out", ".csv")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="the standard input has no name there")
def test_the_standard_input_is_a_source(models: list[str], new_clip: NewClip, here: Path) -> None:
    with new_clip("dance.avi", frames=5).open("rb") as file:
        command = [*RUN, "-", *models, "--out", ".csv"]
        subprocess.run(command, stdin=file, check=True, capture_output=True)
    assert len(read_results(here / "stdin.csv").frames) == 5


@pytest.mark.skipif(os.name == "nt", reason="no SIGPIPE there")
def test_a_reader_who_goes_away_ends_it_without_noise(
    models: list[str], new_clip: NewClip, here: Path
) -> None:
    clip = new_clip("dance.avi", frames=3000)
    command = [*RUN, str(clip), *models, "--quiet", "--out", "-", "--out", "all.csv"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["model"] == "middle"
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141
    process.stderr.close()
    assert list(here.iterdir()) == []


ODD_NAMES = [b"caf\xe9.avi", "\u4f60\u597d \u2028 it's.avi".encode(), b"x" * 251 + b".avi"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_no_name_stops_the_batch(
    models: list[str], new_clip: NewClip, here: Path, tmp_path: Path
) -> None:
    clips = tmp_path / "clips"
    for name in ODD_NAMES:
        new_clip("clips/0.avi", frames=3).rename(clips / os.fsdecode(name))
    kinds = [".jsonl", ".csv", ".parquet", ".json", ".mp4"]
    command = [*RUN, str(clips), *models, *(part for kind in kinds for part in ("--out", kind))]
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for said in (b"3 done, 0 kept, 0 failed", b"0 done, 3 kept, 0 failed"):
        ended = subprocess.run(command, capture_output=True, env=environment, check=False)
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert said in ended.stdout
    sources = set()
    for table in here.glob("*.jsonl"):
        json.loads(table.read_bytes().splitlines()[0].decode())  # valid for others, too
        header = read_results(table).header
        assert header is not None
        sources.add(os.fsencode(header.source.path))
    assert sources == {os.fsencode(clips) + b"/" + name for name in ODD_NAMES}
    for drawn in here.glob("*_pose.mp4"):
        with VideoReader(drawn) as video:
            assert sum(1 for _ in video) == 3


def test_an_unexpected_error_of_one_source_leaves_the_next_its_turn(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidpose.pipeline import reading

    broken = new_clip("clips/a.avi")
    new_clip("clips/b.avi")

    class Faulty(VideoReader):
        def __init__(self, path: Path, **options: object) -> None:
            if path == broken:
                raise ZeroDivisionError("a bug")
            super().__init__(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "VideoReader", Faulty)
    ended = vidpose("run", broken.parent, *models, "--out", ".csv")
    assert ended.returncode == 1
    assert "a.avi: internal error, ZeroDivisionError" in ended.stderr
    assert "1 done, 0 kept, 1 failed" in ended.stdout


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
def test_a_source_that_says_nothing_is_left_at_once(
    silent_server: socket.socket, models: list[str], here: Path
) -> None:
    address = f"http://me:pass%20word@127.0.0.1:{silent_server.getsockname()[1]}/a.ts?token=abc"
    process = subprocess.Popen(
        [*RUN, address, *models], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    connection, _ = silent_server.accept()
    time.sleep(0.5)
    start = time.monotonic()
    process.send_signal(signal.SIGHUP)
    stdout, stderr = process.communicate(timeout=60)
    connection.close()
    assert process.returncode == 128 + signal.SIGHUP
    assert time.monotonic() - start < 5  # much less, on a machine that has nothing else to do
    assert "interrupted" in stderr
    assert stderr.count("\n") == 1
    assert not any(secret in stdout + stderr for secret in ("me:", "word", "abc"))
    assert list(here.iterdir()) == []


def test_passwords_are_neither_said_nor_written(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that really opens: the clip by another name."""
    from vidpose.pipeline import reading

    clip = new_clip("dance.avi", frames=3)
    address = "rtsp://me:s3cret@10.0.0.1/cam?user=x&password=s3cret2"

    class Camera(VideoReader):
        def __init__(self, path: str, **options: object) -> None:
            super().__init__(clip, **options)  # type: ignore[arg-type]
            self._source.info = replace(self.info, path=path)

    outs = [part for kind in (".jsonl", ".csv", ".mp4") for part in ("--out", kind)]
    with monkeypatch.context() as patch:
        patch.setattr(reading, "VideoReader", Camera)
        ended = vidpose("run", address, *models, *outs)
    assert ended.returncode == 0, ended.stderr
    files = {path.name: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert sorted(files) == [
        "rtsp_10.0.0.1_cam_user_x_password.csv",
        "rtsp_10.0.0.1_cam_user_x_password.csv.json",
        "rtsp_10.0.0.1_cam_user_x_password.jsonl",
        "rtsp_10.0.0.1_cam_user_x_password_pose.mp4",
    ]
    failed = vidpose("run", "nosuch://me:s3cret@host/a", *models, "--debug")
    assert failed.returncode == 1
    assert "Traceback" in failed.stderr
    assert "s3cret" not in ended.stdout + ended.stderr + failed.stdout + failed.stderr
    assert not any(b"s3cret" in data for data in files.values())
