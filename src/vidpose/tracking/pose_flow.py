"""Pose Flow (Xiu, Li, Wang, Fang, Lu: Pose Flow, Efficient Online Pose Tracking, BMVC 2018).

The detector runs on every frame, and every box gets a pose without memory. Poses of a window of
frames are then joined to flows that collect as much confidence as possible (the paper's section
3.2), and of flows that duplicate each other over the frames they share, the weaker one is
suppressed (section 3.3).

Interpretations:

- The window is causal, the last `WINDOW` frames, and is solved anew in every frame: the results
  come without delay, and an id that was reported stands. A flow takes the id that most of its
  confidence was reported with, so a mistake ends once the window knows better.
- Flows are found together and one-to-one, as the greatest sum over all links of the later pose's
  confidence times the two poses' similarity: a path cover, an assignment problem. The paper
  builds one flow at a time from all candidates that are similar enough.
- Similarity is that of the published code (shares of matched points and overlaps, of boxes and
  poses, with its weights, here divided by their sum), with joints' squares in the person's size.
  Points are ORB's.
- Two poses of one frame are compared by OKS. Suppressed poses are dropped, not averaged in.
- A person out of the window may come back for `TrackerSettings.grace` seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from vidpose.inference.boxes import iou
from vidpose.inference.pose import SEEN, Pose
from vidpose.tracking.association import boxes_of, pairwise_oks
from vidpose.tracking.base import FrameInference, TrackedPose, TrackerSetup
from vidpose.tracking.identity import MemorylessTracker
from vidpose.tracking.orb_matching import Matches, PointMatcher, Points, shared

WINDOW = 20  # frames
WEIGHTS = np.array([1.0, 2.0, 1.0, 2.0])  # matches in boxes, boxes, matches in poses, poses
MIN_SIMILARITY = 0.1  # of two poses that may be linked
JOINT = 0.1  # half the side of a joint's square, in the person's longer side
BEST_JOINTS = 7  # whose overlaps count

Floats = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Node:
    """A pose of one frame. `id`: the id it was reported with, if it was."""

    pose: Pose
    frame: int
    time: float
    id: int | None = None


Flow = list[Node]
"""Poses of one person, at most one a frame, in the frames' order."""


class PoseFlowTracker(MemorylessTracker):
    """All people of one video, by Pose Flow."""

    def __init__(self, setup: TrackerSetup) -> None:
        super().__init__(setup)
        self._frame = 0
        self._clear()

    def advance(self, frame: FrameInference, time: float) -> list[TrackedPose]:
        """The people of the next frame; see `PeopleTracker.advance`."""
        if frame.size != self._size:
            self._size = frame.size
            self._clear()
        boxes, _ = frame.detect()
        poses = frame.initialize([self._traits.region(box) for box in boxes.tolist()])
        with frame.timer.stage("track"):
            matches = self._matcher.advance(frame.image)
            least = self._traits.trust.min_score
            poses = [replace(pose, kernels=None) for pose in poses if pose.score >= least]
            self._add(poses, time, matches)
            flows = self._suppress(build_flows(self._nodes, self._links))
            return self._report(flows)

    def _clear(self) -> None:
        self._nodes: list[Node] = []
        self._links: Floats = np.zeros((0, 0))
        self._matcher = PointMatcher()

    def _add(self, poses: Sequence[Pose], time: float, matches: Matches) -> None:
        """Take the next frame's poses, with the links to them, and drop what is too old."""
        self._frame += 1
        last = {node.id: node for node in self._nodes if node.id is not None}.values()
        self._keep(
            [
                time - node.time <= self._settings.grace
                and (node.frame > self._frame - WINDOW or node in last)
                for node in self._nodes
            ]
        )
        old = [node.pose for node in self._nodes]
        similarity = self._similarity(old, poses, matches)
        confidence = np.array([pose.score for pose in poses])
        gains = np.where(similarity >= MIN_SIMILARITY, similarity * confidence, 0.0)
        count, new = len(old), len(poses)
        links = np.zeros((count + new, count + new))
        links[:count, :count] = self._links
        links[:count, count:] = gains
        self._links = links
        self._nodes += [Node(pose, self._frame, time) for pose in poses]
        self._identities.retain({node.id for node in self._nodes if node.id is not None})

    def _similarity(self, old: Sequence[Pose], new: Sequence[Pose], matches: Matches) -> Floats:
        """Similarity (N, M) of known and new poses; matches serve the previous frame's only."""
        if not old or not new:
            return np.zeros((len(old), len(new)))
        stack = np.full((4, len(old), len(new)), np.nan)
        stack[1], stack[3] = iou(boxes_of(old), boxes_of(new)), pose_iou(old, new)
        before = np.array([node.frame == self._frame - 1 for node in self._nodes])
        if before.any():
            last = [pose for pose, chosen in zip(old, before, strict=True) if chosen]
            for term, regions in ((0, in_boxes), (2, in_poses)):
                stack[term, before] = shared(
                    regions(last, matches.before), regions(new, matches.after)
                )
        weights = np.where(np.isnan(stack), 0.0, WEIGHTS[:, None, None])
        return np.asarray((np.nan_to_num(stack) * weights).sum(axis=0) / weights.sum(axis=0))

    def _suppress(self, flows: list[Flow]) -> list[Flow]:
        """Without the flows that duplicate a more confident one; their shared poses are dropped."""
        flows.sort(key=lambda flow: -sum(node.pose.score for node in flow))
        kept: list[Flow] = []
        dropped: set[Node] = set()
        for flow in flows:
            found = (self._find_duplicates(other, flow) for other in kept)
            duplicates = next((nodes for nodes in found if nodes), None)
            if duplicates is None:
                kept.append(flow)
            else:
                dropped.update(duplicates)
                rest = [node for node in flow if node not in duplicates]
                kept += [rest] if rest else []
        if dropped:
            self._keep([node not in dropped for node in self._nodes])
        return kept

    def _find_duplicates(self, flow: Flow, weaker: Flow) -> list[Node]:
        """Poses of the weaker flow that are the other's, if the median of those shared is."""
        there = {node.frame: node for node in flow}
        shared_nodes = [node for node in weaker if node.frame in there]
        values = pairwise_oks(
            [there[node.frame].pose for node in shared_nodes],
            [node.pose for node in shared_nodes],
            self._traits.sigmas,
        ).diagonal()
        least = self._settings.duplicate_oks
        if not shared_nodes or np.median(values) < least:
            return []
        return [node for node, value in zip(shared_nodes, values, strict=True) if value >= least]

    def _report(self, flows: Sequence[Flow]) -> list[TrackedPose]:
        """Names the flows, and gives those that reach the present frame."""
        named = zip(flows, claimed_ids(flows), strict=True)
        present = [(flow[-1], id) for flow, id in named if flow[-1].frame == self._frame]
        poses = [node.pose for node, _ in present]
        ids = self._identities.assign(poses, [id for _, id in present])
        for (node, _), id in zip(present, ids, strict=True):
            node.id = id
        return self._identities.tracked_poses(poses, ids)

    def _keep(self, kept: Sequence[bool]) -> None:
        where = np.flatnonzero(kept)
        self._nodes = [self._nodes[index] for index in where]
        self._links = self._links[np.ix_(where, where)]


def build_flows(nodes: Sequence[Node], links: Floats) -> list[Flow]:
    """Flows with the greatest sum of links (N, N), from a row's node to a later column's node.

    Every node lies in exactly one flow and has at most one predecessor and one successor.
    """
    if not nodes:
        return []
    rows, columns = linear_sum_assignment(links, maximize=True)
    after = {int(r): int(c) for r, c in zip(rows, columns, strict=True) if links[r, c] > 0}
    flows = []
    for start in sorted(set(range(len(nodes))) - set(after.values())):
        chain = [start]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        flows.append([nodes[index] for index in chain])
    return flows


def claimed_ids(flows: Sequence[Flow]) -> list[int | None]:
    """The id of each flow, one-to-one: that with which most of its confidence was reported."""
    known = sorted({node.id for flow in flows for node in flow if node.id is not None})
    claims = np.zeros((len(flows), len(known)))
    for row, flow in enumerate(flows):
        for node in flow:
            if node.id is not None:
                claims[row, known.index(node.id)] += node.pose.score
    ids: list[int | None] = [None] * len(flows)
    for row, column in zip(*linear_sum_assignment(claims, maximize=True), strict=True):
        if claims[row, column] > 0:
            ids[row] = known[column]
    return ids


def pose_iou(a: Sequence[Pose], b: Sequence[Pose]) -> Floats:
    """Mean overlap (N, M) of the squares around the joints that overlap best."""
    left, seen_left = _squares(a)
    right, seen_right = _squares(b)
    low = np.maximum(left[:, None, :, :2], right[None, :, :, :2])
    high = np.minimum(left[:, None, :, 2:], right[None, :, :, 2:])
    both = np.clip(high - low, 0.0, None).prod(axis=-1)
    areas = [(group[..., 2:] - group[..., :2]).prod(axis=-1) for group in (left, right)]
    overlap = both / (areas[0][:, None] + areas[1][None] - both)
    overlap = np.where(seen_left[:, None] & seen_right[None], overlap, 0.0)
    count = min(BEST_JOINTS, overlap.shape[-1])
    return np.asarray(np.sort(overlap, axis=-1)[..., -count:].mean(axis=-1))


def in_boxes(poses: Sequence[Pose], points: Points) -> NDArray[np.bool_]:
    """Which points (P, 2) lie in which pose's box, (N, P)."""
    boxes = boxes_of(poses)
    offset = points[None] + 0.5 - boxes[:, None, :2]
    return np.asarray(((offset >= 0) & (offset < boxes[:, None, 2:])).all(axis=-1))


def in_poses(poses: Sequence[Pose], points: Points) -> NDArray[np.bool_]:
    """Which points (P, 2) lie in a square around a seen joint of which pose, (N, P)."""
    squares, seen = _squares(poses)
    inside = (points >= squares[:, :, None, :2]) & (points < squares[:, :, None, 2:])
    return np.asarray((inside.all(axis=-1) & seen[:, :, None]).any(axis=1))


def _squares(poses: Sequence[Pose]) -> tuple[Floats, NDArray[np.bool_]]:
    """Squares (N, K, 4) x1, y1, x2, y2 around joints, and which are seen (N, K)."""
    points = np.stack([pose.keypoints for pose in poses]).astype(np.float64)
    half = JOINT * boxes_of(poses)[:, 2:].max(axis=1)[:, None, None]
    corners = np.concatenate([points[..., :2] - half, points[..., :2] + half], axis=-1)
    return corners, points[..., 2] >= SEEN
