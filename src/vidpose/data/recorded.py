"""Clips made once and kept, for many trainings on the same ones."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset


class RecordedClips(Dataset[dict[str, Any]]):
    """Items 0 to count - 1 of a data set of clips, read from a folder; endless by repetition.

    The first use makes them and writes the folder, which appears when it is complete. Item i is
    a function of (seed, i) alone: each of the clips once in every `count` items, in an order that
    the seed draws anew each time.

    Args:
        items: the clips: `images` uint8 (T, 3, h, w), `keypoints` float32 (T, K, 3).
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
        self._images = np.load(place / "images.npy", mmap_mode="r")
        self._keypoints = np.load(place / "keypoints.npy")

    def __getitem__(self, index: int) -> dict[str, Any]:
        number = index % self._count
        if self._seed is not None:
            rng = np.random.default_rng([self._seed, index // self._count])
            number = int(rng.permutation(self._count)[number])
        return {
            "images": torch.from_numpy(np.array(self._images[number])),
            "keypoints": torch.from_numpy(self._keypoints[number].copy()),
        }


def _record(items: Dataset[dict[str, Any]], count: int, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix="recording-", dir=place.parent))
    try:
        first = items[0]
        images = np.lib.format.open_memmap(
            unfinished / "images.npy", "w+", np.uint8, (count, *first["images"].shape)
        )
        keypoints = []
        for number in range(count):
            item = items[number]
            images[number] = item["images"].numpy()
            keypoints.append(item["keypoints"].numpy())
        images.flush()
        np.save(unfinished / "keypoints.npy", np.stack(keypoints))
        try:
            unfinished.replace(place)
        except OSError:  # another training was faster
            if not place.exists():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
