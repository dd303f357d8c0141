"""Leeds Sports Pose Extended, its conversion, and the images that are kept out of training."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from stills_folders import lsp_people, write_lspet
from vidpose.data.datasets import lspet
from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.errors import DataError
from vidpose.skeleton import COCO_17, LSP_14


def test_joints_become_coco_keypoints(tmp_path: Path) -> None:
    joints = lsp_people(2)
    first, _ = load_lspet(write_lspet(tmp_path, joints))
    assert first.image == tmp_path / "images" / "im00001.jpg"
    assert first.key == "lspet/im00001.jpg/0"
    assert first.keypoints.shape == (17, 3)
    assert first.keypoints.dtype == np.float32
    for name in ("right_ankle", "left_wrist", "left_hip", "right_shoulder"):
        expected = joints[LSP_14.keypoints.index(name), :2, 0] - 0.5  # from the corner
        found = first.keypoints[COCO_17.keypoints.index(name)]
        np.testing.assert_allclose(found[:2], expected, rtol=1e-5)
        assert found[2] == 1
    face = [COCO_17.keypoints.index(n) for n in ("nose", "left_eye", "right_ear")]
    assert not first.keypoints[face].any()  # LSP labels no faces


def test_the_box_spans_all_labelled_joints(tmp_path: Path) -> None:
    joints = lsp_people(1)
    x, y, w, h = load_lspet(write_lspet(tmp_path, joints))[0].box
    low, high = joints[:, :2, 0].min(0) - 0.5, joints[:, :2, 0].max(0) - 0.5
    np.testing.assert_allclose([x, y], low + 0.5, rtol=1e-5)
    np.testing.assert_allclose([w, h], high - low, rtol=1e-5)


def test_unlabelled_joints_count_nothing(tmp_path: Path) -> None:
    joints = lsp_people(3)
    wrist, knee = LSP_14.keypoints.index("left_wrist"), LSP_14.keypoints.index("right_knee")
    joints[wrist, :, 0] = 0  # as the file marks them: no flag
    joints[knee, :2, 0] = np.nan
    joints[:, 2, 1] = 0  # the second image has no labels
    samples = load_lspet(write_lspet(tmp_path, joints))
    assert [s.image.name for s in samples] == ["im00001.jpg", "im00003.jpg"]
    weights = dict(zip(COCO_17.keypoints, samples[0].keypoints[:, 2], strict=True))
    assert weights["left_wrist"] == weights["right_knee"] == 0
    assert weights["right_wrist"] == weights["left_knee"] == 1
    assert np.isfinite(samples[0].keypoints).all()
    assert samples[0].box[0] > 5  # the (0, 0) of the missing wrist is not in the box


def test_kept_out_are_the_smallest_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 3)
    joints = lsp_people(8)
    joints[:, 2, 4] = 0  # unlabelled: cannot be measured on, so it is not counted
    names = [f"im{n + 1:05d}.jpg" for n in range(8) if n != 4]
    hashes = {hashlib.sha256(name.encode()).hexdigest(): name for name in names}
    expected = {hashes[key] for key in sorted(hashes)[:3]}
    assert kept_out_names(write_lspet(tmp_path, joints)) == expected


def test_wrong_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is missing"):
        load_lspet(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"joints\.mat is missing"):
        load_lspet(tmp_path)
    savemat(tmp_path / "joints.mat", {"joints": np.zeros((3, 14, 5))})  # LSP's own order of axes
    with pytest.raises(DataError, match="14 x 3 x N"):
        load_lspet(tmp_path)


@pytest.mark.parametrize("content", [{"other": np.zeros(3)}, None])
def test_a_file_without_joints_is_refused(
    tmp_path: Path, content: dict[str, np.ndarray] | None
) -> None:
    if content is None:
        (tmp_path / "joints.mat").write_bytes(b"not MATLAB")
    else:
        savemat(tmp_path / "joints.mat", content)
    with pytest.raises(DataError, match=r"joints\.mat"):
        load_lspet(tmp_path)
