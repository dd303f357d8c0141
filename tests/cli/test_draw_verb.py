"""`vidpose draw` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from command import Vidpose
from PIL import Image

from movements import frames, pose
from vidpose.io import open_writer
from vidpose.results import ResultHeader, SourceInfo
from vidpose.skeleton import COCO_17
from vidpose.video import VideoWriter


def test_a_result_is_drawn_on_its_video(vidpose: Vidpose, tmp_path: Path) -> None:
    clip, times = tmp_path / "clip.mp4", [0.1 * index for index in range(6)]
    with VideoWriter(clip, width=240, height=320) as video:
        for time in times:
            video.write(np.full((320, 240, 3), 128, np.uint8), time)
    info = SourceInfo("clip.mp4", 240, 320, None, 6, None, False)
    with open_writer(tmp_path / "a.jsonl", ResultHeader("1", "m", COCO_17, info)) as writer:
        for frame in frames(times, {1: [pose()] * 6}):
            writer.write(frame)
    outs = ["--out", tmp_path / "a.mp4", "--out", tmp_path / "a.png", "--trails", "1"]
    ended = vidpose("draw", tmp_path / "a.jsonl", clip, *outs)
    assert ended.returncode == 0, ended.stderr
    assert [line.split()[-2:] for line in ended.stdout.splitlines()] == [["(6", "frames)"]] * 2
    assert (tmp_path / "a.png").exists()
    for out, message in (("a.csv", "no kind of picture"), ("a.mp4", "--overwrite")):
        ended = vidpose("draw", tmp_path / "a.jsonl", clip, "--out", tmp_path / out)
        assert (ended.returncode, message in ended.stderr) == (2, True), ended.stderr


def test_images_may_be_named_by_a_pattern(vidpose: Vidpose, tmp_path: Path) -> None:
    """In `draw` and in `report`, as in `run`."""
    for index in range(6):
        Image.new("RGB", (240, 320)).save(tmp_path / f"{index}.png")
    times, info = [index / 30 for index in range(6)], SourceInfo("x", 240, 320, 30.0, 6, 0.2, False)
    with open_writer(tmp_path / "a.jsonl", ResultHeader("1", "m", COCO_17, info)) as writer:
        for frame in frames(times, {1: [pose()] * 6}):
            writer.write(frame)
    pattern = f"{tmp_path}/[0-5].png"
    for verb, *named in (("draw", pattern, "--out"), ("report", "--video", pattern, "--out")):
        out = tmp_path / ("a.mp4" if verb == "draw" else "a.html")
        ended = vidpose(verb, tmp_path / "a.jsonl", *named, out)
        assert ended.returncode == 0, ended.stderr
