"""The tracker of Simple Baselines (Xiao, Wu, Wei: Simple Baselines for Human Pose Estimation and
Tracking, ECCV 2018, section 3).

In every frame: joints of the previous frame are moved by optical flow and give boxes; these and
the detector's go through one suppression; every box that stays gets a pose without memory; poses
are matched with the queue of each person's last ones, moved by the flow to the present frame, by
OKS. The queue bridges frames in which a person is occluded.

Interpretations:

- The flow is OpenCV's DIS (Kroeger et al., ECCV 2016) on a small grey picture, in the place of
  FlowNet2S.
- Matching is one-to-one with the greatest sum; the paper matches greedily.
- OKS carries its own scale; a joint's box margin is a part of the person's size.
- A pose from a moved box alone, which the detector does not see, has to be as good as that of
  a new person; else the flow would carry people on after they have left.
- Doubled poses of one frame (two boxes on one person) are dropped by OKS before the matching.
- The queue holds `QUEUE` poses and lasts for `TrackerSettings.grace` seconds. After a gap of
  `TrackerSettings.max_gap` nothing is moved.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.inference.boxes import Box, match, suppress
from vidpose.inference.pose import SEEN, Pose
from vidpose.tracking.association import pairwise_oks, without_duplicates
from vidpose.tracking.base import FrameInference, TrackedPose, TrackerSetup
from vidpose.tracking.identity import MemorylessTracker
from vidpose.tracking.orb_matching import small_grey

SIDE = 640  # px, longer side of the picture in which the flow is found
QUEUE = 10  # poses of each person
EXTENT = 0.075  # on each side of the joints' extent: the box is 15 % larger
NMS_IOU = 0.6
MATCH_OKS = 0.3


@dataclass(slots=True, eq=False)
class Member:
    """A known person: the last poses, moved to the present frame, newest last. `seen`: s."""

    seen: float
    queue: deque[Pose] = field(default_factory=lambda: deque(maxlen=QUEUE))


class FlowTracker(MemorylessTracker):
    """All people of one video, by optical flow and a queue of poses."""

    def __init__(self, setup: TrackerSetup) -> None:
        super().__init__(setup)
        self._flow = _new_flow()
        self._members: dict[int, Member] = {}
        self._grey: NDArray[np.uint8] | None = None
        self._time = 0.0

    def __getstate__(self) -> dict[str, Any]:
        """All but OpenCV's part, which remembers nothing and cannot be pickled."""
        return {name: value for name, value in vars(self).items() if name != "_flow"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _flow=_new_flow())

    def advance(self, frame: FrameInference, time: float) -> list[TrackedPose]:
        """The people of the next frame; see `PeopleTracker.advance`."""
        with frame.timer.stage("track"):
            moved = self._move(frame, time)
        detected, scores = frame.detect()
        with frame.timer.stage("track"):
            boxes = np.concatenate([detected, np.array([p.box for p in moved]).reshape(-1, 4)])
            scores = np.concatenate([scores, np.array([pose.score for pose in moved])])
            chosen = suppress(boxes, scores, NMS_IOU)
        poses = frame.initialize([self._traits.region(box) for box in boxes[chosen].tolist()])
        with frame.timer.stage("track"):
            poses = self._confident(poses, chosen < len(detected))
            ids = self._identities.assign(poses, self._matched(poses))
            self._remember(poses, ids, time)
            return self._identities.tracked_poses(poses, ids)

    def _move(self, frame: FrameInference, time: float) -> list[Pose]:
        """Move all known people to the present frame; the poses of the previous frame."""
        grey, scale = small_grey(frame.image, SIDE)
        recent = time - self._time <= self._settings.max_gap
        previous, here = self._time, []
        if frame.size != self._size:
            self._members = {}
        elif recent and self._grey is not None and self._members:
            motion = self._flow.calc(self._grey, grey, None)  # type: ignore[call-overload]
            for member in self._members.values():
                moved = [moved_pose(pose, motion, scale) for pose in member.queue]
                member.queue = deque(moved, maxlen=QUEUE)
            here = [m.queue[-1] for m in self._members.values() if m.seen == previous]
        self._grey, self._size, self._time = grey, frame.size, time
        grace = self._settings.grace
        self._members = {id: m for id, m in self._members.items() if time - m.seen <= grace}
        self._identities.retain(set(self._members))
        return here

    def _confident(self, poses: Sequence[Pose], detected: NDArray[np.bool_]) -> list[Pose]:
        """Confident poses, each person's once, without memory."""
        trust = self._traits.trust
        least = np.where(detected, trust.min_score, trust.start_score)
        good = [
            replace(pose, kernels=None)
            for pose, score in zip(poses, least.tolist(), strict=True)
            if pose.score >= score
        ]
        good.sort(key=lambda pose: -pose.score)
        traits, same = self._traits, self._settings.duplicate_oks
        kept = without_duplicates(good, [], traits.sigmas, same, traits.flip_index)
        return [good[index] for index in kept]

    def _matched(self, poses: Sequence[Pose]) -> list[int | None]:
        """Whose poses they are: one-to-one by the best OKS with each queue."""
        known = sorted(self._members)
        fit = np.zeros((len(poses), len(known)))
        for column, id in enumerate(known):
            queue = list(self._members[id].queue)
            if poses:
                fit[:, column] = pairwise_oks(poses, queue, self._traits.sigmas).max(axis=1)
        ids: list[int | None] = [None] * len(poses)
        for row, column in match(fit, MATCH_OKS):
            ids[row] = known[column]
        return ids

    def _remember(self, poses: Sequence[Pose], ids: Sequence[int | None], time: float) -> None:
        for pose, id in zip(poses, ids, strict=True):
            if id is not None:
                member = self._members.setdefault(id, Member(time))
                member.queue.append(pose)
                member.seen = time


def _new_flow() -> cv2.DISOpticalFlow:
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)


def moved_pose(pose: Pose, field: NDArray[np.float32], scale: float) -> Pose:
    """The pose with its joints moved by the flow field (h, w, 2) of a picture `scale` times as
    large as the image; its box is the joints' extent and a margin.

    Joints outside the picture move as the nearest point inside does.
    """
    keypoints = pose.keypoints.copy()
    cells = np.rint((keypoints[:, :2] + 0.5) * scale - 0.5).astype(np.intp)
    limit = np.array(field.shape[1::-1]) - 1
    columns, rows = np.clip(cells, 0, limit).T
    keypoints[:, :2] += field[rows, columns] / scale
    return Pose(keypoints, pose.score, extent_box(keypoints))


def extent_box(keypoints: NDArray[np.float32]) -> Box:
    """The box (x, y, w, h) of the seen joints' extent (of all, where none is) and a margin."""
    seen = keypoints[:, 2] >= SEEN
    points = keypoints[seen if seen.any() else slice(None), :2].astype(np.float64) + 0.5
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.maximum(EXTENT * (high - low), 1.0)
    x, y = low - margin
    w, h = high - low + 2 * margin
    return float(x), float(y), float(w), float(h)
