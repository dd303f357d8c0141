"""The sixteen people that a model finds worst, and how another model finds them: a picture.

    python benchmarks/worst_people.py --coco DATA/coco_people --before models/old.vidpose \\
        --after dkd-base-int8 --out worst.jpg

Every labelled person of COCO val2017 is looked at once by the initializer of both models, in the
ground-truth box. The sixteen with the lowest object keypoint similarity of the first model are
drawn, worst first: labels, first model, second model, each with its similarity.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from predictors import Initializer

from vidpose.data.datasets.coco import load_coco
from vidpose.data.samples import Sample, read_image
from vidpose.inference.crop import crop_image, region_around, to_crop
from vidpose.inference.pose_model import PoseModel
from vidpose.metrics.oks import oks
from vidpose.results import FrameResult, Person
from vidpose.skeleton import COCO_17
from vidpose.video.draw import draw_result

COUNT, COLUMNS = 16, 4
SIZE = (256, 192)  # of one view
AREA = 0.53  # of a box that a person fills, as in COCO


def similarity(found: NDArray[np.float32], sample: Sample) -> float:
    """OKS of one pose."""
    area = AREA * sample.box[2] * sample.box[3]
    labelled = sample.keypoints[:, 2] > 0
    return float(oks(found, sample.keypoints, labelled, area, COCO_17.sigmas))


def view(sample: Sample, keypoints: NDArray[np.float32], title: str) -> NDArray[np.uint8]:
    """The crop of a person with a pose drawn in."""
    region = region_around(sample.box, aspect=SIZE[1] / SIZE[0])
    crop = crop_image(read_image(sample.image), region, SIZE)
    person = Person(id=1, score=1.0, box=(0, 0, 1, 1), keypoints=to_crop(keypoints, region, SIZE))
    drawn = draw_result(crop, FrameResult(0, 0.0, (person,)), COCO_17)
    return np.asarray(
        cv2.putText(drawn.copy(), title, (4, 250), 0, 0.5, (255, 255, 0), 1, cv2.LINE_AA), np.uint8
    )


def main() -> None:
    """Look at everybody and draw the worst."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--coco", type=Path, required=True, help="COCO's root")
    arguments.add_argument("--before", required=True, help="bundle that chooses them")
    arguments.add_argument("--after", required=True, help="bundle to set beside it")
    arguments.add_argument("--out", type=Path, default=Path("worst.jpg"))
    given = arguments.parse_args()
    people = [s for s in load_coco(given.coco, "val2017") if (s.keypoints[:, 2] > 0).sum() >= 6]
    models = [Initializer(PoseModel.load(name, 1)) for name in (given.before, given.after)]
    images = [read_image(sample.image) for sample in people]
    found = [
        [model(image, sample.box) for model in models]
        for image, sample in zip(images, people, strict=True)
    ]
    scores = np.array(
        [
            [similarity(pose, sample) for pose in poses]
            for poses, sample in zip(found, people, strict=True)
        ]
    )
    print(f"{len(people)} people, mean OKS {scores[:, 0].mean():.3f} -> {scores[:, 1].mean():.3f}")
    cells = []
    for number in np.argsort(scores[:, 0])[:COUNT]:
        sample, (before, after) = people[number], scores[number]
        print(f"{sample.key}: {before:.2f} -> {after:.2f}")
        poses = (sample.keypoints, *found[number])
        titles = ("label", f"before {before:.2f}", f"after {after:.2f}")
        views = [view(sample, pose, title) for pose, title in zip(poses, titles, strict=True)]
        cells.append(np.concatenate(views, axis=1))
    rows = [
        np.concatenate(cells[start : start + COLUMNS], axis=1) for start in range(0, COUNT, COLUMNS)
    ]
    cv2.imwrite(str(given.out), np.concatenate(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    print(f"wrote {given.out}")


if __name__ == "__main__":
    main()
