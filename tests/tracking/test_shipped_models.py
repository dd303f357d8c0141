"""The models that come with the package, and their sisters in the checkout, on real pictures.

assets/two_people.jpg is a frame of Sports2D's demo video (see NOTICE). Its keypoints were placed by
hand in the enlarged picture; a keypoint that cannot be seen is None.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vidpose.bundle import available_models
from vidpose.defaults import DEFAULT_MODEL, FAST_MODEL
from vidpose.inference import PoseModel
from vidpose.tracking import PoseStream
from vidpose.video import VideoReader

FRAME = Path(__file__).parents[1] / "assets" / "two_people.jpg"
SISTERS = sorted((Path(__file__).parents[2] / "models").glob("*.vidpose"))
MODELS = (DEFAULT_MODEL, FAST_MODEL, *SISTERS)
pytestmark = pytest.mark.skipif(
    not {DEFAULT_MODEL, FAST_MODEL, "finder"} <= set(available_models()),
    reason="the shipped models are not in this checkout",
)

# COCO's order. The man faces the camera, so his left is on the right of the picture.
MAN = [
    (61, 41), (64, 37), (56, 37), (67, 38), (49, 39), (82, 65), (40, 65), (87, 95), (37, 99),
    (87, 125), (34, 130), (72, 127), (48, 127), (73, 166), (44, 166), (73, 206), (49, 206),
]  # fmt: skip
WOMAN = [
    (381, 280), (386, 274), None, (398, 276), None, (411, 300), None, (432, 334), (373, 333),
    (447, 366), (342, 353), (397, 372), None, (370, 413), (414, 420), (349, 463), (433, 469),
]  # fmt: skip


def picture() -> NDArray[np.uint8]:
    return np.ascontiguousarray(cv2.imread(str(FRAME))[:, :, ::-1])


@pytest.mark.parametrize("name", MODELS, ids=lambda name: Path(name).stem)
def test_two_people_are_found_where_a_person_sees_them(name: str | Path) -> None:
    """Every visible keypoint within 5 % of the box's longer side, and no other person."""
    image = picture()
    people = PoseStream(PoseModel.load(name, threads=1), smooth=False).step(image, 0.0).people
    found = sorted(people, key=lambda person: person.box[0])
    assert len(found) == 2
    for person, labels in zip(found, (MAN, WOMAN), strict=True):
        visible = [index for index, label in enumerate(labels) if label is not None]
        truth = np.array([labels[index] for index in visible])
        error = np.linalg.norm(person.keypoints[visible, :2] - truth, axis=1)
        assert error.max() < 0.05 * max(person.box[2:]), np.argmax(error)
        assert np.mean(error) < 0.02 * max(person.box[2:])
        low, high = truth.min(axis=0), truth.max(axis=0)
        x, y, w, h = person.box
        assert np.abs([x, y] - low).max() < 0.1 * h
        assert np.abs([x + w, y + h] - high).max() < 0.1 * h
        assert person.score > 0.8


@pytest.mark.parametrize("name", MODELS, ids=lambda name: Path(name).stem)
def test_the_step_network_finds_them_again(name: str | Path) -> None:
    """The picture moves by 3 px a frame: the keypoints move along, under the same ids."""
    image = picture()
    stream = PoseStream(PoseModel.load(name, threads=1), smooth=False)
    first = stream.step(image, 0.0)
    for index in range(1, 6):
        last = stream.step(np.roll(image, 3 * index, axis=1), index / 30)
    assert last.timings["step"] > 0 == last.timings["initialize"]
    assert [person.id for person in last.people] == [person.id for person in first.people]
    for before, after in zip(first.people, last.people, strict=True):
        moved = np.median(after.keypoints[:, :2] - before.keypoints[:, :2], axis=0)
        assert moved == pytest.approx([15, 0], abs=0.015 * max(before.box[2:]))
        assert after.score > 0.8


@pytest.mark.parametrize("name", MODELS, ids=lambda name: Path(name).stem)
def test_an_empty_picture_has_no_people(name: str | Path) -> None:
    stream = PoseStream(PoseModel.load(name, threads=1))
    noise = np.random.default_rng(0).integers(0, 256, (3, 240, 320, 3)).astype(np.uint8)
    for index, image in enumerate([np.full((240, 320, 3), 90, np.uint8), *noise]):
        assert stream.step(image, index / 30).people == ()


@pytest.mark.parametrize("name", MODELS, ids=lambda name: Path(name).stem)
def test_two_people_keep_their_ids(name: str | Path, shared_data: Path) -> None:
    """A man on a roof from the start, a woman who walks in after 1.5 s; never anybody else."""
    stream = PoseStream(PoseModel.load(name, threads=1))
    with VideoReader(shared_data / "video" / "walk_backlit.mp4") as video:
        results = [stream.step(frame.image, frame.time) for frame in islice(video, 120)]
    assert len(results) == 120
    ids = [tuple(person.id for person in result.people) for result in results]
    assert set(ids[:40]) == {(1,)}
    assert set(ids[60:]) == {(1, 2)}
    middles = np.array([[p.box[0] + p.box[2] / 2 for p in r.people] for r in results[60:]])
    assert np.ptp(middles[:, 0]) < 250  # he raises his arms, then walks a few steps
    assert middles[-1, 1] < middles[0, 1] - 150  # she walks to the left
