"""The pages docs/how-to do what they say: their commands and snippets run, one after the other.

On real clips where they are at hand, else on a made one of two people.
"""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from shared_folder import shared_root
from vidpose.__main__ import app
from vidpose.video import VideoReader, VideoWriter

REPOSITORY = Path(__file__).resolve().parents[2]
LONG = ("import", "own-keypoints")
"""Guides whose commands need other projects' networks or labels, tested where their verbs are."""
PAGES = {
    page.stem: page
    for page in sorted((REPOSITORY / "docs" / "how-to").glob("*.md"))
    if page.stem not in LONG
}
REAL = {"squat": "squats.mp4", "opensim": "squats.mp4"}
"""Pages whose commands need a whole person, and a clip that has one; short ones, for speed."""
CLIPS = ("squat.mp4", "street.mp4", "walk.mp4", "game.mp4")


def steps(text: str) -> list[tuple[str, str]]:
    """("bash", command) and ("python", snippet) of a page, in order."""
    found = []
    for language, code in re.findall(r"^```(bash|python)\n(.*?)^```$", text, re.S | re.M):
        lines = code.replace("\\\n", " ").splitlines() if language == "bash" else [code]
        found += [(language, line) for line in lines if line.strip()]
    return found


def made_clip(path: Path) -> None:
    """A second of the picture of two people, who drift to the right."""
    picture = cv2.imread(str(REPOSITORY / "tests" / "assets" / "two_people.jpg"))[:, :, ::-1]
    with VideoWriter(path, width=picture.shape[1], height=picture.shape[0]) as video:
        for index in range(16):
            shifted = np.roll(picture, index, axis=1)
            video.write(np.ascontiguousarray(shifted), index / 15)


def here(words: list[str]) -> list[str]:
    """A command for a clip of a second: parts, pixels and times of its own."""
    values = {"--start": "0.2", "--end": "0.9", "--person": "110,100@0.5"}
    for option, value in values.items():
        if option in words and words[words.index(option) + 1][0].isdigit():
            words[words.index(option) + 1] = value
    return words


@pytest.mark.parametrize("name", list(PAGES))
def test_page_runs(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    real = shared_root() / "data" / "video" / REAL.get(name, "")
    if name in REAL and not real.is_file():
        pytest.skip("needs a clip with a whole person, of VIDPOSE_SHARED")
    for clip in CLIPS:
        if name in REAL:
            Path(clip).symlink_to(real)
        else:
            made_clip(Path(clip))
    for language, code in steps(PAGES[name].read_text(encoding="utf-8")):
        if language == "python":
            if "pandas" in code:
                pytest.importorskip("pandas")
            exec(compile(code.replace("webcam:0", "walk.mp4"), PAGES[name].name, "exec"), {})
            assert capsys.readouterr().out.strip(), code
            continue
        program, verb, *words = shlex.split(code, comments=True)
        assert program == "vidpose"
        if verb == "live":
            continue  # tests/live; a page that is served does not end
        ended = CliRunner().invoke(app, [verb, *here(words)], catch_exceptions=False)
        assert ended.exit_code == 0, f"{code}\n{ended.output}"
        for option, value in pairwise(words):
            assert option != "--out" or Path(value).stat().st_size > 0, code


@pytest.mark.parametrize("name", list(PAGES))
def test_page_is_short_and_has_its_picture(name: str) -> None:
    text = PAGES[name].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert f"({name}.svg)" in text
    assert (PAGES[name].parent / f"{name}.svg").is_file()


def test_made_clip_has_its_frames(tmp_path: Path) -> None:
    made_clip(tmp_path / "a.mp4")
    with VideoReader(tmp_path / "a.mp4") as video:
        assert len(list(video)) == 16


def test_python_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/python.md: its snippets, in order and in one namespace."""
    monkeypatch.chdir(tmp_path)
    made_clip(Path("dance.mp4"))
    text = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    snippets = [code for language, code in steps(text) if language == "python"]
    assert len(snippets) == 4
    for code in snippets:
        exec(compile(code, "python.md", "exec"), names)
    assert {path.name for path in tmp_path.iterdir()} >= {"dance.jsonl", "dance.html", "clean.mp4"}
