"""The small pictures of docs/how-to, drawn as SVG from results of real clips.

    python benchmarks/page_pictures.py --videos DATA/video --model NAME --out docs/how-to

squat.svg and opensim.svg are of squats.mp4, count-people.svg of one_by_one.mp4, webcam.svg of
single_pose.mp4, one-player.svg of walk_backlit.mp4. Poses and curves only; no pixel of a clip.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import vidpose
from vidpose.analysis import (
    angle_names,
    fill_gaps,
    lowpass,
    person_angles,
    person_trajectories,
)
from vidpose.analysis.angles import facing_signs
from vidpose.results import FrameResult
from vidpose.skeleton import COCO_17

Curve = tuple[str, NDArray[np.float64], NDArray[np.float64]]
WIDTH, HEIGHT, MARGIN = 640, 220, 42
COLOURS = ("#1565c0", "#e65100", "#2e7d32", "#6a1b9a")


def chart(curves: Sequence[Curve], across: str, upwards: str, flip: bool = False) -> str:
    """Named curves (x, y) over each other; `flip`: y grows downwards, as in pictures."""
    xs = np.concatenate([x for _, x, _ in curves])
    ys = np.concatenate([y for _, _, y in curves])
    low, high = float(np.nanmin(ys)), float(np.nanmax(ys))
    left, right = float(np.nanmin(xs)), float(np.nanmax(xs))

    def place(x: float, y: float) -> str:
        along = (y - low) / ((high - low) or 1)
        along = along if flip else 1 - along
        return (
            f"{MARGIN + (x - left) / ((right - left) or 1) * (WIDTH - 2 * MARGIN):.1f},"
            f"{24 + along * (HEIGHT - 64):.1f}"
        )

    lines = []
    for number, (name, x, y) in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        lines.append(f'<text x="{MARGIN + 150 * number}" y="14" fill="{colour}">{name}</text>')
        for part in np.split(np.arange(len(x)), np.flatnonzero(np.isnan(y))):
            points = " ".join(place(float(x[i]), float(y[i])) for i in part if y[i] == y[i])
            lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
    top, bottom = (low, high) if flip else (high, low)
    lines += [
        f'<text x="2" y="30">{top:.0f}</text><text x="2" y="{HEIGHT - 38}">{bottom:.0f}</text>',
        f'<text x="{MARGIN}" y="{HEIGHT - 18}">{left:.0f}</text>',
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 18}" text-anchor="end">{right:.0f}</text>',
        f'<text x="{WIDTH // 2}" y="{HEIGHT - 4}" text-anchor="middle">{across}; {upwards}</text>',
    ]
    return _svg(lines)


def figures(frames: Sequence[FrameResult]) -> str:
    """Everybody in a few frames, side by side, as stick figures."""
    lines = []
    boxes = [person.box for frame in frames for person in frame.people]
    top, left = min(box[1] for box in boxes), min(box[0] for box in boxes)
    tall = max(box[1] + box[3] for box in boxes) - top
    wide = max(box[0] + box[2] for box in boxes) - left
    step = (WIDTH - 20) / len(frames)
    scale = min((HEIGHT - 40) / tall, (step - 10) / wide)
    for number, frame in enumerate(frames):
        for person in frame.people:
            colour = COLOURS[(person.id - 1) % len(COLOURS)]
            points = (person.keypoints[:, :2] - (left, top)) * scale + (15 + number * step, 10)
            for a, b in COCO_17.edges:
                if min(person.keypoints[a, 2], person.keypoints[b, 2]) > 0.2:
                    (x, y), (u, v) = points[a], points[b]
                    lines.append(f'<path d="M{x:.1f} {y:.1f}L{u:.1f} {v:.1f}" stroke="{colour}"/>')
        lines.append(
            f'<text x="{15 + number * step + wide * scale / 2:.0f}" y="{HEIGHT - 8}" '
            f'text-anchor="middle">{frame.time:.1f} s</text>'
        )
    return _svg(lines)


def _svg(lines: Sequence[str]) -> str:
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" stroke-width="2" stroke-linecap="round">'
        '<rect width="100%" height="100%" fill="#fff"/>'
    )
    return "\n".join([start, *lines, "</svg>"]) + "\n"


def squat(frames: list[FrameResult]) -> str:
    frames = lowpass(fill_gaps(frames, 0.5), 2.0)
    (trajectory, *_) = person_trajectories(frames).values()
    keypoints = trajectory.keypoints
    angles = person_angles(keypoints, COCO_17, facing_signs(trajectory.times, keypoints, COCO_17))
    names = angle_names(COCO_17)
    curves = [
        (name.replace("_", " "), trajectory.times, angles[:, names.index(name)])
        for name in ("left_knee_flexion", "left_hip_flexion")
    ]
    return chart(curves, "seconds", "degrees")


def opensim(frames: list[FrameResult]) -> str:
    return figures(frames[:: max(len(frames) // 7, 1)][:7])


def count_people(frames: list[FrameResult]) -> str:
    frames = frames[::5]
    times = np.array([frame.time for frame in frames])
    counts = np.array([float(len(frame.people)) for frame in frames])
    seen: set[int] = set()
    total = np.zeros(len(frames))
    for position, frame in enumerate(frames):
        seen.update(person.id for person in frame.people)
        total[position] = len(seen)
    return chart(
        [("in the picture", times, counts), ("ids so far", times, total)], "seconds", "people"
    )


def webcam(frames: list[FrameResult]) -> str:
    return figures(frames[:: max(len(frames) // 6, 1)][:6])


def one_player(frames: list[FrameResult]) -> str:
    kept = [frame for frame in frames if frame.people]
    curves = []
    for name in ("nose", "left_ankle", "right_ankle"):
        index = COCO_17.keypoints.index(name)
        points = np.array([frame.people[0].keypoints[index, :2] for frame in kept], np.float64)
        curves.append((name.replace("_", " "), points[:, 0], points[:, 1]))
    return chart(curves, "pixels across", "pixels from the top", flip=True)


PICTURES: dict[str, tuple[str, Callable[[list[FrameResult]], str]]] = {
    "squat": ("squats.mp4", squat),
    "opensim": ("squats.mp4", opensim),
    "count-people": ("one_by_one.mp4", count_people),
    "webcam": ("single_pose.mp4", webcam),
    "one-player": ("walk_backlit.mp4", one_player),
}

PERSONS = {"squat": "largest", "opensim": "largest", "one-player": "640,700@4.3"}
"""Whom to keep, as of `vidpose run --person`."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=Path, required=True, help="folder of the clips")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--model", required=True, help="name or path of a bundle")
    parser.add_argument("--only", choices=list(PICTURES), action="append")
    given = parser.parse_args()
    for name in given.only or PICTURES:
        clip, draw = PICTURES[name]
        person = PERSONS.get(name)
        found = vidpose.track(given.videos / clip, model=given.model, person=person)
        (given.out / f"{name}.svg").write_text(draw([result for _, result in found]))
        print(f"wrote {given.out / name}.svg", flush=True)


if __name__ == "__main__":
    main()
