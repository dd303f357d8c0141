"""The driver with workers that do as they are told: what is done, tried again, given up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from vidpose.batch.driver import run_batch
from vidpose.batch.layout import Layout
from vidpose.batch.made_with import Marks
from vidpose.batch.manifest import Manifest
from vidpose.batch.pool import Crash, Event, Rest
from vidpose.batch.progress import Summary
from vidpose.batch.rows import VideoRow
from vidpose.batch.settings import Reply, Settings, Task
from vidpose.batch.sources import Source
from vidpose.errors import OutputError
from vidpose.files import AtomicFile

MARKS = Marks("lite", "s1")
SOURCES = [Source(f"/x/{name}.mp4", "1 1", 100) for name in "abcd"]

Answer = Callable[[Task], Event]


class Scripted:
    """A pool that answers at once, and notes what it was given."""

    def __init__(self, dest: Path, answer: Answer) -> None:
        self.layout, self.answer = Layout(dest), answer
        self.given: list[Task] = []
        self._waiting: list[Task] = []
        self.closed = False

    def free(self) -> int:
        return 2 - len(self._waiting)

    def submit(self, task: Task) -> None:
        assert self.free()
        self.given.append(task)
        self._waiting.append(task)

    def wait(self, seconds: float) -> list[Event]:
        tasks, self._waiting = self._waiting, []
        return [self._event(task) for task in tasks]

    def _event(self, task: Task) -> Event:
        event = self.answer(task)
        if isinstance(event, Reply) and event.error is None and task.kind != "piece":
            table = self.layout.table(task.video)
            table.parent.mkdir(parents=True, exist_ok=True)
            table.touch()
        return event

    def close(self) -> None:
        self.closed = True

    def names(self) -> str:
        return "".join(task.video[0] for task in self.given)


def well(task: Task) -> Reply:
    return Reply(task, "w", 1.0, frames=10, people=2, digest="d")


def go(
    dest: Path, answer: Answer = well, marks: Marks = MARKS, **options: object
) -> tuple[Summary, Scripted]:
    pool = Scripted(dest, answer)
    sources = options.pop("sources", SOURCES)
    return run_batch(sources, dest, marks, lambda: pool, **options), pool  # type: ignore[arg-type]


def rows(dest: Path) -> dict[str, VideoRow]:
    return {row.video[0]: row for row in Manifest(Layout(dest).manifest).rows.values()}


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    first, pool = go(tmp_path)
    assert (first.done, first.frames, pool.names()) == (4, 40, "abcd")
    assert pool.closed
    second, pool = go(tmp_path)
    assert (second.kept, second.done, pool.names()) == (4, 0, "")
    assert len(rows(tmp_path)) == 4
    assert not Layout(tmp_path).lock.exists()


def test_the_largest_come_first(tmp_path: Path) -> None:
    sizes = [replace(source, bytes=n) for source, n in zip(SOURCES, (5, 50, 7, 6), strict=True)]
    assert go(tmp_path, sources=sizes)[1].names() == "bcda"


def test_what_changed_or_is_missing_is_done_again(tmp_path: Path) -> None:
    go(tmp_path)
    changed = [SOURCES[0], replace(SOURCES[1], stamp="2 2"), *SOURCES[2:]]
    Layout(tmp_path).table("d.mp4").unlink()
    assert go(tmp_path, sources=changed)[1].names() == "bd"
    assert go(tmp_path, sources=changed)[1].names() == ""


def test_what_is_finished_with_other_settings_is_not_made_again_unasked(tmp_path: Path) -> None:
    first = Marks("lite", "s1", {"model": "1", "every": 1})
    others = Marks("lite", "s2", {"model": "1", "every": 2, "smooth": False})
    go(tmp_path, marks=first, sources=SOURCES[:2])
    with pytest.raises(OutputError, match=r"2 videos .* \(--every, --no-smooth\); give the"):
        go(tmp_path, marks=others)
    assert not Layout(tmp_path).lock.exists()
    assert Layout(tmp_path).table("a.mp4").exists()
    assert {row.settings for row in rows(tmp_path).values()} == {"s1"}
    assert go(tmp_path, marks=others, sources=SOURCES[2:])[1].names() == "cd"
    assert go(tmp_path, marks=others, overwrite=True)[1].names() == "ab"
    assert go(tmp_path, marks=others, overwrite=True)[1].names() == ""


def test_settings_of_an_older_batch_are_unknown(tmp_path: Path) -> None:
    go(tmp_path)
    (Layout(tmp_path).house / "settings" / "s1.json").unlink()
    with pytest.raises(OutputError, match=r"4 videos are .*it is not known which"):
        go(tmp_path, marks=Marks("lite", "s2", {"every": 2}))


def test_a_failed_video_names_its_error_and_stops_no_other(tmp_path: Path) -> None:
    def answer(task: Task) -> Event:
        if task.video == "b.mp4":
            return Reply(task, "w", 1.0, error="b.mp4: not a video", fault="video")
        return well(task)

    summary, pool = go(tmp_path, answer)
    assert (summary.done, summary.failed, pool.names()) == (3, 1, "abcd")
    assert rows(tmp_path)["b"].error == "b.mp4: not a video"
    assert go(tmp_path)[1].names() == "b"
    assert rows(tmp_path)["b"].status == "done"


def test_what_fails_by_the_place_is_tried_elsewhere(tmp_path: Path) -> None:
    failures = iter(["no space left"] * 2)

    def answer(task: Task) -> Event:
        if task.video == "b.mp4" and (error := next(failures, None)):
            return Reply(task, "w", 1.0, error=error, fault="place")
        return well(task)

    summary, pool = go(tmp_path, answer)
    assert (summary.done, summary.failed) == (4, 0)
    assert pool.names().count("b") == 3


def test_a_place_that_always_fails_is_not_tried_for_ever(tmp_path: Path) -> None:
    summary, pool = go(
        tmp_path, lambda task: Reply(task, "w", 1.0, error="no space left", fault="place")
    )
    assert summary.failed == 4
    assert 3 * 4 <= len(pool.given) <= 12 * 4


def test_one_full_disk_costs_no_video_while_others_work(tmp_path: Path) -> None:
    """Two workers in turn, one of which can do nothing."""
    turns = iter(range(1000))

    def answer(task: Task) -> Event:
        turn = next(turns)
        if turn % 2 == 0 or turn < 5:
            return Reply(task, "full", 1.0, error="no space left", fault="place")
        return replace(well(task), worker="sound")

    many = [Source(f"/x/{n:02}.mp4", "1 1", 100) for n in range(20)]
    summary, _ = go(tmp_path, answer, sources=many)
    assert (summary.done, summary.failed) == (20, 0)


def test_what_fails_everywhere_but_for_its_place_ends_too(tmp_path: Path) -> None:
    def answer(task: Task) -> Event:
        if task.video == "b.mp4":
            return Reply(task, "one", 1.0, error="no space left", fault="place")
        return replace(well(task), worker="other")

    summary, pool = go(tmp_path, answer)
    assert (summary.done, summary.failed, pool.names().count("b")) == (3, 1, 12)


def test_a_worker_whose_place_fails_rests_longer_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("vidpose.batch.pool.time.monotonic", lambda: now[0])
    rest, task = Rest(), Task("video", "a.mp4", "/x/a.mp4")
    waits = []
    for _ in range(7):
        rest.after(Reply(task, "w", 1.0, error="no space left", fault="place"))
        assert not rest.over
        start = now[0]
        while not rest.over:
            now[0] += 1.0
        waits.append(now[0] - start)
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    rest.after(Reply(task, "w", 1.0))
    assert (rest.over, rest.seconds) == (True, 0.0)


def crash_of_b(task: Task) -> Event:
    return Crash(task, "SIGSEGV") if task.video == "b.mp4" else well(task)


def test_a_video_that_kills_its_process_three_times_is_quarantined(tmp_path: Path) -> None:
    summary, pool = go(tmp_path, crash_of_b)
    assert (summary.done, summary.quarantined, pool.names().count("b")) == (3, 1, 3)
    row = rows(tmp_path)["b"]
    assert (row.status, row.crashes) == ("quarantined", 3)
    assert "died 3 times, at last by SIGSEGV" in (row.error or "")
    again, pool = go(tmp_path, crash_of_b)
    assert (again.quarantined, pool.names()) == (1, "")
    assert go(tmp_path, well, retry_failed=True)[1].names() == "b"
    assert rows(tmp_path)["b"].crashes == 0


def test_crashes_are_remembered_over_the_driver_s_death(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def killed_after_two(task: Task) -> Event:
        if task.video == "b.mp4" and len(pool.given) >= 6:
            raise Killed
        return crash_of_b(task)

    pool = Scripted(tmp_path, killed_after_two)
    with pytest.raises(Killed):
        run_batch(SOURCES, tmp_path, MARKS, lambda: pool)
    assert pool.closed
    before = rows(tmp_path)["b"].crashes
    assert before == 2
    _, pool = go(tmp_path, crash_of_b)
    assert pool.names() == "b"


def test_a_removed_machine_is_not_the_video_s_fault(tmp_path: Path) -> None:
    crashes = iter(range(5))

    def answer(task: Task) -> Event:
        if task.video == "b.mp4" and next(crashes, None) is not None:
            return Crash(task, "its node is gone", innocent=True)
        return well(task)

    summary, pool = go(tmp_path, answer)
    assert (summary.done, summary.quarantined, pool.names().count("b")) == (4, 0, 6)


def split_b(task: Task) -> Event:
    if task.video == "b.mp4" and task.kind == "video":
        return Reply(task, "w", 1.0, seams=(10.0, 20.0))
    return well(task)


def test_a_long_video_comes_in_pieces_which_are_joined(tmp_path: Path) -> None:
    summary, pool = go(tmp_path, split_b)
    ours = [(task.kind, task.number) for task in pool.given if task.video == "b.mp4"]
    assert ours[0] == ("video", 0)
    assert sorted(ours[1:4]) == [("piece", 0), ("piece", 1), ("piece", 2)]
    assert ours[4:] == [("join", 0)]
    assert (summary.done, summary.frames) == (4, 40)
    row = rows(tmp_path)["b"]
    assert (row.pieces, row.seconds) == (3, 5.0)


@pytest.mark.parametrize("how", ["error", "crash"])
def test_a_failing_piece_fails_its_video_once(tmp_path: Path, how: str) -> None:
    def answer(task: Task) -> Event:
        if task.kind == "piece" and task.number != 1:
            if how == "crash":
                return Crash(task, "SIGSEGV")
            return Reply(task, "w", 1.0, error="damaged", fault="video")
        return split_b(task)

    summary, pool = go(tmp_path, answer)
    assert (summary.done, summary.failed + summary.quarantined) == (3, 1)
    assert "join" not in [task.kind for task in pool.given]


def test_a_piece_that_died_is_made_again_and_the_video_joined(tmp_path: Path) -> None:
    crashes = iter([True])

    def answer(task: Task) -> Event:
        if task.kind == "piece" and task.number == 2 and next(crashes, False):
            return Crash(task, "SIGKILL")
        return split_b(task)

    summary, pool = go(tmp_path, answer)
    assert summary.done == 4
    assert [task.kind for task in pool.given if task.video == "b.mp4"][-1] == "join"


def test_rows_are_on_the_disk_when_the_user_interrupts(tmp_path: Path) -> None:
    class Interrupted(Exception):
        pass

    turns = iter(range(3))

    def check() -> None:
        if next(turns, None) is None:
            raise Interrupted

    many = [Source(f"/x/{number}x.mp4", "1 1", 9) for number in range(20)]
    with pytest.raises(Interrupted):
        go(tmp_path, sources=many, check=check)
    found = len(Manifest(Layout(tmp_path).manifest).rows)
    assert 0 < found < 20
    assert go(tmp_path, sources=many)[0].kept == found


def test_two_batches_in_one_folder(tmp_path: Path) -> None:
    def inner(task: Task) -> Event:
        with pytest.raises(OutputError, match="another batch is at work"):
            go(tmp_path)
        return well(task)

    assert go(tmp_path, inner)[0].done == 4


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        go(tmp_path / "file" / "dest")


def test_names_stay_when_more_sources_come(tmp_path: Path) -> None:
    go(tmp_path, sources=SOURCES[:1])
    more = [Source("/y/a.mp4", "1 1", 5), *SOURCES]
    summary, _ = go(tmp_path, sources=more)
    assert (summary.kept, summary.done) == (1, 4)
    names = {r.source: r.video for r in Manifest(Layout(tmp_path).manifest).rows.values()}
    assert names["/x/a.mp4"] == "a.mp4"
    assert names["/y/a.mp4"].startswith("a.mp4-")


@pytest.mark.parametrize(
    ("options", "splits"),
    [({}, True), ({"start": "0"}, True), ({"start": "1"}, False), ({"end": 2}, False)],
)
def test_parts_of_videos_are_not_split(options: dict[str, object], splits: bool) -> None:
    assert Settings(split=600.0, options=options).splits == splits  # type: ignore[arg-type]


def test_what_a_killed_batch_left_half_written_is_removed(tmp_path: Path) -> None:
    """Whatever it was at when it was killed: rows, settings, a drawn video, a piece."""
    layout = Layout(tmp_path)
    left = [
        layout.manifest / ".vidpose-1.part.parq",
        layout.settings / ".vidpose-2.part.json",
        layout.annotated("a.mp4").with_name(".vidpose-3.part.mp4"),
        layout.piece("a.mp4", 0).with_name(".vidpose-4.part.jsonl"),
    ]
    for part in left:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b"half")
    still_written = AtomicFile(layout.annotated("b.mp4"))
    go(tmp_path)
    assert not any(part.exists() for part in left)
    assert still_written.temporary.exists()
    still_written.discard()
