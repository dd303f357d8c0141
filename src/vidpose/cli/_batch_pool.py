"""The workers of ``vidpose batch``: processes of this machine, or a Ray cluster's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vidpose.cli._errors import needs_extra
from vidpose.errors import VidposeError

if TYPE_CHECKING:
    from vidpose.batch import Settings
    from vidpose.batch.pool import Pool
    from vidpose.inference import Detector, PoseModel


def new_pool(
    out: Path,
    settings: Settings,
    networks: tuple[PoseModel, Detector],
    workers: int | None,
    local: bool,
    address: str | None,
) -> Pool:
    """Start them. Raises VidposeError where there is no Ray, or no cluster answers."""
    from vidpose.batch.worker import Worker
    from vidpose.inference.backends.cpus import usable_cpus

    dest = out.absolute()
    if local:
        from vidpose.batch.local_pool import LocalPool

        return LocalPool(workers or usable_cpus(), partial(Worker, dest, settings))
    try:
        with needs_extra("cluster"):
            from vidpose.batch.ray_pool import RayPool
    except VidposeError as error:
        raise VidposeError(f"{error}; or give --local") from error
    return RayPool(dest, settings, networks, workers, address)
