"""The manifest: rows survive anything that can happen between two of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from vidpose.batch import manifest as module
from vidpose.batch.manifest import Manifest
from vidpose.batch.rows import DONE, FAILED, VideoRow
from vidpose.errors import InputError

ROW = VideoRow("a.mp4", "/x/a.mp4", DONE, "12 34", "lite", "abc", "0.1.0", "host:7", 1.5, 12, 2)


def row(number: int, **changes: object) -> VideoRow:
    return replace(ROW, video=f"{number}.mp4", source=f"/x/{number}.mp4", **changes)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    full = replace(ROW, error="no\nreason", warnings="one\ntwo", digest="d", crashes=2, pieces=3)
    Manifest(tmp_path).append([full, row(1)])
    assert Manifest(tmp_path).rows == {full.source: full, "/x/1.mp4": row(1)}


def test_the_newest_row_of_a_source_counts(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    manifest.append([row(1, status=FAILED)])
    manifest.append([row(1)])
    assert Manifest(tmp_path).rows["/x/1.mp4"].status == DONE
    manifest.gather()
    assert list(pd.read_parquet(tmp_path)["status"]) == [DONE]


def test_appends_are_gathered_now_and_then(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    for number in range(module._GATHER_EVERY + 3):
        manifest.append([row(number)])
    assert len(files(tmp_path)) < 5
    assert len(Manifest(tmp_path).rows) == module._GATHER_EVERY + 3


def test_a_process_that_died_while_gathering_changes_nothing(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    manifest.append([row(1, status=FAILED)])
    old = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    manifest.append([row(1), row(2)])
    manifest.gather()
    for name, content in old.items():  # as if it had not come to removing them
        (tmp_path / name).write_bytes(content)
    again = Manifest(tmp_path)
    assert again.rows["/x/1.mp4"].status == DONE
    again.append([row(3)])
    again.gather()
    assert len(files(tmp_path)) == 1
    assert len(Manifest(tmp_path).rows) == 3


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    Manifest(tmp_path).append([ROW])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"rows-0.*damaged.*remove this file"):
        Manifest(tmp_path)


def test_another_table_is_no_manifest(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "rows-000000001-000000001.parq")
    with pytest.raises(InputError, match="damaged"):
        Manifest(tmp_path)
