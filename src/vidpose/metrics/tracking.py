"""HOTA, MOTA and IDF1 of tracked people, computed by trackeval.

HOTA: Luiten et al., IJCV 2021, the mean over similarity thresholds 0.05 to 0.95. MOTA: Bernardin
and Stiefelhagen, 2008; IDF1: Ristani et al., 2016, both at similarity 0.5. A similarity is any
number in [0, 1] that is 1 for the same place: boxes' IoU, or poses' OKS.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import DataError, VidposeError

MATCHED = 0.5
"""Similarity from which MOTA and IDF1 take a prediction for a true person."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """One frame.

    Attributes:
        truth: ids (M,) of the people who are there.
        predicted: ids (N,) given by the tracker.
        similarity: (M, N), in [0, 1].
    """

    truth: Sequence[int]
    predicted: Sequence[int]
    similarity: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrackingScores:
    """Figures of one or several videos.

    Attributes:
        hota: sqrt of detection times association accuracy, mean over thresholds, in [0, 1].
        deta, assa: its two parts, also means over thresholds.
        mota: 1 - (misses + false positives + switches) / people; at most 1, may be negative.
        idf1: F1 of the best one-to-one assignment of whole tracks, in [0, 1].
        switches: how often a true person's id changed.
        misses, false_positives: true people not found, predictions of no true person, in frames.
        people: true people, summed over frames.
    """

    hota: float
    deta: float
    assa: float
    mota: float
    idf1: float
    switches: int
    misses: int
    false_positives: int
    people: int


def tracking_scores(videos: Iterable[Sequence[TrackedFrame]]) -> TrackingScores:
    """Scores over all videos together, as trackeval combines sequences; ids of different videos
    have nothing to do with each other.

    Raises DataError where an id is twice in a frame, a similarity has another shape or lies
    outside [0, 1], or no frame has a true person; VidposeError if trackeval is not installed.
    """
    metrics = _trackeval_metrics()
    sequences = {str(number): _sequence(frames) for number, frames in enumerate(videos)}
    if not any(sequence["num_gt_dets"] for sequence in sequences.values()):
        raise DataError("tracking cannot be scored without true people")
    silent = {"THRESHOLD": MATCHED, "PRINT_CONFIG": False}
    hota, clear, identity = (
        _combined(metric, sequences)
        for metric in (metrics.HOTA(), metrics.CLEAR(silent), metrics.Identity(silent))
    )
    return TrackingScores(
        hota=float(np.mean(hota["HOTA"])),
        deta=float(np.mean(hota["DetA"])),
        assa=float(np.mean(hota["AssA"])),
        mota=float(clear["MOTA"]),
        idf1=float(identity["IDF1"]),
        switches=int(clear["IDSW"]),
        misses=int(clear["CLR_FN"]),
        false_positives=int(clear["CLR_FP"]),
        people=int(clear["CLR_TP"] + clear["CLR_FN"]),
    )


def _combined(metric: Any, sequences: dict[str, dict[str, Any]]) -> dict[str, Any]:
    each = {name: metric.eval_sequence(sequence) for name, sequence in sequences.items()}
    combined: dict[str, Any] = metric.combine_sequences(each)
    return combined


def _sequence(frames: Sequence[TrackedFrame]) -> dict[str, Any]:
    """A video as trackeval's metrics take it: ids counted from 0."""
    for number, frame in enumerate(frames):
        _check(frame, number)
    truth, truth_count = _renumbered([frame.truth for frame in frames])
    predicted, predicted_count = _renumbered([frame.predicted for frame in frames])
    return {
        "num_timesteps": len(frames),
        "gt_ids": truth,
        "tracker_ids": predicted,
        "num_gt_ids": truth_count,
        "num_tracker_ids": predicted_count,
        "num_gt_dets": sum(map(len, truth)),
        "num_tracker_dets": sum(map(len, predicted)),
        "similarity_scores": [np.asarray(frame.similarity, float) for frame in frames],
    }


def _renumbered(ids: Sequence[Sequence[int]]) -> tuple[list[NDArray[np.intp]], int]:
    number = {id: index for index, id in enumerate(sorted({id for each in ids for id in each}))}
    return [np.array([number[id] for id in each], dtype=np.intp) for each in ids], len(number)


def _check(frame: TrackedFrame, number: int) -> None:
    for name, ids in (("true", frame.truth), ("predicted", frame.predicted)):
        if len(set(ids)) < len(ids):
            raise DataError(f"frame {number}: a {name} id is there twice: {sorted(ids)}")
    shape, values = (len(frame.truth), len(frame.predicted)), np.asarray(frame.similarity)
    if values.shape != shape:
        raise DataError(f"frame {number}: similarity must be {shape}, got {values.shape}")
    if not ((values >= 0) & (values <= 1)).all():
        raise DataError(f"frame {number}: similarity must lie in [0, 1]")


def _trackeval_metrics() -> Any:
    try:
        # It says on stdout which of its other benchmarks' packages are missing.
        with contextlib.redirect_stdout(io.StringIO()):
            from trackeval import metrics
    except ImportError as error:
        raise VidposeError(
            "HOTA, MOTA and IDF1 need trackeval: pip install --no-deps 'trackeval>=1.3'"
        ) from error
    return metrics
