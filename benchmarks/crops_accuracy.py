"""Accuracy of per-frame networks on labelled still images that no training has seen.

    python benchmarks/crops_accuracy.py --lspet DATA/lspet --coco DATA/coco --peers MODELS \\
        --bundle dkd-lite --json crops.json

Data: the 500 kept-out images of Leeds Sports Pose Extended
(`vidpose.data.datasets.lspet.kept_out_names`) and every person with labelled keypoints of COCO
val2017. Boxes: lspet has none, so the extent of the labelled joints stands for one; COCO's are the
ground-truth boxes. Every network gets the same box and cuts its own shape of crop around it, the
references with padding 1.25, a bundle with its own or with `--padding`.

PCK: hit if <= threshold * torso, torso the longer labelled shoulder-hip diagonal, left and right
strict, micro mean; on lspet over the 12 limb joints that LSP and COCO share. "sides free" counts
exchanged left-right pairs as hits (an upper bound, see vidpose.metrics.pck). "+-" is half the 95 %
bootstrap interval over people, of PCK@0.2 and of its difference to the first network of the table
("ahead"), which is taken on the same people and therefore surer than either figure. OKS AR:
COCO's AR by pycocotools, one pose for each ground-truth box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from predictors import Initializer
from reference_networks import REFERENCE_NETWORKS, Predictor, load_reference
from report import finish, interval, machine, parser, table

from vidpose.data.datasets.coco import load_coco
from vidpose.data.datasets.coco_file import read_coco_file
from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.data.samples import Sample, read_image
from vidpose.inference.pose_model import PoseModel
from vidpose.metrics.oks import coco_scores
from vidpose.metrics.pck import Pck, pck, torso_size
from vidpose.skeleton import COCO_17

COLUMNS = ("PCK@0.2", "+-", "ahead", "ahead +-", "PCK@0.1", "sides free @0.2", "macro @0.2")


def predict(predictor: Predictor, samples: Sequence[Sample]) -> NDArray[np.float32]:
    """Keypoints (N, 17, 3) of all samples."""
    return np.stack([predictor(read_image(sample.image), sample.box) for sample in samples])


def pck_figures(
    predicted: NDArray[np.float32], first: NDArray[np.float32], samples: Sequence[Sample]
) -> dict[str, float]:
    """The PCK columns in percent, and `joints`, the number of labelled joints counted."""
    truth = np.stack([sample.keypoints for sample in samples])
    labelled = truth[..., 2] > 0
    size = torso_size(truth, labelled, COCO_17)
    people = np.arange(len(samples))

    def score(found: NDArray[np.float32], chosen: NDArray[np.intp] = people, **options: Any) -> Pck:
        part = found[chosen], truth[chosen], labelled[chosen], size[chosen]
        return pck(*part, COCO_17.keypoints, **options)

    def ahead(chosen: NDArray[np.intp] = people) -> float:
        return score(predicted, chosen).micro - score(first, chosen).micro

    strict = score(predicted)
    swaps = COCO_17.flip_pairs
    return {
        "PCK@0.2": 100 * strict.micro,
        "+-": 100 * interval(lambda chosen: score(predicted, chosen).micro, len(samples)),
        "ahead": 100 * ahead(),
        "ahead +-": 100 * interval(ahead, len(samples)),
        "PCK@0.1": 100 * score(predicted, threshold=0.1).micro,
        "sides free @0.2": 100 * score(predicted, tolerated_swaps=swaps).micro,
        "macro @0.2": 100 * strict.macro,
        "joints": int(strict.counts.sum()),
    }


def coco_ar(predicted: NDArray[np.float32], samples: Sequence[Sample], annotations: Path) -> float:
    """COCO's keypoint AR of one prediction for each sample."""
    file = read_coco_file(annotations)
    images = {name: number for number, name in file.images.items()}
    results = []
    for keypoints, sample in zip(predicted.astype(float), samples, strict=True):
        score = float(keypoints[:, 2].mean())
        keypoints[:, 2] = 1
        results.append(
            {
                "image_id": images[sample.image.name],
                "category_id": 1,
                "keypoints": keypoints.ravel().tolist(),
                "score": score,
            }
        )
    return coco_scores(file.for_pycocotools(), results).ar


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--lspet", type=Path, required=True, help="Leeds Sports Pose Extended")
    arguments.add_argument("--coco", type=Path, required=True, help="COCO's root")
    arguments.add_argument("--peers", type=Path, help="folder with the references' ONNX files")
    arguments.add_argument("--bundle", action="append", default=[], help="name or path; repeatable")
    arguments.add_argument("--padding", type=float, help="of the bundles, in place of their own")
    given = arguments.parse_args()

    figures: dict[str, Any] = {"machine": machine(given.threads), "lspet": {}, "coco": {}}
    predictors: dict[str, Predictor] = {}
    if given.peers is not None:
        predictors |= {
            name: load_reference(name, given.peers, given.threads) for name in REFERENCE_NETWORKS
        }
    for bundle in given.bundle:
        model = PoseModel.load(bundle, threads=given.threads)
        if given.padding is not None:
            model = replace(model, padding=given.padding)
        predictors[f"{model.name} initializer"] = Initializer(model)

    if not predictors:
        raise SystemExit("give --peers, --bundle or both")
    names = kept_out_names(given.lspet)
    lspet = [sample for sample in load_lspet(given.lspet) if sample.image.name in names]
    coco = load_coco(given.coco, "val2017")
    annotations = given.coco / "annotations" / "person_keypoints_val2017.json"
    for title, samples in (("lspet", lspet), ("coco", coco)):
        found = {name: predict(predictor, samples) for name, predictor in predictors.items()}
        first = next(iter(found.values()))
        for name, predicted in found.items():
            figures[title][name] = pck_figures(predicted, first, samples)
            if title == "coco":
                figures[title][name]["OKS AR"] = coco_ar(predicted, samples, annotations)

    for title, samples in (("lspet", lspet), ("coco", coco)):
        joints = next(iter(figures[title].values()))["joints"]
        print(f"\n{title}: {len(samples)} people, {joints} joints with a torso\n")
        rows = []
        for name, row in figures[title].items():
            cells = [f"{row[column]:.1f}" for column in COLUMNS]
            rows.append([name, *cells, *([f"{row['OKS AR']:.3f}"] if "OKS AR" in row else [])])
        print(table(["model", *COLUMNS, *(["OKS AR"] if title == "coco" else [])], rows))
    finish(given.json, figures)


if __name__ == "__main__":
    main()
