"""Frozen networks that show what their maps of a crop look like, alone or several as one.

| from | maps | confidence of a joint |
|---|---|---|
| MoveNet's ONNX file, or a run of `kind: pose` | softmax of the logits | most mass in 5 x 5 cells |
| a bundle of the light family: its initializer | the same | the same; 0 of joints that it lacks |
| any other ONNX file of heatmaps | squared, normalised | (peak - .1) / .6, cut to [0, 1] |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from torch import Tensor

from vidpose.data.heatmap_network import IMAGENET_MEAN, IMAGENET_STD
from vidpose.data.samples import SOURCES, SourceName
from vidpose.errors import BundleError, DataError
from vidpose.methods.dkd.from_bundle import (
    in_skeleton,
    is_bundle,
    known_joints,
    networks_of_bundle,
)
from vidpose.methods.per_frame.pose_runs import load_pose_network, trained_size
from vidpose.nn.map_cells import cells_from_corners, map_distribution
from vidpose.nn.movenet import PoseNet
from vidpose.nn.movenet_teacher import MoveNetTeacher
from vidpose.nn.movenet_weights import load_movenet_pose, movenet_width
from vidpose.nn.onnx_graph import load_onnx_graph
from vidpose.nn.pixels import normalise
from vidpose.skeleton import COCO_17, Skeleton
from vidpose.training.losses import peak_mass

STRIDE = 4
"""Crop pixels per cell of all these maps."""
_LEAST = 1e-6
_UNSURE_PEAK, _SURE_PEAK = 0.1, 0.7

Share = Annotated[float, Field(ge=0, le=1)]


class TeacherMaps(NamedTuple):
    """`maps` (N, K, h, w), distributions; `confidence` (N, K) in [0, 1]."""

    maps: Tensor
    confidence: Tensor


CropLogits = Callable[[Tensor], Tensor]
"""uint8 crops (N, 3, H, W) -> map logits (N, K, H/4, W/4)."""
CropTeacher = Callable[[Tensor], TeacherMaps]
"""uint8 crops (N, 3, H, W) -> what one network finds in them."""
MapTeacher = Callable[[Tensor, Tensor | None], TeacherMaps]
"""uint8 crops (N, 3, H, W) and the sets that they come from, int64 (N,), places in `SOURCES`, or
None -> what is to be found."""


class MixedTeacher(BaseModel):
    """One of the teachers of a mixture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: Path
    """ONNX file of MoveNet or of any heatmap network (RGB / 255, ImageNet mean and deviation,
    heatmaps at a quarter of the crop), or a run of `kind: pose`."""
    share: Share
    """Its part of the mixed map, times its confidence."""
    shares: dict[SourceName, Share] = {}
    """The share on crops of single sets, in place of `share`."""
    corners: bool = False
    """Heatmap cell i lies at crop pixel 4 i, as PP-TinyPose has it, not in the middle of the
    cell's pixels."""


def _somebody_speaks(mixture: tuple[MixedTeacher, ...]) -> tuple[MixedTeacher, ...]:
    for source, shares in _shares(mixture).items():
        if not sum(shares) > 0:
            where = "sets without shares of their own" if source is None else source
            raise ValueError(f"the shares on {where} add up to 0; one must be positive")
    return mixture


Mixture = Annotated[tuple[MixedTeacher, ...], Field(min_length=1), AfterValidator(_somebody_speaks)]


def load_mixture(
    mixture: Sequence[MixedTeacher], size: tuple[int, int], skeleton: Skeleton
) -> MapTeacher:
    """The teachers of a mixture as one.

    The mixed map is the mean of the teachers' with weights share times confidence; the mixed
    confidence is the mean of theirs with the shares as weights.

    Args:
        mixture: at least one.
        size: (H, W) of the crops.
        skeleton: whose joints the maps are of.

    Raises DataError or BundleError for a file that is faulty, has other joints, or takes crops of
    another size.
    """
    teachers = [load_one(one.weights, size, skeleton, one.corners) for one in mixture]
    shares = _shares(mixture)
    rows = [shares[source] for source in (*SOURCES, None)]  # -1 is the last
    table = torch.tensor(rows, dtype=torch.float32)
    table = table / table.sum(dim=1, keepdim=True)

    def look(images: Tensor, sources: Tensor | None) -> TeacherMaps:
        found = [teacher(images) for teacher in teachers]
        if sources is None:
            sources = images.new_full((len(images),), -1, dtype=torch.int64)
        share = table.to(images.device)[sources].T[..., None]
        confidence = torch.stack([one.confidence for one in found])
        weight = share * (confidence + _LEAST)
        weight = (weight / weight.sum(dim=0))[..., None, None]
        maps = (weight * torch.stack([one.maps for one in found])).sum(dim=0)
        return TeacherMaps(maps, (share * confidence).sum(dim=0))

    return look


def load_one(
    weights: Path, size: tuple[int, int], skeleton: Skeleton, corners: bool = False
) -> CropTeacher:
    """A frozen network as a teacher; it is no module, so in no checkpoint. Raises as
    `load_mixture`."""
    if is_bundle(weights):
        return _of_bundle(weights, size, skeleton)
    if weights.suffix != ".onnx":
        return by_mass(_trained(weights, size, skeleton))
    if not weights.is_file():
        raise DataError(f"{weights} is missing: the teacher's ONNX file")
    try:
        width = movenet_width(weights)
    except BundleError:
        return _heatmaps(weights, size, skeleton, corners)
    if skeleton is not COCO_17:
        raise DataError(f"{weights}: MoveNet has the joints of coco17, not {skeleton.name}")
    published = MoveNetTeacher(weights)
    if published.size == size[0] and size[1] <= size[0]:
        return by_mass(published)
    network = PoseNet(width=width)
    load_movenet_pose(network, weights)
    return by_mass(_frozen(network))


def by_mass(logits: CropLogits) -> CropTeacher:
    """What gives logits as a teacher."""

    def look(images: Tensor) -> TeacherMaps:
        maps = map_distribution(logits(images).float())
        return TeacherMaps(maps, peak_mass(maps))

    return look


def _of_bundle(weights: Path, size: tuple[int, int], skeleton: Skeleton) -> CropTeacher:
    """A bundle's initializer: sure of the joints that it has by name, silent on the others."""
    found = networks_of_bundle(weights)
    if found.sizes.initializer != size:
        height, width = found.sizes.initializer
        raise DataError(
            f"{weights}: as a teacher it is given crops of {size[0]}x{size[1]}, and it takes "
            f"{height}x{width}"
        )
    network = in_skeleton(found, skeleton).initializer
    assert isinstance(network, PoseNet)
    look = by_mass(_frozen(network))
    known = torch.tensor(known_joints(found.skeleton, skeleton))

    def look_by_name(images: Tensor) -> TeacherMaps:
        maps, confidence = look(images)
        return TeacherMaps(maps, confidence * known.to(confidence.device))

    return look_by_name


def of_any_source(teacher: CropTeacher) -> MapTeacher:
    """One network as the teacher of all sets."""
    return lambda images, _: teacher(images)


def _trained(weights: Path, size: tuple[int, int], skeleton: Skeleton) -> CropLogits:
    network = load_pose_network(weights, skeleton)
    trained = trained_size(weights)
    if trained != size:
        raise DataError(
            f"{weights}: as a teacher it is given crops of {size[0]}x{size[1]}, and it was "
            f"trained on {trained[0]}x{trained[1]}"
        )
    return _frozen(network)


def _frozen(network: PoseNet) -> CropLogits:
    network.eval().requires_grad_(False)

    @torch.no_grad()
    def predict(images: Tensor) -> Tensor:
        logits: Tensor = network.to(images.device)(normalise(images))
        return logits

    return predict


def _heatmaps(
    weights: Path, size: tuple[int, int], skeleton: Skeleton, corners: bool
) -> CropTeacher:
    graph = load_onnx_graph(weights)
    joints, *cells = graph.maps
    if graph.size != size:
        raise DataError(
            f"{weights}: as a teacher it is given crops of {size[0]}x{size[1]}, and it takes "
            f"{graph.size[0]}x{graph.size[1]}"
        )
    if joints != skeleton.num_keypoints:
        raise DataError(
            f"{weights}: its maps are of {joints} joints, {skeleton.name} has "
            f"{skeleton.num_keypoints}"
        )
    if cells != [side // STRIDE for side in size]:
        raise DataError(
            f"{weights}: its maps have {cells[0]}x{cells[1]} cells, a teacher's have a quarter of "
            f"the crop, {size[0] // STRIDE}x{size[1] // STRIDE}"
        )
    mean = torch.tensor(IMAGENET_MEAN)[:, None, None]
    deviation = torch.tensor(IMAGENET_STD)[:, None, None]

    @torch.no_grad()
    def look(images: Tensor) -> TeacherMaps:
        pixels = images.float() / 255
        maps = graph((pixels - mean.to(pixels)) / deviation.to(pixels)).float().clamp_min(0)
        peak = maps.flatten(2).amax(dim=2)
        if corners:
            maps = cells_from_corners(maps, STRIDE)
        squared = maps.square() + 1e-12  # a map without any peak becomes an even one
        confidence = ((peak - _UNSURE_PEAK) / (_SURE_PEAK - _UNSURE_PEAK)).clamp(0, 1)
        return TeacherMaps(squared / squared.sum(dim=(2, 3), keepdim=True), confidence)

    return look


def _shares(mixture: Sequence[MixedTeacher]) -> Mapping[SourceName | None, list[float]]:
    """The teachers' shares on every set, and where the set is unknown (None)."""
    shares: dict[SourceName | None, list[float]] = {
        source: [one.shares.get(source, one.share) for one in mixture] for source in SOURCES
    }
    return {**shares, None: [one.share for one in mixture]}
