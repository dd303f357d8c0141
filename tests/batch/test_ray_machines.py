"""A cluster as people start it, by `ray start`: its client's address, its token, its data."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("ray", reason="Ray is not installed")
pytest.importorskip("grpc", reason="ray[client] is not installed")

from ray_machines import Machines
from walkers import film

from vidpose.batch.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

READ = """
import sys
import ray
ray.init(address=sys.argv[1], log_to_driver=False)
found = ray.data.read_parquet(sys.argv[2])
print(found.count(), sorted(row["video"] for row in found.groupby("video").count().take_all()))
"""


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with Machines(tmp_path_factory.mktemp("ray")) as made:
        made.add()
        yield made


def run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)


def test_by_the_client_s_address_and_read_by_ray_data(
    machines: Machines, tmp_path: Path, settings: Settings
) -> None:
    for name in "ab":
        film(tmp_path / "clips" / f"{name}.mp4")
    dest = tmp_path / "dest"
    batch = [sys.executable, "-m", "vidpose", "batch", str(tmp_path / "clips"), "--out", str(dest)]
    command = [*batch, "--model", settings.model, "--address", machines.client_address]
    for _ in range(3):
        ended = run(command, machines.environment)
        if "Ray client server failed" not in ended.stderr:  # Ray gives it a time, busy or not
            break
    assert ended.returncode == 0, ended.stderr
    assert "2 videos: 2 done" in ended.stdout
    assert pd.read_parquet(dest)["video"].value_counts().to_dict() == {"a.mp4": 6, "b.mp4": 6}

    read = [sys.executable, "-c", READ, machines.address, str(dest)]
    ended = run(read, machines.environment)
    assert ended.stdout.strip().splitlines()[-1:] == ["12 ['a.mp4', 'b.mp4']"], ended.stderr
