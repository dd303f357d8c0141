"""The evaluation protocols of the literature as named values.

Figures called PCK differ in the unit of length, in `<=` or `<`, in the joints that count and in the
mean. A protocol fixes all four; `docs/evaluation.md` says where each comes from.

Truth and prediction are both in vidpose's pixels (origin at the centre of the top-left pixel). The
data readers take off what files that count from 1 add, which is the same as adding 1 to the
predictions, as published code does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidpose.errors import DataError
from vidpose.metrics.pck import Pck, box_size, head_box_size, pck, person_size, torso_size
from vidpose.skeleton import Skeleton

Unit = Literal["box", "pixel box", "left torso", "longer torso", "head box", "person"]
"""What a distance is measured in.

`box`: the longer side of the person's box. `pixel box`: the same from the centre of the first to
that of the last pixel, one pixel less. `left torso`: left shoulder to right hip; below one pixel
that of the prediction. `longer torso`: the longer of the two shoulder-hip diagonals, of those that
are labelled. `head box`: 0.6 times the diagonal of the head's box. `person`: the longer torso, or
0.3 of the longer side around the labelled keypoints in a skeleton without one.
"""

Kind = Literal["micro", "joints", "groups"]


@dataclass(frozen=True, slots=True)
class Mean:
    """One way from the joints' shares to one figure.

    `micro`: hits over counted joints. `joints`: mean of the joints' own shares. `groups`: mean of
    the seven groups' shares. Joints `without` are left out; a joint that was never counted always
    is.
    """

    name: str
    kind: Kind
    without: tuple[str, ...] = ()

    def of(self, score: Pck) -> float:
        """The mean of a score, in [0, 1]; NaN where nothing counted."""
        if self.kind == "groups":
            return score.group_mean()
        kept = np.array([name not in self.without for name in score.names])
        counts = np.where(kept, score.counts, 0)
        part = Pck(score.names, score.per_joint, counts.astype(np.int64))
        return part.micro if self.kind == "micro" else part.macro


MICRO = Mean("micro", "micro")
MACRO_13 = Mean("macro 13", "joints", without=("neck", "belly"))
MACRO_15 = Mean("macro 15", "joints")
GROUPS_7 = Mean("7 groups", "groups")


@dataclass(frozen=True, slots=True)
class PckProtocol:
    """A variant of PCK.

    Attributes:
        name: as on the command line.
        data_sets: names of the data sets that it is defined for.
        unit: what the threshold is a part of.
        threshold: a joint nearer than threshold * unit is a hit.
        inclusive: whether "nearer" is `<=` or `<`.
        counted: "visible" joints only, or "all" that have a position.
        means: the first is the one that its papers call the mean.
        stricter: further thresholds at which the first mean is given too.
        parts: what is given beside the means: groups of joints, or every joint.
    """

    name: str
    data_sets: tuple[str, ...]
    unit: Unit
    threshold: float
    inclusive: bool
    counted: Literal["visible", "all"]
    means: tuple[Mean, ...]
    stricter: tuple[float, ...] = ()
    parts: Literal["groups", "joints"] = "groups"

    def describe(self) -> str:
        """The protocol's conventions in one line."""
        sign = "<=" if self.inclusive else "<"
        return (
            f"hit if distance {sign} {self.threshold} x {_UNIT_WORDS[self.unit]}; "
            f"{self.counted} joints count; means: {', '.join(mean.name for mean in self.means)}"
        )

    def score(
        self,
        predicted: ArrayLike,
        truth: ArrayLike,
        boxes: ArrayLike,
        skeleton: Skeleton,
        *,
        head_boxes: ArrayLike | None = None,
        given: ArrayLike | None = None,
        threshold: float | None = None,
    ) -> Pck:
        """Shares of hits by joint.

        Args:
            predicted: (N, K, 2+) in pixels; a NaN is a miss.
            truth: (N, K, 3), x, y, visible.
            boxes: (N, 4) of the people, x, y, w, h.
            skeleton: of both, K joints.
            head_boxes: (N, 4); needed where they are the unit.
            given: bool (K,), False for joints that the predictor cannot give: they do not count.
            threshold: in place of the protocol's.

        Raises DataError when the unit needs head boxes and there are none.
        """
        labels = np.asarray(truth, float)
        counted = np.isfinite(labels[..., :2]).all(axis=-1)
        if self.counted == "visible":
            counted = labels[..., 2] > 0
        if given is not None:
            counted = counted & np.asarray(given, bool)
        size = self._size(np.asarray(predicted, float), labels, boxes, skeleton, head_boxes)
        return pck(
            predicted,
            labels,
            counted,
            size,
            skeleton.keypoints,
            threshold=self.threshold if threshold is None else threshold,
            inclusive=self.inclusive,
        )

    def _size(
        self,
        predicted: NDArray[np.float64],
        truth: NDArray[np.float64],
        boxes: ArrayLike,
        skeleton: Skeleton,
        head_boxes: ArrayLike | None,
    ) -> NDArray[np.float64]:
        if self.unit == "box":
            return box_size(boxes)
        if self.unit == "pixel box":
            return box_size(boxes) - 1
        if self.unit == "head box":
            if head_boxes is None:
                raise DataError(f"protocol {self.name} needs head boxes, the labels have none")
            return head_box_size(head_boxes)
        known = np.isfinite(truth[..., :2]).all(axis=-1)
        if self.unit == "person":
            return person_size(truth, known & (truth[..., 2] > 0), skeleton)
        if self.unit == "longer torso":
            return torso_size(truth, known & (truth[..., 2] > 0), skeleton)
        return torso_size(truth, known, skeleton, diagonal="left", predicted=predicted)


@dataclass(frozen=True, slots=True)
class OksProtocol:
    """COCO's AP and AR by pycocotools."""

    name: str
    data_sets: tuple[str, ...]

    def describe(self) -> str:
        """The protocol's conventions in one line."""
        return "COCO's AP and AR over OKS .50 to .95, computed by pycocotools, 20 people an image"


Protocol: TypeAlias = PckProtocol | OksProtocol

_UNIT_WORDS: Mapping[Unit, str] = {
    "box": "the longer side of the ground-truth box",
    "pixel box": "the longer side of the ground-truth box, last minus first pixel",
    "left torso": "the torso (left shoulder to right hip; the predicted one below 1 px)",
    "longer torso": "the torso (the longer labelled shoulder-hip diagonal)",
    "head box": "the head size (0.6 x diagonal of the head box)",
    "person": "the torso (the longer labelled shoulder-hip diagonal), or 0.3 of the extent",
}

_JHMDB = ("jhmdb", "sub_jhmdb")

PENN_BBOX = PckProtocol(
    "penn-bbox", ("penn_action",), "box", 0.2, True, "visible", (MICRO, MACRO_13, GROUPS_7)
)
# Joints 3 and 8 of the files, which put the person's right first (vidpose.skeleton.PENN_13).
PENN_TORSO = PckProtocol(
    "penn-torso", ("penn_action",), "left torso", 0.2, True, "visible", (MICRO, MACRO_13, GROUPS_7)
)
JHMDB_BBOX = PckProtocol(
    "jhmdb-bbox", _JHMDB, "pixel box", 0.2, True, "all", (MICRO, MACRO_15, MACRO_13, GROUPS_7)
)
JHMDB_MMPOSE = PckProtocol(
    "jhmdb-mmpose", _JHMDB, "pixel box", 0.2, False, "visible", (MACRO_15, MACRO_13, GROUPS_7)
)
TPCK = PckProtocol(
    "tpck", _JHMDB, "left torso", 0.2, True, "all", (MICRO, MACRO_15, MACRO_13, GROUPS_7)
)
MPII_PCKH = PckProtocol(
    "mpii-pckh",
    ("mpii",),
    "head box",
    0.5,
    False,
    "visible",
    (Mean("mean", "micro", without=("pelvis", "thorax")),),
    stricter=(0.1,),
)
LSP_TORSO = PckProtocol(
    "lsp-torso", ("lsp", "lspet"), "longer torso", 0.2, True, "visible", (MICRO, GROUPS_7)
)
OWN_PCK = PckProtocol(
    "pck", (), "person", 0.2, True, "visible", (MICRO,), stricter=(0.1,), parts="joints"
)
COCO_OKS = OksProtocol("coco-oks", ("coco",))

OWN: Mapping[str, Protocol] = MappingProxyType({each.name: each for each in (COCO_OKS, OWN_PCK)})
"""Those of labels of one's own."""

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            PENN_BBOX,
            PENN_TORSO,
            JHMDB_BBOX,
            JHMDB_MMPOSE,
            TPCK,
            MPII_PCKH,
            LSP_TORSO,
            COCO_OKS,
        )
    }
)
