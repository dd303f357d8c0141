"""Model cards: what a bundle is, what it was made from, how good it is and how to make it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidpose.bundle import Bundle, DetectorSettings, DkdSettings, Size
from vidpose.data.loaders.stills import StillsConfig
from vidpose.export.kept_out import measured_on
from vidpose.inference.crop import PADDING
from vidpose.methods.dkd.from_bundle import is_bundle
from vidpose.training.recipe import Recipe

_START = """\
Start: the weights of MoveNet Lightning, for a wide initializer MoveNet Thunder (Google,
Apache-2.0), trunk, pyramid and heatmap branch; trained further for vidpose. See NOTICE.
"""

_FINDER_START = """\
Shape and start: RTMDet-nano for people (OpenMMLab, Apache-2.0), its published weights; trained
further by vidpose. See NOTICE.
"""

_POSE_DATA = """\
## Data

| set | used for | licence |
|---|---|---|
| Leeds Sports Pose Extended (Johnson and Everingham, CVPR 2011) | crowd-sourced labels of 14 joints, checked and completed by a teacher | Flickr images, for research use; please cite |
| Clothing Co-Parsing (Yang, Luo, Lin, CVPR 2014) | photographs, keypoints by a teacher | repository Apache-2.0; street photographs from the web |
| COCO 2017, 327 people of 134 images of train2017 | keypoints | labels CC BY 4.0; Flickr images of several licences, some non-commercial |
| JHMDB (Jhuang et al., ICCV 2013), training clips of split 1 | real video: joints and masks of one person | HMDB: CC BY 4.0; please cite |
| Penn Action (Zhang, Zhu, Derpanis, ICCV 2013) | joint tracks of the training split, as motion; no images | please cite |

**Some of these images may be used for research only.** Whether weights inherit the terms of their
training images is not settled law: decide for your use, or train on images of your own.

Teachers: PP-TinyPose 256 x 192 (PaddleDetection, Apache-2.0), as pseudo-labels and by its maps;
MoveNet Thunder, whose maps the initializer is held to; the initializer, whose maps the step is held
to. 500 images of Leeds Sports Pose Extended, all of COCO val2017 and the test clips of JHMDB's
split 1 were kept out of training.
"""  # noqa: E501

_OWN_DATA = """\
## Data

The sets that the task above names. The 500 kept-out images of Leeds Sports Pose Extended and the
validation splits of COCO and MPII were not trained on. **Start weights, teacher and images have
licences of their own**: whether the result inherits their terms is for you to decide.
"""

_OWN_LABELS = """\
## Data

The labels that the task above names (`own`), and other sets where it names them. People of its
part `val` were not trained on. **Start weights and images have licences of their own**: whether the
result inherits their terms is for you to decide.
"""

_FINDER_DATA = """\
## Data

Photographs of Leeds Sports Pose Extended (for research use; please cite), Clothing Co-Parsing
(repository Apache-2.0) and COCO train2017 (160 images of several licences, some non-commercial),
frames of JHMDB's training clips of split 1 (HMDB: CC BY 4.0; please cite) and of short public video
clips, composed into scenes. Boxes are COCO's own, and elsewhere where RTMDet-nano (OpenMMLab,
Apache-2.0) and YOLOX-nano (Megvii, Apache-2.0) agree. COCO val2017, 500 images of Leeds Sports
Pose Extended and the test clips of JHMDB's split 1 were kept out of training.

**Some of these images may be used for research only.** Whether weights inherit the terms of their
training images is not settled law: decide for your use, or train on images of your own.
"""


_STEP_DATA = """\
Measured by `vidpose export` on the bundle itself, boxes from the labels. `initializer`: {stills}
kept-out stills of Leeds Sports Pose Extended. `step`: {clips} of them made into clips of 10 frames,
moved by Penn Action's test tracks where the recipe names them. `coco_...`: the same with people of
COCO val2017, and as many clips. PCK: percent of joints within 0.2
(0.1) of the torso's longer diagonal, left and right strict. `calibration_error`: expected
calibration error of the confidences, on images that the calibration was not fitted on. How far each
graph finds keypoints beside training labels on average (`offset` in bundle.json) is taken away.
"""
_OWN_STEP_DATA = """\
Measured by `vidpose export` on the bundle itself, boxes from the labels, on the people that were
set aside (val), 500 at most. `initializer`: the stills. `step`: {clips} of them at most, made into
clips of 10 frames. PCK: percent of joints within 0.2 (0.1) of the torso's longer diagonal, or of
0.3 of the extent of a skeleton without a torso. `calibration_error`: expected calibration error of
the confidences, on images that the calibration was not fitted on. OKS: `vidpose eval`.
"""
_FRAME_DATA = """\
Measured by `vidpose export` on the bundle itself: {stills},
boxes from the labels; percent of joints within 0.2 (0.1) of the torso's longer diagonal.
"""
_METHODS = {
    "dkd": "Dynamic Kernel Distillation (arXiv 1908.09216) with networks of the paper's kind",
    "dkd-nano": "Dynamic Kernel Distillation (arXiv 1908.09216) in its light form",
    "lstm-lite": "a convolutional LSTM, as in LSTM Pose Machines (arXiv 1712.06316)",
    "lstm-pm": "LSTM Pose Machines (arXiv 1712.06316)",
    "pose-net": "a network of MoveNet Lightning's shape",
    "simple-baseline": "a Simple Baseline (arXiv 1804.06208)",
}


def pose_card(bundle: Bundle, recipe: Recipe, trust: Mapping[str, float], origin: str = "") -> str:
    """Card of a pose bundle, exported with these changes of trust.

    `origin` says how the weights were made where it was not by `vidpose train`.
    """
    task, settings = recipe.task, bundle.settings
    assert not isinstance(settings, DetectorSettings)
    own = task.data.own if task.kind in ("dkd", "pose") else None
    ours = task.kind in ("dkd", "pose") and own is None
    method = ""
    if task.kind == "dkd":
        method = " by Dynamic Kernel Distillation (arXiv 1908.09216)"
    elif task.kind == "clips":
        method = f" by {_METHODS.get(task.network.form, task.network.form)}"
    assert bundle.skeleton is not None
    joints = f"{bundle.skeleton.num_keypoints} keypoints ({bundle.skeleton.name})"
    if isinstance(settings, DkdSettings):
        what = f"""\
2D pose of people in video: {joints}{method}.
`initializer` takes a person's first frame ({_size(settings.initializer_size)}), `step` at every
later one ({_size(settings.step_size)}) with the memory of the frame before.
"""
        what += "Departures from the paper: methods/dkd/model.py.\n" if ours else ""
        stills, clips = (500, 100) if task.kind == "dkd" else (200, 50)
        measured = _STEP_DATA.format(stills=stills, clips=clips)
        if own is not None:
            measured = _OWN_STEP_DATA.format(clips=clips)
    else:
        what = f"2D pose of people: {joints}{method}, each frame by itself.\n"
        measured = _FRAME_DATA.format(stills=_stills(task))
    data, start = (_POSE_DATA, _START) if ours else (_OWN_DATA, _own_start(recipe))
    data = data if own is None else _OWN_LABELS
    options = "".join(f" --trust {key}={value:g}" for key, value in trust.items())
    if settings.padding != PADDING:
        options += f" --padding {settings.padding:g}"
    return _card(bundle.name, what, data, measured, recipe, bundle.metrics, start, options, origin)


def finder_card(name: str, recipe: Recipe, metrics: Mapping[str, float]) -> str:
    """Card of a detector bundle."""
    what = "Finds people in images: one box and score per person, anchor-free.\n"
    measured = """\
`coco_ap`, `coco_ap50`, `coco_ar`: COCO's person box AP and AR on 25 images of val2017, measured by
`vidpose export`; too few images to compare with anybody's figures. More: docs/evaluation.md.
"""
    return _card(name, what, _FINDER_DATA, measured, recipe, metrics, _FINDER_START)


def _stills(task: Any) -> str:
    data = task.student.data if task.kind == "distil" else task.data
    assert isinstance(data, StillsConfig)
    return measured_on(data)


def int8_card(
    bundle: Bundle,
    small: Bundle,
    data: str,
    before: Mapping[str, float],
    after: Mapping[str, float],
) -> str:
    """Card of the INT8 bundle `small` made of `bundle`, with both measured on `data`."""
    sizes = [sum(map(len, each.graphs.values())) / 1e6 for each in (bundle, small)]
    rows = "\n".join(f"| {key} | {_figure(before[key])} | {_figure(after[key])} |" for key in after)
    return f"""\
# {small.name}

{bundle.name} in INT8: convolutions up to the first enlargement of the maps have 8-bit activations
and 7-bit weights for each output channel; the first block, the laterals and all the rest are
float.

Calibrated on training images of {data};
measured on kept-out ones, before and after:

| figure | float | INT8 |
|---|---|---|
| graphs, MB | {sizes[0]:.1f} | {sizes[1]:.1f} |
{rows}

Made by `vidpose export --int8`. What follows is the card of the float model; confidences are
calibrated anew.

{bundle.card}"""


def _own_start(recipe: Recipe) -> str:
    """What a recipe of your own was made with: its files, whose licences vidpose does not know."""
    task = recipe.task.model_dump(mode="json", exclude_none=True)
    if isinstance(task.get("skeleton"), dict):
        task["skeleton"] = task["skeleton"]["name"]  # the bundle has it whole
    values = json.dumps(task, indent=1)
    text = f"Task, with the files of its start, its teacher and its data:\n```json\n{values}\n```\n"
    start = getattr(recipe.task, "start", None)
    if isinstance(start, Path) and is_bundle(start):
        text = f"Start: {start}; `vidpose models {start}` says what it was made from.\n\n{text}"
    return text


def _card(
    name: str,
    what: str,
    data: str,
    measured: str,
    recipe: Recipe,
    metrics: Mapping[str, float],
    start: str = _START,
    options: str = "",
    origin: str = "",
) -> str:
    rows = "\n".join(f"| {key} | {_figure(value)} |" for key, value in metrics.items())
    mixed = ""
    if recipe.start_share:
        mixed = f"\n{100 * recipe.start_share:.0f} % of the result are the weights of the start."
    made = f"vidpose train recipes/{recipe.name}.yaml"
    if origin:
        made = "python recipes/start_weights.py WEIGHTS"
        origin = f"## How they were made\n\n{origin}\n"
    return f"""\
# {name}

{what}
Licence of the weights' own part: Apache-2.0. {start}
{data}
{origin}## Figures

{measured}
| figure | value |
|---|---|
{rows}

## Commands

```
{made}
vidpose export runs/{recipe.name}{options} --out {name}.vidpose
```
Trained for {_length(recipe)} of {recipe.batch_size}, seed {recipe.seed}.{mixed}
"""


def _length(recipe: Recipe) -> str:
    """How long a recipe trains, in words."""
    if recipe.steps is None:
        return f"{recipe.minutes:g} minutes in batches"
    return f"{recipe.steps:,} steps"


def _size(size: Size) -> str:
    return f"{size[0]} x {size[1]}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
