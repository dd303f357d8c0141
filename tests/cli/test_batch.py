"""`vidpose batch` as its users meet it."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import NewClip, Vidpose


def test_a_folder_becomes_a_data_set_and_failures_are_named(
    vidpose: Vidpose, new_clip: NewClip, models: list[str], tmp_path: Path
) -> None:
    folder = new_clip("clips/a.mp4").parent
    new_clip("clips/b.mp4")
    (folder / "junk.mp4").write_bytes(b"junk")
    command = ("batch", folder, "--out", tmp_path / "poses", "--local", *models)
    first = vidpose(*command, "--workers", "1", "--annotated")
    assert first.returncode == 1
    assert "3 videos: 2 done, 0 kept, 1 failed, 0 quarantined; 24 frames" in first.stdout
    assert f"vidpose: {folder}/junk.mp4: not a video" in first.stderr
    assert (tmp_path / "poses/_annotated/a.mp4_pose.mp4").stat().st_size > 0
    (folder / "junk.mp4").unlink()
    again = vidpose(*command, "--annotated")
    assert again.returncode == 0
    assert "2 videos: 0 done, 2 kept" in again.stdout


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--local", "--address", "h:1"], 2, "one of the two"),
        (["--local", "--split", "3"], 2, "--split 3: pieces of less than 10 seconds"),
        (["--local", "--out", "s3://bucket/x"], 2, "a folder that every worker sees"),
        (["--local", "--model", "none.vidpose"], 1, "none.vidpose"),
        (["--address", "127.0.0.1:9"], 1, "127.0.0.1:9: no Ray cluster answers"),
        (["--address", "nowhere"], 2, "--address nowhere: give ray://HOST:PORT"),
    ],
)
def test_bad_input_is_one_line(
    vidpose: Vidpose, new_clip: NewClip, tmp_path: Path, more: list[str], code: int, says: str
) -> None:
    if more[0] == "--address" and code == 1:
        pytest.importorskip("ray", reason="Ray is not installed")
    done = vidpose("batch", new_clip("a.mp4"), "--out", tmp_path / "poses", *more)
    assert done.returncode == code
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_sources_that_are_none_are_named_and_the_others_done(
    vidpose: Vidpose, new_clip: NewClip, models: list[str], tmp_path: Path
) -> None:
    table = tmp_path / "videos.csv"
    table.write_text("path\na.mp4\n")
    clip = new_clip("a.mp4")
    arguments = (tmp_path / "no.mp4", table, clip, "--out", tmp_path / "poses", "--local")
    done = vidpose("batch", *arguments, "--workers", "1", *models)
    assert done.returncode == 1
    assert "no.mp4: no such file" in done.stderr
    assert "videos.csv: no column 'source' (there are: path); name one: --column" in done.stderr
    assert "1 video: 1 done" in done.stdout


def test_nothing_found_makes_nothing(vidpose: Vidpose, tmp_path: Path) -> None:
    done = vidpose("batch", tmp_path / "no.mp4", "--out", tmp_path / "poses", "--local")
    assert done.returncode == 1
    assert done.stdout == ""
    assert not (tmp_path / "poses").exists()


def test_finished_videos_are_not_made_again_with_other_options_unasked(
    vidpose: Vidpose, new_clip: NewClip, models: list[str], tmp_path: Path
) -> None:
    command = ("batch", new_clip("a.mp4"), "--out", tmp_path / "poses", "--local", *models)
    assert vidpose(*command, "--workers", "1").returncode == 0
    table = tmp_path / "poses/video=a.mp4/part-0.parquet"
    before = table.stat().st_ino
    refused = vidpose(*command, "--every", "2", "--max-side", "32")
    assert refused.returncode == 1
    assert "1 video is finished there with other settings (--every, --max-side)" in refused.stderr
    assert table.stat().st_ino == before
    again = vidpose(*command, "--workers", "1", "--every", "2", "--overwrite")
    assert (again.returncode, "6 frames" in again.stdout) == (0, True), again


def test_a_part_of_each_video_and_the_fast_model(
    vidpose: Vidpose, new_clip: NewClip, models: list[str], tmp_path: Path
) -> None:
    command = ("batch", new_clip("a.mp4"), "--out", tmp_path / "poses", "--local")
    part = ("--start", "0.1", "--end", "0:00.3", "--confirm-score", "0", "--workers", "1")
    done = vidpose(*command, *models, *part)
    assert (done.returncode, "; 5 frames" in done.stdout) == (0, True), done
    wrong = vidpose(*command, *models, "--start", "soon")
    assert (wrong.returncode, "vidpose: --start 'soon': give" in wrong.stderr) == (2, True)
    both = vidpose(*command, *models, "--fast")
    assert (both.returncode, "give it or --model" in both.stderr) == (2, True)
