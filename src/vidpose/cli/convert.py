"""``vidpose convert``: results cleaned, measured, and in the formats of other tools."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidpose.cli._errors import UsageMistake
from vidpose.cli._files import check_outputs
from vidpose.cli._options import AnglesOption, DebugOption, OverwriteOption, ResultArgument
from vidpose.errors import VidposeError
from vidpose.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidpose.io import FurtherColumns
    from vidpose.results import FrameResult, ResultHeader

OPENSIM_SUFFIXES = (".trc", ".mot")
OPENPOSE_FOLDER = ".openpose"
_ABOVE_0 = 1e-9


def convert(
    result: ResultArgument,
    out: Annotated[
        list[Path],
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="What to write; may be given several times: .jsonl .csv .parquet .json, "
            ".openpose.zip (.openpose: a folder) .mmpose.json .ultralytics.json .rrd (rerun), and "
            "for OpenSim .trc "
            "(markers in metres, needs --height) and .mot (angles) of one person.",
        ),
    ],
    merge_ids: Annotated[
        list[str] | None,
        typer.Option(
            "--merge-ids",
            metavar="3=1|auto",
            help="Make person 3 person 1; may be given several times. auto: join ids that follow "
            "each other within 2 seconds at the same place and size.",
            show_default=False,
        ),
    ] = None,
    min_duration: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Leave out who is seen for less than this, from their first frame to their last.",
            show_default=False,
        ),
    ] = None,
    fill_gaps: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Fill absences of people and keypoints up to this long.",
            show_default=False,
        ),
    ] = None,
    lowpass: Annotated[
        float | None,
        typer.Option(
            metavar="HZ",
            help="Smooth with a zero-lag Butterworth filter (order 4) of this cutoff: 6 for "
            "walking, 10 to 15 for fast sport.",
            show_default=False,
        ),
    ] = None,
    angles: AnglesOption = False,
    height: Annotated[
        float | None,
        typer.Option(
            metavar="METRES",
            help="Height of the person: adds positions in metres above the floor, and speeds, to "
            ".csv and .parquet.",
            show_default=False,
        ),
    ] = None,
    person: Annotated[
        int | None,
        typer.Option(
            metavar="ID",
            help="Keep this person alone; --height is theirs.",
            show_default="everybody; height, .trc and .mot are of who is seen longest",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    debug: DebugOption = False,
) -> None:
    """Clean a result, measure in it, and write it for other tools.

    The steps follow each other as the options do above: ids, short visits, gaps, filter, measures,
    person.

    \b
    Examples:
      vidpose convert squat.jsonl --out squat.csv --fill-gaps 0.3 --lowpass 6 --angles
      vidpose convert walk.jsonl --out walk.trc --out walk.mot --height 1.68
      vidpose convert dance.jsonl --out dance.openpose.zip --merge-ids 3=1
    """
    from vidpose.io import read_results

    merges = _parse_merges(merge_ids or [])
    _check_values(min_duration, fill_gaps, lowpass, height)
    _check_outputs(result, out, height, angles, overwrite)
    found = read_results(result)
    if found.header is None:
        raise UsageMistake(f"{result}: this format does not name its keypoints; use .jsonl")
    frames = _cleaned(found.frames, merges, min_duration, fill_gaps, lowpass)
    _check_people(person, found.frames, frames)
    steps = {
        "merge_ids": merge_ids,
        "min_duration": min_duration,
        "fill_gaps": fill_gaps,
        "lowpass": lowpass,
        "angles": angles,
        "height": height,
        "person": person,
    }
    header = _noted(found.header, {name: value for name, value in steps.items() if value})
    _write_all(out, header, frames, angles=angles, height=height, person=person)


def _noted(header: ResultHeader, steps: dict[str, object]) -> ResultHeader:
    """The header of a result after these steps, which say that no run alone makes it."""
    made_from = header.provenance
    if made_from is None or not steps:
        return header
    before = made_from.options.get("convert", [])
    after = [*(before if isinstance(before, list) else []), steps]
    options = {**made_from.options, "convert": after}
    return replace(header, provenance=replace(made_from, options=options))


def _parse_merges(texts: Sequence[str]) -> dict[int, int] | None:
    """The ids to merge; None for the rule."""
    if "auto" in texts:
        if len(texts) > 1:
            raise UsageMistake("--merge-ids: auto stands alone")
        return None
    merges = {}
    for text in texts:
        old, _, new = text.partition("=")
        if not (old.strip().isdigit() and new.strip().isdigit()):
            raise UsageMistake(f"--merge-ids {text}: write OLD=NEW, as in 3=1, or auto")
        merges[int(old)] = int(new)
    return merges


def _check_values(
    duration: float | None, gap: float | None, cutoff: float | None, height: float | None
) -> None:
    for option, value, least, most, right in (
        ("--min-duration", duration, 0.0, math.inf, "0 seconds or more"),
        ("--fill-gaps", gap, _ABOVE_0, math.inf, "more than 0 seconds"),
        ("--lowpass", cutoff, _ABOVE_0, math.inf, "more than 0 Hz"),
        ("--height", height, _ABOVE_0, 2.999, "more than 0 and less than 3 metres"),
    ):
        if value is not None and not least <= value <= most:
            raise UsageMistake(f"{option} {value:g}: give {right}")


def _check_outputs(
    result: Path, outs: Sequence[Path], height: float | None, angles: bool, overwrite: bool
) -> None:
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


def _cleaned(
    frames: Sequence[FrameResult],
    merges: dict[int, int] | None,
    duration: float | None,
    gap: float | None,
    cutoff: float | None,
) -> list[FrameResult]:
    from vidpose import analysis

    frames = list(frames)
    if merges is None:
        merges = analysis.find_merges(frames)
        said = ", ".join(f"{old}={new}" for old, new in merges.items()) or "none"
        print(f"merged ids: {said}")
    if merges:
        frames = analysis.merge_ids(frames, merges)
    if duration is not None:
        before = _ids(frames)
        frames = analysis.without_short_visits(frames, duration)
        if brief := len(before - _ids(frames)):
            print(
                f"left out: {counted(brief, 'person', 'people')} seen for less than {duration:g} s"
            )
    if gap is not None:
        frames = analysis.fill_gaps(frames, gap)
    if cutoff is not None:
        from vidpose.analysis.filtering import SHORTEST_RUN, short_stretches

        if short := short_stretches(frames):
            what = f"{counted(short, 'stretch', 'stretches')} of less than {SHORTEST_RUN} frames"
            print(f"not filtered: {what} (--fill-gaps joins them)")
        try:
            frames = analysis.lowpass(frames, cutoff)
        except VidposeError as error:
            raise VidposeError(f"--lowpass {cutoff:g}: {error}") from error
    return frames


def _ids(frames: Sequence[FrameResult]) -> set[int]:
    return {person.id for frame in frames for person in frame.people}


def _check_people(
    person: int | None, before: Sequence[FrameResult], cleaned: Sequence[FrameResult]
) -> None:
    """Whether there is this person, or anybody, after the cleaning."""
    there, all_ids = _ids(cleaned), _ids(before)
    if person is not None and person not in there:
        known = ", ".join(map(str, sorted(there))) or "none"
        gone = " any more (--merge-ids, --min-duration)" if person in all_ids else ""
        raise VidposeError(f"--person {person}: there is no such id{gone}; there are {known}")
    if all_ids and not there:
        print(
            "vidpose: warning: nobody is seen for so long as --min-duration says, so the result "
            "is without people",
            file=sys.stderr,
        )


def _only(person: int | None, frames: Sequence[FrameResult]) -> Sequence[FrameResult]:
    if person is None:
        return frames
    return [
        replace(frame, people=tuple(each for each in frame.people if each.id == person))
        for frame in frames
    ]


def _write_all(
    outs: Sequence[Path],
    header: ResultHeader,
    frames: Sequence[FrameResult],
    *,
    angles: bool,
    height: float | None,
    person: int | None,
) -> None:
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
