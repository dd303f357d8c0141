"""The sixteen people of each clip that a model finds worst, and how another finds them: pictures.

    python benchmarks/worst_frames.py --clips DATA/video --peers MODELS --bundle dkd-base-int8 \\
        --beside old.vidpose --out worst/

In every `--every`-th frame PP-TinyPose and MoveNet Thunder look at each person; where they agree
(`video_agreement.py`) their mean stands for the truth. The error of a model's whole stream is the
mean distance of these joints in parts of the box's longer side, 1 for a person whom it lacks. The
sixteen largest of the first model, no two within half a second of one person, are drawn for each
clip, worst first: agreed pose, first model, second model, each with its error.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from montage import COUNT, view, write_montage
from numpy.typing import NDArray
from report import finish, machine, parser, table
from video_agreement import SAME_BOX, AgreedPose, agreed_poses, find_clips, streamed

from vidpose.inference import PoseModel
from vidpose.inference.boxes import iou

APART = 0.5  # seconds


def errors(found: Sequence[NDArray[np.float32]], seen: Sequence[AgreedPose]) -> NDArray[np.float64]:
    """The error of each person, as above."""
    values = []
    for keypoints, person in zip(found, seen, strict=True):
        distance = np.linalg.norm(keypoints[:, :2] - person.keypoints[:, :2], axis=1)
        values.append(np.nan_to_num(distance[person.counted].mean() / max(person.box[2:]), nan=1))
    return np.array(values)


def worst(scores: NDArray[np.float64], seen: Sequence[AgreedPose]) -> list[int]:
    """Numbers of the worst people, no two within `APART` of one person."""
    chosen: list[int] = []
    for number in np.argsort(-scores).tolist():
        one = seen[number]
        near = [seen[other] for other in chosen if abs(seen[other].time - one.time) < APART]
        if all(iou(np.array([one.box]), np.array([other.box]))[0, 0] < SAME_BOX for other in near):
            chosen.append(number)
    return chosen[:COUNT]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--clips", type=Path, required=True, help="folder with videos")
    arguments.add_argument("--peers", type=Path, required=True, help="folder with the ONNX files")
    arguments.add_argument("--bundle", required=True, help="chooses them")
    arguments.add_argument("--beside", required=True, help="bundle to set beside it")
    arguments.add_argument("--every", type=int, default=5, help="frames from one to the next (5)")
    arguments.add_argument("--out", type=Path, default=Path("worst"), help="folder of pictures")
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    models = [PoseModel.load(name, threads=given.threads) for name in (given.bundle, given.beside)]
    rows: dict[str, dict[str, float]] = {}
    for clip in find_clips(given.clips):
        seen = agreed_poses([clip], given.every, given.peers, "finder")
        if not seen:
            print(f"{clip.name}: nobody on whom the two networks agree")
            continue
        found = [streamed(model, seen) for model in models]
        own, other = (errors(each, seen) for each in found)
        chosen = worst(own, seen)
        cells = []
        for number in chosen:
            person = seen[number]
            titles = (
                f"agreed, frame {person.frame}",
                f"own {own[number]:.2f}",
                f"beside {other[number]:.2f}",
            )
            poses = (person.keypoints, found[0][number], found[1][number])
            views = zip(poses, titles, strict=True)
            cells.append([view(person.image, person.box, *each) for each in views])
        write_montage(given.out / f"{clip.parent.name}-{clip.stem}.png", cells)
        rows[f"{clip.parent.name}/{clip.stem}"] = {
            "people": len(seen),
            "median": float(100 * np.median(own)),
            "beside": float(100 * np.median(other)),
            "worst": float(100 * own[chosen].mean()),
            "the same beside": float(100 * other[chosen].mean()),
            "missed": float((own == 1).sum()),
            "missed beside": float((other == 1).sum()),
        }
    columns = list(next(iter(rows.values())))
    cells_of_rows = [[name, *(f"{row[c]:.1f}" for c in columns)] for name, row in rows.items()]
    print(table(["clip", *columns], cells_of_rows))
    finish(given.json, {"machine": machine(given.threads), "clips": rows})


if __name__ == "__main__":
    main()
