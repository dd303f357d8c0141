"""The documents keep their promises: snippets run, commands and files exist."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer.main

from vidpose.__main__ import app
from vidpose.bundle import available_models
from vidpose.defaults import DEFAULT_MODEL
from vidpose.video import VideoWriter

REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    REPOSITORY / name
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "docs/architecture.md",
        "docs/cli.md",
        "docs/bench.md",
        "docs/troubleshooting.md",
        "docs/formats.md",
        "docs/evaluation.md",
        "docs/data.md",
        "docs/protocols.md",
        "docs/training.md",
        "docs/dkd.md",
        "docs/distillation.md",
    )
]
SHOWN = {document.relative_to(REPOSITORY).as_posix(): document for document in DOCUMENTS}


def blocks(text: str, *languages: str) -> list[str]:
    """Code blocks of these languages."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [code for language, code in fenced if language in languages]


def commands(text: str) -> Iterator[list[str]]:
    """Words of every `vidpose ...` and `make ...` command, in blocks and in running text."""
    inline = re.findall(r"`((?:vidpose|make) [^`\n]+)`", text)
    joined = [block.replace("\\\n", " ") for block in blocks(text, "bash", "")]
    lines = [line for block in joined for line in block.splitlines()]
    for line in [*lines, *inline]:
        if re.match(r"(vidpose|make) [a-z\-]", line):
            yield shlex.split(line, comments=True)


@pytest.mark.parametrize("name", list(SHOWN))
def test_every_command_shown_exists(name: str) -> None:
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    targets = re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE)
    for program, verb, *words in commands(SHOWN[name].read_text()):
        if program == "make":
            assert verb in targets
            continue
        assert verb in verbs, f"{name}: vidpose {verb}"
        command = verbs[verb]
        if verb == "data":
            assert words[0] in command.commands, f"{name}: vidpose data {words[0]}"
            command = command.commands[words[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        for word in words:
            if word.startswith("-"):
                assert word in known | {"--help"}, f"{name}: vidpose {verb} {word}"


@pytest.mark.parametrize("verb", ["run", "bench", "models", "doctor", "label", "train", "export"])
def test_every_option_of_the_command_line_is_documented(verb: str) -> None:
    text = (REPOSITORY / "docs/cli.md").read_text()
    section = re.split(r"^#{2,3} ", text, flags=re.MULTILINE)
    (about,) = [part for part in section if part.startswith(f"vidpose {verb}\n")]
    params = typer.main.get_command(app).commands[verb].params  # type: ignore[attr-defined]
    for parameter in params:
        option = parameter.opts[0]
        if option.startswith("--") and option not in ("--debug", "--help"):
            assert option in about, option


def test_every_option_of_eval_and_data_check_is_documented() -> None:
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for command, page in ((verbs["eval"], "protocols"), (verbs["data"].commands["check"], "data")):
        text = (REPOSITORY / "docs" / f"{page}.md").read_text()
        for parameter in command.params:
            option = parameter.opts[0]
            if option.startswith("--") and option not in ("--debug", "--help"):
                assert f"`{option}" in text, option


def test_every_protocol_and_data_set_is_documented() -> None:
    from vidpose.data.catalogue import DATA_SETS
    from vidpose.metrics.protocols import PROTOCOLS

    protocols, data = ((REPOSITORY / "docs" / f"{p}.md").read_text() for p in ("protocols", "data"))
    assert [name for name in PROTOCOLS if f"| `{name}` |" not in protocols] == []
    assert [name for name in DATA_SETS if f"| `{name}` |" not in data] == []


@pytest.mark.parametrize("name", list(SHOWN))
def test_every_linked_file_exists(name: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", SHOWN[name].read_text()):
        if not target.startswith("http"):
            assert (SHOWN[name].parent / target).exists(), target


@pytest.mark.parametrize("name", ["docs/architecture.md", "README.md", "CONTRIBUTING.md"])
def test_every_file_of_the_package_that_is_named_exists(name: str) -> None:
    package = REPOSITORY / "src" / "vidpose"
    for path in re.findall(r"`([a-z_]+/(?:[a-z_]+\.py)?)`", SHOWN[name].read_text()):
        assert (package / path).exists() or (REPOSITORY / path).exists(), path


def test_readme_snippet_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not {DEFAULT_MODEL, "finder"} <= set(available_models()):
        pytest.skip("this checkout ships no models yet")
    monkeypatch.chdir(tmp_path)
    frame = cv2.imread(str(REPOSITORY / "tests" / "assets" / "two_people.jpg"))[:, :, ::-1]
    with VideoWriter("dance.mp4", width=frame.shape[1], height=frame.shape[0]) as video:
        for number in range(5):
            video.write(np.ascontiguousarray(frame), number / 25)
    (snippet,) = blocks((REPOSITORY / "README.md").read_text(), "python")
    assert len([line for line in snippet.splitlines() if line]) == 6
    exec(compile(snippet, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list("01234")
    for line in lines:  # a man and a woman, with boxes (x, y, width, height)
        people = dict(ast.literal_eval(line.split(maxsplit=1)[1]))
        assert sorted(people) == [1, 2]
        man, woman = sorted(people.values())
        assert man == pytest.approx((36, 11, 161, 198), abs=25)
        assert woman == pytest.approx((428, 257, 63, 201), abs=12)
