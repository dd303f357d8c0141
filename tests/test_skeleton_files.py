"""Skeletons in files: those that come with vidpose, and what is said of faulty ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vidpose.errors import SkeletonError
from vidpose.skeleton import COCO_17, SKELETONS, Skeleton, find_skeleton, map_keypoints

SHIPPED = {
    "body25": 25, "blazepose33": 33, "coco_wholebody133": 133, "h36m17": 17, "halpe26": 26,
}  # fmt: skip

RACKET = """
name: racket
keypoints: [tip, throat, left_side, right_side, grip]
sigmas: {tip: 0.03}
groups: {head: [tip, left_side, right_side]}
parents: {throat: grip, tip: throat}
"""


def points_of(skeleton: Skeleton) -> np.ndarray:
    index = np.arange(skeleton.num_keypoints, dtype=np.float32)
    return np.stack([10 * index, 10 * index + 1, np.ones_like(index)], axis=-1)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_skeletons_are_whole(name: str) -> None:
    skeleton = find_skeleton(name)
    assert skeleton is SKELETONS[name]
    assert skeleton.name == name
    assert skeleton.num_keypoints == SHIPPED[name]
    assert Skeleton.from_dict(json.loads(json.dumps(skeleton.to_dict()))) == skeleton
    flip = skeleton.flip_index
    for index, joint in enumerate(skeleton.keypoints):
        swapped = joint.replace("left_", "*").replace("right_", "left_").replace("*", "right_")
        if swapped != joint:
            assert skeleton.keypoints[flip[index]] == swapped
        if joint in COCO_17.keypoints:
            official = COCO_17.sigmas[COCO_17.keypoints.index(joint)]
            assert skeleton.sigmas[index] == official
    # Drawn limbs look the same in a mirror, and so do parents.
    edges = {frozenset(edge) for edge in skeleton.edges}
    assert {frozenset(flip[end] for end in edge) for edge in edges} == edges
    for child, parent in enumerate(skeleton.parents):
        assert skeleton.parents[flip[child]] == (None if parent is None else flip[parent])


def test_wholebody_is_put_together_as_published() -> None:
    whole = SKELETONS["coco_wholebody133"]
    assert whole.keypoints[:17] == COCO_17.keypoints
    assert whole.keypoints[17:23] == (
        "left_big_toe", "left_small_toe", "left_heel",
        "right_big_toe", "right_small_toe", "right_heel",
    )  # fmt: skip
    assert whole.group("face") == tuple(range(23, 91))
    assert whole.group("left_hand") == tuple(range(91, 112))
    assert whole.group("right_hand") == tuple(range(112, 133))
    # iBUG: the jaw goes from the person's right ear to the left one, the eyes are 36-41 and 42-47.
    flip = [whole.flip_index[23 + i] - 23 for i in (0, 8, 17, 30, 36, 39, 41, 48, 60, 66)]
    assert flip == [16, 8, 26, 30, 45, 42, 46, 54, 64, 66]


def test_orders_that_differ_by_side() -> None:
    body, blaze, h36m = (SKELETONS[name] for name in ("body25", "blazepose33", "h36m17"))
    assert [body.keypoints[i] for i in (1, 2, 5, 8, 9, 12, 15, 19, 24)] == [
        "neck", "right_shoulder", "left_shoulder", "pelvis", "right_hip", "left_hip", "right_eye",
        "left_big_toe", "right_heel",
    ]  # fmt: skip
    assert [blaze.keypoints[i] for i in (1, 9, 11, 15, 17, 21, 23, 31)] == [
        "left_eye_inner", "left_mouth", "left_shoulder", "left_wrist", "left_pinky", "left_thumb",
        "left_hip", "left_foot_index",
    ]  # fmt: skip
    assert [h36m.keypoints[i] for i in (0, 1, 4, 7, 8, 10, 11, 14)] == [
        "pelvis", "right_hip", "left_hip", "spine", "thorax", "head_top", "left_shoulder",
        "right_shoulder",
    ]  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_the_limbs_map_to_coco_by_name(name: str) -> None:
    source = SKELETONS[name]
    mapped = map_keypoints(points_of(source), source, COCO_17)
    for joint in range(5, 17):
        there = source.keypoints.index(COCO_17.keypoints[joint])
        np.testing.assert_array_equal(mapped[joint], points_of(source)[there])


def test_feet_and_hands_map_by_name() -> None:
    whole, blaze = SKELETONS["coco_wholebody133"], SKELETONS["blazepose33"]
    mapped = map_keypoints(points_of(whole), whole, blaze)
    for joint, same in (
        ("left_foot_index", "left_big_toe"),
        ("right_heel", "right_heel"),
        ("left_pinky", "left_pinky_finger_1"),
        ("right_mouth", "face_48"),
        ("left_eye_inner", "face_42"),
    ):
        there = points_of(whole)[whole.keypoints.index(same)]
        np.testing.assert_array_equal(mapped[blaze.keypoints.index(joint)], there)
    pelvis = map_keypoints(points_of(COCO_17), COCO_17, SKELETONS["body25"])[8]
    np.testing.assert_array_equal(pelvis, [115, 116, 1])  # between the hips, joints 11 and 12


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RACKET)
    racket = find_skeleton(tmp_path / "a.yaml")
    assert racket.keypoints == ("tip", "throat", "left_side", "right_side", "grip")
    assert racket.flip_pairs == ((2, 3),)  # by name, as nothing is said
    assert racket.edges == ((1, 0), (4, 1))  # to the parents
    assert racket.sigmas == (0.03, 0.079, 0.079, 0.079, 0.079)
    assert racket.group("head") == (0, 2, 3)
    assert racket.group("foot") == ()
    (tmp_path / "b.json").write_text(json.dumps({**racket.to_dict(), "parents": {"throat": 4}}))
    again = find_skeleton(str(tmp_path / "b.json"))
    assert (again.edges, again.sigmas, again.groups) == (racket.edges, racket.sigmas, racket.groups)


def test_empty_flip_pairs_are_meant(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(RACKET.replace("sigmas: {tip: 0.03}", "flip_pairs: []"))
    assert not find_skeleton(tmp_path / "a.yml").can_be_mirrored


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edge": []}, "unknown entry 'edge'; there are name, keypoints"),
        ({"keypoints": None}, "keypoints must be a list"),
        ({"keypoints": ["a", False]}, "keypoint False is no name"),
        ({"keypoints": ["a", "a"]}, "names must be unique"),
        ({"edges": [["tip", "nose"]]}, "edges: there is no keypoint 'nose'"),
        ({"edges": [[0, 5]]}, "edges: there is no keypoint 5"),
        ({"edges": ["tip"]}, "'tip' is not a pair"),
        ({"edges": [["tip", "grip"], ["grip", "tip"]]}, "edge 'grip' - 'tip' is given twice"),
        ({"flip_pairs": [["tip", "grip"]]}, "flip_pairs must pair 'left_side' with 'right_side'"),
        ({"flip_pairs": [["left_side", "right_side"]] * 2}, "is given twice"),
        ({"sigmas": {"nose": 0.1}}, "sigmas: there is no keypoint 'nose'"),
        ({"sigmas": {"tip": "big"}}, "sigmas: 'big' of 'tip' is not a number"),
        ({"sigmas": [0.1]}, "5 keypoints need 5 sigmas, got 1"),
        ({"sigmas": -1}, "sigmas must be positive"),
        ({"groups": {"head": ["nose"]}}, "group 'head': there is no keypoint 'nose'"),
        ({"groups": ["head"]}, "groups must be a mapping"),
        ({"parents": {"tip": "grip", "grip": "throat", "throat": "tip"}}, "go round in a circle"),
    ],
)
def test_faults_are_named_with_the_file(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    whole = {"name": "racket", "keypoints": ["tip", "throat", "left_side", "right_side", "grip"]}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({**whole, **change}))
    with pytest.raises(SkeletonError) as caught:
        find_skeleton(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.yaml", "keypoints: [a, b", "not YAML"),
        ("a.json", "{", "Expecting property name"),
        ("a.yaml", "- a\n- b", "a skeleton is a mapping"),
        ("a.yaml", "name: a", "'keypoints' is missing"),
    ],
)
def test_what_is_no_skeleton_is_said(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SkeletonError, match=message):
        find_skeleton(tmp_path / name)


def test_a_missing_file_and_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(SkeletonError, match=r"mine\.yaml: cannot be read"):
        find_skeleton(tmp_path / "mine.yaml")
    with pytest.raises(SkeletonError, match=r"'coco' is not known: give a file .* coco17, lsp14"):
        find_skeleton("coco")


@pytest.mark.parametrize("form", ["left_{}/right_{}", "l_{}/r_{}", "{}_left/{}_right", "{}_l/{}_r"])
def test_sides_by_name(tmp_path: Path, form: str) -> None:
    names = [word.format(joint) for joint in ("hip", "fin") for word in form.split("/")]
    file = tmp_path / "fish.yaml"
    file.write_text(json.dumps({"name": "fish", "keypoints": ["tail", *names, "l_gill", "tail_r"]}))
    fish = find_skeleton(file)
    assert fish.flip_pairs == ((1, 2), (3, 4))
    assert fish.sigmas[1:4] == (0.107, 0.107, 0.079)
