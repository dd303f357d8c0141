"""The part of a recipe section that all per-frame networks share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from vidpose.data.loaders.augment import AugmentConfig
from vidpose.data.loaders.stills import StillsConfig
from vidpose.data.skeleton_field import SkeletonField
from vidpose.skeleton import COCO_17, Skeleton

Side = Annotated[int, Field(ge=8, le=4096)]
"""A side of a crop in pixels."""


class FrameSection(BaseModel):
    """What every per-frame network learns from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: tuple[Side, Side]
    """Height and width of the crops."""
    skeleton: SkeletonField = COCO_17
    """The joints that the network finds: a name, or a file (`vidpose.skeleton.file`)."""
    augment: AugmentConfig = AugmentConfig()
    """Strengths of the augmentation."""
    data: StillsConfig

    @property
    def joints(self) -> Skeleton:
        """The skeleton."""
        return self.skeleton
