"""Stills for training: which are used, how labels are completed, crops by number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stills_folders import lsp_people, standing_person, write_coco, write_image, write_lspet
from vidpose.data.datasets import lspet
from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.data.loaders.stills import StillsConfig, StillsDataset, training_samples
from vidpose.data.pseudo_labels.keypoint_labels import write_label_file
from vidpose.data.samples import Sample, keypoint_box, read_image
from vidpose.errors import DataError

SIZE = (64, 64)


@pytest.fixture
def lspet_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine labelled images, four of them kept out."""
    monkeypatch.setattr(lspet, "KEPT_OUT", 4)
    return write_lspet(tmp_path / "lspet", lsp_people(9))


def _teach(path: Path, samples: list[Sample], root: Path) -> Path:
    """A teacher that is everywhere 0.8 sure of the same person."""
    keypoints = standing_person()
    keypoints[:, 2] = 0.8
    write_label_file(path, [s.with_keypoints(keypoints) for s in samples], root, {})
    return path


def test_kept_out_images_are_never_trained_on(lspet_root: Path, tmp_path: Path) -> None:
    """Nor when a file of labels has them by mistake."""
    kept_out = kept_out_names(lspet_root)
    assert len(kept_out) == 4
    labels = _teach(tmp_path / "l.json", load_lspet(lspet_root), lspet_root)
    for config in (
        StillsConfig(lspet=lspet_root),
        StillsConfig(lspet=lspet_root, lspet_labels=labels),
    ):
        names = [sample.image.name for sample in training_samples(config)]
        assert len(names) == 5
        assert not kept_out & set(names)


def test_coco_s_validation_split_is_never_trained_on(tmp_path: Path) -> None:
    root = write_coco(tmp_path, "train2017", [{}, {}])
    write_coco(tmp_path, "val2017", [{"image_id": 77}])
    samples = training_samples(StillsConfig(coco=root, coco_repeats=3))
    assert len(samples) == 6
    assert {s.image.parent.name for s in samples} == {"train2017"}


def test_a_teacher_completes_labels(lspet_root: Path, tmp_path: Path) -> None:
    bare = training_samples(StillsConfig(lspet=lspet_root))
    labels = _teach(tmp_path / "l.json", bare, lspet_root)
    completed = training_samples(StillsConfig(lspet=lspet_root, lspet_labels=labels))
    for before, after in zip(bare, completed, strict=True):
        labelled = before.keypoints[:, 2] > 0
        np.testing.assert_array_equal(after.keypoints[labelled, :2], before.keypoints[labelled, :2])
        assert (after.keypoints[labelled, 2] <= 1).all()
        # The face, which LSP lacks, comes from the teacher at 0.7 of its confidence.
        np.testing.assert_allclose(after.keypoints[~labelled, 2], 0.56, rtol=1e-3)
        np.testing.assert_allclose(after.keypoints[0, :2], standing_person()[0, :2], atol=0.01)
        assert after.box == before.box


def test_a_person_without_the_teacher_s_labels_is_an_error(
    lspet_root: Path, tmp_path: Path
) -> None:
    part = training_samples(StillsConfig(lspet=lspet_root))[:-1]
    labels = _teach(tmp_path / "l.json", part, lspet_root)
    with pytest.raises(DataError, match="run `vidpose label` again"):
        training_samples(StillsConfig(lspet=lspet_root, lspet_labels=labels))


def test_photographs_without_labels_are_the_teacher_s(tmp_path: Path) -> None:
    photo = write_image(tmp_path / "ccp" / "photos" / "0001.jpg")
    sample = Sample(photo, (10, 10, 60, 100), standing_person(), "ccp/0001.jpg/0")
    labels = _teach(tmp_path / "ccp.json", [sample], tmp_path / "ccp")
    (found,) = training_samples(StillsConfig(ccp=tmp_path / "ccp", ccp_labels=labels))
    assert found.image == photo
    np.testing.assert_allclose(found.keypoints[:, 2], 0.8)
    with pytest.raises(DataError, match="give ccp_labels"):
        training_samples(StillsConfig(ccp=tmp_path / "ccp"))


def test_no_data_is_an_error() -> None:
    with pytest.raises(DataError, match="at least one of lspet, coco, ccp"):
        training_samples(StillsConfig())


def test_item_i_depends_on_the_seed_and_i_alone(lspet_root: Path) -> None:
    samples = training_samples(StillsConfig(lspet=lspet_root))
    one, two = (StillsDataset(samples, SIZE, seed=3) for _ in range(2))
    other = StillsDataset(samples, SIZE, seed=4)
    two[5], two[0]  # what was asked for before changes nothing
    item, twin = one[7], two[7]
    assert item["image"].shape == (3, *SIZE)
    assert item["image"].dtype == torch.uint8
    assert item["keypoints"].shape == (17, 3)
    assert all(torch.equal(item[key], twin[key]) for key in item)
    assert not torch.equal(item["image"], one[8]["image"])
    assert not torch.equal(item["image"], other[7]["image"])


def test_damaged_images_are_named(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    with pytest.raises(DataError, match=r"photo\.jpg: the image is missing or damaged"):
        read_image(path)
    path.write_bytes(b"no JPEG")
    with pytest.raises(DataError, match=r"photo\.jpg: the image is missing or damaged"):
        read_image(path)


def test_images_are_rgb(tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "red.png"
    cv2.imwrite(str(path), np.full((2, 3, 3), (0, 0, 255), np.uint8))  # OpenCV writes BGR
    image = read_image(path)
    assert image.shape == (2, 3, 3)
    assert (image == [255, 0, 0]).all()


def test_a_box_spans_known_keypoints_only() -> None:
    keypoints = np.array([[10, 20, 1], [30, 60, 0.1], [500, 500, 0]], np.float32)
    assert keypoint_box(keypoints) == (10.5, 20.5, 20, 40)
    with pytest.raises(DataError, match="no box"):
        keypoint_box(np.zeros((17, 3), np.float32))
