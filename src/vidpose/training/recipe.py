"""Recipes: one YAML file per trained model, checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from vidpose.errors import RecipeError
from vidpose.files import cannot_read
from vidpose.methods.clips.task import ClipsConfig
from vidpose.methods.distilpose.task import DistilPoseConfig
from vidpose.methods.dkd.task import DKDConfig
from vidpose.methods.fasterpose.task import FasterPoseConfig
from vidpose.methods.finder.task import FinderConfig
from vidpose.methods.okdhp.task import OKDHPConfig
from vidpose.methods.per_frame.pose import PoseConfig
from vidpose.training.distil import DistilConfig
from vidpose.training.recipe_faults import describe, impossible_number

TaskConfig = Annotated[
    PoseConfig
    | DKDConfig
    | ClipsConfig
    | FinderConfig
    | FasterPoseConfig
    | OKDHPConfig
    | DistilPoseConfig
    | DistilConfig,
    Field(discriminator="kind"),
]


class StepSchedule(BaseModel):
    """A learning rate that falls at given steps, after the warm-up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: tuple[int, ...] = Field(min_length=1)
    """Optimiser steps, ascending."""
    factor: float = Field(default=0.1, gt=0, lt=1)

    @model_validator(mode="after")
    def _ascending(self) -> StepSchedule:
        if list(self.at) != sorted(set(self.at)) or self.at[0] <= 0:
            raise ValueError(f"at: steps above 0 in ascending order, not {list(self.at)}")
        return self


class Recipe(BaseModel):
    """A training run. Unknown keys are refused.

    Relative paths are relative to the working directory.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """Names the run; its files go to `runs/NAME`. May name a folder below, as `tables/first`."""
    seed: int = Field(default=0, ge=0)
    steps: int | None = Field(default=None, gt=0)
    """Optimiser steps; this or `minutes` is given, or both, and then what ends first."""
    minutes: float | None = Field(default=None, gt=0)
    """A budget of time in the loop, evaluations not counted. The cosine follows the share of it
    that has passed, whatever the machine."""
    batch_size: int = Field(gt=0)
    optimizer: Literal["adamw", "adam", "rmsprop", "sgd"] = "adamw"
    learning_rate: float = Field(gt=0)
    momentum: float | None = Field(default=None, ge=0, lt=1)
    """Of sgd: 0.9 unless given. No other optimiser has it."""
    weight_decay: float | None = Field(default=None, ge=0)
    """0.01 for adamw, 0 for the others unless given."""
    warmup_steps: int = Field(default=200, ge=0)
    schedule: Literal["cosine"] | StepSchedule = "cosine"
    """After the warm-up."""
    final_learning_rate: float = Field(default=0.02, ge=0, le=1)
    """Fraction of the learning rate at the end of the cosine."""
    gradient_clip: float = Field(default=5.0, gt=0)
    averaging: float = Field(default=0.998, ge=0, lt=1)
    """Decay of the moving average of the weights, which is what is evaluated and exported."""
    start_share: float = Field(default=0.0, ge=0, lt=1)
    """Share of the start weights in that average at the end (Wortsman et al., "Robust fine-tuning
    of zero-shot models", arXiv 2109.01903): gives up some of what was learnt to keep more of what
    was known."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: of convolutions and products (autocast), where the GPU has it; weights stay
    float32."""
    workers: int | None = Field(default=None, ge=0)
    """Processes that make training data, 0 for none; one less than there are CPUs unless given."""
    log_every: int = Field(default=20, gt=0)
    evaluate_every: int = Field(default=500, gt=0)
    checkpoint_every: int = Field(default=100, gt=0)
    task: TaskConfig

    @field_validator("name")
    @classmethod
    def _name_stays_in_runs(cls, name: str) -> str:
        parts = name.split("/")
        if any(part in ("", ".", "..") or len(part) > 200 for part in parts):
            raise ValueError(f"'{name}' does not name a folder inside runs/")
        if "\\" in name or not name.isprintable():
            raise ValueError(f"{name!r} has characters that no folder should have")
        return name

    @model_validator(mode="after")
    def _has_an_end(self) -> Recipe:
        if self.steps is None and self.minutes is None:
            raise ValueError("steps or minutes: say how long to train")
        return self

    @model_validator(mode="after")
    def _momentum_is_of_sgd(self) -> Recipe:
        if self.momentum is not None and self.optimizer != "sgd":
            raise ValueError(f"momentum is of sgd, {self.optimizer} has none")
        return self


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides such as `steps=100` or `task.data.lspet=/data/lspet`.

    Raises RecipeError naming the file and every key that is unknown, missing or of a wrong kind.
    """
    content = _parsed(path)
    for override in overrides:
        _override(content, override)
    impossible = impossible_number(content)
    if impossible:
        raise RecipeError(f"{path}: {impossible}")
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(f"{path}: {describe(error, Recipe)}") from error


def _parsed(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), _UniqueKeys)
    except FileNotFoundError as error:
        raise RecipeError(f"{path}: not found; give the YAML file of a recipe") from error
    except OSError as error:
        raise cannot_read(path, error, RecipeError) from error
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise RecipeError(f"{path}: cannot be read as YAML ({error})") from error
    if not isinstance(content, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of keys to values")
    return content


class _UniqueKeys(yaml.SafeLoader):
    """YAML without objects of Python, in which a key stands once: of two, one would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice} stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"{override}: an override has the form key=value, e.g. steps=100")
    *path, last = key.split(".")
    for part in path:
        content = content.setdefault(part, {})
        if not isinstance(content, dict):
            raise RecipeError(f"{override}: {part} is a value, it has no keys of its own")
    try:
        content[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RecipeError(f"{override}: the value is not YAML ({error})") from error
