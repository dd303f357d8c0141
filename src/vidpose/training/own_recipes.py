"""Recipe files for one's own labels: an initializer, and a step network that carries its poses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from vidpose.data.datasets.own import OwnPart, open_own
from vidpose.data.loaders.stills import refuse_missing
from vidpose.errors import DataError, RecipeError
from vidpose.files import cannot_write
from vidpose.methods.dkd.from_bundle import known_joints, networks_of_bundle
from vidpose.methods.dkd.light import Sizes
from vidpose.skeleton import Skeleton, find_skeleton
from vidpose.training.recipe import Recipe
from vidpose.training.recipe_faults import describe

FEW = 50
"""Labelled people below which a training is a try, no more."""


@dataclass(frozen=True, slots=True)
class NewRecipes:
    """What the recipe files are to say.

    Attributes:
        name: of the bundle; recipes and runs are named after it.
        data: coco:PATH or yolo:PATH.
        skeleton: a name or a file.
        start: a bundle of the light family, whose weights both networks start with and whose
            initializer teaches the keypoints that it has: a shipped model's name or a path.
        steps: of the initializer; the step network has half as many.
        batch_size: of the initializer; the step network, whose items are clips, has a quarter.
    """

    name: str
    data: str
    skeleton: str
    start: str
    steps: int
    batch_size: int


@dataclass(frozen=True, slots=True)
class _Start:
    """What a bundle gives: sizes (H, W) of its crops, and which keypoints it has and lacks."""

    sizes: Sizes
    known: tuple[str, ...]
    new: tuple[str, ...]


def write_recipes(new: NewRecipes, folder: Path) -> tuple[Path, Path, tuple[OwnPart, OwnPart]]:
    """Look at the labels and write NAME-initializer.yaml and NAME.yaml.

    Returns the two files and the parts of the data. Raises DataError for labels or images that are
    missing or faulty, SkeletonError for the skeleton's file, BundleError for the start's,
    RecipeError where a value cannot be, and DataError, too, where a file is there already.
    """
    skeleton = find_skeleton(new.skeleton)
    train, val = (open_own(new.data, part, skeleton) for part in ("train", "val"))
    refuse_missing(sample.image for part in (train, val) for sample in part.samples())
    start = _start(new.start, skeleton)
    texts = {
        folder / f"{new.name}-initializer.yaml": _initializer(new, skeleton, start),
        folder / f"{new.name}.yaml": _step(new, start),
    }
    for path, text in texts.items():
        if path.exists():
            raise DataError(f"{path} is there already: give another --name, or move it away")
        try:
            Recipe.model_validate(yaml.safe_load(text))
        except ValidationError as error:
            raise RecipeError(f"{path}: {describe(error, Recipe)}") from error
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise cannot_write(path, error) from error
    first, second = texts
    return first, second, (train, val)


def _start(start: str, skeleton: Skeleton) -> _Start:
    found = networks_of_bundle(Path(start))
    names = dict(zip(skeleton.keypoints, known_joints(found.skeleton, skeleton), strict=True))
    known = tuple(name for name, has in names.items() if has)
    return _Start(found.sizes, known, tuple(name for name in names if name not in known))


def _initializer(new: NewRecipes, skeleton: Skeleton, start: _Start) -> str:
    mirrored = "" if skeleton.can_be_mirrored else "  # no flip pairs: images are not mirrored\n"
    size = list(start.sizes.initializer)
    teacher = ""
    if start.known:
        teacher = f"""\
  # The start teaches what it knows, and counts as much as the labels:
  # {_some(start.known)}.
  teacher: {{weights: {_quoted(new.start)}, size: {size}, weight: 1.0}}
"""
    return f"""\
# The initializer of {new.name}: finds a person's pose in a first frame.
# Few labels must not spoil what the start knows: its trunk stays, and what is trained is the
# pyramid and the maps. With thousands of labels: frozen_trunk: false, learning_rate: 2.0e-4.
name: {new.name}-initializer
seed: 1
steps: {new.steps}
batch_size: {new.batch_size}
learning_rate: 1.0e-3
warmup_steps: {new.steps // 10}
averaging: {_averaging(new.steps)}
evaluate_every: {new.steps}
checkpoint_every: {max(new.steps // 20, 1)}
task:
  kind: pose
  skeleton: {_quoted(new.skeleton)}
  size: {size}
  sigma: 1.5
  # New keypoints start as the mean of their neighbours: {_some(start.new)}.
  start: {_quoted(new.start)}
  frozen_trunk: true
{teacher}{mirrored}  augment: {{rotation: 20, scale: [0.6, 1.3], half_body: 0.12, colour: 0.3}}
  data:
    own: {_quoted(new.data)}
"""


def _step(new: NewRecipes, start: _Start) -> str:
    steps = max(new.steps // 2, 1)
    return f"""\
# {new.name}: the step network carries the poses that {new.name}-initializer finds (train it first).
# Clips are made of the labelled stills; limbs whose joints have COCO's names move, the rest goes
# with the picture. `penn_action: FOLDER` below `task` gives them the motion of real people.
name: {new.name}
seed: 1
steps: {steps}
batch_size: {max(new.batch_size // 4, 1)}
learning_rate: 1.0e-4
warmup_steps: {steps // 10}
averaging: {_averaging(steps)}
evaluate_every: {steps}
checkpoint_every: {max(steps // 20, 1)}
task:
  kind: dkd
  skeleton: {_quoted(new.skeleton)}
  initializer: {_quoted(f"runs/{new.name}-initializer")}
  size: {list(start.sizes.initializer)}
  start: {_quoted(new.start)}
  frozen_trunk: true
  step_size: {list(start.sizes.step)}
  frames: 5
  sigma: 1.0
  teacher_weight: 1.0
  cache: cache
  data:
    own: {_quoted(new.data)}
"""


def _some(names: tuple[str, ...]) -> str:
    if not names:
        return "none"
    return (
        ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"
    )


def _averaging(steps: int) -> float:
    """A moving average over about a tenth of the run."""
    return round(min(1 - 10 / steps, 0.998), 4) if steps > 20 else 0.5


def _quoted(value: object) -> str:
    """In YAML, whatever characters a path has."""
    text = str(value).replace("'", "''")
    return f"'{text}'"
