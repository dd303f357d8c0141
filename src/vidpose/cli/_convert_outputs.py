"""The files that ``vidpose convert`` writes: which they may be, and their writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vidpose.cli._errors import UsageMistake
from vidpose.cli._files import check_outputs
from vidpose.words import counted

if TYPE_CHECKING:
    from vidpose.io import FurtherColumns
    from vidpose.results import FrameResult, ResultHeader

OPENSIM_SUFFIXES = (".trc", ".mot")
OPENPOSE_FOLDER = ".openpose"


def check_kinds(
    result: Path, outs: Sequence[Path], height: float | None, angles: bool, overwrite: bool
) -> None:
    """Raise UsageMistake for files that cannot be written, or that options do not fit."""
    from vidpose.io import FOREIGN_SUFFIXES, RESULT_SUFFIXES, result_suffix

    known = (*RESULT_SUFFIXES, *FOREIGN_SUFFIXES, *OPENSIM_SUFFIXES, OPENPOSE_FOLDER)
    kinds = [result_suffix(path) for path in outs]
    for path, kind in zip(outs, kinds, strict=True):
        if kind not in known:
            raise UsageMistake(f"--out {path}: unknown kind of output; use {' '.join(known)}")
        if kind == OPENPOSE_FOLDER and path.exists():
            raise UsageMistake(f"--out {path}: it exists; a folder is never replaced, remove it")
    check_outputs(outs, overwrite=overwrite, inputs=[result])
    if ".trc" in kinds and height is None:
        raise UsageMistake("--out .trc: OpenSim wants metres: give --height, the person's height")
    if (angles or height is not None) and not {".csv", ".parquet", *OPENSIM_SUFFIXES} & set(kinds):
        raise UsageMistake("--angles and --height need a .csv, .parquet, .trc or .mot to go to")


def write_all(
    outs: Sequence[Path],
    header: ResultHeader,
    frames: Sequence[FrameResult],
    *,
    angles: bool,
    height: float | None,
    person: int | None,
) -> None:
    """Write the result to each file, and print its name."""
    from vidpose.analysis.opensim import export_mot, export_trc
    from vidpose.files import make_folder
    from vidpose.io import open_writer, result_suffix
    from vidpose.io.openpose import write_openpose_folder

    kept = _only(person, frames)
    for path in outs:
        make_folder(path)
        kind = result_suffix(path)
        if kind == ".trc":
            assert height is not None
            written = export_trc(path, frames, header.skeleton, height, person)
            print(f"wrote {path} (person {written}{_blanks(frames, written)})")
        elif kind == ".mot":
            written = export_mot(path, frames, header.skeleton, person)
            print(f"wrote {path} (person {written}{_blanks(frames, written)})")
        elif kind == OPENPOSE_FOLDER:
            write_openpose_folder(path, header, kept)
            print(f"wrote {path}/ ({counted(len(kept), 'file')})")
        else:
            further = _further(header, frames, angles, height, person)
            with open_writer(path, header, further) as writer:
                for frame in kept:
                    writer.write(frame)
            print(f"wrote {path}")


def _only(person: int | None, frames: Sequence[FrameResult]) -> Sequence[FrameResult]:
    if person is None:
        return frames
    return [
        replace(frame, people=tuple(each for each in frame.people if each.id == person))
        for frame in frames
    ]


def _blanks(frames: Sequence[FrameResult], person: int) -> str:
    """What to say of the rows in which the person is not seen."""
    from vidpose.analysis.scale import chosen_person

    present = chosen_person(frames, person).present
    missing = len(present) - int(present.sum())
    if not missing:
        return ""
    return (
        f"; {missing} of {len(present)} rows are blank, as they are not seen there: --fill-gaps "
        "fills short ones"
    )


def _further(
    header: ResultHeader,
    frames: Sequence[FrameResult],
    angles: bool,
    height: float | None,
    person: int | None,
) -> FurtherColumns | None:
    from vidpose import analysis

    parts: list[FurtherColumns] = []
    if angles:
        parts.append(analysis.AngleColumns(header.skeleton))
    if height is not None:
        parts.append(analysis.MetreColumns(frames, header.skeleton, height, person))
    return analysis.joined_columns(parts) if parts else None
