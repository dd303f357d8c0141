"""A pose model: its graphs and its settings, without any memory of a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import (
    SUFFIX,
    Bundle,
    DetectorSettings,
    Trust,
    find_bundle,
    read_bundle,
)
from vidpose.errors import BundleError, InputError
from vidpose.files import digest_of
from vidpose.inference.backends.base import Runtime
from vidpose.inference.graphs import PoseGraph, open_graphs
from vidpose.skeleton import FINE_GROUPS, Skeleton


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
        if bundle.skeleton is None or isinstance(bundle.settings, DetectorSettings):
            raise BundleError(f"{path}: this is a {bundle.kind}, a pose model is needed")
        if runtime not in runtimes_for(bundle):
            raise BundleError(
                f"{path}: an {bundle.precision} bundle runs on onnxruntime; on {runtime} it finds "
                "other keypoints (docs/training.md). Take a float bundle (models/dkd-base.vidpose "
                "in vidpose's repository), or this one with --runtime onnxruntime"
            )
        initializer, stepper = open_graphs(path, bundle, threads, runtime)
        return cls(
            name=bundle.name,
            version=bundle.version,
            skeleton=bundle.skeleton,
            padding=bundle.settings.padding,
            trust=bundle.settings.trust,
            initializer=initializer,
            stepper=stepper,
            threads=threads,
            runtime=runtime,
            digest=digest_of(path),
        )

    @property
    def scored(self) -> NDArray[np.intp] | None:
        """Indices of the joints by which a pose is scored: not those of face and hands, of which
        a skeleton may have more than of the body, and which are seldom seen. None for all."""
        fine = {joint for name in FINE_GROUPS for joint in self.skeleton.group(name)}
        body = [joint for joint in range(self.skeleton.num_keypoints) if joint not in fine]
        return np.array(body, np.intp) if fine and body else None

    @property
    def aspect(self) -> float:
        """Width / height of the crops."""
        height, width = (self.stepper or self.initializer).size
        return width / height

    def initialize(
        self, crops: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Find people's poses without memory.

        Args:
            crops: uint8 RGB (N, height, width, 3) of the initializer's size, N at least 1.

        Returns:
            what the graph's `decode` reads: maps (N, K, h, w), logits, or of another project's
            network keypoints (N, K, 3); kernels, the memory for `step`, or None for a model without
            memory. Of DKD it is (N, K, C, S, S) or, factorised, (N, 1, C, S, S); of other models
            it has the shape (N, ...) on which their two graphs agree.

        Other shapes are refused by the runtime, with an error of its own.
        """
        session, output = self.initializer.session, self.initializer.output
        if self.stepper is None:
            (found,) = session.run([output], {"image": crops})
            return found, None
        found, kernels = session.run([output, "kernels"], {"image": crops})
        return found, kernels

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


def fitting_model(name_or_path: str | Path, runtime: Runtime) -> str | Path:
    """The model itself where it is for the runtime, else its float version where that is at hand.

    The float version of `NAME-int8` is the bundle `NAME`: of models called by name among those at
    hand, of a file beside it. Without one it is the model all the same, which `PoseModel.load`
    refuses. Raises BundleError for a bundle that is missing or damaged.
    """
    path = find_bundle(name_or_path)
    bundle = read_bundle(path)
    stem = path.stem.removesuffix("-int8")
    if runtime in runtimes_for(bundle) or stem == path.stem:
        return name_or_path
    named = Path(name_or_path).suffix != SUFFIX
    counterpart: str | Path = stem if named else path.with_name(stem + SUFFIX)
    try:
        other = read_bundle(find_bundle(counterpart))
    except BundleError:
        return name_or_path
    same = other.kind == bundle.kind and other.skeleton == bundle.skeleton
    return counterpart if same and runtime in runtimes_for(other) else name_or_path


def runtimes_for(bundle: Bundle) -> tuple[Runtime, ...]:
    """The runtimes on which a bundle finds what its figures say, installed or not."""
    return ("onnxruntime",) if bundle.precision == "int8" else get_args(Runtime)


def check_model(model: object) -> None:
    """Raises InputError for what is no pose model."""
    if not hasattr(model, "initializer"):
        raise InputError(f"a model is a PoseModel or a name, got {type(model).__name__}")
