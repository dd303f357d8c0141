"""Model cards: what a bundle is, what it was made from, how good it is and how to make it again."""

from __future__ import annotations

import json
from collections.abc import Mapping

from vidpose.bundle import Bundle
from vidpose.train.recipe import Recipe

_START = """\
Start: the weights of MoveNet Lightning (Google, Apache-2.0), trunk, pyramid and heatmap branch;
trained further by vidpose. See NOTICE.
"""

_POSE_DATA = """\
## Data

| set | used for | licence |
|---|---|---|
| Leeds Sports Pose Extended (Johnson and Everingham, CVPR 2011) | crowd-sourced labels of 14 joints, checked and completed by a teacher | Flickr images, for research use; please cite |
| Clothing Co-Parsing (Yang, Luo, Lin, CVPR 2014) | photographs, keypoints by a teacher | repository Apache-2.0; street photographs from the web |
| COCO 2017, 26 images of train2017 | keypoints | labels CC BY 4.0; images CC BY or CC BY-SA |
| Penn Action (Zhang, Zhu, Derpanis, ICCV 2013) | joint tracks of the training split, as motion; no images | please cite |

**Some of these images may be used for research only.** Whether weights inherit the terms of their
training images is not settled law: decide for your use, or train on images of your own.

Teachers: PP-TinyPose 256 x 192 (PaddleDetection, Apache-2.0), as pseudo-labels; the start itself,
whose maps the training keeps close to.
500 images of Leeds Sports Pose Extended and all of COCO val2017 were kept out of training.
"""  # noqa: E501

_OWN_DATA = """\
## Data

The sets that the task above names. The 500 kept-out images of Leeds Sports Pose Extended and all of
COCO val2017 were not trained on. **Start weights, teacher and images have licences of their own**:
whether the result inherits their terms is for you to decide.
"""

_FINDER_DATA = """\
## Data

Photographs of Leeds Sports Pose Extended (for research use; please cite), Clothing Co-Parsing
(repository Apache-2.0), COCO train2017 (26 images, CC BY and CC BY-SA) and frames of short public
video clips, composed into scenes. Boxes are pseudo-labels of RTMDet-nano (OpenMMLab, Apache-2.0)
and YOLOX-nano (Megvii, Apache-2.0).

**Some of these images may be used for research only.** Whether weights inherit the terms of their
training images is not settled law: decide for your use, or train on images of your own.
"""


def dkd_card(name: str, recipe: Recipe, metrics: Mapping[str, float]) -> str:
    """Card of a DKD bundle."""
    what = """\
2D pose of people in video: 17 COCO keypoints by Dynamic Kernel Distillation (arXiv 1908.09216).
`initializer` looks at a person's first frame (256 x 192), `step` at every later one (128 x 96)
with the kernels distilled from the frame before. Departures from the paper: models/dkd.py.
"""
    measured = """\
Measured by `vidpose export` on the bundle itself, boxes from the labels. `initializer`: 500
kept-out stills of Leeds Sports Pose Extended. `step`: 200 of them made into clips of 10 frames,
moved by Penn Action's test tracks. PCK: percent of joints within 0.2 (0.1) of the torso's longer
diagonal, left and right strict. `calibration_error`: expected calibration error of the
confidences, on images that the calibration was not fitted on.
"""
    return _card(name, what, _POSE_DATA, measured, recipe, metrics)


def frame_card(name: str, recipe: Recipe, metrics: Mapping[str, float]) -> str:
    """Card of a per-frame bundle."""
    what = "2D pose of people, 17 COCO keypoints, each frame by itself.\n"
    measured = """\
Measured by `vidpose export` on the bundle itself: 500 kept-out stills of Leeds Sports Pose
Extended, boxes from the labels; percent of joints within 0.2 (0.1) of the torso's longer diagonal.
"""
    if recipe.task.kind == "pose":
        return _card(name, what, _POSE_DATA, measured, recipe, metrics)
    return _card(name, what, _OWN_DATA, measured, recipe, metrics, start=_own_start(recipe))


def finder_card(name: str, recipe: Recipe, metrics: Mapping[str, float]) -> str:
    """Card of a detector bundle."""
    what = "Finds people in images: one box and score per person, anchor-free.\n"
    measured = """\
`coco_ap`, `coco_ap50`, `coco_ar`: COCO's person box AP and AR on 25 images of val2017, measured by
`vidpose export`; too few images to compare with anybody's figures. More: docs/evaluation.md.
"""
    return _card(name, what, _FINDER_DATA, measured, recipe, metrics)


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
and 7-bit weights for each output channel; the first convolution and all the rest are float.

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
    task = json.dumps(recipe.task.model_dump(mode="json", exclude_none=True), indent=1)
    return f"Task, with the files of its start, its teacher and its data:\n```json\n{task}\n```\n"


def _card(
    name: str,
    what: str,
    data: str,
    measured: str,
    recipe: Recipe,
    metrics: Mapping[str, float],
    start: str = _START,
) -> str:
    rows = "\n".join(f"| {key} | {_figure(value)} |" for key, value in metrics.items())
    return f"""\
# {name}

{what}
Licence of the weights' own part: Apache-2.0. {start}
{data}
## Figures

{measured}
| figure | value |
|---|---|
{rows}

## Commands

```
vidpose train recipes/{recipe.name}.yaml
vidpose export runs/{recipe.name} --out {name}.vidpose
```
Trained for {recipe.steps} steps of {recipe.batch_size}, seed {recipe.seed}.
"""


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
