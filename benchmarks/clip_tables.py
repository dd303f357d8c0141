"""The pages' tables of real clips, made of results/*.json; page_tables.py says how."""

from __future__ import annotations

import textwrap

from table_parts import caption, load, rows_table

from vidpose.evaluation.tables import markdown_table


def whole_clips() -> str | None:
    names = {"frames/s": "frames/s", "least": "least", "most": "most",
             "of first": "times the first", "CPU ms a frame": "CPU ms a frame",
             "frames with a person": "frames with a person"}  # fmt: skip
    figures = load("whole_clips")
    if figures is None:
        return None
    parts = [f"{clip}:\n\n{rows_table(rows, names)}" for clip, rows in figures["clips"].items()]
    return "\n\n".join([*parts, caption(figures)])


def first_frames() -> str | None:
    """Frames in which each person is first seen, by detector."""
    figures = load("first_frames")
    if figures is None:
        return None
    rows = [
        [clip, detector, ", ".join(map(str, row["first frames"])), str(row["shorter"])]
        for clip, found in figures.items()
        if clip != "machine" and isinstance(found, dict)
        for detector, row in found.items()
        if not detector.startswith("former")
    ]
    table = markdown_table(["clip", "detector", "first frame of each id", "shorter ids"], rows)
    return f"{table}\n\n{caption(figures)}"


def worst_frames() -> str | None:
    """How far the stream is off in each clip, and how often a wrong joint is the other side's."""
    figures = load("worst_frames")
    if figures is None:
        return None
    columns = {
        "person-frames": "person-frames",
        "median before": "median, before", "median after": "after",
        "worst before": "worst sixteen, before", "worst after": "after",
        "far before": "over 10 %, before", "far after": "after",
        "lost before": "lost, before", "lost after": "after",
    }  # fmt: skip
    clips = [row for name, row in figures["clips"].items() if not name.startswith("JHMDB")]
    told = []
    for which in ("before", "after"):
        joints, wrong, other = (
            sum(row[key] for row in clips) for key in ("joints", *(f"{k} {which}" for k in _WRONG))
        )
        told.append(
            f"{which}, {wrong} of the real clips' {joints} joints are over 10 % off; {other} of "
            "them lie where the other side's joint is"
        )
    text = textwrap.fill(" ".join(f"{each.capitalize()}." for each in told), 100)
    return f"{rows_table(figures['clips'], columns, 'clip')}\n\n{text}\n\n{caption(figures)}"


_WRONG = ("wrong joints", "other side")
