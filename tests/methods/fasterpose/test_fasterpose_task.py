"""FasterPose's loss, and its task."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stills_folders import lsp_people, write_lspet
from trainings import batch_of
from vidpose.data.datasets import lspet
from vidpose.data.loaders.stills import StillsConfig
from vidpose.errors import RecipeError
from vidpose.inference.decode import decode_maps, map_to_crop
from vidpose.methods.fasterpose.task import (
    FasterPoseConfig,
    HeatmapLoss,
    heatmap_loss,
    soft_target_cross_entropy,
)
from vidpose.methods.per_frame.students import read_network
from vidpose.methods.per_frame.task import BackboneSection
from vidpose.skeleton import COCO_17
from vidpose.training.frames import frame_training
from vidpose.training.heatmaps import gaussian_heatmaps
from vidpose.training.recipe import read_recipe
from vidpose.training.task import Training

FORMS: tuple[HeatmapLoss, ...] = ("rce-a", "mse")


@pytest.mark.parametrize("height", [0.0, 1.0])
@pytest.mark.parametrize("logit", [-3.0, 0.2, 4.0])
def test_it_is_binary_cross_entropy_at_the_ends(height: float, logit: float) -> None:
    p = 1 / (1 + math.exp(-logit))
    expected = -math.log(p if height else 1 - p)
    z, y = torch.tensor([logit]), torch.tensor([height])
    assert soft_target_cross_entropy(z, y).item() == pytest.approx(expected, rel=1e-5)


def test_a_value_by_hand() -> None:
    """p = 0.75, y = 0.5: -(ln 0.75 + ln 0.25) / 2 - ln 2."""
    z, y = torch.tensor([math.log(3)]), torch.tensor([0.5])
    a = -(math.log(0.75) + math.log(0.25)) / 2 - math.log(2)
    assert soft_target_cross_entropy(z, y).item() == pytest.approx(a, rel=1e-5)


@pytest.mark.parametrize("height", [0.1, 0.5, 0.9])
def test_it_is_zero_at_the_target_and_nowhere_else(height: float) -> None:
    z = torch.linspace(-6, 6, 121)
    y = torch.full_like(z, height)
    best = torch.logit(torch.tensor([height]))
    assert soft_target_cross_entropy(best, y[:1]).item() == pytest.approx(0, abs=1e-6)
    values = soft_target_cross_entropy(z, y)
    assert (values > -1e-6).all()
    assert (values[(z - best).abs() > 0.2] > 1e-4).all()


def test_the_gradient_is_p_minus_y() -> None:
    z = torch.randn(50, requires_grad=True)
    y = torch.rand(50)
    soft_target_cross_entropy(z, y).sum().backward()
    torch.testing.assert_close(z.grad, torch.sigmoid(z.detach()) - y)


@pytest.mark.parametrize("logit", [-300.0, 300.0])
@pytest.mark.parametrize("height", [0.0, 0.3, 1.0])
def test_saturated_cells_keep_a_finite_loss_and_gradient(logit: float, height: float) -> None:
    z = torch.tensor([logit], requires_grad=True)
    value = soft_target_cross_entropy(z, torch.tensor([height]))
    value.backward()
    assert value.isfinite().all()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_where_the_squared_error_forgets_cross_entropy_learns() -> None:
    """Sure and wrong: p = 1 - 1e-4 where nothing is."""
    for form, least in (("rce-a", 0.9), ("mse", 0.0)):
        z = torch.full((1, 1, 1, 1), 9.2, requires_grad=True)
        heatmap_loss(z, torch.zeros(1, 1, 1, 1), torch.ones(1, 1), form).backward()  # type: ignore[arg-type]
        assert z.grad is not None
        assert z.grad.item() >= least
        if form == "mse":
            assert z.grad.item() < 1e-3


@pytest.mark.parametrize("form", FORMS)
def test_a_joint_without_label_does_not_count(form: HeatmapLoss) -> None:
    torch.manual_seed(0)
    z, y = torch.randn(2, 3, 4, 5), torch.rand(2, 3, 4, 5)
    weight = torch.tensor([[1.0, 0.0, 0.5], [0.0, 0.0, 1.0]])
    plain = heatmap_loss(z, y, weight, form)
    z[0, 1] += 5
    z[1, :2] -= 5
    assert heatmap_loss(z, y, weight, form).item() == pytest.approx(plain.item())
    assert heatmap_loss(z, y, torch.zeros(2, 3), form).item() == 0


@pytest.mark.parametrize("form", FORMS)
def test_the_loss_is_the_same_in_the_mirror(form: HeatmapLoss) -> None:
    torch.manual_seed(0)
    keypoints = torch.rand(2, 17, 3) * torch.tensor([48.0, 64.0, 1.0])
    z, index = torch.randn(2, 17, 16, 12), list(COCO_17.flip_index)
    mirrored = keypoints[:, index].clone()
    mirrored[..., 0] = 47 - mirrored[..., 0]

    def loss(logits: Tensor, points: Tensor) -> float:
        target = gaussian_heatmaps(points, (16, 12), 4, 2.0)
        return heatmap_loss(logits, target, points[..., 2], form).item()

    assert loss(z.flip(3)[:, index], mirrored) == pytest.approx(loss(z, keypoints), rel=1e-5)


def test_target_heatmaps() -> None:
    """Peak 1 where the keypoint is the middle of a cell, exp(-1/8) half a sigma away."""
    maps = gaussian_heatmaps(torch.tensor([[[4 * 5 + 1.5, 4 * 7 + 1.5]]]), (16, 12), 4, 2.0)[0, 0]
    assert maps.argmax().item() == 7 * 12 + 5
    assert maps[7, 5].item() == pytest.approx(1)
    assert maps[7, 6].item() == pytest.approx(math.exp(-1 / 8))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> StillsConfig:
    return StillsConfig(lspet=write_lspet(tmp_path_factory.mktemp("lspet"), lsp_people(6)))


def _config(data: StillsConfig, form: HeatmapLoss) -> FasterPoseConfig:
    return FasterPoseConfig(
        kind="fasterpose",
        size=(64, 64),
        backbone=BackboneSection(name="test_efficientnet"),
        height_loss=form,
        sigma=1.0,
        data=data,
    )


def _training(data: StillsConfig, form: HeatmapLoss) -> Training:
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lspet, "KEPT_OUT", 2)
        return frame_training(_config(data, form), seed=0)


@pytest.mark.parametrize("form", FORMS)
def test_a_few_steps_lower_the_loss(data: StillsConfig, form: HeatmapLoss) -> None:
    training = _training(data, form)
    task, batch = training.task.train(), batch_of(training.data, 3)
    optimizer = torch.optim.Adam(task.parameters(), lr=2e-3)
    losses = []
    for _ in range(6):
        loss, _ = task.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_evaluation_sees_the_deployed_network(
    data: StillsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    training = _training(data, "rce-a")
    scores = training.evaluate(training.task.network.eval())
    assert set(scores) == {"pck@0.2", "pck@0.1"}


def test_what_is_learnt_is_what_is_decoded(data: StillsConfig) -> None:
    """A network that gives the target's logits: the runtime finds the keypoints."""
    config = _config(data, "rce-a")
    generator = torch.Generator().manual_seed(0)
    keypoints = torch.rand(1, 17, 2, generator=generator) * 48 + 8
    target = gaussian_heatmaps(keypoints, (16, 16), 4, 1.0)

    class Perfect(torch.nn.Module):
        def forward(self, _: Tensor) -> Tensor:
            return torch.logit(target, 1e-6)

    maps = read_network(Perfect(), config).deployed()(torch.zeros(1, 3, 64, 64))
    points, mass = decode_maps(maps.numpy())
    found = torch.from_numpy(map_to_crop(points, 4))
    torch.testing.assert_close(found, keypoints, atol=0.4, rtol=0)
    assert (mass > 0.7).all()


def test_the_removed_reading_is_refused_by_name() -> None:
    path = Path(__file__).resolve().parents[3] / "recipes" / "fasterpose-r50-coco.yaml"
    with pytest.raises(RecipeError, match="height_loss: rce-b was removed, as it did not learn"):
        read_recipe(path, ["task.height_loss=rce-b"])
