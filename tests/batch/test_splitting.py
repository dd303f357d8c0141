"""Long videos in pieces: where they are split, and that nobody notices afterwards."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from walkers import film

import painted
from vidpose.batch.joining import join_pieces, same_people, seam_between
from vidpose.batch.layout import Layout
from vidpose.batch.settings import Settings, Task
from vidpose.batch.splitting import piece_of, seams_of
from vidpose.batch.worker import Worker
from vidpose.errors import InputError
from vidpose.inference import PoseModel
from vidpose.io import read_results
from vidpose.results import FrameResult, Person

LONG = 40  # frames, 10 a second


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two who cross the seams, one who leaves before the last, one who comes after it."""
    path = tmp_path_factory.mktemp("film") / "crowd.mkv"
    actors = [
        painted.Actor(lambda t: (60 + 20 * t, 110), height=100, colour=100),
        painted.Actor(lambda t: (160 + 20 * t, 112), height=100, colour=150),
        painted.Actor(lambda t: (330, 110) if t < 1.6 else None, height=100, colour=200),
        painted.Actor(lambda t: (40, 112) if t > 3.2 else None, height=100, colour=240),
    ]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10, options={"g": "1"})
        stream.width, stream.height, stream.pix_fmt = 400, 220, "bgr0"
        for number in range(LONG):
            picture = painted.paint(actors, number / 10, (220, 400))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_a_split_video_is_like_a_whole_one(
    crowd: Path, tmp_path: Path, dkd_model: PoseModel
) -> None:
    networks = (dkd_model, painted.BodyDetector())
    whole, split = (
        Worker(tmp_path / name, Settings(split=seconds, overlap=0.75), networks)
        for name, seconds in (("whole", None), ("split", 1.0))
    )
    task = Task("video", "crowd.mkv", str(crowd))
    assert whole.do(task, "w").people == 4
    seams = split.do(task, "w").seams
    assert seams == (1.0, 2.0, 3.0)
    for number in range(4):
        piece = split.do(Task("piece", task.video, task.source, seams, number), "w")
        assert piece.error is None
    # The first piece has its own frames alone, the others begin earlier.
    counts = [len(read_results(path).frames) for path in pieces(tmp_path / "split")]
    assert counts == [10, 17, 17, 17]
    joined = split.do(Task("join", task.video, task.source, seams), "w")
    assert (joined.error, joined.frames, joined.people) == (None, LONG, 4)
    assert not Layout(tmp_path / "split").pieces(task.video).exists()

    one, other = (
        read_results(Layout(tmp_path / name).table(task.video)) for name in ("whole", "split")
    )
    assert one.header == other.header
    assert [frame.index for frame in other.frames] == list(range(LONG))
    # The finder's half seconds are counted from each piece's own beginning, so the last comer,
    # who came at 3.2 s, may be found a little earlier or later.
    for span in (slice(33), slice(37, None)):
        assert list(map(ids, one.frames[span])) == list(map(ids, other.frames[span]))
    # So it is taken for what a run in one piece would make, and kept.
    again = split.do(task, "w")
    assert (again.seams, again.frames, again.people) == ((), LONG, 4)


def pieces(dest: Path) -> list[Path]:
    return sorted(Layout(dest).pieces("crowd.mkv").glob("*.jsonl"))


def ids(frame: FrameResult) -> list[int]:
    return sorted(person.id for person in frame.people)


def test_pieces_begin_at_key_frames(tmp_path: Path) -> None:
    clip = film(tmp_path / "a.mp4", 40, key_every=8)
    assert seams_of(clip, 1.0) == pytest.approx([1.6, 3.2])
    assert seams_of(clip, 2.0) == pytest.approx([2.4])
    assert seams_of(clip, 3.0) == (), "the rest would be too short"
    assert seams_of(clip, 30.0) == ()


def test_what_cannot_be_entered_in_the_middle_is_not_split(tmp_path: Path) -> None:
    assert seams_of("webcam:0", 1.0) == ()
    assert seams_of(tmp_path, 1.0) == ()


def test_pieces_overlap_before_their_seam() -> None:
    parts = [piece_of((10.0, 20.0), number, 3.0) for number in range(3)]
    assert parts == [(0.0, 10.0), (7.0, 20.0), (17.0, None)]
    assert piece_of((1.0,), 1, 3.0) == (0.0, None)


def person(number: int, x: float) -> Person:
    points = np.ones((5, 3), np.float32)
    points[:, :2] = painted.PLACES * (50, 100) + (x, 60)
    return Person(number, 0.9, (x - 25, 10, 50, 100), points)


def frame(index: int, *people: Person) -> FrameResult:
    return FrameResult(index, index / 10, people)


def test_people_are_matched_by_all_frames_of_the_overlap() -> None:
    before = [frame(n, person(4, 50), person(7, 150)) for n in range(5)]
    after = [frame(n, person(1, 151), person(2, 52), person(3, 300)) for n in range(5)]
    assert same_people(before, after, painted.SKELETON) == {1: 7, 2: 4}


def test_one_bad_frame_does_not_change_ids() -> None:
    before = [frame(n, person(4, 50), person(7, 80)) for n in range(8)]
    after = [frame(n, person(1, 50), person(2, 80)) for n in range(8)]
    after[3] = frame(3, person(1, 80), person(2, 50))
    assert same_people(before, after, painted.SKELETON) == {1: 4, 2: 7}


def test_who_goes_out_of_sight_at_the_seam_is_known_by_the_frames_before() -> None:
    before = [frame(n, person(4, 50)) for n in range(40)]
    after = [frame(n, person(1, 50 if n < 35 else 110)) for n in range(40)]
    assert same_people(before, after, painted.SKELETON) == {1: 4}
    other = [frame(n, person(1, 50 if n < 15 else 110)) for n in range(40)]
    assert same_people(before, other, painted.SKELETON) == {}


def test_a_piece_takes_over_where_both_see_the_same_people() -> None:
    """The second piece finds one of the two late, and loses the other before the seam."""
    before = [frame(n, person(4, 50), person(7, 150)) for n in range(12)]
    after = [
        frame(n, *([person(1, 50)] * (n < 10)), *([person(2, 150)] * (n >= 7))) for n in range(20)
    ]
    assert seam_between(before, after, painted.SKELETON) == (9, {1: 4, 2: 7})


def test_who_is_found_again_after_the_seam_keeps_the_id() -> None:
    before = [frame(n, person(4, 50)) for n in range(8)] + [frame(n) for n in range(8, 12)]
    after = [frame(n) for n in range(5, 15)] + [frame(15, person(1, 55), person(2, 250))]
    assert seam_between(before, after, painted.SKELETON) == (11, {1: 4})
    late = [frame(n) for n in range(5, 35)] + [frame(35, person(1, 55))]
    assert seam_between(before, late, painted.SKELETON) == (11, {})


def test_nobody_is_nobody() -> None:
    assert same_people([], [], painted.SKELETON) == {}
    assert same_people([frame(0)], [frame(0, person(1, 5))], painted.SKELETON) == {}


def test_a_damaged_piece_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.jsonl").write_text("junk")
    with pytest.raises(InputError, match=r"0\.jsonl"):
        join_pieces([tmp_path / "0.jsonl"], tmp_path / "x.parquet", source="a.mp4")
