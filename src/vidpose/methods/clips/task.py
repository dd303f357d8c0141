"""Networks for video side by side: the same clips, losses and scores, whatever the network.

DKD, LSTM Pose Machines and per-frame networks learn from clips of T frames under one recipe, so
that a table of them compares the networks alone. Those with a memory live on their own maps, in
training as in use. Clips are windows of an official video set (data/loaders/video_clips.py) or made
of stills (data/synthesis/stills_to_clips.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from vidpose.data.bounds import FACTOR, check_bounds
from vidpose.data.loaders.recorded import RecordedClips, digest_of_samples
from vidpose.data.loaders.still_clips import Repeated, StillClips
from vidpose.data.loaders.stills import StillsConfig, training_samples
from vidpose.data.loaders.video_clips import (
    VideoClips,
    VideoConfig,
    kept_out_videos,
    require_joints,
    training_clips,
)
from vidpose.data.samples import Sample
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.data.synthesis.stills_to_clips import ClipConfig
from vidpose.inference.decode import decode_maps, map_to_crop
from vidpose.methods.clips.networks import (
    ClipMaps,
    NetworkConfig,
    build_network,
    fixed_norms,
    run_clip,
)
from vidpose.methods.dkd.adversarial import AdversarialConfig, Adversary
from vidpose.methods.per_frame.pose import normalise
from vidpose.methods.per_frame.section import Side
from vidpose.metrics.pck import pck, torso_size
from vidpose.metrics.temporal import acceleration_error
from vidpose.nn.map_cells import map_distribution
from vidpose.skeleton import SKELETONS, Skeleton, SkeletonName
from vidpose.training.heatmaps import (
    gaussian_heatmaps,
    heatmap_loss,
    heatmaps_to_logits,
    logits_to_heatmaps,
)
from vidpose.training.losses import gaussian_maps, spatial_cross_entropy
from vidpose.training.task import Batch, Task
from vidpose.training.validation import kept_out_samples

_KEPT_OUT_CLIPS = 100
_EVALUATION_BATCH = 4
_RECORDED_SEED = 0


class ClipsConfig(BaseModel):
    """Recipe section of the clips task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["clips"]
    network: NetworkConfig
    skeleton: SkeletonName = "coco17"
    size: tuple[Side, Side]
    """Height and width of the crops, multiples of 32 (of 8 for LSTM-PM)."""
    frames: int = Field(ge=2)
    """Clip length T."""
    loss: Literal["l2", "cross-entropy"]
    """l2: maps are Gaussian heatmaps, as in the papers; cross-entropy: they are distributions."""
    sigma: float = Field(gt=0)
    """Standard deviation of the target Gaussians, in map cells."""
    adversarial: AdversarialConfig | None = None
    """Temporally adversarial training; none unless given."""
    rotation_deg: float = Field(default=30.0, ge=0)
    """Clips are turned by up to this angle."""
    scale: tuple[float, float] = (0.75, 1.3)
    """Factor on the side of a clip's crops, smallest and largest; a person shrinks by it.
    Published: 0.8 to 1.4 on the person, which is [0.714, 1.25] here."""
    repeat: int | None = Field(default=None, gt=0)
    """Learn from this many clips over and over, and be measured on them: a test that a network can
    learn at all."""
    recorded: int | None = Field(default=None, gt=0)
    """Make this many training clips once, keep them in `cache`, and learn from them over and over.
    Every run with the same data and strengths shares them, whatever its network and its seed."""
    test_frames: int | None = Field(default=None, ge=2)
    """Length of the kept-out clips, if not T: errors that are carried along show in longer ones."""
    video: VideoConfig | None = None
    """The video set whose clips are learnt from; either this or `data`."""
    data: StillsConfig | None = None
    """The stills that become clips."""
    penn_action: Path | None = None
    """Root of Penn Action: its training tracks drive the clips made of stills; without it their
    motion is random."""
    cache: Path = Path("cache")
    """Folder for the collected tracks."""

    @model_validator(mode="after")
    def _scale_is_a_range(self) -> ClipsConfig:
        check_bounds(self, {"scale": FACTOR, "rotation_deg": (0, 180)})
        return self

    @model_validator(mode="after")
    def _one_source(self) -> ClipsConfig:
        if (self.video is None) == (self.data is None):
            raise ValueError("give one of video (labelled clips) and data (stills)")
        if self.video is not None and self.penn_action is not None:
            raise ValueError("penn_action drives clips made of stills; those of video move already")
        return self


class ClipsTask(Task):
    """A network for video, clips, and a loss on every frame's maps."""

    calls: Tensor

    def __init__(self, config: ClipsConfig, seed: int) -> None:
        super().__init__()
        self.config = config
        self.skeleton = SKELETONS[config.skeleton]
        self._seed = seed
        self._samples = [] if config.data is None else training_samples(config.data)
        self._video = None if config.video is None else self._open_video(config.video)
        self._motion = {
            split: None
            if config.penn_action is None
            else MotionBank.load(config.penn_action, split=split, cache_dir=config.cache)
            for split in ("train", "test")
        }
        joints = self.skeleton.num_keypoints
        self._heatmaps = config.loss == "l2"
        self.network = build_network(config.network, joints, config.size, self._heatmaps)
        self.adversary = (
            None if config.adversarial is None else Adversary(joints, config.adversarial)
        )
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))

    def train(self, mode: bool = True) -> ClipsTask:
        super().train(mode)
        for norm in fixed_norms(self.config.network, self.network):
            norm.eval()
        return self

    def dataset(self) -> Dataset[dict[str, Any]]:
        config = self.config
        if self._video is not None:
            clips: Dataset[dict[str, Any]] = self._video[0]
        elif config.recorded is not None:
            made = self._clips(self._samples, "train", _RECORDED_SEED)
            clips = self._record(made, self._samples, config.recorded, self._seed)
        else:
            clips = self._clips(self._samples, "train", self._seed)
        return clips if config.repeat is None else Repeated(clips, config.repeat)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        with torch.random.fork_rng(enabled=self.training):
            if self.training:
                # Dropout's draws follow from the step's number, which the checkpoint holds.
                torch.manual_seed(1_000_003 * self._seed + int(self.calls))
                self.calls += 1
            return self._loss(batch)

    def _loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        images, keypoints = normalise(batch["images"]), batch["keypoints"]
        maps = run_clip(self.network, images)
        losses = [self._map_loss(found, keypoints[:, t]) for t, found in enumerate(maps.frames)]
        further = [self._map_loss(found, keypoints[:, 0]) for found in maps.further]
        loss = torch.stack(losses + further).mean()
        figures = {"loss_first_frame": losses[0].item(), "loss_last_frame": losses[-1].item()}
        if self.adversary is None:
            return loss, figures
        networks, discriminator, parts = self._play(self.adversary, images, keypoints, maps)
        figures |= {
            "loss_maps": loss.item(),
            "loss_networks": (loss + networks).item(),
            "loss_discriminator": discriminator.item(),
            **parts,
        }
        return loss + networks + discriminator, figures

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """PCK, torso-normalised, in percent: over all frames, and over the last one.

        Acceleration error (metrics/temporal.py) in thousandths of the crop's height. Of windows of
        the test part of a video set, of kept-out stills moved by Penn's test tracks, or with
        `repeat` of the clips learnt from.
        """
        clips, count = self._evaluation_clips()
        if not count:
            return {}
        device = next(self.network.parameters()).device
        points, truth = [], []
        for start in range(0, count, _EVALUATION_BATCH):
            items = [clips[i] for i in range(start, min(start + _EVALUATION_BATCH, count))]
            images = torch.stack([item["images"] for item in items]).to(device)
            frames = run_clip(self.network, normalise(images)).frames
            points.append(np.stack([self._points(maps) for maps in frames], axis=1))
            truth.append(np.stack([item["keypoints"].numpy() for item in items]))
        found, true = np.concatenate(points), np.concatenate(truth)
        scores = {}
        for threshold in (0.2, 0.1):
            whole = clip_pck(found, true, self.skeleton, threshold)
            scores[f"pck@{threshold}"] = whole
            last = clip_pck(found[:, -1:], true[:, -1:], self.skeleton, threshold)
            scores[f"last_frame/pck@{threshold}"] = last
        height = self.config.size[0]
        errors = [
            acceleration_error(f, t, t[..., 2] > 0, height)
            for f, t in zip(found, true, strict=True)
        ]
        scores["acceleration_error"] = 1000 * float(np.nanmean(errors))
        return scores

    def _map_loss(self, maps: Tensor, keypoints: Tensor) -> Tensor:
        size = maps.shape[2], maps.shape[3]
        stride, sigma = self.config.size[0] // size[0], self.config.sigma
        if self._heatmaps:
            target = gaussian_heatmaps(keypoints, size, stride, sigma)
            return heatmap_loss(maps, target, keypoints[..., 2])
        target = gaussian_maps(keypoints, size, stride, sigma)
        return spatial_cross_entropy(maps, target, keypoints[..., 2])

    def _play(
        self, adversary: Adversary, images: Tensor, keypoints: Tensor, maps: ClipMaps
    ) -> tuple[Tensor, Tensor, dict[str, float]]:
        size, sigma = (maps.frames[-1].shape[2], maps.frames[-1].shape[3]), self.config.sigma
        found = maps.frames
        if not self._heatmaps:
            found = [logits_to_heatmaps(_on_cells(logits, size), sigma) for logits in found]
        true = gaussian_heatmaps(keypoints, size, self.config.size[0] // size[0], sigma)
        return adversary.losses(images, found, true.unbind(1), keypoints[..., 2])

    def _points(self, maps: Tensor) -> NDArray[np.float32]:
        logits = heatmaps_to_logits(maps, self.config.sigma) if self._heatmaps else maps
        return map_to_crop(
            decode_maps(logits.cpu().numpy())[0], self.config.size[0] / maps.shape[2]
        )

    def _evaluation_clips(self) -> tuple[Dataset[dict[str, Any]], int]:
        if self.config.repeat is not None:
            return self.dataset(), self.config.repeat
        if self._video is not None:
            return self._video[1:]
        root = None if self.config.data is None else self.config.data.lspet
        samples = [] if root is None else kept_out_samples(root)[:_KEPT_OUT_CLIPS]
        clips = self._clips(samples, "test", seed=0, in_order=True)
        if self.config.recorded is None or not samples:
            return clips, len(samples)
        return self._record(clips, samples, len(samples), None), len(samples)

    def _record(
        self, clips: StillClips, samples: list[Sample], count: int, seed: int | None
    ) -> RecordedClips:
        key = f"{clips.description} {digest_of_samples(samples)} {self.config.penn_action}"
        return RecordedClips(clips, count, self.config.cache, key, seed)

    def _open_video(self, video: VideoConfig) -> tuple[VideoClips, VideoClips, int]:
        """Clips to learn from, clips to evaluate on, and how many those are."""
        config = self.config
        training = training_clips(video, config.frames)
        require_joints(training[0].skeleton, self.skeleton)
        kept_out = kept_out_videos(video, config.frames, _KEPT_OUT_CLIPS)
        shape = (config.frames, config.size, self.skeleton)
        drawn = VideoClips(training, *shape, self._seed, config.rotation_deg, config.scale)
        return drawn, VideoClips(kept_out, *shape, seed=0, in_order=True), len(kept_out)

    def _clips(
        self,
        samples: list[Sample],
        split: Literal["train", "test"],
        seed: int,
        in_order: bool = False,
    ) -> StillClips:
        config = self.config
        frames = config.frames if split == "train" else config.test_frames or config.frames
        return StillClips(
            samples,
            frames,
            config.size,
            self.skeleton,
            seed,
            self._motion[split],
            ClipConfig(rotation_deg=config.rotation_deg, scale=config.scale),
            in_order,
        )


def _on_cells(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits of the distributions (N, K, ...) on coarser cells; those of this `size` as they are.

    dkd-lite's first maps have twice the sides of its later ones.
    """
    ratio = logits.shape[2] // size[0]
    if ratio == 1:
        return logits
    mass = functional.avg_pool2d(map_distribution(logits), ratio) * ratio**2
    return mass.clamp_min(1e-9).log()


def clip_pck(
    found: NDArray[np.float32], true: NDArray[np.float32], skeleton: Skeleton, threshold: float
) -> float:
    """PCK in percent of the longer torso diagonal, all joints and frames in one pot.

    Args:
        found: (N, T, K, 2).
        true: (N, T, K, 3), x, y and a weight. People without a measurable torso do not count;
            NaN if nobody has one.
    """
    joints = skeleton.num_keypoints
    found, true = found.reshape(-1, joints, 2), true.reshape(-1, joints, 3)
    labelled = true[..., 2] > 0
    torso = torso_size(true, labelled, skeleton)
    score = pck(found, true, labelled, torso, skeleton.keypoints, threshold=threshold)
    return 100 * score.micro
