"""One's own labelled people: a COCO keypoint file or a YOLO-pose set, with one's own keypoints.

A COCO file may lie anywhere: give the .json, or a folder in which its name or its folder's says
`train` or `val`. Where nothing is set aside to measure on, every fifth image is: those whose names
have the smallest SHA-256, so that the choice is the same everywhere and forever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from vidpose.data.clips import ClipSet, CocoTruth, LabelledClip
from vidpose.data.datasets.coco_file import (
    CocoAnnotation,
    CocoFile,
    LabelFaultsError,
    read_coco_file,
)
from vidpose.data.datasets.yolo_pose import open_yolo, read_yolo
from vidpose.data.samples import Sample
from vidpose.errors import DataError
from vidpose.skeleton import Skeleton
from vidpose.words import counted

Form = Literal["coco", "yolo"]
Part = Literal["train", "val"]
PARTS: tuple[Part, Part] = ("train", "val")
_KEPT_OUT = 5  # one of so many images, where no file says which
_DRAWN = {"train": " (the other images)", "val": " (every fifth image)"}
_WORDS = {"train": ("train",), "val": ("val", "valid", "validation")}


@dataclass(frozen=True, slots=True, eq=False)
class OwnPart:
    """The labelled people of one part.

    Attributes:
        name: train or val.
        file: labels as of a COCO file, people without keypoints among them.
        images: the file of each image, by id.
        skeleton: of the keypoints.
        drawn: whether the part was drawn from labels that set nothing aside.
    """

    name: Part
    file: CocoFile
    images: Mapping[int, Path]
    skeleton: Skeleton
    drawn: bool

    @property
    def people(self) -> list[CocoAnnotation]:
        """Those with labelled keypoints."""
        return [person for person in self.file.people if person.is_posed]

    def samples(self) -> list[Sample]:
        """The people as samples with the skeleton's K keypoints."""
        found = []
        for person in self.people:
            keypoints = person.keypoints.copy()
            keypoints[:, 2] = keypoints[:, 2] > 0
            image = self.images[person.image_id]
            key = f"{self.name}/{image.name}/{person.id}"
            found.append(Sample(image, person.box, keypoints, key))
        return found

    def clips(self) -> ClipSet:
        """The people as clips of one frame, named by part and id, with what OKS needs."""
        people = {f"{self.name}/{person.id}": person for person in self.people}

        def read(name: str) -> LabelledClip:
            person = people[name]
            keypoints = person.keypoints[None].copy()
            keypoints[..., 2] = keypoints[..., 2] > 0
            keypoints[keypoints[..., 2] == 0, :2] = np.nan
            boxes = np.array([person.box], np.float32)
            image = self.images[person.image_id]
            return LabelledClip(name, (image,), keypoints, boxes, self.skeleton)

        return ClipSet(
            str(self.file.path),
            self.name + (_DRAWN[self.name] if self.drawn else ""),
            self.skeleton,
            tuple(people),
            read,
            None,
            unit="people",
            comparable=False,
            coco=CocoTruth(
                self.file.path,
                {name: person.image_id for name, person in people.items()},
                self.skeleton,
                self.file.for_pycocotools,
            ),
        )


def own_data(where: str) -> tuple[Form, Path]:
    """Form and path of words such as coco:horses/labels.json. Raises DataError for others."""
    form, colon, path = where.partition(":")
    if form not in get_args(Form) or not colon or not path:
        raise DataError(f"{where}: data of your own are coco:PATH or yolo:PATH")
    return ("coco" if form == "coco" else "yolo"), Path(path)


def open_own(where: str, part: Part, skeleton: Skeleton) -> OwnPart:
    """A part of one's own data.

    Args:
        where: coco:PATH or yolo:PATH.
        part: train, or val to be measured on.
        skeleton: of the labels.

    Raises DataError where nothing is there, or a part has nobody; LabelFaultsError for labels that
    cannot be used, another number of keypoints among them.
    """
    form, path = own_data(where)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    file, images, drawn = (_coco if form == "coco" else _yolo)(path, part, skeleton)
    if drawn:
        file = _drawn(file, part)
    found = OwnPart(part, file, images, skeleton, drawn)
    if not found.people:
        raise LabelFaultsError(file.path, [_nobody(found)])
    return found


def labels_of(where: str, skeleton: Skeleton) -> CocoFile:
    """The labels of all images, or of the part train where a part val is set aside; images need
    not be at hand. Raises as `open_own`."""
    form, path = own_data(where)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    return (_coco if form == "coco" else _yolo)(path, "train", skeleton)[0]


def _nobody(part: OwnPart) -> str:
    people, images = len(part.file.people), len(part.file.images)
    if not people:
        return f"{part.name}: nobody is labelled in {counted(images, 'image')}"
    of = f"of {counted(people, 'person', 'people')} in {counted(images, 'image')}"
    return f"{part.name}: {of} none has labelled keypoints"


def _yolo(path: Path, part: Part, skeleton: Skeleton) -> tuple[CocoFile, Mapping[int, Path], bool]:
    data = open_yolo(path, skeleton)
    drawn = "val" not in data.parts
    return *read_yolo(data, "train" if drawn else part, skeleton), drawn


def _coco(path: Path, part: Part, skeleton: Skeleton) -> tuple[CocoFile, Mapping[int, Path], bool]:
    labels, drawn = _label_file(path, part)
    file = read_coco_file(labels, skeleton)
    return file, _image_files(file, path if path.is_dir() else path.parent), drawn


def _label_file(path: Path, part: Part) -> tuple[Path, bool]:
    """The file of a part, and whether it holds all parts."""
    if path.is_file():
        return path, True
    files = [file for pattern in ("*.json", "*/*.json") for file in sorted(path.glob(pattern))]
    # The official folder holds files of boxes and captions too.
    files = [file for file in files if "keypoints" in file.name] or files
    named = {name: [file for file in files if _says(file, path, name)] for name in PARTS}
    if len(files) == 1 and not named["val"]:
        return files[0], True
    if len(named["train"]) == 1 and not named["val"]:
        return named["train"][0], True
    if len(named[part]) == 1:
        return named[part][0], False
    seen = ", ".join(str(file.relative_to(path)) for file in files[:4]) or "no .json"
    raise DataError(
        f"{path}: one keypoint file of the part {part} is needed (its name, or its folder's, says "
        f"so), and there is {seen}; or give the file itself"
    )


def _says(file: Path, root: Path, part: Part) -> bool:
    words = [*file.relative_to(root).parts[:-1], file.stem]
    pieces = [piece for word in words for piece in _pieces(word)]
    return any(piece in _WORDS[part] for piece in pieces)


def _pieces(word: str) -> list[str]:
    """`person_keypoints_train2017` as person, keypoints, train."""
    return "".join(c if c.isalpha() else " " for c in word.casefold()).split()


_LABEL_FOLDERS = ("annotations", "annotation", "labels", "label", "json")


def _image_files(file: CocoFile, root: Path) -> dict[int, Path]:
    """The files of the images: as named, or by their last name, in one of the folders near.

    Beside the labels' own folder only if its name says that it holds nothing else: what lies around
    it may be somebody else's images of the same names.
    """
    near = [root, file.path.parent]
    if file.path.parent.name.casefold() in _LABEL_FOLDERS:
        near.append(file.path.parent.parent)
    folders = dict.fromkeys(
        folder
        for base in near
        for folder in (base, *(sub for sub in sorted(base.glob("*")) if sub.is_dir()))
    )
    places = list(folders) + [sub for base in near[:2] for sub in sorted(base.glob("images/*/"))]
    found: dict[int, Path] = {}
    for number, name in file.images.items():
        plain = name.replace("\\", "/")
        tries = (place / n for n in dict.fromkeys((plain, Path(plain).name)) for place in places)
        there = next((each for each in tries if each.is_file()), None)
        if there is None:
            found[number] = root / plain
            continue
        found[number] = there
        place = there.parent
        places = [place, *(each for each in places if each != place)]
    return found


def _drawn(file: CocoFile, part: Part) -> CocoFile:
    """The images of a part where no file says which they are."""
    kept = _smallest(file.images.items())
    chosen = {
        number: name for number, name in file.images.items() if (number in kept) == (part == "val")
    }
    people = tuple(person for person in file.people if person.image_id in chosen)
    return CocoFile(file.path, chosen, people)


def _smallest(images: Iterable[tuple[int, str]]) -> set[int]:
    ordered = sorted((hashlib.sha256(name.encode()).hexdigest(), number) for number, name in images)
    return {number for _, number in ordered[: -(-len(ordered) // _KEPT_OUT)]}
