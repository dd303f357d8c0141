"""The verbs as a user meets them: help, versions, wrong usage, missing extras."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest
import typer
from command import Vidpose

from vidpose.__main__ import VERBS, app
from vidpose.cli._errors import needs_extra, one_line
from vidpose.errors import InputError, VidposeError
from vidpose.words import counted


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_explains_itself_with_an_example(vidpose: Vidpose, verb: str) -> None:
    done = vidpose(verb, "--help")
    assert done.returncode == 0
    assert "Example" in done.stdout
    assert f"vidpose {verb}" in done.stdout
    assert "--debug" in done.stdout


EXTRAS = {
    "run": ["openvino"],
    "bench": ["bench", "openvino"],
    "import": ["import"],
    "label": ["train"],
    "train": ["train"],
    "export": ["train"],
}


@pytest.mark.parametrize("verb", [*VERBS, "data check"])
def test_what_stands_in_brackets_is_shown(
    vidpose: Vidpose, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unescaped [extra] is taken for a style, and vanishes."""
    monkeypatch.setenv("COLUMNS", "2000")
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", None)
    shown = vidpose(*verb.split(), "--help").stdout
    for extra in EXTRAS.get(verb, []):
        assert f"vidpose[{extra}]" in shown
    assert "install 'vidpose'" not in shown
    command: Any = typer.main.get_command(app)
    for name in verb.split():
        command = command.commands[name]
    texts = [command.help, *(getattr(each, "help", None) for each in command.params)]
    for text in filter(None, texts):
        for bracket in re.findall(r"\\(\[[^\]]*\])", text):
            assert bracket in shown
        assert not re.search(r"(?<!\\)\[[a-z#/@]", text), text


OWN_MEANING = {
    "batch": {"out", "threads", "overwrite"},
    "bench": {"out", "threads"},
    "convert": {"out", "person", "min_duration"},
    "draw": {"out"},
    "eval": {"out", "threads"},
    "live": {"out", "threads"},
    "report": {"out"},
}


def options(command: Any) -> list[Any]:
    """Those of a command, without its arguments, whose help some versions of Typer show apart."""
    return [each for each in command.params if each.param_type_name == "option"]


@pytest.mark.parametrize("verb", OWN_MEANING)
def test_an_option_of_run_is_said_in_the_same_words_elsewhere(verb: str) -> None:
    commands: Any = typer.main.get_command(app)
    of_run = {each.name: each for each in options(commands.commands["run"])}
    shared = [each for each in options(commands.commands[verb]) if each.name in of_run]
    for option in shared:
        twin = of_run[option.name]
        same = (option.help, option.metavar) == (twin.help, twin.metavar)
        assert same == (option.name not in OWN_MEANING[verb]), option.name


def test_help_names_every_verb(vidpose: Vidpose) -> None:
    done = vidpose("--help")
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in VERBS)


def test_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "vidpose", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"vidpose {version('vidpose')}\n"


@pytest.mark.parametrize(
    "arguments", [["dance"], ["run"], ["run", "a.mp4", "--no-such-option"], ["train"]]
)
def test_wrong_usage_is_exit_code_2(vidpose: Vidpose, arguments: list[str]) -> None:
    done = vidpose(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys; from vidpose.__main__ import app; "
        "print([name for name in ('numpy', 'cv2', 'av', 'onnxruntime', 'torch') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_missing_extra_says_what_to_install() -> None:
    with pytest.raises(VidposeError, match=r"pip install 'vidpose\[train\]'"), needs_extra("train"):
        raise ModuleNotFoundError("No module named 'torch'", name="torch.nn")


def test_a_missing_module_of_vidpose_itself_is_a_bug_and_stays_one() -> None:
    with pytest.raises(ModuleNotFoundError), needs_extra("train"):
        raise ModuleNotFoundError("No module named 'vidpose.x'", name="vidpose.x")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("a.mp4: not a video"), "a.mp4: not a video"),
        (InputError("two\n  lines"), "two lines"),
        (OSError(28, "No space left on device", "x.csv"), "x.csv: No space left on device"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (KeyError("k"), "internal error, KeyError: 'k' (--debug shows where)"),
    ],
)
def test_errors_are_one_line(error: Exception, line: str) -> None:
    assert one_line(error) == line


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (("run", ""), "after 'run'"),
        (("batch", "a", "--out", ""), "after '--out'"),
        (("eval", "m", "--data= ", "--out="), "of --out"),
        (("report", "a.jsonl", "  "), "after 'a.jsonl'"),
    ],
)
def test_an_empty_argument_is_not_the_current_folder(
    vidpose: Vidpose, arguments: tuple[str, ...], place: str
) -> None:
    done = vidpose(*arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"the argument {place} is empty (a shell variable without a value?)" in done.stderr


def test_people_of_videos_alone_can_be_labelled(
    vidpose: Vidpose, monkeypatch: pytest.MonkeyPatch
) -> None:
    teachers = ("--teacher", "a.onnx", "--teacher", "b.onnx", "--out", "labels.json")
    done = vidpose("label-people", *teachers)
    assert (done.returncode, "give DATA as KIND:FOLDER, or --video" in done.stderr) == (2, True)
    asked: list[Any] = []
    monkeypatch.setattr(
        "vidpose.data.pseudo_labels.label_people.write_finder_labels",
        lambda *given: asked.extend(given) or 1,
    )
    done = vidpose("label-people", *teachers, "--video", "a.mp4")
    assert (done.returncode, done.stdout) == (0, "wrote labels.json: 1 image\n"), done
    assert asked[:2] == [[], ["a.mp4"]]


def test_one_is_not_many() -> None:
    assert [counted(number, "frame") for number in (0, 1, 1068)] == [
        "0 frames",
        "1 frame",
        "1,068 frames",
    ]
    assert counted(1, "person", "people") == "1 person"
    assert counted(2, "person", "people") == "2 people"
