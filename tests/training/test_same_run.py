"""A run folder goes on with its own recipe, or more steps; another recipe is refused by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from vidpose.errors import RecipeError
from vidpose.nn.checkpoint import save_checkpoint
from vidpose.training.loop import run_recipe
from vidpose.training.recipe import Recipe
from vidpose.training.same_run import refuse_another, steps_done

TASK = {"kind": "pose", "size": [64, 64], "movenet": "data/x.onnx", "sigma": 1, "data": {}}
VALUES: dict[str, Any] = {
    "name": "small",
    "steps": 10,
    "batch_size": 4,
    "learning_rate": 0.01,
    "task": TASK,
}


def recipe(**changes: Any) -> Recipe:
    return Recipe.model_validate({**VALUES, **changes})


def held(**changes: Any) -> dict[str, Any]:
    return recipe(**changes).model_dump(mode="json")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"steps": 20},
        {"workers": 3, "log_every": 1, "evaluate_every": 7, "checkpoint_every": 3},
        {"task": {**TASK, "movenet": "./data/x.onnx"}},
    ],
    ids=str,
)
def test_what_gives_the_same_result_goes_on(changes: dict[str, Any]) -> None:
    refuse_another(recipe(**changes), held(), Path("runs/small"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning_rate": 0.5}, "learning_rate was 0.01 and is 0.5"),
        ({"steps": 9}, "steps was 10 and is 9"),
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"optimizer": "sgd"}, "optimizer was adamw and is sgd"),
        ({"schedule": {"at": [5]}}, "schedule.at was not given and is [5]"),
        ({"weight_decay": 0.1}, "weight_decay was not given and is 0.1"),
        ({"task": {**TASK, "size": [96, 64]}}, "task.size was [64, 64] and is [96, 64]"),
        ({"task": {**TASK, "sigma": 2}}, "task.sigma was 1.0 and is 2.0"),
        ({"task": {**TASK, "movenet": "data/y.onnx"}}, "task.movenet was data/x.onnx and is"),
        ({"task": {**TASK, "augment": {"flip": 0}}}, "task.augment.flip was 0.5 and is 0.0"),
        ({"task": {**TASK, "data": {"coco": "a/b"}}}, "task.data.coco was not given and is a/b"),
    ],
)
def test_what_gives_another_is_refused_by_key(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        refuse_another(recipe(**changes), held(), Path("runs/small"))
    assert said in str(caught.value)
    assert "give this recipe another name (only steps may grow)" in str(caught.value)


def test_a_key_that_the_older_run_did_not_know_has_its_default() -> None:
    had = held()
    del had["optimizer"], had["start_share"], had["task"]["skeleton"]
    refuse_another(recipe(), had, Path("runs/small"))
    with pytest.raises(RecipeError, match=r"start_share was 0\.0 and is 0\.5"):
        refuse_another(recipe(start_share=0.5), had, Path("runs/small"))


def test_steps_done(tmp_path: Path) -> None:
    assert steps_done(recipe(), tmp_path / "none") == 0
    save_checkpoint(tmp_path, {"step": 7, "recipe": held(), "averaged": {}})
    assert steps_done(recipe(steps=11), tmp_path) == 7


def test_another_recipe_is_refused_before_data_are_read(tmp_path: Path) -> None:
    (tmp_path / "runs" / "small").mkdir(parents=True)
    save_checkpoint(tmp_path / "runs" / "small", {"step": 7, "recipe": held(), "averaged": {}})
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(VALUES))
    with pytest.raises(RecipeError, match=r"runs/small: holds .* batch_size was 4 and is 8"):
        run_recipe(path, ["batch_size=8"], tmp_path / "runs")
