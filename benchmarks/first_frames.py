"""When each person is first seen, with one detector and another.

    python benchmarks/first_frames.py --video DATA/video/one_by_one.mp4 \\
        --video DATA/video/walk_backlit.mp4 --detector finder \\
        --detector MODELS/rtmdet_nano.onnx --json first.json

The whole stream runs with each detector and the same pose model. A row of the table is the n-th id
that lives for at least half a second, a cell the frame where it begins; ids that live shorter are
counted in the last row. There are no labels: fewer and earlier is better only as far as a look at
the video says so.
"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from report import finish, machine, parser, table

from vidpose.defaults import DEFAULT_MODEL
from vidpose.inference import PoseModel, load_detector
from vidpose.tracking import PoseStream
from vidpose.video import VideoReader

LEAST = 0.5  # seconds that an id must live


def first_frames(stream: PoseStream, video: Path) -> tuple[list[int], int]:
    """The first frames of the ids that last, in order, and how many others there were."""
    seen: dict[int, tuple[int, float]] = {}
    last: dict[int, float] = {}
    with VideoReader(video) as reader:
        for frame in reader:
            for person in stream.step(frame.image, frame.time).people:
                seen.setdefault(person.id, (frame.index, frame.time))
                last[person.id] = frame.time
    lasting = [index for key, (index, begin) in seen.items() if last[key] - begin >= LEAST]
    return sorted(lasting), len(seen) - len(lasting)


def main() -> None:
    """Run the streams and print a table for each video."""
    arguments = parser(__doc__)
    arguments.add_argument("--video", type=Path, action="append", required=True)
    arguments.add_argument("--detector", action="append", required=True, help="name or path")
    arguments.add_argument("--model", default=DEFAULT_MODEL, help="name or path of a bundle")
    given = arguments.parse_args()
    model = PoseModel.load(given.model, given.threads)
    figures: dict[str, object] = {"machine": machine(given.threads), "model": model.name}
    for video in given.video:
        found = {}
        for name in given.detector:
            stream = PoseStream(model, load_detector(name, given.threads))
            found[Path(name).stem] = first_frames(stream, video)
        columns = [frames for frames, _ in found.values()]
        rows: list[list[object]] = [
            [number, *("" if each is None else each for each in row)]
            for number, row in enumerate(zip_longest(*columns), start=1)
        ]
        rows.append(["shorter", *(count for _, count in found.values())])
        print(f"\n{video.name}: first frame of each id, {model.name}\n")
        print(table(["person", *found], rows))
        figures[video.stem] = {
            name: {"first frames": frames, "shorter": count}
            for name, (frames, count) in found.items()
        }
    finish(given.json, figures)


if __name__ == "__main__":
    main()
