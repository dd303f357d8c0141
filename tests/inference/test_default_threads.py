"""How many threads the networks get unless a number is given."""

from __future__ import annotations

import pytest

from vidpose.inference.backends.cpus import default_threads


@pytest.mark.parametrize(("cpus", "file"), [(1, 1), (2, 1), (3, 1), (8, 4)])
def test_a_file_leaves_half_of_the_cpus_to_decoding_and_encoding(
    monkeypatch: pytest.MonkeyPatch, cpus: int, file: int
) -> None:
    monkeypatch.setattr("vidpose.inference.backends.cpus.usable_cpus", lambda: cpus)
    assert default_threads(live=False) == file
    assert default_threads(live=True) == cpus
