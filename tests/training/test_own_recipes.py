"""Recipes for labels of one's own: what is written, what a checkpoint keeps, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from own_labels import write_own_coco, write_skeleton
from vidpose.data.datasets.own import open_own
from vidpose.data.loaders.stills import plain_crops, training_samples
from vidpose.errors import BundleError, DataError, RecipeError
from vidpose.evaluation.scoring import coco_figures
from vidpose.methods.dkd.task import dkd_task
from vidpose.methods.per_frame.pose import PoseTask
from vidpose.metrics.pck import person_size
from vidpose.nn.checkpoint import save_checkpoint
from vidpose.skeleton import find_skeleton
from vidpose.training.own_recipes import NewRecipes, write_recipes
from vidpose.training.recipe import Recipe, read_recipe
from vidpose.training.validation import KeptOut


@pytest.fixture
def wanted(tmp_path: Path) -> NewRecipes:
    labels, skeleton = write_own_coco(tmp_path), write_skeleton(tmp_path)
    return NewRecipes("kite", f"coco:{labels}", str(skeleton), "dkd-lite-int8", 60, 8)


def test_two_recipes_that_can_be_read(tmp_path: Path, wanted: NewRecipes) -> None:
    first, second, (train, val) = write_recipes(wanted, tmp_path / "it's here")
    assert (len(train.people), len(val.people)) == (8, 2)
    initializer, step = read_recipe(first), read_recipe(second)
    assert (initializer.task.kind, step.task.kind) == ("pose", "dkd")
    for recipe in (initializer, step):
        assert recipe.task.kind in ("pose", "dkd")
        assert recipe.task.skeleton.keypoints == ("left_tip", "right_tip", "tail")
        assert len(training_samples(recipe.task.data, recipe.task.skeleton)) == 8
        assert len(KeptOut.open(recipe.task.data, recipe.task.skeleton).stills) == 2
    assert step.task.kind == "dkd"
    assert step.task.initializer == Path("runs") / initializer.name
    assert (step.task.size, step.task.step_size) == ((256, 192), (160, 120))


def test_few_labels_train_the_pyramid_and_the_maps_alone(
    tmp_path: Path, wanted: NewRecipes
) -> None:
    """And the start teaches what it knows: here the wrist, whose label is far from it."""
    known = write_skeleton(
        tmp_path,
        keypoints=["left_tip", "right_tip", "left_wrist"],
        edges=[[0, 2], [1, 2]],
        flip_pairs=[],
    )
    labels = json.loads((tmp_path / "labels.json").read_text())
    del labels["categories"]
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    first, second, _ = write_recipes(replace(wanted, skeleton=str(known)), tmp_path / "recipes")
    assert "  # left_wrist.\n  teacher:" in first.read_text()
    recipe = read_recipe(first)
    assert recipe.task.kind == "pose"
    samples = training_samples(recipe.task.data, recipe.task.skeleton)[:2]
    task = PoseTask(recipe.task, samples)
    trained = {name for name, weight in task.network.named_parameters() if weight.requires_grad}
    assert "classifier.weight" in trained
    assert "encoder.backbone.laterals.0.weight" in trained
    assert not any(".blocks." in name or ".stem." in name or ".head." in name for name in trained)
    images, points = plain_crops(samples, (256, 192), 2)
    with torch.no_grad():
        task.network.classifier.weight.zero_()  # as it starts it agrees with itself
    loss, figures = task.loss({"image": images, "keypoints": points})
    loss.backward()
    assert float(figures["loss_teacher"]) > 0
    assert task.network.classifier.weight.grad is not None

    step = read_recipe(second, [f"task.initializer={_initializer_run(tmp_path, first, task)}"])
    assert step.task.kind == "dkd"
    clips = dkd_task(step.task, samples)
    names = {name for name, weight in clips.network.named_parameters() if weight.requires_grad}
    assert {"encoder.neck.0.weight", "distillator.gain"} <= names
    assert not any(".blocks." in name or name.startswith("initializer.") for name in names)


def _initializer_run(tmp_path: Path, recipe: Path, task: PoseTask) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    weights = {f"network.{name}": value for name, value in task.network.state_dict().items()}
    content = read_recipe(recipe).model_dump(mode="json")
    save_checkpoint(folder, {"step": 1, "recipe": content, "averaged": weights})
    return folder


def test_a_checkpoint_keeps_the_skeleton_whole(tmp_path: Path, wanted: NewRecipes) -> None:
    first, _, _ = write_recipes(wanted, tmp_path / "recipes")
    kept = read_recipe(first).model_dump(mode="json")
    (tmp_path / "kite.yaml").unlink()
    again = Recipe.model_validate(kept)
    assert again.task.kind == "pose"
    assert again.task.skeleton.flip_pairs == ((0, 1),)
    usual = yaml.safe_load(first.read_text())
    usual["task"]["skeleton"] = "penn13"
    assert Recipe.model_validate(usual).model_dump(mode="json")["task"]["skeleton"] == "penn13"


def test_what_is_refused(tmp_path: Path, wanted: NewRecipes) -> None:
    folder = tmp_path / "recipes"
    with pytest.raises(BundleError, match="none"):
        write_recipes(replace(wanted, start="none"), folder)
    with pytest.raises(BundleError, match="finder: a bundle of kind detector"):
        write_recipes(replace(wanted, start="finder"), folder)
    with pytest.raises(RecipeError, match="does not name a folder inside runs"):
        write_recipes(replace(wanted, name="../up"), folder)
    assert not folder.exists()
    write_recipes(wanted, folder)
    with pytest.raises(DataError, match="is there already"):
        write_recipes(wanted, folder)
    (tmp_path / "images/3.png").unlink()
    with pytest.raises(DataError, match=r"1 of 10 labelled images are missing.*3\.png"):
        write_recipes(replace(wanted, name="other"), folder)


def test_a_recipe_names_what_is_wrong_with_skeleton_or_data(
    tmp_path: Path, wanted: NewRecipes
) -> None:
    first, second, _ = write_recipes(wanted, tmp_path / "recipes")
    with pytest.raises(RecipeError, match="skeleton 'kites' is not known"):
        read_recipe(first, ["task.skeleton=kites"])
    with pytest.raises(RecipeError, match="coco:PATH or yolo:PATH"):
        read_recipe(first, ["task.data.own=voc:x"])
    with pytest.raises(RecipeError, match="JHMDB's labels have no joints of kite"):
        read_recipe(second, ["task.video.jhmdb=x"])


def test_oks_has_the_skeletons_sigmas(tmp_path: Path) -> None:
    labels = write_own_coco(tmp_path)

    def ap(sigma: float) -> float:
        skeleton = find_skeleton(write_skeleton(tmp_path, sigmas=sigma))
        clips = open_own(f"coco:{labels}", "val", skeleton).clips()
        assert clips.coco is not None
        results = []
        for name in clips.names:
            points = clips.read(name).keypoints[0].copy()
            points[:, 0] += 2.0
            points[:, 2] = 1
            number = clips.coco.image_ids[name]
            found = points.ravel().tolist()
            results.append({"image_id": number, "category_id": 1, "keypoints": found, "score": 1.0})
        return coco_figures(clips.coco, results)["AP"]

    assert ap(0.5) == 100
    assert ap(0.01) == 0


def test_a_unit_of_length_without_a_torso(tmp_path: Path) -> None:
    kite = find_skeleton(write_skeleton(tmp_path))
    points = np.array([[[0.0, 0, 1], [20, 0, 1], [500, 500, 0]]])
    assert person_size(points, points[..., 2] > 0, kite) == pytest.approx([6.0])
