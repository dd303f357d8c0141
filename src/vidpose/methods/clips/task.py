"""Networks for video side by side: the same clips, losses and scores, whatever the network.

DKD, LSTM Pose Machines and per-frame networks learn from clips of T frames under one recipe, so
that a table of them compares the networks alone. Those with a memory live on their own maps, in
training as in use. Clips are windows of an official video set (data/loaders/video_clips.py) or made
of stills (data/synthesis/stills_to_clips.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from vidpose.data.bounds import FACTOR, check_bounds
from vidpose.data.loaders.stills import StillsConfig
from vidpose.data.loaders.video_clips import VideoConfig
from vidpose.data.skeleton_field import SkeletonField
from vidpose.methods.clips.maps import ClipMapping, MapLossKind
from vidpose.methods.clips.networks import (
    NetworkConfig,
    build_network,
    fix_started_norms,
)
from vidpose.methods.clips.run import ClipMaps, run_clip
from vidpose.methods.dkd.adversarial import AdversarialConfig, Adversary
from vidpose.methods.dkd.pooled import DistributionDKD
from vidpose.methods.per_frame.map_teachers import MapTeacher, TeacherMaps
from vidpose.methods.per_frame.section import Side
from vidpose.nn.pixels import normalise
from vidpose.skeleton import COCO_17
from vidpose.training.losses import downweight_labels, spatial_cross_entropy
from vidpose.training.task import Batch, Task


class ClipsConfig(BaseModel):
    """Recipe section of the clips task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["clips"]
    network: NetworkConfig
    skeleton: SkeletonField = COCO_17
    size: tuple[Side, Side]
    """Height and width of the crops, multiples of 32 (of 8 for LSTM-PM)."""
    frames: int = Field(ge=2)
    """Clip length T."""
    loss: MapLossKind
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

    @property
    def mapping(self) -> ClipMapping:
        """What the network's maps are."""
        return ClipMapping(self.loss, self.sigma, self.size[0])

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


class ClipTask(Task):
    """A network for video and a loss on the maps of a clip's frames.

    Batches: `images` uint8 (N, T, 3, H, W) and `keypoints` (N, T, K, 3) in their pixels; clips
    whose first maps were recorded (`methods.dkd.recorded_maps`) have `maps` and `confidence` too,
    and images of the step's size. `source` may name the data set, for the teacher.

    Args:
        network: of `methods/clips/networks.py`.
        mapping: what its maps are.
        first: the first frame whose maps are learnt from; 1 where the initializer is frozen.
        adversary: temporally adversarial training; none unless given.
        teacher: of the frames after the first.
        teacher_weight: of its maps in the loss, where the labels have 1.
        label_distance: as of `training.losses.downweight_labels`, by the teacher; labels count
            whole unless given.
        frozen: as of `Task`.
    """

    def __init__(
        self,
        network: nn.Module,
        mapping: ClipMapping,
        *,
        first: int = 0,
        adversary: Adversary | None = None,
        teacher: MapTeacher | None = None,
        teacher_weight: float = 0.0,
        label_distance: float | None = None,
        frozen: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.network = network
        self.mapping = mapping
        self.first = first
        self.adversary = adversary
        self.teacher_weight = teacher_weight
        self.label_distance = label_distance
        self.frozen = frozen
        self.teacher = teacher

    def loss(self, batch: Batch, step: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
        images, keypoints = normalise(batch["images"]), batch["keypoints"]
        maps = run_clip(self.network, images, batch.get("maps"))
        shown = self._shown(batch) if self.teacher_weight else None
        if shown is not None and self.label_distance is not None:
            keypoints = self._downweighted(keypoints, shown, self.label_distance)
        losses = [
            self.mapping.distance(found, keypoints[:, t])
            for t, found in enumerate(maps.frames)
            if t >= self.first
        ]
        further = [self.mapping.distance(found, keypoints[:, 0]) for found in maps.further]
        loss = torch.stack(losses + further).mean()
        figures = {"loss_first_frame": losses[0].detach(), "loss_last_frame": losses[-1].detach()}
        if shown is not None:
            later = torch.stack(maps.frames[1:], 1).flatten(0, 1)
            apart = spatial_cross_entropy(later, shown.maps, shown.confidence)
            figures["loss_teacher"] = apart.detach()
            loss = loss + self.teacher_weight * apart
        if self.adversary is None:
            return loss, figures
        networks, discriminator, parts = self._play(self.adversary, images, keypoints, maps)
        figures |= {
            "loss_maps": loss.detach(),
            "loss_networks": (loss + networks).detach(),
            "loss_discriminator": discriminator.detach(),
            **parts,
        }
        return loss + networks + discriminator, figures

    def _shown(self, batch: Batch) -> TeacherMaps:
        """What the teacher finds in the later frames: distributions (N (T - 1), K, h, w)."""
        if "maps" in batch:
            confidence = batch["confidence"].flatten(0, 1).float()
            return TeacherMaps(batch["maps"][:, 1:].flatten(0, 1).float(), confidence)
        assert self.teacher is not None
        assert isinstance(self.network, DistributionDKD)
        frames, sources = batch["images"][:, 1:], batch.get("source")
        if sources is not None:
            sources = sources.repeat_interleave(frames.shape[1])
        shown = self.teacher(frames.flatten(0, 1), sources)
        return TeacherMaps(self.network.pool_maps(shown.maps), shown.confidence)

    def _downweighted(self, keypoints: Tensor, shown: TeacherMaps, distance: float) -> Tensor:
        """Keypoints (N, T, K, 3), those of the later frames weighed by the teacher."""
        later, stride = keypoints[:, 1:], self.mapping.height / shown.maps.shape[2]
        weighed = downweight_labels(later.flatten(0, 1), *shown, stride, distance)
        return torch.cat([keypoints[:, :1], weighed.view_as(later)], dim=1)

    def _play(
        self, adversary: Adversary, images: Tensor, keypoints: Tensor, maps: ClipMaps
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        size = maps.frames[-1].shape[2], maps.frames[-1].shape[3]
        found = [self.mapping.as_heatmaps(m, size) for m in maps.frames]
        true = self.mapping.heatmaps(keypoints, size)
        return adversary.losses(images, found, true.unbind(1), keypoints[..., 2])


def clips_task(config: ClipsConfig) -> ClipTask:
    """The task of a recipe section; start weights are loaded here."""
    joints = config.skeleton.num_keypoints
    network = build_network(config.network, joints, config.size, config.loss == "l2")
    fix_started_norms(config.network, network)
    adversary = None if config.adversarial is None else Adversary(joints, config.adversarial)
    return ClipTask(network, config.mapping, adversary=adversary)
