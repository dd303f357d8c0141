"""`vidpose bench` as a user meets it, and `--runtime` of `vidpose run`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import NewClip, Vidpose

from vidpose.bench.whole import Networks, _wait, run_whole
from vidpose.errors import VidposeError
from vidpose.io import read_results


def test_a_clip_is_measured_as_filmed_and_as_a_scene(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, tmp_path: Path
) -> None:
    """The detector sees one person in any picture, so a scene of two has one followed."""
    clip = new_clip("dance.avi", frames=4)
    out = [tmp_path / "bench.json", tmp_path / "bench.md"]
    ended = vidpose(
        *("bench", clip, *models, "--frames", 3, "--people", "2"),
        *("--out", out[0], "--out", out[1]),
    )
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(out[0].read_text())
    assert [(run["scene"], run["asked"]) for run in figures["runs"]] == [
        ("as filmed", None),
        ("2 people", 2),
    ]
    for run in figures["runs"]:
        assert run["threads"] == 1
        assert run["stages"]["frames"] == run["stages"]["person_frames"] == 3
        assert run["stages"]["initialise_rate"] == 1.0
        for whole in (run["table"], run["whole"]):
            assert whole["frames_per_second"] > 0
            assert whole["peak_mb"] is None or whole["peak_mb"] > 20
        assert run["distilling"] is None
        assert run["gmacs_per_person"] is None
    names = [timing["name"] for timing in figures["alone"][0]["timings"]]
    assert names == ["initialise", "detect"]
    assert out[1].read_text() in ended.stdout
    assert "measuring: 2 people, 1 thread" in ended.stderr


def test_without_a_source_the_networks_are_measured(vidpose: Vidpose, models: list[str]) -> None:
    ended = vidpose("bench", *models, "--frames", "2", "--threads", "2")
    assert ended.returncode == 0
    assert "## Stages" not in ended.stdout
    for threads in (1, 2):
        assert f"## Networks alone, threads: {threads}" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--people", "1,zero"], "--people 1,zero"),
        (["--people", "0"], "--people 0"),
        (["--out", "bench.csv"], "use one of .md .json .png"),
        (["--out", "bench.png"], "give a SOURCE"),
        (["--peer", "a/p.onnx", "--peer", "b/p.onnx"], "the name p.onnx is taken"),
        (["webcam:0"], "a stream cannot be measured"),
    ],
)
def test_what_cannot_be_is_said_at_once(vidpose: Vidpose, arguments: list[str], words: str) -> None:
    ended = vidpose("bench", *arguments)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert not ended.stdout


def test_a_plot_without_matplotlib_says_what_to_install(
    vidpose: Vidpose, new_clip: NewClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ended = vidpose("bench", new_clip("dance.avi"), "--out", "bench.png")
    assert ended.returncode == 1
    assert "pip install 'vidpose[bench]'" in ended.stderr


def test_a_run_that_fails_is_said_in_its_own_words(new_clip: NewClip, tmp_path: Path) -> None:
    networks = Networks("no-such-model", "finder", "onnxruntime")
    with pytest.raises(VidposeError, match=r"dance\.avi: vidpose: model 'no-such-model'"):
        run_whole(new_clip("dance.avi"), networks, 1, tmp_path, [".jsonl"])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the starter's memory")
def test_the_memory_of_the_measuring_process_does_not_count() -> None:
    ballast = np.ones(300 * 2**17)  # 300 MB
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.3)"])
    peak = _wait(process)
    assert process.returncode == 0
    assert peak is not None
    assert 1 < peak < 100 < ballast.nbytes / 2**20


@pytest.mark.parametrize("runtime", ["openvino", "auto"])
def test_run_takes_another_runtime(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, tmp_path: Path, runtime: str
) -> None:
    pytest.importorskip("openvino")
    clip, out = new_clip("dance.avi", frames=3), tmp_path / "dance.jsonl"
    ended = vidpose("run", clip, *models, "--runtime", runtime, "--out", out)
    assert ended.returncode == 0, ended.stderr
    assert [len(frame.people) for frame in read_results(out).frames] == [1, 1, 1]
    assert ended.stdout.count(": runtime ") == (2 if runtime == "auto" else 0)


def test_a_peer_that_is_none_is_refused_before_anything_is_measured(
    vidpose: Vidpose, models: list[str], new_clip: NewClip, tmp_path: Path
) -> None:
    peer = tmp_path / "text.onnx"
    peer.write_text("no network")
    ended = vidpose("bench", new_clip("a.avi", frames=4), *models, "--peer", peer)
    assert ended.returncode == 1
    assert "text.onnx" in ended.stderr
    assert ended.stderr.count("measuring: ") == 1  # that the networks are loaded
