"""Poses in real, unlabelled video, measured against what two large networks agree on.

    python benchmarks/video_agreement.py --clips DATA/video --peers MODELS --bundle dkd-lite

In every `--every`-th frame a detector (`--detector`) gives boxes; on each, PP-TinyPose with flip
test and MoveNet Thunder look. Joints that both place within 4 % of the box's longer side, with a
score of 0.3 or more, count: their mean stands for the truth. Boxes with fewer than 8 such joints
are left out. A figure is the share of these joints within 5 % (10 %) of the box's longer side.

"initializer" and the references get the same boxes. "stream" is all of vidpose on the whole
video, frame by frame, with its own detector, tracks and memories, unsmoothed; its person is the
one whose box overlaps most (IoU 0.3 or more), and one that it lacks has all joints wrong.

Nothing here is labelled by people: the figures say how near a network is to larger ones, and
Lightning, Thunder's sibling, is favoured. They serve to compare models of the same kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from predictors import Initializer
from reference_networks import load_reference
from report import finish, interval, machine, parser, table

from vidpose.inference import PoseModel, load_detector
from vidpose.inference.boxes import Box, iou
from vidpose.tracking import PoseStream
from vidpose.video import VideoReader

AGREE, SURE, JOINTS = 0.04, 0.3, 8
THRESHOLDS = (0.05, 0.1)
SAME_BOX = 0.3
SMALLEST = 100.0
"""Pixels of a box's longer side: below, the large networks guess too."""


@dataclass(frozen=True, slots=True)
class AgreedPose:
    """A person in a frame of a clip, and the joints (17,) that are agreed on."""

    clip: Path
    frame: int
    image: NDArray[np.uint8]
    box: Box
    keypoints: NDArray[np.float32]
    counted: NDArray[np.bool_]


def find_clips(folder: Path) -> list[Path]:
    """The videos in a folder and below."""
    return sorted(p for p in folder.rglob("*") if p.suffix in (".mp4", ".mkv"))


def agreed_poses(
    clips: Sequence[Path], every: int, models: Path, detector: str
) -> list[AgreedPose]:
    """All people of the chosen frames on whom the two networks agree."""
    finder = load_detector(detector, threads=1)
    first, second = (
        load_reference("tinypose-flip", models),
        load_reference("thunder", models),
    )
    found = []
    for clip in clips:
        for frame in VideoReader(clip):
            if frame.index % every:
                continue
            for box in people(*finder.detect(frame.image)):
                one, two = first(frame.image, box), second(frame.image, box)
                apart = np.linalg.norm(one[:, :2] - two[:, :2], axis=1) / max(box[2:])
                counted = (apart < AGREE) & (np.minimum(one[:, 2], two[:, 2]) >= SURE)
                if counted.sum() >= JOINTS:
                    mean = ((one + two) / 2).astype(np.float32)
                    found.append(AgreedPose(clip, frame.index, frame.image, box, mean, counted))
    return found


def people(boxes: NDArray[np.float64], scores: NDArray[np.float64]) -> Iterator[Box]:
    """Boxes that a detector is sure of and that are large enough."""
    for (x, y, w, h), score in zip(boxes.tolist(), scores, strict=True):
        if score >= 0.5 and max(w, h) >= SMALLEST:
            yield x, y, w, h


def streamed(model: PoseModel, seen: Sequence[AgreedPose]) -> list[NDArray[np.float32]]:
    """The stream's keypoints of each agreed person; NaN where it does not have the person."""
    missing = np.full((17, 3), np.nan, np.float32)
    found = [missing] * len(seen)
    for clip in dict.fromkeys(person.clip for person in seen):
        stream = PoseStream(model, load_detector("finder", threads=1), smooth=False)
        wanted = {s.frame: [i for i, t in enumerate(seen) if (t.clip, t.frame) == (clip, s.frame)]
                  for s in seen if s.clip == clip}  # fmt: skip
        for frame in VideoReader(clip):
            persons = stream.step(frame.image, frame.time).people
            if not persons:
                continue
            boxes = np.array([person.box for person in persons])
            for index in wanted.get(frame.index, []):
                overlap = iou(np.array([seen[index].box]), boxes)[0]
                if overlap.max() >= SAME_BOX:
                    found[index] = persons[int(overlap.argmax())].keypoints
    return found


def right(found: Sequence[NDArray[np.float32]], seen: Sequence[AgreedPose]) -> dict[str, float]:
    """The columns of a row, in percent."""
    apart = np.stack(
        [
            np.linalg.norm(f[:, :2] - s.keypoints[:, :2], axis=1) / max(s.box[2:])
            for f, s in zip(found, seen, strict=True)
        ]
    )
    counted = np.stack([s.counted for s in seen])

    def share(people: NDArray[np.intp], threshold: float) -> float:
        return float((apart[people] < threshold)[counted[people]].mean())

    every = np.arange(len(seen))
    missing = float(np.isnan(apart).all(axis=1).mean())
    columns = {f"@{t}": 100 * share(every, t) for t in THRESHOLDS}
    columns["+-"] = 100 * interval(lambda chosen: share(chosen, THRESHOLDS[0]), len(seen))
    return {**columns, "people missed": 100 * missing}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--clips", type=Path, required=True, help="folder with videos")
    arguments.add_argument("--peers", type=Path, required=True, help="folder with the ONNX files")
    arguments.add_argument("--bundle", action="append", default=[], help="name or path; repeatable")
    arguments.add_argument("--detector", default="finder", help="gives the boxes (finder)")
    arguments.add_argument("--every", type=int, default=5, help="frames from one to the next (5)")
    given = arguments.parse_args()

    clips = find_clips(given.clips)
    seen = agreed_poses(clips, given.every, given.peers, given.detector)
    methods = {"lightning": load_reference("lightning", given.peers, given.threads)}
    rows: dict[str, dict[str, float]] = {}
    bundles = [PoseModel.load(bundle, threads=given.threads) for bundle in given.bundle]
    methods |= {f"{model.name} initializer": Initializer(model) for model in bundles}
    for name, look in methods.items():
        rows[name] = right([look(s.image, s.box) for s in seen], seen)
    for model in bundles:
        rows[f"{model.name} stream"] = right(streamed(model, seen), seen)
    joints = int(sum(s.counted.sum() for s in seen))
    print(f"{len(clips)} clips, {len(seen)} people, {joints} joints\n")
    columns = [f"@{t}" for t in THRESHOLDS] + ["+-", "people missed"]
    cells = [[name, *(f"{row[column]:.1f}" for column in columns)] for name, row in rows.items()]
    print(table(["method", *columns], cells))
    finish(given.json, {"machine": machine(given.threads), "rows": rows})


if __name__ == "__main__":
    main()
