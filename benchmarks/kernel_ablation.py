"""What do the kernels carry? The step network with kernels that know less and less of the person.

    python benchmarks/kernel_ablation.py --jhmdb DATA/jhmdb --coco DATA/coco_people \\
        --penn DATA/penn_action/Penn_Action --bundle dkd-base-int8 --json kernels.json

Nothing is trained: the same step network finds the later frames of a clip with
- the kernels of the frame before, as in the paper;
- those with a quarter of the first frame's (`vidpose.inference.pose.with_look`);
- those of the clip's first frame, never updated;
- the mean of the first frames' kernels of all *other* clips, so without any memory of this person;
- those of the first frame of one other clip.
What the first two have beside the mean is what carrying kernels gives, all else being equal. "near"
are rows with the prior around the last places (`vidpose.inference.decode.PlacePrior`): the second
of the above with it is what is used. Data and figures: video_accuracy.py (JHMDB's test clips at
hand), clips_accuracy.py (COCO's people).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from clips_accuracy import BOX, clips, inside
from clips_accuracy import figures as clip_figures
from numpy.typing import NDArray
from predictors import Initializer
from report import finish, machine, parser, table
from video_accuracy import Found, compare, videos
from video_accuracy import figures as video_figures

from vidpose.data.datasets.coco import load_coco
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.evaluation.single_person import FRAME_SECONDS
from vidpose.inference import pose
from vidpose.inference.boxes import Box
from vidpose.inference.crop import region_around
from vidpose.inference.pose_model import PoseModel
from vidpose.inference.timing import StageTimer

Kernels = NDArray[np.float32]
Image = NDArray[np.uint8]
Memory = Callable[[Kernels, Kernels], Kernels]
Predictor = Callable[[Image, Box], NDArray[np.float32]]
ROWS = (
    "initializer in every frame",
    "initializer in every frame, near",
    "kernels of the frame before",
    "with a quarter of the first frame's",
    "with a quarter of the first frame's, near",
    "kernels of the first frame",
    "mean kernels of other people",
    "mean kernels of other people, near",
    "kernels of another person",
)


def first_look(model: PoseModel, image: Image, box: Box) -> pose.Pose:
    """The initializer's pose, with its kernels."""
    region = region_around(box, aspect=model.aspect, padding=model.padding)
    return pose.initialize(model, image, [region], StageTimer())[0]


class Looks:
    """The initializer in every frame of a clip, with the prior around the last places."""

    def __init__(self, model: PoseModel) -> None:
        self._model = model
        self._last: pose.Pose | None = None

    def __call__(self, image: Image, box: Box) -> NDArray[np.float32]:
        """Keypoints (K, 3) of the next frame."""
        region = region_around(box, aspect=self._model.aspect, padding=self._model.padding)
        near = [pose.Expected(self._last.keypoints, FRAME_SECONDS)] if self._last else None
        self._last = pose.initialize(self._model, image, [region], StageTimer(), near)[0]
        return self._last.keypoints


class Steps:
    """The step network on a clip. `memory` chooses the kernels, given those of the frame before
    and those of the first one; `near`: with the prior around the last places."""

    def __init__(self, model: PoseModel, memory: Memory, *, near: bool = False) -> None:
        self._model, self._memory, self._near = model, memory, near
        self._last: pose.Pose | None = None
        self._first: Kernels | None = None

    def __call__(self, image: Image, box: Box) -> NDArray[np.float32]:
        """Keypoints (K, 3) of the next frame."""
        if self._last is None:
            self._last = first_look(self._model, image, box)
            self._first = self._last.kernels
            return self._last.keypoints
        assert self._last.kernels is not None
        assert self._first is not None
        kernels = [self._memory(self._last.kernels, self._first)]
        region = region_around(box, aspect=self._model.aspect, padding=self._model.padding)
        near = [pose.Expected(self._last.keypoints, FRAME_SECONDS)] if self._near else None
        self._last = pose.step(self._model, image, [region], kernels, StageTimer(), near)[0]
        return self._last.keypoints


def compared(
    model: PoseModel, shots: Callable[[], Iterable[Sequence[tuple[Image, Box]]]]
) -> dict[str, list[NDArray[np.float32]]]:
    """Keypoints (T, K, 3) of each clip by row; `shots` gives the clips anew at each call."""
    looks = [first_look(model, *shot[0]).kernels for shot in shots()]
    kernels = [each for each in looks if each is not None]
    total = np.sum(np.stack(kernels), axis=0)
    found: dict[str, list[NDArray[np.float32]]] = {row: [] for row in ROWS}
    for number, shot in enumerate(shots()):
        own, other = kernels[number], kernels[(number + 1) % len(kernels)]
        mean = ((total - own) / (len(kernels) - 1)).astype(np.float32)
        predictors: tuple[Predictor, ...] = (
            Initializer(model),
            Looks(model),
            Steps(model, lambda before, first: before),
            Steps(model, pose.with_look),
            Steps(model, pose.with_look, near=True),
            Steps(model, lambda before, first: first),
            Steps(model, partial(_always, mean)),
            Steps(model, partial(_always, mean), near=True),
            Steps(model, partial(_always, other)),
        )
        for row, predict in zip(ROWS, predictors, strict=True):
            found[row].append(np.stack([predict(image, box) for image, box in shot]))
    return found


def _always(kernels: Kernels, before: Kernels, first: Kernels) -> Kernels:
    return kernels


def of_video(model: PoseModel, root: Path) -> dict[str, dict[str, float]]:
    """Figures on JHMDB's clips; "ahead" is beside the initializer in every frame."""

    def shots() -> Iterable[list[tuple[Image, Box]]]:
        for video in videos(root):
            boxes = [(x, y, w, h) for x, y, w, h in video.boxes.tolist()]
            yield list(zip(video.frames, boxes, strict=True))

    found = compared(model, shots)
    scored: dict[str, list[Found]] = {row: [] for row in ROWS}
    for number, video in enumerate(videos(root)):
        for row in ROWS:
            scored[row].append(compare(found[row][number], video))
    return {row: video_figures(scored[row], scored[ROWS[0]]) for row in ROWS}


def of_clips(model: PoseModel, coco: Path, penn: Path, count: int) -> dict[str, dict[str, float]]:
    """Figures on moved people of COCO."""
    people = [s for s in load_coco(coco, "val2017") if (s.keypoints[:, 2] > 0).any()]
    made = list(clips(people, MotionBank.load(penn, split="test"), count, 16, 0))
    found = compared(model, lambda: ([(image, BOX) for image in clip.images] for clip in made))
    truth = np.stack([clip.keypoints for clip in made])
    return {row: clip_figures(np.stack(found[row]), truth, inside(truth)) for row in ROWS}


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--jhmdb", type=Path, help="JHMDB, unpacked")
    arguments.add_argument("--coco", type=Path, help="COCO's root")
    arguments.add_argument("--penn", type=Path, help="Penn Action, with labels/; for --coco")
    arguments.add_argument("--bundle", required=True, help="name or path")
    arguments.add_argument("--clips", type=int, default=60, help="of COCO's people (60)")
    given = arguments.parse_args()
    model = PoseModel.load(given.bundle, threads=given.threads)
    if model.stepper is None:
        raise SystemExit(f"{given.bundle}: has no step network")
    if given.coco and not given.penn:
        raise SystemExit("--coco: its people are moved by --penn")
    conditions = machine(given.threads)
    sets: dict[str, Callable[[], dict[str, dict[str, float]]]] = {}
    if given.jhmdb:
        sets["jhmdb"] = partial(of_video, model, given.jhmdb)
    if given.coco:
        sets["coco"] = partial(of_clips, model, given.coco, given.penn, given.clips)
    rows = {}
    for name, measured in sets.items():
        rows[name] = measured()
        columns = list(next(iter(rows[name].values())))
        print(f"\n{name}\n")
        cells = [[n, *(f"{r[c]:.1f}" for c in columns)] for n, r in rows[name].items()]
        print(table(["kernels", *columns], cells))
    finish(given.json, {"machine": conditions, "model": model.name, "sets": rows})


if __name__ == "__main__":
    main()
