"""One output that fails takes no other with it; anything else ends them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

import vidpose
from vidpose.errors import OutputError
from vidpose.inference import PoseModel
from vidpose.pipeline.output_group import OutputGroup
from vidpose.results import FrameResult
from vidpose.video import Frame, VideoWriter

FRAME = (Frame(0, 0.0, np.zeros((2, 2, 3), np.uint8)), FrameResult(0, 0.0))


class Made:
    """Three outputs that note how they ended; some fail in ``write``, some in ``close``."""

    def __init__(self, write: str = "", close: str = "", error: type = OutputError) -> None:
        self.ends: list[str] = []
        self.group = OutputGroup()
        for name in "abc":
            files = ExitStack()
            files.enter_context(self._file(name, name in close, error))
            self.group.add(Path(name), self._sink(name, name in write, error), files)

    def _sink(
        self, name: str, fails: bool, error: type[Exception]
    ) -> Callable[[Frame, FrameResult], None]:
        def sink(frame: Frame, result: FrameResult) -> None:
            if fails:
                raise error(f"{name}: no space")

        return sink

    @contextmanager
    def _file(self, name: str, fails: bool, error: type[Exception]) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.ends.append(f"{name} removed")
            raise
        if fails:
            raise error(f"{name}: no space")
        self.ends.append(f"{name} finished")


def test_an_output_that_fails_leaves_the_others_be() -> None:
    made = Made(write="b", close="c")
    with made.group:
        made.group.write(*FRAME)
        made.group.write(*FRAME)
        assert made.ends == ["b removed"]
    assert made.ends == ["b removed", "a finished"]
    assert made.group.finished == [Path("a")]
    with pytest.raises(OutputError, match=r"b: no space; c: no space; complete all the same: a$"):
        made.group.raise_failures()


def test_where_none_is_left_that_is_said_at_once() -> None:
    made = Made(write="abc")
    with pytest.raises(OutputError, match=r"^a: no space; b: no space; c: no space$"), made.group:
        made.group.write(*FRAME)
    assert made.ends == ["a removed", "b removed", "c removed"]


def test_any_other_error_removes_all() -> None:
    made = Made(write="b", error=RuntimeError)
    with pytest.raises(RuntimeError), made.group:
        made.group.write(*FRAME)
    assert made.ends == ["c removed", "b removed", "a removed"]
    made = Made(close="c", error=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt), made.group:
        made.group.write(*FRAME)
    assert made.ends == ["b removed", "a removed"]


@pytest.mark.parametrize("where", ["write", "close"])
def test_a_table_is_kept_when_the_drawn_video_finds_no_room(
    tmp_path: Path, frame_model: PoseModel, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    clip = tmp_path / "clip.mp4"
    with VideoWriter(clip, width=32, height=32) as writer:
        for number in range(8):
            writer.write(np.full((32, 32, 3), number, np.uint8), number / 10)

    def full(writer: VideoWriter, *_: object) -> None:
        if where == "close":
            writer.abort()
        raise OutputError("clip_pose.mp4: cannot be written (No space left on device)")

    class NoPeople:
        def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.zeros((0, 4)), np.zeros(0)

    outs = [tmp_path / "out" / name for name in ("clip_pose.mp4", "clip.csv")]
    networks = {"model": frame_model, "detector": NoPeople()}
    with monkeypatch.context() as broken:
        broken.setattr(VideoWriter, where, full)
        with pytest.raises(OutputError, match=r"No space .*; complete all the same: .*clip\.csv"):
            vidpose.process_video(clip, outs, **networks)  # type: ignore[arg-type]
    assert len(vidpose.read_results(outs[1]).frames) == 8
    assert not list(outs[0].parent.glob("*.mp4"))
    again = vidpose.process_video(clip, outs, **networks)  # type: ignore[arg-type]
    assert (again.kept, again.written) == ((outs[1],), (outs[0],))
