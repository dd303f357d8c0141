"""What of a data set is there, what is missing and what is faulty: to be known before training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidpose.data.catalogue import DataSet
from vidpose.data.clips import ClipSet, LabelledClip, frame_fault, is_at_hand, label_fault
from vidpose.data.datasets.coco_file import LabelFaultsError
from vidpose.data.samples import read_image
from vidpose.errors import DataError

SAMPLED_STILLS = 500
"""Single images that a check opens unless it is to open all."""


@dataclass(slots=True)
class CheckReport:
    """Lines of what was found, is missing, and is faulty."""

    found: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    faulty: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or faulty."""
        return not self.missing and not self.faulty


def check_data(
    data_set: DataSet,
    root: Path,
    *,
    every_image: bool = False,
    seen: Callable[[], None] = lambda: None,
) -> CheckReport:
    """Check all splits of a data set; every clip's labels are read, of its images a sample.

    The sample is the first, middle and last frame of each clip, and 500 of single images.
    `seen` is called after every clip and every image.
    """
    report = CheckReport()
    parts = _opened(data_set, root, report)
    clips: dict[str, LabelledClip] = {}
    bad: set[str] = set()
    for part in parts:
        for name in part.names:
            if name in clips or name in bad:
                continue
            try:
                clips[name] = clip = part.read(name)
            except DataError as error:
                bad.add(name)
                report.faulty.append(str(error))
                continue
            _check_clip(clip, part, report)
            seen()
        _count(part, clips, report)
    there = [clip for clip in clips.values() if is_at_hand(clip)]
    _note_images(list(clips.values()), there, parts[0].unit if parts else "clips", report)
    if data_set.unlabelled is not None:
        report.faulty += [f"{path}: images without labels" for path in data_set.unlabelled(root)]
    for path in _to_open(there, every_image):
        try:
            read_image(path)
        except DataError as error:
            report.faulty.append(str(error))
        seen()
    return report


def _opened(data_set: DataSet, root: Path, report: CheckReport) -> list[ClipSet]:
    """The parts of the data set that can be opened; what cannot is missing."""
    parts: list[ClipSet] = []
    problems: list[str] = []
    for open_part in data_set.parts.values():
        try:
            parts.append(open_part(root))
        except LabelFaultsError as error:
            # Parts may share a file of labels.
            report.faulty += [fault for fault in error.faults if fault not in report.faulty]
        except DataError as error:
            problems.append(str(error))
    if not parts and data_set.without_splits is not None:
        try:
            parts.append(data_set.without_splits(root))
        except DataError as error:
            problems.append(str(error))
    report.missing += dict.fromkeys(problems)
    return parts


def _count(part: ClipSet, clips: Mapping[str, LabelledClip], report: CheckReport) -> None:
    of = "" if part.official is None else f" of {part.official:,}"
    images = sum(is_at_hand(clips[name]) for name in part.names if name in clips)
    report.found.append(
        f"split {part.split}: labels of {len(part):,}{of} {part.unit}, images of {images:,}"
    )
    if part.official is not None and len(part) < part.official:
        lacking = part.official - len(part)
        report.missing.append(f"split {part.split}: labels of {lacking:,} {part.unit}")


def _check_clip(clip: LabelledClip, part: ClipSet, report: CheckReport) -> None:
    fault = label_fault(clip)
    if fault:
        report.faulty.append(fault)
    if is_at_hand(clip):
        fault = frame_fault(clip, whole_folder=part.whole_folders)
        if fault:
            report.faulty.append(fault)


def _note_images(
    clips: Sequence[LabelledClip], there: Sequence[LabelledClip], unit: str, report: CheckReport
) -> None:
    if not clips:
        return
    frames = sum(len(clip) for clip in clips)
    report.found.append(
        f"{frames:,} labelled frames, images of {len(there):,} of {len(clips):,} labelled {unit}"
    )
    absent = [clip for clip in clips if not is_at_hand(clip)]
    if absent:
        report.missing.append(f"images of {len(absent):,} {unit}, the first {absent[0].frames[0]}")
    stand_ins = [clip for clip in clips if not clip.official_boxes]
    if stand_ins:
        report.missing.append(
            f"boxes of {len(stand_ins):,} {unit}: the {stand_ins[0].boxes_from} stands in"
        )


def _to_open(clips: Iterable[LabelledClip], every_image: bool) -> list[Path]:
    paths: dict[Path, None] = {}
    stills: dict[Path, None] = {}
    for clip in clips:
        if len(clip) == 1:
            stills[clip.frames[0]] = None
        elif every_image:
            paths.update(dict.fromkeys(clip.frames))
        else:
            last = len(clip) - 1
            paths.update(dict.fromkeys(clip.frames[i] for i in (0, last // 2, last)))
    step = 1 if every_image else max(1, len(stills) // SAMPLED_STILLS)
    # Frames that are not there are told once, as a wrong number of images.
    return [path for path in [*paths, *list(stills)[::step]] if path.exists()]
