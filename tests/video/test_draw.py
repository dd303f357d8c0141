from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from vidpose.errors import InputError
from vidpose.results import FrameResult, Person
from vidpose.skeleton import COCO_17
from vidpose.video import draw_result
from vidpose.video.draw import colour_of

NAMES = COCO_17.keypoints
SIZE = (400, 400)


def keypoints(**joints: tuple[float, float, float]) -> np.ndarray:
    points = np.full((17, 3), np.nan, np.float32)
    points[:, 2] = 0
    for name, point in joints.items():
        points[NAMES.index(name)] = point
    return points


def drawn(points: np.ndarray, *, size: tuple[int, int] = SIZE, person_id: int = 1,
          box: tuple[float, float, float, float] = (5, 60, 390, 330)) -> np.ndarray:  # fmt: skip
    person = Person(person_id, 0.9, box, points)
    image = np.full((*size, 3), 128, np.uint8)
    result = draw_result(image, FrameResult(0, 0.0, (person,)), COCO_17)
    assert (image == 128).all(), "the given image stays as it was"
    return result


def without_joints(**options: object) -> np.ndarray:
    return drawn(keypoints(), **options)  # type: ignore[arg-type]


def changed(image: np.ndarray, **options: object) -> np.ndarray:
    """Where the image differs from one with box and id alone."""
    return np.abs(image.astype(int) - without_joints(**options)).sum(axis=2)


def test_no_person_leaves_the_image_alone() -> None:
    image = np.random.default_rng(0).integers(0, 255, (50, 60, 3), dtype=np.uint8)
    result = draw_result(image, FrameResult(0, 0.0), COCO_17)
    np.testing.assert_array_equal(result, image)
    assert result is not image


@pytest.mark.parametrize("point", [(200.0, 200.0), (101.25, 220.75), (33.5, 300.5)])
def test_a_joint_is_centred_on_its_point(point: tuple[float, float]) -> None:
    difference = changed(drawn(keypoints(nose=(*point, 1.0)))).astype(float)
    rows, columns = np.indices(difference.shape)
    weights = difference > 0
    assert columns[weights].mean() == pytest.approx(point[0], abs=0.3)
    assert rows[weights].mean() == pytest.approx(point[1], abs=0.3)


def test_the_box_lies_on_its_edges() -> None:
    image = without_joints(box=(100.0, 150.0, 80.0, 120.0))
    columns = np.flatnonzero((image[210] != 128).any(axis=1))
    # Edges at 100 and 180 are half a pixel before the centres of columns 100 and 180.
    assert columns.mean() == pytest.approx((99.5 + 179.5) / 2, abs=0.6)
    assert columns.max() - columns.min() == pytest.approx(80, abs=2)


def test_opacity_follows_confidence() -> None:
    strength = [
        changed(drawn(keypoints(nose=(200, 200, confidence)))).max()
        for confidence in (0.0, 0.02, 0.2, 0.5, 1.0)
    ]
    assert strength[:2] == [0, 0]
    assert 0 < strength[2] < strength[3] < strength[4]
    assert strength[3] == pytest.approx(strength[4] / 2, rel=0.1)


def test_left_and_right_differ() -> None:
    # Person 2 is bright, so the number on its plate is black.
    left = drawn(keypoints(left_knee=(200, 150, 1), left_ankle=(200, 300, 1)), person_id=2)
    right = drawn(keypoints(right_knee=(200, 150, 1), right_ankle=(200, 300, 1)), person_id=2)
    middle_of_limb = (225, 200)
    assert left[middle_of_limb].mean() > right[middle_of_limb].mean() + 60
    assert (left == 255).all(axis=2).any(), "a white ring"
    assert not (right == 255).all(axis=2).any()
    assert (right == 0).all(axis=2).sum() > (left == 0).all(axis=2).sum()


def test_ids_have_colours_of_their_own() -> None:
    colours = np.array([colour_of(number) for number in range(12)])
    distances = np.abs(colours[:, None] - colours[None]).sum(axis=2)
    assert distances[~np.eye(12, dtype=bool)].min() > 30
    assert all(np.abs(a - b).sum() > 150 for a, b in pairwise(colours))
    point = keypoints(nose=(200, 200, 1))
    assert tuple(drawn(point, person_id=3)[200, 200]) == colour_of(3)
    assert tuple(drawn(point, person_id=4)[200, 200]) == colour_of(4)


def test_lines_grow_with_image_and_person() -> None:
    def area(scale: int, person: float) -> int:
        size = (200 * scale, 200 * scale)
        box = (5.0 * scale, 30.0 * scale, 190 * scale * person, 160 * scale * person)
        points = keypoints(nose=(100 * scale, 100 * scale, 1.0))
        return int((changed(drawn(points, size=size, box=box), size=size, box=box) > 0).sum())

    assert area(8, 1.0) > 6 * area(2, 1.0)
    assert area(8, 0.05) < area(8, 1.0) / 4


def test_the_id_stays_within_the_image() -> None:
    for box in [(-50.0, -50.0, 200.0, 200.0), (380.0, 390.0, 50.0, 60.0), (-500.0, 0.0, 9.0, 9.0)]:
        image = without_joints(box=box, person_id=2)
        plate = (image == colour_of(2)).all(axis=2)
        assert plate.sum() > 20


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (16, 16), (1080, 1920)])
def test_anything_goes_at_any_size(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    for spread in (1.0, 1e3, 2e5):
        points = random.normal(0, spread, (17, 3)).astype(np.float32)
        points[:, 2] = 1.0
        points[3] = (np.nan, np.nan, 0)
        image = drawn(points, size=size, box=(-spread, -spread, 2 * spread, 3 * spread))
        assert image.shape == (*size, 3)


def test_face_and_hands_are_thinner() -> None:
    """The same joints and limbs, drawn as a body's and as a hand's."""
    limb = keypoints(left_elbow=(100, 200, 1.0), left_wrist=(300, 200, 1.0))
    hand = replace(COCO_17, groups=(("left_hand", (7, 9)),))
    image = np.full((*SIZE, 3), 128, np.uint8)
    result = FrameResult(0, 0.0, (Person(1, 0.9, (5, 60, 390, 330), limb),))
    thick, thin = (draw_result(image, result, skeleton) for skeleton in (COCO_17, hand))
    covered = [int((changed(each)[:, 200] > 0).sum()) for each in (thick, thin)]
    assert 0 < covered[1] < covered[0]
    joint = [int((changed(each)[190:211, 90:100] > 0).sum()) for each in (thick, thin)]
    assert 0 < joint[1] < joint[0] / 2


@pytest.mark.parametrize("image", [np.zeros((9, 9, 3), np.float32), np.zeros((9, 9), np.uint8)])
def test_another_kind_of_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"expected uint8 \(height, width, 3\), got"):
        draw_result(image, FrameResult(0, 0.0, ()), COCO_17)


def test_people_of_another_skeleton_are_refused() -> None:
    person = Person(4, 0.9, (5, 60, 390, 330), np.ones((15, 3), np.float32))
    image = np.zeros((*SIZE, 3), np.uint8)
    with pytest.raises(InputError, match=r"\(15, 3\) are not of skeleton coco17, which has 17"):
        draw_result(image, FrameResult(0, 0.0, (person,)), COCO_17)
