"""Batches for the training loop: worker processes, and what is said when something dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from vidpose.errors import VidposeError

_ENDLESS = 1 << 40
_NO_MEMORY = ("out of memory", "can't allocate memory", "DefaultCPUAllocator")


class TrainingError(VidposeError):
    """A training cannot go on."""


def batches(
    data: Dataset[dict[str, Any]],
    batch_size: int,
    workers: int | None,
    steps: range,
    device: torch.device,
) -> Iterator[dict[str, Tensor]]:
    """The batches of some optimiser steps, on the CPU.

    `workers`: processes that make items; None for one less than there are CPUs.
    """
    # Once, before workers are forked: the threads of a pool do not survive a fork, and a child
    # that waits for them waits for ever.
    cv2.setNumThreads(1)
    workers = available_cpus() - 1 if workers is None else workers
    loader = DataLoader(
        data,
        batch_size=batch_size,
        sampler=_FromItem(steps.start * batch_size, steps.stop * batch_size),
        num_workers=workers,
        pin_memory=device.type == "cuda",
    )
    try:
        yield from loader
    except VidposeError as error:
        # A worker's error comes with its traceback as text; here it says what it said there.
        said = str(error)
        if "Original Traceback" not in said:
            raise
        raise type(error)(said.strip().splitlines()[-1].partition(": ")[2]) from None


def endless(first: int) -> range:
    """Steps from `first` on."""
    return range(first, _ENDLESS)


def available_cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def said_in_one_line(folder: Path, batch_size: int) -> Iterator[None]:
    """Raise TrainingError for a worker that died and for memory that is not enough."""
    try:
        yield
    except RuntimeError as error:  # torch's errors of memory are RuntimeErrors too
        said = str(error)
        kept = "the last checkpoint is intact"
        if "DataLoader worker" in said:
            raise TrainingError(
                f"{folder}: a process that makes training data died (killed, or out of memory?); "
                f"start again with fewer workers or a smaller batch_size; {kept}"
            ) from error
        if isinstance(error, torch.OutOfMemoryError) or any(part in said for part in _NO_MEMORY):
            raise TrainingError(
                f"{folder}: not enough memory for batch_size {batch_size}: lower it, or set "
                f"precision: bfloat16 on a GPU; {kept}"
            ) from error
        raise


class _FromItem(Sampler[int]):
    """Items first, first + 1, ..., last - 1."""

    def __init__(self, first: int, last: int) -> None:
        self._range = range(first, last)

    def __iter__(self) -> Iterator[int]:
        return iter(self._range)

    def __len__(self) -> int:
        return len(self._range)
