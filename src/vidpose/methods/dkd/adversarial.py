"""Temporally adversarial training of DKD, as two losses in one step.

The paper plays  min over P, F, Phi, max over D of  L_G + mu * L_D,  mu = 0.1, with (the numbers go
on from `methods/dkd/model.py`)

    (7)   L_G = sum_t l2(h_t, h^_t)                   found and true heatmaps: `heatmap_loss`
    (8)   d_t = h_{t+1} - h_t                         how heatmaps change; d^_t of the true ones
    (9)   d^f_t = D(I_t, h_t, I_{t+1}, h_{t+1}),      d^r_t the same of the true heatmaps
    (10)  L_D = lambda * sum_t l2(d^f_t, d_t) - sum_t l2(d^r_t, d^_t)
    (11)  lambda <- lambda + eta * (gamma * L_real - L_fake), within [0, 1]: BEGAN's balance
          (arXiv 1703.10717, equation 6)

D reconstructs the change of maps from two frames. D wants true changes reconstructed well and found
ones badly; the pose networks want theirs to be reconstructed well, that is, to change as true maps
do.

Both players take their step at the same time with one optimiser. What each minimises is a loss of
its own whose gradient cannot reach the other: in the pose networks' loss D's weights are constants,
in D's loss the maps are. So the sum of the two may go through one backward pass; the gradients are
those of two optimisers' simultaneous steps (AdamW moves each weight by its own statistics), and
checkpoints and the loop need not know that there are two players. What they share is the learning
rate and the limit of the gradient's norm.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.func import functional_call

from vidpose.methods.dkd.discriminator import MapChangeAutoencoder
from vidpose.training.heatmaps import heatmap_loss


class AdversarialConfig(BaseModel):
    """Recipe section of the adversarial training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(default=0.1, gt=0)
    """mu, the discriminator's share of the whole."""
    width: int = Field(default=64, gt=0)
    """Channels of the discriminator."""
    gamma: float = Field(default=0.5, ge=0, le=1)
    """What L_fake / L_real is held at (an interpretation: BEGAN's usual value)."""
    balance_rate: float = Field(default=0.001, gt=0)
    """eta (an interpretation: BEGAN's)."""


class Adversary(nn.Module):
    """The discriminator, its balance variable, and the two players' losses."""

    balance: Tensor

    def __init__(self, num_maps: int, config: AdversarialConfig) -> None:
        super().__init__()
        self.config = config
        self.discriminator = MapChangeAutoencoder(num_maps, config.width)
        self.register_buffer("balance", torch.zeros(()))  # lambda; BEGAN starts at 0

    def losses(
        self, images: Tensor, found: Sequence[Tensor], true: Sequence[Tensor], seen: Tensor
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The players' terms of a clip, and figures for the log.

        In training mode this also moves lambda.

        Args:
            images: (N, T, 3, H, W).
            found: T maps (N, K, h, w), heatmaps, of the pose networks.
            true: T maps (N, K, h, w), heatmaps.
            seen: (N, T, K), 0 where a joint is unlabelled. Changes between two frames count
                where the joint is labelled in both; elsewhere D is shown no map.

        Returns:
            What the pose networks minimise beside L_G, mu * lambda * L_fake; what D minimises,
            mu * (L_real - lambda * L_fake); the parts of both.
        """
        mask = (seen > 0).to(images.dtype)[..., None, None]
        found = [maps * mask[:, t] for t, maps in enumerate(found)]
        true = [maps * mask[:, t] for t, maps in enumerate(true)]
        fixed = [maps.detach() for maps in found]
        constants = {name: p.detach() for name, p in self.discriminator.named_parameters()}
        both = (mask[:, 1:] * mask[:, :-1])[..., 0, 0]
        fake_for_networks = self._error(images, found, both, constants)
        fake = self._error(images, fixed, both)
        real = self._error(images, true, both)
        balance = self.balance.clone()
        networks = self.config.weight * balance * fake_for_networks  # mu * (10), first sum
        discriminator = self.config.weight * (real - balance * fake)  # -mu * (10)
        if self.training:
            self._move_balance(real.detach(), fake.detach())
        return (
            networks,
            discriminator,
            {
                "reconstruction_true": real.detach(),
                "reconstruction_found": fake.detach(),
                "balance": balance.detach(),
            },
        )

    def _error(
        self,
        images: Tensor,
        maps: Sequence[Tensor],
        both: Tensor,
        weights: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """l2 between the changes of maps and what D makes of them, as `heatmap_loss` counts."""
        stacked = torch.stack(list(maps), dim=1)
        before, after = stacked[:, :-1].flatten(0, 1), stacked[:, 1:].flatten(0, 1)
        inputs = (images[:, :-1].flatten(0, 1), before, images[:, 1:].flatten(0, 1), after)
        change: Tensor = (  # (9)
            self.discriminator(*inputs)
            if weights is None
            else functional_call(self.discriminator, weights, inputs)
        )
        return heatmap_loss(change, after - before, both.flatten(0, 1))  # l2 to (8)

    def _move_balance(self, real: Tensor, fake: Tensor) -> None:
        step = self.config.balance_rate * (self.config.gamma * real - fake)
        self.balance.copy_((self.balance + step).clamp(0, 1))  # (11)
