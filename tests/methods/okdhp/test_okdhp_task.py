"""OKDHP's losses and task: who teaches whom, when, and which branch is kept."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stills_folders import lsp_people, write_lspet
from trainings import batch_of, loss_of
from vidpose.data.datasets import lspet
from vidpose.data.loaders.stills import StillsConfig, training_samples
from vidpose.data.samples import Sample
from vidpose.errors import DataError
from vidpose.methods.okdhp.loss import (
    contrast_loss,
    fusion_loss,
    hard_loss,
    map_divergence,
    official_kd_loss,
    ramp_up,
    sharp_kd_loss,
)
from vidpose.methods.okdhp.model import BranchOutputs
from vidpose.methods.okdhp.task import (
    HourglassSection,
    LightSection,
    OKDHPConfig,
    PersonStills,
    validation_split,
)
from vidpose.methods.per_frame.students import read_network
from vidpose.methods.per_frame.task import BackboneSection
from vidpose.nn.hourglass import Branched
from vidpose.nn.movenet import PoseNet
from vidpose.nn.movenet_weights import load_movenet_pose
from vidpose.training import frames, validation
from vidpose.training.frames import frame_training
from vidpose.training.heatmaps import gaussian_heatmaps, weighted_mse
from vidpose.training.task import Training


def _outputs(people: int = 2, keypoints: int = 3) -> BranchOutputs:
    """Random maps of a trunk with one stack and branches with one and with two."""
    generator = torch.Generator().manual_seed(0)

    def maps() -> Tensor:
        return torch.rand(people, keypoints, 6, 5, generator=generator).requires_grad_()

    branches = (Branched(maps(), (maps(),)), Branched(maps(), (maps(), maps())))
    return BranchOutputs((maps(),), branches, maps())


def test_divergence_by_hand() -> None:
    """Two cells: target (0.75, 0.25), found (0.5, 0.5), at a temperature of 2."""
    target, maps = torch.tensor([[[[2 * math.log(3), 0.0]]]]), torch.zeros(1, 1, 1, 2)
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert map_divergence(target, maps, 2.0).item() == pytest.approx(expected, rel=1e-5)
    assert map_divergence(target, target, 2.0).item() == pytest.approx(0, abs=1e-7)


def test_labels_teach_every_output() -> None:
    outputs, target = _outputs(), torch.zeros(2, 3, 6, 5)
    loss = hard_loss(outputs, target, torch.ones(2, 3))
    maps = [*outputs.shared, *(m for b in outputs.branches for m in b.maps)]
    expected = sum(0.5 * m.square().mean().item() for m in maps)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert all(m.grad is not None and m.grad.any() for m in maps)


def test_the_sharp_target_is_fixed_and_the_official_one_is_not() -> None:
    outputs = _outputs()
    sharp_kd_loss(outputs, torch.ones(2, 3), 0.1).backward()
    assert outputs.ensemble.grad is None
    assert all(m.grad is not None and m.grad.any() for b in outputs.branches for m in b.maps)
    assert outputs.shared[0].grad is None
    outputs = _outputs()
    official_kd_loss(outputs).backward()
    assert outputs.ensemble.grad is not None
    assert outputs.ensemble.grad.any()


def test_the_official_loss_by_its_formula() -> None:
    outputs = _outputs()
    target = outputs.ensemble.flatten(2).softmax(2)
    total = 0.0
    for m in (m for b in outputs.branches for m in b.maps):
        found = m.flatten(2).softmax(2)
        total += (target * (target / found).log()).sum().item()
    assert official_kd_loss(outputs).item() == pytest.approx(total / (2 * 6 * 5), rel=1e-4)


def _gradient(loss: Tensor, maps: Tensor) -> float:
    (gradient,) = torch.autograd.grad(loss, maps)
    return float(gradient.norm())


def test_the_official_signal_is_nearly_nil() -> None:
    """Beside the labels' gradient, on maps of a half-trained network: why `sharp` is the default.

    Published weight 2; ours 0.05.
    """
    generator = torch.Generator().manual_seed(0)
    keypoints = torch.rand(4, 17, 2, generator=generator) * torch.tensor([150.0, 200.0]) + 20
    noise = torch.randn(3, 4, 17, 64, 48, generator=generator) * 0.02
    shift = torch.randn(2, 4, 17, 2, generator=generator) * 4
    target = gaussian_heatmaps(keypoints, (64, 48), 4, 2.0)
    maps = (0.6 * gaussian_heatmaps(keypoints + shift[0], (64, 48), 4, 2.2) + noise[0]).detach()
    maps.requires_grad_()
    ensemble = 0.7 * gaussian_heatmaps(keypoints + 0.7 * shift[1], (64, 48), 4, 2.2) + noise[1]
    outputs = BranchOutputs((), (Branched(maps, (maps,)),), ensemble)
    weight = torch.ones(4, 17)
    hard = _gradient(weighted_mse(maps, target, weight), maps)
    assert 2.0 * _gradient(official_kd_loss(outputs), maps) < 0.02 * hard
    assert 0.05 * _gradient(sharp_kd_loss(outputs, weight, 0.1), maps) > 0.1 * hard


def test_fusion_teaches_both_ways() -> None:
    outputs = _outputs()
    fusion_loss(outputs, torch.ones(2, 3), 0.1).backward()
    assert outputs.ensemble.grad is not None
    assert outputs.ensemble.grad.any()
    for branch in outputs.branches:
        assert branch.maps[-1].grad is not None
        assert branch.maps[-1].grad.any()
    assert outputs.branches[1].maps[0].grad is None  # only answers are fused


def test_the_ramp() -> None:
    assert ramp_up(0, 90) == pytest.approx(math.exp(-5))
    assert ramp_up(45, 90) == pytest.approx(math.exp(-1.25))
    assert ramp_up(90, 90) == ramp_up(1000, 90) == 1
    assert ramp_up(0, 0) == 1


def test_contrast_by_hand() -> None:
    """Two people, two branches, embeddings at right angles: each term ln(1 + exp(-1 / T))."""
    embedding = torch.eye(2)
    loss = contrast_loss([embedding, embedding], torch.tensor([0, 1]), 0.5)
    assert loss.item() == pytest.approx(2 * math.log(1 + math.exp(-2)), rel=1e-5)


def test_other_crops_of_the_same_person_are_no_negatives() -> None:
    torch.manual_seed(0)
    one, two = (torch.nn.functional.normalize(torch.randn(4, 8), dim=1) for _ in range(2))
    people = torch.tensor([0, 1, 0, 2])
    loss = contrast_loss([one, two], people, 0.1).item()
    similarity = (one @ two.T / 0.1).numpy()
    terms = []
    for a, b in ((similarity, people), (similarity.T, people)):
        rows = [
            np.log(sum(np.exp(a[i, j]) for j in range(4) if j == i or b[i] != b[j])) - a[i, i]
            for i in range(4)
        ]
        terms.append(np.mean(rows))
    assert loss == pytest.approx(sum(terms), rel=1e-4)
    assert contrast_loss([one[:1], two[:1]], people[:1], 0.1).item() == pytest.approx(0, abs=1e-6)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> StillsConfig:
    return StillsConfig(lspet=write_lspet(tmp_path_factory.mktemp("lspet"), lsp_people(12)))


SMALL = HourglassSection(shared=1, branches=(1, 2), channels=8, depth=1)
LIGHT = LightSection(backbone=BackboneSection(name="test_efficientnet"), width=8)
PYRAMID = LightSection(backbone=BackboneSection(name="movenet"), width=8)


def _config(data: StillsConfig, **changes: Any) -> OKDHPConfig:
    values: dict[str, Any] = {"network": SMALL, "size": (32, 32), "ramp_steps": 4, **changes}
    return OKDHPConfig(kind="okdhp", sigma=1.0, data=data, **values)


def _training(data: StillsConfig, **changes: Any) -> Training:
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lspet, "KEPT_OUT", 2)
        return frame_training(_config(data, **changes), seed=0)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aggregation": "fau-paper"},
        {"aggregation": "ffl"},
        {"contrast": 0.025},
        {"mode": "official", "distillation": 2.0},
        {"network": LIGHT, "size": (64, 64)},
        {"network": PYRAMID, "size": (64, 64)},
        {"network": LIGHT, "size": (64, 64), "aggregation": "ffl", "contrast": 0.025},
    ],
    ids=lambda changes: "-".join(map(str, changes)) or "default",
)
@pytest.mark.parametrize("people", [1, 3])
def test_every_option_trains_everything(
    data: StillsConfig, changes: dict[str, Any], people: int
) -> None:
    training = _training(data, **changes)
    task = training.task.train()
    loss, figures = loss_of(task, batch_of(training.data, people))
    assert loss.isfinite()
    assert all(math.isfinite(value) for value in figures.values())
    loss.backward()
    idle = [name for name, p in task.named_parameters() if p.grad is None]
    assert idle == []


def test_the_pyramid_starts_from_movenet(data: StillsConfig, shared_models: Path) -> None:
    path = shared_models / "movenet_lightning.onnx"
    whole = PoseNet()
    load_movenet_pose(whole, path)
    started = {"name": "movenet", "movenet": path}
    network = LightSection(backbone=BackboneSection(**started), width=8)
    trunk = _training(data, network=network, size=(64, 64)).task.network.trunk
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        given, expected = trunk.eval()(images).features, whole.encoder.eval()(images)
    torch.testing.assert_close(given, expected, rtol=1e-3, atol=1e-3)
    network = LightSection(backbone=BackboneSection(**started, weights=path), width=8)
    with pytest.raises(DataError, match="movenet starts from `movenet`, not from timm's"):
        _training(data, network=network, size=(64, 64))


def test_the_ramp_follows_the_steps(data: StillsConfig) -> None:
    training = _training(data, ramp_steps=4)
    task, batch = training.task.train(), batch_of(training.data, 2)
    early, late = (loss_of(task, batch, step)[1] for step in (0, 3))
    losses = [loss_of(task, batch, step)[0].item() for step in (0, 3)]
    assert early["loss_distillation"] == pytest.approx(late["loss_distillation"], rel=1e-4)
    grown = (ramp_up(4, 4) - ramp_up(1, 4)) * 0.05 * early["loss_distillation"]
    assert losses[1] - losses[0] == pytest.approx(grown, rel=1e-2)


def test_the_best_branch_of_the_validation_split_is_kept(
    data: StillsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    training = _training(data)
    network = training.task.network.eval()
    seen: list[list[str]] = []
    answers = iter([40.0, 70.0, 55.0])

    def score(_: Any, samples: list[Sample], *__: Any) -> dict[str, float]:
        seen.append([sample.key for sample in samples])
        return {"pck@0.2": 0.0, "pck@0.1": next(answers)}

    monkeypatch.setattr(frames, "stills_pck", score)
    monkeypatch.setattr(validation, "stills_pck", score)
    scores = training.evaluate(network)
    assert scores == {
        "branch_0/pck@0.1": 40.0,
        "branch_1/pck@0.1": 70.0,
        "pck@0.2": 0.0,
        "pck@0.1": 55.0,
    }
    assert network.state_dict()["chosen"].item() == 1
    assert data.lspet is not None
    kept_out = lspet.kept_out_names(data.lspet)
    assert seen[0] == seen[1]
    assert not {key.split("/")[1] for key in seen[0]} & kept_out  # not chosen on the test set
    assert {key.split("/")[1] for key in seen[2]} == kept_out
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(
            read_network(network, _config(data)).network(image), network.answers(image)[1]
        )


def _sample(key: str) -> Sample:
    return Sample(Path("x.jpg"), (0.0, 0.0, 1.0, 1.0), np.zeros((17, 3), np.float32), key)


def test_no_image_is_in_both_parts_of_the_split() -> None:
    people = [_sample(f"set/{image}.jpg/{n}") for image in range(20) for n in range(2)] * 3
    training, validation = validation_split(people)
    keys = {s.key for s in validation}
    assert len(validation) == len(keys) == 8  # a fifth of the images, each person once
    assert not {k.rpartition("/")[0] for k in keys} & {s.key.rpartition("/")[0] for s in training}
    assert len(training) == 16 * 2 * 3
    reversed_order = {s.key for s in validation_split(people[::-1])[1]}
    assert reversed_order == keys  # order decides nothing
    with pytest.raises(DataError, match="too few"):
        validation_split(people[:4])


def test_crops_of_one_person_have_one_number(data: StillsConfig) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lspet, "KEPT_OUT", 2)
        samples = training_samples(data)[:2] * 3  # repeated, as data sets may be
    stills = PersonStills(samples, (32, 32), 5)
    items = [stills[i] for i in range(12)]
    numbers = {int(item["person"]) for item in items}
    assert numbers == {0, 1}
    again = stills[7]
    assert all(torch.equal(again[key], items[7][key]) for key in again)


def test_the_released_code_has_no_ffl(data: StillsConfig) -> None:
    with pytest.raises(DataError, match="no ffl"):
        _training(data, mode="official", aggregation="ffl")
