"""Detectors: coordinates of each form, and refusal of unknown ones."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="the detectors of these tests are built with onnx")

import onnx
import onnx.parser
from onnx import TensorProto, helper, numpy_helper

from vidpose.bundle import Bundle, DetectorSettings, write_bundle
from vidpose.errors import BundleError
from vidpose.inference import load_detector
from vidpose.inference.boxes import iou


def cell_graph() -> bytes:
    """A detector that takes each bright cell of 16 x 16 input pixels for a person."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
detector (uint8[1,H,W,3] image) => (float[M,4] boxes, float[M] scores)
<float full = {255}, float cell = {16}, float minus = {-1}, int64[1] all = {-1},
 int64[2] order = {3, 2}>
{
  real = Cast<to=1>(image)
  unit = Div(real, full)
  planes = Transpose<perm=[0,3,1,2]>(unit)
  grey = ReduceMean<axes=[1], keepdims=1>(planes)
  pooled = AveragePool<kernel_shape=[16,16], strides=[16,16]>(grey)
  scores = Reshape(pooled, all)
  everywhere = Greater(pooled, minus)
  places = NonZero(everywhere)
  rows_columns = Transpose<perm=[1,0]>(places)
  xy = Gather<axis=1>(rows_columns, order)
  cells = Cast<to=1>(xy)
  low = Mul(cells, cell)
  high = Add(low, cell)
  boxes = Concat<axis=1>(low, high)
}"""
    model = onnx.parser.parse_model(text)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def constant_graph(
    outputs: list[NDArray[np.float32]], inputs: list[tuple[str, list[int]]]
) -> bytes:
    """A graph that answers the same whatever it sees."""
    names = [f"out{i}" for i in range(len(outputs))]
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))
        for name, value in zip(names, outputs, strict=True)
    ]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in inputs],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape)
            for name, value in zip(names, outputs, strict=True)
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return content


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    settings = DetectorSettings(input_size=64, score_threshold=0.6, nms_iou=0.5)
    path = tmp_path / "cells.vidpose"
    graphs = {"detector": cell_graph()}
    write_bundle(path, Bundle("cells", "detector", "1", "MIT", settings, graphs))
    return path


@pytest.mark.parametrize("shape", [(128, 256), (256, 128), (32, 64), (100, 256)])
def test_boxes_come_back_in_image_pixels(shape: tuple[int, int], cells: Path) -> None:
    """One cell of the input is bright; its box in the image is known."""
    height, width = shape
    scale = 64 / max(shape)
    image = np.zeros((height, width, 3), np.uint8)
    x, y = 16 / scale, 0.0
    side = 16 / scale
    image[: round(side), round(x) : round(x + side)] = 255
    boxes, scores = load_detector(cells, threads=1).detect(image)
    assert boxes == pytest.approx(np.array([[x, y, side, side]]), abs=0.6)
    assert scores == pytest.approx(np.array([1.0]), abs=0.05)


def test_no_person_is_no_box(cells: Path) -> None:
    boxes, scores = load_detector(cells).detect(np.zeros((50, 90, 3), np.uint8))
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


def test_what_lies_beside_the_image_is_cut_off(cells: Path) -> None:
    """The last cell reaches into the padding."""
    image = np.full((24, 64, 3), 255, np.uint8)
    boxes, _ = load_detector(cells).detect(image)
    assert boxes[:, 1:].min() >= 0
    assert (boxes[:, 1] + boxes[:, 3]).max() == 24


def test_rtmdet_form(tmp_path: Path) -> None:
    """Distances from a cell's corner, in pixels of the input."""
    maps = [np.full((1, side, side, 5), -9.0, np.float32) for side in (8, 4)]
    maps[0][0, 2, 3] = (2.0, 4, 8, 12, 24)  # corner (24, 16)
    maps[1][0, 1, 2] = (0.0, 3, 1, 13, 30)  # corner (32, 16)
    path = tmp_path / "r.onnx"
    path.write_bytes(constant_graph(maps, [("images", [1, 3, 64, 64])]))
    boxes, scores = load_detector(path).detect(np.zeros((64, 128, 3), np.uint8))
    # The image is halved, so each length doubles.
    assert boxes == pytest.approx(np.array([[40, 16, 32, 48], [58, 30, 32, 34]]), abs=1e-3)
    assert scores == pytest.approx(1 / (1 + np.exp([-2.0, 0.0])))


def test_yolox_form(tmp_path: Path) -> None:
    """Offsets in cells, log sizes in cells; class 0 is a person, class 1 is not."""
    rows = np.zeros((1, 64 + 16 + 4, 7), np.float32)
    rows[0, 8 * 2 + 3] = (0.5, 0.5, np.log(2), np.log(4), 0.9, 0.8, 0.0)
    rows[0, 64 + 5] = (0.0, 0.0, 0.0, 0.0, 0.9, 0.1, 0.9)
    path = tmp_path / "y.onnx"
    path.write_bytes(constant_graph([rows], [("images", [1, 3, 64, 64])]))
    boxes, scores = load_detector(path).detect(np.zeros((64, 64, 3), np.uint8))
    assert boxes == pytest.approx(np.array([[28 - 8, 20 - 16, 16, 32]]), abs=1e-3)
    assert scores == pytest.approx(np.array([0.72]))


@pytest.mark.parametrize(
    ("outputs", "inputs"),
    [
        ([(1, 17, 64, 48)], [("x", [1, 3, 256, 192])]),
        ([(1, 100, 85)], [("x", [1, 3, 64, 64])]),
        ([(1, 8, 8, 6)], [("x", [1, 3, 64, 64])]),
        ([(1, 8, 8, 5)], [("x", [1, 3, 64, 64]), ("scale", [1])]),
        ([(1, 8, 8, 5)], [("x", [1, 3, 60, 60])]),
    ],
)
def test_unknown_forms_are_refused_with_the_known_ones(
    outputs: list[tuple[int, ...]], inputs: list[tuple[str, list[int]]], tmp_path: Path
) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(constant_graph([np.zeros(o, np.float32) for o in outputs], inputs))
    with pytest.raises(BundleError, match=r"other\.onnx.*RTMDet.*YOLOX"):
        load_detector(path)


def test_files_that_are_no_detector_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        load_detector(tmp_path / "absent.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(BundleError, match="cannot be loaded"):
        load_detector(tmp_path / "text.onnx")
    painted = pytest.importorskip("painted")
    with pytest.raises(BundleError, match="not a detector"):
        load_detector(painted.save_bundle(tmp_path))


@pytest.mark.parametrize("name", ["rtmdet_nano.onnx", "yolox_nano.onnx"])
def test_real_detectors_find_the_people_of_coco(
    name: str, shared_data: Path, shared_models: Path
) -> None:
    """Large people of real pictures, against their labels: wrong coordinates find no person."""
    truth = json.loads(
        next((shared_data / "coco").rglob("person_keypoints_val2017.json")).read_text()
    )
    detector = load_detector(shared_models / name, threads=1)
    found = total = 0
    for entry in truth["images"]:
        file = next((shared_data / "coco").rglob(entry["file_name"]))
        image = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        boxes, _ = detector.detect(image)
        people = [
            a["bbox"]
            for a in truth["annotations"]
            if a["image_id"] == entry["id"] and not a["iscrowd"] and a["area"] > 96**2
        ]
        if people:
            total += len(people)
            found += int((iou(np.array(people), boxes).max(axis=1, initial=0) > 0.5).sum())
    assert total >= 10
    assert found >= 0.8 * total
