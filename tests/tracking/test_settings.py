"""The settings' documented values, and the old name of one of them."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from vidpose.tracking.settings import SmoothingSettings, TrackerSettings


def test_the_defaults_are_those_that_were_measured() -> None:
    """Whoever changes one measures anew: benchmarks/tracking.py, benchmarks/video_agreement.py."""
    assert asdict(TrackerSettings()) == {
        "detect_interval": 0.5, "search_interval": 0.1, "max_gap": 0.5, "grace": 2.0,
        "match_iou": 0.3, "agree_iou": 0.6, "duplicate_oks": 0.5, "recover_similarity": 0.25,
        "collapse_oks": 0.6, "collapse_time": 0.2, "overlap_iou": 0.1, "contest_iou": None,
    }  # fmt: skip
    smoothing = {"min_cutoff": 1.5, "beta": 15.0, "speed_cutoff": 1.0, "max_gap": 0.5}
    assert asdict(SmoothingSettings()) == smoothing


def test_the_old_name_works_and_says_what_is_new() -> None:
    with pytest.warns(DeprecationWarning, match="contest_iou is now overlap_iou"):
        settings = TrackerSettings(contest_iou=0.2)
    assert settings == TrackerSettings(overlap_iou=0.2)
    assert replace(settings, grace=1.0).overlap_iou == 0.2
