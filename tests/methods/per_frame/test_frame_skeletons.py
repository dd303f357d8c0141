"""Per-frame tasks of another skeleton: data, mirroring, losses, PCKh, and the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stills_folders import lsp_people, standing_person, write_coco, write_lspet, write_mpii
from trainings import batch_of, loss_of
from vidpose.bundle import read_bundle
from vidpose.data.datasets import lspet
from vidpose.data.datasets.mpii import load_mpii, open_people
from vidpose.data.loaders.augment import AugmentConfig, augmented_crop, mirror
from vidpose.data.loaders.stills import StillsConfig, training_samples
from vidpose.errors import DataError
from vidpose.export import export_checkpoint
from vidpose.inference.crop import region_around, to_crop
from vidpose.methods.per_frame.students import load_frame_model
from vidpose.nn.checkpoint import load_checkpoint
from vidpose.skeleton import COCO_17, LSP_14, MPII_16, SKELETONS, map_keypoints
from vidpose.training.assembly import build_training
from vidpose.training.loop import train
from vidpose.training.recipe import Recipe
from vidpose.training.validation import KeptOut, people_pckh

BACKBONE = {"name": "test_efficientnet"}
ENCODER = {"width": 16, "depth": 1, "heads": 4, "patch": [4, 4]}
TASKS: dict[str, dict[str, Any]] = {
    "fasterpose": {"kind": "fasterpose", "backbone": BACKBONE},
    "okdhp": {"kind": "okdhp", "network": {"backbone": BACKBONE, "width": 8}, "ramp_steps": 1},
    "okdhp-contrast": {
        "kind": "okdhp",
        "network": {"backbone": BACKBONE, "width": 8},
        "ramp_steps": 1,
        "contrast": 0.025,
    },
    "distilpose": {
        "kind": "distilpose", "network": "student-s", "stem": 8, "encoder": ENCODER,
        "flip_test": True,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def mpii_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mpii(tmp_path_factory.mktemp("mpii"))


def _recipe(task: dict[str, Any], data: dict[str, Any], skeleton: str = "mpii16") -> Recipe:
    section = {**task, "size": [64, 64], "skeleton": skeleton, "data": data}
    return Recipe.model_validate(
        {
            "name": "x",
            "steps": 2,
            "batch_size": 2,
            "optimizer": "adam",
            "learning_rate": 0.001,
            "workers": 0,
            "task": section,
        }
    )


@pytest.mark.parametrize("name", TASKS)
def test_every_kind_learns_mpii_and_is_measured_by_pckh(
    tmp_path: Path, mpii_root: Path, name: str
) -> None:
    torch.manual_seed(0)
    recipe = _recipe(TASKS[name], {"mpii": str(mpii_root)})
    training = build_training(recipe)
    assert training.data[0]["keypoints"].shape == (16, 3)
    state = load_checkpoint(train(training, recipe, tmp_path))
    scores = training.evaluate(training.task.network.eval())
    assert {"pckh@0.5", "pckh@0.1"} <= scores.keys()
    assert "pck@0.2" not in scores  # which would be of stills that there are not
    model = load_frame_model(state)
    assert model.skeleton is MPII_16
    maps = model.network.eval()(torch.zeros(1, 3, 64, 64))
    assert maps.shape == (1, 16, 16, 16)


def test_a_distilled_student_of_mpii(tmp_path: Path, mpii_root: Path) -> None:
    """Its teacher is a checkpoint of the same skeleton; that of another one is refused."""
    torch.manual_seed(0)
    data = {"mpii": str(mpii_root)}
    for skeleton in ("mpii16", "lsp14"):
        teacher = _recipe(TASKS["fasterpose"], data, skeleton)
        train(build_training(teacher), teacher, tmp_path / skeleton)
    student = {**TASKS["fasterpose"], "size": [64, 64], "skeleton": "mpii16", "data": data}

    def distil(teacher: Path) -> Recipe:
        task = {
            "kind": "distil",
            "student": student,
            "teacher": {"path": str(teacher)},
            "weights": {"maps": 1.0},
        }
        values = {"name": "x", "steps": 1, "batch_size": 2, "learning_rate": 0.001, "task": task}
        return Recipe.model_validate(values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vidpose.training.distil._ENOUGH", 0.0)  # the teacher is hardly trained
        patch.setattr("vidpose.training.distil._RANGE", (-9.0, 9.0))
        training = build_training(distil(tmp_path / "mpii16"))
    loss, figures = loss_of(training.task.train(), batch_of(training.data, 2))
    assert loss.isfinite()
    assert "loss_maps" in figures
    with pytest.raises(DataError, match="has 14 joints, the data have 16"):
        build_training(distil(tmp_path / "lsp14"))


def test_pckh_by_hand(mpii_root: Path) -> None:
    """Heads of 20 x 20: unit 0.6 sqrt(800) = 17.0 px. All right; one joint 9 px off; 1.8 px off."""
    people = list(open_people(mpii_root, "val"))
    region = region_around(tuple(people[0].boxes[0]), aspect=1.0)  # type: ignore[arg-type]
    true = to_crop(people[0].keypoints[0], region, (256, 256))[:, :2]
    wrist = MPII_16.keypoints.index("right_wrist")

    def knowing(offset: float, joint: int = wrist) -> Any:
        points = true.copy()
        points[joint, 0] += offset * 256 / region.w

        def network(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            cells = (points + 0.5) / 4 - 0.5
            y, x = np.mgrid[:64, :64]
            squares = (x - cells[:, 0, None, None]) ** 2 + (y - cells[:, 1, None, None]) ** 2
            return np.repeat((-squares / 2).astype(np.float32)[None], len(crops), axis=0)

        return network

    def scores(network: Any) -> list[float]:
        return [*people_pckh(network, people, (256, 256), MPII_16).values()]

    assert scores(knowing(0)) == pytest.approx([100, 100])
    assert scores(knowing(9)) == pytest.approx([100 * 13 / 14] * 2)
    assert scores(knowing(1.8)) == pytest.approx([100, 100 * 13 / 14])
    pelvis = MPII_16.keypoints.index("pelvis")
    assert scores(knowing(9, pelvis)) == pytest.approx([100, 100])  # does not count


def test_a_mirrored_person_of_mpii() -> None:
    points = np.column_stack([np.arange(16.0), np.zeros(16), np.ones(16)]).astype(np.float32)
    _, found = mirror(np.zeros((4, 20, 3), np.uint8), points, MPII_16)
    left, right = (MPII_16.keypoints.index(f"{side}_knee") for side in ("left", "right"))
    assert found[left, 0] == 19 - right
    assert found[MPII_16.keypoints.index("pelvis"), 0] == 19 - 6


@pytest.mark.parametrize("skeleton", [MPII_16, LSP_14])
def test_half_bodies_of_any_skeleton(mpii_root: Path, skeleton: Any) -> None:
    """Crops around a half show its joints larger than crops of the whole."""
    sample = load_mpii(mpii_root, "train", skeleton)[0]
    still = {"flip": 0.0, "rotation": 0.0, "scale": (1.0, 1.0), "shift": 0.0}
    config = AugmentConfig(**still, half_body=1.0, colour=0, blur=0, cut_out=0)  # type: ignore[arg-type]
    seen = []
    for seed in range(8):
        _, points = augmented_crop(sample, (64, 64), np.random.default_rng(seed), config, skeleton)
        seen.append({n for n, p in zip(skeleton.keypoints, points, strict=True) if p[2] > 0})
    assert any("head_top" in names and "left_ankle" not in names for names in seen)
    assert any("left_ankle" in names and "head_top" not in names for names in seen)


def test_sets_meet_in_the_skeleton_that_is_asked_for(
    tmp_path: Path, mpii_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 1)
    coco = write_coco(tmp_path / "coco", "train2017", [{}])
    lsp = write_lspet(tmp_path / "lspet", lsp_people(3))
    config = StillsConfig(mpii=mpii_root, coco=coco, lspet=lsp, coco_repeats=1)
    samples = training_samples(config, MPII_16)
    assert [len(s.keypoints) for s in samples] == [16] * (2 + 1 + 6)
    of_lsp, of_coco, of_mpii = samples[0], samples[2], samples[3]
    assert (of_lsp.keypoints[:, 2] == 1).all()
    known = map_keypoints(standing_person(), COCO_17, MPII_16)[:, 2] > 0
    assert (of_coco.keypoints[:, 2] > 0).tolist() == known.tolist()
    assert of_mpii.keypoints[:, 2].all()
    as_coco = training_samples(config)
    assert as_coco[3].keypoints[0, 2] == 0  # MPII has no nose
    assert len({sample.key for sample in samples}) == len(samples)


@pytest.mark.parametrize(
    ("sets", "skeleton", "said"),
    [
        (["coco"], "mpii16", "labels upper_neck, head_top of skeleton mpii16"),
        (["mpii"], "penn13", None),
        (["coco"], "penn13", None),
    ],
)
def test_joints_that_nothing_teaches_are_refused(
    tmp_path: Path, mpii_root: Path, sets: list[str], skeleton: str, said: str | None
) -> None:
    roots = {"mpii": mpii_root, "coco": write_coco(tmp_path, "train2017", [{}])}
    config = StillsConfig.model_validate({name: roots[name] for name in sets})
    if said is None:
        assert training_samples(config, SKELETONS[skeleton])
        return
    with pytest.raises(DataError, match=said):
        training_samples(config, SKELETONS[skeleton])


def test_kept_out_people_are_those_of_the_validation_splits(
    tmp_path: Path, mpii_root: Path
) -> None:
    coco = write_coco(write_coco(tmp_path, "train2017", [{}]), "val2017", [{}, {}])
    data = StillsConfig(coco=coco, mpii=mpii_root)
    found = KeptOut.open(data, COCO_17)
    assert [sample.image.parent.name for sample in found.stills] == ["val2017"] * 2
    assert len(found.mpii) == 3
    assert KeptOut.open(StillsConfig(), COCO_17).people(data, COCO_17) == []
    alone = StillsConfig(mpii=mpii_root)
    assert len(KeptOut.open(alone, MPII_16).people(alone, MPII_16)) == 3


def test_a_checkpoint_of_mpii_becomes_a_bundle_of_16_joints(
    tmp_path: Path, mpii_root: Path
) -> None:
    torch.manual_seed(0)
    recipe = _recipe(TASKS["fasterpose"], {"mpii": str(mpii_root)})
    training = build_training(recipe)
    with torch.no_grad():
        for (
            parameter
        ) in training.task.parameters():  # clear peaks, so that rounding decides nothing
            if parameter.ndim > 1 and parameter.std() < 0.005:
                torch.nn.init.normal_(parameter, std=1.0)
    train(training, recipe, tmp_path)
    out = tmp_path / "mpii.vidpose"
    export_checkpoint(tmp_path / "last.pt", out)
    bundle = read_bundle(out)
    assert bundle.skeleton == MPII_16
    assert "16 keypoints (mpii16)" in bundle.card
    assert "500 people at most of MPII val" in bundle.card
    assert {"frame_pck@0.2", "frame_calibration_error"} <= bundle.metrics.keys()
