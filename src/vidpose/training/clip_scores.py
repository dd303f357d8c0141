"""Scores of a network for video on kept-out clips, for the log of a training."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from vidpose.methods.clips.maps import ClipMapping
from vidpose.methods.clips.run import run_clip
from vidpose.methods.dkd.model import DKD
from vidpose.metrics.pck import pck, person_size
from vidpose.metrics.temporal import acceleration_error
from vidpose.nn.pixels import normalise
from vidpose.skeleton import Skeleton
from vidpose.training.validation import keypoint_pck

_BATCH = 4
_THRESHOLDS = (0.2, 0.1)


class ClipEvaluator:
    """PCK, torso-normalised, in percent, and the acceleration error of a network's own clips.

    Args:
        clips: opens them, at the first evaluation: `images` uint8 (T, 3, H, W), `keypoints`
            (T, K, 3).
        count: how many of them, from the first.
        mapping: what the network's maps are.
        skeleton: of the keypoints.
        per_frame: score DKD's initializer beside its step, by itself on every frame after the
            first: `initializer/...` and `step/...`. Otherwise the scores are of all frames and of
            the last one, and `box/...` by the boxes of clips that have `box_size`. The
            acceleration error (metrics/temporal.py) is in thousandths of the crop's height.
    """

    def __init__(
        self,
        clips: Callable[[], Dataset[dict[str, Any]]],
        count: int,
        mapping: ClipMapping,
        skeleton: Skeleton,
        *,
        per_frame: bool = False,
    ) -> None:
        self._open = cache(clips)
        self._count = count
        self._mapping = mapping
        self._skeleton = skeleton
        self._per_frame = per_frame

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> dict[str, float]:
        if not self._count:
            return {}
        clips, device = self._open(), next(network.parameters()).device
        found, single, true, sizes = [], [], [], []
        for start in range(0, self._count, _BATCH):
            items = [clips[i] for i in range(start, min(start + _BATCH, self._count))]
            images = normalise(torch.stack([item["images"] for item in items]).to(device))
            found.append(self._points(run_clip(network, images).frames))
            true.append(np.stack([item["keypoints"].numpy() for item in items]))
            sizes += [item["box_size"].numpy() for item in items if "box_size" in item]
            if self._per_frame:
                assert isinstance(network, DKD)
                frames = images[:, 1:]
                maps = network.initializer(frames.flatten(0, 1))
                single.append(
                    self._points(list(maps.view(*frames.shape[:2], *maps.shape[1:]).unbind(1)))
                )
        if self._per_frame:
            return self._beside(*map(np.concatenate, (found, single, true)))
        scores = self._clip_scores(np.concatenate(found), np.concatenate(true))
        if sizes:
            scores |= self._box_scores(np.concatenate(found), np.concatenate(true), np.stack(sizes))
        return scores

    def _points(self, frames: list[Tensor]) -> NDArray[np.float32]:
        """Keypoints (N, T, K, 2) of T maps."""
        return np.stack([self._mapping.points(maps) for maps in frames], axis=1)

    def _beside(
        self,
        found: NDArray[np.float32],
        single: NDArray[np.float32],
        true: NDArray[np.float32],
    ) -> dict[str, float]:
        joints = self._skeleton.num_keypoints
        truth = true[:, 1:].reshape(-1, joints, 3)
        named = {"initializer": single, "step": found[:, 1:]}
        scores: dict[str, float] = {}
        for name, points in named.items():
            found_pck = keypoint_pck(points.reshape(-1, joints, 2), truth, self._skeleton)
            scores |= {f"{name}/{key}": value for key, value in found_pck.items()}
            error = self._acceleration(points, true[:, 1:])
            if np.isfinite(error):  # clips of four frames or more, as the first does not count
                scores[f"{name}/acceleration_error"] = error
        return scores

    def _acceleration(self, found: NDArray[np.float32], true: NDArray[np.float32]) -> float:
        """In thousandths of the crop's height; NaN where no clip has three labelled frames."""
        errors = [
            acceleration_error(f, t, t[..., 2] > 0, self._mapping.height)
            for f, t in zip(found, true, strict=True)
        ]
        return 1000 * float(np.nanmean(errors)) if np.isfinite(errors).any() else float("nan")

    def _clip_scores(
        self, found: NDArray[np.float32], true: NDArray[np.float32]
    ) -> dict[str, float]:
        scores = {}
        for threshold in _THRESHOLDS:
            whole = clip_pck(found, true, self._skeleton, threshold)
            scores[f"pck@{threshold}"] = whole
            last = clip_pck(found[:, -1:], true[:, -1:], self._skeleton, threshold)
            scores[f"last_frame/pck@{threshold}"] = last
        scores["acceleration_error"] = self._acceleration(found, true)
        return scores

    def _box_scores(
        self, found: NDArray[np.float32], true: NDArray[np.float32], sizes: NDArray[np.float32]
    ) -> dict[str, float]:
        """PCK@0.2 of the box's longer side (N, T): all joints in one pot, and by groups."""
        joints = self._skeleton.num_keypoints
        found, true = found.reshape(-1, joints, 2), true.reshape(-1, joints, 3)
        names = self._skeleton.keypoints
        score = pck(found, true, true[..., 2] > 0, sizes.ravel(), names, threshold=0.2)
        groups = {f"box/{group}": 100 * share for group, share in score.by_group().items()}
        return {"box/pck@0.2": 100 * score.micro, **groups}


def clip_pck(
    found: NDArray[np.float32], true: NDArray[np.float32], skeleton: Skeleton, threshold: float
) -> float:
    """PCK in percent of the longer torso diagonal, all joints and frames in one pot.

    Args:
        found: (N, T, K, 2).
        true: (N, T, K, 3), x, y and a weight. People without a measurable torso do not count;
            NaN if no person has one.
    """
    joints = skeleton.num_keypoints
    found, true = found.reshape(-1, joints, 2), true.reshape(-1, joints, 3)
    labelled = true[..., 2] > 0
    torso = person_size(true, labelled, skeleton)
    score = pck(found, true, labelled, torso, skeleton.keypoints, threshold=threshold)
    return 100 * score.micro
