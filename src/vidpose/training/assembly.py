"""From a recipe to its training: task, data and evaluation, by the kind of the section."""

from __future__ import annotations

import torch

from vidpose.methods.clips.task import ClipsConfig
from vidpose.methods.dkd.task import DKDConfig
from vidpose.methods.finder.task import FinderConfig
from vidpose.training.clips import clips_training, dkd_training
from vidpose.training.frames import frame_training
from vidpose.training.people import finder_training
from vidpose.training.recipe import Recipe
from vidpose.training.task import Training


def build_training(recipe: Recipe, device: torch.device | None = None) -> Training:
    """What the recipe describes; data and start weights are loaded here.

    `device`: where networks are that help to make data; the CPU unless given.
    """
    section, seed = recipe.task, recipe.seed
    if isinstance(section, DKDConfig):
        return dkd_training(section, seed, device)
    if isinstance(section, ClipsConfig):
        return clips_training(section, seed)
    if isinstance(section, FinderConfig):
        return finder_training(section, seed)
    return frame_training(section, seed)
