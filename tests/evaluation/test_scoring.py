"""From poses to figures: mapping, what counts, the acceleration error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stills_folders import write_coco
from vidpose.data.clips import LabelledClip
from vidpose.data.datasets.coco import open_people
from vidpose.errors import DataError
from vidpose.evaluation.evaluate import joint_notes
from vidpose.evaluation.networks import ClipPoses
from vidpose.evaluation.scoring import ACCELERATION, OksScorer, PckScorer, coco_figures, scorer_for
from vidpose.metrics.protocols import COCO_OKS, JHMDB_BBOX, MPII_PCKH, PENN_BBOX
from vidpose.skeleton import COCO_17, JHMDB_15, LSP_14, MPII_16, PENN_13, Skeleton


def labelled(frames: int, skeleton: Skeleton, head: bool = False) -> LabelledClip:
    """Everything at (50, 50), boxes 101 pixels high."""
    keypoints = np.full((frames, skeleton.num_keypoints, 3), 50, np.float32)
    keypoints[..., 2] = 1
    boxes = np.tile(np.float32([0, 0, 40, 101]), (frames, 1))
    paths = tuple(Path(f"{n}.jpg") for n in range(frames))
    heads = np.tile(np.float32([0, 0, 30, 40]), (frames, 1)) if head else None
    return LabelledClip("c", paths, keypoints, boxes, skeleton, head_boxes=heads)


def poses(frames: int, skeleton: Skeleton, x: float = 50) -> ClipPoses:
    keypoints = np.full((frames, skeleton.num_keypoints, 3), 50, np.float32)
    keypoints[..., 0] = x
    return ClipPoses(keypoints, np.full(frames, 0.5, np.float32), None)


def test_predictions_are_rewritten_in_the_labels_joints() -> None:
    scorer = PckScorer(PENN_BBOX, PENN_13, COCO_17)
    found = poses(1, COCO_17)
    wrist = COCO_17.keypoints.index("left_wrist")
    found.keypoints[0, wrist, 0] += 20.3  # the limit is 20.2
    for ear, shift in (("left_ear", -30), ("right_ear", 30)):  # whose mean is the head
        found.keypoints[0, COCO_17.keypoints.index(ear), 0] += shift
    scorer.add(labelled(1, PENN_13), found)
    figures = scorer.figures()
    assert figures["wrist"] == pytest.approx(50)
    assert figures["head"] == figures["ankle"] == 100
    assert figures["micro"] == pytest.approx(100 * 12 / 13)
    assert figures["7 groups"] == pytest.approx(650 / 7)
    assert ACCELERATION not in figures  # one frame


def test_clips_are_joined_joint_by_joint() -> None:
    scorer = PckScorer(PENN_BBOX, PENN_13, PENN_13)
    scorer.add(labelled(3, PENN_13), poses(3, PENN_13))
    scorer.add(labelled(1, PENN_13), poses(1, PENN_13, x=90))
    assert scorer.figures()["micro"] == pytest.approx(75)


def test_missing_predictions_are_misses_and_joints_never_given_are_left_out() -> None:
    scorer = PckScorer(MPII_PCKH, MPII_16, COCO_17)
    found = poses(1, COCO_17)
    found.keypoints[0, COCO_17.keypoints.index("left_knee")] = (np.nan, np.nan, 0)
    scorer.add(labelled(1, MPII_16, head=True), found)
    figures = scorer.figures()
    # 16 joints less pelvis, thorax, and head top and upper neck, which COCO lacks.
    assert figures["mean"] == pytest.approx(100 * 11 / 12)
    assert figures["mean @0.1"] == pytest.approx(100 * 11 / 12)
    assert "head" not in figures


def test_acceleration_error_is_in_thousandths_of_the_box() -> None:
    scorer = PckScorer(JHMDB_BBOX, JHMDB_15, JHMDB_15)
    found = poses(3, JHMDB_15)
    found.keypoints[1, :, 0] += 1.01  # second difference -2.02 of 101
    scorer.add(labelled(3, JHMDB_15), found)
    assert scorer.figures()[ACCELERATION] == pytest.approx(20, abs=1e-3)
    still = labelled(5, JHMDB_15)  # three more triples, all right
    scorer.add(still, poses(5, JHMDB_15))
    assert scorer.figures()[ACCELERATION] == pytest.approx(5, abs=1e-3)


def test_joint_notes_name_what_is_built_and_left_out() -> None:
    built, missing = joint_notes(LSP_14, MPII_16)[0], joint_notes(COCO_17, MPII_16)[-1]
    assert built == "pelvis is the mean of left_hip, right_hip"
    assert missing == "left out of all figures, as 'coco17' has none: upper_neck, head_top"
    assert joint_notes(PENN_13, PENN_13) == []


def test_coco_figures_of_perfect_and_of_absent_poses(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    people = open_people(write_coco(tmp_path, "val2017", [{}, {}]), "val2017")
    clips = list(people)
    assert [clip.name for clip in clips] == ["101", "102"]
    scorer = scorer_for(COCO_OKS, people, COCO_17)
    assert isinstance(scorer, OksScorer)
    scorer.add(clips[0], ClipPoses(clips[0].keypoints, np.array([0.9], np.float32), 1))
    figures = scorer.figures()  # of the image that was looked at
    assert [figures["AP"], figures["AR"]] == pytest.approx([100, 100])
    assert people.coco is not None
    all_images = coco_figures(people.coco, scorer._results)
    assert all_images["AR"] == pytest.approx(50)


def test_oks_needs_coco_annotations(tmp_path: Path) -> None:
    from clip_folders import write_penn
    from vidpose.data.datasets.penn_action import open_clips

    clips = open_clips(write_penn(tmp_path, "0001", images=False), "test")
    with pytest.raises(DataError, match="needs COCO's annotations"):
        scorer_for(COCO_OKS, clips, COCO_17)
