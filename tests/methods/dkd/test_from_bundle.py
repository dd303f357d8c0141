"""A shipped bundle as the start of other keypoints: the same maps, and whose weights go where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vidpose.bundle import find_bundle, read_bundle, write_bundle
from vidpose.errors import BundleError, DataError
from vidpose.inference.decode import decode_maps
from vidpose.inference.pose_model import PoseModel
from vidpose.methods.dkd.from_bundle import (
    BundleNetworks,
    in_skeleton,
    is_bundle,
    known_joints,
    networks_of_bundle,
    sources_of,
)
from vidpose.methods.per_frame.map_teachers import load_one
from vidpose.nn.pixels import normalise
from vidpose.skeleton import COCO_17, Skeleton

LITE = Path("dkd-lite-int8")
FLOAT = Path(__file__).parents[3] / "models/dkd-base.vidpose"
OWN = Skeleton(
    "own",
    ("right_hip", "left_hip", "mid_hip", "racket", "right_wrist", "neck"),
    ((0, 2), (1, 2), (2, 5), (3, 4)),
    (),
    (0.1,) * 6,
)


@pytest.fixture(scope="module")
def lite() -> BundleNetworks:
    return networks_of_bundle(LITE)


def _crops(size: tuple[int, int]) -> np.ndarray:
    """Smooth shapes, so that maps have peaks."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = [127.5 + 127.5 * np.sin(rows / (9 + 4 * c) + columns / (23 - 5 * c)) for c in range(3)]
    crop = np.stack(waves, axis=-1).astype(np.uint8)
    return np.stack([crop, crop[::-1]])


def _as_input(crops: np.ndarray) -> Tensor:
    return normalise(torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2))))


def _differences(start: Path, found: BundleNetworks) -> list[np.ndarray]:
    """Maps and memory of initializer and step, torch's less the bundle's."""
    model = PoseModel.load(find_bundle(str(start)), threads=1)
    first, later = _crops(found.sizes.initializer), _crops(found.sizes.step)
    maps, kernels = model.initialize(first)
    assert kernels is not None
    next_maps, next_kernels = model.step(later, kernels)
    with torch.no_grad():
        ours = found.network.initialize(_as_input(first))
        later_ours = found.network.step(_as_input(later), torch.from_numpy(kernels))
    pairs = zip((*ours, *later_ours), (maps, kernels, next_maps, next_kernels), strict=True)
    return [np.abs(a.numpy() - b) for a, b in pairs]


@pytest.mark.skipif(not FLOAT.is_file(), reason="models/ is not part of an installed package")
def test_a_float_bundle_is_the_network_itself() -> None:
    found = networks_of_bundle(FLOAT)
    assert (found.sizes.initializer_width, found.sizes.step_width) == (1.75, 1.0)
    assert max(each.max() for each in _differences(FLOAT, found)) < 2e-3


def test_an_int8_bundle_gives_nearly_its_maps(lite: BundleNetworks) -> None:
    assert lite.sizes.step == (160, 120)
    maps, kernels, next_maps, next_kernels = _differences(LITE, lite)
    assert np.median(maps) < 0.15
    assert np.median(kernels) < 0.05
    assert np.median(next_maps) < 0.15
    assert np.median(next_kernels) < 0.05


def test_where_keypoints_start() -> None:
    names = [[COCO_17.keypoints[i] for i in each] for each in sources_of(COCO_17, OWN)]
    hips = ["left_hip", "right_hip"]
    shoulders = ["left_shoulder", "right_shoulder"]
    assert names == [["right_hip"], ["left_hip"], hips, ["right_wrist"], ["right_wrist"], shoulders]
    assert known_joints(COCO_17, OWN) == [True, True, False, False, True, False]
    heads = replace(OWN, keypoints=(*OWN.keypoints[:5], "head_top"))
    assert [COCO_17.keypoints[i] for i in sources_of(COCO_17, heads)[5]] == [
        "left_eye",
        "right_eye",
    ]
    lonely = replace(OWN, edges=((0, 2),))
    assert sources_of(COCO_17, lonely)[3] == []


def test_maps_of_known_keypoints_are_copied(lite: BundleNetworks) -> None:
    network = in_skeleton(lite, OWN)
    images = _as_input(_crops(lite.sizes.initializer))
    with torch.no_grad():
        theirs, ours = (each.initialize(images).maps for each in (lite.network, network))
    hips = [COCO_17.keypoints.index(name) for name in OWN.keypoints[:2]]
    torch.testing.assert_close(ours[:, :2], theirs[:, hips])
    torch.testing.assert_close(ours[:, 2], theirs[:, hips].mean(dim=1), atol=1e-4, rtol=1e-4)
    assert network.initialize(images).kernels.shape[1] == OWN.num_keypoints
    assert in_skeleton(lite, COCO_17) is lite.network


def test_known_keypoints_keep_their_say_in_the_memory(lite: BundleNetworks) -> None:
    """Their part of what all kernels learn of each other; new ones have none."""
    theirs, ours = (
        network.state_dict()["distillator.mix.weight"].unflatten(1, (-1, 64))
        for network in (lite.network, in_skeleton(lite, OWN))
    )
    torch.testing.assert_close(ours[:, 0], theirs[:, COCO_17.keypoints.index("right_hip")])
    assert not ours[:, [2, 3, 5]].any()


def test_as_a_teacher_it_is_silent_on_what_it_does_not_know(lite: BundleNetworks) -> None:
    teacher = load_one(LITE, (256, 192), OWN)
    images = torch.from_numpy(_crops((256, 192)).transpose(0, 3, 1, 2).copy())
    maps, confidence = teacher(images)
    assert confidence.shape == (2, 6)
    assert (confidence[:, [2, 3, 5]] == 0).all()
    assert (confidence[:, [0, 1, 4]] > 0).all()
    points = decode_maps(maps.clamp_min(1e-9).log().numpy())[0]
    with torch.no_grad():
        whole = lite.network.initialize(normalise(images)).maps
    hip = decode_maps(whole.numpy())[0][:, COCO_17.keypoints.index("right_hip")]
    np.testing.assert_allclose(points[:, 0], hip, atol=1e-3)
    with pytest.raises(DataError, match="256x192"):
        load_one(LITE, (128, 96), OWN)


def test_what_is_no_start(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="bundle of kind detector"):
        networks_of_bundle(Path("finder"))
    bundle = read_bundle(find_bundle(str(LITE)))
    swapped = replace(bundle, graphs={**bundle.graphs, "step": bundle.graphs["initializer"][:100]})
    write_bundle(tmp_path / "broken.vidpose", swapped)
    with pytest.raises(BundleError, match=r"step\.onnx: not a readable ONNX file"):
        networks_of_bundle(tmp_path / "broken.vidpose")
    finder = read_bundle(find_bundle("finder")).graphs["detector"]
    write_bundle(
        tmp_path / "other.vidpose",
        replace(bundle, graphs={"initializer": finder, "step": finder}),
    )
    with pytest.raises(BundleError, match="not of vidpose's light family"):
        networks_of_bundle(tmp_path / "other.vidpose")


def test_what_names_a_bundle(tmp_path: Path) -> None:
    assert is_bundle(Path("dkd-base-int8"))
    assert is_bundle(tmp_path / "mine.vidpose")
    assert not is_bundle(Path("runs/dkd-base"))
