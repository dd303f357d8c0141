"""The training of the person finder: composed scenes, and COCO's held-out images."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.utils.data import Dataset

from vidpose.data.loaders.people_scenes import FinderScenes
from vidpose.data.pseudo_labels.people_labels import read_labels
from vidpose.methods.finder.model import PersonFinder
from vidpose.methods.finder.task import FinderConfig, FinderTask, coco_person_ap
from vidpose.training.task import Training


def finder_training(config: FinderConfig, seed: int) -> Training:
    """The training of a `kind: finder` section. Raises DataError where data are missing."""

    def evaluate(network: nn.Module) -> dict[str, float]:
        """Person AP and AP50 of COCO's protocol."""
        assert isinstance(network, PersonFinder)
        return coco_person_ap(network, config.coco_val, config.input_size)

    return Training(FinderTask(config), _scenes(config, seed), evaluate)


def _scenes(config: FinderConfig, seed: int) -> Dataset[dict[str, Any]]:
    return FinderScenes(
        read_labels(config.labels, config.roots),
        config.roots,
        (config.cutout_photos, config.cutout_masks),
        size=config.canvas,
        seed=seed,
        weights=config.weights,
    )
