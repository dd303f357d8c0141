from __future__ import annotations

from vidpose.words import counted


def test_one_has_no_plural() -> None:
    assert counted(1, "frame") == "1 frame"
    assert counted(0, "frame") == "0 frames"
    assert counted(1068, "frame") == "1,068 frames"
    assert [counted(n, "person", "people") for n in (1, 2)] == ["1 person", "2 people"]
