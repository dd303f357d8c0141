"""``vidpose run`` from sources to finished files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from command import NewClip, Vidpose

from shared_folder import FLOAT_MODEL
from vidpose.cli import _runtime, run
from vidpose.cli.run import TrackerChoice
from vidpose.defaults import DEFAULT_MODEL, FAST_MODEL
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


def test_fast_takes_the_small_model(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    load = _runtime.load_networks

    def loading(model: str, *rest: Any) -> Any:
        asked.append(model)
        return load(models[1], *rest)

    monkeypatch.setattr(run, "load_networks", loading)
    clip = new_clip("dance.avi", frames=2)
    detector = models[2:]
    assert vidpose("run", clip, "--out", "a.csv", *detector).returncode == 0
    assert vidpose("run", clip, "--out", "b.csv", "--fast", *detector).returncode == 0
    assert asked == [DEFAULT_MODEL, FAST_MODEL]
    ended = vidpose("run", clip, "--fast", *models)
    assert ended.returncode == 2
    assert f"--fast names a model already, {FAST_MODEL}" in ended.stderr


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
    results = elsewhere / "results"
    assert vidpose("run", clips / "a.avi", *models, "--out", "results/.csv").returncode == 0
    before = (results / "a.csv").stat()
    command = ["run", clips, *models, "--out", "results/.csv", "--out", "results/.jsonl"]

    first = vidpose(*command)
    assert first.returncode == 0
    assert names(results) == [".vidpose", "a.csv", "a.jsonl", "b.csv", "b.jsonl"]
    assert (results / "a.csv").stat() == before
    assert "kept  results/a.csv" in first.stdout
    assert "2 sources: 2 done, 0 kept, 0 failed" in first.stdout

    second = vidpose(*command)
    assert second.returncode == 0
    assert "2 sources: 0 done, 2 kept, 0 failed" in second.stdout

    assert vidpose(*command, "--overwrite").returncode == 0
    assert (results / "a.csv").stat() != before


def test_running_twice_among_the_videos_goes_on(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What vidpose drew is never taken as a source, under whatever name."""
    folder = new_clip("clips/a.avi").parent
    monkeypatch.chdir(folder)
    assert vidpose("run", ".", *models).returncode == 0
    (folder / "a_pose.mp4").rename(folder / "b.mp4")
    new_clip("clips/c.mp4")
    for spec in (".", "*.[am][vp][i4]"):
        ended = vidpose("run", spec, *models, "--out", "out/")
        assert ended.returncode == 0, ended.stderr
        assert names(folder / "out") == ["a.jsonl", "a_pose.mp4", "c.jsonl", "c_pose.mp4"]
    named = vidpose("run", "b.mp4", *models)
    assert named.returncode == 1
    assert "vidpose drew this video" in named.stderr


def test_drawn_animations_are_no_sources(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(new_clip("clips/a.avi").parent)
    for said in ("12 frames", "already done"):
        ended = vidpose("run", ".", *models, "--out", ".gif")
        assert ended.returncode == 0, ended.stderr
        assert said in ended.stdout


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".parquet", ".json", ".mp4"])
def test_only_this_runs_own_complete_output_counts_as_done(
    kind: str,
    vidpose: Vidpose,
    models: list[str],
    models_that_see_nobody: list[str],
    new_clip: NewClip,
) -> None:
    clip = new_clip("dance.avi", frames=12)
    out = Path(f"out{kind}")
    command = ["run", clip, *models, "--out", out]

    def refused(reason: str, *more: str) -> None:
        before = out.read_bytes()
        ended = vidpose(*command, *more)
        assert ended.returncode == 1
        assert ended.stderr.count("\n") == 1
        assert f"{out}: exists, but {reason}" in ended.stderr
        assert "--overwrite" in ended.stderr
        assert out.read_bytes() == before

    def made_anew() -> None:
        assert vidpose(*command, "--overwrite").returncode == 0
        assert "already done" in vidpose(*command).stdout

    assert vidpose(*command).returncode == 0
    assert "already done" in vidpose(*command).stdout
    refused("it was made with other options (smooth)", "--no-smooth")
    refused("it was made with another detector", *models_that_see_nobody)

    whole = out.read_bytes()
    out.write_bytes(b"")
    refused("it ")
    for part in (len(whole) // 2, len(whole) - 1):
        out.write_bytes(whole[:part])
        refused("it ")
    if kind == ".jsonl":
        out.write_bytes(b"".join(whole.splitlines(keepends=True)[:-3]))
        refused("it is incomplete")
    made_anew()

    new_clip("dance.avi", frames=20)
    refused("its source has changed")
    made_anew()
    other = new_clip("other/dance.avi", frames=7)
    command[1] = other
    refused(f"it was made from {clip}")


def test_another_model_of_the_same_name_is_another_model(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, tmp_path: Path
) -> None:
    from dataclasses import replace

    from vidpose.bundle import read_bundle, write_bundle

    command = ["run", new_clip("dance.avi"), *models, "--out", "out.jsonl"]
    assert vidpose(*command).returncode == 0
    bundle = read_bundle(models[1])
    write_bundle(tmp_path / "other.vidpose", replace(bundle, card="another one"))
    ended = vidpose(*command, "--model", tmp_path / "other.vidpose")
    assert ended.returncode == 1
    assert "another model of that name" in ended.stderr
    write_bundle(tmp_path / "other.vidpose", replace(bundle, name="other"))
    ended = vidpose(*command, "--model", tmp_path / "other.vidpose")
    assert "another model (middle)" in ended.stderr


def test_an_image_changed_in_a_folder_is_another_source(
    vidpose: Vidpose, models: list[str], tmp_path: Path
) -> None:
    import cv2
    import numpy as np

    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(3):
        cv2.imwrite(str(frames / f"{number}.png"), np.zeros((48, 64, 3), np.uint8))
    command = ["run", frames, *models, "--out", "out.csv"]
    assert vidpose(*command).returncode == 0
    assert "already done" in vidpose(*command).stdout
    cv2.imwrite(str(frames / "1.png"), np.full((48, 64, 3), 9, np.uint8))
    assert "its source has changed" in vidpose(*command).stderr


def test_results_that_do_not_say_their_source_are_neither_kept_nor_lost(
    vidpose: Vidpose, models: list[str], new_clip: NewClip
) -> None:
    Path("dance.csv").write_text("from before")
    command = ["run", new_clip("dance.avi"), *models, "--out", ".csv", "--out", ".jsonl"]
    ended = vidpose(*command)
    assert ended.returncode == 1
    assert "dance.csv: exists, but it does not say what it was made from" in ended.stderr
    assert Path("dance.csv").read_text() == "from before"
    assert not Path("dance.jsonl").exists()


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


def test_a_part_and_one_person(vidpose: Vidpose, models: list[str], new_clip: NewClip) -> None:
    clip = new_clip("dance.avi", frames=50)
    part = ["--start", "0:00.4", "--end", "1.2", "--every", "5", "--region", "0,0,64,40"]
    people = ["--person", "largest", "--min-score", "0.1", "--max-side", "32"]
    ended = vidpose("run", clip, *models, *part, *people, "--out", "a.csv", "--out", "a.mp4")
    assert ended.returncode == 0, ended.stderr
    assert [frame.index for frame in read_results("a.csv").frames] == [10, 15, 20, 25]
    with VideoReader("a.mp4") as drawn:
        assert (drawn.info.width, drawn.info.height) == (32, 24)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--start", "3", "--end", "2"], "--end 2.0 s must be after"),
        (["--start", "soon"], "--start 'soon'"),
        (["--region", "1,2"], "--region '1,2'"),
        (["--person", "tall"], "--person 'tall'"),
    ],
)
def test_parts_that_cannot_be_are_wrong_usage(
    wrong: list[str], words: str, vidpose: Vidpose, models: list[str], new_clip: NewClip
) -> None:
    ended = vidpose("run", new_clip("dance.avi"), *models, *wrong)
    assert ended.returncode == 2
    assert words in ended.stderr


def test_the_default_model_runs_on_openvino_by_its_float_sister(
    vidpose: Vidpose, new_clip: NewClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setenv("VIDPOSE_MODELS", str(FLOAT_MODEL.parent))
    done = vidpose("run", new_clip("a.mp4"), "--runtime", "openvino", "--out", tmp_path / "a.jsonl")
    assert done.returncode == 0, done.stderr
    assert "dkd-base-int8: INT8 is for onnxruntime; on openvino its float version" in done.stdout
    assert json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])["model"] == "dkd-base"


def test_the_choice_of_a_runtime_is_not_among_the_results(
    vidpose: Vidpose, models: list[str], new_clip: NewClip
) -> None:
    done = vidpose("run", new_clip("a.mp4"), *models, "--runtime", "auto", "--out", "-")
    assert done.returncode == 0, done.stderr
    assert all(json.loads(line) for line in done.stdout.splitlines())
    assert "runtime onnxruntime" in done.stderr or "runtime openvino" in done.stderr
