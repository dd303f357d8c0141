"""Ray: a cluster of two machines that are processes here, one of which goes away."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("ray", reason="Ray is not installed")

import processes
from walkers import film

from vidpose.batch.driver import run_batch
from vidpose.batch.layout import Layout
from vidpose.batch.made_with import Marks
from vidpose.batch.manifest import Manifest
from vidpose.batch.progress import Summary
from vidpose.batch.ray_pool import RayPool, short_reason
from vidpose.batch.rows import VideoRow
from vidpose.batch.settings import Settings
from vidpose.batch.sources import find_sources
from vidpose.errors import VidposeError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

SMALL = 80 * 2**20  # bytes, Ray's least object store


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without CPUs, and two machines of one CPU each. They see this folder's modules."""
    from ray.cluster_utils import Cluster

    places = f"{Path(__file__).parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", places)
        patch.setattr("vidpose.batch.ray_pool._LOOK", 0.5)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster()
        made.add_node(num_cpus=0, object_store_memory=SMALL, include_dashboard=False)
        made.add_node(num_cpus=1, object_store_memory=SMALL)
        yield made
        made.shutdown()


class Disturber:
    """Does something when the first video is finished."""

    def __init__(self, act: Any) -> None:
        self.act = act

    def planned(self, total: int, kept: int, share: float) -> None:
        pass

    def frames(self, count: int) -> None:
        pass

    def video(self, row: VideoRow, share: float) -> None:
        act, self.act = self.act, None
        if act is not None:
            act(row)


def go(cluster: Any, folder: Path, dest: Path, settings: Settings, act: Any = None) -> Summary:
    def pool() -> RayPool:
        networks = settings.load()
        return RayPool(dest, settings, networks, None, cluster.address, worker=processes.Poisoned)

    found = find_sources(str(folder))
    return run_batch(found, dest, Marks("m", "s"), pool, monitor=Disturber(act))


def rows(dest: Path) -> dict[str, VideoRow]:
    return {row.video: row for row in Manifest(Layout(dest).manifest).rows.values()}


def nothing_lost(dest: Path, frames: dict[str, int]) -> None:
    table = pd.read_parquet(dest)
    assert table.groupby("video")["frame"].nunique().to_dict() == frames
    assert not table.duplicated(["video", "frame"]).any()
    assert [path for path in dest.rglob("*") if ".part" in path.name] == []


def test_a_removed_machine_and_a_poisonous_video(
    cluster: Any, tmp_path: Path, settings: Settings
) -> None:
    folder, dest = tmp_path / "clips", tmp_path / "dest"
    for name in "ab":
        film(folder / f"{name}.mp4")
    film(folder / "poison.mp4")
    film(folder / "slow.mp4", 40)
    second = cluster.add_node(num_cpus=1, object_store_memory=SMALL)

    def remove(row: VideoRow) -> None:
        cluster.remove_node(second, allow_graceful=False)

    summary = go(cluster, folder, dest, settings, remove)
    assert (summary.done, summary.failed, summary.quarantined) == (3, 0, 1)
    found = rows(dest)
    assert found["poison.mp4"].crashes == 3
    assert {row.status for row in found.values()} == {"done", "quarantined"}
    nothing_lost(dest, {"a.mp4": 6, "b.mp4": 6, "slow.mp4": 40})


def test_a_killed_worker_loses_nothing(cluster: Any, tmp_path: Path, settings: Settings) -> None:
    folder, dest = tmp_path / "clips", tmp_path / "dest"
    for name in ("slow1", "slow2"):
        film(folder / f"{name}.mp4", 40)
    killed: list[int] = []

    def kill(row: VideoRow) -> None:
        killed.append(int(row.worker.rpartition(":")[2]))
        Timer(1.0, os.kill, (killed[0], signal.SIGKILL)).start()  # it is at the next video then

    summary = go(cluster, folder, dest, settings, kill)
    assert killed
    assert (summary.done, summary.failed) == (2, 0)
    assert sorted(row.crashes for row in rows(dest).values()) == [0, 1]
    nothing_lost(dest, {"slow1.mp4": 40, "slow2.mp4": 40})


def test_a_cluster_that_asks_for_a_token_is_told_of_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(**options: object) -> None:
        raise ConnectionError("ray client connection timeout")

    monkeypatch.setattr("vidpose.batch.ray_pool.ray.init", refuse)
    monkeypatch.setattr("vidpose.batch.ray_pool._check_answer", lambda address: None)
    nothing: Any = None
    says = r"ray://h:1: cannot be joined \(ray client.*RAY_AUTH_MODE=token.*RAY_AUTH_TOKEN"
    with pytest.raises(VidposeError, match=says):
        RayPool(tmp_path, nothing, nothing, None, "ray://h:1")


def test_of_ray_s_long_reasons_first_and_last_are_told() -> None:
    long = "The actor died.\n\tclass_name: X\n  ^^^\n\x1b[36mBundleError\x1b[39m: no such model\n"
    assert short_reason(RuntimeError(long)) == "The actor died. BundleError: no such model"
    assert short_reason(RuntimeError("")) == "RuntimeError"
