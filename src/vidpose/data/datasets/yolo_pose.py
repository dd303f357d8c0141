"""Ultralytics' pose layout: `data.yaml`, images, and a text file of labels beside each.

    path: horses                # the data set's folder, from data.yaml's; its own unless given
    train: images/train         # a folder, a list of images in a .txt, or several of them
    val: images/val
    kpt_shape: [13, 3]          # keypoints, and numbers of each: x, y and perhaps visibility
    flip_idx: [0, 2, 1, ...]    # which keypoint takes the place of each in a mirrored image
    names: {0: horse}

Labels of `images/a/b.jpg` are in `labels/a/b.txt`, a line for each one: class, the box's centre and
sides, then the keypoints, all but class and visibility as shares of the image's sides. An image
without such a file shows nobody. Coordinates are taken as COCO's are, to which the layout's own
converters multiply them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml
from PIL import Image, UnidentifiedImageError

from vidpose.data.datasets.coco_entries import Completed, EntryFault, normalise
from vidpose.data.datasets.coco_file import CocoAnnotation, CocoFile, LabelFaultsError
from vidpose.errors import DataError
from vidpose.skeleton import Skeleton

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_TRANSPOSED = 5  # EXIF orientations from here on exchange width and height
_ORIENTATION = 0x0112
_SLACK = 1e-3  # of a rounded coordinate beyond the image


@dataclass(frozen=True, slots=True, eq=False)
class YoloSet:
    """A `data.yaml`: where it is, its folder, the values of its parts, numbers a keypoint has,
    and the class that is read where there is a class of people among others."""

    path: Path
    root: Path
    parts: Mapping[str, tuple[str, ...]]
    numbers: int
    person: int | None = None


def open_yolo(path: Path, skeleton: Skeleton) -> YoloSet:
    """Read a `data.yaml`, or the one in a folder, and hold it against the skeleton.

    Raises DataError for a file without kpt_shape, of another number of keypoints, or whose
    flip_idx contradicts the skeleton's flip pairs.
    """
    file = path / "data.yaml" if path.is_dir() else path
    content = _parsed(file)
    numbers = _check_shape(file, content.get("kpt_shape"), skeleton)
    if content.get("flip_idx") is not None:
        _check_flips(file, content["flip_idx"], skeleton)
    parts = {}
    for name in ("train", "val"):
        value = content.get(name)
        if value:
            parts[name] = tuple(map(str, value if isinstance(value, list) else [value]))
    if "train" not in parts:
        raise DataError(f"{file}: 'train' is missing; it names the folder of the images")
    root, person = _root(file, content.get("path")), _person(content.get("names"))
    return YoloSet(file, root, parts, numbers, person)


def read_yolo(data: YoloSet, part: str, skeleton: Skeleton) -> tuple[CocoFile, dict[int, Path]]:
    """The labels of a part as a COCO keypoint file has them, and the image file of each id.

    Raises DataError where images are missing, LabelFaultsError for labels that cannot be used.
    """
    images = dict(enumerate(_images(data, part), start=1))
    people: list[CocoAnnotation] = []
    faults: list[str] = []
    for number, image in images.items():
        labels = _labels_of(image)
        lines = _lines(labels) if labels.is_file() else []
        size = _size(image) if lines else (0, 0)
        for place, line in lines:
            try:
                entry = _entry(line, size, data.numbers, skeleton) | {
                    "id": len(people) + 1,
                    "image_id": number,
                }
                values = normalise(entry, {number: ""}, Completed(), skeleton)
                if data.person not in (None, entry["category_id"]):
                    continue
            except EntryFault as fault:
                faults.append(f"{labels}, line {place}: {fault}")
                continue
            people.append(CocoAnnotation(entry=entry, **values))
    if faults:
        raise LabelFaultsError(data.path, faults)
    names = {number: image.name for number, image in images.items()}
    return CocoFile(data.path, names, tuple(people)), images


def _parsed(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise DataError(f"{file} is missing: a YOLO-pose set is a data.yaml") from error
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{file}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise DataError(f"{file}: not the data.yaml of a YOLO-pose set")
    return content


def _check_shape(file: Path, shape: Any, skeleton: Skeleton) -> int:
    """The numbers that each keypoint has."""
    if shape is None:
        raise DataError(
            f"{file}: kpt_shape is missing, so these are boxes without keypoints; for keypoints "
            f"give kpt_shape: [{skeleton.num_keypoints}, 3]"
        )
    good = isinstance(shape, list) and len(shape) == 2 and all(type(n) is int for n in shape)
    if not good or shape[1] not in (2, 3):
        raise DataError(f"{file}: kpt_shape must be [keypoints, 2 or 3], not {shape}")
    if shape[0] != skeleton.num_keypoints:
        raise DataError(
            f"{file}: kpt_shape has {shape[0]} keypoints, skeleton {skeleton.name} "
            f"{skeleton.num_keypoints}"
        )
    return int(shape[1])


def _check_flips(file: Path, flips: Any, skeleton: Skeleton) -> None:
    count, names = skeleton.num_keypoints, skeleton.keypoints
    if not isinstance(flips, list) or sorted(map(str, flips)) != sorted(map(str, range(count))):
        raise DataError(f"{file}: flip_idx must hold each of 0 to {count - 1} once, not {flips}")
    for place, (theirs, ours) in enumerate(zip(flips, skeleton.flip_index, strict=True)):
        if theirs == ours:
            continue
        ends = f"flip_idx exchanges {names[place]} with {names[theirs]}"
        if theirs == place:
            ends = f"flip_idx leaves {names[place]} in its place"
        does = f"exchanges it with {names[ours]}" if ours != place else "does not"
        missing = "" if skeleton.flip_pairs else " (it has no flip_pairs)"
        raise DataError(f"{file}: {ends}, skeleton {skeleton.name} {does}{missing}")


def _person(names: Any) -> int | None:
    """The class of people among several; None where all classes are meant."""
    named = names if isinstance(names, dict) else dict(enumerate(names or ()))
    people = [number for number, name in named.items() if str(name).casefold() == "person"]
    return int(people[0]) if people and len(named) > 1 else None


def _root(file: Path, path: Any) -> Path:
    """The folder that the parts are in; tools write it from different places."""
    if not path:
        return file.parent
    given = Path(str(path))
    return next((each for each in (file.parent / given, given) if each.is_dir()), file.parent)


def _images(data: YoloSet, part: str) -> list[Path]:
    found: list[Path] = []
    for value in data.parts[part]:
        # Roboflow writes ../train/images for a folder beside data.yaml.
        near = PurePosixPath(value).as_posix().removeprefix("../")
        places = (data.root / value, data.root / near, data.path.parent / near)
        place = next((each for each in places if each.exists()), None)
        if place is None:
            raise DataError(f"{data.path}: {part}: {places[0]} is missing")
        if place.is_dir():
            found += [p for p in sorted(place.rglob("*")) if p.suffix.lower() in IMAGE_SUFFIXES]
        else:
            names = place.read_text(encoding="utf-8").split("\n")
            found += [place.parent / name.strip() for name in names if name.strip()]
    if not found:
        raise DataError(f"{data.path}: {part}: no images ({' '.join(IMAGE_SUFFIXES)}) there")
    return found


def _labels_of(image: Path) -> Path:
    """The last `images` of the path is `labels` there; without one they lie beside the image."""
    parts = list(image.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _lines(labels: Path) -> list[tuple[int, str]]:
    try:
        text = labels.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{labels}: cannot be read ({error})") from error
    return [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _entry(line: str, size: tuple[int, int], numbers: int, skeleton: Skeleton) -> dict[str, Any]:
    """A line of labels as an annotation of a COCO file. Raises EntryFault."""
    try:
        values = np.array([float(word) for word in line.split()])
    except ValueError:
        raise EntryFault(f"not numbers alone: {line[:40]!r}") from None
    joints = skeleton.num_keypoints
    expected = 5 + joints * numbers
    if len(values) != expected:
        raise EntryFault(
            f"{expected} numbers are needed (class, box, {joints} keypoints of {numbers}), "
            f"not {len(values)}"
        )
    points = np.ones((joints, 3))
    points[:, :numbers] = values[5:].reshape(joints, numbers)
    if numbers == 2:  # what is not labelled is written as 0 0, or below 0
        points[:, 2] = 2 * ((points[:, :2] >= 0).all(1) & (points[:, :2] > 0).any(1))
    shares = np.append(values[1:5], points[points[:, 2] > 0, :2])
    if not np.isfinite(shares).all() or shares.min() < -_SLACK or shares.max() > 1 + _SLACK:
        raise EntryFault("coordinates must be shares of the image's sides, 0 to 1")
    width, height = size
    points[:, :2] *= (width, height)
    x, y, w, h = values[1:5] * (width, height, width, height)
    return {
        "bbox": [x - w / 2, y - h / 2, w, h],
        "keypoints": points.ravel().tolist(),
        "iscrowd": 0,
        "category_id": int(values[0]),
    }


def _size(image: Path) -> tuple[int, int]:
    """Width and height as displayed."""
    try:
        with Image.open(image) as picture:
            width, height = picture.size
            turned = int(picture.getexif().get(_ORIENTATION, 1)) >= _TRANSPOSED
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"{image}: the image is missing or damaged") from error
    return (height, width) if turned else (width, height)
