"""Object keypoint similarity (OKS), and COCO's AP and AR computed by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidpose.errors import DataError, VidposeError

OKS_THRESHOLDS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)


@dataclass(frozen=True, slots=True)
class CocoScores:
    """COCO's ten keypoint figures; -1 where no person of that size exists."""

    ap: float
    ap50: float
    ap75: float
    ap_medium: float
    ap_large: float
    ar: float
    ar50: float
    ar75: float
    ar_medium: float
    ar_large: float


def oks(
    predicted: ArrayLike,
    truth: ArrayLike,
    labelled: ArrayLike,
    area: ArrayLike,
    sigmas: Sequence[float],
) -> NDArray[np.float64]:
    """OKS (...) in [0, 1] of predicted (..., K, 2+) against truth (..., K, 2+).

    `labelled` is (..., K), `area` (...) the truth's area in square pixels. Leading axes
    broadcast, so `oks(predicted[:, None], truth[None], ...)` is the matrix of all pairs. NaN
    where nothing is labelled (COCO compares boxes there, which says nothing of keypoints).
    """
    points = np.asarray(predicted, float)[..., :2] - np.asarray(truth, float)[..., :2]
    squared = (points**2).sum(axis=-1)
    variance = (2 * np.asarray(sigmas, float)) ** 2
    extent = np.asarray(area, float)[..., None] + np.spacing(1)
    similarity = np.exp(-squared / (2 * variance * extent))
    known = np.broadcast_to(np.asarray(labelled, bool), similarity.shape)
    total = np.where(known, np.nan_to_num(similarity), 0.0).sum(axis=-1)
    count = known.sum(axis=-1)
    result = np.full(total.shape, np.nan)
    np.divide(total, count, out=result, where=count > 0)
    return result


def oks_recall(similarity: ArrayLike, thresholds: ArrayLike = OKS_THRESHOLDS) -> float:
    """Mean over thresholds of the share of people whose OKS (N,) reaches it.

    With one prediction inside each ground-truth box nothing has to be matched, so this is AR
    without COCO's limit of 20 people an image and without matching by score.
    """
    values = np.asarray(similarity, float)
    values = values[~np.isnan(values)]
    if not values.size:
        return float("nan")
    return float((values[:, None] >= np.asarray(thresholds, float)).mean())


def coco_scores(
    ground_truth: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    *,
    sigmas: Sequence[float] | None = None,
) -> CocoScores:
    """COCO's keypoint AP and AR of `results` (COCO's list of dictionaries), by pycocotools.

    `ground_truth` is the content of a keypoint file, complete
    (`vidpose.data.datasets.coco_file`). Each result holds image_id, category_id, keypoints
    [x1, y1, v1, ...] and score. `sigmas` replaces COCO's where the skeleton is another one. Raises
    DataError if no result refers to an image of the ground truth, VidposeError if pycocotools is
    not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise VidposeError("COCO's AP and AR need pycocotools: pip install pycocotools") from error
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dict(ground_truth)
        truth.createIndex()
        known = set(truth.getImgIds())
        if not any(result["image_id"] in known for result in results):
            raise DataError(
                f"none of {len(results)} results belongs to an image of the ground truth; "
                "compare their image_id with the annotation file"
            )
        evaluation = COCOeval(truth, truth.loadRes([dict(r) for r in results]), "keypoints")
        if sigmas is not None:
            evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, float)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return CocoScores(*(float(value) for value in evaluation.stats))
