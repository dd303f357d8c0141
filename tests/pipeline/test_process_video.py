"""From a source to results and files: laziness, callbacks, stopping, and everything closed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

pytest.importorskip("onnx", reason="the painted networks are built with onnx")

import painted
import vidpose
from vidpose.errors import InputError, OutputError
from vidpose.inference import PoseModel
from vidpose.io import read_results
from vidpose.results import FrameResult, SourceInfo
from vidpose.video import Frame, VideoReader

COUNT = 12
WALKER = painted.Actor(lambda time: (60 + 60 * time, 110), height=100, colour=100)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A painted walker, without loss, ten frames a second."""
    path = tmp_path / "walker.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 400, 220, "bgr0"
        for number in range(COUNT):
            picture = painted.paint([WALKER], number / 10, (220, 400))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def networks(dkd_model: PoseModel) -> dict[str, Any]:
    return {"model": dkd_model, "detector": painted.BodyDetector()}


@pytest.fixture(autouse=True)
def nothing_stays_behind(tmp_path: Path) -> Iterator[None]:
    """No thread, no open file of this test's."""
    before = threading.active_count()
    yield
    assert threading.active_count() == before
    assert not [name for name in open_files() if str(tmp_path) in name]


def open_files() -> list[str]:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return []
    return [str(link.readlink()) for link in folder.iterdir() if link.is_symlink()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_track_gives_every_frame_with_its_result(clip: Path, networks: dict[str, Any]) -> None:
    pairs = list(vidpose.track(clip, **networks))
    assert [frame.index for frame, _ in pairs] == list(range(COUNT))
    assert [result.time for _, result in pairs] == [frame.time for frame, _ in pairs]
    assert painted.ids_of(WALKER, [result for _, result in pairs]) == [1] * COUNT


def test_track_is_lazy(clip: Path, networks: dict[str, Any]) -> None:
    pairs = vidpose.track("no such file", **networks)
    with pytest.raises(InputError, match="no such file"):
        next(pairs)
    pairs = vidpose.track(clip, confirm_score=0.0, **networks)  # else frames wait for a while
    assert networks["detector"].calls == 0
    next(pairs)
    assert networks["detector"].calls == 1
    assert str(clip) in open_files() or not open_files()
    pairs.close()  # the fixture looks whether the file is closed


def test_models_may_be_named(clip: Path, networks: dict[str, Any], tmp_path: Path) -> None:
    path = painted.save_bundle(tmp_path)
    named = next(vidpose.track(clip, model=path, detector=painted.BodyDetector()))
    loaded = next(vidpose.track(clip, **networks))
    assert named[1] == loaded[1]


def test_process_video_writes_all_outputs(
    clip: Path, networks: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    outputs = [folder / "walker.jsonl", folder / "walker.csv", folder / "walker_pose.mp4"]
    seen: list[FrameResult] = []
    infos: list[SourceInfo] = []

    def on_frame(frame: Frame, result: FrameResult) -> None:
        assert frame.time == result.time
        seen.append(result)

    outcome = vidpose.process_video(
        clip, outputs, on_start=infos.append, on_frame=on_frame, **networks
    )
    assert (outcome.frames, outcome.people, outcome.warnings) == (COUNT, 1, ())
    assert [(info.width, info.height) for info in infos] == [(400, 220)]
    assert read_results(outputs[0]).frames == read_results(outputs[1]).frames == seen
    assert seen == [result for _, result in vidpose.track(clip, **networks)]
    with VideoReader(outputs[2]) as drawn:
        assert sum(1 for _ in drawn) == COUNT


def test_one_output_needs_no_list(clip: Path, networks: dict[str, Any], tmp_path: Path) -> None:
    vidpose.process_video(str(clip), str(tmp_path / "one.csv"), **networks)
    assert len(read_results(tmp_path / "one.csv").frames) == COUNT


def test_options_reach_the_stream(clip: Path, networks: dict[str, Any]) -> None:
    raw = [result for _, result in vidpose.track(clip, smooth=False, **networks)]
    smooth = [result for _, result in vidpose.track(clip, **networks)]
    assert raw != smooth
    with pytest.raises(InputError, match="max_people"):
        next(vidpose.track(clip, max_people=0, **networks))


def test_a_callback_ends_the_video_with_its_frame(
    clip: Path, networks: dict[str, Any], tmp_path: Path
) -> None:
    outputs = [tmp_path / "short.csv", tmp_path / "short.mp4"]
    outcome = vidpose.process_video(
        clip, outputs, on_frame=lambda frame, result: frame.index < 4, **networks
    )
    assert outcome.frames == 5
    assert [frame.index for frame in read_results(outputs[0]).frames] == [0, 1, 2, 3, 4]
    with VideoReader(outputs[1]) as drawn:
        assert sum(1 for _ in drawn) == 5


@pytest.mark.parametrize("where", ["on_start", "on_frame", "should_stop"])
def test_a_callbacks_error_passes_through_and_leaves_nothing(
    where: str, clip: Path, networks: dict[str, Any], tmp_path: Path
) -> None:
    class Mine(Exception):
        pass

    calls = 0

    def fail(*_: object) -> bool:
        nonlocal calls
        calls += 1
        if where == "on_start" or calls == 3:
            raise Mine
        return where == "on_frame"

    out = tmp_path / "out"
    out.mkdir()
    (out / "a.jsonl").write_text("from before")
    outputs = [out / "a.jsonl", out / "a.mp4"]
    with pytest.raises(Mine):
        vidpose.process_video(clip, outputs, overwrite=True, **{where: fail}, **networks)
    assert names(out) == ["a.jsonl"]
    assert (out / "a.jsonl").read_text() == "from before"


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".parquet", ".mp4"])
def test_outputs_are_kept_only_if_they_are_whole(
    kind: str, clip: Path, networks: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / f"out{kind}"

    def process(**more: Any) -> vidpose.pipeline.Outcome:
        return vidpose.process_video(clip, out, **networks, **more)

    vidpose.process_video(clip, out, on_frame=lambda frame, _: frame.index < 4, **networks)
    with pytest.raises(OutputError, match="ends before its video"):
        process()
    assert process(overwrite=True).written == (out,)
    outcome = process()
    assert (outcome.written, outcome.kept, outcome.frames) == ((), (out,), 0)
    with pytest.raises(OutputError, match=r"other options \(max_people\)"):
        process(max_people=1)


@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".mp4", ".png"])
def test_what_is_no_result_of_ours_is_never_replaced_unasked(
    kind: str, clip: Path, networks: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / f"out{kind}"
    out.write_text("another's")
    with pytest.raises(OutputError, match=r"exists, but .*overwrite=True"):
        vidpose.process_video(clip, out, **networks)
    assert out.read_text() == "another's"


def test_unknown_options_are_named(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="unknown option 'smoth'"):
        vidpose.process_video(clip, tmp_path / "a.csv", smoth=False)  # type: ignore[call-arg]


def test_what_is_no_model_or_style_is_named(clip: Path, tmp_path: Path) -> None:
    for options, message in (
        ({"model": 5}, "a model is a PoseModel or a name, got int"),
        ({"style": {"trails": 1}}, "a style is a .*DrawStyle, got dict"),
    ):
        with pytest.raises(InputError, match=message):
            vidpose.process_video(clip, tmp_path / "a.mp4", **options)  # type: ignore[arg-type]


def test_an_output_that_fails_removes_the_others(
    clip: Path, networks: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(OutputError, match=r"\.xlsx"):
        vidpose.process_video(clip, [out / "a.csv", out / "a.xlsx"], **networks)
    assert names(out) == []


def test_what_killed_runs_left_is_removed(
    clip: Path, networks: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ".vidpose-0123456789abcdef.part.mp4").touch()
    os.utime(out / ".vidpose-0123456789abcdef.part.mp4", (0, 0))
    vidpose.process_video(clip, out / "a.jsonl", **networks)
    assert names(out) == ["a.jsonl"]


def test_stopping_ends_the_video_there(
    clip: Path, networks: dict[str, Any], tmp_path: Path
) -> None:
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1

    outcome = vidpose.process_video(
        clip,
        tmp_path / "a.csv",
        on_frame=count,
        should_stop=lambda: seen == 3,
        confirm_score=0.0,
        **networks,
    )
    assert outcome.frames == 3
    assert len(read_results(tmp_path / "a.csv").frames) == 3


def test_a_source_without_frames_is_an_error(
    clip: Path, networks: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="stopped before"):
        vidpose.process_video(clip, tmp_path / "a.csv", should_stop=lambda: True, **networks)
    assert names(tmp_path) == ["walker.mkv"]


def test_a_source_that_does_not_answer_holds_no_caller(
    networks: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()

    class Silent(VideoReader):
        def __init__(self, path: str | Path, **_: object) -> None:
            answer.wait()
            raise InputError("too late")

    monkeypatch.setattr("vidpose.pipeline.reading.VideoReader", Silent)
    start = time.monotonic()
    with pytest.raises(InputError, match="stopped before"):
        vidpose.process_video(
            "rtsp://nowhere",
            tmp_path / "a.csv",
            should_stop=lambda: time.monotonic() - start > 0.3,
            **networks,
        )
    assert time.monotonic() - start < 1.5
    answer.set()
    time.sleep(0.2)


def test_a_damaged_image_is_recorded_under_its_number_without_people(
    tmp_path: Path, networks: dict[str, Any]
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(6):
        picture = painted.paint([WALKER], number / 10, (220, 400))
        av.VideoFrame.from_ndarray(picture, format="rgb24").to_image().save(
            folder / f"{number}.png"
        )
    (folder / "3.png").write_bytes(b"no image")
    outputs = [tmp_path / "out.jsonl", tmp_path / "out.mp4"]
    outcome = vidpose.process_video(folder, outputs, image_rate=10, **networks)
    frames = read_results(outputs[0]).frames
    assert [frame.index for frame in frames] == list(range(6))
    assert [frame.time for frame in frames] == pytest.approx([n / 10 for n in range(6)])
    assert [[person.id for person in frame.people] for frame in frames] == [
        [1], [1], [1], [], [1], [1],
    ]  # fmt: skip
    assert "3.png: cannot be read; its frame 3 is recorded without people" in outcome.warnings[0]
    with VideoReader(outputs[1]) as reader:
        assert len(list(reader)) == 6


def test_a_part_of_the_video(clip: Path, networks: dict[str, Any], tmp_path: Path) -> None:
    part: dict[str, Any] = {"start": "0.2", "end": 0.9, "every": 2, "region": "40,0,360,220"}
    pairs = list(vidpose.track(clip, **networks, **part))
    assert [frame.index for frame, _ in pairs] == [2, 4, 6, 8]
    results = [result for _, result in pairs]
    assert [result.index for result in results] == [2, 4, 6, 8]
    assert painted.ids_of(WALKER, results) == [1] * 4  # where they are in the whole picture
    outputs = [tmp_path / "a.jsonl", tmp_path / "a.mp4"]
    outcome = vidpose.process_video(clip, outputs, max_side=200, **networks, **part)
    assert outcome.frames == 4
    assert painted.ids_of(WALKER, read_results(outputs[0]).frames) == [1] * 4
    with VideoReader(outputs[1]) as drawn:
        images = [frame.image for frame in drawn]
        assert [image.shape for image in images] == [(110, 200, 3)] * 4
    with pytest.raises(OutputError, match=r"other options \(end, every, max_side, region, start\)"):
        vidpose.process_video(clip, outputs, **networks)
    with pytest.raises(InputError, match=r"no frame at or after 9\.0 s"):
        vidpose.process_video(clip, tmp_path / "b.csv", start=9, **networks)


def test_one_person_of_all(clip: Path, networks: dict[str, Any], tmp_path: Path) -> None:
    outcome = vidpose.process_video(clip, tmp_path / "a.csv", person=5, **networks)
    assert outcome.people == 0
    assert "no person fits '5'" in outcome.warnings[0]
    results = [result for _, result in vidpose.track(clip, person="100,110@0.6", **networks)]
    assert [len(result.people) for result in results] == [0] * 6 + [1] * 6


def test_what_another_process_made_meanwhile_is_not_replaced(
    clip: Path, networks: dict[str, Any], tmp_path: Path
) -> None:
    outputs = [tmp_path / "a.jsonl", tmp_path / "a.csv"]

    def on_frame(*_: object) -> None:
        outputs[1].write_text("another's")

    with pytest.raises(OutputError, match=r"a\.csv: another process has made it meanwhile"):
        vidpose.process_video(clip, outputs, on_frame=on_frame, **networks)
    assert outputs[1].read_text() == "another's"
    assert names(tmp_path) == ["a.csv", "walker.mkv"]


def test_a_source_that_changes_while_it_is_read_is_said(
    clip: Path, networks: dict[str, Any], tmp_path: Path
) -> None:
    def on_start(info: SourceInfo) -> None:
        with clip.open("ab") as file:
            file.write(b"more")

    outcome = vidpose.process_video(clip, tmp_path / "a.csv", on_start=on_start, **networks)
    assert len(outcome.warnings) == 1
    assert "changed while it was read" in outcome.warnings[0]


@pytest.mark.parametrize("output", ["file/a.csv", "file/deeper/a.csv"])
def test_a_file_in_the_place_of_a_folder_is_named(
    clip: Path, networks: dict[str, Any], tmp_path: Path, output: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file is a file, not a folder; choose another --out"):
        vidpose.process_video(clip, tmp_path / output, **networks)
