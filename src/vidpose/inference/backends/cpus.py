"""How many CPUs this process may use, and so how many threads the networks get."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_SYSTEM = Path("/")


def usable_cpus() -> int:
    """CPUs that this process may use: those it is bound to, and no more than its cgroup's quota.

    A container with a quota sees every CPU of its host; threads beyond the quota only wait for
    each other. A part of a CPU counts as one.
    """
    allowed = getattr(os, "sched_getaffinity", None)  # not every system can bind a process
    bound = len(allowed(0)) if allowed else os.cpu_count() or 1
    quota = cgroup_quota()
    return bound if quota is None else max(1, min(bound, math.ceil(quota)))


def bounded_threads(threads: int | None) -> int:
    """``threads``, but at most one for each usable CPU; None is as many."""
    usable = usable_cpus()
    return usable if threads is None else min(threads, usable)


def default_threads(*, live: bool) -> int:
    """Threads of the networks unless a number is given.

    Of a file, decoding, drawing and encoding run at the same time as the networks, which lose more
    by waiting for a thread without a CPU than they win by it: half of the CPUs. A live source
    leaves time between its frames, and its result shall come soon: all of them.
    """
    return usable_cpus() if live else max(1, usable_cpus() // 2)


def cgroup_quota(system: Path = _SYSTEM) -> float | None:
    """CPU time a second that Linux' control groups allow this process; None: no limit, or no Linux.

    ``system``: root of the file system. The smallest limit counts, of the process' own group and
    of those around it, in either version of the interface.
    """
    quotas = [quota for quota in _quotas(system) if quota is not None]
    return min(quotas, default=None)


def _quotas(system: Path) -> Iterator[float | None]:
    mounts = system / "sys/fs/cgroup"
    for line in _words(system / "proc/self/cgroup", "\n"):
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        # In a container the group is often called as outside of it, but mounted as the root.
        inner = Path(group.lstrip("/"))
        for folder in (inner, *inner.parents):
            if not controllers:
                words = _words(mounts / folder / "cpu.max")
                yield _share(*words) if len(words) == 2 else None
            elif "cpu" in controllers.split(","):
                files = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
                quota, period = (_words(mounts / "cpu" / folder / name) for name in files)
                yield _share(quota[0], period[0]) if quota and period else None


def _words(path: Path, separator: str | None = None) -> list[str]:
    try:
        return path.read_text().split(separator)
    except (OSError, UnicodeDecodeError):
        return []


def _share(quota: str, period: str) -> float | None:
    """Of the two numbers in microseconds; "max" and -1 are no limit."""
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return share if share > 0 else None
