"""``vidpose export``: what goes together, and the way to an INT8 bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from command import Vidpose

pytest.importorskip("torch", reason="a part of the training side")

from vidpose.bundle import DkdSettings, find_bundle, read_bundle
from vidpose.data.loaders.stills import StillsConfig
from vidpose.defaults import DEFAULT_MODEL


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x.vidpose",), "is a bundle already"),
        (("x.vidpose", "--int8"), "--data lspet:PATH"),
        (("x.vidpose", "--int8", "--data", "lspet"), "give NAME:PATH"),
        (("x.vidpose", "--int8", "--data", "lspet:a", "--trust", "max_age=1"), "--int8 alone"),
        (("x.vidpose", "--trust", "max_age=1", "--data", "lspet:a"), "--trust needs none"),
        (("last.pt", "--data", "penn_action:here"), "have labelled stills"),
        (("last.pt", "--trust", "max_age"), "NAME=VALUE"),
    ],
)
def test_what_does_not_go_together(
    vidpose: Vidpose, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    ended = vidpose("export", *arguments, "--out", tmp_path / "out.vidpose")
    assert ended.returncode == 2
    assert message in ended.stderr
    assert not (tmp_path / "out.vidpose").exists()


def test_a_shipped_model_gets_another_trust_without_data(vidpose: Vidpose, tmp_path: Path) -> None:
    out = tmp_path / "eager.vidpose"
    ended = vidpose("export", DEFAULT_MODEL, "--trust", "max_drop=0.1", "--out", out)
    assert ended.returncode == 0, ended.stderr
    made, source = read_bundle(out), read_bundle(find_bundle(DEFAULT_MODEL))
    assert isinstance(made.settings, DkdSettings)
    assert isinstance(source.settings, DkdSettings)
    assert made.settings.trust == replace(source.settings.trust, max_drop=0.1)
    assert made.graphs == source.graphs


def test_a_model_and_its_data_reach_the_quantiser(
    vidpose: Vidpose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("vidpose.export.export_int8", lambda *given: asked.extend(given))
    out = tmp_path / "small.vidpose"
    data = ("--data", "lspet:a:b", "--data", "penn_action:c")
    ended = vidpose("export", "x.vidpose", "--int8", *data, "--out", out)
    assert ended.returncode == 0
    assert asked == ["x.vidpose", out, {"lspet": Path("a:b"), "penn_action": Path("c")}, None]


def test_a_checkpoint_and_its_precision_reach_the_export(
    vidpose: Vidpose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(
        "vidpose.export.export_checkpoint", lambda *given, **more: asked.extend([*given, more])
    )
    (tmp_path / "run").mkdir()
    out = tmp_path / "x.vidpose"
    given = ("--int8", "--trust", "max_age=0.5", "--padding", "1.1", "--data", "lspet:there")
    assert vidpose("export", tmp_path / "run", *given, "--out", out).returncode == 0
    stills = StillsConfig(lspet=Path("there"))
    more = {"int8": True, "trust": {"max_age": 0.5}, "padding": 1.1, "stills": stills}
    assert asked == [tmp_path / "run", out, more]


def test_what_is_no_checkpoint_is_explained(vidpose: Vidpose, tmp_path: Path) -> None:
    ended = vidpose("export", "nope", "--out", tmp_path / "x.vidpose")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "no model of that name (there are: " in ended.stderr
    assert DEFAULT_MODEL in ended.stderr
    (tmp_path / "text.mp4").write_text("this is no video\n")
    ended = vidpose("export", tmp_path / "text.mp4", "--out", tmp_path / "x.vidpose")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "text.mp4: not a checkpoint of `vidpose train`, or a damaged one" in ended.stderr
