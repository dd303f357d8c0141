"""``vidpose run`` from sources to finished files."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from command import NewClip, Vidpose

from vidpose.cli.run import TrackerChoice
from vidpose.io import read_results
from vidpose.tracking.trackers import TrackerName
from vidpose.video import VideoReader


def frame_count(path: Path) -> int:
    with VideoReader(path) as video:
        return sum(1 for _ in video)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Outputs without a folder land here."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_default_outputs_hold_every_frame(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, elsewhere: Path
) -> None:
    clip = new_clip("dance.avi", frames=12)
    ended = vidpose("run", clip, *models)
    assert ended.returncode == 0
    assert names(elsewhere) == ["dance.jsonl", "dance_pose.mp4"]
    results = read_results("dance.jsonl")
    assert results.header is not None
    assert results.header.model == "middle"
    assert results.header.source.path == str(clip)
    with VideoReader(clip) as video:
        assert [frame.time for frame in results.frames] == [frame.time for frame in video]
    assert [frame.index for frame in results.frames] == list(range(12))
    assert all(person.id == 1 for frame in results.frames for person in frame.people)
    assert results.frames[-1].people
    assert frame_count(Path("dance_pose.mp4")) == 12
    assert f"{clip}: 12 frames, 1 person" in ended.stdout
    assert "wrote dance.jsonl" in ended.stdout


@pytest.mark.parametrize("tracker", ["default", "poseflow", "flow"])
def test_every_tracker_loses_no_frame(
    tracker: str, vidpose: Vidpose, models: list[str], new_clip: NewClip
) -> None:
    clip = new_clip("dance.avi", frames=6)
    out = ["--out", f"{tracker}.jsonl"]
    assert vidpose("run", clip, *models, "--tracker", tracker, *out).returncode == 0
    frames = read_results(f"{tracker}.jsonl").frames
    assert [frame.index for frame in frames] == list(range(6))
    assert all(1 in [person.id for person in frame.people] for frame in frames)


def test_trackers_have_the_same_names_as_in_the_runtime(
    vidpose: Vidpose, models: list[str], new_clip: NewClip
) -> None:
    assert tuple(each.value for each in TrackerChoice) == get_args(TrackerName)
    ended = vidpose("run", new_clip("dance.avi"), *models, "--tracker", "sort")
    assert ended.returncode == 2
    assert "poseflow" in ended.stderr


def test_all_kinds_of_tables_agree(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, tmp_path: Path
) -> None:
    clip = new_clip("dance.avi", frames=5)
    kinds = [".jsonl", ".csv", ".parquet", ".json"]
    outs = [part for kind in kinds for part in ("--out", f"deep/er/{kind}")]
    assert vidpose("run", clip, *models, *outs).returncode == 0
    first, *others = [read_results(f"deep/er/dance{kind}").frames for kind in kinds]
    assert len(first) == 5
    assert all(other == first for other in others)


def test_image_folder_becomes_one_table(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, tmp_path: Path
) -> None:
    import cv2

    frames = tmp_path / "frames"
    frames.mkdir()
    with VideoReader(new_clip("dance.avi", frames=3)) as video:
        for frame in video:
            cv2.imwrite(str(frames / f"{frame.index}.png"), frame.image)
    assert vidpose("run", frames, *models, "--out", ".csv").returncode == 0
    assert len(read_results("frames.csv").frames) == 3


def test_a_half_done_set_goes_on(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, elsewhere: Path
) -> None:
    clips = new_clip("clips/a.avi").parent
    new_clip("clips/b.avi")
    done = elsewhere / "results" / "a.csv"
    done.parent.mkdir()
    done.write_text("from before")
    command = ["run", clips, *models, "--out", "results/.csv", "--out", "results/.jsonl"]

    first = vidpose(*command)
    assert first.returncode == 0
    assert names(done.parent) == ["a.csv", "a.jsonl", "b.csv", "b.jsonl"]
    assert done.read_text() == "from before"
    assert "kept  results/a.csv" in first.stdout
    assert "2 sources: 2 done, 0 kept, 0 failed" in first.stdout

    second = vidpose(*command)
    assert second.returncode == 0
    assert "2 sources: 0 done, 2 kept, 0 failed" in second.stdout

    assert vidpose(*command, "--overwrite").returncode == 0
    assert len(read_results(done).frames) == 12


def test_smoothing_and_people_options_reach_the_stream(
    vidpose: Vidpose, models: list[str], new_clip: NewClip
) -> None:
    clip = new_clip("dance.avi", frames=4)
    ended = vidpose("run", clip, *models, "--no-smooth", "--max-people", "1", "--out", ".csv")
    assert ended.returncode == 0
    assert all(len(frame.people) <= 1 for frame in read_results("dance.csv").frames)


def test_angles_are_columns_of_a_table(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, elsewhere: Path
) -> None:
    clip = new_clip("dance.avi", frames=3)
    assert vidpose("run", clip, *models, "--out", "a.csv", "--angles").returncode == 0
    assert "left_knee_flexion" in (elsewhere / "a.csv").read_text().splitlines()[0]
    ended = vidpose("run", clip, *models, "--out", "a.jsonl", "--angles")
    assert (ended.returncode, "--angles: only" in ended.stderr) == (2, True)
