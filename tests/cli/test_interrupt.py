"""Signals are noted and raised at the safe point."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from movements import frames, pose
from vidpose.cli._interrupt import Interrupted, stop_on_signals
from vidpose.io import open_writer
from vidpose.results import ResultHeader, SourceInfo
from vidpose.skeleton import COCO_17
from vidpose.video import VideoWriter


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_first_signal_waits_for_the_check(number: int, code: int) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        stop.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted) as interruption:
            stop.check()
    assert interruption.value.exit_code == code
    assert signal.getsignal(number) is before


def test_second_signal_strikes_at_once() -> None:
    with stop_on_signals():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGINT)


def test_nohup_stays_in_force() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            stop.check()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_every_verb_removes_what_is_unfinished(number: int, code: int, tmp_path: Path) -> None:
    """Of those that do not note signals to stop at a safe point."""
    clip, times = tmp_path / "clip.mp4", [index / 100 for index in range(4000)]
    with VideoWriter(clip, width=160, height=120) as video:
        for time_ in times:
            video.write(np.zeros((120, 160, 3), np.uint8), time_)
    info = SourceInfo("clip.mp4", 160, 120, None, len(times), None, False)
    with open_writer(tmp_path / "a.jsonl", ResultHeader("1", "m", COCO_17, info)) as writer:
        for frame in frames(times, {1: [pose()] * len(times)}):
            writer.write(frame)
    out = tmp_path / "out"
    command = ["draw", tmp_path / "a.jsonl", clip, "--out", out / "a.mp4"]
    drawing = subprocess.Popen([sys.executable, "-m", "vidpose", *command])
    end = time.monotonic() + 60
    while not (out.is_dir() and any(out.iterdir())):
        assert drawing.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    drawing.send_signal(number)
    assert drawing.wait(60) == code
    assert list(out.iterdir()) == []
