"""An imported network carried by our step networks: how often it looks, accuracy and time.

    python benchmarks/carried_looks.py --coco DATA/coco_people --lspet DATA/lspet \\
        --penn DATA/penn_action/Penn_Action --every-frame tinypose.vidpose \\
        --bundle tinypose-dkd-base-int8.vidpose --clips 40 --json results/carried_looks.json

The clips of clips_accuracy.py. A row looks (runs the imported network) in every n-th frame and
steps in the others, by the clock alone and without the stream's trust rule. "every frame" is the
imported network without steps. "CPU": the process' time in the pose networks, crops and decoding
for a frame, as a part of that of the imported network in every frame on the same clips, taken in
turn; other work on the machine disturbs it little. Frame 0 is a look for all and is not scored.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from clips_accuracy import BOX, clips, figures, inside
from numpy.typing import NDArray
from report import finish, machine, parser, table

from vidpose.data.datasets.coco import load_coco
from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.data.synthesis.stills_to_clips import Clip
from vidpose.evaluation.single_person import FRAME_SECONDS
from vidpose.inference import pose
from vidpose.inference.crop import region_around
from vidpose.inference.pose_model import PoseModel
from vidpose.inference.timing import StageTimer

COLUMNS = ("PCK@0.2", "+-", "PCK@0.1", "last frame @0.2", "acceleration error", "CPU")


def follow(
    model: PoseModel, images: Iterable[NDArray[np.uint8]], every: int
) -> NDArray[np.float32]:
    """Keypoints (T, K, 3) of a clip, with a look in every so many frames."""
    region = region_around(BOX, aspect=model.aspect, padding=model.padding)
    found: list[pose.Pose] = []
    for number, image in enumerate(images):
        memory = found[-1].kernels if number % every else None
        if memory is None:
            found += pose.initialize(model, image, [region], StageTimer())
        else:
            expected = [pose.Expected(found[-1].keypoints, FRAME_SECONDS)]
            found += pose.step(model, image, [region], [memory], StageTimer(), expected)
    return np.stack([each.keypoints for each in found])


def measure(
    made: Iterable[Clip], ways: dict[str, tuple[PoseModel, int]]
) -> dict[str, dict[str, float]]:
    """Figures of each way; CPU times are taken clip by clip in turn."""
    truth: list[NDArray[np.float32]] = []
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in ways}
    spent = dict.fromkeys(ways, 0.0)
    for clip in made:
        truth.append(clip.keypoints)
        for name, (model, every) in ways.items():
            start = time.process_time()
            found[name].append(follow(model, clip.images, every))
            spent[name] += time.process_time() - start
    labels = np.stack(truth)
    counted, whole = inside(labels), next(iter(spent.values()))
    return {
        name: figures(np.stack(each), labels, counted) | {"CPU": spent[name] / whole}
        for name, each in found.items()
    }


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--lspet", type=Path, required=True, help="Leeds Sports Pose Extended")
    arguments.add_argument("--coco", type=Path, required=True, help="COCO's root")
    arguments.add_argument("--penn", type=Path, required=True, help="Penn Action, with labels/")
    arguments.add_argument("--every-frame", required=True, help="the imported network's bundle")
    arguments.add_argument("--bundle", action="append", required=True, help="it, carried")
    arguments.add_argument("--looks", default="2,4,8,16", help="frames from look to look")
    arguments.add_argument("--clips", type=int, default=40)
    arguments.add_argument("--frames", type=int, default=16)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()

    alone = PoseModel.load(given.every_frame, threads=given.threads)
    ways = {f"{alone.name}, every frame": (alone, 1)}
    for bundle in given.bundle:
        model = PoseModel.load(bundle, threads=given.threads)
        for every in map(int, given.looks.split(",")):
            ways[f"{model.name}, every {every}"] = (model, every)
    kept = kept_out_names(given.lspet)
    sets = {
        "lspet": [s for s in load_lspet(given.lspet) if s.image.name in kept],
        "coco": [s for s in load_coco(given.coco, "val2017") if (s.keypoints[:, 2] > 0).any()],
    }
    conditions = machine(given.threads)
    bank = MotionBank.load(given.penn, split="test")
    rows = {}
    for title, samples in sets.items():
        rows[title] = measure(clips(samples, bank, given.clips, given.frames, given.seed), ways)
        print(f"\n{title}: {given.clips} clips of {given.frames} frames, seed {given.seed}\n")
        cells = [
            [name, *(f"{row[c]:.2f}" if c == "CPU" else f"{row[c]:.1f}" for c in COLUMNS)]
            for name, row in rows[title].items()
        ]
        print(table(["way", *COLUMNS], cells))
    finish(given.json, {"machine": conditions, "models": rows})


if __name__ == "__main__":
    main()
