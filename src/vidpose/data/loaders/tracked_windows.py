"""Windows of real video, cropped as a tracker crops, with other people in front.

What labels and masks cannot say, a teacher says: of clips without labels it speaks alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch.utils.data import Dataset

from vidpose.data.bounds import FACTOR, SHARE, check_bounds
from vidpose.data.datasets.jhmdb import Part
from vidpose.data.datasets.jhmdb_videos import MaskedClip, open_videos
from vidpose.data.loaders.augment import crop_matrix, warp_affine, weight_outside
from vidpose.data.loaders.video_clips import labelled
from vidpose.data.samples import SOURCES, read_image
from vidpose.data.synthesis.crop_jitter import CropJitter
from vidpose.data.synthesis.photometry import Degradation, Light
from vidpose.errors import DataError
from vidpose.skeleton import COCO_17, map_keypoints

Images = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """How strong everything is.

    Attributes:
        stride: frames of the video between two of the window's, smallest and largest.
        backwards: probability of a window that runs backwards.
        flip: probability of mirroring.
        rotation_deg: half of the windows are turned by up to this angle.
        scale: factor on the regions, smallest and largest, evenly drawn in logarithm.
        half_body: probability that only the upper or the lower part of the body is in the crop.
        people: probability that a person of another clip passes in front.
        label_weight: of the labels; the teacher's weight stays.
        tracker: lag and jitter of the regions.
        light, degradation: see there.
    """

    stride: tuple[int, int] = (1, 3)
    backwards: float = 0.33
    flip: float = 0.5
    rotation_deg: float = 15.0
    scale: tuple[float, float] = (0.6, 1.3)
    half_body: float = 0.1
    people: float = 0.3
    label_weight: float = 1.0
    tracker: CropJitter = field(default_factory=CropJitter)
    light: Light = field(default_factory=Light)
    degradation: Degradation = field(default_factory=Degradation)

    def __post_init__(self) -> None:
        shares = ("backwards", "flip", "half_body", "people", "label_weight")
        bounds = {"stride": (1, 30), "rotation_deg": (0, 180), "scale": FACTOR}
        check_bounds(self, {**bounds, **dict.fromkeys(shares, SHARE)})


class WindowsSection(BaseModel):
    """Real video among the clips: JHMDB's training clips, labelled or with masks alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    jhmdb: Path
    """The folder of JHMDB, with ReCompress_Videos/, puppet_mask/ and splits/."""
    split: Literal["1", "2", "3"] = "1"
    """Whose training part is learnt from; its test part is for evaluation alone."""
    share: float = Field(default=0.5, gt=0, le=1)
    """Of the items that are of video; the others are of stills."""
    incomplete: bool = False
    """Leave out clips without video or mask; without it every training clip must be there."""
    windows: WindowConfig = WindowConfig()
    """Strengths of what is done to them."""

    def open(self, cache: Path, part: Part = "train") -> list[MaskedClip]:
        """The clips of a part of the split. Raises as `open_videos`."""
        return open_videos(self.jhmdb, self.split, part, cache, incomplete=self.incomplete)


class TrackedWindows(Dataset[dict[str, Any]]):
    """Endless windows of clips with masks; item i is a function of (seed, i) alone.

    Items: `images` uint8 (T, 3, h, w), `keypoints` float32 (T, 17, 3) in their pixels; the third
    column is the labels' weight, 0 where a joint is unlabelled, outside the image or the crop;
    `source` as of stills.

    Args:
        clips: of at least T frames each, of JHMDB's skeleton.
        frames: T.
        size: (h, w) of the crops.
        seed: with i, what everything random comes from.
        config: strengths.

    Raises DataError where no clip is long enough.
    """

    def __init__(
        self,
        clips: Sequence[MaskedClip],
        frames: int,
        size: tuple[int, int],
        seed: int,
        config: WindowConfig,
    ) -> None:
        self._clips = [item for item in clips if len(item.clip) >= frames]
        if not self._clips:
            raise DataError(f"none of {len(clips)} clips has {frames} frames")
        self._frames = frames
        self._size = size
        self._seed = seed
        self._config = config

    @property
    def description(self) -> str:
        """All that decides what the windows are."""
        names = " ".join(item.clip.name for item in self._clips)
        return f"{names} {self._frames} {self._size} {self._seed} {self._config}"

    def __getitem__(self, index: int) -> dict[str, Any]:
        config, rng = self._config, np.random.default_rng([self._seed, index])
        item = self._clips[int(rng.integers(len(self._clips)))]
        frames, stride = self._window(rng, len(item.clip))
        matrices = self._matrices(rng, item.clip.boxes[frames].astype(np.float64))
        images, points = [], []
        for frame, matrix in zip(frames, matrices, strict=True):
            picture = read_image(item.clip.frames[frame])
            images.append(warp_affine(picture, matrix, self._size))
            points.append(self._points(item, frame, picture.shape, matrix))
        shown, keypoints = np.stack(images), np.stack(points)
        if rng.random() < config.people:
            shown = self._pass_in_front(rng, shown, item)
        if rng.random() < config.flip:
            shown, keypoints = self._mirrored(shown, keypoints)
        shown = config.degradation.apply(rng, config.light.apply(rng, shown, stride))
        keypoints[..., 2] *= config.label_weight
        return {
            "images": torch.from_numpy(np.ascontiguousarray(shown.transpose(0, 3, 1, 2))),
            "keypoints": torch.from_numpy(keypoints),
            "source": torch.tensor(SOURCES.index("jhmdb")),
        }

    def _window(self, rng: np.random.Generator, length: int) -> tuple[NDArray[np.intp], int]:
        """The window's frames, and how far they are apart."""
        low, high = self._config.stride
        steps = max(self._frames - 1, 1)
        stride = min(int(rng.integers(low, high + 1)), (length - 1) // steps or 1)
        first = int(rng.integers(length - stride * (self._frames - 1)))
        frames = first + stride * np.arange(self._frames)
        return (frames[::-1] if rng.random() < self._config.backwards else frames), stride

    def _matrices(
        self, rng: np.random.Generator, boxes: NDArray[np.float64]
    ) -> list[NDArray[np.float32]]:
        """From the frames' pixels to those of crops around the boxes that a tracker knows."""
        config, (height, width) = self._config, self._size
        if rng.random() < config.half_body:
            boxes = boxes.copy()
            part = rng.uniform(0.45, 0.65)
            if rng.random() < 0.4:
                boxes[:, 1] += (1 - part) * boxes[:, 3]
            boxes[:, 3] *= part
        zoom = float(np.exp(rng.uniform(*np.log(config.scale))))
        regions = config.tracker.regions(rng, boxes, aspect=width / height, zoom=zoom)
        turn = 0.0
        if rng.random() < 0.5:
            turn = rng.uniform(-config.rotation_deg, config.rotation_deg)
        return [
            crop_matrix(np.array([x + w / 2, y + h / 2]) - 0.5, height / h, turn, self._size)
            for x, y, w, h in regions
        ]

    def _points(
        self, item: MaskedClip, frame: int, image: tuple[int, ...], matrix: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Keypoints (17, 3) of a frame in its crop's pixels."""
        points = labelled(item.clip.keypoints[frame], image[:2])
        points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        points = weight_outside(points, self._size)
        points = map_keypoints(points, item.clip.skeleton, COCO_17)
        points[points[:, 2] <= 0] = 0
        return points.astype(np.float32)

    def _pass_in_front(
        self, rng: np.random.Generator, images: Images, behind: MaskedClip
    ) -> Images:
        """The window with a person of another clip, cut out by the mask, moving across it."""
        other = self._clips[int(rng.integers(len(self._clips)))]
        frame = int(rng.integers(len(other.clip)))
        x, y, w, h = (int(side) for side in other.clip.boxes[frame])
        if other.folder == behind.folder or min(w, h) < 2:
            return images
        cut = (slice(y, y + h), slice(x, x + w))
        picture = read_image(other.clip.frames[frame])[cut]
        alpha = other.mask(frame)[cut].astype(np.float32)
        height, width = self._size
        scale = rng.uniform(0.5, 1.2) * height / h
        start = rng.uniform((-0.3, 0.1), (1.0, 0.9)) * (width, height)
        speed = rng.normal(0, 0.03, 2) * height
        out = images.copy()
        for t in range(len(out)):
            left, top = start + t * speed
            place = np.array([[scale, 0, left], [0, scale, top]], np.float32)
            person = cv2.warpAffine(picture, place, (width, height))
            share = cv2.warpAffine(alpha, place, (width, height))[..., None]
            out[t] = np.round(share * person + (1 - share) * out[t]).astype(np.uint8)
        return out

    def _mirrored(
        self, images: Images, keypoints: NDArray[np.float32]
    ) -> tuple[Images, NDArray[np.float32]]:
        points = keypoints[:, list(COCO_17.flip_index)]
        points[..., 0] = self._size[1] - 1 - points[..., 0]
        points[points[..., 2] <= 0] = 0
        return images[:, :, ::-1], points


class WindowFrames(Dataset[dict[str, Any]]):
    """The last frames of windows as items of stills: `image`, `keypoints`, `source`.

    Of windows of two frames or more, so that the crop lags as a tracker's does.
    """

    def __init__(self, windows: TrackedWindows) -> None:
        self._windows = windows

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = self._windows[index]
        return {
            "image": item["images"][-1],
            "keypoints": item["keypoints"][-1],
            "source": item["source"],
        }


class MixedClips(Dataset[dict[str, Any]]):
    """Items of two data sets: of the second with probability `share`, else of the first.

    Item i is a function of (seed, i) alone where the items of both are.
    """

    def __init__(
        self,
        first: Dataset[dict[str, Any]],
        second: Dataset[dict[str, Any]],
        share: float,
        seed: int,
    ) -> None:
        self._sets = (first, second)
        self._share = share
        self._seed = seed

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng([self._seed, index, 1])
        item: dict[str, Any] = self._sets[int(rng.random() < self._share)][index]
        return item
