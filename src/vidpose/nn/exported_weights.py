"""Graphs that `vidpose export` wrote, back as the weights of torch networks.

The graph's norms are folded into its convolutions; the networks' stay, without effect: statistics
of mean 0 and variance 1, and the bias (`restore_batch_norm` unfolds them). Weights of INT8 graphs
are the rounded ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vidpose.errors import BundleError
from vidpose.nn.onnx_weights import Convolution, GraphWeights

_COLOURS = 3


def load_exported(network: nn.Module, graph: GraphWeights, prefix: str) -> None:
    """Copy a graph's weights into a `PoseNet` or `PoseEncoder`.

    `prefix`: of the network's modules in the graph. Raises BundleError where the graph holds
    another network.
    """
    weights: dict[str, Tensor] = {}
    layers = [
        (n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)
    ]
    for (name, conv), (next_name, norm) in zip(layers, [*layers[1:], ("", None)], strict=True):
        if not isinstance(conv, nn.Conv2d):
            continue
        weight, bias = (torch.tensor(each) for each in _convolution(graph, prefix + name))
        weights[f"{name}.weight"] = weight
        if isinstance(norm, nn.BatchNorm2d):
            weights |= _without_effect(next_name, norm, bias)
        elif conv.bias is not None:
            weights[f"{name}.bias"] = bias
        elif bias.numel():
            raise BundleError(
                f"{graph.name}: {prefix}{name} has a bias; the network has none there"
            )
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise BundleError(f"{graph.name}: not of vidpose's light family ({reason})") from error


def exported_channels(graph: GraphWeights, name: str) -> int:
    """The maps that a convolution gives. Raises BundleError where the graph has none so called."""
    return len(_convolution(graph, name)[0])


def _convolution(graph: GraphWeights, name: str) -> Convolution:
    nodes: Mapping[str, Any] = graph.convolutions()
    node = nodes.get(name, nodes.get(f"{name}.1"))  # where version 0.1 had a module for padding
    if node is None:
        raise BundleError(f"{graph.name}: not of vidpose's light family (it has no {name})")
    if graph.array(node.input[1]).shape[1] == _COLOURS:
        return graph.on_normalised(node)
    return graph.convolution(node)


def _without_effect(name: str, norm: nn.BatchNorm2d, bias: Tensor) -> dict[str, Tensor]:
    """The state of a norm that only adds a bias."""
    scale = torch.full_like(bias, float(np.sqrt(1 + norm.eps)))
    return {
        f"{name}.weight": scale,
        f"{name}.bias": bias,
        f"{name}.running_mean": torch.zeros_like(bias),
        f"{name}.running_var": torch.ones_like(bias),
        f"{name}.num_batches_tracked": torch.tensor(0),
    }
