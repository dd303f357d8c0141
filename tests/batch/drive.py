"""A batch with poisonous and slow videos, in a process of its own that can be killed.

python drive.py FOLDER DEST MODEL [--address A] [--copied]
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import processes

from vidpose.batch.driver import run_batch
from vidpose.batch.local_pool import LocalPool
from vidpose.batch.made_with import Marks
from vidpose.batch.pool import Pool
from vidpose.batch.settings import Settings
from vidpose.batch.sources import find_sources


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("dest", type=Path)
    parser.add_argument("model")
    parser.add_argument("--address")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--copied", action="store_true", help="to scratch, and split")
    given = parser.parse_args()
    settings = Settings(given.model, split=1.0 if given.copied else None, overlap=0.5)

    def pool() -> Pool:
        if given.address is None:
            return LocalPool(given.workers, partial(processes.poisoned, given.dest, settings))
        from vidpose.batch.ray_pool import RayPool

        networks = settings.load()
        worker = processes.Poisoned
        return RayPool(given.dest, settings, networks, None, given.address, worker=worker)

    found = find_sources(f"{'file://' if given.copied else ''}{given.folder}")
    print(run_batch(found, given.dest, Marks("m", "s"), pool))


if __name__ == "__main__":
    main()
