"""``vidpose convert``: results cleaned, measured, and in the formats of other tools."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidpose.cli._convert_outputs import check_kinds, write_all
from vidpose.cli._errors import UsageMistake
from vidpose.cli._options import AnglesOption, DebugOption, OverwriteOption, ResultArgument
from vidpose.errors import VidposeError
from vidpose.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidpose.results import FrameResult, ResultHeader

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
    check_kinds(result, out, height, angles, overwrite)
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
    write_all(out, header, frames, angles=angles, height=height, person=person)


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
