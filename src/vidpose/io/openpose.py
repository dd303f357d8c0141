"""OpenPose's JSON: one file a frame, in BODY_25's order, in a zip archive or a folder.

File names and keys are those that OpenPose 1.7 writes with `--write_json`. BODY_25's neck is the
middle of the shoulders and its mid-hip that of the hips where the skeleton has none; a keypoint
that is missing is (0, 0, 0), as OpenPose has it. Ids stand in `person_id`, which OpenPose fills
when it tracks.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vidpose.files import cannot_write
from vidpose.io.writer import Encoder
from vidpose.results import FrameResult, Person, ResultHeader, singles
from vidpose.skeleton import Skeleton, find_skeleton, map_keypoints

_EMPTY = (
    "face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d", "pose_keypoints_3d",
    "face_keypoints_3d", "hand_left_keypoints_3d", "hand_right_keypoints_3d",
)  # fmt: skip


BODY_25 = find_skeleton("body25")


class OpenPoseZipEncoder(Encoder):
    """Writes .openpose.zip: a folder of `NAME_000000000000_keypoints.json`, frame by frame."""

    def __init__(self, file: BinaryIO, header: ResultHeader) -> None:
        super().__init__(file, header)
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self._name = Path(header.source.path).stem or "video"

    def write(self, result: FrameResult) -> None:
        content = json.dumps(openpose_frame(result, self.header.skeleton), allow_nan=False)
        self._archive.writestr(openpose_name(self._name, result.index), content)

    def finish(self) -> None:
        self._archive.close()

    def release(self) -> None:
        # An archive that is not closed would write its directory when it is collected.
        self._archive.fp = None


def write_openpose_folder(path: Path, header: ResultHeader, frames: Sequence[FrameResult]) -> None:
    """The files of `OpenPoseZipEncoder` in a folder, which appears when all of them are written.

    Raises OutputError when the folder exists or cannot be written.
    """
    name = Path(header.source.path).stem or "video"
    try:
        with tempfile.TemporaryDirectory(prefix=".vidpose-", dir=path.parent) as unfinished:
            folder = Path(unfinished) / "frames"
            folder.mkdir()
            for result in frames:
                content = json.dumps(openpose_frame(result, header.skeleton), allow_nan=False)
                (folder / openpose_name(name, result.index)).write_text(content)
            folder.rename(path)
    except OSError as error:
        raise cannot_write(path, error) from error


def openpose_name(name: str, index: int) -> str:
    """The file name of one frame."""
    return f"{name}_{index:012d}_keypoints.json"


def openpose_frame(result: FrameResult, skeleton: Skeleton) -> dict[str, Any]:
    """One frame as OpenPose writes it."""
    return {"version": 1.3, "people": [_entry(person, skeleton) for person in result.people]}


def _entry(person: Person, skeleton: Skeleton) -> dict[str, Any]:
    points: NDArray[np.float32] = np.nan_to_num(map_keypoints(person.keypoints, skeleton, BODY_25))
    points[points[:, 2] == 0] = 0
    return {
        "person_id": [person.id],
        "pose_keypoints_2d": singles(points),
        **{name: [] for name in _EMPTY},
    }
