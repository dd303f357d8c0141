"""When should the initializer run again? Accuracy against initialisations per minute.

    python benchmarks/trust_curve.py --lspet DATA/lspet --penn DATA/penn_action/Penn_Action \\
        --coco DATA/coco --bundle dkd-lite --out trust.png --json trust.json

Clips as in clips_accuracy.py, but of 90 frames at 30 frames/s. Each policy replays them with the
bundle's two networks and the stream's own policy (`vidpose.tracking.reinit_policy`): every frame is
stepped, and where the pose lacks confidence or its memory is too old, the initializer runs as well.
The policies:

- never, and every frame (the initializer alone): the two ends;
- age: the memory is made anew after so many seconds (`max_age`), whatever the score;
- score: made anew when the score has been below `min_score` for `patience` seconds, and at once
  below half of it; also together with an age;
- drop: made anew when the score has fallen by a part of what it was after the last initialisation
  (`max_drop`);
- drop of the step's own: the same, measured from the first score of the step after it. The
  runtime has no such rule; it is here to see where the rule's gain comes from;
- drop, rest 0.1 s: as drop, but never within 0.1 s after an initialisation. The runtime has none;
- the bundle's: its trust as it is, and with a `max_drop`.

What is left out: no detector runs (it, too, asks for an initialisation where it disagrees with a
pose), and no track is lost: where the initializer is below `min_score` as well, its pose stays.

Frame 0 is an initialisation for every policy and is not scored. A network's answer depends on
the frame and on when its memory was made, not on the policy, so that answers are shared between
policies.

"above line": points of PCK above the straight line from "never" to "every frame", which drawing
frames by chance would give. "knee": of the policies that no other beats in both figures (marked *),
the one furthest above it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from clips_accuracy import BOX, CONFIG, REGION, clips, inside
from numpy.typing import NDArray
from reference_networks import PADDING
from report import finish, machine, parser, table
from trust_plot import draw

from vidpose.bundle import Trust, find_bundle, read_bundle
from vidpose.data.datasets.coco import load_coco
from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.data.synthesis.stills_to_clips import Clip
from vidpose.evaluation.single_person import FRAME_SECONDS
from vidpose.inference import pose
from vidpose.inference.crop import region_around
from vidpose.inference.pose_model import PoseModel
from vidpose.inference.timing import StageTimer
from vidpose.metrics.pck import hits, torso_size
from vidpose.metrics.temporal import acceleration_error
from vidpose.skeleton import COCO_17
from vidpose.tracking.one_euro import OneEuroFilter
from vidpose.tracking.reinit_policy import TIME_SLACK, ModelTraits, ReinitPolicy, ReinitRequest
from vidpose.tracking.settings import SmoothingSettings, TrackerSettings
from vidpose.tracking.track import Track

RATE = 30.0
DRAWS = 1000
AGES = (0.1, 0.2, 0.33, 0.5, 1.0, 2.0)
SCORES = (0.3, 0.4, 0.5, 0.6)
PATIENCES = (0.0, 0.1)
DROPS = (0.3, 0.2, 0.1, 0.05)
REST = 0.1  # s
TOGETHER = ((0.3, 0.5), (0.4, 0.5), (0.4, 1.0), (0.5, 1.0), (0.4, 2.0))  # min_score, max_age


@dataclass(frozen=True, slots=True)
class Policy:
    """When the memory is made anew. `own`: a fall is measured by the step's own scores; `rest`: s
    after an initialisation without another; `always`: in every frame."""

    family: str
    name: str
    trust: Trust
    own: bool = False
    rest: float = 0.0
    always: bool = False


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """One policy on a set. `inits_per_minute`: initialisations per minute. `interval`: half the
    95 % bootstrap interval over clips of the PCK's difference to "never", in points. `mmacs`:
    millions of multiply-adds per frame."""

    family: str
    policy: str
    inits_per_minute: float
    pck: float
    interval: float
    acceleration: float
    mmacs: float


class Film:
    """A clip as the networks see it; every answer is worked out once."""

    def __init__(self, model: PoseModel, clip: Clip) -> None:
        self.region = region_around(BOX, aspect=model.aspect, padding=model.padding)
        self._model = model
        self._images = clip.images
        self._initialised: dict[int, pose.Pose] = {}
        self._chains: dict[int, list[pose.Pose]] = {}

    def __len__(self) -> int:
        return len(self._images)

    def initialize(self, frame: int) -> pose.Pose:
        """The initializer's pose."""
        if frame not in self._initialised:
            found = pose.initialize(self._model, self._images[frame], [self.region], StageTimer())
            self._initialised[frame] = found[0]
        return self._initialised[frame]

    def step(self, start: int, frame: int) -> pose.Pose:
        """The step network's pose, with a memory made in the frame `start` and carried on."""
        chain = self._chains.setdefault(start, [self.initialize(start)])
        while len(chain) <= frame - start:
            image, memory = self._images[start + len(chain)], chain[-1].kernels
            assert memory is not None
            expected = [pose.Expected(chain[-1].keypoints, FRAME_SECONDS)]
            chain += pose.step(self._model, image, [self.region], [memory], StageTimer(), expected)
        return chain[frame - start]


def policies(trust: Trust) -> list[Policy]:
    """The grid; what is not varied is as in `trust`."""
    free = replace(trust, min_score=0.0, max_age=math.inf, max_drift=math.inf)
    grid = [Policy("ends", "never", free), Policy("ends", "every frame", free, always=True)]
    grid += [Policy("age", f"age {age:g} s", replace(free, max_age=age)) for age in AGES]
    for patience in PATIENCES:
        for score in SCORES:
            changed = replace(trust, min_score=score, patience=patience, max_age=math.inf)
            name = f"score {score:g} for {patience:g} s"
            grid.append(Policy(f"score, patience {patience:g} s", name, changed))
    for score, age in TOGETHER:
        changed = replace(trust, min_score=score, max_age=age)
        grid.append(Policy("score and age", f"score {score:g}, age {age:g} s", changed))
    for family, own, rest in (
        ("drop", False, 0.0),
        ("drop of the step's own", True, 0.0),
        (f"drop, rest {REST:g} s", False, REST),
    ):
        for drop in DROPS:
            name = family.replace("drop", f"drop {drop:g}")
            grid.append(Policy(family, name, replace(free, max_drop=drop), own, rest))
    grid.append(Policy("the bundle's", "as the bundle says", trust))
    for drop in DROPS:
        changed = replace(trust, max_drop=drop)
        name = f"as the bundle says, drop {drop:g}"
        grid.append(Policy("the bundle's, with drops", name, changed))
    return grid


def follow(policy: Policy, film: Film, model: PoseModel) -> tuple[NDArray[np.float32], int]:
    """Keypoints (T, 17, 3) and the number of initialisations after frame 0."""
    if policy.always:
        found = [film.initialize(t) for t in range(len(film))]
        return np.stack([each.keypoints for each in found]), len(film) - 1
    traits = ModelTraits(
        model.aspect, model.padding, model.skeleton.sigmas, policy.trust, has_memory=True
    )
    reinit = ReinitPolicy(traits, TrackerSettings())
    found, start, inits = [film.initialize(0)], 0, 0
    track = Track(1, 0.0, found[0], 0.0, film.region, OneEuroFilter(SmoothingSettings()))
    for t in range(1, len(film)):
        time = t / RATE
        best = track.observed = film.step(start, t)
        if policy.own and start == t - 1:
            track.init_score = best.score
        reinit.update_confidence(track, best, time)
        blind = reinit.lacks_confident_pose(track, time)
        rested = time - track.init_time > policy.rest - TIME_SLACK
        if blind or (rested and reinit.needs_new_memory(track, time)):
            inits, track.init_time, fresh = inits + 1, time, film.initialize(t)
            # No track is lost here, see the module's text: the initializer's pose stays.
            if blind or reinit.accepts(track, fresh, ReinitRequest(film.region, track)):
                best, start, track.low_score_since = fresh, t, None
            track.init_score = best.score
        found.append(best)
    return np.stack([each.keypoints for each in found]), inits


def evaluate(
    grid: Sequence[Policy], model: PoseModel, made: Sequence[Clip], costs: tuple[float, float]
) -> list[PolicyResult]:
    """Every policy on the clips, frame 0 left out. `costs`: of the initializer and of the step."""
    films = [Film(model, clip) for clip in made]
    truth = np.stack([clip.keypoints for clip in made])[:, 1:]
    counted = np.stack([inside(clip.keypoints) for clip in made])[:, 1:]
    sizes = [torso_size(t, c, COCO_17) for t, c in zip(truth, counted, strict=True)]
    usable = np.stack([c & np.isfinite(s)[:, None] for c, s in zip(counted, sizes, strict=True)])
    weights = usable.sum(axis=(1, 2))
    draws = np.random.default_rng(0).integers(0, len(made), (DRAWS, len(made)))
    rows: list[PolicyResult] = []
    first: NDArray[np.int64] | None = None
    for policy in grid:
        results = [follow(policy, film, model) for film in films]
        right, errors = [], []
        for (points, _), true, valid, size in zip(results, truth, usable, sizes, strict=True):
            right.append((hits(points[1:], true, size) & valid).sum())
            errors.append(acceleration_error(points[1:], true, valid, REGION.h / PADDING))
        ahead = np.array(right) - (np.array(right) if first is None else first)
        first = np.array(right) if first is None else first
        spread = np.percentile(ahead[draws].sum(1) / weights[draws].sum(1), [2.5, 97.5])
        frames = truth.shape[1] * len(films)
        share = sum(inits for _, inits in results) / frames
        step = 0.0 if policy.always else costs[1]
        rows.append(
            PolicyResult(
                policy.family,
                policy.name,
                inits_per_minute=60 * RATE * share,
                pck=100 * float(sum(right) / weights.sum()),
                interval=50 * float(spread[1] - spread[0]),
                acceleration=1000 * float(np.nanmean(errors)),
                mmacs=step + share * costs[0],
            )
        )
    return rows


def frontier(rows: Sequence[PolicyResult]) -> list[PolicyResult]:
    """Policies that no other beats in initialisations and PCK, by initialisations."""
    best: list[PolicyResult] = []
    for row in sorted(rows, key=lambda row: (row.inits_per_minute, -row.pck)):
        if not best or row.pck > best[-1].pck:
            best.append(row)
    return best


def knee(rows: Sequence[PolicyResult]) -> PolicyResult:
    """Of the frontier, the policy furthest above the line between the two ends."""
    return max(frontier(rows), key=lambda row: above_line(row, rows))


def above_line(row: PolicyResult, rows: Sequence[PolicyResult]) -> float:
    """Points of PCK above the straight line between the two ends."""
    ends = {end.policy: end for end in rows if end.family == "ends"}
    never, every = ends["never"], ends["every frame"]
    return (
        row.pck
        - never.pck
        - (every.pck - never.pck) * row.inits_per_minute / every.inits_per_minute
    )


def main() -> None:
    given = _arguments()
    conditions = machine(given.threads)
    model = PoseModel.load(given.bundle, threads=given.threads)
    measured = read_bundle(find_bundle(given.bundle)).metrics
    costs = measured["initializer_mmacs"], measured["step_mmacs"]
    grid = policies(model.trust)
    sets = {}
    if given.lspet is not None:
        names = kept_out_names(given.lspet)
        sets["lspet"] = [s for s in load_lspet(given.lspet) if s.image.name in names]
    if given.coco is not None:
        sets["coco"] = [
            s for s in load_coco(given.coco, "val2017") if (s.keypoints[:, 2] > 0).any()
        ]
    if not sets or model.stepper is None:
        raise SystemExit("give --lspet, --coco or both, and a bundle with a memory")
    bank = MotionBank.load(given.penn, split="test")
    config = replace(CONFIG, stride=(1, 1))  # true time: policies speak of seconds
    found = {}
    for title, samples in sets.items():
        made = list(clips(samples, bank, given.clips, given.frames, given.seed, config))
        found[title] = evaluate(grid, model, made, costs)
        print(f"\n{model.name} on {title}: {given.clips} clips of {given.frames} frames\n")
        print(_table(found[title]))
        print(f"\nknee: {knee(found[title]).policy}")
    if given.out is not None:
        draw(found, f"{model.name}: when to initialise again", given.out)
    finish(
        given.json,
        {"machine": conditions, "sets": {k: [asdict(row) for row in v] for k, v in found.items()}},
    )


def _arguments() -> argparse.Namespace:
    arguments = parser(__doc__)
    arguments.add_argument("--lspet", type=Path, help="Leeds Sports Pose Extended")
    arguments.add_argument("--coco", type=Path, help="COCO's root")
    arguments.add_argument("--penn", type=Path, required=True, help="Penn Action, with labels/")
    arguments.add_argument("--bundle", required=True, help="name or path")
    arguments.add_argument("--clips", type=int, default=30, help="of each set (30)")
    arguments.add_argument("--frames", type=int, default=90, help="of each clip (90)")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--out", type=Path, help="draw the curve: a .png file")
    return arguments.parse_args()


def _table(rows: Sequence[PolicyResult]) -> str:
    best = frontier(rows)
    return table(
        [
            "policy",
            "inits/min",
            "PCK@0.2",
            "+- to never",
            "above line",
            "acceleration error",
            "M/frame",
            "",
        ],
        [
            [
                row.policy,
                f"{row.inits_per_minute:.0f}",
                f"{row.pck:.1f}",
                f"{row.interval:.1f}",
                f"{above_line(row, rows):.1f}",
                f"{row.acceleration:.1f}",
                f"{row.mmacs:.0f}",
                "*" if row in best else "",
            ]
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
