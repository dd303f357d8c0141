"""The graphs of a bundle, opened: the project's own and other projects'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import (
    Bundle,
    CarriedSettings,
    Curve,
    DkdSettings,
    FrameSettings,
    ImportedSettings,
    OneStageSettings,
    Point,
    Size,
)
from vidpose.errors import BundleError
from vidpose.inference.backends.base import Runtime, Session, check_ports, open_session
from vidpose.inference.carried import CarriedSession
from vidpose.inference.decode import PlacePrior, crop_to_map, decode_maps, map_to_crop
from vidpose.inference.decode_imported import Keypoints
from vidpose.inference.imported import ImportedSession
from vidpose.inference.one_stage import Everybody, OneStageSession, find_everybody

_NONE: Point = (0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class PoseGraph:
    """One graph of a model, with what is needed to use it.

    `size`: (height, width) of its crops in pixels. `stride`: crop pixels for each map cell.
    `offset`: crop pixels (x, y) that are taken away from what it finds. `raw`, `probability`: the
    points of its calibration.
    """

    session: Session
    size: Size
    stride: int
    offset: Point
    raw: NDArray[np.float64]
    probability: NDArray[np.float64]

    @property
    def output(self) -> str:
        """The session's output that `decode` reads."""
        return "maps"

    def decode(self, output: NDArray[np.float32], near: PlacePrior | None = None) -> Keypoints:
        """Points (N, K, 2) in pixels of the crop, and raw confidences (N, K).

        `near`: where the keypoints are expected, in pixels of the crop; None: anywhere.
        """
        offset = np.array(self.offset, np.float32)
        if near is not None:
            cells = crop_to_map(near.points + offset, self.stride)
            near = PlacePrior(cells, np.maximum(near.spread / self.stride, 1))
        cells, mass = decode_maps(output, near)
        return map_to_crop(cells, self.stride) - offset, mass

    @property
    def calibrated(self) -> bool:
        """Whether raw confidences were measured against labels."""
        return not np.array_equal(self.raw, self.probability)

    def calibrate(self, confidence: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability that a keypoint is right, from its raw confidence; any shape."""
        return np.interp(confidence, self.raw, self.probability).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class KeypointGraph(PoseGraph):
    """Another project's network, which gives keypoints in pixels of the crop; its stride is 1."""

    @property
    def output(self) -> str:
        return "keypoints"

    def decode(self, output: NDArray[np.float32], near: PlacePrior | None = None) -> Keypoints:
        return output[..., :2], output[..., 2]  # there is no map to choose in


@dataclass(frozen=True, slots=True, eq=False)
class OneStageGraph(PoseGraph):
    """Another project's network for the whole picture, of which crops are not asked."""

    settings: OneStageSettings

    @property
    def output(self) -> str:
        return "people"

    def decode(self, output: NDArray[np.float32], near: PlacePrior | None = None) -> Keypoints:
        raise BundleError("a one-stage network finds everybody in the picture, not one in a crop")

    def everybody(self, image: NDArray[np.uint8]) -> Everybody:
        """The people in a picture, uint8 RGB (height, width, 3), with calibrated confidences."""
        found = find_everybody(self.session, image, self.settings)
        return found.calibrated(self.calibrate(found.keypoints[..., 2]))


def open_graphs(
    path: Path, bundle: Bundle, threads: int | None, runtime: Runtime
) -> tuple[PoseGraph, PoseGraph | None]:
    """A pose bundle's initializer, and its step where it has a memory.

    Raises BundleError when the graphs do not fit the settings.
    """
    opened = _Opening(path, bundle, threads, runtime)
    settings = bundle.settings
    if isinstance(settings, OneStageSettings):
        session = OneStageSession(opened.session("people"), settings, opened.joints)
        raw, probability = _curve(settings.calibration, "people")
        return OneStageGraph(session, settings.size, 1, _NONE, raw, probability, settings), None
    if isinstance(settings, ImportedSettings):
        raw, probability = _curve(settings.calibration, "frame")
        imported = ImportedSession(opened.session("frame"), settings, opened.joints)
        return KeypointGraph(imported, settings.size, 1, _NONE, raw, probability), None
    if isinstance(settings, CarriedSettings):
        return _carried(opened, settings)
    if isinstance(settings, DkdSettings):
        step = opened.graph("step", settings.step_size, settings)
        memory = _memory_shape(step.session)
        return opened.graph("initializer", settings.initializer_size, settings, memory), step
    assert isinstance(settings, FrameSettings)
    return opened.graph("frame", settings.size, settings), None


def _carried(opened: _Opening, settings: CarriedSettings) -> tuple[PoseGraph, PoseGraph]:
    first, size = settings.initializer, settings.step_size
    step = opened.graph("step", size, settings)
    kernels = _memory_shape(step.session)
    memory = opened.session("memory")
    check_ports(
        memory,
        opened.name("memory"),
        {
            "image": ("uint8", [None, *size, 3]),
            "maps": ("float32", opened.map_shape(size, settings.stride)),
        },
        {"next_kernels": kernels},
    )
    imported = ImportedSession(opened.session("frame"), first, opened.joints)
    raw, probability = _curve(settings.calibration, "frame")
    session = CarriedSession(imported, memory, settings)
    return KeypointGraph(session, first.size, 1, _NONE, raw, probability), step


@dataclass(frozen=True, slots=True, eq=False)
class _Opening:
    """What every graph of a bundle is opened with."""

    path: Path
    bundle: Bundle
    threads: int | None
    runtime: Runtime

    @property
    def joints(self) -> int:
        assert self.bundle.skeleton is not None
        return self.bundle.skeleton.num_keypoints

    def name(self, graph: str) -> str:
        """How messages call a graph."""
        return f"{self.path}, graph '{graph}'"

    def session(self, graph: str) -> Session:
        return open_session(self.bundle.graphs[graph], self.name(graph), self.threads, self.runtime)

    def map_shape(self, size: Size, stride: int) -> list[int | None]:
        return [None, self.joints, size[0] // stride, size[1] // stride]

    def graph(
        self,
        graph: str,
        size: Size,
        settings: DkdSettings | FrameSettings | CarriedSettings,
        memory: list[int | None] | None = None,
    ) -> PoseGraph:
        """One of the project's own graphs. `memory`: shape that the initializer's kernels must
        have; the step's own says its own."""
        session = self.session(graph)
        image: list[int | None] = [None, *size, 3]
        inputs = {"image": ("uint8", image)}
        outputs = {"maps": self.map_shape(size, settings.stride)}
        if graph == "initializer":
            outputs["kernels"] = memory or [None]
        if graph == "step":
            kernels = _memory_shape(session)
            inputs["kernels"] = ("float32", kernels)
            outputs["next_kernels"] = kernels
        check_ports(session, self.name(graph), inputs, outputs)
        raw, probability = _curve(settings.calibration, graph)
        offset = settings.offset.get(graph, _NONE)
        return PoseGraph(session, size, settings.stride, offset, raw, probability)


def _curve(
    calibration: Mapping[str, Curve], graph: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    raw, probability = np.array(calibration[graph], dtype=np.float64).T
    return raw, probability


def _memory_shape(step: Session) -> list[int | None]:
    """Shape (N, ...) of the memory that a step graph takes, N for any number of people."""
    shapes = [port.shape for port in step.inputs if port.name == "kernels"]
    return [None, *shapes[0][1:]] if shapes else [None]
