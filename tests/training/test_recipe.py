"""Recipes: the shipped ones are valid, wrong ones are refused with the key's name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml

from vidpose.errors import RecipeError
from vidpose.methods.per_frame.pose import PoseConfig
from vidpose.training.optim import build_optimizer, learning_rate
from vidpose.training.recipe import Recipe, read_recipe

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))

SMALL = """
name: small
steps: 10
batch_size: 2
learning_rate: 1.0e-3
task:
  kind: pose
  size: [64, 64]
  movenet: movenet.onnx
  sigma: 1.0
  data:
    lspet: data/lspet
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def test_there_are_recipes() -> None:
    assert {"dkd-base", "dkd-lite", "dkd-initializer"} <= {p.stem for p in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_valid(path: Path) -> None:
    assert read_recipe(path).name == path.stem


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_survives_its_checkpoint(path: Path) -> None:
    """Checkpoints carry the recipe as plain values."""
    recipe = read_recipe(path)
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


def test_defaults_and_types(small: Path) -> None:
    recipe = read_recipe(small)
    assert recipe.seed == 0
    assert isinstance(recipe.task, PoseConfig)
    assert recipe.task.size == (64, 64)
    assert recipe.task.data.lspet == Path("data/lspet")
    assert recipe.task.data.coco is None


@pytest.mark.parametrize(
    ("found", "written", "key"),
    [
        ("steps: 10", "steps: 10\nlearning_rat: 1", "learning_rat"),
        ("    lspet: data/lspet", "    lspett: data/lspet", "task.pose.data.lspett"),
        ("  sigma: 1.0\n", "", "task.pose.sigma"),
        ("steps: 10", "steps: 0", "steps"),
        ("steps: 10", "steps: many", "steps"),
        ("batch_size: 2\n", "", "batch_size"),
        ("size: [64, 64]", "size: [64]", "task.pose.size"),
        ("kind: pose", "kind: dance", "task"),
    ],
)
def test_wrong_keys_and_values_are_named(small: Path, found: str, written: str, key: str) -> None:
    assert found in SMALL
    small.write_text(SMALL.replace(found, written))
    with pytest.raises(RecipeError, match=re.escape(key)) as caught:
        read_recipe(small)
    assert str(caught.value).startswith(f"{small}: ")
    assert "\n" not in str(caught.value)


def test_every_fault_is_named_at_once(small: Path) -> None:
    small.write_text(SMALL.replace("batch_size: 2", "batch: 2"))
    with pytest.raises(RecipeError, match=r"(?=.*\bbatch_size\b)(?=.*\bbatch\b)"):
        read_recipe(small)


def test_a_recipe_has_an_end(small: Path) -> None:
    small.write_text(SMALL.replace("steps: 10\n", ""))
    with pytest.raises(RecipeError, match="steps or minutes: say how long to train"):
        read_recipe(small)
    assert read_recipe(small, ["minutes=20"]).steps is None


@pytest.mark.parametrize("content", ["a: [", "- 1\n- 2", "", "text", "\x00"])
def test_what_is_no_mapping_is_refused(small: Path, content: str) -> None:
    small.write_text(content)
    with pytest.raises(RecipeError, match=r"small\.yaml"):
        read_recipe(small)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"nowhere\.yaml"):
        read_recipe(tmp_path / "nowhere.yaml")


def test_overrides_replace_values(small: Path) -> None:
    recipe = read_recipe(
        small, ["steps=7", "task.data.lspet=/x/lspet", "task.size=[96, 64]", "averaging=0.5"]
    )
    assert recipe.steps == 7
    assert recipe.averaging == 0.5
    assert isinstance(recipe.task, PoseConfig)
    assert recipe.task.data.lspet == Path("/x/lspet")
    assert recipe.task.size == (96, 64)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("stepz=7", "stepz"),
        ("steps", "key=value"),
        ("=7", "key=value"),
        ("steps.more=7", "steps is a value"),
        ("task.data.nothing=1", "nothing"),
        ("steps=[", "steps"),
    ],
)
def test_wrong_overrides_are_named(small: Path, override: str, said: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(said)):
        read_recipe(small, [override])


def test_the_learning_rate_warms_up_and_falls(small: Path) -> None:
    recipe = read_recipe(
        small, ["steps=110", "warmup_steps=10", "learning_rate=1.0", "final_learning_rate=0.1"]
    )
    rates = [learning_rate(recipe, step) for step in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(1)
    assert max(rates) == pytest.approx(1)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[60] == pytest.approx(0.55)  # half way down the cosine
    assert rates[-1] == pytest.approx(0.1, abs=0.001)


def test_the_learning_rate_falls_in_steps_after_the_warm_up(small: Path) -> None:
    """Published for LSTM-PM: times 0.333 at each."""
    recipe = read_recipe(
        small,
        ["steps=60", "warmup_steps=5", "learning_rate=1", "schedule={at: [20, 40], factor: 0.333}"],
    )
    rates = [learning_rate(recipe, step) for step in (0, 4, 5, 19, 20, 39, 40, 59)]
    assert rates == pytest.approx([0.2, 1, 1, 1, 0.333, 0.333, 0.333**2, 0.333**2])


@pytest.mark.parametrize(
    ("name", "kind", "decay", "changes"),
    [
        ("adamw", torch.optim.AdamW, 0.01, {"betas": (0.9, 0.99)}),
        ("adam", torch.optim.Adam, 0, {"betas": (0.9, 0.999)}),
        ("rmsprop", torch.optim.RMSprop, 0, {"momentum": 0, "alpha": 0.99}),
        ("sgd", torch.optim.SGD, 0, {"momentum": 0.9}),
    ],
)
def test_each_optimiser_by_its_name(
    small: Path, name: str, kind: type, decay: float, changes: dict[str, object]
) -> None:
    network = torch.nn.Linear(2, 3)
    for more, expected in ([], decay), (["weight_decay=0.25"], 0.25):
        optimizer = build_optimizer(read_recipe(small, [f"optimizer={name}", *more]), network)
        assert type(optimizer) is kind
        weights, biases = optimizer.param_groups
        assert [weights["weight_decay"], biases["weight_decay"]] == [expected, 0]
        assert weights["params"] == [network.weight]
        assert {key: weights[key] for key in changes} == changes


def test_momentum_is_of_sgd_alone(small: Path) -> None:
    optimizer = build_optimizer(
        read_recipe(small, ["optimizer=sgd", "momentum=0.5"]), torch.nn.Linear(2, 3)
    )
    assert optimizer.param_groups[0]["momentum"] == 0.5
    with pytest.raises(RecipeError, match="momentum is of sgd, adam has none"):
        read_recipe(small, ["optimizer=adam", "momentum=0.5"])


@pytest.mark.parametrize(
    "override",
    [
        "optimizer=lion",
        "schedule=linear",
        "schedule={at: []}",
        "schedule={at: [5, 3]}",
        "schedule={at: [0, 3]}",
        "schedule={at: [3], factor: 1.5}",
        "schedule={every: 3}",
    ],
)
def test_wrong_settings_are_named(small: Path, override: str) -> None:
    with pytest.raises(RecipeError, match=override.partition("=")[0]):
        read_recipe(small, [override])


TABLES = sorted((ROOT / "recipes" / "tables").glob("*.yaml"))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_row_of_a_table_is_a_recipe(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    names = [row["name"] for row in content["rows"]]
    assert len(set(names)) == len(names)
    for row in [*content.get("teachers", []), *content["rows"]]:
        given = [*content["common"], *row.get("set", [])]
        read_recipe(ROOT / row["recipe"], [one.replace("{runs}", "runs/x") for one in given])
        assert row.get("against", names[0]) in names
        assert set(row.get("seeds", [])) <= set(content["seeds"])


@pytest.mark.parametrize(
    ("found", "written", "said"),
    [
        ("learning_rate", "learning_rat", "learning_rat: unknown key; did you mean learning_rate?"),
        ("lspet: data", "lspett: data", "data.lspett: unknown key; did you mean lspet?"),
        (
            "  sigma: 1.0",
            "  sigma: 1.0\n  augment: {flipp: 1}",
            "flipp: unknown key; did you mean flip",
        ),
        ("  sigma: 1.0", "  sigma: 1.0\n  teacher: {weigths: x}", "did you mean weights?"),
        ("kind: pose", "kind: poze", "no kind 'poze'; did you mean pose?"),
        ("steps: 10", "steps: 10\nzzz: 1", "zzz: unknown key; known are averaging, batch_size"),
    ],
)
def test_a_misspelt_key_gets_the_nearest_known(
    small: Path, found: str, written: str, said: str
) -> None:
    small.write_text(SMALL.replace(found, written, 1))
    with pytest.raises(RecipeError) as caught:
        read_recipe(small)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "override",
    [
        "task.sigma=0", "task.sigma=-1", "task.sigma=.nan", "learning_rate=.inf", "seed=-1",
        "batch_size=10000000000", "task.size=[0, 64]", "task.size=[-64, 64]",
        "task.data.coco_repeats=0", "task.augment.flip=2", "task.augment.scale=[1.3, 0.7]",
        "task.augment.scale=[0, 1]", "task.augment.rotation=-3", "task.augment.blur=.nan",
    ],
)  # fmt: skip
def test_numbers_out_of_bounds_are_refused_by_key(small: Path, override: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_recipe(small, [override])
    key = override.partition("=")[0].rpartition(".")[2]
    assert key in str(caught.value)


@pytest.mark.parametrize(
    ("recipe", "override", "said"),
    [
        ("dkd-lite", "task.frames=1", "frames: Input should be greater than or equal to 2"),
        ("dkd-lite", "task.step_size=[0, 96]", "step_size.0"),
        ("dkd-lite", "task.teacher=x.onnx task.teacher_weight=0", "it is idle"),
        ("dkd-lite", "task.clips.stride=[0, 2]", "stride must lie in 1 to 30"),
        ("dkd-lite", "task.clips.degradation.quality=[0, 20]", "quality must lie in 1 to 100"),
        ("dkd-lite", "task.clips.occluders.count=0", "count must lie in 1 to 100"),
        ("dkd-lite", "task.clips.light.contrast=-1", "contrast must lie in 0 to 1"),
        ("dkd-lite", "task.clips.tracker.padding=0", "padding must lie in 0.01"),
        ("dkd-penn", "task.scale=[1.3, 0.7]", "scale: the smallest comes first"),
        ("dkd-penn", "task.size=[0, 64]", "task.clips.size.0"),
        ("okdhp-4hg-coco", "task.network.branches=[0, 1]", "branches.0"),
        ("okdhp-4hg-coco", "task.network.branches=[]", "branches"),
        ("sdpose-s-coco", "task.encoder.patch=[0, 3]", "patch.0"),
        ("finder", "task.weights={lspet: 0}", "weights: all are 0"),
        ("finder", "task.weights={lspet: -1}", "weights.lspet"),
    ],
)
def test_every_section_has_bounds(recipe: str, override: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_recipe(ROOT / "recipes" / f"{recipe}.yaml", re.split(r" (?=task)", override))
    assert said in str(caught.value)


def test_a_teacher_without_any_weight_is_idle() -> None:
    with pytest.raises(RecipeError, match="weights: the teacher is idle; give maps, simulated"):
        read_recipe(ROOT / "recipes" / "distil-small.yaml", ["task.weights={labels: 1}"])


@pytest.mark.parametrize("name", ["../out", "/etc", "", ".", "a/../../b", "a//b", "a\\b", "a\nb"])
def test_a_name_stays_in_runs(small: Path, name: str) -> None:
    with pytest.raises(RecipeError, match="name: "):
        read_recipe(small, [f'name="{name}"'.replace("\\", "\\\\").replace("\n", "\\n")])
    assert read_recipe(small, ["name=tables/00-seed1"]).name == "tables/00-seed1"


def test_a_recipe_that_is_not_there_or_no_recipe(tmp_path: Path, small: Path) -> None:
    with pytest.raises(RecipeError, match=r"gone\.yaml: not found"):
        read_recipe(tmp_path / "gone.yaml")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path)
    small.write_text(SMALL + "steps: 11\n")
    with pytest.raises(RecipeError, match="the key steps stands twice"):
        read_recipe(small)
    small.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="cannot be read as YAML"):
        read_recipe(small)
    small.write_text("\ufeff" + SMALL, encoding="utf-8")
    assert read_recipe(small).steps == 10
