"""The models that come with the package, and their sisters in the checkout, on real video."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from vidpose.bundle import available_models
from vidpose.inference import PoseModel
from vidpose.tracking import PoseStream
from vidpose.video import VideoReader

SISTERS = sorted((Path(__file__).parents[2] / "models").glob("*.vidpose"))
MODELS = ("dkd-lite", "dkd-lite-int8", *SISTERS)
pytestmark = pytest.mark.skipif(
    not {"dkd-lite", "dkd-lite-int8", "finder"} <= set(available_models()),
    reason="the shipped models are not in this checkout",
)


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
