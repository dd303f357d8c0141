"""The Python examples of docs/formats.md run as they stand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from vidpose.io import RESULT_SUFFIXES, open_writer, read_results
from vidpose.results import FrameResult, Person, ResultHeader, SourceInfo
from vidpose.skeleton import COCO_17

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with dance.* in all formats and COCO annotations that agree with them."""
    header = ResultHeader("1", "m", COCO_17, SourceInfo("a", 64, 48, None, None, None, False))
    points = np.random.default_rng(0).uniform(1, 40, (17, 3))
    points[:, 2] = 0.5
    for suffix in RESULT_SUFFIXES:
        with open_writer(tmp_path / f"dance{suffix}", header) as writer:
            writer.write(FrameResult(0, 0.0))
            writer.write(FrameResult(1, 0.1, (Person(1, 0.9, (1, 1, 40, 40), points),)))
    (entry,) = json.loads((tmp_path / "dance.json").read_text())
    annotation = {**entry, "id": 1, "area": 1600, "iscrowd": 0, "num_keypoints": 17}
    truth = {
        "images": [{"id": 0}, {"id": 1}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [annotation],
    }
    (tmp_path / "dance_truth.json").write_text(json.dumps(truth))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_page_has_its_examples() -> None:
    assert len(EXAMPLES) == 7


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example(folder: Path, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    example = EXAMPLES[number]
    for library in ("pandas", "pycocotools"):
        if f" {library}" in example:
            pytest.importorskip(library)
    exec(compile(example, f"{PAGE.name}, example {number + 1}", "exec"), {})
    if "mine.csv" in example:
        assert [len(frame.people) for frame in read_results("mine.csv").frames] == [0, 1]
    else:
        assert capsys.readouterr().out
