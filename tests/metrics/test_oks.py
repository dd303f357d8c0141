"""OKS against hand-computed values and against pycocotools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vidpose.errors import DataError
from vidpose.metrics.oks import OKS_THRESHOLDS, coco_scores, oks, oks_recall
from vidpose.skeleton import COCO_17

pytest.importorskip("pycocotools", reason="the oracle pycocotools is not installed")


def annotation(number: int, image: int, points: NDArray[np.float64]) -> dict[str, Any]:
    """A labelled person; points (17, 3) with COCO's visibility."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return {
        "id": number, "image_id": image, "category_id": 1, "iscrowd": 0,
        "keypoints": points.ravel().tolist(), "num_keypoints": int((points[:, 2] > 0).sum()),
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "area": float(np.prod(high - low)) * 0.6,
    }  # fmt: skip


def data_set(annotations: list[dict[str, Any]]) -> dict[str, Any]:
    images = [{"id": number} for number in sorted({a["image_id"] for a in annotations})]
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person"}],
    }


def result(image: int, points: NDArray[np.float64], score: float) -> dict[str, Any]:
    return {
        "image_id": image, "category_id": 1, "score": score,
        "keypoints": np.column_stack([points[:, :2], np.ones(17)]).ravel().tolist(),
    }  # fmt: skip


def crowd(seed: int, people: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Random people, up to three an image, and one prediction for each, some far off."""
    rng = np.random.default_rng(seed)
    truths, results = [], []
    for number in range(people):
        points = np.column_stack(
            [rng.uniform(20, 220, (17, 2)), rng.choice([0, 1, 2], 17, p=[0.2, 0.2, 0.6])]
        )
        points[0, 2] = 2
        truths.append(annotation(number + 1, number // 3, points))
        noise = rng.normal(0, rng.choice([1, 6, 15]), (17, 2))
        results.append(result(number // 3, points[:, :2] + noise, float(rng.random())))
    return truths, results


def test_half_the_joints_at_a_known_distance() -> None:
    truth, predicted = np.zeros((2, 2)), np.zeros((2, 2))
    predicted[0, 0] = 0.2 * 10  # one (2 sigma) times the square root of the area
    value = oks(predicted, truth, [True, True], 100.0, [0.1, 0.1])
    assert float(value) == pytest.approx((np.exp(-0.5) + 1) / 2)
    assert float(oks(predicted, truth, [False, True], 100.0, [0.1, 0.1])) == pytest.approx(1.0)
    assert np.isnan(oks(predicted, truth, [False, False], 100.0, [0.1, 0.1]))


def test_missing_prediction_scores_zero() -> None:
    predicted = np.array([[np.nan, np.nan], [0.0, 0.0]])
    assert float(oks(predicted, np.zeros((2, 2)), [True, True], 9.0, [0.1, 0.1])) == 0.5


def test_pairwise_values_equal_those_of_pycocotools() -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truths, results = crowd(seed=3, people=12)
    truth = COCO()
    truth.dataset = data_set(truths)
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes(results), "keypoints")
    evaluation.evaluate()
    compared = 0
    for image in truth.getImgIds():
        labels = [a for a in truths if a["image_id"] == image]
        guesses = sorted(
            (r for r in results if r["image_id"] == image), key=lambda r: -float(r["score"])
        )
        points = np.array([r["keypoints"] for r in guesses]).reshape(-1, 1, 17, 3)
        target = np.array([a["keypoints"] for a in labels]).reshape(1, -1, 17, 3)
        ours = oks(
            points, target, target[..., 2] > 0, [[a["area"] for a in labels]], COCO_17.sigmas
        )
        np.testing.assert_allclose(ours, evaluation.ious[image, 1], atol=1e-12)
        compared += ours.size
    assert compared == 36


def test_recall_equals_coco_ar_where_each_image_holds_one_person() -> None:
    truths, results = crowd(seed=8, people=30)
    for number, (label, guess) in enumerate(zip(truths, results, strict=True)):
        label["image_id"] = guess["image_id"] = number
    target = np.array([a["keypoints"] for a in truths]).reshape(-1, 17, 3)
    points = np.array([r["keypoints"] for r in results]).reshape(-1, 17, 3)
    area = [a["area"] for a in truths]
    recall = oks_recall(oks(points, target, target[..., 2] > 0, area, COCO_17.sigmas))
    scores = coco_scores(data_set(truths), results)
    assert 0.1 < scores.ar < 0.9
    assert recall == pytest.approx(scores.ar, abs=1e-9)


def test_recall_counts_a_value_on_the_threshold() -> None:
    assert oks_recall([0.5], [0.5]) == 1.0
    assert oks_recall([1.0, 0.0, np.nan]) == 0.5
    assert np.isnan(oks_recall([np.nan]))
    np.testing.assert_allclose(OKS_THRESHOLDS, np.arange(50, 100, 5) / 100)


def test_perfect_results_score_one() -> None:
    truths, _ = crowd(seed=1, people=6)
    perfect = [result(a["image_id"], np.array(a["keypoints"]).reshape(17, 3), 0.5) for a in truths]
    scores = coco_scores(data_set(truths), perfect)
    assert scores.ap == pytest.approx(1.0)
    assert scores.ar == pytest.approx(1.0)


def test_smaller_sigmas_are_stricter() -> None:
    truths, results = crowd(seed=5, people=9)
    strict = coco_scores(data_set(truths), results, sigmas=[s / 4 for s in COCO_17.sigmas])
    assert strict.ar < coco_scores(data_set(truths), results).ar


def test_results_of_other_images_are_named() -> None:
    truths, results = crowd(seed=1, people=3)
    with pytest.raises(DataError, match="image_id"):
        coco_scores(data_set(truths), [{**results[0], "image_id": 77}])
