"""One video's people, frame by frame."""

from __future__ import annotations

import math
from numbers import Real
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import InputError
from vidpose.inference.boxes import inside
from vidpose.inference.detectors.bundle import Detector
from vidpose.inference.detectors.default import detector_for
from vidpose.inference.one_stage import OneStageDetector
from vidpose.inference.pose_model import PoseModel, check_model
from vidpose.inference.timing import StageTimer
from vidpose.results import FrameResult, Person
from vidpose.tracking.base import FrameInference, TrackedPose, TrackerSetup
from vidpose.tracking.reinit_policy import ModelTraits
from vidpose.tracking.settings import SmoothingSettings, TrackerSettings
from vidpose.tracking.trackers import TrackerName, new_tracker

FINEST = 0.025  # least sigma by which people are told apart: points of faces have smaller ones


class PoseStream:
    """The memory of one video: its people, their places and the models' memory of each.

        stream = PoseStream(PoseModel.load("dkd-base-int8"))
        for frame in video:
            result = stream.step(frame.image, frame.time)

    Streams share nothing but the model and the detector, which never change; so many streams
    may use the same ones, in any order.
    """

    def __init__(
        self,
        model: PoseModel | str | Path,
        detector: Detector | str | Path | None = None,
        *,
        smooth: bool = True,
        max_people: int | None = None,
        tracker: TrackerName = "default",
        tracking: TrackerSettings | None = None,
        smoothing: SmoothingSettings | None = None,
    ) -> None:
        """A stream that has seen nothing yet.

        Args:
            model: what finds poses: a loaded model, or a name or path as `PoseModel.load` takes.
            detector: what finds people, likewise; None loads the shipped one, with the model's
                threads and runtime, unless the model finds people itself.
            smooth: filter keypoints over time. Ids and scores do not depend on it.
            max_people: at most so many people at a time; those who are there first stay.
            tracker: how people are told apart: "default" follows them with the model's memory,
                "poseflow" and "flow" find them anew in every frame (docs/evaluation.md).
            tracking, smoothing: settings; None takes the defaults.

        Raises InputError for max_people below 1, an unknown tracker, or what is no model or
        detector; BundleError when a bundle cannot be read, or there is no shipped detector.
        """
        if isinstance(model, (str, Path)):
            model = PoseModel.load(model)
        check_model(model)
        most: object = max_people
        if most is not None and not (isinstance(most, (int, np.integer)) and most >= 1):
            raise InputError(f"max_people must be a whole number of at least 1, got {most!r}")
        self.model = model
        if detector is None:
            detector = detector_for(model, threads=model.threads, runtime=model.runtime)
        elif isinstance(detector, (str, Path)):
            detector = detector_for(model, detector, model.threads, model.runtime)
        if not hasattr(detector, "detect"):
            raise InputError(
                f"a detector has a method 'detect', {type(detector).__name__} has none"
            )
        self.detector = detector
        self._smooth = smooth
        self._max_people = max_people
        self._tracker_name: TrackerName = tracker
        if isinstance(detector, OneStageDetector):
            # It has seen every frame anyway.
            tracking = tracking or TrackerSettings(detect_interval=0.0, search_interval=0.0)
        self._tracking = tracking or TrackerSettings()
        self._smoothing = smoothing or SmoothingSettings()
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is the first one of a new video, ids start at 1."""
        traits = ModelTraits(
            aspect=self.model.aspect,
            padding=self.model.padding,
            sigmas=tuple(max(sigma, FINEST) for sigma in self.model.skeleton.sigmas),
            trust=self.model.trust,
            has_memory=self.model.stepper is not None,
            flip_index=self.model.skeleton.flip_index,
        )
        setup = TrackerSetup(traits, self._tracking, self._smoothing, self._max_people)
        self._tracker = new_tracker(self._tracker_name, setup)
        self._first_size: tuple[int, int] | None = None
        self._index = 0
        self._time = -math.inf

    def step(self, image: NDArray[np.uint8], time: float) -> FrameResult:
        """Find the people of the next frame.

        Args:
            image: uint8 RGB (height, width, 3) as displayed.
            time: presentation time in s, not before the previous frame's. After a long gap
                poses are initialised anew; ids stay for people found again soon enough.

        Returns:
            The people by id, and the milliseconds spent in each stage. When the image's size
            differs from the previous frame's, people get new ids: positions in two different
            pictures cannot be compared.

        Raises InputError for anything else than such an image, or for a time that goes back.
        """
        image = _check_image(image)
        if not _is_number(time):
            raise InputError(f"frame {self._index}: time must be a number of seconds, got {time!r}")
        if time < self._time:
            raise InputError(
                f"frame {self._index}: time must not go back (got {time} s after {self._time} s); "
                "call reset() before another video"
            )
        timer = StageTimer()
        frame = FrameInference(image, self.model, self.detector, timer)
        tracked_poses = self._tracker.advance(frame, time)
        with timer.stage("smooth"):
            tracked_poses.sort(key=lambda tracked: tracked.id)
            people = tuple(self._person(each, time, frame.size) for each in tracked_poses)
        height, width = frame.size
        self._first_size = self._first_size or (width, height)
        size = None if (width, height) == self._first_size else (width, height)
        result = FrameResult(self._index, time, people, timer.milliseconds, size)
        self._index, self._time = self._index + 1, time
        return result

    def _person(self, tracked: TrackedPose, time: float, size: tuple[int, int]) -> Person:
        pose, keypoints = tracked.pose, tracked.pose.keypoints
        if self._smooth:
            points = tracked.smoother(keypoints[:, :2], time, max(pose.box[2:]))
            keypoints = np.concatenate([points, keypoints[:, 2:]], axis=1)
        return Person(tracked.id, pose.score, inside(pose.box, size), keypoints)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return math.isfinite(value)


def _check_image(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image, in memory as the graphs need it; raises InputError when it is none."""
    if not isinstance(image, np.ndarray):
        raise InputError(f"an image is a numpy array, got {type(image).__name__}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(
            "an image is uint8 RGB (height, width, 3), "
            f"got {image.dtype} {image.shape}; convert it first"
        )
    return np.ascontiguousarray(image)
