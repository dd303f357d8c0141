"""Sigmas from two annotators: made labels of known sigmas, and whose labels belong together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vidpose.cli._sigmas import describe_annotators, describe_known
from vidpose.data.annotators import sigmas_of_annotators
from vidpose.data.datasets.coco_file import CocoAnnotation, CocoFile
from vidpose.errors import DataError
from vidpose.skeleton import Skeleton

KITE = Skeleton("kite", ("left_hip", "right_hip", "tail"), (), (), (0.107, 0.107, 0.079))
SIGMAS = np.array([0.02, 0.05, 0.1])


def _annotated(rng: np.random.Generator, people: int = 3000) -> CocoFile:
    """Two people to an image, of different sizes; the distance from the true place has SIGMAS."""
    found = []
    for number in range(1, people + 1):
        size = 100.0 + 50 * (number % 5)
        x = 1000.0 * (number % 2)
        points = np.array([[0.2, 0.2], [0.8, 0.2], [0.5, 0.9]]) * size + [x, 0]
        # sigma^2 is of both coordinates together
        points = points + rng.normal(size=(3, 2)) * (SIGMAS * size / np.sqrt(2))[:, None]
        keypoints = np.column_stack([points, np.full(3, 2)]).astype(np.float32)
        box = (x, 0.0, size, size)
        found.append(CocoAnnotation(number, (number + 1) // 2, box, size**2, False, keypoints, {}))
    images = {n: f"frames/{n}.jpg" for n in range(1, people // 2 + 2)}
    return CocoFile(Path("one.json"), images, tuple(found))


def test_known_sigmas_are_found() -> None:
    rng = np.random.default_rng(0)
    first, second = _annotated(rng), _annotated(rng)
    # Another order, other ids, other folders: people and images are known by what they are.
    second = replace(
        second,
        images={n: name.replace("frames/", "copy\\") for n, name in second.images.items()},
        people=tuple(replace(p, id=p.id + 7) for p in reversed(second.people)),
    )
    found = sigmas_of_annotators(first, second, KITE)
    np.testing.assert_allclose(found.sigmas, SIGMAS, rtol=0.03)
    assert (found.people, found.images) == (3000, 1500)
    assert found.pairs.tolist() == [3000] * 3
    assert found.far == ()


def test_only_what_both_labelled_counts() -> None:
    rng = np.random.default_rng(1)
    first, second = _annotated(rng, 40), _annotated(rng, 40)
    hidden = []
    for person in second.people:
        keypoints = person.keypoints.copy()
        keypoints[2] = 0
        if person.id > 9:
            keypoints[1] = 0
        hidden.append(replace(person, keypoints=keypoints))
    second = replace(second, people=tuple(hidden))
    found = sigmas_of_annotators(first, second, KITE)
    assert found.pairs.tolist() == [40, 9, 0]
    assert np.isnan(found.sigmas[2])
    lines = describe_annotators(first, second, KITE)
    assert lines[0] == "# 40 people in 20 images, labelled twice"
    assert lines[2].startswith("  left_hip: 0.0")
    assert "40 pairs; was 0.107" in lines[2]
    assert lines[3] == "  right_hip: 0.107  # as before: 9 pairs are too few"


def test_swapped_sides_are_named() -> None:
    rng = np.random.default_rng(2)
    first, second = _annotated(rng, 40), _annotated(rng, 40)
    person = second.people[4]
    swapped = replace(person, keypoints=person.keypoints[[1, 0, 2]])
    second = replace(second, people=(*second.people[:4], swapped, *second.people[5:]))
    found = sigmas_of_annotators(first, second, KITE)
    assert found.far == ("3.jpg: left_hip", "3.jpg: right_hip")
    assert (
        "left and right mistaken? 3.jpg: left_hip" in describe_annotators(first, second, KITE)[-1]
    )


def test_other_people_and_other_images_are_no_pairs() -> None:
    rng = np.random.default_rng(3)
    first, second = _annotated(rng, 10), _annotated(rng, 10)
    aside = [replace(p, box=(p.box[0] + 0.4 * p.box[2], *p.box[1:])) for p in second.people]
    with pytest.raises(DataError, match="nobody is labelled in both"):
        sigmas_of_annotators(first, replace(second, people=tuple(aside)), KITE)
    elsewhere = {number: f"other{number}.jpg" for number in second.images}
    with pytest.raises(DataError, match="nobody is labelled in both"):
        sigmas_of_annotators(first, replace(second, images=elsewhere), KITE)


def test_one_annotator_alone() -> None:
    lines = describe_known(replace(KITE, sigmas=(0.05, 0.107, 0.079)))
    assert lines[2:] == [
        "  left_hip: 0.05  # given",
        "  right_hip: 0.107  # by its name",
        "  tail: 0.079  # nothing is known of it",
    ]
