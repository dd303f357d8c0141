"""Loading models, and what one look at a picture gives."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the painted world's networks are built with onnx")

import onnx

import painted
from vidpose.bundle import Bundle, DetectorSettings, DkdSettings, write_bundle
from vidpose.errors import BundleError, InputError
from vidpose.inference import PoseModel
from vidpose.inference.crop import region_around
from vidpose.inference.decode import PlacePrior
from vidpose.inference.decode_imported import Keypoints
from vidpose.inference.graphs import PoseGraph
from vidpose.inference.pose import (
    PLACE_SPEED,
    Expected,
    Pose,
    initialize,
    keep_kernels,
    pose_box,
    pose_score,
    step,
)
from vidpose.inference.timing import StageTimer

ACTOR = painted.Actor(lambda time: (150.3 + 90 * time, 110.7), height=120)
SIZE = (240, 400)


def test_the_initializer_finds_keypoints(dkd_model: PoseModel) -> None:
    region = region_around((120, 45, 62, 122))
    image = painted.paint([ACTOR], 0.0, SIZE)
    (pose,) = initialize(dkd_model, image, [region], StageTimer())
    truth = ACTOR.keypoints(0.0)
    assert np.abs(pose.keypoints[:, :2] - truth).max() < 0.03 * ACTOR.height
    assert pose.keypoints[:, 2].min() > 0.9
    assert pose.kernels is not None


def test_a_step_finds_the_same_person_between_others(dkd_model: PoseModel) -> None:
    """The memory holds the person's colour; the other one wears another and is nearer."""
    other = painted.Actor(lambda time: (185.0, 112.0), height=120, colour=250)
    region = region_around((120, 45, 62, 122))
    first = painted.paint([ACTOR], 0.0, SIZE)
    (pose,) = initialize(dkd_model, first, [region], StageTimer())
    left = painted.Actor(lambda time: (130.0, 110.0), height=120)
    second = painted.paint([left, other], 0.0, SIZE)
    moved = region_around((130, 45, 62, 122))
    (found,) = step(dkd_model, second, [moved], [pose.kernels], StageTimer())
    assert np.abs(found.keypoints[:, :2] - left.keypoints(0.0)).max() < 3.0
    (blind,) = initialize(dkd_model, second, [moved], StageTimer())
    assert np.abs(blind.keypoints[:, :2] - left.keypoints(0.0)).max() > 20.0


def test_of_two_alike_the_one_who_is_expected_is_taken(dkd_model: PoseModel) -> None:
    """Both wear the colour that the memory holds; only the places tell them apart."""
    left = painted.Actor(lambda time: (125.0, 110.0), height=100)
    right = painted.Actor(lambda time: (175.0, 110.0), height=100)
    region = region_around((100, 40, 100, 140))
    alone = painted.paint([ACTOR], 0.0, SIZE)
    (pose,) = initialize(dkd_model, alone, [region], StageTimer())
    image = painted.paint([left, right], 0.0, SIZE)
    for actor in (left, right):
        near = Expected(actor.keypoints(0.0).astype(np.float32) + np.float32([4, -3]), 1 / 30)
        (found,) = step(dkd_model, image, [region], [pose.kernels], StageTimer(), [near])
        assert np.abs(found.keypoints[:, :2] - actor.keypoints(0.0)).max() < 4.0
        (seen,) = initialize(dkd_model, image, [region], StageTimer(), [near])
        assert np.abs(seen.keypoints[:, :2] - actor.keypoints(0.0)).max() < 4.0


def test_what_was_found_long_ago_is_expected_anywhere(
    dkd_model: PoseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spread grows with the time: half as likely at `PLACE_SPEED` crop heights a second."""
    given: list[PlacePrior] = []

    def decode(graph: PoseGraph, output: np.ndarray, near: PlacePrior) -> Keypoints:
        given.append(near)
        return near.points, np.ones(near.points.shape[:2], np.float32)

    monkeypatch.setattr(PoseGraph, "decode", decode)
    region = region_around((100, 40, 100, 140))
    keypoints = ACTOR.keypoints(0.0).astype(np.float32)
    blank = np.zeros((*SIZE, 3), np.uint8)
    memory = np.zeros((5, 2, 1, 1), np.float32)
    expected = [Expected(keypoints, 0.1), Expected(keypoints, 0.4)]
    found = step(dkd_model, blank, [region] * 2, [memory] * 2, StageTimer(), expected)
    assert given[0].spread == pytest.approx(PLACE_SPEED * painted.STEP[0] * np.array([0.1, 0.4]))
    for pose in found:  # to the crop and back
        np.testing.assert_allclose(pose.keypoints[:, :2], keypoints, atol=1e-3)


@pytest.mark.parametrize(("spread", "found"), [(8.0, 4), (16.0, 14), (0.0, 4)])
def test_a_graph_takes_places_and_spreads_in_pixels(
    spread: float, found: int, dkd_model: PoseModel
) -> None:
    """Cell 14's peak is 12 times as likely as cell 4's, 40 pixels away: at a spread of 8
    pixels the prior is 26 times less there, at 16 pixels 7 times. Without time there is no more
    than a cell."""
    assert dkd_model.stepper is not None
    maps = np.full((1, 5, 24, 18), -80, np.float32)
    maps[..., 12, 4], maps[..., 12, 14] = 0.0, np.log(12)
    points = np.broadcast_to(np.float32([17.5, 49.5]), (1, 5, 2))  # the middle of cell (4, 12)
    near = PlacePrior(points, np.float32([spread]))
    x = dkd_model.stepper.decode(maps, near)[0][..., 0]
    assert x == pytest.approx(np.full((1, 5), found * 4 + 1.5), abs=1e-3)


def test_a_batch_gives_what_single_calls_give(dkd_model: PoseModel) -> None:
    image = painted.paint([ACTOR, painted.Actor(lambda time: (300.0, 120.0))], 0.0, SIZE)
    regions = [region_around((120, 45, 62, 122)), region_around((275, 70, 50, 100))]
    together = initialize(dkd_model, image, regions, StageTimer())
    apart = [initialize(dkd_model, image, [region], StageTimer())[0] for region in regions]
    for a, b in zip(together, apart, strict=True):
        assert np.allclose(a.keypoints, b.keypoints, atol=1e-4)
    assert initialize(dkd_model, image, [], StageTimer()) == []


def test_an_unsure_keypoint_keeps_its_kernel(dkd_model: PoseModel) -> None:
    region = region_around((120, 45, 62, 122))
    (pose,) = initialize(dkd_model, painted.paint([ACTOR], 0.0, SIZE), [region], StageTimer())
    hidden = painted.paint([ACTOR], 0.0, SIZE)
    hidden[140:] = 0  # the feet
    (later,) = step(dkd_model, hidden, [region], [pose.kernels], StageTimer())
    assert (later.keypoints[3:, 2] < 0.25).all()
    assert np.array_equal(later.kernels[3:], pose.kernels[3:])
    assert later.keypoints[:3, 2].min() > 0.9
    assert not np.array_equal(later.kernels[:3], pose.kernels[:3])


def test_confidences_are_calibrated(tmp_path: Path) -> None:
    """An over-confident model whose bundle says that it is right 6 times in 10 at best."""
    bundle = painted.bundle()
    curve = ((0.0, 0.05), (0.5, 0.4), (1.0, 0.6))
    settings = replace(bundle.settings, calibration={"initializer": curve, "step": curve})
    write_bundle(tmp_path / "sober.vidpose", replace(bundle, settings=settings))
    model = PoseModel.load(tmp_path / "sober.vidpose", threads=1)
    raw = np.array([[0.0, 0.25, 0.5], [0.75, 1.0, 1.0]], np.float32)
    expected = [[0.05, 0.225, 0.4], [0.5, 0.6, 0.6]]
    assert model.initializer.calibrate(raw) == pytest.approx(np.array(expected))
    (pose,) = initialize(
        model, painted.paint([ACTOR], 0.0, SIZE), [region_around((120, 45, 62, 122))], StageTimer()
    )
    assert 0.3 < pose.score <= 0.6


def test_the_offset_of_each_graph_is_taken_away(tmp_path: Path, dkd_model: PoseModel) -> None:
    bundle = painted.bundle()
    settings = replace(bundle.settings, offset={"initializer": (2.0, -1.0), "step": (0.5, 3.0)})
    write_bundle(tmp_path / "moved.vidpose", replace(bundle, settings=settings))
    moved = PoseModel.load(tmp_path / "moved.vidpose", threads=1)
    maps = np.random.default_rng(1).normal(size=(2, 5, 8, 6)).astype(np.float32)
    for graph, plain, offset in (
        (moved.initializer, dkd_model.initializer, (2.0, -1.0)),
        (moved.stepper, dkd_model.stepper, (0.5, 3.0)),
    ):
        assert graph is not None
        assert plain is not None
        apart = plain.decode(maps)[0] - graph.decode(maps)[0]
        assert apart == pytest.approx(np.broadcast_to(offset, apart.shape), abs=1e-5)
        there = PlacePrior(plain.decode(maps)[0] + np.float32(5), np.full(2, 8, np.float32))
        here = PlacePrior(there.points - np.float32(offset), there.spread)
        apart = plain.decode(maps, there)[0] - graph.decode(maps, here)[0]
        assert apart == pytest.approx(np.broadcast_to(offset, apart.shape), abs=1e-5)


def test_a_model_without_memory_cannot_step(frame_model: PoseModel) -> None:
    crops = np.zeros((2, *painted.INITIALIZER, 3), np.uint8)
    maps, kernels = frame_model.initialize(crops)
    assert maps.shape == (2, 5, painted.INITIALIZER[0] // 4, painted.INITIALIZER[1] // 4)
    assert kernels is None
    with pytest.raises(BundleError, match="memory"):
        frame_model.step(crops, np.zeros((2, 5, 2, 1, 1), np.float32))


def test_a_model_never_changes_and_runs_on_the_cpu_only(dkd_model: PoseModel) -> None:
    with pytest.raises(FrozenInstanceError):
        dkd_model.padding = 2.0  # type: ignore[misc]
    for graph in (dkd_model.initializer, dkd_model.stepper):
        assert graph is not None
        assert graph.session.inference.get_providers() == ["CPUExecutionProvider"]


def test_threads_are_set(tmp_path: Path) -> None:
    path = painted.save_bundle(tmp_path)
    options = PoseModel.load(path, threads=1).initializer.session.inference.get_session_options()
    assert options.intra_op_num_threads == 1
    with pytest.raises(InputError, match="threads"):
        PoseModel.load(path, threads=0)


@pytest.mark.parametrize("size", [(96, 72), (256, 192)])
def test_graphs_that_do_not_fit_the_settings_are_refused(
    size: tuple[int, int], tmp_path: Path
) -> None:
    bundle = painted.bundle()
    wrong = DkdSettings(initializer_size=size, step_size=painted.STEP)
    write_bundle(tmp_path / "wrong.vidpose", replace(bundle, settings=wrong))
    with pytest.raises(BundleError, match=r"wrong\.vidpose, graph 'initializer': 'image' must be"):
        PoseModel.load(tmp_path / "wrong.vidpose")


def test_a_graph_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    bundle = replace(painted.bundle(), graphs={"initializer": b"nonsense", "step": b""})
    write_bundle(tmp_path / "bad.vidpose", bundle)
    with pytest.raises(BundleError, match="cannot be loaded"):
        PoseModel.load(tmp_path / "bad.vidpose")


def test_graphs_in_the_wrong_place_are_refused(tmp_path: Path) -> None:
    graphs = {"initializer": painted.initializer_graph(memory=False), "step": painted.step_graph()}
    write_bundle(tmp_path / "mixed.vidpose", replace(painted.bundle(), graphs=graphs))
    with pytest.raises(BundleError, match="kernels"):
        PoseModel.load(tmp_path / "mixed.vidpose")


def test_a_detector_is_no_pose_model(tmp_path: Path) -> None:
    bundle = Bundle("d", "detector", "1", "MIT", DetectorSettings(320), {"detector": b""})
    write_bundle(tmp_path / "d.vidpose", bundle)
    with pytest.raises(BundleError, match="pose model is needed"):
        PoseModel.load(tmp_path / "d.vidpose")


def test_score_and_box_come_from_the_keypoints_that_are_seen() -> None:
    keypoints = np.array(
        [[10, 10, 0.9], [30, 10, 0.7], [20, 60, 0.8], [500, 500, 0.1], [400, 0, 0.0]], np.float32
    )
    assert pose_score(keypoints) == pytest.approx(0.8)
    x, y, w, h = pose_box(keypoints)
    assert (x + w / 2, y + h / 2) == pytest.approx((20.5, 35.5))
    assert h == pytest.approx(56.0)
    assert Pose.of(keypoints).shifted(np.array([5.0, -5.0])).box == pytest.approx(
        (x + 5, y - 5, w, h)
    )


def test_only_kernels_of_their_own_stay_with_unsure_keypoints() -> None:
    unsure = np.array([True, False, False])
    own, former = np.ones((3, 4, 1, 1), np.float32), np.zeros((3, 4, 1, 1), np.float32)
    mixed = keep_kernels(own, former, unsure)
    assert not mixed[0].any()
    assert mixed[1:].all()
    assert own.all()  # the memory of others is not touched
    for shape in ((1, 4, 7, 7), (3, 8, 8), (99,)):  # factorised kernels, states
        whole = np.ones(shape, np.float32)
        assert keep_kernels(whole, np.zeros(shape, np.float32), unsure) is whole


def test_a_memory_on_which_the_graphs_do_not_agree_is_refused(tmp_path: Path) -> None:
    model = onnx.load_from_string(painted.initializer_graph())
    for node in model.graph.node:
        node.output[:] = ["half" if name == "kernels" else name for name in node.output]
    twice = onnx.helper.make_node("Concat", ["half", "half"], ["kernels"], axis=2)
    model.graph.node.append(twice)
    (port,) = (port for port in model.graph.output if port.name == "kernels")
    port.type.tensor_type.shape.dim[2].dim_value *= 2
    graphs = {"initializer": model.SerializeToString(), "step": painted.step_graph()}
    write_bundle(tmp_path / "two.vidpose", replace(painted.bundle(), graphs=graphs))
    with pytest.raises(BundleError, match=r"graph 'initializer': 'kernels' must be float32 \[None"):
        PoseModel.load(tmp_path / "two.vidpose")
