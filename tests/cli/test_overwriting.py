"""No verb replaces a file unasked, and none says so only after its work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command import NewClip, Vidpose

from vidpose import cli
from vidpose.cli._errors import UsageMistake
from vidpose.cli._files import check_outputs

MODEL, PENN = "dkd-lite-int8", ("--data", "penn_action:nowhere", "--protocol", "penn-bbox")
COMMANDS = {
    "out.csv": ("eval", "gone.csv", *PENN),
    "out.md": ("eval", MODEL, *PENN),
    "out.json": ("bench",),
    "out.html": ("report", "gone.jsonl"),
    "out.parquet": ("convert", "gone.jsonl"),
    "import.vidpose": ("import", "gone.onnx"),
    "checkpoint.vidpose": ("export", "gone.pt"),
    "trust.vidpose": ("export", MODEL, "--trust", "max_age=1"),
    "draw.mp4": ("draw", "gone.jsonl", "gone.mp4"),
    "labels.json": ("label", "lspet:nowhere", "--teacher", "gone.onnx"),
    "people.json": (
        "label-people",
        *("lspet:nowhere", "--teacher", "gone.onnx", "--teacher", "b.onnx"),
    ),
    "live.jsonl": ("live", "gone.mp4", "--no-page"),
}
"""Commands that have nothing to work on, so that whatever they do first is what is seen."""


def test_every_verb_that_writes_is_here() -> None:
    folder = Path(cli.__file__).parent
    files = [path.stem for path in folder.glob("[a-z]*.py") if "\n    out: " in path.read_text()]
    verbs = {name.rstrip("_").replace("_", "-") for name in files}
    others = {"run", "batch", "recipe"}  # which have tests of their own
    assert verbs == others | {command[0] for command in COMMANDS.values()}


@pytest.mark.parametrize("out", COMMANDS)
def test_a_file_is_replaced_only_when_that_is_asked_for(
    vidpose: Vidpose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(out).write_text("mine")
    ended = vidpose(*COMMANDS[out], "--out", out)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended
    assert f"--out {out}: it exists; --overwrite" in ended.stderr
    assert Path(out).read_text() == "mine"
    if out != "out.json":  # which would measure
        assert "it exists" not in vidpose(*COMMANDS[out], "--out", out, "--overwrite").stderr


def test_what_is_read_is_never_replaced(
    vidpose: Vidpose, new_clip: NewClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("theirs.csv", "mine.vidpose"):
        Path(name).write_text("mine")
    Path("link.csv").symlink_to("theirs.csv")
    new_clip("folder/clip.mp4")
    Path("folder/a.png").write_bytes(b"")
    for command in (
        ("eval", "theirs.csv", *PENN, "--out", "theirs.csv"),
        ("eval", "theirs.csv", *PENN, "--out", "link.csv"),
        ("export", "mine.vidpose", "--trust", "max_age=1", "--out", "./mine.vidpose"),
        ("bench", "folder/a.png", "--out", "folder/../folder/a.png"),
    ):
        ended = vidpose(*command, "--overwrite")
        assert (ended.returncode, "would be overwritten" in ended.stderr) == (2, True), command
        assert Path("theirs.csv").read_text() == Path("mine.vidpose").read_text() == "mine"


@pytest.mark.parametrize(
    ("outs", "said"),
    [
        (["a.md", "./a.md"], "given twice"),
        (["folder"], "this is a folder"),
        (["file/a.md"], "file is a file, not a folder"),
        (["closed/new/a.md"], "no permission to write in"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outs: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "closed")
    Path("file").touch()
    for name in ("folder", "closed"):
        Path(name).mkdir()
    with pytest.raises(UsageMistake, match=said):
        check_outputs([Path(out) for out in outs], overwrite=True)


def test_missing_folders_are_made(vidpose: Vidpose, tmp_path: Path) -> None:
    out = tmp_path / "new" / "deeper" / "eager.vidpose"
    ended = vidpose("export", MODEL, "--trust", "max_age=1", "--out", out)
    assert ended.returncode == 0, ended.stderr
    assert out.is_file()
