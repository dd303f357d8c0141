"""What a file is, by its shapes; and one line for what is no pose network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the networks are built with onnx")

import onnx
from onnx import TensorProto, helper

from made_networks import brightest, fixed
from vidpose.errors import BundleError
from vidpose.importing import ImportOptions, import_network
from vidpose.importing.reading import read_network
from vidpose.importing.recognise import Recognised, recognise
from vidpose.skeleton import COCO_17

NCHW, NHWC = ("N", 3, 64, 48), (1, 64, 48, 3)


def recognised(path: Path, **options: object) -> Recognised:
    return recognise(read_network(path), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outputs", "shape", "form", "joints", "names"),
    [
        ({"maps": (1, 26, 16, 12)}, NCHW, "heatmaps", 26, ("maps",)),
        ({"x": (1, 133, 96), "y": (1, 133, 128)}, NCHW, "simcc", 133, ("x", "y")),
        ({"b": (1, 26, 128), "a": (1, 26, 96)}, NCHW, "simcc", 26, ("a", "b")),
        ({"y": (1, 5, 128), "x": (1, 5, 128)}, ("N", 3, 64, 64), "simcc", 5, ("x", "y")),
        ({"points": (1, 1, 17, 3)}, NHWC, "coordinates", 17, ("points",)),
        ({"points": (1, 14, 2)}, NCHW, "coordinates", 14, ("points",)),
        ({"output0": (1, 56, 84)}, NCHW, "yolo", 17, ("output0",)),
        ({"output0": (1, 30, 57)}, NCHW, "yolo-nms", 17, ("output0",)),
        ({"dets": (1, 9, 5), "kp": (1, 9, 17, 3)}, NCHW, "rtmo", 17, ("dets", "kp")),
        ({"kp": (1, 9, 17, 3), "dets": (1, 9, 5)}, NCHW, "rtmo", 17, ("dets", "kp")),
        ({"people": (1, 6, 56)}, NHWC, "multipose", 17, ("people",)),
    ],
)
def test_forms(
    tmp_path: Path,
    outputs: dict[str, tuple[int, ...]],
    shape: tuple[int | str, ...],
    form: str,
    joints: int,
    names: tuple[str, ...],
) -> None:
    values = {name: np.zeros(sides) for name, sides in outputs.items()}
    found = recognised(fixed(tmp_path / "a.onnx", values, shape))
    assert (found.form, found.joints, found.outputs) == (form, joints, names)
    assert found.size == (64, 64 if shape == ("N", 3, 64, 64) else 48)
    assert found.layout == ("nhwc" if shape == NHWC else "nchw")
    assert found.batched == (shape[0] == "N")
    assert found.one_stage == (form in ("yolo", "yolo-nms", "rtmo", "multipose"))


def test_ultralytics_metadata_name_the_classes(tmp_path: Path) -> None:
    metadata = {"task": "pose", "kpt_shape": "[4, 3]", "names": "{0: 'person', 1: 'dog'}"}
    values = {"output0": np.zeros((1, 4 + 2 + 12, 84))}
    found = recognised(fixed(tmp_path / "a.onnx", values, (1, 3, 64, 64), metadata=metadata))
    assert (found.form, found.joints, found.classes, found.yolo) == ("yolo", 4, 2, True)


def test_an_open_size_has_to_be_said(tmp_path: Path) -> None:
    path = fixed(tmp_path / "a.onnx", {"points": np.zeros((1, 1, 17, 3))}, (1, 3, "h", "w"))
    with pytest.raises(BundleError, match=r"size of its input is open.*--size HEIGHTxWIDTH"):
        recognised(path)
    assert recognised(path, size=(96, 64)).size == (96, 64)


def test_a_fixed_size_contradicts_another(tmp_path: Path) -> None:
    path = fixed(tmp_path / "a.onnx", {"points": np.zeros((1, 1, 17, 3))}, NCHW)
    with pytest.raises(BundleError, match=r"its input is fixed.*--size 96x64 does not fit"):
        recognised(path, size=(96, 64))


def test_a_size_that_it_cannot_run_at(tmp_path: Path) -> None:
    """The shapes are open, but inside stands a sum with something of a fixed size."""
    path = tmp_path / "a.onnx"
    brightest(path, (64, 48))
    model = onnx.load(path)
    model.graph.initializer[0].CopyFrom(
        onnx.numpy_helper.from_array(np.zeros((1, 17, 16, 12), np.float32), "zeros")
    )
    for side in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[side].dim_param = f"s{side}"
        model.graph.output[0].type.tensor_type.shape.dim[side].dim_param = f"t{side}"
    onnx.save(model, path)
    with pytest.raises(BundleError, match=r"cannot run on a picture of 128 x 96 .*another --size"):
        recognised(path, size=(128, 96))
    assert recognised(path, size=(64, 48)).form == "heatmaps"


@pytest.mark.parametrize(
    ("outputs", "shown"),
    [
        ({"classes": np.zeros((1, 1000))}, r"'classes' \[1, 1000\]"),
        ({"boxes": np.zeros((1, 300, 4)), "labels": np.zeros((1, 300))}, r"'labels' \[1, 300\]"),
        ({"features": np.zeros((1, 17, 16, 16))}, r"'features' \[1, 17, 16, 16\]"),
        ({f"p{n}": np.zeros((1, 4 + n, 8, 6)) for n in range(6)}, r"'p5' \[1, 9, 8, 6\]"),
        ({n: np.zeros((1, 9, 5)) for n in "abc"}, r"'c' \[1, 9, 5\]"),
        ({"all": np.zeros((1, 1, 2, 3, 17, 3))}, r"'all' \[1, 1, 2, 3, 17, 3\]"),
        ({"none": np.zeros((1, 0, 5)), "kp": np.zeros((1, 0))}, r"'none' \[1, 0, 5\]"),
    ],
)
def test_what_is_no_pose_network_is_shown(
    tmp_path: Path, outputs: dict[str, np.ndarray], shown: str
) -> None:
    with pytest.raises(BundleError, match=rf"not a pose network of a known form.*{shown}"):
        recognised(fixed(tmp_path / "a.onnx", outputs, NCHW))


@pytest.mark.parametrize("kind", ["one number", "text", "a list of arrays"])
def test_outputs_that_are_no_arrays_of_numbers(tmp_path: Path, kind: str) -> None:
    """A number without a shape, text, a sequence: as little a pose network as a classifier."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 64, 48])
    if kind == "a list of arrays":
        node = helper.make_node("SequenceConstruct", ["image", "image"], ["out"])
        out = helper.make_tensor_sequence_value_info("out", TensorProto.FLOAT, None)
    elif kind == "text":
        node = helper.make_node("Cast", ["image"], ["out"], to=TensorProto.STRING)
        out = helper.make_tensor_value_info("out", TensorProto.STRING, [1, 3, 64, 48])
    else:
        node = helper.make_node("ReduceMean", ["image"], ["out"], keepdims=0)
        out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [])
    graph = helper.make_graph([node], "strange", [image], [out])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "a.onnx")
    with pytest.raises(BundleError, match=r"not a pose network of a known form.*'out'"):
        recognised(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (("N", 1, 64, 48), "does not say which axis has the three colours"),
        (("N", 3, 64, 3), "does not say which axis has the three colours"),
    ],
)
def test_inputs_that_are_no_picture(
    tmp_path: Path, shape: tuple[int | str, ...], message: str
) -> None:
    path = fixed(tmp_path / "a.onnx", {"points": np.zeros((1, 1, 17, 3))}, shape)
    with pytest.raises(BundleError, match=message):
        recognised(path)


def test_numbers_that_are_none(tmp_path: Path) -> None:
    values = {"maps": np.full((1, 17, 16, 12), np.nan)}
    with pytest.raises(BundleError, match="output 'maps' holds NaN or infinity"):
        recognised(fixed(tmp_path / "a.onnx", values, NCHW))


def test_an_opset_of_the_future(tmp_path: Path) -> None:
    path = fixed(tmp_path / "a.onnx", {"maps": np.zeros((1, 17, 16, 12))}, NCHW, opset=999)
    with pytest.raises(BundleError, match=r"a\.onnx: its opset is newer than ONNX Runtime [\d.]+"):
        read_network(path)


def test_weights_in_another_file(tmp_path: Path) -> None:
    """Also where the other file is at hand: the bundle would be without it."""
    path = brightest(tmp_path / "a.onnx", (64, 48))
    model = onnx.load(path)
    external = {"save_as_external_data": True, "location": "a.data", "size_threshold": 0}
    onnx.save(model, path, **external)
    with pytest.raises(BundleError, match="its weights lie in other files"):
        read_network(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x08"])
def test_what_is_no_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"a\.onnx"):
        recognised(path)
    with pytest.raises(BundleError, match=r"b\.onnx: cannot be read"):
        read_network(tmp_path / "b.onnx")


def test_an_operation_that_there_is_not(tmp_path: Path) -> None:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 64, 48])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3, 64, 48])
    node = helper.make_node("NoSuchThing", ["image"], ["out"])
    graph = helper.make_graph([node], "g", [image], [out])
    onnx.save(helper.make_model(graph), tmp_path / "a.onnx")
    with pytest.raises(BundleError, match=r"a\.onnx: the graph cannot be loaded"):
        read_network(tmp_path / "a.onnx")


def test_a_vision_transformer_is_a_network_of_heatmaps(tmp_path: Path) -> None:
    """ViTPose's operations, as torch exports them: attention, layer norms, transposed
    convolutions. Its cost counts the products of attention."""
    torch = pytest.importorskip("torch", reason="torch exports the network")
    from vidpose.importing.cost import cost_of

    class Tiny(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.patches = torch.nn.Conv2d(3, 16, 16, 16)
            self.places = torch.nn.Parameter(torch.zeros(1, 12, 16))
            self.layers = torch.nn.ModuleList([torch.nn.Linear(16, 48), torch.nn.Linear(16, 16)])
            self.norm = torch.nn.LayerNorm(16)
            self.wide = torch.nn.ConvTranspose2d(16, 17, 4, 4)

        def forward(self, image):  # type: ignore[no-untyped-def]
            cells = self.patches(image).flatten(2).transpose(1, 2) + self.places
            qkv = self.layers[0](self.norm(cells)).reshape(-1, 12, 3, 2, 8).permute(2, 0, 3, 1, 4)
            seen = torch.nn.functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
            cells = cells + torch.nn.functional.gelu(
                self.layers[1](seen.transpose(1, 2).reshape(-1, 12, 16))
            )
            return self.wide(cells.transpose(1, 2).reshape(-1, 16, 4, 3))

    torch.manual_seed(0)  # some random weights have peaks too flat to compare places by
    path = tmp_path / "vit.onnx"
    axes = {"image": {0: "n"}, "maps": {0: "n"}}
    torch.onnx.export(
        Tiny().eval(), (torch.zeros(1, 3, 64, 48),), str(path), input_names=["image"],
        output_names=["maps"], dynamic_axes=axes, opset_version=17, dynamo=False,
    )  # fmt: skip
    network = read_network(path)
    found = recognise(network)
    assert (found.form, found.joints, found.size, found.batched) == ("heatmaps", 17, (64, 48), True)
    said = ImportOptions(skeleton=COCO_17, normalise="imagenet", colour="rgb", padding=1.25)
    made = import_network(path, "vit", said)
    assert made.difference < 0.05
    cost = cost_of(network, found)
    assert cost is not None
    patches, linear, attention = 12 * 16 * 3 * 256, 12 * 16 * 64, 2 * 12 * 12 * 16
    assert cost.multiply_adds == patches + linear + attention + 12 * 16 * 17 * 16


def test_few_people_after_suppression_are_told_by_the_metadata(tmp_path: Path) -> None:
    """Fewer rows than columns: without the metadata this is a table of five keypoints."""
    metadata = {"task": "pose", "kpt_shape": "[17, 3]", "names": "{0: 'person'}"}
    path = fixed(
        tmp_path / "a.onnx", {"out": np.zeros((1, 20, 57))}, (1, 3, 64, 64), metadata=metadata
    )
    found = recognised(path)
    assert (found.form, found.joints, found.numbers) == ("yolo-nms", 17, 3)
