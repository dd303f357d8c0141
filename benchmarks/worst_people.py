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

import numpy as np
from montage import save_montage, view
from numpy.typing import NDArray
from predictors import Initializer

from vidpose.data.datasets.coco import load_coco
from vidpose.data.samples import Sample, read_image
from vidpose.inference.pose_model import PoseModel
from vidpose.metrics.oks import oks
from vidpose.skeleton import COCO_17

COUNT = 16
AREA = 0.53  # of a box that a person fills, as in COCO


def similarity(found: NDArray[np.float32], sample: Sample) -> float:
    """OKS of one pose."""
    area = AREA * sample.box[2] * sample.box[3]
    labelled = sample.keypoints[:, 2] > 0
    return float(oks(found, sample.keypoints, labelled, area, COCO_17.sigmas))


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
        views = zip(poses, titles, strict=True)
        cells.append([view(images[number], sample.box, *each) for each in views])
    save_montage(given.out, cells)


if __name__ == "__main__":
    main()
