"""The networks of a shipped bundle as torch modules: the start of trainings for other keypoints.

Bundles hold ONNX graphs: norms are folded, and INT8 weights are rounded to 7 or 8 bits, which
costs a start next to nothing (tests/methods/dkd/test_from_bundle.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidpose.bundle import SUFFIX, DkdSettings, available_models, find_bundle, read_bundle
from vidpose.errors import BundleError
from vidpose.methods.dkd.light import Sizes, build_light_dkd
from vidpose.methods.dkd.pooled import DistributionDKD, PooledDistillator
from vidpose.nn.exported_weights import exported_channels, load_exported
from vidpose.nn.movenet import width_of_stem
from vidpose.nn.onnx_weights import GraphWeights
from vidpose.skeleton import Skeleton, joint_sources


@dataclass(frozen=True, slots=True, eq=False)
class BundleNetworks:
    """Both networks of a bundle of the light family, its sizes and its joints."""

    network: DistributionDKD
    sizes: Sizes
    skeleton: Skeleton


def is_bundle(start: Path) -> bool:
    """Whether a recipe's start names a bundle: its file, or a shipped model by name."""
    return start.suffix == SUFFIX or (not start.exists() and str(start) in available_models())


def networks_of_bundle(start: Path) -> BundleNetworks:
    """The networks of a bundle, with the joints that it has; norms as `load_exported` leaves them.

    Raises BundleError where it is not of the light family (methods/dkd/light.py).
    """
    bundle = read_bundle(find_bundle(str(start)))
    settings = bundle.settings
    if not isinstance(settings, DkdSettings) or bundle.skeleton is None:
        raise BundleError(
            f"{start}: a bundle of kind {bundle.kind}; a start is one of the kind of dkd-lite-int8"
        )
    first, later = (
        GraphWeights(bundle.graphs[graph], f"{start}, {graph}.onnx")
        for graph in ("initializer", "step")
    )
    widths = (
        width_of_stem(exported_channels(first, "network.initializer.encoder.backbone.stem.0")),
        width_of_stem(exported_channels(later, "network.encoder.backbone.stem.0")),
    )
    sizes = Sizes(settings.initializer_size, settings.step_size, *widths)
    network = build_light_dkd(bundle.skeleton.num_keypoints, sizes=sizes)
    load_exported(network.initializer, first, "network.initializer.")
    load_exported(network.encoder, later, "network.encoder.")
    assert isinstance(network.distillator, PooledDistillator)
    _load_distillator(network.distillator, later)
    return BundleNetworks(network.eval(), sizes, bundle.skeleton)


def sources_of(source: Skeleton, target: Skeleton) -> list[list[int]]:
    """For each joint of `target` those of `source` whose weights it starts with.

    The joint of that name; else those that it is the middle of by its name
    (`vidpose.skeleton.mapping`), of the head its eyes; else its neighbours by the target's edges;
    else none.
    """
    by_name = []
    for name, given in joint_sources(source, target).items():
        eyes = [eye for eye in _EYES if name in _HEADS and eye in source.keypoints]
        by_name.append([source.keypoints.index(each) for each in given or eyes])
    found = []
    for joint, own in enumerate(by_name):
        near = [by_name[a + b - joint] for a, b in target.edges if joint in (a, b)]
        near = [each for each in near if len(each) == 1] or near  # rather joints that are known
        found.append(own or sorted({row for each in near for row in each}))
    return found


_HEADS, _EYES = ("head_top", "head"), ("left_eye", "right_eye")


def known_joints(source: Skeleton, target: Skeleton) -> list[bool]:
    """Which of `target`'s joints a network of `source` has, by name."""
    return [name in source.keypoints for name in target.keypoints]


def in_skeleton(found: BundleNetworks, target: Skeleton) -> DistributionDKD:
    """The networks for other joints, each with the mean of the weights of those it starts as."""
    if target == found.skeleton:
        return found.network
    rows = sources_of(found.skeleton, target)
    weights = dict(found.network.state_dict())
    for name in _BY_JOINT:
        weights[name] = _means(weights[name], rows)
    mix = weights[_MIX]
    by_joint = mix.view(len(mix), found.skeleton.num_keypoints, -1).transpose(0, 1)
    # New joints have no say yet in what all kernels learn of each other.
    has = known_joints(found.skeleton, target)
    known = [each if here else [] for each, here in zip(rows, has, strict=True)]
    weights[_MIX] = _means(by_joint, known).transpose(0, 1).reshape(len(mix), -1)
    network = build_light_dkd(target.num_keypoints, sizes=found.sizes)
    network.load_state_dict(weights)
    return network.eval()


_MIX = "distillator.mix.weight"
_BY_JOINT = (
    "initializer.classifier.weight",
    "initializer.classifier.bias",
    "distillator.static",
    "distillator.gain",
    "distillator.identity",
)


def _means(values: Tensor, rows: Sequence[Sequence[int]]) -> Tensor:
    nothing = torch.zeros_like(values[0])
    return torch.stack([values[list(each)].mean(dim=0) if each else nothing for each in rows])


def _load_distillator(distillator: PooledDistillator, graph: GraphWeights) -> None:
    """The weights of a `PooledDistillator`'s graph, in which sums of constants are one constant."""
    shape, hidden = distillator.static.shape, distillator.identity.shape
    state = {
        "norm.weight": graph.constant("/distillator/norm/LayerNormalization", 1),
        "norm.bias": graph.constant("/distillator/norm/LayerNormalization", 2),
        "joint.weight": graph.constant("/distillator/joint/MatMul").T,
        "joint.bias": np.zeros(hidden[1]),
        "identity": graph.constant("/distillator/joint/Add", shape=hidden),
        "mix.weight": graph.constant("/distillator/mix/Gemm", 1),
        "mix.bias": graph.constant("/distillator/mix/Gemm", 2),
        "update.weight": np.concatenate(
            [graph.constant(f"/distillator/MatMul_{part}").T for part in (1, 2)], axis=1
        ),
        "update.bias": np.zeros(shape[1]),
        "static": graph.constant("/distillator/Add", shape=shape),
        "gain": graph.constant("/distillator/Mul", shape=shape) / distillator.GAIN_RATE,
    }
    distillator.load_state_dict({k: torch.tensor(v, dtype=torch.float32) for k, v in state.items()})
