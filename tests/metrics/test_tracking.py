"""Tracking scores against cases worked out by hand; trackeval counts, this feeds it."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("trackeval", reason="pip install --no-deps trackeval")

from vidpose.errors import DataError, VidposeError
from vidpose.metrics.tracking import TrackedFrame, tracking_scores


def frame(truth: Sequence[int], predicted: Sequence[int], similarity: object) -> TrackedFrame:
    values = np.array(similarity, float).reshape(len(truth), len(predicted))
    return TrackedFrame(truth, predicted, values)


def test_perfect_tracks() -> None:
    scores = tracking_scores([[frame([3, 9], [1, 2], np.eye(2))] * 10])
    assert (scores.hota, scores.deta, scores.assa, scores.mota, scores.idf1) == (1, 1, 1, 1, 1)
    assert (scores.switches, scores.misses, scores.false_positives, scores.people) == (0, 0, 0, 20)


def test_two_ids_exchanged_half_way() -> None:
    """Each true track is 5 frames of the one id and 5 of the other: of 20 people 2 switches; 10 of
    20 by the best assignment; each match has 5 frames in common of 15 in either track."""
    before, after = frame([1, 2], [1, 2], np.eye(2)), frame([1, 2], [2, 1], np.eye(2))
    scores = tracking_scores([[before] * 5 + [after] * 5])
    assert scores.switches == 2
    assert scores.mota == pytest.approx(1 - 2 / 20)
    assert scores.idf1 == pytest.approx(0.5)
    assert scores.deta == 1.0
    assert scores.assa == pytest.approx(1 / 3)
    assert scores.hota == pytest.approx(math.sqrt(1 / 3))


def test_a_miss_and_a_false_positive() -> None:
    """Found in 3 of 4 frames at a similarity of .72, which reaches 14 of the 19 thresholds; in the
    fourth frame another id is somewhere else."""
    frames = [frame([1], [5], [0.72])] * 3 + [frame([1], [6], [0.0])]
    scores = tracking_scores([frames])
    assert (scores.misses, scores.false_positives, scores.switches) == (1, 1, 0)
    assert scores.mota == pytest.approx(1 - 2 / 4)
    assert scores.idf1 == pytest.approx(3 / 4)
    assert scores.deta == pytest.approx(14 / 19 * 3 / 5)
    assert scores.assa == pytest.approx(14 / 19 * 3 / 4)
    assert scores.hota == pytest.approx(14 / 19 * math.sqrt(3 / 5 * 3 / 4))


def test_videos_have_ids_of_their_own() -> None:
    """The same person's id is 1 in one video and 2 in the other: no switch."""
    first, second = [frame([7], [1], [1.0])] * 4, [frame([7], [2], [1.0])] * 4
    scores = tracking_scores([first, second])
    assert (scores.hota, scores.idf1, scores.switches, scores.people) == (1, 1, 0, 8)


def test_frames_and_videos_without_people() -> None:
    empty = frame([], [], [])
    scores = tracking_scores([[empty, frame([1], [1], [1.0]), empty], [empty], []])
    assert (scores.hota, scores.mota, scores.people) == (1, 1, 1)
    nothing_found = tracking_scores([[frame([1], [], [])] * 3])
    assert (nothing_found.hota, nothing_found.mota, nothing_found.idf1) == (0, 0, 0)
    assert nothing_found.misses == 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (TrackedFrame([1], [2, 2], np.ones((1, 2))), "predicted id is there twice"),
        (TrackedFrame([1, 1], [2], np.ones((2, 1))), "true id is there twice"),
        (TrackedFrame([1], [2], np.ones((2, 1))), r"similarity must be \(1, 1\)"),
        (TrackedFrame([1], [2], np.full((1, 1), np.nan)), r"lie in \[0, 1\]"),
        (TrackedFrame([1], [2], np.full((1, 1), 1.5)), r"lie in \[0, 1\]"),
    ],
)
def test_what_cannot_be_scored(wrong: TrackedFrame, message: str) -> None:
    good = frame([1], [2], [1.0])
    with pytest.raises(DataError, match=f"frame 1: .*{message}"):
        tracking_scores([[good, wrong]])


def test_no_true_person_at_all() -> None:
    with pytest.raises(DataError, match="without true people"):
        tracking_scores([[frame([], [1], [])]])


def test_trackeval_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackeval", None)
    with pytest.raises(VidposeError, match="pip install --no-deps 'trackeval"):
        tracking_scores([[frame([1], [1], [1.0])]])
