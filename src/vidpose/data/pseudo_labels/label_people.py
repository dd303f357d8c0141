"""Pseudo-labels for the person finder: images, and frames of videos, seen by two detectors."""

from __future__ import annotations

import dataclasses
import glob
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.data.datasets.ccp import ccp_images
from vidpose.data.datasets.jhmdb import mask_boxes, read_split
from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.data.pseudo_labels.agreement import Detections, merge_detections, stacked
from vidpose.data.pseudo_labels.people_labels import FloatArray, LabelledImage, write_labels
from vidpose.data.samples import read_image, require
from vidpose.errors import DataError
from vidpose.inference.boxes import iou
from vidpose.inference.detectors.bundle import Detector
from vidpose.inference.detectors.onnx_detectors import RtmDet, Yolox, load_onnx_detector
from vidpose.video import VideoReader
from vidpose.video.sources import expand_sources

_MIN_SCORE, _NMS_IOU = 0.08, 0.65
_TILE, _TILE_MARGIN = 0.6, 0.02  # share of the image's sides
_TILED_FROM = 300  # px; in smaller images the whole view already enlarges people
_FRAME_SIDE = 768
CLIP_BOXES = "boxes.json"


_SOURCES = ("lspet", "ccp", "coco", "coco_people", "jhmdb")
_LARGE = ("lspet", "ccp")


def write_finder_labels(
    data: Sequence[str],
    videos: Sequence[str],
    rate: float,
    teachers: Sequence[Path],
    out: Path,
    every: int = 1,
) -> int:
    """Label image sets and frames of videos, and write ``out``; returns the number of images.

    ``data``: "KIND:FOLDER" with KIND lspet, ccp, coco, coco_people or jhmdb. ``rate`` frames of
    each second of ``videos`` (files, folders, globs) are written to a folder beside ``out`` and
    labelled too, and so are the frames of jhmdb. Of lspet and ccp, which are large and alike, one
    image in ``every`` is taken.
    """
    roots: dict[str, Path] = {}
    for item in data:
        source, _, location = item.partition(":")
        if source not in _SOURCES or not location:
            raise DataError(f"{item}: expected KIND:FOLDER with KIND one of {', '.join(_SOURCES)}")
        roots[source] = require(Path(location), f"the folder of {source}")
    for teacher in teachers:
        _unselective(teacher)  # what cannot be read shall fail before frames are written
    if videos:
        roots["frames"] = out.with_name(f"{out.stem}_frames")
        for path in expand_sources(videos):
            extract_frames(Path(path), roots["frames"], rate)
    if "jhmdb" in roots:
        frames = out.with_name(f"{out.stem}_jhmdb")
        extract_clip_frames(roots["jhmdb"], frames)
        roots["jhmdb"] = frames
    return label_finder_images(roots, teachers, out, every)


def label_finder_images(
    roots: Mapping[str, Path], teachers: Sequence[Path], out: Path, every: int = 1
) -> int:
    """Label every training image of ``roots`` and write ``out``; returns the number of images.

    ``roots``: folders by source; "lspet" (kept-out images are passed over; labelled joints vouch
    for their person), "coco" (train2017, its own labels), "coco_people" (train2017, where only
    some people are labelled: the teachers add the others), "jhmdb" (what `extract_clip_frames`
    has written; the mask vouches for its person), "ccp", and any other name: a folder of images
    such as `extract_frames` writes. ``teachers``: two detectors' ONNX files.
    """
    detectors = [_unselective(path) for path in teachers]
    images = [
        item
        for source, root in roots.items()
        for item in _label(source, root, detectors, every if source in _LARGE else 1)
    ]
    write_labels(out, images, [path.name for path in teachers])
    return len(images)


def extract_frames(video: Path, folder: Path, rate: float) -> int:
    """Write ``rate`` frames a second of a video as JPEG files into ``folder``; returns how many.

    Frames are scaled down to at most 768 px.
    """
    folder.mkdir(parents=True, exist_ok=True)
    due, count = -np.inf, 0
    with VideoReader(video) as reader:
        for frame in reader:
            if frame.time < due:
                continue
            due, count = frame.time + 1 / rate - 1e-6, count + 1
            scale = min(1.0, _FRAME_SIDE / max(frame.image.shape))
            size = round(frame.image.shape[1] * scale), round(frame.image.shape[0] * scale)
            image = cv2.resize(frame.image[..., ::-1], size, interpolation=cv2.INTER_AREA)
            name = f"{video.stem}_{round(frame.time * 1000):06d}.jpg"
            cv2.imwrite(str(folder / name), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return count


def extract_clip_frames(root: Path, folder: Path, split: str = "1") -> int:
    """Write two frames of every training clip of JHMDB into ``folder``; returns how many.

    ``root``: JHMDB with `ReCompress_Videos`, `puppet_mask` and `splits`. `boxes.json` beside the
    frames holds the box around each one's mask. Clips without video or mask are passed over.
    """
    folder.mkdir(parents=True, exist_ok=True)
    boxes: dict[str, list[float]] = {}
    for name, (label, part) in read_split(root, split, "jhmdb").items():
        videos = sorted((root / "ReCompress_Videos" / label).glob(f"{glob.escape(name)}.*"))
        mask = root / "puppet_mask" / label / name / "puppet_mask.mat"
        if part != "train" or not videos or not mask.is_file():
            continue
        with VideoReader(videos[0]) as reader:
            images = [frame.image for frame in reader]
        extents = mask_boxes(mask, len(images))
        for index in (0, len(images) // 2):
            file = f"{label}_{len(boxes):04d}.jpg"
            quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
            cv2.imwrite(str(folder / file), images[index][..., ::-1], quality)
            boxes[file] = [float(value) for value in extents[index]]
    if not boxes:
        raise DataError(f"{root}: no training clip with video and mask; check the folder of JHMDB")
    (folder / CLIP_BOXES).write_text(json.dumps(boxes))
    return len(boxes)


def detect_with_tiles(detector: Detector, image: NDArray[np.uint8]) -> Detections:
    """Detections on the whole image and on 2 x 2 overlapping tiles of it.

    From a tile only people that lie wholly inside and are small count: the whole view shows the
    large ones better, and a tile's edge cuts people in two.
    """
    found = [detector.detect(image)]
    height, width = image.shape[:2]
    rows, columns = round(height * _TILE), round(width * _TILE)
    margin = _TILE_MARGIN * max(rows, columns)
    for top in (0, height - rows):
        for left in (0, width - columns):
            tile = np.ascontiguousarray(image[top : top + rows, left : left + columns])
            boxes, scores = detector.detect(tile)
            gap = np.concatenate([boxes[:, :2], (columns, rows) - boxes[:, :2] - boxes[:, 2:]], 1)
            inner = np.array([left > 0, top > 0, left + columns < width, top + rows < height])
            keep = (boxes[:, 3] < 0.6 * rows) & ~((gap < margin) & inner).any(1)
            found.append((boxes[keep] + (left, top, 0, 0), scores[keep]))
    return np.concatenate([b for b, _ in found]), np.concatenate([s for _, s in found])


def _label(
    source: str, root: Path, detectors: Sequence[Detector], every: int
) -> Iterator[LabelledImage]:
    if source == "coco":
        yield from _coco_labels(root)
        return
    if source == "coco_people":
        for item in _coco_labels(root, source):
            found = _seen(detectors, read_image(root / item.file), tiled=True)
            yield _with_official(item, *merge_detections(found))
        return
    for path, labelled in islice(_images(source, root), 0, None, every):
        found = _seen(detectors, read_image(path), tiled=source != "ccp")
        file = path.relative_to(root).as_posix()
        yield LabelledImage(source, file, *merge_detections(found, labelled))


def _seen(detectors: Sequence[Detector], image: NDArray[np.uint8], tiled: bool) -> list[Detections]:
    tiled = tiled and max(image.shape) >= _TILED_FROM
    return [detect_with_tiles(d, image) if tiled else d.detect(image) for d in detectors]


def _with_official(item: LabelledImage, people: FloatArray, uncertain: FloatArray) -> LabelledImage:
    """Official boxes, and the teachers' where there is none."""
    new = people[iou(people, item.boxes).max(1, initial=0) < 0.5]
    apart = uncertain[iou(uncertain, item.boxes).max(1, initial=0) < 0.5]
    ignored = np.concatenate([item.ignore, apart])
    return LabelledImage(item.source, item.file, np.concatenate([item.boxes, new]), ignored)


def _images(source: str, root: Path) -> Iterator[tuple[Path, FloatArray | None]]:
    if source == "lspet":
        kept_out = kept_out_names(root)
        for sample in load_lspet(root):
            if sample.image.name not in kept_out:
                yield sample.image, _padded(np.array(sample.box, np.float32))
        return
    if source == "jhmdb":
        boxes = json.loads(require(root / CLIP_BOXES, "boxes of JHMDB's frames").read_text())
        yield from ((root / name, np.array(box, np.float32)) for name, box in boxes.items())
        return
    paths = ccp_images(root) if source == "ccp" else sorted(root.glob("*.jpg"))
    if not paths:
        raise DataError(f"{root}: no images (*.jpg) of source {source} here")
    yield from ((path, None) for path in paths)


def _padded(joints: FloatArray) -> FloatArray:
    """Joints end before hair, hands and feet do, so their padded extent stands in for the box."""
    pad = 0.08 * float(np.sqrt(joints[2:].prod()))
    return joints + np.array([-pad, -pad, 2 * pad, 2 * pad], np.float32)


def _coco_labels(root: Path, source: str = "coco") -> Iterator[LabelledImage]:
    """COCO's own person boxes of train2017; a crowd is one region to ignore."""
    file = require(root / "annotations" / "person_keypoints_train2017.json", "COCO's annotations")
    table = json.loads(file.read_text())
    for entry in table["images"]:
        rows = [row for row in table["annotations"] if row["image_id"] == entry["id"]]
        boxes, crowds = (stacked([r["bbox"] for r in rows if r["iscrowd"] == c]) for c in (0, 1))
        yield LabelledImage(source, f"train2017/{entry['file_name']}", boxes, crowds)


def _unselective(path: Path) -> Detector:
    """A detector that reports faint boxes too."""
    detector = load_onnx_detector(path)
    assert isinstance(detector, (RtmDet, Yolox))
    settings = dataclasses.replace(detector.settings, score_threshold=_MIN_SCORE, nms_iou=_NMS_IOU)
    return dataclasses.replace(detector, settings=settings)
