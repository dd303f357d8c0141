"""Rerun's recordings (.rrd): keypoints with limbs, boxes and scores on the video's own times.

Needs the optional part `vidpose[rerun]`; the viewer opens the file with `rerun NAME.rrd`.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np

from vidpose.errors import OutputError
from vidpose.io.writer import Encoder
from vidpose.results import FrameResult, Person, ResultHeader


class RerunEncoder(Encoder):
    """Writes .rrd: `people/ID/keypoints`, `people/ID/box` and `people/ID/score`.

    Raises OutputError when rerun is not installed.
    """

    def __init__(self, file: BinaryIO, header: ResultHeader) -> None:
        super().__init__(file, header)
        try:
            import rerun
        except ModuleNotFoundError as error:
            raise OutputError(
                ".rrd: this needs the optional part 'rerun': pip install 'vidpose[rerun]'"
            ) from error
        self._rerun: Any = rerun
        self._recording = rerun.RecordingStream("vidpose")
        # Rerun writes the file itself: parts of its binary stream joined are no valid recording.
        self._recording.save(file.name)
        self._seen: set[int] = set()
        keypoints = [
            rerun.AnnotationInfo(id=place, label=name)
            for place, name in enumerate(header.skeleton.keypoints)
        ]
        description = rerun.ClassDescription(
            info=rerun.AnnotationInfo(id=0, label="person"),
            keypoint_annotations=keypoints,
            keypoint_connections=[tuple(edge) for edge in header.skeleton.edges],
        )
        self._recording.log("people", rerun.AnnotationContext(description), static=True)

    def write(self, result: FrameResult) -> None:
        self._recording.set_time("frame", sequence=result.index)
        self._recording.set_time("time", duration=result.time)
        present = {person.id for person in result.people}
        for person in result.people:
            self._log(person)
        for id in self._seen - present:  # a person stays in view until something says otherwise
            self._recording.log(f"people/{id}", self._rerun.Clear(recursive=True))
        self._seen = present

    def finish(self) -> None:
        self._recording.flush()
        self._recording.disconnect()

    def release(self) -> None:
        self._recording.disconnect()

    def _log(self, person: Person) -> None:
        rerun, place = self._rerun, f"people/{person.id}"
        known = np.flatnonzero(np.isfinite(person.keypoints[:, 0]))
        points = person.keypoints[known, :2]
        self._recording.log(
            f"{place}/keypoints",
            rerun.Points2D(points, class_ids=[0] * len(known), keypoint_ids=known),
        )
        x, y, width, height = person.box
        # A box counts from the edge of the first pixel, keypoints from its centre.
        box = rerun.Boxes2D(mins=[x - 0.5, y - 0.5], sizes=[width, height], labels=f"{person.id}")
        self._recording.log(f"{place}/box", box)
        self._recording.log(f"{place}/score", rerun.Scalars(person.score))
