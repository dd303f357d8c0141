"""Long videos split and joined, against runs in one piece: does everybody keep the id?

    python benchmarks/batch_seams.py CLIP... --length 60 --repeat 3 --model dkd-base-int8

Every clip, `--repeat` times one after the other, is split at its key frames into pieces of about
`--length` seconds, with each of the overlaps, and joined as `vidpose batch` does. Person-frames are
those of the unsplit run; one is the same when the joined result has somebody of the same id in that
frame with an OKS of at least 0.5. "renumbered": the same but for the numbers, the best one-to-one
renaming of the ids.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import report
from scipy.optimize import linear_sum_assignment

from vidpose.batch.joining import likeness
from vidpose.batch.layout import Layout
from vidpose.batch.settings import Settings, Task
from vidpose.batch.splitting import seams_of
from vidpose.batch.worker import Worker
from vidpose.defaults import DEFAULT_MODEL, FAST_MODEL
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


def repeated(clip: Path, times: int, folder: Path) -> Path:
    """The clip so many times in one file, its packets unchanged."""
    if times == 1:
        return clip
    out = folder / f"{clip.stem}_{times}_times.mp4"
    with av.open(str(out), "w") as joined:
        stream = None
        for number in range(times):
            with av.open(str(clip)) as container:
                video = container.streams.video[0]
                stream = stream or joined.add_stream_from_template(video)
                for packet in container.demux(video):
                    if packet.dts is None or video.duration is None or packet.pts is None:
                        continue
                    packet.pts += number * video.duration
                    packet.dts += number * video.duration
                    packet.stream = stream
                    joined.mux(packet)
    return out


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--length", type=float, default=10.0)
    parser.add_argument("--overlap", type=float, nargs="+", default=[10.0])
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--model", action="append", help="default: the two shipped models")
    given = parser.parse_args()
    conditions = report.machine(given.threads)
    rows: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as name:
        for clip in given.clips:
            long = repeated(clip, given.repeat, Path(name))
            seams = seams_of(long, given.length)
            if not seams:
                print(f"{clip.name}: too short, or no key frame to split at")
                continue
            for model in given.model or [DEFAULT_MODEL, FAST_MODEL]:
                settings = Settings(model, threads=given.threads)
                skeleton = settings.load()[0].skeleton
                whole = run(long, Path(name) / f"{model} whole", settings, ())
                for overlap in given.overlap:
                    split = replace(settings, overlap=overlap)
                    joined = run(long, Path(name) / f"{model} {overlap}", split, seams)
                    total, same, renamed = agreement(whole, joined, skeleton)
                    rows[f"{long.stem}, {model}, {overlap:g} s"] = {
                        "seams": len(seams),
                        "person-frames": total,
                        "same id %": f"{100 * same / max(total, 1):.2f}",
                        "renumbered %": f"{100 * renamed / max(total, 1):.2f}",
                    }
    columns = ["seams", "person-frames", "same id %", "renumbered %"]
    cells = [[name, *(str(row[c]) for c in columns)] for name, row in rows.items()]
    print(report.table(["clip, model, overlap", *columns], cells))
    report.finish(given.json, {"machine": conditions, "rows": rows})


if __name__ == "__main__":
    main()
