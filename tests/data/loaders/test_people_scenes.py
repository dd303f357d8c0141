"""The finder's scenes and pseudo-labels."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_folders import write_jhmdb, write_splits
from vidpose.data.loaders.people_scenes import FinderScenes
from vidpose.data.pseudo_labels.label_people import (
    _with_official,
    detect_with_tiles,
    extract_clip_frames,
    label_finder_images,
    write_finder_labels,
)
from vidpose.data.pseudo_labels.people_labels import LabelledImage, read_labels, write_labels
from vidpose.data.synthesis.people_scene import (
    Cutout,
    Scene,
    flip,
    paste_person,
    person_free_piece,
    place_photo,
)
from vidpose.errors import DataError, VidposeError
from vidpose.video import VideoWriter

NONE = np.zeros((0, 4), np.float32)
RED, GREY = (220, 30, 30), 90


def _boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def _painted(width: int, height: int, box: tuple[int, int, int, int]) -> np.ndarray:
    """A grey picture with a red box x, y, w, h, so that pixels can tell where labels belong."""
    image = np.full((height, width, 3), GREY, np.uint8)
    x, y, w, h = box
    image[y : y + h, x : x + w] = RED
    return image


def _red_extent(image: np.ndarray) -> np.ndarray:
    ys, xs = np.nonzero(image[..., 0].astype(int) - image[..., 1] > 95)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])


@given(
    st.floats(0.3, 2.5), st.floats(0.8, 1.25), st.floats(-15, 15), st.floats(-15, 15), st.booleans()
)
def test_labels_stay_on_the_pixels_that_they_belong_to(
    scale: float, stretch: float, x: float, y: float, mirrored: bool
) -> None:
    photo = _painted(120, 120, (50, 40, 24, 50))
    item = LabelledImage("a", "a", _boxes((50, 40, 24, 50)), NONE)
    scene = Scene(np.full((320, 320, 3), GREY, np.uint8))
    scales = np.array([scale * stretch, scale / stretch])
    place_photo(scene, photo, item, (0, 0, 320, 320), scales, np.array([x, y]))
    if mirrored:
        flip(scene)
    (box,) = scene.people + scene.ignored
    assert np.abs(_red_extent(scene.image) - box).max() <= 1.1


def test_people_cut_off_or_tiny_are_ignored_not_background() -> None:
    photo = _painted(100, 100, (10, 10, 40, 80))
    item = LabelledImage("a", "a", _boxes((10, 10, 40, 80)), NONE)
    cut, tiny = (Scene(np.zeros((64, 64, 3), np.uint8)) for _ in range(2))
    place_photo(cut, photo, item, (0, 0, 64, 64), np.ones(2), np.array([-40.0, 0.0]))
    place_photo(tiny, photo, item, (0, 0, 64, 64), np.full(2, 0.1), np.zeros(2))
    for scene in (cut, tiny):
        assert not scene.people
        assert len(scene.ignored) == 1


def test_a_photo_stays_in_its_tile() -> None:
    scene = Scene(np.zeros((64, 64, 3), np.uint8))
    item = LabelledImage("a", "a", _boxes((0, 0, 64, 64)), NONE)
    photo = np.full((100, 100, 3), 255, np.uint8)
    place_photo(scene, photo, item, (32, 0, 64, 64), np.ones(2), np.zeros(2))
    assert not scene.image[:, :32].any()
    assert scene.image[:, 32:].all()
    assert scene.people[0].tolist() == [32, 0, 64, 64]


def test_a_pasted_person_is_where_the_label_says_and_hides_what_is_behind() -> None:
    person = Cutout(np.full((60, 20, 3), RED, np.uint8), np.ones((60, 20), np.float32))
    behind = (40, 40, 70, 90)
    outcomes = set()
    for seed in range(40):
        scene = Scene(np.full((128, 128, 3), GREY, np.uint8))
        scene.people.append(np.array(behind, np.float32))
        paste_person(scene, person, np.random.default_rng(seed))
        extent = _red_extent(scene.image)
        named = [np.abs(extent - box).max() <= 1.1 for box in scene.people + scene.ignored]
        assert any(named)
        inner = np.minimum(extent[2:], behind[2:]) - np.maximum(extent[:2], behind[:2])
        hidden = np.clip(inner, 0, None).prod() / (30 * 50)
        kept = any(np.allclose(box, behind) for box in scene.people)
        assert kept == (hidden <= 0.65)
        outcomes.add(kept)
    assert outcomes == {True, False}


def test_person_free_pieces_show_no_person() -> None:
    photo = _painted(300, 200, (120, 60, 40, 80))
    item = LabelledImage("a", "a", _boxes((120, 60, 40, 80)), NONE)
    pieces = [person_free_piece(photo, item, np.random.default_rng(i)) for i in range(20)]
    found = [piece for piece in pieces if piece is not None]
    assert found
    assert all((piece == GREY).all() for piece in found)
    full = LabelledImage("a", "a", NONE, _boxes((0, 0, 300, 200)))
    assert person_free_piece(photo, full, np.random.default_rng(0)) is None


@pytest.fixture
def scenes(tmp_path: Path) -> FinderScenes:
    folders = [tmp_path / name for name in ("photos", "masks")]
    for folder in folders:
        folder.mkdir()
    mask = np.zeros((90, 60), np.uint8)
    mask[10:80, 20:40] = 255
    cv2.imwrite(str(folders[0] / "1.jpg"), _painted(60, 90, (20, 10, 20, 70))[..., ::-1])
    cv2.imwrite(str(folders[1] / "1.png"), mask)
    item = LabelledImage("ccp", "photos/1.jpg", _boxes((20, 10, 20, 70)), NONE)
    return FinderScenes(
        [item],
        {"ccp": tmp_path},
        (folders[0], folders[1]),
        size=96,
        seed=5,
        weights={"ccp": 1.0},
    )


def test_a_scene_is_the_same_whenever_it_is_asked_for(scenes: FinderScenes) -> None:
    first = [scenes[i] for i in range(6)]
    again = [scenes[i] for i in reversed(range(6))][::-1]
    for a, b in zip(first, again, strict=True):
        assert all(bool((a[key] == b[key]).all()) for key in ("image", "boxes", "ignore"))
    assert any(not bool((first[0]["image"] == x["image"]).all()) for x in first[1:])


def test_items_have_fixed_shapes_and_boxes_inside_the_canvas(scenes: FinderScenes) -> None:
    people = 0
    for index in range(30):
        item = scenes[index]
        assert item["image"].shape == (3, 96, 96)
        assert item["boxes"].shape == item["ignore"].shape == (40, 4)
        assert float(item["boxes"].min()) >= 0
        assert float(item["boxes"].max()) <= 96
        real = item["boxes"][item["boxes"].any(1)]
        assert (real[:, 2:] > real[:, :2]).all()
        people += len(real)
    assert people > 30


def test_missing_data_are_named(tmp_path: Path, scenes: FinderScenes) -> None:
    with pytest.raises(DataError, match=r"no_labels\.json"):
        read_labels(tmp_path / "no_labels.json", {})
    (tmp_path / "bad.json").write_text(json.dumps({"version": 1, "images": [{}]}))
    with pytest.raises(DataError, match="not a finder label file"):
        read_labels(tmp_path / "bad.json", {})
    with pytest.raises(DataError, match="coco"):
        FinderScenes([], {}, (tmp_path, tmp_path), size=96, seed=0, weights={"coco": 1.0})


def test_labels_come_back_as_written(tmp_path: Path) -> None:
    items = [
        LabelledImage("a", "x/1.jpg", _boxes((1, 2, 3.5, 4)), NONE),
        LabelledImage("b", "2.jpg", NONE, _boxes((0, 0, 9, 9), (1, 1, 2, 2))),
    ]
    write_labels(tmp_path / "out" / "labels.json", items, ["one", "two"])
    back = read_labels(tmp_path / "out" / "labels.json", {"a": tmp_path, "b": tmp_path})
    assert [(i.source, i.file) for i in back] == [("a", "x/1.jpg"), ("b", "2.jpg")]
    for item, other in zip(items, back, strict=True):
        np.testing.assert_allclose(item.boxes, other.boxes)
        np.testing.assert_allclose(item.ignore, other.ignore)
    assert len(read_labels(tmp_path / "out" / "labels.json", {"a": tmp_path})) == 1


class _RedFinder:
    """A detector that finds the red pixels' extent."""

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not (image[..., 0].astype(int) - image[..., 1] > 95).any():
            return np.zeros((0, 4)), np.zeros(0)
        x1, y1, x2, y2 = _red_extent(image)
        return np.array([[x1, y1, x2 - x1, y2 - y1]]), np.array([0.5])


def test_tiles_report_whole_small_people_where_they_are() -> None:
    inside = detect_with_tiles(_RedFinder(), _painted(400, 300, (20, 30, 12, 40)))[0]
    assert len(inside) == 2  # the whole view and the one tile that holds the person
    np.testing.assert_allclose(inside, [[20, 30, 12, 40]] * 2)
    # Around x = 160 the right tiles begin, which cut this person; the left ones hold all of it.
    cut = detect_with_tiles(_RedFinder(), _painted(400, 300, (150, 30, 20, 40)))[0]
    np.testing.assert_allclose(cut, [[150, 30, 20, 40]] * len(cut))


def test_labelling_real_images(shared_data: Path, shared_models: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for path in sorted((shared_data / "ccp" / "photos").glob("*.jpg"))[:2]:
        (frames / path.name).write_bytes(path.read_bytes())
    teachers = [shared_models / f"{name}.onnx" for name in ("rtmdet_nano", "yolox_nano")]
    roots = {"frames": frames, "coco": shared_data / "coco"}
    assert label_finder_images(roots, teachers, tmp_path / "labels.json") == 2 + 26
    items = read_labels(tmp_path / "labels.json", roots)
    for item in items[:2]:  # street photographs of one upright person, nearly full height
        assert item.boxes[:, 3].max() > 250
    coco = items[2:]
    assert sum(len(i.boxes) for i in coco) == 62
    assert sum(len(i.ignore) for i in coco) == 3


def test_official_boxes_stay_and_the_teachers_add_the_others() -> None:
    crowd = _boxes((100, 0, 90, 60))
    item = LabelledImage("coco_people", "a.jpg", _boxes((10, 10, 20, 50)), crowd)
    people = _boxes((11, 11, 20, 50), (60, 10, 20, 50))
    uncertain = _boxes((12, 10, 20, 50), (40, 40, 10, 20))
    merged = _with_official(item, people, uncertain)
    np.testing.assert_allclose(merged.boxes, _boxes((10, 10, 20, 50), (60, 10, 20, 50)))
    np.testing.assert_allclose(merged.ignore, [*crowd, (40, 40, 10, 20)])


def test_training_clips_give_frames_with_the_box_of_their_mask(tmp_path: Path) -> None:
    root, frames = tmp_path / "jhmdb", tmp_path / "frames"
    write_splits(root, {"one": (1, 1, 1), "test": (2, 1, 1), "no_mask": (1, 1, 1)})
    for name, mask in (("one", True), ("test", True), ("no_mask", False)):
        write_jhmdb(root, "catch", name, mask=mask, images=False)
        path = root / "ReCompress_Videos" / "catch" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        with VideoWriter(path, width=128, height=96) as video:
            for time in range(3):
                video.write(np.full((96, 128, 3), 60 * time, np.uint8), time / 30)
    assert extract_clip_frames(root, frames) == 2
    boxes = json.loads((frames / "boxes.json").read_text())
    assert list(boxes.values()) == [[30, 20, 63, 64]] * 2
    levels = [cv2.imread(str(frames / name)).mean() for name in boxes]
    assert levels == pytest.approx([0, 60], abs=8)  # the first and the middle one
    (root / "ReCompress_Videos").rename(tmp_path / "away")
    with pytest.raises(DataError, match=r"jhmdb: no training clip with video and mask"):
        extract_clip_frames(root, frames)


def test_a_source_that_is_not_known_or_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="voc:/x: expected KIND:FOLDER with KIND one of lspet"):
        write_finder_labels(["voc:/x"], [], 1.0, [], tmp_path / "labels.json")
    with pytest.raises(DataError, match="nowhere is missing: the folder of ccp"):
        write_finder_labels([f"ccp:{tmp_path}/nowhere"], [], 1.0, [], tmp_path / "labels.json")


def test_teachers_are_read_before_frames_are_written(tmp_path: Path) -> None:
    gone, clip = tmp_path / "gone.onnx", tmp_path / "gone.mp4"
    with pytest.raises(VidposeError, match=r"gone\.onnx"):
        write_finder_labels([], [str(clip)], 1.0, [gone, gone], tmp_path / "labels.json")
    assert list(tmp_path.iterdir()) == []
