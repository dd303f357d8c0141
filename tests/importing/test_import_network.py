"""Imported networks as bundles: they find what the raw network finds, in crops and in a stream."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from shared_folder import FLOAT_MODEL

pytest.importorskip("onnx", reason="the networks are built with onnx")

from made_networks import brightest, fixed, pairs, person
from vidpose.bundle import (
    DkdSettings,
    ImportedSettings,
    find_bundle,
    read_bundle,
    write_bundle,
)
from vidpose.data.clips import LabelledClip
from vidpose.data.datasets import coco
from vidpose.errors import BundleError
from vidpose.importing import ImportOptions, NotSaidError, import_network, labelled
from vidpose.importing import parity as parity_module
from vidpose.importing.carry import memory_graph
from vidpose.inference import PoseModel
from vidpose.inference.backends.base import open_session
from vidpose.inference.carried import keypoint_maps, middle
from vidpose.inference.crop import CropRegion
from vidpose.inference.pose import initialize
from vidpose.inference.timing import StageTimer
from vidpose.skeleton import COCO_17, find_skeleton
from vidpose.tracking import PoseStream

SAID = ImportOptions(skeleton=COCO_17, normalise="unit", colour="rgb", padding=1.0)
FULL = CropRegion(0, 0, 48, 64)


def loaded(path: Path, folder: Path, options: ImportOptions, **more: object) -> PoseModel:
    made = import_network(path, "made", options, **more)  # type: ignore[arg-type]
    write_bundle(folder / "made.vidpose", made.bundle)
    assert made.difference < 0.05
    return PoseModel.load(folder / "made.vidpose", threads=1)


def test_heatmaps_follow_the_picture(tmp_path: Path) -> None:
    model = loaded(brightest(tmp_path / "a.onnx", (64, 48)), tmp_path, SAID)
    image = np.zeros((64, 96, 3), np.uint8)
    rows, columns = np.mgrid[:64, :96]
    for x, y in ((20, 30), (75, 40)):
        blot = 220 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 8.0**2))
        image = np.maximum(image, blot[..., None].astype(np.uint8))
    regions = [FULL, CropRegion(48, 0, 48, 64)]
    first, second = initialize(model, image, regions, StageTimer())
    # Cell i averages pixels 4 i to 4 i + 3, and is read as pixel 4 i: the network's own bias.
    np.testing.assert_allclose(first.keypoints[:, :2], [[18.5, 28.5]] * 17, atol=0.3)
    np.testing.assert_allclose(second.keypoints[:, :2], [[73.5, 38.5]] * 17, atol=0.3)
    assert first.keypoints[0, 2] == pytest.approx(0.84, abs=0.05)


@pytest.mark.parametrize("batch", ["N", 1])
def test_several_people_at_once_or_one_after_the_other(tmp_path: Path, batch: str | int) -> None:
    model = loaded(brightest(tmp_path / "a.onnx", (64, 48), batch=batch), tmp_path, SAID)
    crops = np.random.default_rng(0).integers(0, 255, (3, 64, 48, 3), np.uint8)
    together = model.initialize(crops)[0]
    apart = [model.initialize(crop[None])[0][0] for crop in crops]
    np.testing.assert_allclose(together, apart, atol=1e-4)


@pytest.mark.parametrize("joints", [17, 26, 133])
def test_simcc_of_any_number_of_keypoints(tmp_path: Path, joints: int) -> None:
    names = {17: "coco17", 26: "halpe26", 133: "coco_wholebody133"}
    width, height = (192, 256) if joints < 50 else (288, 384)
    path = fixed(tmp_path / "a.onnx", pairs(joints, width, height), ("N", 3, height, width))
    options = replace(SAID, skeleton=find_skeleton(names[joints]), normalise="imagenet")
    model = loaded(path, tmp_path, options)
    image = np.zeros((height, width, 3), np.uint8)
    (pose,) = initialize(model, image, [CropRegion(0, 0, width, height)], StageTimer())
    index = np.arange(joints)
    np.testing.assert_allclose(pose.keypoints[:, 0], index + 1.5)
    np.testing.assert_allclose(pose.keypoints[:, 1], 2 * index + 0.5)
    np.testing.assert_allclose(pose.keypoints[:, 2], np.minimum(0.9 - index / 200, 0.8), atol=1e-6)


def test_a_keypoint_that_is_no_number_is_no_keypoint(tmp_path: Path) -> None:
    """Of a file that gave numbers when it was imported."""
    values = np.full((1, 1, 17, 3), 0.5)
    path = fixed(tmp_path / "a.onnx", {"out": values}, (1, 96, 96, 3), element="int32")
    bundle = import_network(path, "a", ImportOptions(padding=1.0)).bundle
    values[0, 0, 3] = np.nan, 0.5, 0.9
    values[0, 0, 4, 2] = np.inf
    values[0, 0, 6] = 1e30, -1e30, 0.9
    fixed(path, {"out": values}, (1, 96, 96, 3), element="int32")
    bundle = replace(bundle, graphs={"frame": path.read_bytes()})
    write_bundle(tmp_path / "a.vidpose", bundle)
    found = PoseModel.load(tmp_path / "a.vidpose", threads=1).initialize(
        np.zeros((1, 96, 96, 3), np.uint8)
    )[0][0]
    np.testing.assert_allclose(found[[3, 6]], [[48, 48, 0]] * 2)
    np.testing.assert_allclose(found[5], [47.5, 47.5, 0.5])
    assert found[4, 2] == 1.0  # cut to [0, 1]


def test_movenet_says_all_but_the_padding(tmp_path: Path) -> None:
    values = np.zeros((1, 1, 17, 3))
    values[..., 0], values[..., 1], values[..., 2] = 0.25, 0.5, 0.6
    path = fixed(tmp_path / "a.onnx", {"out": values}, (1, 96, 96, 3), element="int32")
    asked = r"you have to: --padding FACTOR.*common: --padding 1\.25"
    with pytest.raises(NotSaidError, match=asked):
        import_network(path, "a", ImportOptions())
    model = loaded(path, tmp_path, ImportOptions(padding=1.25))
    region = CropRegion(10, 20, 192, 192)
    (pose,) = initialize(model, np.zeros((240, 240, 3), np.uint8), [region], StageTimer())
    np.testing.assert_allclose(pose.keypoints[0], [10 + 96 - 0.5, 20 + 48 - 0.5, 0.6], atol=1e-5)


def test_everything_that_is_not_said_is_named_at_once(tmp_path: Path) -> None:
    path = brightest(tmp_path / "a.onnx", (64, 48))
    with pytest.raises(NotSaidError) as caught:
        import_network(path, "a", ImportOptions())
    for option in ("--skeleton coco17|h36m17|FILE", "--normalise", "--colour", "--padding"):
        assert option in str(caught.value)
    assert "--order" not in str(caught.value)
    with pytest.raises(BundleError, match="it gives 17 keypoints, skeleton 'halpe26' has 26"):
        import_network(path, "a", replace(SAID, skeleton=find_skeleton("halpe26")))
    with pytest.raises(BundleError, match="--normalise often: give one of imagenet"):
        import_network(path, "a", replace(SAID, normalise="often"))


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_normalising_follows_the_channels(tmp_path: Path, colour: str) -> None:
    path = brightest(tmp_path / "a.onnx", (64, 48))
    options = replace(SAID, colour=colour, normalise="imagenet")
    settings = import_network(path, "a", options).bundle.settings
    assert isinstance(settings, ImportedSettings)
    red = 0 if colour == "rgb" else 2
    assert settings.input.mean[red] == 123.675
    own = replace(options, normalise="1,2,3/4,5,6")
    settings = import_network(path, "a", own).bundle.settings
    assert isinstance(settings, ImportedSettings)
    assert (settings.input.mean, settings.input.deviation) == ((1, 2, 3), (4, 5, 6))


def test_a_bundle_that_finds_something_else_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = parity_module.crop_keypoints
    monkeypatch.setattr(
        parity_module, "crop_keypoints", lambda *a: raw(*a) + np.array([0.06, 0, 0])
    )
    with pytest.raises(BundleError, match=r"finds keypoints 0\.06\d px from the raw network's"):
        import_network(brightest(tmp_path / "a.onnx", (64, 48)), "a", SAID)


def test_licence_and_its_text_travel(tmp_path: Path) -> None:
    path = brightest(tmp_path / "a.onnx", (64, 48))
    unknown = import_network(path, "a", SAID).bundle
    assert unknown.licence == "unknown"
    assert "Licence: unknown." in unknown.card
    said = replace(SAID, licence="MIT", licence_text="Permission is hereby granted\n")
    write_bundle(tmp_path / "a.vidpose", import_network(path, "a", said).bundle)
    again = read_bundle(tmp_path / "a.vidpose")
    assert (again.licence, again.licence_text) == ("MIT", "Permission is hereby granted\n")
    assert "not calibrated" in again.card


def yolo(path: Path) -> Path:
    """Two people in a picture of 128 x 128: at (20, 16) and (80, 24), 17 wide and 33 high."""
    table = np.zeros((1, 56, 84))
    for column, (left, top) in ((3, (20.0, 16.0)), (4, (80.0, 24.0))):
        table[0, :5, column] = [left + 8, top + 16, 17, 33, 0.9]
        table[0, 5:, column] = person(17, left, top).ravel()
    metadata = {"task": "pose", "kpt_shape": "[17, 3]", "names": "{0: 'person'}"}
    return fixed(path, {"output0": table}, (1, 3, 128, 128), metadata=metadata)


def test_a_one_stage_network_is_detector_and_pose_in_one(tmp_path: Path) -> None:
    model = loaded(yolo(tmp_path / "a.onnx"), tmp_path, ImportOptions())
    stream = PoseStream(model, smooth=False)
    for number in range(3):
        result = stream.step(np.zeros((256, 256, 3), np.uint8), number / 30)
        assert [each.id for each in result.people] == [1, 2]
        found = sorted(result.people, key=lambda each: each.box[0])
        for each, (left, top) in zip(found, ((20, 16), (80, 24)), strict=True):
            np.testing.assert_allclose(each.keypoints, person(17, left, top) * [2, 2, 1], rtol=1e-5)


def test_a_one_stage_network_runs_once_a_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded(yolo(tmp_path / "a.onnx"), tmp_path, ImportOptions())
    calls = []
    session = model.initializer.session
    run = session._session.run  # type: ignore[attr-defined]
    monkeypatch.setattr(
        session._session,  # type: ignore[attr-defined]
        "run",
        lambda *a: calls.append(1) or run(*a),
    )
    stream = PoseStream(model)
    for number in range(4):
        stream.step(np.zeros((256, 256, 3), np.uint8), number / 30)
    assert len(calls) == 4


def test_a_region_without_anybody_gives_no_pose(tmp_path: Path) -> None:
    model = loaded(yolo(tmp_path / "a.onnx"), tmp_path, ImportOptions())
    regions = [CropRegion(30, 30, 60, 80), CropRegion(180, 180, 60, 60)]
    found, absent = initialize(model, np.zeros((256, 256, 3), np.uint8), regions, StageTimer())
    np.testing.assert_allclose(found.keypoints[0], [40, 32, 0.8], rtol=1e-5)
    assert absent.score == 0
    assert np.isfinite(absent.keypoints).all()


def test_the_memory_of_a_steps_own_maps_is_its_next_memory() -> None:
    """The cut graph does what the whole one does after its maps."""
    bundle = read_bundle(FLOAT_MODEL)
    step = open_session(bundle.graphs["step"], "step", 1)
    memory = open_session(memory_graph(bundle.graphs["step"], "dkd-base"), "memory", 1)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (2, *bundle.settings.step_size, 3), np.uint8)
    shape = (2, *(side for side in step.inputs[1].shape[1:] if side))
    kernels = rng.standard_normal(shape).astype(np.float32)
    maps, following = step.run(["maps", "next_kernels"], {"image": image, "kernels": kernels})
    (made,) = memory.run(["next_kernels"], {"image": image, "maps": maps})
    np.testing.assert_allclose(made, following, atol=1e-4)


def test_maps_of_keypoints_are_distributions() -> None:
    keypoints = np.array([[[17.5, 29.5, 1.0], [17.5, 29.5, 0.25], [-99, 5, 0.9]]], np.float32)
    maps = np.exp(keypoint_maps(keypoints, (64, 48), 4))
    np.testing.assert_allclose(maps[0, :2].sum(axis=(1, 2)), 1, rtol=1e-4)
    assert np.unravel_index(maps[0, 0].argmax(), (16, 12)) == (7, 4)  # the cell of 16 to 19
    background = maps[0, 1, 0, 0]
    assert background == pytest.approx(0.75 / (16 * 12), rel=1e-3)
    assert np.isfinite(maps).all()


def test_the_steps_crop_lies_in_the_middle_of_the_first() -> None:
    assert middle((256, 192), (160, 120)) == CropRegion(0, 0, 192, 256)
    assert middle((256, 256), (160, 120)) == CropRegion(32, 0, 192, 256)


def test_an_imported_network_is_carried(tmp_path: Path) -> None:
    """The network says where the joints are in the first frame; the step goes on from there."""
    values = np.zeros((1, 1, 17, 3))
    values[..., 0], values[..., 1] = np.linspace(0.2, 0.8, 17), 0.5
    values[..., 2] = 0.9
    path = fixed(tmp_path / "a.onnx", {"out": values}, (1, 96, 96, 3), element="int32")
    steps = read_bundle(FLOAT_MODEL)
    model = loaded(path, tmp_path, ImportOptions(padding=1.5), steps=steps)
    assert model.stepper is not None
    assert isinstance(steps.settings, DkdSettings)
    assert model.padding == steps.settings.padding, "both see one crop, which is the step's"
    assert model.aspect == pytest.approx(0.75)
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    (pose,) = initialize(model, image, [CropRegion(50, 20, 75, 100)], StageTimer())
    # The network's crop is the square around the region: 100 wide, from 37.5.
    np.testing.assert_allclose(pose.keypoints[0, :2], [87, 39.5], atol=0.1)
    assert pose.kernels is not None
    assert pose.kernels.shape[0] == 17
    assert "carries the pose" in read_bundle(tmp_path / "made.vidpose").card


def test_what_cannot_be_carried_is_said(tmp_path: Path) -> None:
    path = brightest(tmp_path / "a.onnx", (64, 48), joints=26)
    steps = read_bundle(FLOAT_MODEL)
    halpe = replace(SAID, skeleton=find_skeleton("halpe26"))
    with pytest.raises(BundleError, match="its keypoints are those of 'coco17', the network's"):
        import_network(path, "a", halpe, steps=steps)
    finder = read_bundle(find_bundle("finder"))
    path = brightest(tmp_path / "b.onnx", (64, 48))
    with pytest.raises(BundleError, match="--carry finder: this is a detector, without a step"):
        import_network(path, "a", SAID, steps=finder)
    with pytest.raises(BundleError, match="only a network for a person's crop can be carried"):
        import_network(yolo(tmp_path / "c.onnx"), "a", ImportOptions(), steps=steps)


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("movenet_lightning", ImportOptions(padding=1.25)),
        ("tinypose_256x192", replace(SAID, normalise="imagenet", padding=1.25)),
        (
            "ultralight_nano_simplepose",
            replace(SAID, normalise="imagenet", padding=1.25, refinement="quarter"),
        ),
    ],
)
def test_real_networks_on_real_crops(
    shared_models: Path,
    shared_data: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    options: ImportOptions,
) -> None:
    """The same keypoints, and confidences that are right about as often as they say."""
    monkeypatch.setattr(labelled, "MOST", 40)
    people = coco.open_people(shared_data / "coco_people", "val2017")
    path = shared_models / f"{file}.onnx"
    made = import_network(path, file, options, labels=people)
    assert made.real
    assert made.difference < 0.01
    assert made.calibration is not None
    assert made.calibration.people == 40
    assert made.calibration.pck > 60
    assert made.bundle.metrics["frame_calibration_error"] < 0.15


def test_what_is_found_without_a_person_counts_as_wrong(tmp_path: Path) -> None:
    """The network sees joints in the bright half alone, and is a little sure in the dark one."""
    model = loaded(brightest(tmp_path / "a.onnx", (64, 48)), tmp_path, SAID)
    image = np.full((96, 200, 3), 60, np.uint8)
    rows, columns = np.mgrid[:96, :200]
    blot = 180 * np.exp(-((columns - 40) ** 2 + (rows - 48) ** 2) / (2 * 6.0**2))
    image = np.maximum(image, blot[..., None].astype(np.uint8))
    cv2.imwrite(str(tmp_path / "a.png"), image)
    keypoints = np.full((1, 17, 3), (38.5, 46.5, 1.0), np.float32)
    keypoints[0, [5, 6], 0] += (-30, 30)  # shoulders, so that there is a torso
    box = np.array([[16, 16, 48, 64]], np.float32)
    people = [
        LabelledClip(str(n), (tmp_path / "a.png",), keypoints, box, COCO_17) for n in range(4)
    ]
    found = labelled.calibrate(model, people)
    assert (found.people, found.empty) == (4, 4)
    low, high = np.interp([0.24, 0.7], *np.array(found.curve).T)
    assert low < 0.1 < 0.8 < high


def test_no_empty_region_without_room_or_beside_a_person() -> None:
    box = (40.0, 10.0, 20.0, 40.0)
    assert labelled._beside(box, [box], (100, 100)) == [(70.0, 10.0, 20.0, 40.0)]
    other = (80.0, 10.0, 20.0, 40.0)
    assert labelled._beside(box, [box, other], (100, 100)) == [(10.0, 10.0, 20.0, 40.0)]
    assert labelled._beside(box, [box, other, (20.0, 0.0, 5.0, 50.0)], (100, 100)) == []
    assert labelled._beside(box, [box], (100, 80)) == [(10.0, 10.0, 20.0, 40.0)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"form": "pictures"}, "settings.form: must be one of"),
        ({"refinement": "best"}, "settings.refinement: must be one of"),
        ({"order": "zx"}, "settings.order: must be one of"),
        ({"outputs": []}, "outputs must be 1 names"),
        ({"form": "simcc"}, "outputs must be 2 names"),
        (
            {"input": {"element": "int8", "layout": "nchw", "colour": "rgb"}},
            "settings.input.element: must be one of",
        ),
        (
            {"input": {"element": "uint8", "layout": "nchw", "colour": "rgb", "deviation": [0]}},
            "mean and deviation must be three numbers",
        ),
    ],
)
def test_settings_that_cannot_be_are_one_line(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    write_bundle(
        tmp_path / "a.vidpose",
        import_network(brightest(tmp_path / "a.onnx", (64, 48)), "a", SAID).bundle,
    )
    with zipfile.ZipFile(tmp_path / "a.vidpose") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(parts["bundle.json"])
    about["settings"] |= change
    parts["bundle.json"] = json.dumps(about).encode()
    with zipfile.ZipFile(tmp_path / "b.vidpose", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(BundleError) as caught:
        read_bundle(tmp_path / "b.vidpose")
    assert message in str(caught.value)
    assert "b.vidpose" in str(caught.value)
    assert "\n" not in str(caught.value)
