"""DistilPose: a regression network that learns from a heatmap network, token by token.

Ye et al., "DistilPose: Tokenized Pose Regression with Heatmap Distillation", CVPR 2023,
arXiv 2303.02455. Its teacher is TokenPose-L (Li et al., ICCV 2021, arXiv 2104.03516).

Student and teacher share one body, the token-distilling encoder (TDE): features at stride 4 are
cut into patches, one visual token each; K keypoint tokens are learnt; a transformer lets them
look at each other. Of each keypoint token the student's head makes coordinates, the teacher's a
heatmap. Having tokens of one size, one can teach the other (losses: `vidpose.methods.distilpose.loss`).

Self-distillation (Chen et al., "SDPose", CVPR 2024): the tokens go through the same transformer
more than once in training, and each pass learns from the next; in use there is one pass.

Shapes at 256 x 192: features 64 x 48, patches of 4 x 3, 256 visual tokens of 192. Departures: x
and y are parts of the image from its left and top edge, and every map cell of the project covers
its own part of it, so no quantity is divided by W in one place and by W - 1 in another.
"""  # noqa: E501

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from timm.layers.weight_init import trunc_normal_
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional

from vidpose.errors import DataError

MAP_STRIDE = 4
PATCH = (4, 3)
WIDTH, DEPTH, HEADS, MLP_RATIO = 192, 12, 8, 3.0


class Tokens(NamedTuple):
    """What leaves the transformer: `visual` (N, V, D) and `keypoint` (N, K, D)."""

    visual: Tensor
    keypoint: Tensor


class TokenPose(NamedTuple):
    """A regressed pose.

    `points` (N, K, 2): x, y as parts of the image, 0 its left or top edge, 1 the other.
    `spread` (N, K, 2): standard deviations in map cells, along x and y; None in no-score mode.
    `scores` (N, K): raw, about the teacher's height at the point; None in no-score mode.
    """

    points: Tensor
    spread: Tensor | None
    scores: Tensor | None


class TokenDistillingEncoder(nn.Module):
    """Features (N, channels, h, w) -> visual and keypoint tokens.

    Args:
        channels: of the features.
        map_size: (h, w) of the features, multiples of the patch's sides.
        num_keypoints: K.
        patch, width, depth, heads: see the module's text; width is a multiple of 4 and of heads.
    """

    position: Tensor

    def __init__(
        self,
        channels: int,
        map_size: tuple[int, int],
        num_keypoints: int,
        *,
        patch: tuple[int, int] = PATCH,
        width: int = WIDTH,
        depth: int = DEPTH,
        heads: int = HEADS,
    ) -> None:
        super().__init__()
        if map_size[0] % patch[0] or map_size[1] % patch[1]:
            raise DataError(f"features of {map_size} cells cannot be cut into patches of {patch}")
        self.map_size = map_size
        self.patch = patch
        self.embed = nn.Linear(channels * patch[0] * patch[1], width)
        self.keypoints = nn.Parameter(torch.empty(1, num_keypoints, width))
        self.layers = nn.ModuleList(
            Block(width, heads, MLP_RATIO, qkv_bias=False) for _ in range(depth)
        )
        grid = (map_size[0] // patch[0], map_size[1] // patch[1])
        self.register_buffer("position", sine_position(grid, width), persistent=False)
        trunc_normal_(self.keypoints, std=0.02)

    def forward(self, features: Tensor) -> Tokens:
        return self.passes(features, 1)[0]

    def passes(self, features: Tensor, count: int) -> list[Tokens]:
        """Tokens after each of `count` ways through the same layers, for self-distillation."""
        visual = self.embed(self._patches(features))
        tokens = Tokens(visual, self.keypoints.expand(features.shape[0], -1, -1))
        found = []
        for _ in range(count):
            tokens = self._once(tokens)
            found.append(tokens)
        return found

    def _once(self, tokens: Tokens) -> Tokens:
        joints = tokens.keypoint.shape[1]
        x = torch.cat([tokens.keypoint, tokens.visual], dim=1)
        # Keypoint tokens have no place; visual ones are told theirs before every layer.
        position = functional.pad(self.position, (0, 0, joints, 0))
        for layer in self.layers:
            x = layer(x + position)
        return Tokens(x[:, joints:], x[:, :joints])

    def _patches(self, features: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, V, patch cells x C)."""
        n, channels, height, width = features.shape
        if (height, width) != self.map_size:
            raise DataError(f"features have {(height, width)} cells, not {self.map_size}")
        down, across = self.patch
        cut = features.view(n, channels, height // down, down, width // across, across)
        return cut.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)


class DistilPose(nn.Module):
    """The student: features -> tokens -> coordinates.

    Input (N, 3, H, W) RGB in [-1, 1] of the size that the encoder's `map_size` says.

    Args:
        backbone: images -> (N, channels, H/4, W/4).
        encoder: the TDE that reads them.
        width: of the tokens.
        scores: False for training without a teacher, where nothing teaches score and spread: the
            head then gives coordinates alone.
    """

    def __init__(
        self,
        backbone: nn.Module,
        encoder: TokenDistillingEncoder,
        width: int = WIDTH,
        *,
        scores: bool = True,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.encoder = encoder
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 5 if scores else 2))
        self.scores = scores

    def forward(self, x: Tensor) -> TokenPose:
        return self.regress(self.tokens(x)[-1])

    def tokens(self, x: Tensor, passes: int = 1) -> list[Tokens]:
        """Tokens after each pass; `regress` makes a pose of them."""
        return self.encoder.passes(self.backbone(x), passes)

    def regress(self, tokens: Tokens) -> TokenPose:
        """The head: five numbers of each keypoint token, two in no-score mode."""
        raw = self.head(tokens.keypoint)
        points = torch.sigmoid(raw[..., :2])
        if not self.scores:
            return TokenPose(points, None, None)
        return TokenPose(points, functional.softplus(raw[..., 3:]), raw[..., 2])


class TokenHeatmaps(nn.Module):
    """TokenPose, the teacher: features -> tokens -> heatmaps with peaks near 1, (N, K, H/4, W/4).

    Each keypoint token goes through LayerNorm, Linear to `hidden`, LayerNorm, Linear to all cells.
    """

    def __init__(
        self,
        backbone: nn.Module,
        encoder: TokenDistillingEncoder,
        width: int = WIDTH,
        hidden: int = 2 * WIDTH,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.encoder = encoder
        cells = encoder.map_size[0] * encoder.map_size[1]
        self.head = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, hidden),
            nn.LayerNorm(hidden),
            nn.Linear(hidden, cells),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.draw(self.tokens(x)[-1])

    def tokens(self, x: Tensor, passes: int = 1) -> list[Tokens]:
        return self.encoder.passes(self.backbone(x), passes)

    def draw(self, tokens: Tokens) -> Tensor:
        """The head: a heatmap of each keypoint token."""
        maps: Tensor = self.head(tokens.keypoint).unflatten(2, self.encoder.map_size)
        return maps


def simulated_heatmaps(points: Tensor, spread: Tensor, size: tuple[int, int]) -> Tensor:
    """Heatmaps with peak 1 drawn from regressed poses (the paper's L_SH).

    Args:
        points: (N, K, 2), parts of the image as in `TokenPose`.
        spread: (N, K, 2), standard deviations in cells.
        size: (h, w) of the maps.

    Returns:
        (N, K, h, w).
    """
    # The middle of cell i lies at (i + 1/2) / w of the image's width.
    cells = points * points.new_tensor([size[1], size[0]]) - 0.5
    columns = torch.arange(size[1], device=points.device, dtype=points.dtype)
    rows = torch.arange(size[0], device=points.device, dtype=points.dtype)
    variance = spread.square() + 1e-9
    across = (columns - cells[..., :1]).square() / variance[..., :1]
    down = (rows - cells[..., 1:]).square() / variance[..., 1:]
    return torch.exp(-0.5 * (down[..., :, None] + across[..., None, :]))


def unmirror(pose: TokenPose, flip_index: tuple[int, ...]) -> TokenPose:
    """The pose of a mirrored image as one of the image: joints, spreads and scores change sides.

    Args:
        pose: found in the mirrored image.
        flip_index: for each joint the one that takes its place (`Skeleton.flip_index`).
    """
    index = list(flip_index)
    points = pose.points[:, index]
    points = torch.stack([1 - points[..., 0], points[..., 1]], dim=-1)
    spread = None if pose.spread is None else pose.spread[:, index]
    scores = None if pose.scores is None else pose.scores[:, index]
    return TokenPose(points, spread, scores)


def average_poses(one: TokenPose, other: TokenPose) -> TokenPose:
    """Mean of two poses of the same image, such as one and the mirror image's, `unmirror`ed."""

    def mean(a: Tensor | None, b: Tensor | None) -> Tensor | None:
        return None if a is None or b is None else (a + b) / 2

    points = (one.points + other.points) / 2
    return TokenPose(points, mean(one.spread, other.spread), mean(one.scores, other.scores))


def sine_position(grid: tuple[int, int], width: int) -> Tensor:
    """2-D sine position of each cell of a grid: (1, rows x columns, width).

    The first half of the channels tells the row, the second the column, sines and cosines in turn;
    both run from 0 to 2 pi over the grid (as in DETR, arXiv 2005.12872).
    """
    if width % 4:
        raise DataError(f"a 2-D sine position needs a multiple of 4 channels, not {width}")
    rate = 10000 ** (torch.arange(width // 4, dtype=torch.float32) / (width // 4))
    parts = []
    for axis, count in enumerate(grid):
        place = (torch.arange(count, dtype=torch.float32) + 1) / count * 2 * math.pi
        angle = place[:, None] / rate
        wave = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
        other = grid[1 - axis]
        wave = wave[:, None].expand(-1, other, -1) if axis == 0 else wave.expand(other, -1, -1)
        parts.append(wave)
    return torch.cat(parts, dim=-1).flatten(0, 1)[None]
