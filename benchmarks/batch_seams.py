"""Long videos split and joined, against runs in one piece: does everybody keep the id?

    python benchmarks/batch_seams.py CLIP... --length 30 --overlap 5 10

Every clip is split at its key frames into pieces of about ``--length`` seconds, with each of the
overlaps, and joined as `vidpose batch` does. Person-frames are those of the unsplit run; one is
the same when the joined result has somebody of the same id in that frame with an OKS of at least
0.5. "renumbered": the same but for the numbers, the best one-to-one renaming of the ids.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import report
from scipy.optimize import linear_sum_assignment

from vidpose.batch.joining import likeness
from vidpose.batch.layout import Layout
from vidpose.batch.settings import Settings, Task
from vidpose.batch.splitting import seams_of
from vidpose.batch.worker import Worker
from vidpose.io import read_results
from vidpose.results import FrameResult
from vidpose.skeleton import Skeleton


def run(clip: Path, dest: Path, settings: Settings, seams: tuple[float, ...]) -> list[FrameResult]:
    """The results of a clip, in one piece where there are no seams."""
    worker = Worker(dest, settings)
    tasks = [Task("video", clip.name, str(clip))]
    if seams:
        pieces = [Task("piece", clip.name, str(clip), seams, n) for n in range(len(seams) + 1)]
        tasks = [*pieces, Task("join", clip.name, str(clip), seams)]
    for task in tasks:
        reply = worker.do(task, "benchmark")
        if reply.error:
            raise SystemExit(reply.error)
    return read_results(Layout(dest).table(clip.name)).frames


def agreement(
    whole: Sequence[FrameResult], joined: Sequence[FrameResult], skeleton: Skeleton
) -> tuple[int, int, int]:
    """Person-frames of the unsplit run: all, those of the same id, and those of the same but for
    the numbers."""
    pairs: Counter[tuple[int, int]] = Counter()
    total = 0
    for one, other in zip(whole, joined, strict=True):
        assert one.index == other.index
        total += len(one.people)
        gain = np.array([[likeness(a, b, skeleton) for b in other.people] for a in one.people])
        for row, column in zip(
            *linear_sum_assignment(-gain.reshape(len(one.people), len(other.people))), strict=True
        ):
            if gain[row, column] >= 0.5:
                pairs[one.people[row].id, other.people[column].id] += 1
    same = sum(count for (a, b), count in pairs.items() if a == b)
    olds, news = (sorted({pair[side] for pair in pairs}) for side in (0, 1))
    counts = np.array([[pairs[a, b] for b in news] for a in olds]).reshape(len(olds), len(news))
    rows, columns = linear_sum_assignment(-counts)
    return total, same, int(counts[rows, columns].sum())


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--length", type=float, default=10.0)
    parser.add_argument("--overlap", type=float, nargs="+", default=[10.0])
    parser.add_argument("--model", default="dkd-lite-int8")
    arguments = parser.parse_args()
    rows = []
    sums: dict[float, list[int]] = {overlap: [0, 0, 0, 0] for overlap in arguments.overlap}
    with tempfile.TemporaryDirectory() as folder:
        for clip in arguments.clips:
            seams = seams_of(clip, arguments.length)
            if not seams:
                print(f"{clip.name}: too short, or no key frame to split at")
                continue
            settings = Settings(arguments.model, threads=arguments.threads)
            skeleton = settings.load()[0].skeleton
            whole = run(clip, Path(folder) / "whole", settings, ())
            for overlap in arguments.overlap:
                split = Settings(arguments.model, threads=arguments.threads, overlap=overlap)
                joined = run(clip, Path(folder) / f"split{overlap}", split, seams)
                figures = agreement(whole, joined, skeleton)
                for place, value in enumerate((len(seams), *figures)):
                    sums[overlap][place] += value
                rows.append(_row(clip.name, len(seams), overlap, figures))
    for overlap, (seam_count, *figures_of_all) in sums.items():
        total, same, renamed = figures_of_all
        rows.append(_row("all", seam_count, overlap, (total, same, renamed)))
    head = ["clip", "seams", "overlap s", "person-frames", "same id %", "renumbered %"]
    print(report.table(head, rows))


def _row(
    name: str, seams: int, overlap: float, figures: tuple[int, int, int]
) -> list[str | int | float]:
    total, same, renamed = figures
    share = 100 / max(total, 1)
    return [name, seams, overlap, total, f"{same * share:.2f}", f"{renamed * share:.2f}"]


if __name__ == "__main__":
    main()
