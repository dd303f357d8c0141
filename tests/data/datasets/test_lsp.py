"""Leeds Sports Pose and its extension, as people with 14 joints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from stills_folders import lsp_people, write_image, write_lspet
from vidpose.data.clips import label_fault
from vidpose.data.datasets import lsp, lspet
from vidpose.errors import DataError
from vidpose.skeleton import LSP_14


def write_lsp(root: Path, count: int = 1002) -> np.ndarray:
    """`count` people whose joint k is at (k + 1, 2 k + 1) counted from 1, some flagged hidden."""
    joints = np.zeros((3, 14, count))
    joints[0], joints[1] = np.arange(1.0, 15)[:, None], np.arange(1.0, 29, 2)[:, None]
    joints[2, ::2] = 1
    savemat(root / "joints.mat", {"joints": joints})
    write_image(root / "images" / "im1001.jpg")
    return joints


def test_all_joints_count_whatever_the_flag_says(tmp_path: Path) -> None:
    write_lsp(tmp_path)
    people = lsp.open_people(tmp_path, "test")
    assert people.names == ("im1001", "im1002")
    assert people.official == 1000
    clip = people.read("im1001")
    assert clip.frames[0].exists()
    assert clip.keypoints.shape == (1, 14, 3)
    np.testing.assert_array_equal(clip.keypoints[0, 5], [5, 10, 1])
    assert clip.keypoints[0, :, 2].all()
    np.testing.assert_array_equal(clip.boxes, [[0, 0, 14, 27]])
    assert len(lsp.open_people(tmp_path, "train")) == 1000


def test_a_joint_without_a_number_is_a_fault(tmp_path: Path) -> None:
    joints = write_lsp(tmp_path)
    joints[0, 3, 1000] = np.nan
    savemat(tmp_path / "joints.mat", {"joints": joints})
    fault = label_fault(lsp.open_people(tmp_path, "test").read("im1001"))
    assert fault is not None
    assert LSP_14.keypoints[3] in fault


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"joints\.mat is missing: .*sam\.johnson\.io"):
        lsp.open_people(tmp_path, "test")
    savemat(tmp_path / "joints.mat", {"joints": np.zeros((14, 3, 9))})  # the extension's order
    with pytest.raises(DataError, match="3 x 14 x N"):
        lsp.open_people(tmp_path, "test")
    savemat(tmp_path / "joints.mat", {"joints": "none"})
    with pytest.raises(DataError, match="no numbers"):
        lsp.open_people(tmp_path, "test")
    with pytest.raises(DataError, match="no split"):
        lsp.open_people(tmp_path, "val")


def test_the_extension_with_its_own_joints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joints = lsp_people(3)
    joints[4, 2, 1] = 0  # not labelled
    root = write_lspet(tmp_path, joints)
    people = lspet.open_people(root, "train")
    assert people.names == ("im00001", "im00002", "im00003")
    clip = people.read("im00002")
    assert clip.skeleton == LSP_14
    np.testing.assert_allclose(clip.keypoints[0, 7, :2], joints[7, :2, 1] - 0.5, rtol=1e-5)
    assert np.isnan(clip.keypoints[0, 4, :2]).all()
    monkeypatch.setattr(lspet, "KEPT_OUT", 1)
    kept = lspet.open_people(root, "kept_out")
    assert {f"{name}.jpg" for name in kept.names} == lspet.kept_out_names(root)
    assert len(kept) == 1
