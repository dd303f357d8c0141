"""Threads never outnumber the CPUs that the process may use, whatever bounds these."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vidpose.inference.backends import cpus


def place(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "300000 100000\n",
          "sys/fs/cgroup/a/b/cpu.max": "400000 100000\n"}, 3),
        ({"proc/self/cgroup": "3:memory:/x\n2:cpu,cpuacct:/docker/f00\n",
          "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
          "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"proc/self/cgroup": "1:cpu:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
          "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "nonsense 0\n"}, None),
    ],
)  # fmt: skip
def test_the_quota_of_control_groups(
    files: dict[str, str], quota: float | None, tmp_path: Path
) -> None:
    assert cpus.cgroup_quota(place(tmp_path, files)) == quota


@pytest.mark.parametrize(
    ("bound", "quota", "usable"), [(8, None, 8), (8, 2.0, 2), (8, 1.5, 2), (8, 0.1, 1), (2, 6.0, 2)]
)
def test_the_smaller_bound_counts(
    bound: int, quota: float | None, usable: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(bound)), raising=False)
    monkeypatch.setattr(cpus, "cgroup_quota", lambda: quota)
    assert cpus.usable_cpus() == usable
    assert cpus.bounded_threads(None) == usable
    assert cpus.bounded_threads(100_000) == usable
    assert cpus.bounded_threads(1) == 1
