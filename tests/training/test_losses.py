"""Targets and loss of heatmap networks."""

from __future__ import annotations

import math

import pytest
import torch

from vidpose.inference.decode import decode_maps, map_to_crop
from vidpose.training.losses import (
    downweight_labels,
    gaussian_maps,
    peak_mass,
    spatial_cross_entropy,
)


@pytest.mark.parametrize("stride", [4, 8])
@pytest.mark.parametrize(("x", "y"), [(40.0, 60.0), (37.3, 81.9), (1.5, 1.5)])
def test_targets_are_distributions_around_the_keypoint(stride: int, x: float, y: float) -> None:
    """Cell i of stride s covers s crop pixels from i s on: its middle is (i + 0.5) s - 0.5."""
    keypoints = torch.tensor([[[x, y, 1.0]]])
    maps = gaussian_maps(keypoints, (128 // stride, 96 // stride), stride, 0.8)[0, 0]
    assert maps.shape == (128 // stride, 96 // stride)
    assert maps.sum().item() == pytest.approx(1)
    if min(x, y) < 10:  # cut by the border: the peak is the cell that holds the keypoint
        assert maps.argmax().item() == 0
        return
    columns = (torch.arange(maps.shape[1]) + 0.5) * stride - 0.5
    rows = (torch.arange(maps.shape[0]) + 0.5) * stride - 0.5
    assert (maps.sum(0) @ columns).item() == pytest.approx(x, abs=0.05)
    assert (maps.sum(1) @ rows).item() == pytest.approx(y, abs=0.05)


def test_targets_have_the_spread_asked_for() -> None:
    maps = gaussian_maps(torch.tensor([[63.5, 63.5]]), (32, 32), 4, 1.5)[0]
    cells = torch.arange(32.0)
    variance = (maps.sum(0) @ (cells - (63.5 + 0.5) / 4 + 0.5) ** 2).item()
    assert math.sqrt(variance) == pytest.approx(1.5, rel=0.01)


def test_decoding_a_target_gives_its_keypoint() -> None:
    """Training and inference agree on where a cell is."""
    keypoints = torch.tensor([[[41.2, 77.7], [60.0, 20.4]]])
    logits = gaussian_maps(keypoints, (32, 24), 4, 1.0).log().clamp_min(-80)
    points, mass = decode_maps(logits.numpy())
    found = torch.from_numpy(map_to_crop(points, 4))
    torch.testing.assert_close(found, keypoints, atol=0.4, rtol=0)  # a tenth of a cell
    assert (mass > 0.9).all()


def test_a_keypoint_far_outside_gives_no_nan() -> None:
    maps = gaussian_maps(torch.tensor([[-5000.0, 9000.0]]), (8, 8), 4, 1.0)
    assert maps.isfinite().all()
    assert maps.sum().item() == pytest.approx(1)


def test_cross_entropy_by_hand() -> None:
    """Two cells: target (0.75, 0.25), softmax of (0, ln 3) = (0.25, 0.75)."""
    target = torch.tensor([[[[0.75, 0.25]]]])
    logits = torch.tensor([[[[0.0, math.log(3)]]]])
    cross = -(0.75 * math.log(0.25) + 0.25 * math.log(0.75))
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    loss = spatial_cross_entropy(logits, target, torch.ones(1, 1))
    assert loss.item() == pytest.approx(cross - entropy, rel=1e-5)
    assert loss.item() == pytest.approx(0.5 * math.log(3), rel=1e-5)  # the same, simplified


def test_perfect_logits_have_no_loss() -> None:
    keypoints = torch.tensor([[[30.0, 40.0], [10.0, 90.0]]])
    target = gaussian_maps(keypoints, (32, 24), 4, 1.0)
    perfect = target.clamp_min(1e-30).log() + 5  # a softmax does not see the constant
    assert spatial_cross_entropy(perfect, target, torch.ones(1, 2)).item() < 1e-5
    assert spatial_cross_entropy(torch.zeros_like(target), target, torch.ones(1, 2)).item() > 1


def test_the_gradient_is_softmax_minus_target() -> None:
    target = gaussian_maps(torch.tensor([[[30.0, 40.0]]]), (16, 12), 8, 1.0)
    logits = torch.randn(1, 1, 16, 12, requires_grad=True)
    spatial_cross_entropy(logits, target, torch.ones(1, 1)).backward()
    expected = logits.detach().flatten(2).softmax(2).view_as(target) - target
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, expected)


def test_weights_choose_joints() -> None:
    target = gaussian_maps(torch.tensor([[[30.0, 40.0], [10.0, 50.0]]]), (16, 12), 8, 1.0)
    logits = torch.randn(1, 2, 16, 12, requires_grad=True)

    def loss(*weight: float) -> torch.Tensor:
        return spatial_cross_entropy(logits, target, torch.tensor([weight]))

    one, other = loss(1, 0).item(), loss(0, 1).item()
    assert loss(1, 1).item() == pytest.approx((one + other) / 2)
    assert loss(3, 1).item() == pytest.approx((3 * one + other) / 4)
    assert loss(0, 0).item() == 0
    loss(1, 0).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0].any()
    assert not logits.grad[0, 1].any()


def test_a_clear_peak_has_all_the_mass_and_a_flat_map_little() -> None:
    clear = gaussian_maps(torch.tensor([[63.5, 63.5]]), (32, 32), 4, 0.5)
    flat = torch.full((1, 32, 32), 1 / 1024)
    two = 0.5 * (clear + clear.roll(10, dims=2))
    found = peak_mass(torch.stack([clear, flat, two], dim=1)).flatten()
    torch.testing.assert_close(found, torch.tensor([1.0, 25 / 1024, 0.5]), atol=1e-3, rtol=0)


def test_a_confident_teacher_downweights_labels_by_hand() -> None:
    """Peaks in cell (2, 1) at stride 4: pixel (9.5, 5.5). Labels there, 12 px away, far away."""
    maps = torch.zeros(1, 4, 5, 6)
    maps[:, :, 1, 2] = 1
    labels = torch.tensor([[[9.5, 5.5, 1.0], [9.5, 17.5, 0.5], [9.5, 17.5, 1], [1e4, 0, 1]]])
    sure = torch.tensor([[1.0, 1.0, 0.5, 1.0]])
    found = downweight_labels(labels, maps, sure, 4, 12)
    assert torch.equal(found[..., :2], labels[..., :2])
    assert found[0, :, 2].tolist() == pytest.approx([1.0, 0.25, 0.75, 0.0], abs=1e-4)
