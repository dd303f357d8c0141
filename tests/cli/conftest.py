"""Small models and clips for the command line: real bundles and files, nothing pretended."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from command import Ended, NewClip, Vidpose
from onnx import TensorProto, helper, numpy_helper

from vidpose.__main__ import main
from vidpose.bundle import Bundle, DetectorSettings, FrameSettings, write_bundle
from vidpose.skeleton import COCO_17


@pytest.fixture(autouse=True)
def hangups_count() -> Iterator[None]:
    """SIGHUP as a terminal's programs have it, also where nohup runs the tests."""
    if sys.platform == "win32":
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def vidpose(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Vidpose:
    """The command, run within this process."""

    def run(*arguments: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["vidpose", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return Ended(int(end.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options for a model and a detector that see one person in the middle of every picture."""
    folder = tmp_path_factory.mktemp("models")
    _write_pose_model(folder / "pose.vidpose")
    _write_detector(folder / "finder.vidpose", [[16, 8, 48, 40]], [0.9])
    return _options(folder / "pose.vidpose", folder / "finder.vidpose")


@pytest.fixture(scope="session")
def models_that_see_nobody(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("models")
    _write_pose_model(folder / "pose.vidpose")
    _write_detector(folder / "finder.vidpose", [[0, 0, 1, 1]], [0.0])
    return _options(folder / "pose.vidpose", folder / "finder.vidpose")


@pytest.fixture
def new_clip(tmp_path: Path) -> NewClip:
    """Writes a clip of ``frames`` pictures, 64x48 at 25 a second unless told otherwise."""

    def write(
        name: str, frames: int = 12, size: tuple[int, int] = (64, 48), codec: str = "mpeg4"
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p" if codec == "mpeg4" else "bgr0"
            for number in range(frames):
                shade = np.full((size[1], size[0], 3), number % 250, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
            container.mux(stream.encode())
        return path

    return write


def _options(pose: Path, finder: Path) -> list[str]:
    return ["--model", str(pose), "--detector", str(finder), "--threads", "1"]


def _write_pose_model(path: Path) -> None:
    """Every joint lies in the middle of its crop, with certainty."""
    maps = np.zeros((1, 17, 16, 12), np.float32)
    maps[:, :, 8, 6] = 50.0
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "constant"], ["maps"]),
    ]
    graph = _graph(
        nodes,
        ["n", 64, 48, 3],
        {"maps": ["n", 17, 16, 12]},
        {"nothing": np.zeros((), np.float32), "constant": maps},
    )
    settings = FrameSettings(size=(64, 48))
    write_bundle(
        path,
        Bundle("middle", "frame", "1", "Apache-2.0", settings, {"frame": graph}, COCO_17),
    )


def _write_detector(path: Path, boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> None:
    """The same boxes (x1, y1, x2, y2 in a picture of 64 pixels) in every picture."""
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "constant_boxes"], ["boxes"]),
        helper.make_node("Add", ["zero", "constant_scores"], ["scores"]),
    ]
    graph = _graph(
        nodes,
        [1, "h", "w", 3],
        {"boxes": [None, 4], "scores": [None]},
        {
            "constant_boxes": np.array(boxes, np.float32),
            "constant_scores": np.array(scores, np.float32),
            "nothing": np.zeros((), np.float32),
        },
    )
    settings = DetectorSettings(input_size=64)
    bundle = Bundle("constant", "detector", "1", "Apache-2.0", settings, {"detector": graph})
    write_bundle(path, bundle)


def _graph(
    nodes: Sequence[onnx.NodeProto],
    image: Sequence[int | str],
    outputs: dict[str, list[int | str | None]],
    constants: dict[str, np.ndarray],
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, image)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
