"""What each part of the default tracker is good for: the same videos with one part left out.

    python benchmarks/tracker_ablation.py --ccp DATA/ccp --videos DATA/video --model dkd-lite-int8
    python benchmarks/tracker_ablation.py --clip DATA/video/walk_backlit.mp4 --model dkd-lite-int8

Films and scores are those of tracking.py; "frames that differ" from the tracker as it is counts
frames with other ids or boxes. A part that changes no score is not worth its lines:
an exchange of poses between tracks, a return to the pose before two people met, and a search where
a lost person was last seen were removed on these figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
from crossing import Shot, film, load_backgrounds, load_cutouts
from report import finish, machine, parser, table

from tracking import LASTING, follow, scored_frame
from vidpose.inference import Detector, PoseModel, load_detector
from vidpose.metrics.tracking import tracking_scores
from vidpose.results import FrameResult
from vidpose.tracking import PoseStream
from vidpose.video import VideoReader

T = "vidpose.tracking."
PARTS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "as it is": nullcontext,
    "no hiding of jumped keypoints": lambda: patch(T + "occlusion._hide_jumped_keypoints"),
    "no search for duplicates": lambda: patch(T + "occlusion._find_duplicates", lambda *_: {}),
    "no motion": lambda: patch(T + "track.extrapolate", lambda velocity, seconds: 0 * velocity),
    "no check by the detector": lambda: patch(
        T + "reinit_policy.ReinitPolicy.is_undetected", lambda *_: False
    ),
    "no memory of lost people": lambda: patch(
        T + "memory_tracker.MemoryTracker._reidentify", lambda *_: {}
    ),
}

Frames = Sequence[tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], float]]


def film_row(
    films: Sequence[Sequence[Shot]], model: PoseModel, detector: Detector
) -> tuple[dict[str, float], list[FrameResult]]:
    """Scores over all films, and all results."""
    videos, results = [], []
    for shots in films:
        found, _ = follow(PoseStream(model, detector), ((shot.image, shot.time) for shot in shots))
        videos.append([scored_frame(*pair) for pair in zip(shots, found, strict=True)])
        results += found
    return asdict(tracking_scores(videos)), results


def clip_row(
    frames: Frames, model: PoseModel, detector: Detector
) -> tuple[dict[str, float], list[FrameResult]]:
    """Ids of a real clip, and its results."""
    results, _ = follow(PoseStream(model, detector), frames)
    rate = (len(frames) - 1) / (frames[-1][1] - frames[0][1])
    seen = Counter(person.id for result in results for person in result.people)
    lasting = sum(count >= LASTING * rate for count in seen.values())
    people = sum(seen.values()) / len(frames)
    return {"ids": len(seen), "lasting": lasting, "people a frame": people}, results


def ablate(
    measure: Callable[[], tuple[dict[str, float], list[FrameResult]]],
) -> dict[str, dict[str, float]]:
    """The figures with each part left out, and how many frames differ from the first."""
    rows: dict[str, dict[str, float]] = {}
    usual: list[object] = []
    for name, without in PARTS.items():
        with without():
            figures, results = measure()
        brief: list[object] = [tuple((p.id, p.box) for p in result.people) for result in results]
        usual = usual or brief
        differ = sum(a != b for a, b in zip(usual, brief, strict=True))
        rows[name] = {**figures, "frames that differ": differ}
    return rows


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--model", required=True, help="name or path of a bundle")
    arguments.add_argument("--detector", default="finder", help="as for vidpose run")
    arguments.add_argument("--ccp", type=Path, help="Clothing Co-Parsing, with masks/")
    arguments.add_argument("--videos", type=Path, help="folder of the videos with empty scenes")
    arguments.add_argument("--films", type=int, default=16)
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
        figures["crossing"] = _say("films", ablate(lambda: film_row(films, model, detector)))
    for path in given.clip:
        with VideoReader(path) as video:
            frames = [(frame.image, frame.time) for frame in video]
        rows = ablate(lambda frames=frames: clip_row(frames, model, detector))  # type: ignore[misc]
        figures[path.name] = _say(path.name, rows)
    finish(given.json, figures)


def _say(title: str, rows: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    shares = {"hota", "deta", "assa", "mota", "idf1"}
    columns = list(next(iter(rows.values())))
    cells = [
        [name, *(f"{100 * row[c]:.1f}" if c in shares else f"{row[c]:.4g}" for c in columns)]
        for name, row in rows.items()
    ]
    print(f"\n{title}\n\n{table(['tracker', *columns], cells)}", flush=True)
    return rows


if __name__ == "__main__":
    main()
