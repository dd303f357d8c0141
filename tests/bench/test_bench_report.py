"""The tables and the JSON of hand-made figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vidpose.bench.measure import Alone, Measured, Run
from vidpose.bench.networks import Timing
from vidpose.bench.plot import COLOURS, draw_stages
from vidpose.bench.report import Report
from vidpose.bench.stages import LATENCY, NAMES, Pass, Stage
from vidpose.bench.whole import Whole

STAGES = (
    Stage("detect", 20.0, 25.5, 0.0667, 1.4),
    Stage("step, with distilling", 4.25, 5.0, 1.0, 4.3),
    Stage(LATENCY, 6.0, 30.0, 1.0, 7.2),
)
WHOLE = Whole(120.25, 250.0), Whole(81.5, 310.2)
NOTHING = Whole(130.0, None), Whole(90.0, None)
FILMED = Run("as filmed", None, 2, Pass(30, 60, 4, 56, 90.0, STAGES), *WHOLE, 0.0849, 0.1034)
EMPTY = Run("1 person", 1, 2, Pass(30, 0, 0, 0, 0.0, STAGES), *NOTHING, None, None)
ALONE = Alone(2, (Timing("step", 2.0, 2.5, {"reference.onnx": 0.4}),))
REPORT = Report(Measured((FILMED, EMPTY), (ALONE,), ("no more",)), {"machine": "abacus"})


def lines() -> list[list[str]]:
    rows = [line for line in REPORT.markdown().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_every_figure_stands_in_its_column() -> None:
    table = lines()
    assert list(zip(table[0], table[2], strict=True)) == [
        ("people", "as filmed"),
        ("threads", "2"),
        ("followed", "2.0"),
        ("frames/s .jsonl", "120.2"),
        ("and .mp4", "81.5"),
        ("peak MB .jsonl", "250"),
        ("and .mp4", "310"),
        ("in to out ms", "6.0"),
        ("p95 ms", "30.0"),
        ("pose ms / person", "1.50"),
        ("GMACs / person", "0.103"),
        ("initialised %", "6.7"),
    ]
    rates = ["130.0", "90.0", "", ""]
    assert table[3] == ["1 person", "2", "0.0", *rates, "6.0", "30.0", "", "", ""]
    assert ["detect", *["20.00 / 25.50 (7 %)"] * 2] in table
    place = table.index(["step, with distilling", *["4.25 / 5.00"] * 2])
    assert table[place + 1] == ["of the step: distilling", "8 %", ""]
    assert table[-1] == ["step", "2.00", "2.50", "0.40"]


def test_conditions_and_notes_end_the_report() -> None:
    assert REPORT.markdown().endswith("- machine: abacus\n- no more")


def test_json_has_all_of_it_unrounded() -> None:
    figures = json.loads(REPORT.json())
    assert figures["conditions"] == {"machine": "abacus"}
    first = figures["runs"][0]
    assert first["gmacs_per_person"] == 0.1034
    assert first["stages"]["initialise_rate"] == pytest.approx(4 / 60)
    assert first["stages"]["stages"][0]["share"] == 0.0667
    assert first["table"] == {"frames_per_second": 120.25, "peak_mb": 250.0}
    assert first["whole"] == {"frames_per_second": 81.5, "peak_mb": 310.2}
    assert first["distilling"] == 0.0849
    assert figures["runs"][1]["whole"]["peak_mb"] is None
    assert figures["alone"][0]["timings"][0]["ratios"] == {"reference.onnx": 0.4}


def test_every_stage_has_a_colour_of_its_own() -> None:
    assert set(COLOURS) == set(NAMES.values()) - {LATENCY}
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw_stages([FILMED, EMPTY], "abacus", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["plot.png"]
