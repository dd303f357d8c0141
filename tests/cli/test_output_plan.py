"""Which files ``vidpose run`` writes for which sources."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from vidpose.cli._errors import UsageMistake
from vidpose.cli._outputs import plan_jobs


def outputs(sources: list[Path | str], outs: list[str]) -> list[list[str]]:
    return [[str(path) for path in job.outputs] for job in plan_jobs(sources, outs)]


def test_default_is_a_table_and_a_video_in_the_current_folder() -> None:
    assert outputs([Path("films/dance.mp4")], []) == [["dance.jsonl", "dance_pose.mp4"]]


@pytest.mark.parametrize(
    ("name", "pages", "drawn"),
    [
        ("im.png", 1, "im_pose.png"),
        ("im.JPG", 1, "im_pose.jpg"),
        ("im.bmp", 1, "im_pose.png"),
        ("im.tif", 1, "im_pose.png"),
        ("im.tif", 3, "im_pose.mp4"),
        ("im.webp", 3, "im_pose.mp4"),
    ],
)
def test_of_a_single_picture_a_picture(tmp_path: Path, name: str, pages: int, drawn: str) -> None:
    source = tmp_path / name
    pictures = [Image.new("RGB", (32, 16), (90 * page, 0, 0)) for page in range(pages)]
    more = {"save_all": True, "append_images": pictures[1:]} if pages > 1 else {}
    pictures[0].save(source, **more)  # type: ignore[arg-type]
    assert outputs([source], ["out/"]) == [["out/im.jsonl", f"out/{drawn}"]]
    assert outputs([source], [".mp4"]) == [["im_pose.mp4"]]


def test_named_files_for_one_source() -> None:
    planned = outputs([Path("a.mp4")], ["x/first.csv", "second.MP4", "third.parquet"])
    assert planned == [["x/first.csv", "second.MP4", "third.parquet"]]


@pytest.mark.parametrize("folder", ["results/", "results"])
def test_a_folder_holds_the_default_kinds_of_every_source(folder: str) -> None:
    planned = outputs([Path("a.mp4"), Path("b.mkv")], [folder])
    assert planned == [
        ["results/a.jsonl", "results/a_pose.mp4"],
        ["results/b.jsonl", "results/b_pose.mp4"],
    ]


def test_an_existing_folder_needs_no_slash(tmp_path: Path) -> None:
    folder = tmp_path / "v1.0"
    folder.mkdir()
    assert outputs([Path("a.mp4")], [str(folder)]) == [
        [f"{folder}/a.jsonl", f"{folder}/a_pose.mp4"]
    ]


def test_only_a_suffix_is_one_file_per_source() -> None:
    planned = outputs([Path("a.mp4"), Path("b.mp4")], [".csv", "out/.json", "out/.mp4"])
    assert planned == [
        ["a.csv", "out/a.json", "out/a_pose.mp4"],
        ["b.csv", "out/b.json", "out/b_pose.mp4"],
    ]


def test_the_same_output_twice_is_written_once() -> None:
    assert outputs([Path("a.mp4")], ["a.csv", ".csv"]) == [["a.csv"]]


def test_names_of_folders_patterns_and_streams(tmp_path: Path) -> None:
    frames = tmp_path / "walk.v2"
    frames.mkdir()
    assert outputs([frames], [".csv"]) == [["walk.v2.csv"]]
    assert outputs([f"{frames}/*.png"], [".csv"]) == [["walk.v2.csv"]]
    assert outputs(["webcam:0"], [".csv"]) == [["webcam_0.csv"]]
    assert outputs(["rtsp://10.0.0.1/cam?x=1"], [".csv"]) == [["rtsp_10.0.0.1_cam_x_1.csv"]]


@pytest.mark.parametrize(
    ("sources", "outs", "part"),
    [
        (["a.mp4"], ["a.xlsx"], "unknown kind of output '.xlsx'"),
        (["a.mp4"], [".xlsx"], "unknown kind of output '.xlsx'"),
        (["a.mp4", "b.mp4"], ["all.csv"], "2 sources cannot share one file"),
        (["x/a.mp4", "y/a.mp4"], [".csv"], "would both write a.csv"),
    ],
)
def test_impossible_plans_are_refused(sources: list[str], outs: list[str], part: str) -> None:
    with pytest.raises(UsageMistake) as refusal:
        plan_jobs([Path(source) for source in sources], outs)
    assert part in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_no_output_is_a_source_of_any_job(tmp_path: Path) -> None:
    sources = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for source in sources:
        source.touch()
    (tmp_path / "a_pose.mp4").symlink_to(sources[1])
    with pytest.raises(UsageMistake, match=r"a_pose\.mp4: this is a source, it would be"):
        plan_jobs(sources, [f"{tmp_path}/.mp4"])
