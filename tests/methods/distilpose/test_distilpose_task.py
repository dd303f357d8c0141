"""DistilPose's losses by hand, and the task of token networks without a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from stills_folders import lsp_people, write_lspet
from trainings import batch_of
from vidpose.data.datasets import lspet
from vidpose.data.loaders.stills import StillsConfig
from vidpose.errors import DataError
from vidpose.methods.distilpose.loss import (
    image_parts,
    regression_loss,
    score_loss,
    self_distillation_loss,
    simulated_heatmap_loss,
    token_loss,
)
from vidpose.methods.distilpose.model import TokenPose, Tokens, simulated_heatmaps
from vidpose.methods.distilpose.task import DistilPoseConfig, DistilPoseTask, EncoderSection
from vidpose.nn.checkpoint import save_checkpoint
from vidpose.skeleton import COCO_17
from vidpose.training.frames import frame_training
from vidpose.training.task import Training

SMALL = EncoderSection(width=16, depth=2, heads=4)


def test_parts_of_the_image() -> None:
    """The middle of the first pixel of four is an eighth, the right edge of the last is 1."""
    keypoints = torch.tensor([[[0.0, 1.5], [3.5, 7.5]]])
    assert image_parts(keypoints, (8, 4))[0].tolist() == [[0.125, 0.25], [1.0, 1.0]]


def test_regression_by_hand() -> None:
    """Smooth L1 of 0.2 is 0.02; x is right. The joint without label does not count."""
    points = torch.tensor([[[0.5, 0.7], [0.1, 0.1]]])
    truth = torch.tensor([[[0.5, 0.5], [0.9, 0.9]]])
    loss = regression_loss(points, truth, torch.tensor([[1.0, 0.0]]))
    assert loss.item() == pytest.approx(0.01)


@pytest.mark.parametrize("x", [0.0, 0.49, 0.51, 1.0])
def test_a_score_is_read_in_the_very_cell_that_the_drawn_map_peaks_in(x: float) -> None:
    """The score's cell and the drawn map's cell are one, up to both edges of the image."""
    points = torch.full((1, 1, 2), x)
    drawn = simulated_heatmaps(points, torch.full((1, 1, 2), 0.5), (8, 6))
    mark = torch.zeros(1, 1, 8, 6).flatten(2)
    mark[0, 0, drawn.flatten().argmax()] = 0.8
    pose = TokenPose(points, torch.ones(1, 1, 2), torch.tensor([[0.3]]))
    loss = score_loss(pose, mark.view(1, 1, 8, 6), torch.ones(1, 1))
    assert loss.item() == pytest.approx(0.5)


def test_scores_teach_scores_and_not_points() -> None:
    points = torch.full((1, 2, 2), 0.5, requires_grad=True)
    scores = torch.zeros(1, 2, requires_grad=True)
    pose = TokenPose(points, torch.ones(1, 2, 2), scores)
    score_loss(pose, torch.ones(1, 2, 8, 6), torch.tensor([[1.0, 0.0]])).backward()
    assert points.grad is None
    assert scores.grad is not None
    assert scores.grad.tolist() == [[-1.0, 0.0]]


def test_drawn_maps_learn_the_teacher_s() -> None:
    """Zero at the teacher's own point and spread; the gradient moves a point towards it."""
    truth, spread = torch.full((1, 1, 2), 0.5), torch.full((1, 1, 2), 2.0)
    heatmaps = simulated_heatmaps(truth, spread, (16, 12))
    weight = torch.ones(1, 1)
    right = TokenPose(truth, spread, None)
    assert simulated_heatmap_loss(right, heatmaps, weight).item() == 0
    points = torch.tensor([[[0.6, 0.5]]], requires_grad=True)
    simulated_heatmap_loss(TokenPose(points, spread, None), heatmaps, weight).backward()
    assert points.grad is not None
    assert points.grad[0, 0, 0] > 0
    assert abs(points.grad[0, 0, 1].item()) < 1e-6
    outside = simulated_heatmap_loss(TokenPose(points, spread, None), heatmaps, weight * 0)
    assert outside.item() == 0


def test_token_losses_fix_their_target() -> None:
    own, shown = (torch.randn(2, 5, 4, requires_grad=True) for _ in range(2))
    token_loss(own, shown).backward()
    assert shown.grad is None
    torch.testing.assert_close(own.grad, 2 * (own - shown).detach() / own.numel())


def test_each_pass_learns_from_the_next() -> None:
    passes = [
        Tokens(torch.randn(1, 3, 4, requires_grad=True), torch.randn(1, 2, 4, requires_grad=True))
        for _ in range(3)
    ]
    loss = self_distillation_loss(passes)
    expected = sum(
        functional.mse_loss(a, b).item()
        for one, two in ((passes[0], passes[1]), (passes[1], passes[2]))
        for a, b in zip(one, two, strict=True)
    )
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert passes[1].visual.grad is not None  # a pupil of pass 3, and no pupil of pass 1
    only = functional.mse_loss(passes[1].visual, passes[2].visual.detach())
    (gradient,) = torch.autograd.grad(only, passes[1].visual)
    torch.testing.assert_close(passes[1].visual.grad, gradient)
    assert passes[2].visual.grad is None
    assert self_distillation_loss(passes[:1]).item() == 0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> StillsConfig:
    return StillsConfig(lspet=write_lspet(tmp_path_factory.mktemp("lspet"), lsp_people(5)))


def _config(data: StillsConfig, **changes: Any) -> DistilPoseConfig:
    values: dict[str, Any] = {
        "network": "student-s",
        "size": (64, 48),
        "stem": 8,
        "encoder": SMALL,
        **changes,
    }
    return DistilPoseConfig(kind="distilpose", data=data, **values)


def _task(data: StillsConfig, *, taught: bool = False, **changes: Any) -> DistilPoseTask:
    torch.manual_seed(0)
    return DistilPoseTask(_config(data, **changes), (), taught=taught)


def _training(data: StillsConfig, **changes: Any) -> Training:
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lspet, "KEPT_OUT", 2)
        return frame_training(_config(data, **changes), seed=0)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"passes": 2},
        {"network": "teacher", "hrnet": "hrnet_w18_small", "size": (64, 96)},
        {"network": "teacher-light"},
    ],
    ids=["student", "two passes", "teacher", "light teacher"],
)
def test_a_few_steps_lower_the_loss_and_reach_everything(
    data: StillsConfig, changes: dict[str, Any]
) -> None:
    training = _training(data, **changes)
    task, batch = training.task.train(), batch_of(training.data, 2)
    optimizer = torch.optim.Adam(task.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        loss, _ = task.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        assert not [name for name, p in task.named_parameters() if p.grad is None]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_light_teacher_draws_maps_and_has_the_light_student_s_tokens(data: StillsConfig) -> None:
    images = torch.rand(1, 3, 64, 48)
    teacher, student = (_task(data, network=f"{who}-light") for who in ("teacher", "student"))
    given = teacher.outputs(images)
    assert given.maps[0].shape == (1, 17, 16, 12)
    own = student.outputs(images).passes[0]
    assert [t.shape for t in own] == [t.shape for t in given.passes[0]]


def test_there_is_one_pass_in_use(data: StillsConfig) -> None:
    task = _task(data, passes=2)
    images = torch.rand(1, 3, 64, 48)
    assert len(task.train().outputs(images).passes) == 2
    assert len(task.eval().outputs(images).passes) == 1


def test_scores_without_a_teacher_are_refused(data: StillsConfig) -> None:
    with pytest.raises(DataError, match=r"scores are learnt from a teacher's maps: set scores to"):
        _task(data, scores=True)
    assert _task(data, scores=True, taught=True).network is not None


def test_the_flip_test_is_scored_beside_the_plain_one(
    data: StillsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    training = _training(data, flip_test=True)
    scores = training.evaluate(training.task.network.eval())
    names = {"pck@0.2", "pck@0.1"}
    assert set(scores) == names | {f"flip_test/{name}" for name in names}


def test_a_mirrored_image_gives_the_mirrored_pose_in_a_flip_test(data: StillsConfig) -> None:
    """Averaged over an image and its mirror image, a pose is equivariant, scores included."""
    from vidpose.methods.distilpose.model import unmirror
    from vidpose.methods.distilpose.task import MirroredTwice

    task = _task(data, scores=True, taught=True).eval()
    twice = MirroredTwice(task.network, COCO_17.flip_index)
    images = torch.rand(2, 3, 64, 48) * 2 - 1
    with torch.no_grad():
        one, other = twice(images), unmirror(twice(images.flip(3)), COCO_17.flip_index)
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_student_l_starts_from_its_teacher_s_backbone(data: StillsConfig, tmp_path: Path) -> None:
    teacher = _task(data, network="teacher", hrnet="hrnet_w18_small")
    weights = {name: value + 0.5 for name, value in teacher.state_dict().items()}
    save_checkpoint(tmp_path, {"step": 1, "recipe": {}, "averaged": weights})
    student = _task(data, network="student-l", hrnet="hrnet_w18_small", start=tmp_path)
    for name, value in student.network.backbone.state_dict().items():
        assert torch.equal(value, weights[f"network.backbone.{name}"].to(value.dtype))
