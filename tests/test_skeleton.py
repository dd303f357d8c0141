"""Keypoint tables and the mapping between them, against hand-written expectations."""

from __future__ import annotations

import dataclasses
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidpose.errors import SkeletonError, VidposeError
from vidpose.skeleton import (
    COCO_17,
    DERIVED,
    JHMDB_15,
    LSP_14,
    MPII_16,
    PENN_13,
    SKELETONS,
    Skeleton,
    SkeletonName,
    map_keypoints,
)

ALL = list(SKELETONS.values())
OWN = [SKELETONS[name] for name in get_args(SkeletonName)]

# Written out here a second time, from the data sets' own documents.
ORDERS = {
    "coco17": [
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder",
        "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
        "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    ],
    "lsp14": [
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
        "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow",
        "left_wrist", "neck", "head_top",
    ],
    "penn13": [
        "head", "right_shoulder", "left_shoulder", "right_elbow", "left_elbow", "right_wrist",
        "left_wrist", "right_hip", "left_hip", "right_knee", "left_knee", "right_ankle",
        "left_ankle",
    ],
    "jhmdb15": [
        "neck", "belly", "head", "right_shoulder", "left_shoulder", "right_hip", "left_hip",
        "right_elbow", "left_elbow", "right_knee", "left_knee", "right_wrist", "left_wrist",
        "right_ankle", "left_ankle",
    ],
    "posetrack15": [
        "nose", "upper_neck", "head_top", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
        "right_knee", "left_ankle", "right_ankle",
    ],
    "mpii16": [
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis",
        "thorax", "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder",
        "left_shoulder", "left_elbow", "left_wrist",
    ],
}  # fmt: skip


def numbered(skeleton: Skeleton) -> np.ndarray:
    """Keypoint i at (10 i, 10 i + 1) with confidence (i + 1) / 100."""
    index = np.arange(skeleton.num_keypoints, dtype=np.float32)
    return np.stack([10 * index, 10 * index + 1, (index + 1) / 100], axis=-1)


def test_orders() -> None:
    assert {s.name: list(s.keypoints) for s in OWN} == ORDERS


def test_coco_sigmas_are_the_official_ones() -> None:
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    np.testing.assert_allclose(COCO_17.sigmas, cocoeval.Params(iouType="keypoints").kpt_oks_sigmas)


def test_coco_edges_are_the_official_ones() -> None:
    official = [
        (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9),
        (8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
    ]  # fmt: skip
    assert {frozenset((a - 1, b - 1)) for a, b in official} == {frozenset(e) for e in COCO_17.edges}


def test_flip_index_of_lsp() -> None:
    assert LSP_14.flip_index == (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13)


@pytest.mark.parametrize("skeleton", OWN, ids=lambda s: s.name)
def test_table_is_whole(skeleton: Skeleton) -> None:
    sigma = dict(zip(skeleton.keypoints, skeleton.sigmas, strict=True))
    flip = skeleton.flip_index
    for index, name in enumerate(skeleton.keypoints):
        swapped = name.replace("left_", "*").replace("right_", "left_").replace("*", "right_")
        assert skeleton.keypoints[flip[index]] == swapped
        assert sigma[name] == sigma[swapped]
        if name in COCO_17.keypoints:
            assert sigma[name] == COCO_17.sigmas[COCO_17.keypoints.index(name)]
    # Drawn limbs hang together, look the same mirrored, and reach every joint.
    edges = {frozenset(edge) for edge in skeleton.edges}
    assert len(edges) == len(skeleton.edges)
    assert {frozenset(flip[end] for end in edge) for edge in edges} == edges
    reached = {0}
    for _ in skeleton.keypoints:
        reached |= {end for edge in edges if edge & reached for end in edge}
    assert reached == set(range(skeleton.num_keypoints))


@pytest.mark.parametrize("skeleton", ALL, ids=lambda s: s.name)
def test_dict_round_trip(skeleton: Skeleton) -> None:
    assert Skeleton.from_dict(skeleton.to_dict()) == skeleton


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flip_pairs": COCO_17.flip_pairs[1:]}, "must pair 'left_eye'"),
        ({"flip_pairs": ((1, 4), (3, 2), *COCO_17.flip_pairs[2:])}, "must pair 'left_eye'"),
        ({"flip_pairs": (*COCO_17.flip_pairs, (0, 1))}, "one flip pair only"),
        ({"flip_pairs": (*COCO_17.flip_pairs, (0, 17))}, r"flip pair \(0, 17\)"),
        ({"edges": ((0, 1), (2, 3), (1, 0))}, "edge 'left_eye' - 'nose' is given twice"),
        ({"flip_pairs": (*COCO_17.flip_pairs, (2, 1))}, "'right_eye' - 'left_eye' is given twice"),
        ({"groups": (("face", (0, 17)),)}, "group 'face' must have some of the keypoints"),
        ({"groups": (("face", (0, 0)),)}, "group 'face' has a keypoint twice"),
        ({"groups": (("face", (0,)), ("face", (1,)))}, "group names must be unique"),
        ({"parents": (None,) * 16}, "17 keypoints need 17 parents, got 16"),
        ({"parents": (1, 2, 1, *[None] * 14)}, "parents of 'nose' go round in a circle"),
        ({"parents": (17, *[None] * 16)}, "parents must be keypoints"),
        ({"edges": ((0, 0),)}, r"edge \(0, 0\)"),
        ({"edges": ((-1, 2),)}, r"edge \(-1, 2\)"),
        ({"sigmas": COCO_17.sigmas[:-1]}, "17 keypoints need 17 sigmas, got 16"),
        ({"sigmas": (0.0, *COCO_17.sigmas[1:])}, "positive"),
        ({"sigmas": (float("nan"), *COCO_17.sigmas[1:])}, "positive"),
        ({"keypoints": ("left_eye", *COCO_17.keypoints[1:])}, "unique"),
        ({"keypoints": (), "sigmas": ()}, "no keypoints"),
    ],
)
def test_contradictions_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(SkeletonError, match=message) as caught:
        dataclasses.replace(COCO_17, **change)  # type: ignore[arg-type]
    assert isinstance(caught.value, VidposeError)
    assert str(caught.value).startswith("skeleton 'coco17': ")


@pytest.mark.parametrize("part", ["name", "keypoints", "edges", "flip_pairs", "sigmas"])
def test_incomplete_dict_is_refused(part: str) -> None:
    whole = COCO_17.to_dict()
    with pytest.raises(SkeletonError, match=f"'{part}' is missing"):
        Skeleton.from_dict({key: value for key, value in whole.items() if key != part})


def test_malformed_dict_is_refused() -> None:
    with pytest.raises(SkeletonError, match="malformed"):
        Skeleton.from_dict({**COCO_17.to_dict(), "edges": [[1, 2, 3]]})


def test_lsp_to_coco() -> None:
    mapped = map_keypoints(numbered(LSP_14), LSP_14, COCO_17)
    # For each COCO joint, the LSP joint that it comes from.
    origin = [None] * 5 + [9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0]
    for joint, lsp in enumerate(origin):
        if lsp is None:
            assert np.isnan(mapped[joint, :2]).all()
            assert mapped[joint, 2] == 0
        else:
            np.testing.assert_array_equal(mapped[joint], numbered(LSP_14)[lsp])


def test_penn_to_coco() -> None:
    mapped = map_keypoints(numbered(PENN_13), PENN_13, COCO_17)
    assert np.isnan(mapped[:5, :2]).all()  # the middle of the head is neither nose, eye nor ear
    origin = [2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11]
    np.testing.assert_array_equal(mapped[5:], numbered(PENN_13)[origin])


def test_jhmdb_to_penn() -> None:
    mapped = map_keypoints(numbered(JHMDB_15), JHMDB_15, PENN_13)
    origin = [2, 3, 4, 7, 8, 11, 12, 5, 6, 9, 10, 13, 14]
    np.testing.assert_array_equal(mapped, numbered(JHMDB_15)[origin])


def test_mpii_to_lsp() -> None:
    mapped = map_keypoints(numbered(MPII_16), MPII_16, LSP_14)
    origin = [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 8, 9]
    np.testing.assert_array_equal(mapped, numbered(MPII_16)[origin])


def test_joints_derived_from_coco() -> None:
    points = np.zeros((17, 3), np.float32)
    points[3], points[4] = (10, 0, 0.5), (20, 2, 0.7)  # ears
    points[5], points[6] = (0, 10, 0.9), (40, 20, 0.8)  # shoulders
    points[11], points[12] = (8, 60, 0.6), (28, 70, 0.95)  # hips

    def derived(target: Skeleton, joint: str) -> list[float]:
        mapped = map_keypoints(points, COCO_17, target)
        return mapped[target.keypoints.index(joint)].round(6).tolist()

    assert derived(PENN_13, "head") == pytest.approx([15, 1, 0.5])
    assert derived(LSP_14, "neck") == pytest.approx([20, 15, 0.8])
    assert derived(JHMDB_15, "neck") == pytest.approx([20, 15, 0.8])
    assert derived(MPII_16, "thorax") == pytest.approx([20, 15, 0.8])
    assert derived(MPII_16, "pelvis") == pytest.approx([18, 65, 0.6])
    assert derived(JHMDB_15, "belly") == pytest.approx([19, 40, 0.6])
    for target, joint in ((MPII_16, "upper_neck"), (MPII_16, "head_top"), (LSP_14, "head_top")):
        assert np.isnan(derived(target, joint)[:2]).all()


def test_derived_joint_with_a_missing_part_is_missing() -> None:
    points = numbered(COCO_17)
    points[5] = np.nan, np.nan, 0
    neck = map_keypoints(points, COCO_17, LSP_14)[12]
    assert np.isnan(neck[:2]).all()
    assert neck[2] == 0


def test_derivations_use_joints_that_exist() -> None:
    known = {joint for skeleton in ALL for joint in skeleton.keypoints}
    assert known >= set(DERIVED)
    assert known >= {part for choices in DERIVED.values() for parts in choices for part in parts}


@given(st.sampled_from(ALL), st.sampled_from(ALL), st.sampled_from([2, 3]), st.integers(0, 3))
def test_mapping_keeps_leading_axes_and_commutes_with_mirroring(
    source: Skeleton, target: Skeleton, size: int, batch: int
) -> None:
    generator = np.random.default_rng(batch)
    points = generator.uniform(0, 100, (batch, 4, source.num_keypoints, size))
    mapped = map_keypoints(points, source, target)
    assert mapped.shape == (batch, 4, target.num_keypoints, size)
    mirrored = map_keypoints(points[..., list(source.flip_index), :], source, target)
    # Means of two are the same in either order, those of four may round differently.
    np.testing.assert_allclose(mapped[..., list(target.flip_index), :], mirrored, rtol=1e-12)
    if source is target:
        np.testing.assert_array_equal(mapped, points)
        assert not np.shares_memory(mapped, points)


def test_types_are_kept() -> None:
    for dtype, expected in ((np.float32, np.float32), (np.float64, np.float64), (int, np.float64)):
        assert map_keypoints(np.zeros((17, 2), dtype), COCO_17, LSP_14).dtype == expected


@pytest.mark.parametrize("shape", [(17,), (16, 3), (17, 4), (3, 17)])
def test_wrong_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SkeletonError, match=r"'coco17' must be \(\.\.\., 17, 2 or 3\)"):
        map_keypoints(np.zeros(shape), COCO_17, LSP_14)


def test_without_flip_pairs_nothing_is_mirrored() -> None:
    still = dataclasses.replace(COCO_17, flip_pairs=())
    assert not still.can_be_mirrored
    assert still.flip_index == tuple(range(17))
    assert COCO_17.can_be_mirrored
