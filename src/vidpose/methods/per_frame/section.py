"""The part of a recipe section that all per-frame networks share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from vidpose.data.loaders.augment import AugmentConfig
from vidpose.data.loaders.stills import StillsConfig
from vidpose.skeleton import SKELETONS, Skeleton, SkeletonName


class FrameSection(BaseModel):
    """What every per-frame network learns from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: tuple[int, int]
    """Height and width of the crops."""
    skeleton: SkeletonName = "coco17"
    """The joints that the network finds."""
    augment: AugmentConfig = AugmentConfig()
    """Strengths of the augmentation."""
    data: StillsConfig

    @property
    def joints(self) -> Skeleton:
        """The skeleton by its name."""
        return SKELETONS[self.skeleton]
