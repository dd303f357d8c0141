"""What progress looks like on a terminal and in a log."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from vidpose.cli import _progress


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is printed; whether it is a terminal is up to the console that the test makes."""
    return io.StringIO()


def use_console(monkeypatch: pytest.MonkeyPatch, screen: io.StringIO, *, terminal: bool) -> None:
    console = Console(file=screen, force_terminal=terminal, width=100)
    monkeypatch.setattr(_progress, "Console", lambda stderr: console)


def test_terminal_shows_count_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, screen: io.StringIO
) -> None:
    use_console(monkeypatch, screen, terminal=True)
    with _progress.show_progress("[2 of 3] dance.mp4", 40) as meter:
        for _ in range(40):
            meter.advance()
    shown = screen.getvalue()
    for part in ("[2 of 3] dance.mp4", "40/40", "frames/s", "ETA"):
        assert part in shown


def test_log_gets_plain_lines_now_and_then(
    monkeypatch: pytest.MonkeyPatch, screen: io.StringIO
) -> None:
    use_console(monkeypatch, screen, terminal=False)
    now = 0.0
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now)
    with _progress.show_progress("[2 of 3] dance.mp4", 1000) as meter:
        for _ in range(600):
            now += 0.05
            meter.advance()
    lines = screen.getvalue().splitlines()
    assert lines[0] == "[2 of 3] dance.mp4: frame 200 of 1000, 20.0 frames/s, ETA 40 s"
    assert len(lines) == 3


def test_unknown_length_has_no_time_left(
    monkeypatch: pytest.MonkeyPatch, screen: io.StringIO
) -> None:
    use_console(monkeypatch, screen, terminal=False)
    now = 0.0
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now)
    with _progress.show_progress("webcam:0", None) as meter:
        now += 11
        meter.advance()
    assert screen.getvalue() == "webcam:0: frame 1, 0.1 frames/s\n"
