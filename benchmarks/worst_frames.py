"""The person-frames of each clip at which the stream is farthest off: pictures and a table.

    python benchmarks/worst_frames.py --clips DATA/video --peers MODELS --jhmdb DATA/jhmdb \\
        --before models/old.vidpose --after dkd-base-int8 --out worst --json worst_frames.json

The whole stream runs over every clip, as in video_agreement.py, with each of the two bundles and
today's code and detector. In every `--every`-th frame it is set against the joints on which
PP-TinyPose with flip test and MoveNet Thunder agree; with --jhmdb also against the labels of the
test clips of JHMDB's split 1, all of them as one row (a part of JHMDB: no JHMDB result).

A person-frame's error is the mean distance of the joints that count, in percent of the longer side
of the person's box; a person whom the stream does not have is 100 % off. "far" is the share of
person-frames over 10 %, "lost" of those not had, "worst" the median error of the worst frames:
for each bundle the sixteen largest errors, no two of one person within half a second. They are
drawn into OUT/CLIP-before.png and OUT/CLIP-after.png, worst first: the joints that count, before,
after.

"wrong joints" are those over 10 % off, of people whom the stream has; "other side" says how many of
them lie where the same joint of the other side is. "initializer": wrong joints of the bundle's
initializer alone in every frame, in the boxes of the agreement, over all people.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from montage import Picture, save_montage, view
from numpy.typing import NDArray
from predictors import Initializer
from report import finish, machine, parser
from table_parts import rows_table
from video_accuracy import videos
from video_agreement import AgreedPose, agreed_poses, find_clips, streamed

from vidpose.inference import PoseModel
from vidpose.inference.boxes import iou
from vidpose.skeleton import COCO_17
from vidpose.video import VideoReader

COUNT, SECONDS = 16, 0.5
SAME_PERSON = 0.3  # IoU of the boxes of two frames within these seconds
FAR, LOST = 10.0, 100.0  # percent of the box's longer side
PADDING = 1.6  # of the views, so that a pose beside the person is seen
JHMDB = "JHMDB, test clips"
AT_PLACE = 5.0  # percent within which a joint is where another one should be
COLUMNS = ("person-frames", "joints", "median before", "median after", "far before", "far after",
           "lost before", "lost after", "worst before", "worst after", "wrong joints before",
           "wrong joints after", "other side before", "other side after", "initializer before",
           "initializer after")  # fmt: skip


def labelled_poses(root: Path, every: int) -> list[AgreedPose]:
    """The labelled people of JHMDB's test clips."""
    return [
        AgreedPose(video.path, frame, image, (x, y, w, h), truth, truth[:, 2] > 0)
        for video in videos(root)
        for frame, image in enumerate(video.frames)
        if frame % every == 0
        for (x, y, w, h), truth in [(video.boxes[frame].tolist(), video.truth[frame])]
        if (truth[:, 2] > 0).any()
    ]


def apart(
    found: NDArray[np.float32], seen: AgreedPose, order: Sequence[int] = range(17)
) -> NDArray[np.float64]:
    """How far each joint (17,) is from the joint `order` of the truth, in percent of the box's
    longer side; NaN where either is lacking."""
    joints = list(order)
    distance = np.linalg.norm(found[:, :2] - seen.keypoints[joints, :2], axis=1)
    return np.where(seen.counted[joints], 100.0 * distance / max(seen.box[2:]), np.nan)


def error(found: NDArray[np.float32], seen: AgreedPose) -> float:
    """Mean distance of the joints that count; 100 where the stream has nobody."""
    return LOST if np.isnan(found).all() else float(np.nanmean(apart(found, seen)))


def wrong_joints(
    found: Sequence[NDArray[np.float32]], seen: Sequence[AgreedPose]
) -> tuple[int, int]:
    """Joints that are far off, and how many of them lie where the other side's joint is."""
    total = np.zeros(2, int)
    for keypoints, person in zip(found, seen, strict=True):
        wrong = apart(keypoints, person) > FAR
        swapped = wrong & (apart(keypoints, person, COCO_17.flip_index) < AT_PLACE)
        total += [wrong.sum(), swapped.sum()]
    return int(total[0]), int(total[1])


def frame_times(clip: Path) -> list[float]:
    """The time of each frame in s."""
    with VideoReader(clip) as reader:
        return [frame.time for frame in reader]


def farthest(seen: Sequence[AgreedPose], errors: NDArray[np.float64]) -> list[int]:
    """Indices of the worst person-frames, worst first."""
    times = {clip: frame_times(clip) for clip in dict.fromkeys(person.clip for person in seen)}
    kept: list[int] = []
    for index in np.argsort(-errors, kind="stable").tolist():
        if len(kept) < COUNT and not any(
            _same(seen[index], seen[i], times[seen[i].clip]) for i in kept
        ):
            kept.append(index)
    return kept


def _same(one: AgreedPose, other: AgreedPose, times: Sequence[float]) -> bool:
    """Whether both are a person within half a second; `times` of the frames of the clip."""
    near = one.clip == other.clip and abs(times[one.frame] - times[other.frame]) < SECONDS
    return near and float(iou(np.array([one.box]), np.array([other.box]))[0, 0]) >= SAME_PERSON


def views(
    seen: AgreedPose, found: Sequence[NDArray[np.float32]], errors: Sequence[float]
) -> list[Picture]:
    """A person-frame three times: joints that count, before, after."""
    truth = np.nan_to_num(seen.keypoints)
    truth[:, 2] = seen.counted
    titles = [f"frame {seen.frame}", *(f"{name} {e:.0f} %" for name, e in zip(
        ("before", "after"), errors, strict=True))]  # fmt: skip
    return [
        view(seen.image, seen.box, pose, title, PADDING)
        for pose, title in zip((truth, *found), titles, strict=True)
    ]


def examine(
    seen: Sequence[AgreedPose], models: Sequence[PoseModel], out: Path
) -> dict[str, float | int]:
    """Draw the worst of a clip by each model into OUT-before.png and OUT-after.png, and its row."""
    found = [streamed(model, seen) for model in models]
    errors = np.array([[error(f, s) for f, s in zip(each, seen, strict=True)] for each in found])
    joints = int(sum(person.counted.sum() for person in seen))
    row: dict[str, float | int] = {"person-frames": len(seen), "joints": joints}
    for number, which in enumerate(("before", "after")):
        worst = farthest(seen, errors[number])
        save_montage(
            out.with_name(f"{out.name}-{which}.png"),
            [views(seen[i], [each[i] for each in found], errors[:, i].tolist()) for i in worst],
        )
        row[f"median {which}"] = float(np.median(errors[number]))
        row[f"far {which}"] = float(100 * (errors[number] > FAR).mean())
        row[f"lost {which}"] = float(100 * (errors[number] == LOST).mean())
        row[f"worst {which}"] = float(np.median(errors[number][worst]))
        row[f"wrong joints {which}"], row[f"other side {which}"] = wrong_joints(found[number], seen)
        look = Initializer(models[number])
        row[f"initializer {which}"] = wrong_joints([look(s.image, s.box) for s in seen], seen)[0]
    return row


def main() -> None:
    """Run both bundles over the clips, draw and tell."""
    arguments = parser(__doc__)
    arguments.add_argument("--clips", type=Path, required=True, help="folder with videos")
    arguments.add_argument("--peers", type=Path, required=True, help="folder with the ONNX files")
    arguments.add_argument("--jhmdb", type=Path, help="JHMDB, unpacked")
    arguments.add_argument("--before", required=True, help="bundle to set beside it")
    arguments.add_argument("--after", required=True, help="bundle in question")
    arguments.add_argument("--detector", default="finder", help="gives the boxes (finder)")
    arguments.add_argument("--every", type=int, default=3, help="frames from one to the next (3)")
    arguments.add_argument("--out", type=Path, default=Path("worst"), help="folder of the pictures")
    given = arguments.parse_args()

    models = [PoseModel.load(name, given.threads) for name in (given.before, given.after)]
    given.out.mkdir(parents=True, exist_ok=True)
    rows = {}
    for clip in find_clips(given.clips):
        name = str(clip.relative_to(given.clips).with_suffix(""))
        seen = agreed_poses([clip], given.every, given.peers, given.detector)
        if seen:
            rows[name] = examine(seen, models, given.out / name.replace("/", "-"))
    if given.jhmdb is not None:
        rows[JHMDB] = examine(labelled_poses(given.jhmdb, given.every), models, given.out / "jhmdb")
    print("\n" + rows_table(rows, {column: column for column in COLUMNS}, "clip"))
    finish(given.json, {"machine": machine(given.threads), "clips": rows})


if __name__ == "__main__":
    main()
