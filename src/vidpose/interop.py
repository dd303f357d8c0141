"""Results as other Python libraries hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vidpose.errors import VidposeError
from vidpose.results import FrameResult

if TYPE_CHECKING:
    from supervision import Detections, KeyPoints


def to_supervision(result: FrameResult) -> KeyPoints:
    """A frame's people as ``supervision.KeyPoints``.

    ``xy`` (P, K, 2) in pixels, missing keypoints at (0, 0) as supervision has it;
    ``keypoint_confidence`` (P, K); ``class_id`` 0; ``data["id"]`` (P,) and ``data["score"]`` (P,).
    Needs supervision (``pip install supervision``). Raises VidposeError when it is missing.
    """
    supervision = _supervision()
    if not result.people:
        return supervision.KeyPoints.empty()
    points = np.nan_to_num(np.stack([person.keypoints for person in result.people]))
    return supervision.KeyPoints(
        xy=points[..., :2],
        keypoint_confidence=points[..., 2],
        class_id=np.zeros(len(points), dtype=int),
        data={"id": _ids(result), "score": _scores(result)},
    )


def to_supervision_detections(result: FrameResult) -> Detections:
    """A frame's boxes and ids as ``supervision.Detections`` (corners in pixels, tracker ids)."""
    supervision = _supervision()
    if not result.people:
        return supervision.Detections.empty()
    boxes = np.array([person.box for person in result.people], dtype=np.float32)
    boxes[:, 2:] += boxes[:, :2]
    return supervision.Detections(
        xyxy=boxes,
        confidence=_scores(result),
        class_id=np.zeros(len(boxes), dtype=int),
        tracker_id=_ids(result),
    )


def _ids(result: FrameResult) -> Any:
    return np.array([person.id for person in result.people])


def _scores(result: FrameResult) -> Any:
    return np.array([person.score for person in result.people], dtype=np.float32)


def _supervision() -> Any:
    try:
        import supervision
    except ModuleNotFoundError as error:
        raise VidposeError(
            "this needs supervision, which is not installed: pip install 'vidpose[supervision]'"
        ) from error
    return supervision
