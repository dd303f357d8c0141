"""A teacher's keypoints: peaks, where they lie in the image, and the files made of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from stills_folders import lsp_people, write_coco, write_image, write_lspet
from vidpose.data.datasets import lspet
from vidpose.data.datasets.lspet import kept_out_names
from vidpose.data.pseudo_labels.keypoint_labels import read_label_file
from vidpose.data.pseudo_labels.label_keypoints import HeatmapTeacher, dark_peaks, write_labels
from vidpose.errors import BundleError, DataError

MEAN, STD = 0.485, 0.229  # of red, as teachers expect it
STRIDE = 4


def _gaussian(x: float, y: float, sigma: float, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    map_ = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return map_.astype(np.float32)


@pytest.mark.parametrize("sigma", [1.5, 2.0, 3.0])
@pytest.mark.parametrize(("x", "y"), [(20.0, 30.0), (20.3, 30.45), (7.5, 55.49), (40.75, 5.1)])
def test_peaks_are_sub_pixel(x: float, y: float, sigma: float) -> None:
    (found,) = dark_peaks(_gaussian(x, y, sigma)[None] * 0.8)
    assert np.abs(found[:2] - [x, y]).max() < 0.06
    assert 0.8 * 0.85 < found[2] <= 0.8  # the value of the highest cell


@pytest.mark.parametrize(("x", "y"), [(0, 0), (47, 63), (1, 30)])
def test_peaks_at_the_border_are_cells(x: int, y: int) -> None:
    (found,) = dark_peaks(_gaussian(x, y, 2)[None])
    np.testing.assert_allclose(found, [x, y, 1])


def test_every_map_has_its_own_peak_and_a_value_in_range() -> None:
    maps = np.stack([_gaussian(10, 12, 2) * 3, _gaussian(30, 40, 2), np.zeros((64, 48))])
    found = dark_peaks(maps.astype(np.float32))
    np.testing.assert_allclose(found[:2, :2], [[10, 12], [30, 40]], atol=0.05)
    assert found[0, 2] == 1
    assert found[2, 2] == 0
    assert np.isfinite(found).all()


def _teacher(path: Path, keypoints: int = 17) -> Path:
    """A network whose maps are the crop's red channel in [0, 1] at every fourth pixel."""
    weight = np.zeros((keypoints, 3, 1, 1), np.float32)
    weight[:, 0] = STD
    bias = np.full(keypoints, MEAN, np.float32)
    node = helper.make_node(
        "Conv", ["image", "w", "b"], ["maps"], kernel_shape=[1, 1], strides=[STRIDE, STRIDE]
    )
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 256, 192])
    maps = helper.make_tensor_value_info("maps", TensorProto.FLOAT, [1, keypoints, 64, 48])
    weights = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")]
    graph = helper.make_graph([node], "teacher", [image], [maps], weights)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7])
@pytest.mark.parametrize(("x", "y"), [(150.0, 160.0), (171.3, 129.6)])
def test_keypoints_lie_where_the_image_has_them(
    tmp_path: Path, x: float, y: float, scale: float
) -> None:
    """Seen as it is and mirrored, through the crop and back."""
    blob = _gaussian(x, y, 8 * scale, (400, 320)) * 255
    image = np.repeat(blob.round().astype(np.uint8)[..., None], 3, axis=2)
    w, h = 192 * scale / 1.25, 256 * scale / 1.25  # the padded box is the crop at this scale
    box = (160 - w / 2, 150 - h / 2, w, h)
    found = HeatmapTeacher(_teacher(tmp_path / "t.onnx"))(image, box)
    assert found.shape == (17, 3)
    assert np.abs(found[:, :2] - [x, y]).max() < 0.35 * scale
    assert (found[:, 2] > 0.9).all()


@pytest.mark.parametrize("content", [None, b"", b"no ONNX"])
def test_a_teacher_that_is_no_onnx_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "teacher.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError, match=r"teacher\.onnx"):
        HeatmapTeacher(path)


def test_a_network_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"expected an output \[1, 17, h, w\]"):
        HeatmapTeacher(_teacher(tmp_path / "t.onnx", keypoints=14))


@pytest.mark.parametrize("name", ["movenet_lightning.onnx", "rtmdet_nano.onnx"])
def test_real_networks_of_another_kind_are_refused(shared_models: Path, name: str) -> None:
    with pytest.raises(BundleError, match=rf"{name}: expected"):
        HeatmapTeacher(shared_models / name)


def test_tinypose_finds_a_labelled_person(shared_models: Path, shared_data: Path) -> None:
    """Half a torso's PCK on the largest person of COCO val with all joints labelled."""
    from vidpose.data.datasets.coco import load_coco
    from vidpose.data.samples import read_image

    people = load_coco(shared_data / "coco", "val2017")
    person = max(people, key=lambda s: (s.keypoints[:, 2].sum(), s.box[2] * s.box[3]))
    found = HeatmapTeacher(shared_models / "tinypose_256x192.onnx", threads=1)(
        read_image(person.image), person.box
    )
    known = person.keypoints[:, 2] > 0
    distance = np.linalg.norm(found[:, :2] - person.keypoints[:, :2], axis=1)[known]
    assert np.median(distance) < 0.05 * max(person.box[2:])


def test_kept_out_images_are_not_labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 3)
    root = write_lspet(tmp_path / "lspet", lsp_people(5))
    out = tmp_path / "labels" / "lspet.json"
    assert write_labels(f"lspet:{root}", out, _teacher(tmp_path / "t.onnx")) == 2
    names = {sample.image.name for sample in read_label_file(out, root).values()}
    assert len(names) == 2
    assert not names & kept_out_names(root)


def test_coco_s_training_people_are_labelled(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco", "train2017", [{}, {"image_id": 1}])
    write_coco(root, "val2017", [{"image_id": 9}])
    out = tmp_path / "coco.json"
    assert write_labels(f"coco:{root}", out, _teacher(tmp_path / "t.onnx")) == 2
    keys = list(read_label_file(out, root))
    assert keys == ["train2017/000000000001.jpg/101", "train2017/000000000001.jpg/102"]


@pytest.mark.parametrize("data", ["lspet", "lspet:", "mpii:/data", "", "/data/lspet"])
def test_wrong_data_are_named(tmp_path: Path, data: str) -> None:
    with pytest.raises(DataError, match="expected KIND:PATH"):
        write_labels(data, tmp_path / "out.json", tmp_path / "t.onnx")


def test_photographs_without_boxes_need_a_detector(tmp_path: Path) -> None:
    write_image(tmp_path / "ccp" / "photos" / "0001.jpg")
    with pytest.raises(DataError, match="give a person detector"):
        write_labels(f"ccp:{tmp_path / 'ccp'}", tmp_path / "o.json", _teacher(tmp_path / "t.onnx"))
    assert not (tmp_path / "o.json").exists()


def test_images_are_read_as_rgb(tmp_path: Path) -> None:
    """The teacher's red is the picture's red."""
    root = write_coco(tmp_path / "coco", "train2017", [{}])
    picture = np.zeros((120, 90, 3), np.uint8)
    cv2.circle(picture, (45, 60), 12, (0, 0, 255), -1)  # OpenCV: red is last
    cv2.imwrite(str(root / "train2017" / "000000000001.jpg"), picture)
    write_labels(f"coco:{root}", tmp_path / "o.json", _teacher(tmp_path / "t.onnx"))
    (sample,) = read_label_file(tmp_path / "o.json", root).values()
    assert np.abs(sample.keypoints[:, :2] - [45, 60]).max() < 13
    assert (sample.keypoints[:, 2] > 0.8).all()
