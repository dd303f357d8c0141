"""Do the poses of several calibrated cameras agree? Triangulation, without any labels.

    python benchmarks/multiview.py --clips DATA/video/beam_two_people --bundle dkd-lite \\
        --peers MODELS --json multiview.json

The folder holds one video for each camera, in step, and a Qualisys calibration (`*.qca.txt`,
cameras named as the files). The bundle's stream runs on each camera; the references get, frame by
frame, the boxes and ids of that stream, so that all methods are scored on the same people in the
same frames. "smoothed" is vidpose's One-Euro filter, the same for every method.

Ids are put together across cameras by the error with which two cameras' tracks meet. Then, over
all 17 joints of every person and frame that at least three cameras see: `reprojection` is the
distance between a camera's joint and the triangulated point (weights: the confidences),
`held out` that to the point which the OTHER cameras agree on, all of them weighing the same;
both in pixels of the video. `jitter` is the mean |second difference| of the joints in the image
in thousandths of the person's size per frame, `jitter 3D` that of the triangulated joints in
millimetres per frame. People move, so jitter has no zero: compare within the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import combinations, islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from reference_networks import REFERENCE_NETWORKS, Predictor, load_reference
from report import finish, machine, parser, table
from triangulation import (
    Camera,
    held_out_error,
    read_qualisys,
    reprojection_error,
    triangulate,
)

from vidpose.inference import Detector, PoseModel, load_detector
from vidpose.metrics.temporal import jitter
from vidpose.tracking import PoseStream, SmoothingSettings
from vidpose.tracking.one_euro import OneEuroFilter
from vidpose.video import Frame, VideoReader

SAME_PERSON = 60.0
"""Pixels: tracks of two cameras that meet worse than this are different people."""

Key: TypeAlias = tuple[int, int]
"""Camera's number and person's id."""


class Track:
    """One id in one camera: boxes (T, 4) and keypoints (T, 17, 3), NaN where it is not seen."""

    def __init__(self, frames: int) -> None:
        self.boxes = np.full((frames, 4), np.nan)
        self.keypoints = np.full((frames, 17, 3), np.nan)

    @property
    def seen(self) -> NDArray[np.bool_]:
        return np.asarray(np.isfinite(self.boxes[:, 0]))

    @property
    def size(self) -> NDArray[np.float64]:
        return np.asarray(self.boxes[:, 2:].max(axis=1))


Tracks: TypeAlias = dict[Key, Track]


def together(videos: list[Path], frames: int | None) -> Iterator[tuple[Frame, ...]]:
    """The cameras' frames, side by side; at most so many."""
    with ExitStack() as stack:
        readers = [stack.enter_context(VideoReader(path)) for path in videos]
        yield from islice(zip(*readers, strict=True), frames)


def run(
    videos: list[Path],
    frames: int | None,
    model: PoseModel,
    detector: Detector,
    references: dict[str, Predictor],
) -> tuple[dict[str, Tracks], NDArray[np.float64]]:
    """Tracks of every method on every camera, and the frames' times in the first camera."""
    times = [group[0].time for group in together(videos, frames)]
    streams = [PoseStream(model, detector, smooth=False) for _ in videos]
    found: dict[str, Tracks] = {name: {} for name in (model.name, *references)}
    for number, group in enumerate(together(videos, frames)):
        for camera, (frame, stream) in enumerate(zip(group, streams, strict=True)):
            for person in stream.step(frame.image, frame.time).people:
                poses = {model.name: person.keypoints}
                poses |= {name: find(frame.image, person.box) for name, find in references.items()}
                for name, keypoints in poses.items():
                    track = found[name].setdefault((camera, person.id), Track(len(times)))
                    track.boxes[number] = person.box
                    track.keypoints[number] = keypoints
    return found, np.array(times)


def smoothed(tracks: Tracks, times: NDArray[np.float64]) -> Tracks:
    """The same through vidpose's filter."""
    out: Tracks = {}
    for key, track in tracks.items():
        out[key] = Track(len(times))
        out[key].boxes = track.boxes
        out[key].keypoints = track.keypoints.copy()
        one_euro = OneEuroFilter(SmoothingSettings())
        for index in np.flatnonzero(track.seen):
            points = track.keypoints[index, :, :2].astype(np.float32)
            size = float(track.size[index])
            out[key].keypoints[index, :, :2] = one_euro(points, float(times[index]), size)
    return out


def associate(tracks: Tracks, cameras: tuple[Camera, ...]) -> list[list[Key]]:
    """Groups of tracks that are one person each, seen by at least three cameras.

    Pairs of tracks in different cameras are joined from the best agreeing one on, unless that
    would put two people of one camera and one frame into a group.
    """
    groups: dict[Key, list[Key]] = {key: [key] for key in tracks}
    pairs = []
    for a, b in combinations(tracks, 2):
        if a[0] != b[0]:
            pairs.append((_disagreement(tracks, a, b, cameras), a, b))
    for distance, a, b in sorted(pairs):
        one, other = groups[a], groups[b]
        if one is other or distance > SAME_PERSON or _clash(tracks, one, other):
            continue
        one.extend(other)
        for key in other:
            groups[key] = one
    unique = {id(group): group for group in groups.values()}.values()
    return [sorted(group) for group in unique if len({camera for camera, _ in group}) >= 3]


def _disagreement(tracks: Tracks, a: Key, b: Key, cameras: tuple[Camera, ...]) -> float:
    common = tracks[a].seen & tracks[b].seen
    if not common.any():
        return float("inf")
    points = np.stack([tracks[key].keypoints[common].reshape(-1, 3) for key in (a, b)])
    pair = (cameras[a[0]], cameras[b[0]])
    world = triangulate(points[..., :2], points[..., 2], pair)
    return float(np.nanmedian(reprojection_error(world, points, pair)))


def _clash(tracks: Tracks, one: list[Key], other: list[Key]) -> bool:
    return any(
        a[0] == b[0] and bool((tracks[a].seen & tracks[b].seen).any()) for a in one for b in other
    )


def figures(
    tracks: Tracks,
    people: list[list[Key]],
    cameras: tuple[Camera, ...],
    times: NDArray[np.float64],
) -> dict[str, float]:
    """The table's row."""
    errors, held_out, jitters, jitters_3d = [], [], [], []
    for group in people:
        points = np.full((len(cameras), len(times), 17, 3), np.nan)
        for key in group:
            track = tracks[key]
            points[key[0], track.seen] = track.keypoints[track.seen]
            valid = np.repeat(track.seen[:, None], 17, axis=1)
            weight = int(track.seen.sum())
            jitters.append((1000 * jitter(track.keypoints, valid, track.size, times), weight))
        flat = points.reshape(len(cameras), -1, 3)
        flat = flat[:, np.isfinite(flat[..., 0]).sum(axis=0) >= 3]
        confidence = np.nan_to_num(flat[..., 2])
        world = triangulate(flat[..., :2], confidence, cameras)
        errors.append(reprojection_error(world, flat, cameras).ravel())
        equal = np.isfinite(flat[..., 0]).astype(float)
        held_out.append(held_out_error(flat[..., :2], equal, cameras).ravel())
        everywhere = points.reshape(len(cameras), -1, 3)
        space = triangulate(everywhere[..., :2], np.nan_to_num(everywhere[..., 2]), cameras)
        space = space.reshape(len(times), 17, 3)
        jitters_3d.append((1000 * _jitter_3d(space, times), len(times)))
    return {
        "reprojection median": float(np.nanmedian(np.concatenate(errors))),
        "reprojection mean": float(np.nanmean(np.concatenate(errors))),
        "held out median": float(np.nanmedian(np.concatenate(held_out))),
        "held out mean": float(np.nanmean(np.concatenate(held_out))),
        "jitter": _weighted(jitters),
        "jitter 3D": _weighted(jitters_3d),
    }


def _jitter_3d(space: NDArray[np.float64], times: NDArray[np.float64]) -> float:
    """Metres per frame squared; the median, as a flip of two joints in one camera throws far."""
    gaps = np.diff(times)
    velocity = np.diff(space, axis=0) / gaps[:, None, None]
    step = float(np.median(gaps))
    middle = ((gaps[:-1] + gaps[1:]) / 2)[:, None, None]
    acceleration = np.diff(velocity, axis=0) / middle * step**2
    return float(np.nanmedian(np.linalg.norm(acceleration, axis=-1)))


def _weighted(values: list[tuple[float, int]]) -> float:
    kept = [(value, weight) for value, weight in values if np.isfinite(value)]
    return sum(value * weight for value, weight in kept) / sum(weight for _, weight in kept)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--clips", type=Path, required=True, help="videos and calibration")
    arguments.add_argument("--bundle", required=True, help="name or path")
    arguments.add_argument("--detector", default="finder", help="name or path")
    arguments.add_argument("--peers", type=Path, help="folder with the references' ONNX files")
    arguments.add_argument("--frames", type=int, help="only the first so many")
    given = arguments.parse_args()

    conditions = machine(given.threads)
    (calibration,) = given.clips.glob("*.qca.txt")
    cameras = read_qualisys(calibration)
    videos = [next(given.clips.glob(f"{camera.name}.*")) for camera in cameras]
    model = PoseModel.load(given.bundle, threads=given.threads)
    detector = load_detector(given.detector, threads=given.threads)
    references = (
        {name: load_reference(name, given.peers, given.threads) for name in REFERENCE_NETWORKS}
        if given.peers
        else {}
    )
    found, times = run(videos, given.frames, model, detector, references)
    people = associate(found[model.name], cameras)
    for number, group in enumerate(people):
        share = [
            max(int(found[model.name][key].seen.sum()) for key in group if key[0] == camera)
            if any(key[0] == camera for key in group)
            else 0
            for camera in range(len(cameras))
        ]
        names = ", ".join(f"{cameras[camera].name}#{person}" for camera, person in group)
        print(f"person {number + 1}: {names}; longest track by camera {share} of {len(times)}")

    rows: dict[str, dict[str, float]] = {}
    for name, tracks in found.items():
        rows[name] = figures(tracks, people, cameras, times)
        rows[f"{name}, smoothed"] = figures(smoothed(tracks, times), people, cameras, times)
    columns = list(next(iter(rows.values())))
    print()
    print(
        table(
            ["method", *columns],
            [[name, *(f"{value:.2f}" for value in row.values())] for name, row in rows.items()],
        )
    )
    settings = {"clips": given.clips.name, "detector": str(given.detector), "people": len(people)}
    finish(given.json, {"machine": conditions, "settings": settings, "methods": rows})


if __name__ == "__main__":
    main()
