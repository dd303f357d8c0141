"""Person detectors on images and video that the finder's training has not seen.

    python benchmarks/finder_accuracy.py --coco DATA/coco --lspet DATA/lspet \\
        --video DATA/video/walk_backlit.mp4 --detector finder \\
        --detector MODELS/rtmdet_nano.onnx --detector MODELS/yolox_nano.onnx --json finder.json

COCO: person box AP and AP50 of COCO val2017 by pycocotools, all boxes scoring at least 0.02.
lspet: the 500 kept-out images; a person is found if a box of at least the operating score (the
bundle's own threshold; 0.3 for .onnx files) has IoU 0.5 with the padded extent of the labelled
joints. The finder has trained on other images of this set, the .onnx detectors have not.
Video: there are no labels, so the union of the given .onnx detectors (score at least 0.4) stands
for the people, which favours those detectors; "extra" is boxes a frame that none of them sees even
faintly (score 0.1, IoU 0.4). CPU ms: median processor time of one call on the COCO images, pre-
and post-processing included (with --threads 1 the time of a call on an idle machine).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from report import finish, machine, parser, table

from vidpose.bundle import DetectorSettings, find_bundle, read_bundle
from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.data.samples import read_image
from vidpose.inference.backends.base import open_session
from vidpose.inference.boxes import iou, suppress
from vidpose.inference.detectors.bundle import BundleDetector, Detector
from vidpose.inference.detectors.onnx_detectors import (
    SCORE_THRESHOLD,
    RtmDet,
    Yolox,
    load_onnx_detector,
)
from vidpose.methods.finder.task import coco_images, score_coco_boxes
from vidpose.video import VideoReader

FAINT = 0.02
Found = tuple[NDArray[np.float64], NDArray[np.float64]]


def load(name: str, threads: int) -> tuple[Detector, float]:
    """A detector that reports faint boxes too, and its operating score."""
    if name.endswith(".onnx"):
        other = load_onnx_detector(Path(name), threads)
        assert isinstance(other, (RtmDet, Yolox))
        faint = dataclasses.replace(other.settings, score_threshold=FAINT)
        return dataclasses.replace(other, settings=faint), SCORE_THRESHOLD
    bundle = read_bundle(find_bundle(name))
    assert isinstance(bundle.settings, DetectorSettings)
    faint = dataclasses.replace(bundle.settings, score_threshold=FAINT)
    session = open_session(bundle.graphs["detector"], name, threads)
    return BundleDetector(session, faint), bundle.settings.score_threshold


def coco_figures(detector: Detector, root: Path) -> dict[str, float]:
    """AP, AP50, AR on val2017 and the median processor time of a call."""
    annotations = root / "annotations" / "person_keypoints_val2017.json"
    rows: list[dict[str, object]] = []
    spent = []
    for image_id, image in coco_images(annotations, root / "val2017"):
        start = time.process_time()
        boxes, scores = detector.detect(image)
        spent.append(1000 * (time.process_time() - start))
        rows += [
            {"image_id": image_id, "category_id": 1, "bbox": box, "score": score}
            for box, score in zip(boxes.tolist(), scores.tolist(), strict=True)
        ]
    return {**score_coco_boxes(annotations, rows), "CPU ms": float(np.median(spent))}


def lspet_recall(detector: Detector, operating: float, root: Path) -> float:
    """Share of the kept-out labelled people that are found."""
    kept_out = kept_out_names(root)
    hits = []
    for sample in load_lspet(root):
        if sample.image.name in kept_out:
            pad = 0.08 * np.sqrt(sample.box[2] * sample.box[3])
            target = np.array(sample.box) + np.array([-pad, -pad, 2 * pad, 2 * pad])
            boxes, _ = above(detector.detect(read_image(sample.image)), operating)
            hits.append(iou(target[None], boxes).max(initial=0) >= 0.5)
    return float(np.mean(hits))


def video_frames(path: Path, every: int) -> list[NDArray[np.uint8]]:
    """One frame in `every` of a video."""
    with VideoReader(path) as reader:
        return [frame.image for frame in islice(reader, 0, None, every)]


def video_figures(
    detector: Detector,
    operating: float,
    frames: Sequence[NDArray[np.uint8]],
    teachers: Sequence[Sequence[Found]],
) -> tuple[int, int, float]:
    """(people of the teachers' union that are found, all of them, extra boxes a frame)."""
    hits = people = extra = 0
    for frame, views in zip(frames, teachers, strict=True):
        boxes, _ = above(detector.detect(frame), operating)
        sure = [above(view, 0.4) for view in views]
        union, scores = (np.concatenate(parts) for parts in zip(*sure, strict=True))
        union = union[suppress(union, scores, 0.5)]
        faint = np.concatenate([above(view, 0.1)[0] for view in views])
        hits += int((iou(union, boxes).max(1, initial=0) >= 0.5).sum())
        people += len(union)
        extra += int((iou(boxes, faint).max(1, initial=0) < 0.4).sum())
    return hits, people, extra / len(frames)


def above(found: Found, score: float) -> Found:
    """The boxes of at least this score."""
    return found[0][found[1] >= score], found[1][found[1] >= score]


def main() -> None:
    """Measure every detector and print the tables."""
    arguments = parser(__doc__)
    arguments.add_argument("--detector", action="append", required=True)
    arguments.add_argument("--coco", type=Path)
    arguments.add_argument("--lspet", type=Path)
    arguments.add_argument("--video", type=Path, action="append", default=[])
    arguments.add_argument("--every", type=int, default=10, help="take one frame in so many (10)")
    options = arguments.parse_args()
    figures: dict[str, object] = {"machine": machine(options.threads)}
    detectors = {Path(n).stem: load(n, options.threads) for n in options.detector}
    teachers = [detectors[Path(n).stem][0] for n in options.detector if n.endswith(".onnx")]
    clips = {f"{p.parent.name}/{p.stem}": video_frames(p, options.every) for p in options.video}
    seen = {
        clip: [[teacher.detect(frame) for teacher in teachers] for frame in frames]
        for clip, frames in clips.items()
    }
    rows = []
    for name, (detector, operating) in detectors.items():
        row: dict[str, object] = {"detector": name, "score": operating}
        if options.coco:
            row |= {k: round(v, 3) for k, v in coco_figures(detector, options.coco).items()}
        if options.lspet:
            row["lspet recall"] = round(lspet_recall(detector, operating, options.lspet), 3)
        for clip, frames in clips.items():
            hits, people, extra = video_figures(detector, operating, frames, seen[clip])
            row[f"{clip} found"] = f"{hits}/{people}"
            row[f"{clip} extra"] = round(extra, 2)
        rows.append(row)
    figures["detectors"] = rows
    print(table(list(rows[0]), [list(row.values()) for row in rows]))
    finish(options.json, figures)


if __name__ == "__main__":
    main()
