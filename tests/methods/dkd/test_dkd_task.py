"""The DKD task: what is frozen, what is saved, and that the network lives on its own maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stills_folders import lsp_people, write_lspet
from vidpose.data.datasets import lspet
from vidpose.data.loaders.stills import StillsConfig
from vidpose.errors import DataError
from vidpose.methods.dkd.light import SMALL
from vidpose.methods.dkd.pooled import PooledDistillator
from vidpose.methods.dkd.task import DKDConfig, DKDTask
from vidpose.nn.checkpoint import save_checkpoint
from vidpose.nn.movenet import PoseNet

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
def task(config: DKDConfig) -> DKDTask:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lspet, "KEPT_OUT", 2)
        return DKDTask(config, seed=0)


@pytest.fixture(scope="module")
def batch(task: DKDTask) -> dict[str, Tensor]:
    dataset = task.dataset()
    items = [dataset[i] for i in range(2)]
    return {key: torch.stack([item[key] for item in items]) for key in items[0]}


def test_items_are_clips(batch: dict[str, Tensor]) -> None:
    assert batch["images"].shape == (2, FRAMES, 3, 256, 192)
    assert batch["images"].dtype == torch.uint8
    assert batch["keypoints"].shape == (2, FRAMES, 17, 3)


def test_clip_i_depends_on_i_alone(task: DKDTask, batch: dict[str, Tensor]) -> None:
    again = task.dataset()[1]
    assert all(torch.equal(again[key], batch[key][1]) for key in again)
    assert not torch.equal(batch["images"][0], batch["images"][1])


def test_the_initializer_is_frozen_and_not_saved(task: DKDTask) -> None:
    state = task.state_dict()
    assert not [name for name in state if "initializer" in name]
    trainable = [name for name, p in task.named_parameters() if p.requires_grad]
    assert not [name for name in trainable if "initializer" in name]
    assert set(trainable) <= set(state)
    task.train()
    assert task.network.encoder.training
    norms = [m for m in task.network.initializer.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)


def test_a_saved_state_is_loaded_without_its_initializer(task: DKDTask) -> None:
    state = {name: value.clone() for name, value in task.state_dict().items()}
    gain = "network.distillator.gain"
    frozen = {k: v.clone() for k, v in task.network.initializer.state_dict().items()}
    task.load_state_dict({**state, gain: state[gain] + 1})
    assert torch.equal(task.state_dict()[gain], state[gain] + 1)
    task.load_state_dict(state)
    after = task.network.initializer.state_dict()
    assert all(torch.equal(after[name], value) for name, value in frozen.items())
    with pytest.raises(RuntimeError, match=gain):
        task.load_state_dict({k: v for k, v in state.items() if k != gain})


def _figures(task: DKDTask, batch: dict[str, Tensor]) -> dict[str, float]:
    task.eval()
    with torch.no_grad():
        return task.loss(batch)[1]


@pytest.fixture
def remembering(task: DKDTask) -> DKDTask:
    """With a distillator that uses the maps; untrained, its kernels are the static ones."""
    assert isinstance(task.network.distillator, PooledDistillator)
    torch.manual_seed(1)
    nn.init.normal_(task.network.distillator.gain)
    return task


def test_a_step_works_on_the_maps_of_the_step_before(
    remembering: DKDTask, batch: dict[str, Tensor]
) -> None:
    """Another picture in frame 1 changes what is found in frame 2; the true pose does not."""
    plain = _figures(remembering, batch)
    pictures = batch["images"].clone()
    pictures[:, 1] = 255 - pictures[:, 1]
    assert _figures(remembering, {**batch, "images": pictures})["loss_last_step"] != pytest.approx(
        plain["loss_last_step"], rel=1e-4
    )
    told = batch["keypoints"].clone()
    told[:, :2, :, :2] += 17
    other = _figures(remembering, {**batch, "keypoints": told})
    assert other["loss_last_step"] == plain["loss_last_step"]
    assert other["loss_first_step"] != plain["loss_first_step"]


def test_the_first_step_works_on_the_initializer_s_maps(
    remembering: DKDTask, batch: dict[str, Tensor]
) -> None:
    plain = _figures(remembering, batch)
    pictures = batch["images"].clone()
    pictures[:, 0] = 255 - pictures[:, 0]
    changed = _figures(remembering, {**batch, "images": pictures})
    assert changed["loss_first_step"] != pytest.approx(plain["loss_first_step"], rel=1e-4)


def test_gradients_reach_what_is_trained_and_nothing_else(
    remembering: DKDTask, batch: dict[str, Tensor]
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
    task: DKDTask, batch: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    task.eval()
    plain, _ = task.loss(batch)
    monkeypatch.setattr(task, "config", task.config.model_copy(update={"teacher_weight": 0.5}))
    loss, figures = task.loss(batch)
    assert figures["loss_teacher"] > 0
    assert loss.item() == pytest.approx(plain.item() + 0.5 * figures["loss_teacher"])
    loss.backward()
    assert all(p.grad is None for p in task.network.initializer.parameters())


@pytest.fixture
def recorded(config: DKDConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DKDTask:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    changes = {"recorded": 2, "cache": tmp_path / "kept", "teacher_weight": 1.0}
    return DKDTask(config.model_copy(update=changes), seed=0)


def test_recorded_clips_train_as_those_made_anew(recorded: DKDTask) -> None:
    """Maps and losses of a clip are the same, but for the rounding of what is kept."""
    recorded.eval()
    kept, made = recorded.dataset(), _unrecorded(recorded)
    plain = {key: torch.stack([made[i][key] for i in range(2)]) for key in made[0]}
    kept_clips = kept._clips
    batch = {key: torch.stack([kept_clips[i][key] for i in range(2)]) for key in kept_clips[0]}
    order = [int((plain["keypoints"] == k).flatten(1).all(1).nonzero()) for k in batch["keypoints"]]
    plain = {key: value[order] for key, value in plain.items()}
    assert batch["images"].shape == (2, FRAMES, 3, 160, 120)
    with torch.no_grad():
        for one, two in zip(recorded._maps(batch), recorded._maps(plain), strict=True):
            torch.testing.assert_close(one, two, atol=0.05 * float(two.std()), rtol=0.05)
        losses = [recorded.loss(b)[1] for b in (batch, plain)]
    for name, value in losses[0].items():
        assert value == pytest.approx(losses[1][name], rel=0.02)


def _unrecorded(task: DKDTask) -> Any:
    return DKDTask(task.config.model_copy(update={"recorded": None}), seed=0).dataset()


def test_recorded_clips_are_read_again(recorded: DKDTask, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.dataset()

    def refuse(*_: object) -> Tensor:
        raise AssertionError("looked again")

    monkeypatch.setattr(recorded, "_look", refuse)
    first = recorded.dataset()[0]
    assert torch.equal(first["images"], recorded.dataset()[0]["images"])


def test_other_steps_have_recorded_clips_of_their_own(
    recorded: DKDTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.dataset()
    monkeypatch.setattr(recorded, "sizes", SMALL)
    assert recorded.dataset()[0]["images"].shape == (FRAMES, 3, *SMALL.step)


def test_networks_of_other_sizes_are_refused(
    config: DKDConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    other = config.model_copy(update={"step_size": (128, 96)})
    with pytest.raises(DataError, match=r"encoder: was trained on crops of 160x120"):
        DKDTask(other, seed=0)


def test_evaluation_measures_both_networks_on_kept_out_images(
    task: DKDTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    task.eval()
    scores = task.evaluate()
    assert set(scores) == {
        f"{name}/pck@{threshold}" for name in ("initializer", "step") for threshold in (0.2, 0.1)
    }
    assert all(0 <= value <= 100 for value in scores.values())
    assert task.evaluate() == scores  # the same clips every time


def test_a_missing_first_part_is_named(
    config: DKDConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    missing = config.model_copy(update={"initializer": tmp_path / "nowhere"})
    with pytest.raises(DataError, match="nowhere"):
        DKDTask(missing, seed=0)


def test_kept_out_images_give_no_training_clips(
    task: DKDTask, config: DKDConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    assert config.data.lspet is not None
    kept_out = lspet.kept_out_names(config.data.lspet)
    names = {sample.image.name for sample in task._samples}
    assert len(names) == 3
    assert not names & kept_out
    assert np.isfinite([s.box for s in task._samples]).all()
