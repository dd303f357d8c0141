"""A pose model: its graphs and its settings, without any memory of a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import Bundle, DkdSettings, FrameSettings, Size, Trust, find_bundle, read_bundle
from vidpose.errors import BundleError
from vidpose.files import digest_of
from vidpose.inference.backends.base import Runtime, Session, check_ports, open_session
from vidpose.skeleton import Skeleton


@dataclass(frozen=True, slots=True, eq=False)
class PoseGraph:
    """One graph of a model, with what is needed to use it.

    `size`: (height, width) of its crops in pixels. `stride`: crop pixels for each map cell.
    `raw`, `probability`: the points of its calibration.
    """

    session: Session
    size: Size
    stride: int
    raw: NDArray[np.float64]
    probability: NDArray[np.float64]

    def calibrate(self, confidence: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability that a keypoint is right, from its raw confidence; any shape."""
        return np.interp(confidence, self.raw, self.probability).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class PoseModel:
    """A loaded pose model. It never changes, so streams and threads may share it.

    `stepper` is None for a model without memory (a bundle of kind "frame"): it runs
    `initializer` on every frame. `padding` is the factor from a person's box to the crop, `threads`
    the number of CPU threads that it was loaded for (None: all), `runtime` what runs its graphs,
    `digest` that of its file.
    """

    name: str
    version: str
    skeleton: Skeleton
    padding: float
    trust: Trust
    initializer: PoseGraph
    stepper: PoseGraph | None
    threads: int | None
    runtime: Runtime
    digest: str = ""

    @classmethod
    def load(
        cls,
        name_or_path: str | Path,
        threads: int | None = None,
        runtime: Runtime = "onnxruntime",
    ) -> PoseModel:
        """Load a shipped model by its name, or any bundle by its path, to run on the CPU.

        `threads`: CPU threads for one call of a graph; None takes every CPU of this process.
        `runtime`: what runs the graphs; "openvino" comes with `vidpose[openvino]`.
        Raises BundleError when the bundle is missing, damaged, of another kind, or has graphs
        that do not fit its settings or are not for the runtime; InputError for threads below 1;
        VidposeError when the runtime is not installed.
        """
        path = find_bundle(name_or_path)
        bundle = read_bundle(path)
        settings = bundle.settings
        if bundle.skeleton is None or not isinstance(settings, (DkdSettings, FrameSettings)):
            raise BundleError(f"{path}: this is a {bundle.kind}, a pose model is needed")
        if runtime not in runtimes_for(bundle):
            raise BundleError(
                f"{path}: an {bundle.precision} bundle runs on onnxruntime; on {runtime} it finds "
                "other keypoints (docs/int8.md). Float bundles run on both, such as dkd-lite"
            )
        stepper = None
        if isinstance(settings, DkdSettings):
            stepper = _open(path, bundle, "step", settings.step_size, threads, runtime)
            memory = _memory_shape(stepper.session)
            initializer = _open(
                path, bundle, "initializer", settings.initializer_size, threads, runtime, memory
            )
        else:
            initializer = _open(path, bundle, "frame", settings.size, threads, runtime)
        return cls(
            name=bundle.name,
            version=bundle.version,
            skeleton=bundle.skeleton,
            padding=settings.padding,
            trust=settings.trust,
            initializer=initializer,
            stepper=stepper,
            threads=threads,
            runtime=runtime,
            digest=digest_of(path),
        )

    @property
    def aspect(self) -> float:
        """Width / height of the crops."""
        height, width = self.initializer.size
        return width / height

    def initialize(
        self, crops: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Find people's poses without memory.

        Args:
            crops: uint8 RGB (N, height, width, 3) of the initializer's size, N at least 1.

        Returns:
            maps (N, K, h, w), logits; kernels, the memory for `step`, or None for a model without
            memory. Of DKD it is (N, K, C, S, S) or, factorised, (N, 1, C, S, S); of other models
            it has the shape (N, ...) on which their two graphs agree.
        """
        session = self.initializer.session
        if self.stepper is None:
            (maps,) = session.run(["maps"], {"image": crops})
            return maps, None
        maps, kernels = session.run(["maps", "kernels"], {"image": crops})
        return maps, kernels

    def step(
        self, crops: NDArray[np.uint8], kernels: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Find people again, with the kernels (N, ...) of their previous frame.

        Crops have the step's size. Returns maps as `initialize`, and the next kernels. Raises
        BundleError for a model without memory.
        """
        if self.stepper is None:
            raise BundleError(f"model '{self.name}' has no memory, so it cannot step")
        feed: dict[str, NDArray[Any]] = {"image": crops, "kernels": kernels}
        maps, following = self.stepper.session.run(["maps", "next_kernels"], feed)
        return maps, following


def runtimes_for(bundle: Bundle) -> tuple[Runtime, ...]:
    """The runtimes on which a bundle finds what its figures say, installed or not."""
    return ("onnxruntime",) if bundle.precision == "int8" else get_args(Runtime)


def _open(
    path: Path,
    bundle: Bundle,
    graph: str,
    size: Size,
    threads: int | None,
    runtime: Runtime,
    memory: list[int | None] | None = None,
) -> PoseGraph:
    """`memory`: shape that the initializer's kernels must have; the step's own says its own."""
    settings = bundle.settings
    assert isinstance(settings, (DkdSettings, FrameSettings))
    assert bundle.skeleton is not None
    name = f"{path}, graph '{graph}'"
    session = open_session(bundle.graphs[graph], name, threads, runtime)
    joints = bundle.skeleton.num_keypoints
    image: list[int | None] = [None, *size, 3]
    maps: list[int | None] = [None, joints, size[0] // settings.stride, size[1] // settings.stride]
    inputs, outputs = {"image": ("uint8", image)}, {"maps": maps}
    if graph == "initializer":
        outputs["kernels"] = memory or [None]
    if graph == "step":
        kernels = _memory_shape(session)
        inputs["kernels"] = ("float32", kernels)
        outputs["next_kernels"] = kernels
    check_ports(session, name, inputs, outputs)
    raw, probability = np.array(settings.calibration[graph], dtype=np.float64).T
    return PoseGraph(session, size, settings.stride, raw, probability)


def _memory_shape(step: Session) -> list[int | None]:
    """Shape (N, ...) of the memory that a step graph takes, N for any number of people."""
    shapes = [port.shape for port in step.inputs if port.name == "kernels"]
    return [None, *shapes[0][1:]] if shapes else [None]
