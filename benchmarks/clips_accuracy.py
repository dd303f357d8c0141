"""The step network against the initializer and other networks, on clips made of labelled stills.

    python benchmarks/clips_accuracy.py --lspet DATA/lspet --penn DATA/penn_action/Penn_Action \\
        --coco DATA/coco --peers MODELS --bundle dkd-lite --clips 200 --json clips.json

Each clip moves one of the kept-out images of Leeds Sports Pose Extended, or one of the labelled
people of COCO val2017 (as often as it takes), by a window of one of Penn Action's TEST tracks
(`vidpose.data.synthesis.stills_to_clips`, its default camera, tracker jitter, light, blur and
occluders; no mirroring, no turn of the whole picture). The same seed gives the same clips. The
tracker's region is the middle three quarters of each rendered frame, its box that
region without the padding of 1.25. Every network is given the box and pads it as it does in use:
TinyPose cuts the region, MoveNet the square of the same height around it, a bundle its own share.
No network is given black bars. The joints inside the region count.

"step" initialises on frame 0 and then lives on its own memory; "stream" is a `PoseStream` at 30
frames/s that takes the box for its detector's. Frame 0 is not scored. PCK as in crops_accuracy.py.
Acceleration error: mean |second difference of prediction - of truth| per frame, in thousandths of
the person's size (the region's height over its padding); the labels' noise moves with the image,
so it does not enter here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from predictors import Initializer, Stepper, Streamer
from reference_networks import PADDING, REFERENCE_NETWORKS, load_reference
from report import finish, interval, machine, parser, table

from vidpose.data.datasets.coco import load_coco
from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.data.samples import Sample, read_image
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.data.synthesis.stills_to_clips import Clip, ClipConfig, render_clip
from vidpose.inference.boxes import Box
from vidpose.inference.crop import CropRegion
from vidpose.inference.pose_model import PoseModel
from vidpose.metrics.pck import pck, torso_size
from vidpose.metrics.temporal import acceleration_error
from vidpose.skeleton import COCO_17

SIZE = (384, 288)
MARGIN = 4 / 3  # a square as high as the region just fits into the rendered frame
REGION = CropRegion(SIZE[1] / 8, SIZE[0] / 8, SIZE[1] * 0.75, SIZE[0] * 0.75)
BOX = (
    REGION.center[0] - REGION.w / PADDING / 2,
    REGION.center[1] - REGION.h / PADDING / 2,
    REGION.w / PADDING,
    REGION.h / PADDING,
)
CONFIG = replace(ClipConfig(), flip=0.0, rotation_deg=0.0, scale=(MARGIN, MARGIN), stride=(1, 2))

Points = NDArray[np.float32]
ClipPredictor = Callable[[NDArray[np.uint8]], Points]


def clips(
    samples: Sequence[Sample],
    bank: MotionBank,
    count: int,
    frames: int,
    seed: int,
    config: ClipConfig = CONFIG,
) -> Iterator[Clip]:
    """`count` clips, each from an image and a generator of its own."""
    order = np.random.default_rng(seed).permutation(len(samples))
    for number in range(count):
        sample = samples[order[number % len(samples)]]
        yield render_clip(
            read_image(sample.image),
            sample.keypoints,
            sample.box,
            frames=frames,
            size=SIZE,
            rng=np.random.default_rng([seed, number]),
            config=config,
            motion=bank,
        )


def per_frame(predictor: Callable[[NDArray[np.uint8], Box], NDArray[np.float32]]) -> ClipPredictor:
    """A per-frame network, given the tracker's box."""
    return lambda images: np.stack([predictor(image, BOX) for image in images])


def per_clip(make: Callable[[], Callable[[NDArray[np.uint8], Box], Points]]) -> ClipPredictor:
    """A predictor with a memory, made anew for every clip."""

    def predict(images: NDArray[np.uint8]) -> Points:
        predictor = make()
        return np.stack([predictor(image, BOX) for image in images])

    return predict


def inside(keypoints: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Labelled joints (T, K) inside the region."""
    x, y = keypoints[..., 0] + 0.5 - REGION.x, keypoints[..., 1] + 0.5 - REGION.y
    known = keypoints[..., 2] > 0
    return np.asarray(known & (x >= 0) & (x < REGION.w) & (y >= 0) & (y < REGION.h))


def figures(
    predicted: NDArray[np.float32], truth: NDArray[np.float32], counted: NDArray[np.bool_]
) -> dict[str, float]:
    """PCK in percent and acceleration error, of clips (N, T, 17, 3)."""
    clip_count, frames = truth.shape[:2]
    size = np.stack([torso_size(t, c, COCO_17) for t, c in zip(truth, counted, strict=True)])

    def score(chosen: NDArray[np.intp], threshold: float) -> float:
        def flat(array: NDArray[Any]) -> NDArray[Any]:
            return array[chosen, 1:].reshape(len(chosen) * (frames - 1), *array.shape[2:])

        return pck(
            flat(predicted), flat(truth), flat(counted), flat(size),
            COCO_17.keypoints, threshold=threshold,
        ).micro  # fmt: skip

    every = np.arange(clip_count)
    errors = [
        acceleration_error(p[1:], t[1:], c[1:], REGION.h / PADDING)
        for p, t, c in zip(predicted, truth, counted, strict=True)
    ]
    return {
        "PCK@0.2": 100 * score(every, 0.2),
        "+-": 100 * interval(lambda chosen: score(chosen, 0.2), clip_count, draws=200),
        "PCK@0.1": 100 * score(every, 0.1),
        "last frame @0.2": 100 * _last_frame(predicted, truth, counted, size),
        "acceleration error": 1000 * float(np.nanmean(errors)),
    }


def _last_frame(
    predicted: NDArray[np.float32],
    truth: NDArray[np.float32],
    counted: NDArray[np.bool_],
    size: NDArray[np.float64],
) -> float:
    last = (predicted[:, -1], truth[:, -1], counted[:, -1], size[:, -1])
    return pck(*last, COCO_17.keypoints).micro


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--lspet", type=Path, help="Leeds Sports Pose Extended")
    arguments.add_argument("--coco", type=Path, help="COCO's root")
    arguments.add_argument("--penn", type=Path, required=True, help="Penn Action, with labels/")
    arguments.add_argument("--peers", type=Path, help="folder with the references' ONNX files")
    arguments.add_argument("--bundle", action="append", default=[], help="name or path; repeatable")
    arguments.add_argument("--clips", type=int, default=200)
    arguments.add_argument("--frames", type=int, default=16)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()

    predictors: dict[str, ClipPredictor] = {}
    if given.peers is not None:
        for name in REFERENCE_NETWORKS:
            predictors[name] = per_frame(load_reference(name, given.peers, given.threads))
    for bundle in given.bundle:
        model = PoseModel.load(bundle, threads=given.threads)
        predictors[f"{model.name} initializer"] = per_frame(Initializer(model))
        if model.stepper is not None:
            predictors[f"{model.name} step"] = per_clip(partial(Stepper, model))
            predictors[f"{model.name} stream"] = per_clip(partial(Streamer, model))

    sets = {}
    if given.lspet is not None:
        names = kept_out_names(given.lspet)
        sets["lspet"] = [s for s in load_lspet(given.lspet) if s.image.name in names]
    if given.coco is not None:
        sets["coco"] = [
            s for s in load_coco(given.coco, "val2017") if (s.keypoints[:, 2] > 0).any()
        ]
    if not sets or not predictors:
        raise SystemExit("give --lspet, --coco or both, and --peers, --bundle or both")

    conditions = machine(given.threads)
    bank = MotionBank.load(given.penn, split="test")
    settings = {"clips": given.clips, "frames": given.frames, "seed": given.seed}
    rows = {}
    for title, samples in sets.items():
        made = clips(samples, bank, given.clips, given.frames, given.seed)
        rows[title], joints = measure(made, predictors)
        people = min(len(samples), given.clips)
        print(
            f"\n{title}: {given.clips} clips of {given.frames} frames, {people} people, "
            f"{joints} joints, seed {given.seed}\n"
        )
        columns = ["PCK@0.2", "+-", "PCK@0.1", "last frame @0.2", "acceleration error"]
        found = rows[title].items()
        print(
            table(["model", *columns], [[n, *(f"{r[c]:.1f}" for c in columns)] for n, r in found])
        )
    finish(given.json, {"machine": conditions, "settings": settings, "models": rows})


def measure(
    made: Iterator[Clip], predictors: Mapping[str, ClipPredictor]
) -> tuple[dict[str, dict[str, float]], int]:
    """Figures of every predictor on the clips, and the number of joints that counted."""
    truth: list[NDArray[np.float32]] = []
    predicted: dict[str, list[NDArray[np.float32]]] = {name: [] for name in predictors}
    for clip in made:
        truth.append(clip.keypoints)
        for name, predictor in predictors.items():
            predicted[name].append(predictor(clip.images))
    labels = np.stack(truth)
    counted = inside(labels)
    rows = {name: figures(np.stack(found), labels, counted) for name, found in predicted.items()}
    return rows, int(counted[:, 1:].sum())


if __name__ == "__main__":
    main()
