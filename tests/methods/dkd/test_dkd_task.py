"""The DKD task: what is frozen, what is saved, and that the network lives on its own maps."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from clip_folders import write_jhmdb, write_jhmdb_labels, write_jhmdb_video, write_splits
from stills_folders import lsp_people, write_lspet
from trainings import batch_of, loss_of
from vidpose.data.datasets import lspet
from vidpose.data.loaders.still_clips import StillClips
from vidpose.data.loaders.stills import StillsConfig
from vidpose.data.loaders.video_clips import VideoClips
from vidpose.errors import DataError
from vidpose.export.memory import dkd_lite_model
from vidpose.methods.clips.run import run_clip
from vidpose.methods.clips.task import ClipTask
from vidpose.methods.dkd import recorded_maps
from vidpose.methods.dkd import task as dkd_task
from vidpose.methods.dkd.light import SMALL
from vidpose.methods.dkd.pooled import PooledDistillator, StaticKernels
from vidpose.methods.dkd.task import DKDConfig
from vidpose.methods.per_frame.map_teachers import TeacherMaps
from vidpose.nn.checkpoint import load_checkpoint, save_checkpoint
from vidpose.nn.movenet import PoseNet
from vidpose.nn.pixels import normalise
from vidpose.training.clips import dkd_training
from vidpose.training.loop import train
from vidpose.training.recipe import Recipe
from vidpose.training.task import Training

FRAMES = 3
TRAINED = {"kind": "pose", "movenet": "lightning.onnx", "sigma": 1.0, "data": {}}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> DKDConfig:
    """Untrained per-frame networks and five labelled images."""
    root = tmp_path_factory.mktemp("dkd")
    torch.manual_seed(0)
    for name, size in (("initializer", [256, 192]), ("encoder", [160, 120])):
        (root / name).mkdir()
        network = PoseNet().eval()
        with torch.no_grad():  # maps with peaks, as trained networks have them
            maps = network(torch.rand(1, 3, 64, 64) * 2 - 1)
            network.classifier.weight *= 8 / maps.std((2, 3)).mean()
        weights = {f"network.{key}": value for key, value in network.state_dict().items()}
        recipe = {"task": {**TRAINED, "size": size}}
        save_checkpoint(root / name, {"step": 1, "recipe": recipe, "averaged": weights})
    write_lspet(root / "lspet", lsp_people(5))
    return DKDConfig(
        kind="dkd",
        initializer=root / "initializer",
        encoder=root / "encoder",
        frames=FRAMES,
        sigma=1.0,
        cache=root / "cache",
        data=StillsConfig(lspet=root / "lspet"),
    )


@pytest.fixture(scope="module")
def training(config: DKDConfig) -> Training:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lspet, "KEPT_OUT", 2)
        return dkd_training(config, seed=0)


@pytest.fixture(scope="module")
def task(training: Training) -> ClipTask:
    assert isinstance(training.task, ClipTask)
    return training.task


@pytest.fixture(scope="module")
def batch(training: Training) -> dict[str, Tensor]:
    return batch_of(training.data, 2)


def test_items_are_clips(batch: dict[str, Tensor]) -> None:
    assert batch["images"].shape == (2, FRAMES, 3, 256, 192)
    assert batch["images"].dtype == torch.uint8
    assert batch["keypoints"].shape == (2, FRAMES, 17, 3)


def test_clip_i_depends_on_i_alone(training: Training, batch: dict[str, Tensor]) -> None:
    again = training.data[1]
    assert all(torch.equal(again[key], batch[key][1]) for key in again)
    assert not torch.equal(batch["images"][0], batch["images"][1])


def test_the_initializer_is_frozen_and_not_saved(
    training: Training, task: ClipTask, tmp_path: Path
) -> None:
    """And start weights return to the average (`start_share`), those of the initializer too."""
    frozen = {k: v.clone() for k, v in task.network.initializer.state_dict().items()}
    copied = Training(copy.deepcopy(training.task), training.data, lambda _: {})
    recipe = _recipe(steps=1, start_share=0.5)
    state = load_checkpoint(train(copied, recipe, tmp_path))
    names = {*state["task"], *state["averaged"]}
    assert not [name for name in names if "initializer" in name]
    assert {n for n, p in task.named_parameters() if p.requires_grad} <= names
    after = copied.task.network.initializer.state_dict()
    assert all(torch.equal(after[name], value) for name, value in frozen.items())
    encoder = "network.encoder.backbone.stem.0.weight"
    start, end = task.state_dict()[encoder], state["task"][encoder]
    torch.testing.assert_close(state["averaged"][encoder], (start + end) / 2)
    # what was saved without its initializer goes on with it
    again = Training(copy.deepcopy(training.task), training.data, lambda _: {})
    train(again, _recipe(steps=2), tmp_path)
    assert load_checkpoint(tmp_path)["step"] == 2


def _recipe(**changes: Any) -> Recipe:
    task = {"kind": "dkd", "initializer": "x", "encoder": "x", "frames": 2, "sigma": 1}
    values = {"name": "x", "batch_size": 2, "learning_rate": 1e-3, "workers": 0, "warmup_steps": 0}
    section = {**task, "cache": "x", "data": {}}
    return Recipe.model_validate({**values, **changes, "task": section})


def test_the_norms_keep_their_statistics(task: ClipTask, batch: dict[str, Tensor]) -> None:
    before = {n: b.clone() for n, b in task.named_buffers() if "running" in n}
    assert before
    task.train().loss(batch)
    assert all(torch.equal(b, before[n]) for n, b in task.named_buffers() if n in before)


def _figures(task: ClipTask, batch: dict[str, Tensor]) -> dict[str, float]:
    task.eval()
    with torch.no_grad():
        return loss_of(task, batch)[1]


@pytest.fixture
def remembering(task: ClipTask) -> ClipTask:
    """With a distillator that uses the maps; untrained, its kernels are the static ones."""
    assert isinstance(task.network.distillator, PooledDistillator)
    torch.manual_seed(1)
    nn.init.normal_(task.network.distillator.gain)
    return task


def test_a_step_works_on_the_maps_of_the_step_before(
    remembering: ClipTask, batch: dict[str, Tensor]
) -> None:
    """Another picture in frame 1 changes what is found in frame 2; the true pose does not."""
    plain = _figures(remembering, batch)
    pictures = batch["images"].clone()
    pictures[:, 1] = 255 - pictures[:, 1]
    assert _figures(remembering, {**batch, "images": pictures})["loss_last_frame"] != pytest.approx(
        plain["loss_last_frame"], rel=1e-4
    )
    told = batch["keypoints"].clone()
    told[:, :2, :, :2] += 17
    other = _figures(remembering, {**batch, "keypoints": told})
    assert other["loss_last_frame"] == plain["loss_last_frame"]
    assert other["loss_first_frame"] != plain["loss_first_frame"]


def test_the_first_step_works_on_the_initializer_s_maps(
    remembering: ClipTask, batch: dict[str, Tensor]
) -> None:
    plain = _figures(remembering, batch)
    pictures = batch["images"].clone()
    pictures[:, 0] = 255 - pictures[:, 0]
    changed = _figures(remembering, {**batch, "images": pictures})
    assert changed["loss_first_frame"] != pytest.approx(plain["loss_first_frame"], rel=1e-4)


def test_gradients_reach_what_is_trained_and_nothing_else(
    remembering: ClipTask, batch: dict[str, Tensor]
) -> None:
    remembering.train()
    remembering.zero_grad()
    remembering.loss(batch)[0].backward()
    network = remembering.network
    assert all(p.grad is None for p in network.initializer.parameters())
    assert all(p.grad is not None for p in network.encoder.parameters())
    distillator = network.distillator
    assert isinstance(distillator, PooledDistillator)
    for part in (distillator.static, distillator.gain, distillator.update.weight):
        assert part.grad is not None
        assert part.grad.any()


def test_the_initializer_s_maps_are_a_target_too(
    task: ClipTask, batch: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    task.eval()
    plain, _ = loss_of(task, batch)
    monkeypatch.setattr(task, "teacher_weight", 0.5)
    loss, figures = loss_of(task, batch)
    assert figures["loss_teacher"] > 0
    assert loss.item() == pytest.approx(plain.item() + 0.5 * figures["loss_teacher"])
    loss.backward()
    assert all(p.grad is None for p in task.network.initializer.parameters())


def test_labels_far_from_a_sure_teacher_count_less(
    task: ClipTask, batch: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a teacher that is sure of the top left cell, whose centre is pixel (2.7, 2.7)."""

    def sure(images: Tensor, sources: Tensor | None) -> TeacherMaps:
        assert sources is not None
        assert sources.tolist() == [0] * len(images)  # lspet
        maps = torch.zeros(len(images), 17, 64, 48)
        maps[..., 0, 0] = 1
        return TeacherMaps(maps, torch.ones(len(images), 17))

    monkeypatch.setattr(task, "teacher", sure)
    monkeypatch.setattr(task, "teacher_weight", 1e-9)
    task.eval()
    near = {**batch, "keypoints": torch.tensor([2.7, 2.7, 1.0]).expand(2, FRAMES, 17, 3)}
    mixed = {**near, "keypoints": near["keypoints"].clone()}
    mixed["keypoints"][:, :, 1:, :2] += 150
    monkeypatch.setattr(task, "label_distance", 1.0)
    alone = {**near, "keypoints": mixed["keypoints"].clone()}
    alone["keypoints"][:, :, 1:, 2] = 0
    weighed = loss_of(task, mixed)[0].item()
    monkeypatch.setattr(task, "label_distance", None)
    assert weighed == pytest.approx(loss_of(task, alone)[0].item(), rel=0.05)
    assert weighed < loss_of(task, mixed)[0].item()


@pytest.fixture
def recorded(config: DKDConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DKDConfig:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    changes = {"recorded": 2, "cache": tmp_path / "kept", "teacher_weight": 1.0}
    return config.model_copy(update=changes)


def test_recorded_clips_train_as_those_made_anew(recorded: DKDConfig) -> None:
    """Maps and losses of a clip are the same, but for the rounding of what is kept."""
    training = dkd_training(recorded, seed=0)
    task = training.task.eval()
    made = dkd_training(recorded.model_copy(update={"recorded": None}), seed=0).data
    plain, batch = batch_of(made, 2), batch_of(training.data._clips, 2)  # type: ignore[attr-defined]
    order = [int((plain["keypoints"] == k).flatten(1).all(1).nonzero()) for k in batch["keypoints"]]
    plain = {key: value[order] for key, value in plain.items()}
    assert batch["images"].shape == (2, FRAMES, 3, 160, 120)
    with torch.no_grad():
        kept = run_clip(task.network, normalise(batch["images"]), batch["maps"])
        anew = run_clip(task.network, normalise(plain["images"]))
        for one, two in zip(kept.frames[1:], anew.frames[1:], strict=True):
            torch.testing.assert_close(one, two, atol=0.05 * float(two.std()), rtol=0.05)
        losses = [loss_of(task, b)[1] for b in (batch, plain)]
    for name, value in losses[0].items():
        assert value == pytest.approx(losses[1][name], rel=0.02)


def test_recorded_clips_are_read_again(
    recorded: DKDConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a file was only touched or read, too."""
    touched = recorded.model_copy(update={"teacher": recorded.initializer})
    first = dkd_training(touched, seed=0).data[0]
    os.utime(recorded.initializer / "last.pt", (1, 1))
    monkeypatch.setattr(recorded_maps.ClipsWithMaps, "__getitem__", None)
    again = dkd_training(touched, seed=0).data[0]
    assert torch.equal(first["images"], again["images"])


def test_other_steps_have_recorded_clips_of_their_own(
    recorded: DKDConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    dkd_training(recorded, seed=0)
    monkeypatch.setattr(
        dkd_task,
        "trained_size",
        lambda path: SMALL.step if path == recorded.encoder else SMALL.initializer,
    )
    other = dkd_training(recorded.model_copy(update={"step_size": SMALL.step}), seed=0)
    assert other.data[0]["images"].shape == (FRAMES, 3, *SMALL.step)


def test_networks_of_other_sizes_are_refused(
    config: DKDConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    other = config.model_copy(update={"step_size": (128, 96)})
    with pytest.raises(DataError, match=r"encoder: was trained on crops of 160x120"):
        dkd_training(other, seed=0)


def test_a_teacher_of_other_crops_or_joints_is_refused(
    config: DKDConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    other = config.model_copy(update={"teacher": config.encoder})
    with pytest.raises(DataError, match=r"crops of 256x192, and it was trained on 160x120"):
        dkd_training(other, seed=0)
    state = load_checkpoint(config.initializer)
    state["recipe"]["task"]["skeleton"] = "mpii16"
    save_checkpoint(tmp_path, state)
    with pytest.raises(DataError, match="has the joints of mpii16, not coco17"):
        dkd_training(config.model_copy(update={"teacher": tmp_path}), seed=0)


def test_static_kernels_have_no_memory(
    config: DKDConfig, batch: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another first frame changes nothing later; and the network can be read for an export."""
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    static = config.model_copy(update={"kernels": "static"})
    task = dkd_training(static, seed=0).task.eval()
    assert isinstance(task, ClipTask)
    with torch.no_grad():
        plain = run_clip(task.network, normalise(batch["images"])).frames
        pictures = batch["images"].clone()
        pictures[:, 0] = 255 - pictures[:, 0]
        other = run_clip(task.network, normalise(pictures)).frames
    assert not torch.equal(plain[0], other[0])
    assert all(torch.equal(one, two) for one, two in zip(plain[1:], other[1:], strict=True))
    state = {"averaged": {k: v for k, v in task.state_dict().items() if "initializer" not in k}}
    assert isinstance(dkd_lite_model(state, static).network.distillator, StaticKernels)


def test_it_starts_from_a_run(
    config: DKDConfig, task: ClipTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    section = config.model_dump(mode="json")
    averaged = {k: v + 1 for k, v in task.state_dict().items() if "initializer" not in k}
    save_checkpoint(tmp_path, {"step": 1, "recipe": {"task": section}, "averaged": averaged})
    going_on = DKDConfig.model_validate({**section, "encoder": None, "start": tmp_path})
    found = dkd_training(going_on, seed=0).task.state_dict()
    assert all(torch.equal(found[name], value) for name, value in averaged.items())
    other = {**section, "encoder": None, "start": tmp_path, "step_size": [64, 48]}
    with pytest.raises(DataError, match="its step sees crops of 160x120, the recipe has 64x48"):
        dkd_training(DKDConfig.model_validate(other), seed=0)
    with pytest.raises(DataError, match="not a checkpoint of a recipe with `kind: dkd`"):
        dkd_training(going_on.model_copy(update={"start": config.initializer}), seed=0)
    with pytest.raises(ValidationError, match="give one of encoder"):
        DKDConfig.model_validate({**section, "start": tmp_path})


def test_labelled_test_clips_of_real_video_are_measured(
    config: DKDConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By themselves, and never learnt from; clips without labels or too short are passed over."""
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    names = {"learnt": (1, 16), "measured": (2, 16), "short": (2, 9), "masked": (2, 16)}
    for name, (_, frames) in names.items():
        write_jhmdb(tmp_path, "catch", name, frames, images=False)
        write_jhmdb_video(tmp_path, name, frames)
    (tmp_path / "joint_positions/catch/masked/joint_positions.mat").unlink()
    joints = np.random.default_rng(0).uniform(35, 80, (2, 15, 16))
    write_jhmdb_labels(tmp_path, "catch", "measured", joints)
    write_splits(tmp_path, {name: (part,) * 3 for name, (part, _) in names.items()})
    read: list[str] = []
    real = VideoClips.__init__

    def noted(self: VideoClips, clips: Any, *rest: Any, **more: Any) -> None:
        read.extend(clip.name for clip in clips)
        real(self, clips, *rest, **more)

    monkeypatch.setattr(VideoClips, "__init__", noted)
    video = {"jhmdb": tmp_path, "share": 1.0}
    section = {**config.model_dump(), "video": video, "teacher_weight": 1, "data": config.data}
    training = dkd_training(DKDConfig.model_validate(section), seed=0)
    scores = training.evaluate(training.task.network.eval())
    assert read == ["measured"]
    for name in ("initializer", "step"):
        for figure in ("pck@0.2", "pck@0.1", "acceleration_error"):
            assert scores[f"jhmdb/{name}/{figure}"] >= 0
        assert f"{name}/acceleration_error" not in scores  # three frames have none to speak of
    assert {item.clip.name for item in training.data._sets[1]._clips} == {"learnt"}  # type: ignore[attr-defined]


def test_mixtures_without_a_voice_are_refused(config: DKDConfig) -> None:
    section = config.model_dump(mode="json")
    one = {"weights": "x.onnx", "share": 0.5, "shares": {"lspet": 0}}
    with pytest.raises(ValidationError, match="the shares on lspet add up to 0"):
        DKDConfig.model_validate({**section, "mixture": [one], "teacher_weight": 1})
    fair = {**one, "shares": {}}
    with pytest.raises(ValidationError, match="mixture: it is idle"):
        DKDConfig.model_validate({**section, "mixture": [fair]})
    with pytest.raises(ValidationError, match="give one of teacher"):
        DKDConfig.model_validate(
            {**section, "mixture": [fair], "teacher": "y", "teacher_weight": 1}
        )
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        DKDConfig.model_validate({**section, "mixture": [{**one, "share": 2}]})


def test_evaluation_measures_both_networks_on_kept_out_images(training: Training) -> None:
    network = training.task.network.eval()
    scores = training.evaluate(network)
    assert set(scores) == {
        f"{name}/pck@{threshold}" for name in ("initializer", "step") for threshold in (0.2, 0.1)
    }
    assert all(0 <= value <= 100 for value in scores.values())
    assert training.evaluate(network) == scores  # the same clips every time


def test_a_missing_first_part_is_named(
    config: DKDConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    missing = config.model_copy(update={"initializer": tmp_path / "nowhere"})
    with pytest.raises(DataError, match="nowhere"):
        dkd_training(missing, seed=0)


def test_kept_out_images_give_no_training_clips(
    training: Training, config: DKDConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    assert config.data.lspet is not None
    assert isinstance(training.data, StillClips)
    names = {sample.image.name for sample in training.data._samples}
    assert len(names) == 3
    assert not names & lspet.kept_out_names(config.data.lspet)
