"""The carried step against its initializer and per-frame networks, on real labelled video.

    python benchmarks/video_accuracy.py --jhmdb DATA/jhmdb --bundle dkd-base-int8 \\
        --bundle dkd-lite-int8 --peers MODELS --json video.json

Data: the clips of the test part of JHMDB's split 1 that lie in DATA with their video
(`ReCompress_Videos/CLASS/CLIP.*`), their mask and their joints. Every network gets the box around
the frame's mask and cuts its own shape of crop around it. "step" initialises on frame 0 and then
lives on its own memory to the end of the clip; frame 0 does not count. Only the twelve limb
joints that JHMDB and COCO share and that lie inside the picture count. PCK as in
crops_accuracy.py; its "+-" is half the 95 % bootstrap interval over clips, "ahead" the difference
to the initializer of the same bundle and its interval, on the same clips. Acceleration error: mean
|second difference of prediction - of truth| a frame, in thousandths of the box's longer side.

The data are a part of JHMDB: no figure of this is a JHMDB result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from predictors import Initializer, Stepper
from reference_networks import REFERENCE_NETWORKS, load_reference
from report import finish, interval, machine, parser, table

from vidpose.data.datasets.jhmdb import read_clip, read_split
from vidpose.inference.boxes import Box
from vidpose.inference.pose_model import PoseModel
from vidpose.metrics.pck import pck, torso_size
from vidpose.metrics.temporal import acceleration_error
from vidpose.skeleton import COCO_17, JHMDB_15, map_keypoints
from vidpose.video import VideoReader

COLUMNS = (
    "PCK@0.2", "+-", "PCK@0.1", "acceleration error", "acceleration +-", "ahead", "ahead +-",
)  # fmt: skip

Predictor = Callable[[NDArray[np.uint8], Box], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Video:
    """Frames, joints (T, 17, 3), boxes (T, 4) of one clip, and its file."""

    path: Path
    frames: list[NDArray[np.uint8]]
    truth: NDArray[np.float32]
    boxes: NDArray[np.float32]


@dataclass(slots=True)
class Found:
    """What a network found in one clip, without frame 0: hits and counted joints at 0.2 and 0.1,
    and the acceleration error."""

    hits: NDArray[np.float64]
    joints: float
    acceleration: float


def videos(root: Path, split: str = "1") -> Iterator[Video]:
    """The test clips at hand."""
    for name, (label, part) in sorted(read_split(root, split, "jhmdb").items()):
        files = sorted((root / "ReCompress_Videos" / label).glob("*"))
        files = [file for file in files if file.stem == name]
        joints = root / "joint_positions" / label / name / "joint_positions.mat"
        if part != "test" or not files or not joints.is_file():
            continue
        clip = read_clip(root, label, name)
        with VideoReader(files[0]) as reader:
            frames = [frame.image for frame in reader]
        if len(frames) != len(clip.keypoints):
            raise SystemExit(f"{files[0]}: {len(frames)} frames, {len(clip.keypoints)} labels")
        truth = map_keypoints(clip.keypoints, JHMDB_15, COCO_17)
        yield Video(files[0], frames, truth, clip.boxes)


def compare(found: NDArray[np.float32], video: Video) -> Found:
    """Score the later frames of one clip."""
    found, truth, boxes = found[1:], video.truth[1:], video.boxes[1:]
    labelled = truth[..., 2] > 0
    torso = torso_size(truth, labelled, COCO_17)
    scores = [
        pck(found, truth, labelled, torso, COCO_17.keypoints, threshold=threshold)
        for threshold in (0.2, 0.1)
    ]
    joints = float(scores[0].counts.sum())
    side = float(boxes[:, 2:].max(1).mean())
    hits = np.array([score.micro * joints if joints else 0.0 for score in scores])
    return Found(hits, joints, 1000 * acceleration_error(found, truth, labelled, side))


def figures(found: list[Found], first: list[Found]) -> dict[str, float]:
    """One row of the table; `first`: the bundle's initializer on the same clips."""
    hits = np.array([each.hits for each in found])
    base = np.array([each.hits for each in first])
    joints = np.array([each.joints for each in found])

    def score(chosen: NDArray[np.intp], table: NDArray[np.float64] = hits, level: int = 0) -> float:
        return float(table[chosen, level].sum() / joints[chosen].sum())

    def ahead(chosen: NDArray[np.intp]) -> float:
        return score(chosen) - score(chosen, base)

    rough = np.array([each.acceleration for each in found])

    def acceleration(chosen: NDArray[np.intp]) -> float:
        return float(np.nanmean(rough[chosen]))

    every = np.arange(len(found))
    return {
        "PCK@0.2": 100 * score(every),
        "+-": 100 * interval(score, len(found)),
        "PCK@0.1": 100 * score(every, level=1),
        "acceleration error": acceleration(every),
        "acceleration +-": interval(acceleration, len(found)),
        "ahead": 100 * ahead(every),
        "ahead +-": 100 * interval(ahead, len(found)),
    }


def _always(predictor: Predictor) -> Callable[[], Predictor]:
    return lambda: predictor


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--jhmdb", type=Path, required=True, help="JHMDB, unpacked")
    arguments.add_argument("--peers", type=Path, help="folder with the references' ONNX files")
    arguments.add_argument("--peer", action="append", help="only these of them; repeatable")
    arguments.add_argument("--bundle", action="append", default=[], help="name or path; repeatable")
    given = arguments.parse_args()

    builders: dict[str, tuple[str, Callable[[], Predictor]]] = {}
    for name in (given.peer or REFERENCE_NETWORKS) if given.peers else ():
        builders[name] = (name, _always(load_reference(name, given.peers, given.threads)))
    for bundle in given.bundle:
        model = PoseModel.load(bundle, threads=given.threads)
        first = f"{model.name} initializer"
        if first in builders:
            raise SystemExit(f"{bundle}: there is a {model.name} already; rename one of the two")
        builders[first] = (first, partial(Initializer, model))
        if model.stepper is not None:
            builders[f"{model.name} step"] = (first, partial(Stepper, model))
    if not builders:
        raise SystemExit("give --peers, --bundle or both")

    conditions = machine(given.threads)
    found: dict[str, list[Found]] = {name: [] for name in builders}
    for video in videos(given.jhmdb):
        for name, (_, build) in builders.items():
            predict = build()
            pairs = zip(video.frames, video.boxes.tolist(), strict=True)
            poses = np.stack([predict(image, (x, y, w, h)) for image, (x, y, w, h) in pairs])
            found[name].append(compare(poses, video))
    clips = len(next(iter(found.values())))
    joints = int(sum(each.joints for each in next(iter(found.values()))))
    rows = {name: figures(found[name], found[first]) for name, (first, _) in builders.items()}
    print(f"\n{clips} test clips of JHMDB's split 1 (a part of it), {joints} joints\n")
    cells = [[name, *(f"{row[key]:.1f}" for key in COLUMNS)] for name, row in rows.items()]
    print(table(["network", *COLUMNS], cells))
    finish(given.json, {"machine": conditions, "clips": clips, "joints": joints, "networks": rows})


if __name__ == "__main__":
    main()
