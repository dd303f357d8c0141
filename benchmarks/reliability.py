"""Are the confidences of a bundle what they say? A reliability table on kept-out images.

    python benchmarks/reliability.py --bundle dkd-lite --lspet DATA/lspet

A joint is right if it lies within 0.2 torso (the longer shoulder-hip diagonal) of its label, on
the 500 kept-out images of Leeds Sports Pose Extended; these labels are noisy, so no network can
be right more often than they are. Shown: the confidences as the bundle gives them, the raw ones,
and the raw ones through a calibration fitted on one half of the people and measured on the other
half, and the other way round (the best that a calibration of this form can do).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from report import finish, machine, parser

from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.data.samples import read_image
from vidpose.inference.crop import crop_image, region_around, to_image
from vidpose.inference.pose_model import PoseModel
from vidpose.metrics.calibration import apply_calibration, fit_calibration, reliability
from vidpose.metrics.pck import hits, torso_size
from vidpose.skeleton import COCO_17


def cross_fitted(
    raw: NDArray[np.float64], right: NDArray[np.bool_], person: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Calibrated confidences, each half of the people by the other half's fit."""
    calibrated = np.empty_like(raw)
    for half in (0, 1):
        here = person % 2 == half
        calibrated[here] = apply_calibration(fit_calibration(raw[~here], right[~here]), raw[here])
    return calibrated


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--bundle", required=True, help="name or path")
    arguments.add_argument("--lspet", type=Path, required=True, help="Leeds Sports Pose Extended")
    given = arguments.parse_args()

    conditions = machine(given.threads)
    model = PoseModel.load(given.bundle, threads=given.threads)
    graph = model.initializer
    names = kept_out_names(given.lspet)
    samples = [sample for sample in load_lspet(given.lspet) if sample.image.name in names]
    truth = np.stack([sample.keypoints for sample in samples])
    labelled = truth[..., 2] > 0
    size = torso_size(truth, labelled, COCO_17)
    points, masses = [], []
    for sample in samples:
        region = region_around(sample.box, aspect=model.aspect, padding=model.padding)
        crop = crop_image(read_image(sample.image), region, graph.size)
        found, mass = graph.decode(model.initialize(crop[None])[0])
        points.append(to_image(found[0], region, graph.size))
        masses.append(mass[0])
    counted = labelled & np.isfinite(size)[:, None]
    right = hits(np.stack(points), truth, size)[counted]
    raw = np.stack(masses)[counted].astype(float)
    person = np.nonzero(counted)[0]
    shown = {
        "as the bundle gives them": graph.calibrate(raw.astype(np.float32)).astype(float),
        "raw": raw,
        "cross-fitted": cross_fitted(raw, right, person),
    }
    figures: dict[str, object] = {"machine": conditions, "points": fit_calibration(raw, right)}
    print(f"{model.name} initializer, {len(samples)} people, {raw.size} joints")
    for name, confidence in shown.items():
        result = reliability(np.clip(confidence, 0, 1), right)
        figures[name] = {"ece": result.ece, "brier": result.brier}
        print(f"\n{name}\n\n{result.markdown()}")
    finish(given.json, figures)


if __name__ == "__main__":
    main()
