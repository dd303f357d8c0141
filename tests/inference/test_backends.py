"""The same graph on every runtime: ports, numbers, and sizes that change from call to call."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared_folder import FLOAT_MODEL

pytest.importorskip("onnx", reason="the painted world's networks are built with onnx")

import painted
from vidpose.bundle import available_models, read_bundle, write_bundle
from vidpose.errors import BundleError, InputError, VidposeError
from vidpose.inference import PoseModel, load_detector
from vidpose.inference.backends import select
from vidpose.inference.backends.base import Port, Runtime, check_ports, open_session
from vidpose.inference.crop import crop_image, region_around
from vidpose.inference.pose import initialize, step
from vidpose.inference.pose_model import fitting_model
from vidpose.inference.timing import StageTimer

ACTOR = painted.Actor(lambda time: (150.3 + 90 * time, 110.7), height=120)
OTHER = painted.Actor(lambda time: (300.0, 120.0), height=100, colour=250)
SIZE = (240, 400)
REGIONS = [region_around((120, 45, 62, 122)), region_around((275, 70, 50, 100))]
RUNTIMES: tuple[Runtime, ...] = ("onnxruntime", "openvino")


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """Each runtime that is installed."""
    pytest.importorskip(request.param)
    return request.param


def test_ports_are_told_alike(runtime: Runtime) -> None:
    session = open_session(painted.step_graph(), "step", 1, runtime)
    height, width = painted.STEP
    assert session.inputs == (
        Port("image", "uint8", (None, height, width, 3)),
        Port("kernels", "float32", (None, 5, 2, 1, 1)),
    )
    assert [port.name for port in session.outputs] == ["maps", "next_kernels"]
    assert {port.element for port in session.outputs} == {"float32"}


def test_outputs_come_in_the_order_asked_for_and_are_the_callers(runtime: Runtime) -> None:
    session = open_session(painted.initializer_graph(), "initializer", 1, runtime)
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (1, *painted.INITIALIZER, 3), np.uint8) for _ in range(2)]
    kernels, maps = session.run(["kernels", "maps"], {"image": crops[0]})
    assert kernels.shape == (1, 5, 2, 1, 1)
    assert maps.shape == (1, 5, painted.INITIALIZER[0] // 4, painted.INITIALIZER[1] // 4)
    before = maps.copy()
    everything = session.run(None, {"image": crops[1]})
    assert [found.shape for found in everything] == [maps.shape, kernels.shape]
    assert np.array_equal(maps, before)
    assert not np.allclose(everything[0], before)


def test_a_view_that_is_not_contiguous_is_taken(runtime: Runtime) -> None:
    session = open_session(painted.initializer_graph(), "initializer", 1, runtime)
    image = painted.paint([ACTOR], 0.0, SIZE)
    crop = crop_image(image, REGIONS[0], painted.INITIALIZER)[None]
    (maps,) = session.run(["maps"], {"image": crop[:, :, ::-1]})
    (expected,) = session.run(["maps"], {"image": crop[:, :, ::-1].copy()})
    assert np.array_equal(maps, expected)


def test_any_number_of_people_on_any_runtime(tmp_path: Path, runtime: Runtime) -> None:
    """One, two and again one, by memory too: what ONNX Runtime finds, within a trifle."""
    path = painted.save_bundle(tmp_path)
    model = PoseModel.load(path, threads=1, runtime=runtime)
    reference = PoseModel.load(path, threads=1)
    assert model.runtime == runtime
    image, later = (painted.paint([ACTOR, OTHER], time, SIZE) for time in (0.0, 0.03))
    for regions in (REGIONS[:1], REGIONS, REGIONS[1:]):
        found = [initialize(each, image, regions, StageTimer()) for each in (model, reference)]
        moved = [
            step(each, later, regions, [pose.kernels for pose in poses], StageTimer())
            for each, poses in zip((model, reference), found, strict=True)
        ]
        for poses in (found, moved):
            for ours, theirs in zip(*poses, strict=True):
                assert np.abs(ours.keypoints - theirs.keypoints).max() < 1e-3


def test_threads_may_share_a_session(runtime: Runtime) -> None:
    session = open_session(painted.initializer_graph(), "initializer", 1, runtime)
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (n, *painted.INITIALIZER, 3), np.uint8) for n in (1, 2, 3, 1)]
    alone = [session.run(None, {"image": crop}) for crop in crops]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda crop: session.run(None, {"image": crop}), crops * 3))
    for number, found in enumerate(together):
        for a, b in zip(found, alone[number % len(crops)], strict=True):
            assert np.allclose(a, b, atol=1e-4)


def test_faults_are_said_in_one_line(runtime: Runtime) -> None:
    with pytest.raises(BundleError, match=r"^broken: [^\n]*cannot"):
        open_session(b"no graph at all", "broken", 1, runtime)
    with pytest.raises(InputError, match="threads"):
        open_session(painted.step_graph(), "step", 0, runtime)
    session = open_session(painted.step_graph(), "step", 1, runtime)
    with pytest.raises(BundleError, match="ports"):
        check_ports(session, "step", {"picture": ("uint8", [None])}, {})
    image = ("uint8", [None, 11, 12, 3])
    kernels = ("float32", [None, None, None, None, None])
    with pytest.raises(BundleError, match=r"'image' must be uint8 \[None, 11"):
        check_ports(session, "step", {"image": image, "kernels": kernels}, {})


def test_without_openvino_its_name_is_an_error_and_auto_takes_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr("vidpose.inference.backends.openvino.find_spec", lambda name: None)
    path = painted.save_bundle(tmp_path)
    with pytest.raises(VidposeError, match=r"pip install 'vidpose\[openvino\]'"):
        PoseModel.load(path, threads=1, runtime="openvino")
    model, made = select.load_faster_model(path, threads=1)
    assert model.runtime == "onnxruntime"
    assert made == select.RuntimeSelection("onnxruntime", {})


def test_an_int8_bundle_is_for_one_runtime(tmp_path: Path) -> None:
    """OpenVINO would find other keypoints; no user gets those unawares."""
    path = tmp_path / "small.vidpose"
    write_bundle(path, replace(read_bundle(painted.save_bundle(tmp_path)), precision="int8"))
    with pytest.raises(BundleError, match="int8 bundle runs on onnxruntime"):
        PoseModel.load(path, threads=1, runtime="openvino")
    with pytest.raises(BundleError, match=r"models/dkd-base\.vidpose"):
        PoseModel.load(path, threads=1, runtime="openvino")
    model, made = select.load_faster_model(path, threads=1)
    assert (model.runtime, made) == ("onnxruntime", select.RuntimeSelection("onnxruntime", {}))


def test_a_float_sister_takes_the_place_of_an_int8_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name among the models at hand, by path beside the file; any other model stays."""
    monkeypatch.delenv("VIDPOSE_MODELS", raising=False)
    assert fitting_model("dkd-base-int8", "openvino") == "dkd-base-int8"  # it is not at hand
    monkeypatch.setenv("VIDPOSE_MODELS", str(FLOAT_MODEL.parent))
    assert fitting_model("dkd-base-int8", "openvino") == "dkd-base"
    assert fitting_model("dkd-base-int8", "onnxruntime") == "dkd-base-int8"
    assert fitting_model("dkd-base", "openvino") == "dkd-base"
    sister = painted.save_bundle(tmp_path).rename(tmp_path / "small.vidpose")
    path = tmp_path / "small-int8.vidpose"
    write_bundle(path, replace(read_bundle(sister), precision="int8"))
    assert fitting_model(path, "openvino") == sister
    sister.unlink()
    assert fitting_model(path, "openvino") == path
    write_bundle(sister, replace(read_bundle(path)))
    assert fitting_model(path, "openvino") == path


def test_the_faster_runtime_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that the calls themselves advance: 4 ms against 3 ms, the first call of all slow."""
    now = [0.0]
    costs = {"onnxruntime": [90.0], "openvino": [90.0]}

    def call(runtime: Runtime, usual: float) -> None:
        now[0] += (costs[runtime].pop() if costs[runtime] else usual) / 1e3

    monkeypatch.setattr(select, "perf_counter", lambda: now[0])
    made = select.choose(
        {"onnxruntime": lambda: call("onnxruntime", 4.0), "openvino": lambda: call("openvino", 3.0)}
    )
    assert made.runtime == "openvino"
    assert made.milliseconds == pytest.approx({"onnxruntime": 4.0, "openvino": 3.0})


@pytest.mark.skipif(
    not FLOAT_MODEL.is_file() or "finder" not in available_models(),
    reason="the shipped models are not in this checkout",
)
def test_shipped_models_give_the_same_on_openvino(shared_data: Path) -> None:
    """Maps close, keypoints within 0.05 px of the crop, and the same boxes in two sizes."""
    pytest.importorskip("openvino")
    from vidpose.video import VideoReader

    with VideoReader(shared_data / "video" / "walk_backlit.mp4") as video:
        image = next(video).image
    finders = [load_detector("finder", 1, each) for each in RUNTIMES]
    for picture in (image, np.ascontiguousarray(image[:, : image.shape[1] // 2])):
        (boxes, scores), (other_boxes, other_scores) = (f.detect(picture) for f in finders)
        assert boxes == pytest.approx(other_boxes, abs=0.05)
        assert scores == pytest.approx(other_scores, abs=1e-3)
    boxes, _ = finders[0].detect(image)
    regions = [region_around(tuple(box)) for box in boxes[:1]] + [region_around((0, 0, 90, 200))]
    models = [PoseModel.load(FLOAT_MODEL, 1, each) for each in RUNTIMES]
    for count in (1, 2):
        crops = np.stack([crop_image(image, r, models[0].initializer.size) for r in regions])
        small = np.stack([crop_image(image, r, models[0].stepper.size) for r in regions])
        first = [model.initialize(crops[:count]) for model in models]
        later = [model.step(small[:count], first[0][1]) for model in models]
        for (maps, kernels), (other_maps, other_kernels) in (first, later):
            assert np.abs(maps - other_maps).max() < 0.01
            assert np.abs(kernels - other_kernels).max() < 0.01
    found = [initialize(model, image, regions[:1], StageTimer())[0] for model in models]
    moved = [
        step(model, image, regions[:1], [pose.kernels], StageTimer())[0]
        for model, pose in zip(models, found, strict=True)
    ]
    scale = regions[0].w / models[0].initializer.size[1]
    for ours, theirs in (found, moved):
        assert np.abs(ours.keypoints[:, :2] - theirs.keypoints[:, :2]).max() < 0.05 * scale


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_signals_arrive_also_after_graphs_were_freed(runtime: Runtime, tmp_path: Path) -> None:
    path = painted.save_bundle(tmp_path)
    code = (
        "import gc, os, signal; from vidpose.inference import PoseModel;"
        f"models = [PoseModel.load({str(path)!r}, 1, {runtime!r}) for _ in range(2)];"
        "models.pop(0); gc.collect(); models.pop(0); gc.collect();"
        "signal.signal(signal.SIGINT, lambda *_: print('arrived'));"
        "os.kill(os.getpid(), signal.SIGINT)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "arrived\n"), done.stderr
