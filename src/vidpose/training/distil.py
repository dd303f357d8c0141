"""Distillation: any finished teacher, any per-frame student, in one recipe.

The student's section is the one that it would be trained with alone; its own loss stays. To it come
the losses that a teacher allows, each with a weight:

| weight | loss | student | teacher |
|---|---|---|---|
| `maps` | the student's own map loss, the teacher's heatmaps in place of the labels' | gives maps | any |
| `simulated` | DistilPose's L_SH: heatmaps drawn from the regressed pose | regresses | any |
| `score` | DistilPose's L_CS: scores are the teacher's heatmaps at the point | regresses | any |
| `visual`, `keypoint` | DistilPose's L_VT, L_KT: tokens | has tokens | has tokens |

DistilPose as published: weights 1, 5e-4, 5e-4, 1, 0.01 for labels, visual, keypoint, simulated,
score. Before training the teacher is shown a few labelled crops (`check_teacher`).
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from torch import Tensor

from vidpose.bundle import SUFFIX
from vidpose.data.loaders.stills import plain_crops
from vidpose.data.samples import Sample
from vidpose.errors import DataError
from vidpose.methods.distilpose.loss import score_loss, simulated_heatmap_loss, token_loss
from vidpose.methods.distilpose.model import TokenPose
from vidpose.methods.per_frame.students import StudentConfig, build_student, load_frame_model
from vidpose.methods.per_frame.task import MAP_STRIDE, FrameTask
from vidpose.nn.checkpoint import load_checkpoint
from vidpose.nn.heatmap_logits import MapKind
from vidpose.nn.pixels import normalise
from vidpose.training.task import Batch, Task
from vidpose.training.teachers import (
    BundleTeacher,
    NetworkTeacher,
    OnnxAdapter,
    OnnxTeacher,
    Teacher,
    TeacherOutput,
)

_CHECKED_CROPS = 16
_RANGE = (-0.25, 1.25)
"""Of a heatmap's cells: networks trained with squared errors overshoot a little; logits leave this
far."""
_NEAR = 0.1
"""Of the crop's longer side: a peak within it is at its joint."""
_ENOUGH = 0.5


def _former_name(kind: Any) -> Any:
    """Recipes of version 0.1 call heatmaps "heights"."""
    return "heatmaps" if kind == "heights" else kind


Spread = Annotated[float, Field(gt=0)]


class OnnxSection(BaseModel):
    """What an ONNX teacher does not say of itself; see `vidpose.training.teachers.OnnxAdapter`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[Spread, Spread, Spread] = (0.229, 0.224, 0.225)
    maps: Annotated[MapKind, BeforeValidator(_former_name)] = "heatmaps"
    corners: bool = False
    output: str | None = None


class TeacherSection(BaseModel):
    """Where the teacher is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    """A checkpoint or run folder, a bundle (.vidpose), or an ONNX file (.onnx)."""
    onnx: OnnxSection | None = None
    """How to read an ONNX file; needed for one, and for nothing else."""


class Weights(BaseModel):
    """Weight of each loss; 0 leaves it out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: float = Field(default=1.0, ge=0)
    maps: float = Field(default=0.0, ge=0)
    simulated: float = Field(default=0.0, ge=0)
    score: float = Field(default=0.0, ge=0)
    visual: float = Field(default=0.0, ge=0)
    keypoint: float = Field(default=0.0, ge=0)


class DistilConfig(BaseModel):
    """Recipe section of distillation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["distil"]
    student: StudentConfig
    """As it would be trained alone."""
    teacher: TeacherSection
    weights: Weights

    @model_validator(mode="after")
    def _teacher_teaches(self) -> DistilConfig:
        given = self.weights.model_dump(exclude={"labels"})
        if not any(given.values()):
            raise ValueError(f"weights: the teacher is idle; give {', '.join(given)} a weight")
        return self


class DistilTask(Task):
    """A student under training, and the losses that a teacher allows.

    `samples`: labelled people, a few of whose crops the teacher is checked on.
    """

    def __init__(self, config: DistilConfig, samples: Sequence[Sample]) -> None:
        super().__init__()
        self.config = config
        weights = config.weights
        taught = weights.simulated > 0 and weights.score > 0
        self.student: FrameTask = build_student(config.student, samples, taught=taught)
        # The student's network, which is a module of the student already.
        self.__dict__["network"] = self.student.network
        self.teacher = load_teacher(config.teacher)
        crops, keypoints = plain_crops(samples, self.student.size, _CHECKED_CROPS)
        check_teacher(self.teacher, crops, keypoints)
        self._check_pair(crops[:1])

    def loss(self, batch: Batch, step: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
        outputs = self.student.outputs(normalise(batch["image"]))
        own, figures = self.student.label_loss(outputs, batch, step)
        total = self.config.weights.labels * own
        figures = {**figures, "loss_student": own.detach()}
        shown = self.teacher(batch["image"], self.student.map_size())
        outside = (shown.heatmaps < 0) | (shown.heatmaps > 1)
        figures["teacher_outside"] = outside.float().mean()
        for name, term in self._taught(outputs, shown, batch).items():
            total = total + getattr(self.config.weights, name) * term
            figures[f"loss_{name}"] = term.detach()
        return total, figures

    def _taught(self, outputs: Any, shown: TeacherOutput, batch: Batch) -> dict[str, Tensor]:
        """The losses of positive weight that come from the teacher."""
        weights, student = self.config.weights, self.student
        # A joint that the set does not label has weight 0 too, but the teacher may know it; one
        # outside the crop the teacher cannot know, and its map is low.
        seen = torch.ones_like(batch["keypoints"][..., 2])
        labelled = (batch["keypoints"][..., 2] > 0).float()
        terms = {}
        if weights.maps:
            terms["maps"] = student.map_loss(outputs, shown.heatmaps, seen)
        pose = student.pose(outputs)
        if weights.simulated:
            terms["simulated"] = simulated_heatmap_loss(_some(pose), shown.heatmaps, labelled)
        if weights.score:
            terms["score"] = score_loss(_some(pose), shown.heatmaps, labelled)
        own = student.tokens(outputs)
        if own is not None and shown.tokens is not None:
            if weights.visual:
                terms["visual"] = token_loss(own.visual, shown.tokens.visual)
            if weights.keypoint:
                terms["keypoint"] = token_loss(own.keypoint, shown.tokens.keypoint)
        return terms

    def _check_pair(self, crop: Tensor) -> None:
        """Raise DataError now when a weight asks for what student or teacher does not have."""
        weights, student, name = self.config.weights, self.student, self.teacher.name
        was_training = student.training
        student.eval()
        with torch.no_grad():
            outputs = student.outputs(normalise(crop))
            shown = self.teacher(crop, student.map_size())
        student.train(was_training)
        kind = self.config.student.kind
        if weights.simulated or weights.score:
            pose = student.pose(outputs)
            if pose is None or pose.scores is None:
                raise DataError(
                    f"weights simulated and score need a student that regresses a pose with "
                    f"scores (kind distilpose, scores: true), not this {kind}"
                )
        if weights.maps:
            student.map_loss(outputs, shown.heatmaps, torch.ones(shown.heatmaps.shape[:2]))
        own = student.tokens(outputs)
        if weights.visual or weights.keypoint:
            if own is None or shown.tokens is None:
                who = f"this {kind} student" if own is None else f"teacher {name}"
                raise DataError(f"weights visual and keypoint need tokens, and {who} has none")
            if own.visual.shape != shown.tokens.visual.shape:
                raise DataError(
                    f"teacher {name} has visual tokens {tuple(shown.tokens.visual.shape[1:])}, "
                    f"the student {tuple(own.visual.shape[1:])}: give both the same size, patch "
                    "and width"
                )


def load_teacher(section: TeacherSection) -> Teacher:
    """The teacher of a recipe section, by the kind of its file."""
    path = section.path
    if (path.suffix == ".onnx") != (section.onnx is not None):
        raise DataError(
            f"{path}: an ONNX teacher needs a section `onnx` that says how to read it, "
            "and no other teacher has one"
        )
    if section.onnx is not None:
        said = section.onnx
        adapter = OnnxAdapter(said.mean, said.std, said.maps, said.corners, said.output)
        return OnnxTeacher(path, adapter)
    if path.suffix == SUFFIX:
        return BundleTeacher(path)
    model = load_frame_model(load_checkpoint(path))
    joints = model.skeleton.num_keypoints
    return NetworkTeacher(model.network, model.kind, model.size, joints, str(path))


def check_teacher(teacher: Teacher, crops: Tensor, keypoints: Tensor) -> None:
    """Does the teacher know the joints of these crops?

    Args:
        crops: uint8 (N, 3, h, w), not augmented.
        keypoints: (N, K, 3) in their pixels, the third column positive where labelled.

    Raises DataError when the teacher has another number of joints, when its maps are no heatmaps
    with peaks near 1, or when less than half of its peaks are within a tenth of the crop of the
    label: another order of joints, another normalisation, or another kind of output.
    """
    joints = keypoints.shape[1]
    if teacher.num_keypoints != joints:
        raise DataError(
            f"teacher {teacher.name} has {teacher.num_keypoints} joints, the data have {joints}"
        )
    size = (crops.shape[2] // MAP_STRIDE, crops.shape[3] // MAP_STRIDE)
    heatmaps = teacher(crops, size).heatmaps
    low, high = float(heatmaps.min()), float(heatmaps.max())
    if low < _RANGE[0] or high > _RANGE[1]:
        raise DataError(
            f"teacher {teacher.name}: its maps run from {low:.2f} to {high:.2f}, heatmaps lie in "
            "[0, 1]; if they are logits, say so in its section (maps: sigmoid or distribution)"
        )
    best = heatmaps.flatten(2).argmax(2)
    found = torch.stack([best % size[1], best // size[1]], dim=2) + 0.5
    distance = (found * MAP_STRIDE - 0.5 - keypoints[..., :2]).norm(dim=2)
    labelled = keypoints[..., 2] > 0
    near = (distance <= _NEAR * max(crops.shape[2:]))[labelled].float().mean()
    if not near >= _ENOUGH:
        raise DataError(
            f"teacher {teacher.name}: only {100 * float(near):.0f} % of its peaks are near the "
            f"labels of {len(crops)} crops; check the order of its joints, its normalisation "
            "(mean, std) and the kind of its maps"
        )


def _some(pose: TokenPose | None) -> TokenPose:
    assert pose is not None
    return pose
