"""Clips made once and kept, for many trainings on the same ones."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from vidpose.data.samples import Sample


def digest_of_samples(samples: Iterable[Sample]) -> str:
    """A text that changes with the people and their labels."""
    people = hashlib.sha256()
    for sample in samples:
        people.update(sample.key.encode() + sample.keypoints.tobytes())
    return people.hexdigest()


def digest_of_weights(network: nn.Module) -> str:
    """A text that changes with the network's state."""
    state = hashlib.sha256()
    for name, value in network.state_dict().items():
        state.update(name.encode() + value.cpu().numpy().tobytes())
    return state.hexdigest()


def digest_of_file(path: Path) -> str:
    """A text that changes with a file's content, or with that of a run's checkpoint."""
    path = path / "last.pt" if path.is_dir() else path
    return hashlib.sha256(path.read_bytes()).hexdigest()


class RecordedClips(Dataset[dict[str, Any]]):
    """Items 0 to count - 1 of a data set of clips, read from a folder; endless by repetition.

    The first use makes them and writes the folder, which appears when it is complete. Item i is
    a function of (seed, i) alone: each of the clips once in every `count` items, in an order that
    the seed draws anew each time.

    Args:
        items: the clips: tensors by name, each of one shape and type in all items.
        count: how many.
        folder: where they are kept.
        key: all that decides what the clips are; another key is another folder.
        seed: of the order; None for the items' own.
    """

    def __init__(
        self,
        items: Dataset[dict[str, Any]],
        count: int,
        folder: Path,
        key: str,
        seed: int | None,
    ) -> None:
        self._count = count
        self._seed = seed
        digest = hashlib.sha256(f"{count} {key}".encode()).hexdigest()[:16]
        place = folder / f"clips-{digest}"
        if not place.exists():
            _record(items, count, place)
        self._arrays = {path.stem: np.load(path, mmap_mode="r") for path in place.glob("*.npy")}

    def __getitem__(self, index: int) -> dict[str, Any]:
        number = index % self._count
        if self._seed is not None:
            rng = np.random.default_rng([self._seed, index // self._count])
            number = int(rng.permutation(self._count)[number])
        return {
            name: torch.from_numpy(np.array(array[number])) for name, array in self._arrays.items()
        }


def _record(items: Dataset[dict[str, Any]], count: int, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix="recording-", dir=place.parent))
    try:
        arrays: dict[str, np.memmap[Any, Any]] = {}
        for number in range(count):
            for name, value in items[number].items():
                part = value.numpy()
                if number == 0:
                    arrays[name] = np.lib.format.open_memmap(
                        unfinished / f"{name}.npy", "w+", part.dtype, (count, *part.shape)
                    )
                arrays[name][number] = part
        for array in arrays.values():
            array.flush()
        try:
            unfinished.replace(place)
        except OSError:  # another training was faster
            if not place.exists():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
