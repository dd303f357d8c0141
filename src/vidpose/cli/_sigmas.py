"""The sigmas of a skeleton as lines of its YAML file, with what they rest on as comments."""

from __future__ import annotations

from vidpose.data.annotators import sigmas_of_annotators
from vidpose.data.datasets.coco_file import CocoFile
from vidpose.skeleton import Skeleton
from vidpose.skeleton.sigmas import has_known_sigma, known_sigma

ENOUGH = 10
"""Pairs of labels below which a keypoint keeps the sigma that it has."""
_SHOWN = 5


def describe_annotators(first: CocoFile, second: CocoFile, skeleton: Skeleton) -> list[str]:
    """The sigmas by two annotators. Raises DataError where nobody is labelled twice."""
    found = sigmas_of_annotators(first, second, skeleton)
    lines = [f"# {found.people:,} people in {found.images:,} images, labelled twice", "sigmas:"]
    for joint, name in enumerate(skeleton.keypoints):
        pairs = int(found.pairs[joint])
        measured, usual = float(found.sigmas[joint]), skeleton.sigmas[joint]
        if pairs >= ENOUGH and measured > 0:
            lines.append(f"  {name}: {measured:.4f}  # {pairs:,} pairs; was {usual:g}")
        else:
            lines.append(f"  {name}: {usual:g}  # as before: {pairs:,} pairs are too few")
    if found.far:
        shown = "; ".join(found.far[:_SHOWN]) + (" ..." if len(found.far) > _SHOWN else "")
        lines.append(
            f"# {len(found.far):,} pairs lie further apart than half of the person's size and "
            f"raise these figures; left and right mistaken? {shown}"
        )
    return lines


def describe_known(skeleton: Skeleton) -> list[str]:
    """The sigmas that the skeleton has, where there is one annotator alone."""
    lines = ["# one annotator: not estimated; label some images twice for that", "sigmas:"]
    for name, sigma in zip(skeleton.keypoints, skeleton.sigmas, strict=True):
        source = "by its name" if has_known_sigma(name) else "nothing is known of it"
        source = source if sigma == known_sigma(name) else "given"
        lines.append(f"  {name}: {sigma:g}  # {source}")
    return lines
