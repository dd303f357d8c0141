"""The documents keep their promises: snippets run, commands and files exist."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
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
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
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
    known_verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    targets = re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE)
    for program, verb, *words in commands(SHOWN[name].read_text()):
        if program == "make":
            assert verb in targets
            continue
        assert verb in known_verbs, f"{name}: vidpose {verb}"
        command = known_verbs[verb]
        if verb in ("data", "recipe"):
            assert words[0] in command.commands, f"{name}: vidpose {verb} {words[0]}"
            command = command.commands[words[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        for word in words:
            if word.startswith("-") and word != "-":
                assert word in known | {"--help"}, f"{name}: vidpose {verb} {word}"


def written(verb: str, words: list[str]) -> set[str]:
    """The files that a command writes under names that do not depend on what it finds."""
    outs = {after for word, after in pairwise(words) if word in ("--out", "-o")}
    if not outs and verb in ("run", "report"):
        stem = Path(words[0]).stem
        outs = {f"{stem}.jsonl", f"{stem}_pose.mp4"} if verb == "run" else {f"{stem}.html"}
    return {out for out in outs if Path(out).suffix}


def test_what_a_newcomer_types_one_after_the_other_does_not_meet_in_one_file() -> None:
    pages = [name for name in SHOWN if name in ("README.md", "docs/index.md") or "how-to" in name]
    made: dict[str, list[str]] = {}
    for name in pages:
        for program, verb, *words in commands(SHOWN[name].read_text()):
            for out in written(verb, words) if program == "vidpose" else ():
                assert made.setdefault(out, [verb, *words]) == [verb, *words], f"{name}: {out}"


def verbs() -> dict[str, click.Command]:
    """Every verb by the words that call it."""
    found: dict[str, click.Command] = {}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", {})
        found |= {f"{name} {each}": inner[each] for each in inner} or {name: command}
    return found


@pytest.mark.parametrize("verb", list(verbs()))
def test_every_option_of_the_command_line_is_documented(verb: str) -> None:
    text = (REPOSITORY / "docs/cli.md").read_text()
    sections = re.split(r"^#{2,3} (?=vidpose )", text, flags=re.MULTILINE)
    (about,) = [part for part in sections if part.startswith(f"vidpose {verb}\n")]
    for parameter in verbs()[verb].params:
        option = parameter.opts[0]
        if option.startswith("--") and option not in ("--debug", "--help"):
            assert re.search(rf"`{option}\b", about), option


def test_every_protocol_and_data_set_is_documented() -> None:
    from vidpose.data.catalogue import DATA_SETS
    from vidpose.metrics.protocols import PROTOCOLS

    protocols, data = (
        (REPOSITORY / "docs" / f"{page}.md").read_text() for page in ("evaluation", "training")
    )
    assert [name for name in PROTOCOLS if f"| `{name}` |" not in protocols] == []
    assert [name for name in DATA_SETS if f"| `{name}` |" not in data] == []


def test_every_skeleton_and_bundle_kind_is_documented() -> None:
    from vidpose import SKELETONS
    from vidpose.bundle.kinds import KINDS

    formats, architecture = (
        (REPOSITORY / "docs" / f"{page}.md").read_text() for page in ("formats", "architecture")
    )
    assert [name for name in SKELETONS if f"`{name}`" not in formats] == []
    assert [name for name in KINDS if f"| `{name}` |" not in architecture] == []


@pytest.mark.parametrize("name", list(SHOWN))
def test_prose_is_wrapped_at_100(name: str) -> None:
    prose = re.sub(r"^```.*?^```$", "", SHOWN[name].read_text(), flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r"<!-- figures.*?<!-- end -->", "", prose, flags=re.DOTALL)
    long = [line for line in prose.splitlines() if len(line) > 100 and not line.startswith("|")]
    assert [line for line in long if " " in line.strip("#-* ")] == []


PRIVATE = "judge rivals roster likeness peers house believed"


@pytest.mark.parametrize("name", list(SHOWN))
def test_words_are_the_fields(name: str) -> None:
    """Of words that once were this project's own, none is left in prose."""
    prose = re.sub(r"```.*?```|`[^`]*`", "", SHOWN[name].read_text(), flags=re.DOTALL).lower()
    assert set(PRIVATE.split()) & set(re.findall(r"[a-z']+", prose)) == set()


@pytest.mark.parametrize("name", list(SHOWN))
def test_every_linked_file_exists(name: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", SHOWN[name].read_text()):
        if not target.startswith(("http", "#")):
            assert (SHOWN[name].parent / target).exists(), target


@pytest.mark.parametrize("name", list(SHOWN))
def test_every_file_of_the_package_that_is_named_exists(name: str) -> None:
    package, text = REPOSITORY / "src" / "vidpose", SHOWN[name].read_text()
    named = re.findall(r"`([a-z_]+/[a-z_/]*\.py)`", text)
    if name in ("docs/architecture.md", "README.md", "CONTRIBUTING.md"):
        named += re.findall(r"`([a-z_]+/[a-z_/]*)`", text)
    for path in named:
        assert (package / path).exists() or (REPOSITORY / path).exists(), path


def test_the_architecture_page_names_all_that_lies_in_the_package() -> None:
    package = REPOSITORY / "src" / "vidpose"
    text = (REPOSITORY / "docs" / "architecture.md").read_text()
    files = [path.name for path in package.glob("*.py") if path.name != "__init__.py"]
    folders = [f"{path.parent.name}/" for path in package.glob("*/__init__.py")]
    assert [name for name in sorted(files + folders) if f"`{name}`" not in text] == []


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
        assert man == pytest.approx((24, 27, 72, 191), abs=12)
        assert woman == pytest.approx((333, 262, 126, 220), abs=12)
