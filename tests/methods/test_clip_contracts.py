"""What every network of the project keeps to, whatever its method. A new one joins `BUILDERS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vidpose.export.graphs import FrameGraph, InitializerGraph, StepGraph, multiply_adds
from vidpose.export.onnx import settle_weights, store_weights_in_half, to_onnx
from vidpose.export.parity import open_graph
from vidpose.methods.dkd.light import (
    BASE,
    LITE,
    SMALL,
    STRIDE,
    KernelOptions,
    Sizes,
    build_light_dkd,
    start_from_frames,
)
from vidpose.methods.dkd.model import (
    DKD,
    ConvDistillator,
    FactorisedMatching,
)
from vidpose.methods.dkd.pooled import DistributionDKD, PlaneWaves, PooledDistillator
from vidpose.methods.dkd.resnet import dkd_resnet
from vidpose.methods.lstm.light import LSTMLite
from vidpose.methods.lstm.lstm_pm import LSTMPoseMachine
from vidpose.nn.movenet import THUNDER_WIDTH, PoseNet
from vidpose.nn.simple_baseline import SimpleBaseline


@dataclass(frozen=True)
class Built:
    """A network with the sizes that it works at; `later` is None for networks without memory."""

    network: nn.Module
    first: tuple[int, int]
    later: tuple[int, int] | None
    stride: int
    keypoints: int


def _encoder(channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, stride=2, padding=1),
    )


def _paper() -> Built:
    """DKD as the paper has it: 7 x 7 kernels from convolutions and pooling, no position."""
    initializer = nn.Sequential(_encoder(8), nn.ReLU(), nn.Conv2d(8, 5, 1))
    network = DKD(initializer, _encoder(6), ConvDistillator(6, 5, 8))
    return Built(network, (256, 256), (256, 256), 4, 5)


def _small_kernels() -> Built:
    """Smaller kernels, position among the features, an initializer at twice the size."""
    waves = PlaneWaves((32, 32), wavelengths=(16.0,), directions=3)
    channels = 6 + waves.channels
    initializer = nn.Sequential(_encoder(8), nn.ReLU(), nn.Conv2d(8, 4, 1))
    distillator = ConvDistillator(channels, 4, 8, kernel_size=3)
    return Built(
        DistributionDKD(initializer, _encoder(6), distillator, waves, 2),
        (256, 256),
        (128, 128),
        4,
        4,
    )


def _resnets() -> Built:
    """The paper's networks, the smallest of them, with whole kernels."""
    network = dkd_resnet(
        5, initializer=18, encoder="resnet18", kernel="full", kernel_size=3, hidden=16
    )
    return Built(network, (96, 96), (96, 96), 4, 5)


def _small_cpm() -> Built:
    """Factorised kernels, another size and skeleton, maps as distributions."""
    network = dkd_resnet(
        4, initializer=18, encoder="small-cpm", channels=20, hidden=16, heatmaps=False
    )
    return Built(network, (96, 64), (96, 64), 4, 4)


def _sizes(sizes: Sizes) -> tuple[tuple[int, int], tuple[int, int]]:
    return sizes.initializer, sizes.step


def _lite(form: Literal["full", "factorised"], size: int) -> Built:
    """The paper's kernels on dkd-lite's networks."""
    return Built(build_light_dkd(17, KernelOptions(form, size)), *_sizes(LITE), STRIDE, 17)


BUILDERS: dict[str, Callable[[], Built]] = {
    "dkd-lite": lambda: Built(build_light_dkd(), *_sizes(LITE), STRIDE, 17),
    "dkd-nano": lambda: Built(build_light_dkd(sizes=SMALL), *_sizes(SMALL), STRIDE, 17),
    "dkd-base": lambda: Built(build_light_dkd(sizes=BASE), *_sizes(BASE), STRIDE, 17),
    "dkd-conv": _paper,
    "dkd-conv-small": _small_kernels,
    "dkd-resnet": _resnets,
    "dkd-small-cpm": _small_cpm,
    "dkd-lite-full": lambda: _lite("full", 3),
    "dkd-lite-factorised": lambda: _lite("factorised", 7),
    "lstm-lite": lambda: Built(LSTMLite(), *_sizes(SMALL), STRIDE, 17),
    "lstm-pm": lambda: Built(LSTMPoseMachine(3, (32, 48)), (32, 48), (32, 48), 8, 3),
    "pose-net": lambda: Built(PoseNet(), (64, 96), None, 4, 17),
    "simple-baseline": lambda: Built(SimpleBaseline(6, 18), (64, 96), None, 4, 6),
}
WITH_MEMORY = [name for name in BUILDERS if name not in ("pose-net", "simple-baseline")]
WITH_KERNELS = [name for name in WITH_MEMORY if not name.startswith("lstm")]
DEEP = (ConvDistillator, LSTMPoseMachine, SimpleBaseline)


def _build(name: str) -> Built:
    """The network with every part at work: what starts at zero gets values."""
    torch.manual_seed(0)
    built = BUILDERS[name]()
    with torch.no_grad():
        for parameter in built.network.parameters():
            if parameter.ndim > 1 and not parameter.any():
                nn.init.normal_(parameter, std=0.1)
        if any(isinstance(part, DEEP) for part in built.network.modules()):
            for part in built.network.modules():  # signals must live through many layers
                if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                    nn.init.kaiming_normal_(part.weight)
            _measure_norms(built)
    return built


@torch.no_grad()
def _measure_norms(built: Built) -> None:
    """Running statistics as after training: what a clip gives."""
    norms = [m for m in built.network.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    built.network.train()
    _maps(built, 2)
    for norm in norms:
        norm.momentum = 0.1


def _images(built: Built, people: int, size: tuple[int, int], seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(people, 3, *size, generator=generator) * 2 - 1


def _clip(built: Built, people: int, frames: int) -> tuple[Tensor, Tensor]:
    assert built.later is not None
    later = _images(built, people * (frames - 1), built.later, seed=2)
    return _images(built, people, built.first), later.view(people, frames - 1, 3, *built.later)


def _maps(built: Built, people: int) -> list[Tensor]:
    """Map logits: of one frame, or of a clip of three."""
    if built.later is None:
        return [built.network(_images(built, people, built.first))]
    maps: list[Tensor] = built.network(*_clip(built, people, 3))
    return maps


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("people", [1, 2])
def test_output_shapes(name: str, people: int) -> None:
    built = _build(name)
    built.network.eval()
    with torch.no_grad():
        maps = _maps(built, people)
    sizes = [built.first] + [built.later] * 2 if built.later else [built.first]
    for found, size in zip(maps, sizes, strict=True):
        assert size is not None
        cells = (size[0] // built.stride, size[1] // built.stride)
        assert tuple(found.shape) == (people, built.keypoints, *cells)
        assert found.isfinite().all()


@pytest.mark.parametrize("name", BUILDERS)
def test_the_same_input_gives_the_same_output(name: str) -> None:
    built = _build(name)
    built.network.eval()
    with torch.no_grad():
        for one, two in zip(_maps(built, 1), _maps(built, 1), strict=True):
            assert torch.equal(one, two)


@pytest.mark.parametrize("name", BUILDERS)
def test_the_gradient_reaches_every_parameter(name: str) -> None:
    built = _build(name)
    built.network.train()
    # Cells count differently, or the sum over a map that a norm made would be a constant.
    losses = [(m.square() * torch.rand_like(m)).mean() for m in _maps(built, 2)]
    torch.stack(losses).sum().backward()
    idle = [
        parameter_name
        for parameter_name, parameter in built.network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert idle == []


@pytest.mark.parametrize("name", WITH_MEMORY)
def test_people_of_a_batch_do_not_meet(name: str) -> None:
    """What one person did in the frame before changes nothing for another."""
    built = _build(name)
    network = built.network.eval()
    first, later = _clip(built, 2, 3)
    changed = first.clone()
    changed[0] = 1  # white
    with torch.no_grad():
        maps, others = network(first, later), network(changed, later)
        alone = network(first[1:], later[1:])
    for one, two, single in zip(maps, others, alone, strict=True):
        torch.testing.assert_close(one[1], two[1])
        torch.testing.assert_close(one[1:], single, atol=1e-4, rtol=1e-4)
        assert (one[0] - two[0]).abs().max() > 1e-5  # the memory is used at all


@pytest.mark.parametrize("name", WITH_MEMORY)
def test_streaming_equals_the_clip(name: str) -> None:
    built = _build(name)
    network = built.network.eval()
    assert isinstance(network, DKD | LSTMPoseMachine | LSTMLite)
    first, later = _clip(built, 1, 4)
    with torch.no_grad():
        clip = network(first, later)
        maps, memory = network.initialize(first)
        streamed = [maps]
        for t in range(3):
            maps, memory = network.step(later[:, t], memory)
            streamed.append(maps)
    for one, two in zip(clip, streamed, strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("name", WITH_KERNELS)
def test_kernels_have_one_shape_from_first_frame_to_last(name: str) -> None:
    """Kernels of the initializer and of a step are exchangeable."""
    built = _build(name)
    network = built.network.eval()
    assert isinstance(network, DKD)
    first, later = _clip(built, 2, 2)
    with torch.no_grad():
        _, kernels = network.initialize(first)
        _, following = network.step(later[:, 0], kernels)
        features = network.encode(later[:, 0])
    assert kernels.shape == following.shape
    slices = 1 if isinstance(network.matching, FactorisedMatching) else built.keypoints
    assert kernels.shape[:3] == (2, slices, features.shape[1])
    assert kernels.shape[3] == kernels.shape[4]
    assert kernels.shape[3] % 2 == 1


def _crops(built: Built, people: int, size: tuple[int, int]) -> Tensor:
    images = _images(built, people, size, seed=people)
    return ((images + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


@pytest.mark.parametrize("name", BUILDERS)
def test_onnx_graphs_give_the_same_maps_for_any_number_of_people(name: str) -> None:
    """Exported with one person and stored as its bundle would, run with one and with three."""
    built = _build(name)
    network = built.network.eval()
    settle_weights(network)
    if built.later is None:
        graph = FrameGraph(network)
        session = _session(graph, {"image": _crops(built, 1, built.first)}, ("maps",))
        for people in (1, 3):
            _compare(graph, session, {"image": _crops(built, people, built.first)})
        return
    first, later = InitializerGraph(network), StepGraph(network)
    image, small = _crops(built, 1, built.first), _crops(built, 1, built.later)
    with torch.no_grad():
        _, kernels = first(image)
    initializer = _session(first, {"image": image}, ("maps", "kernels"))
    step = _session(later, {"image": small, "kernels": kernels}, ("maps", "next_kernels"))
    for people in (1, 3):
        found = _compare(first, initializer, {"image": _crops(built, people, built.first)})
        frame = _crops(built, people, built.later)
        _compare(later, step, {"image": frame, "kernels": torch.from_numpy(found[1])})


def _session(graph: nn.Module, inputs: dict[str, Tensor], outputs: tuple[str, ...]):
    axes = {name: {0: "people"} for name in (*inputs, *outputs)}
    content = to_onnx(graph, inputs, outputs, axes)
    return open_graph(store_weights_in_half(content))


def _compare(graph: nn.Module, session, inputs: dict[str, Tensor]) -> list[np.ndarray]:
    found: list[np.ndarray] = session.run(None, {k: v.numpy() for k, v in inputs.items()})
    with torch.no_grad():
        expected = graph(*inputs.values())
    expected = expected if isinstance(expected, tuple) else (expected,)
    for one, two in zip(found, expected, strict=True):
        assert one.shape == tuple(two.shape)
        slack = 1e-3 * float(two.abs().max())
        np.testing.assert_allclose(one, two.numpy(), atol=slack)
    return found


@pytest.mark.parametrize(("sizes", "part"), [(SMALL, 0.36), (LITE, 0.61)])
def test_the_light_ones_cost_a_part_of_movenet_lightning(sizes: Sizes, part: float) -> None:
    """Amortised: one initialisation in 30 frames, against Lightning's 271 million."""
    network = build_light_dkd(sizes=sizes).eval()
    first, later = InitializerGraph(network), StepGraph(network)
    image = torch.zeros(1, *sizes.initializer, 3, dtype=torch.uint8)
    small = torch.zeros(1, *sizes.step, 3, dtype=torch.uint8)
    with torch.no_grad():
        _, kernels = first(image)
    initial, step = multiply_adds(first, (image,)), multiply_adds(later, (small, kernels))
    assert (initial + 29 * step) / 30 <= 271e6 * part


def test_dkd_lite_starts_as_the_per_frame_network() -> None:
    """With the weights of two per-frame networks; the memory adds a liking for the last place."""
    torch.manual_seed(0)
    large, small = PoseNet(width=THUNDER_WIDTH).eval(), PoseNet().eval()
    network = build_light_dkd().eval()
    start_from_frames(network, large, small)
    assert isinstance(network.distillator, PooledDistillator)
    first, frame = torch.rand(1, 3, *LITE.initializer), torch.rand(1, 3, *LITE.step)
    row, column = 20, 9
    there = torch.full((1, 17, 40, 30), -50.0)
    there[:, :, row, column] = 50
    bias = small.classifier.bias
    assert bias is not None
    with torch.no_grad():
        torch.testing.assert_close(network.initialize(first).maps, large(first))
        liking = network.step(frame, network.distil(network.encode(frame), there)).maps
        network.distillator.gain.zero_()
        plain = network.step(frame, network.distil(network.encode(frame), there)).maps
        expected = small(frame) - bias[:, None, None]  # the softmax over cells ignores it
    torch.testing.assert_close(plain, expected, atol=1e-4, rtol=1e-3)
    added = (liking - plain).flatten(2)
    assert (added.argmax(2) == row * 30 + column).all()
