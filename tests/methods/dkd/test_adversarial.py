"""The two players: what each is paid for, whose weights it may move, and the balance."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vidpose.methods.dkd.adversarial import AdversarialConfig, Adversary

CONFIG = AdversarialConfig(weight=0.1, width=8, gamma=0.5, balance_rate=0.01)
KEYPOINTS, FRAMES = 3, 3


@pytest.fixture
def adversary() -> Adversary:
    torch.manual_seed(0)
    made = Adversary(KEYPOINTS, CONFIG)
    made.balance.fill_(0.4)
    return made


@pytest.fixture
def networks() -> nn.Conv2d:
    """Stands for the pose networks."""
    torch.manual_seed(1)
    return nn.Conv2d(3, KEYPOINTS, 4, stride=4)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, FRAMES, 3, 64, 64, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def true() -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.rand(2, KEYPOINTS, 16, 16, generator=generator) for _ in range(FRAMES)]


SEEN = torch.ones(2, FRAMES, KEYPOINTS)


def _found(networks: nn.Module, images: Tensor) -> list[Tensor]:
    return [networks(images[:, t]) for t in range(FRAMES)]


def _has_gradient(module: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


def test_the_losses_are_the_paper_s(
    adversary: Adversary, networks: nn.Conv2d, images: Tensor, true: list[Tensor]
) -> None:
    """mu lambda L_fake for the networks; mu (L_real - lambda L_fake) for D; by hand."""
    found = _found(networks, images)

    def error(maps: list[Tensor]) -> Tensor:
        pairs = [
            adversary.discriminator(images[:, t], maps[t], images[:, t + 1], maps[t + 1])
            - (maps[t + 1] - maps[t])
            for t in range(FRAMES - 1)
        ]
        return torch.stack(pairs).square().sum(dim=(3, 4)).mean()

    real, fake = error(true), error(found)
    own, discriminator, figures = adversary.losses(images, found, true, SEEN)
    torch.testing.assert_close(own, 0.1 * 0.4 * fake)
    torch.testing.assert_close(discriminator, 0.1 * (real - 0.4 * fake))
    assert figures["reconstruction_true"] == pytest.approx(real.item(), rel=1e-4)
    assert figures["reconstruction_found"] == pytest.approx(fake.item(), rel=1e-4)
    assert figures["balance"] == pytest.approx(0.4)


def test_the_networks_loss_moves_the_networks_alone(
    adversary: Adversary, networks: nn.Conv2d, images: Tensor, true: list[Tensor]
) -> None:
    adversary.losses(images, _found(networks, images), true, SEEN)[0].backward()
    assert _has_gradient(networks)
    assert all(p.grad is None for p in adversary.parameters())


def test_the_discriminator_s_loss_moves_the_discriminator_alone(
    adversary: Adversary, networks: nn.Conv2d, images: Tensor, true: list[Tensor]
) -> None:
    adversary.losses(images, _found(networks, images), true, SEEN)[1].backward()
    assert all(p.grad is None for p in networks.parameters())
    assert all(p.grad is not None and p.grad.any() for p in adversary.parameters())


def test_one_backward_pass_gives_each_player_its_own_gradient(
    adversary: Adversary, networks: nn.Conv2d, images: Tensor, true: list[Tensor]
) -> None:
    """The gradients of the sum are those of the two losses, each for its own weights."""
    adversary.eval()  # lambda stays
    parameters = [*networks.parameters(), *adversary.parameters()]
    first, second, _ = adversary.losses(images, _found(networks, images), true, SEEN)
    together = torch.autograd.grad(first + second, parameters)
    first, second, _ = adversary.losses(images, _found(networks, images), true, SEEN)
    own = torch.autograd.grad(first, networks.parameters())
    other = torch.autograd.grad(second, adversary.parameters())
    for one, two in zip(together, (*own, *other), strict=True):
        torch.testing.assert_close(one, two)


def test_the_players_pull_in_opposite_directions(
    adversary: Adversary, networks: nn.Conv2d, images: Tensor, true: list[Tensor]
) -> None:
    """D is paid for reconstructing found changes badly, the networks for the reverse."""
    found = _found(networks, images)
    own, discriminator, _ = adversary.losses(images, found, true, SEEN)
    adversary.balance.fill_(0.0)
    nothing, without, _ = adversary.losses(images, found, true, SEEN)
    assert own > 0
    assert nothing.item() == 0
    assert discriminator < without


def test_the_balance_is_began_s(
    adversary: Adversary, networks: nn.Conv2d, images: Tensor, true: list[Tensor]
) -> None:
    """lambda + eta (gamma L_real - L_fake), clipped to [0, 1]; only in training."""
    found = _found(networks, images)
    adversary.eval()
    _, _, figures = adversary.losses(images, found, true, SEEN)
    assert adversary.balance.item() == pytest.approx(0.4)
    adversary.train()
    adversary.losses(images, found, true, SEEN)
    real, fake = (float(figures[f"reconstruction_{name}"]) for name in ("true", "found"))
    moved = 0.4 + 0.01 * (0.5 * real - fake)
    assert adversary.balance.item() == pytest.approx(min(max(moved, 0), 1), abs=1e-5)
    adversary.balance.fill_(0.0)
    adversary.losses(images, [maps * 100 for maps in found], true, SEEN)
    assert adversary.balance.item() == 0
    adversary.balance.fill_(0.999)
    adversary.losses(images, [maps * 0 for maps in found], [m * 9 for m in true], SEEN)
    assert adversary.balance.item() == 1


def test_the_balance_is_saved(adversary: Adversary) -> None:
    other = Adversary(KEYPOINTS, CONFIG)
    assert other.balance.item() == 0
    other.load_state_dict(adversary.state_dict())
    assert other.balance.item() == pytest.approx(0.4)


def test_an_unlabelled_joint_s_maps_are_ignored(
    adversary: Adversary, networks: nn.Conv2d, images: Tensor, true: list[Tensor]
) -> None:
    adversary.eval()
    seen = SEEN.clone()
    seen[:, 1, 0] = 0
    found = [maps.detach() for maps in _found(networks, images)]
    plain = adversary.losses(images, found, true, seen)
    changed = [maps.clone() for maps in found]
    changed[1][:, 0] += 1
    other = adversary.losses(images, changed, true, seen)
    assert torch.equal(plain[0], other[0])
    assert torch.equal(plain[1], other[1])
