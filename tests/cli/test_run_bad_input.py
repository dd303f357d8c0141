"""Every kind of bad input: one clear line, the right exit code, whole files or none."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from command import Ended, NewClip, Vidpose

from vidpose.io import read_results
from vidpose.video import VideoReader


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def assert_fails(ended: Ended, here: Path, *parts: str, code: int = 1) -> None:
    """One line on stderr that has all ``parts``, and nothing written."""
    assert ended.returncode == code
    message = the_message(ended.stderr)
    assert all(part in message for part in parts), message
    assert "internal error" not in message
    assert list(here.rglob("*")) == []


def the_message(stderr: str) -> str:
    """The only line, beside the progress that a slow machine shows."""
    lines = [line for line in stderr.splitlines() if "frames/s" not in line]
    assert len(lines) == 1, stderr
    return lines[0]


def test_missing_file(vidpose: Vidpose, models: list[str], here: Path) -> None:
    assert_fails(vidpose("run", "no.mp4", *models), here, "no.mp4", "no such file")


def test_folder_without_videos(
    vidpose: Vidpose, models: list[str], here: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "notes.txt").write_text("no video")
    assert_fails(vidpose("run", folder, *models), here, str(folder), "no videos")


def test_zero_byte_file(vidpose: Vidpose, models: list[str], here: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    assert_fails(vidpose("run", empty, *models), here, "empty.mp4", "empty")


def test_text_named_as_a_video(
    vidpose: Vidpose, models: list[str], here: Path, tmp_path: Path
) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("this is no video\n" * 100)
    assert_fails(vidpose("run", text, *models), here, "text.mp4", "not a video")


def test_file_with_sound_only(
    vidpose: Vidpose, models: list[str], here: Path, tmp_path: Path
) -> None:
    song = tmp_path / "song.wav"
    with av.open(str(song), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 8000), np.int16), format="s16", layout="mono"
        )
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert_fails(vidpose("run", song, *models), here, "song.wav", "only sound")


def test_image_named_as_a_video(
    vidpose: Vidpose, models: list[str], here: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.mp4"
    picture.write_bytes(cv2.imencode(".jpg", np.zeros((32, 32, 3), np.uint8))[1].tobytes())
    assert_fails(vidpose("run", picture, *models), here, "picture.mp4", "still image")


def test_one_pixel(vidpose: Vidpose, models: list[str], new_clip: NewClip) -> None:
    clip = new_clip("dot.mkv", frames=3, size=(1, 1), codec="ffv1")
    assert vidpose("run", clip, *models).returncode == 0
    assert len(read_results("dot.jsonl").frames) == 3
    with VideoReader("dot_pose.mp4") as video:
        assert sum(1 for _ in video) == 3


def test_one_frame(vidpose: Vidpose, models: list[str], new_clip: NewClip) -> None:
    assert vidpose("run", new_clip("short.avi", frames=1), *models).returncode == 0
    assert len(read_results("short.jsonl").frames) == 1
    with VideoReader("short_pose.mp4") as video:
        assert sum(1 for _ in video) == 1


def test_no_person_there(
    vidpose: Vidpose, models_that_see_nobody: list[str], new_clip: NewClip
) -> None:
    ended = vidpose("run", new_clip("empty_room.avi"), *models_that_see_nobody)
    assert ended.returncode == 0
    assert "12 frames, 0 people" in ended.stdout
    frames = read_results("empty_room.jsonl").frames
    assert [frame.people for frame in frames] == [()] * 12


def test_truncated_video_gives_its_frames_and_a_warning(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, tmp_path: Path
) -> None:
    whole = new_clip("whole.mkv", frames=200, codec="ffv1")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    ended = vidpose("run", cut, *models, "--out", ".csv")
    assert ended.returncode == 0
    assert "warning: " in ended.stderr
    assert "cut short" in ended.stderr
    assert 10 < len(read_results("cut.csv").frames) < 200


def test_wrong_suffix(vidpose: Vidpose, models: list[str], new_clip: NewClip, here: Path) -> None:
    ended = vidpose("run", new_clip("a.avi"), *models, "--out", "a.xlsx")
    assert_fails(ended, here, ".xlsx", ".csv", code=2)


def test_no_such_model(vidpose: Vidpose, new_clip: NewClip, here: Path) -> None:
    ended = vidpose("run", new_clip("a.avi"), "--model", "no/such.vidpose")
    assert_fails(ended, here, "no/such.vidpose", "no such file")


def test_source_as_output(vidpose: Vidpose, models: list[str], new_clip: NewClip) -> None:
    clip = new_clip("a.mp4")
    before = clip.read_bytes()
    ended = vidpose("run", clip, *models, "--out", clip, "--overwrite")
    assert ended.returncode == 2
    assert clip.read_bytes() == before


@pytest.mark.parametrize("place", ["FILE/x{}", "/proc/x{}", "/dev/null/x{}"])
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ".json", ".mp4"])
def test_unwritable_output(
    vidpose: Vidpose,
    models: list[str],
    new_clip: NewClip,
    here: Path,
    tmp_path: Path,
    place: str,
    suffix: str,
) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    out = place.replace("FILE", str(tmp_path / "file")).format(suffix)
    ended = vidpose("run", new_clip("a.avi"), *models, "--out", ".csv", "--out", out)
    assert_fails(ended, here, out)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk cannot be mounted here (needs Linux and root)")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ".json", ".mp4"])
def test_full_disk(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, small_disk: Path, suffix: str
) -> None:
    (small_disk / "ballast").write_bytes(bytes(60 * 1024))
    clip = new_clip("a.avi", frames=60)
    ended = vidpose("run", clip, *models, "--out", f"{small_disk}/{suffix}")
    assert ended.returncode == 1
    assert "No space left" in the_message(ended.stderr)
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


def test_the_others_are_done_when_some_fail(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, here: Path, tmp_path: Path
) -> None:
    clips = new_clip("clips/a.avi").parent
    (clips / "b.mp4").touch()
    new_clip("clips/c.avi")
    ended = vidpose("run", clips, "gone.mp4", *models, "--out", ".csv")
    assert ended.returncode == 1
    assert "b.mp4" in ended.stderr
    assert "gone.mp4" in ended.stderr
    assert sorted(path.name for path in here.glob("*.csv")) == ["a.csv", "c.csv"]
    assert "2 done, 0 kept, 1 failed" in ended.stdout


def test_debug_shows_the_traceback(vidpose: Vidpose, models: list[str]) -> None:
    assert "Traceback" not in vidpose("run", "no.mp4", *models).stderr
    assert "Traceback" in vidpose("run", "no.mp4", *models, "--debug").stderr


def test_ctrl_c_in_the_middle(models: list[str], new_clip: NewClip, here: Path) -> None:
    first = new_clip("clips/1.avi")
    new_clip("clips/2.avi", frames=2000)
    command = [sys.executable, "-m", "vidpose", "run", str(first.parent), *models, "--out", "out/"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 60
    while len(list(here.glob("out/*"))) < 4 and time.monotonic() < limit:
        time.sleep(0.01)
    time.sleep(0.3)  # some frames into the second clip
    os.kill(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "interrupted" in the_message(stderr)
    assert "1 of 2 sources were finished" in the_message(stderr)
    left = sorted(path.name for path in (here / "out").iterdir())
    assert left == ["1.jsonl", "1_pose.mp4"]
    assert len(read_results("out/1.jsonl").frames) == 12
    assert "2.avi" not in stdout


def test_more_threads_than_cpus_are_fewer_and_said(
    vidpose: Vidpose, new_clip: NewClip, models: list[str], tmp_path: Path
) -> None:
    """ONNX Runtime would start all of them, and never end."""
    many = ["100000" if before == "--threads" else word
            for before, word in zip(["", *models], models, strict=False)]  # fmt: skip
    done = vidpose("run", new_clip("a.mp4"), *many, "--out", tmp_path / "a.csv")
    assert done.returncode == 0, done.stderr
    assert re.search(r"--threads 100000: this process may use \d+ CPUs?, so", done.stderr)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--min-duration", "5"], "vidpose: --min-duration must lie between 0 and 1.5 s, got 5"),
        (["--start", "2", "--end", "1"], "vidpose: --end 1.0 s must be after start"),
        (["--start", "soon"], "vidpose: --start 'soon': give seconds"),
        (["--region", "1,2"], "vidpose: --region '1,2'"),
        (["--person", "tall"], "vidpose: --person 'tall'"),
        (["--trails", "1", "-o", "b.csv"], "vidpose: --trails: nothing is drawn; add an --out"),
        (
            ["--ids-only", "--draw-min-confidence", ".2", "-o", ".csv", "-o", ".jsonl"],
            "vidpose: --draw-min-confidence, --ids-only: nothing is drawn",
        ),
        (["--on-black", "-o", "-"], "vidpose: --on-black: nothing is drawn"),
        (["--angles", "-o", "b.mp4"], "vidpose: --angles: only .csv and .parquet"),
    ],
)
def test_wrong_values_name_the_option_as_it_was_typed(
    vidpose: Vidpose, new_clip: NewClip, options: list[str], said: str
) -> None:
    ended = vidpose("run", new_clip("a.avi"), *options)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended
    assert ended.stderr.startswith(said)
