"""Where two detectors agree there is a person.

Neither small detector is good enough to be relied on alone: what one of them sees faintly is
neither a person nor background. So an image's people are the boxes that both detectors see, or
one of them very surely, or the image's own labels confirm; uncertain boxes are to be ignored.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidpose.data.pseudo_labels.people_labels import FloatArray
from vidpose.inference.boxes import Boxes, Scores, iou

Detections = tuple[Boxes, Scores]
_SAME_PERSON = 0.55  # IoU
_BOTH, _ALONE = 0.30, 0.60  # scores that make a person: of both teachers, of one
_BOTH_UNCERTAIN, _ALONE_UNCERTAIN = 0.12, 0.25  # scores that make a region to ignore


def merge_detections(
    detections: Sequence[Detections], labelled: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Merge several teachers' detections of one image into (people, ignore), both (M, 4).

    ``labelled`` (4,): the box of a labelled person, if there is one; that person is among the
    people whatever the teachers say.
    """
    boxes = np.concatenate([b for b, _ in detections]).reshape(-1, 4)
    scores = np.concatenate([s for _, s in detections])
    teacher = np.concatenate([np.full(len(s), i) for i, (_, s) in enumerate(detections)])
    people: list[NDArray[np.float64]] = []
    uncertain: list[NDArray[np.float64]] = []
    left = np.argsort(-scores, kind="stable")
    left = left[boxes[left, 2:].min(1, initial=np.inf) >= 1]
    while left.size:
        same = iou(boxes[left[:1]], boxes[left])[0] >= _SAME_PERSON
        members, left = left[same], left[~same]
        best = [float(scores[members][teacher[members] == i].max(initial=0)) for i in (0, 1)]
        box = np.average(boxes[members], axis=0, weights=scores[members] ** 2)
        if min(best) >= _BOTH or max(best) >= _ALONE:
            people.append(box)
        elif min(best) >= _BOTH_UNCERTAIN or max(best) >= _ALONE_UNCERTAIN:
            uncertain.append(box)
    if labelled is not None:
        people, uncertain = _with_labelled_person(people, uncertain, labelled)
    apart = [box for box in uncertain if not _belongs_to_any(box, people)]
    return stacked(people), stacked(apart)


def _with_labelled_person(
    people: list[NDArray[np.float64]], uncertain: list[NDArray[np.float64]], person: FloatArray
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    if people and iou(person[None], np.stack(people)).max() >= 0.5:
        return people, uncertain
    for index, box in enumerate(uncertain):
        if iou(person[None], box[None])[0, 0] >= 0.6:
            return [*people, box], uncertain[:index] + uncertain[index + 1 :]
    # Teachers that saw only a part of this person named the part; it is no second person.
    known = person.astype(np.float64)
    whole = [box for box in people if _share_inside(box, known) <= 0.8]
    return [*whole, known], uncertain


def _belongs_to_any(box: NDArray[np.float64], people: Sequence[NDArray[np.float64]]) -> bool:
    """An uncertain box that is nearly a known person's, or a part of one, is no second person."""
    return any(
        _share_inside(box, person) > 0.8 or iou(box[None], person[None])[0, 0] >= 0.5
        for person in people
    )


def _share_inside(box: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    low = np.maximum(box[:2], other[:2])
    high = np.minimum(box[:2] + box[2:], other[:2] + other[2:])
    return float(np.clip(high - low, 0, None).prod() / max(float(box[2:].prod()), 1e-9))


def stacked(boxes: Sequence[NDArray[np.float64]] | Sequence[Sequence[float]]) -> FloatArray:
    return np.asarray(boxes, np.float32).reshape(-1, 4)
