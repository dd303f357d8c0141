"""The trackers side by side: on films of people who cross, with exact ids, and on real clips.

    python benchmarks/tracking.py --ccp DATA/ccp --videos DATA/video --model dkd-lite --films 10
    python benchmarks/tracking.py --clip DATA/video/walk_backlit.mp4 --model dkd-lite

Films: see crossing.py; the same seed gives the same films. HOTA, MOTA and IDF1 by trackeval, with
the boxes' IoU as similarity. Whoever is visible to less than a quarter is neither to be found nor
wrong to be found. A person's box is drawn by its keypoints and the true one by the mask, so HOTA,
which also asks for tight boxes, stays low for all.

Clips: how many ids were given, and how many of them lasted for at least half a second. How many
people there are has to be counted by eye.

"CPU ms" is the process's CPU time for each frame, which other programs do not disturb.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from time import process_time
from typing import get_args

import cv2
import numpy as np
from crossing import Shot, film, load_backgrounds, load_cutouts
from numpy.typing import NDArray
from report import finish, machine, parser, table

from vidpose.inference import Detector, PoseModel, load_detector
from vidpose.inference.boxes import iou, match
from vidpose.metrics.tracking import TrackedFrame, TrackingScores, tracking_scores
from vidpose.results import FrameResult
from vidpose.tracking import PoseStream
from vidpose.tracking.trackers import TrackerName
from vidpose.video import VideoReader

LEAST_VISIBLE = 0.25
LASTING = 0.5  # s
TRACKERS: tuple[TrackerName, ...] = get_args(TrackerName)


def follow(
    stream: PoseStream, frames: Iterable[tuple[NDArray[np.uint8], float]]
) -> tuple[list[FrameResult], float]:
    """A video's results, and the CPU seconds spent on them (not on the decoding)."""
    results, spent = [], 0.0
    for image, time in frames:
        start = process_time()
        results.append(stream.step(image, time))
        spent += process_time() - start
    return results, spent


def scored_frame(shot: Shot, result: FrameResult) -> TrackedFrame:
    """A frame without those who are hidden, and without the predictions that found them."""
    boxes = np.array([person.box for person in result.people]).reshape(-1, 4)
    similarity = iou(shot.boxes, boxes)
    hidden = shot.visible < LEAST_VISIBLE
    spared = {column for row, column in match(similarity, 0.5) if hidden[row]}
    kept = [column for column in range(len(boxes)) if column not in spared]
    there = np.flatnonzero(~hidden)
    ids = [result.people[column].id for column in kept]
    return TrackedFrame(there.tolist(), ids, similarity[there][:, kept])


def crossing_scores(
    films: Sequence[Sequence[Shot]], model: PoseModel, detector: Detector, tracker: TrackerName
) -> tuple[TrackingScores, float]:
    """Scores over all films, and CPU ms a frame."""
    videos, spent = [], 0.0
    for shots in films:
        stream = PoseStream(model, detector, tracker=tracker)
        results, seconds = follow(stream, ((shot.image, shot.time) for shot in shots))
        videos.append([scored_frame(*pair) for pair in zip(shots, results, strict=True)])
        spent += seconds
    return tracking_scores(videos), 1e3 * spent / sum(map(len, films))


def clip_row(
    path: Path, model: PoseModel, detector: Detector, tracker: TrackerName
) -> dict[str, float]:
    """Ids of a real clip."""
    with VideoReader(path) as video:
        frames = [(frame.image, frame.time) for frame in video]
    results, spent = follow(PoseStream(model, detector, tracker=tracker), frames)
    rate = (len(frames) - 1) / (frames[-1][1] - frames[0][1])
    seen = Counter(person.id for result in results for person in result.people)
    return {
        "frames": len(frames),
        "ids": len(seen),
        "lasting": sum(count >= LASTING * rate for count in seen.values()),
        "people a frame": sum(seen.values()) / len(frames),
        "at most": max(len(result.people) for result in results),
        "CPU ms": 1e3 * spent / len(frames),
    }


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--model", required=True, help="name or path of a bundle")
    arguments.add_argument("--detector", default="finder", help="as for vidpose run")
    arguments.add_argument("--ccp", type=Path, help="Clothing Co-Parsing, with masks/")
    arguments.add_argument("--videos", type=Path, help="folder of the videos with empty scenes")
    arguments.add_argument("--films", type=int, default=10)
    arguments.add_argument("--frames", type=int, default=60)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--clip", type=Path, action="append", default=[], help="repeatable")
    given = arguments.parse_args()
    if (given.ccp is None or given.videos is None) and not given.clip:
        raise SystemExit("give --ccp and --videos, or --clip")

    cv2.setNumThreads(given.threads)
    figures: dict[str, object] = {"machine": machine(given.threads)}
    model = PoseModel.load(given.model, given.threads)
    detector = load_detector(given.detector, given.threads)
    if given.ccp is not None and given.videos is not None:
        masks, scenes = load_cutouts(given.ccp), load_backgrounds(given.videos)
        films = [
            film(masks, scenes, given.frames, np.random.default_rng([given.seed, number]))
            for number in range(given.films)
        ]
        figures["crossing"] = _say_crossing(films, model, detector)
    for path in given.clip:
        found = {name: clip_row(path, model, detector, name) for name in TRACKERS}
        columns = list(found[TRACKERS[0]])
        rows = [[name, *(f"{row[c]:.4g}" for c in columns)] for name, row in found.items()]
        print(f"\n{path.name}\n\n{table(['tracker', *columns], rows)}", flush=True)
        figures[path.name] = found
    finish(given.json, figures)


def _say_crossing(
    films: Sequence[Sequence[Shot]], model: PoseModel, detector: Detector
) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    rows = []
    for name in TRACKERS:
        scores, milliseconds = crossing_scores(films, model, detector, name)
        found[name] = {**asdict(scores), "CPU ms": milliseconds}
        shares = (scores.hota, scores.deta, scores.assa, scores.mota, scores.idf1)
        counts = (scores.switches, scores.misses, scores.false_positives)
        percent = [f"{100 * value:.1f}" for value in shares]
        rows.append([name, *percent, *map(str, counts), f"{milliseconds:.1f}"])
    shots = [shot for each in films for shot in each]
    people = sum(int((shot.visible >= LEAST_VISIBLE).sum()) for shot in shots)
    print(f"\n{len(films)} films, {len(shots)} frames, {people} people to be found in them\n")
    columns = [
        "HOTA",
        "DetA",
        "AssA",
        "MOTA",
        "IDF1",
        "switches",
        "missed",
        "false positives",
        "CPU ms",
    ]
    print(table(["tracker", *columns], rows), flush=True)
    return found


if __name__ == "__main__":
    main()
