"""The tables of README.md and docs/, made of results/*.json and of the shipped bundles.

Each table is a function without arguments that gives Markdown, or None where its file is not there;
fill_figures.py puts them into the pages.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from clip_tables import first_frames, whole_clips, worst_frames
from imported_tables import carried_looks, imported, imported_accuracy
from method_tables import kernel_ablation, methods_jhmdb, methods_jhmdb_limbs, methods_small
from table_parts import Figures, caption, load, rows_table, shipped

from vidpose.defaults import DEFAULT_MODEL, FAST_MODEL
from vidpose.evaluation.tables import markdown_table

PCK = {"PCK@0.2": "PCK@0.2", "+-": "+-", "PCK@0.1": "PCK@0.1", "ahead": "ahead",
       "ahead +-": "+- of ahead", "sides free @0.2": "sides free",
       "last frame @0.2": "last frame", "acceleration error": "acceleration error",
       "OKS AR": "OKS AR", "joints": "joints"}  # fmt: skip


def _pck(rows: Mapping[str, Mapping[str, Any]], beside: str = "the first") -> str:
    """A PCK table; `beside`: what "ahead" is a difference to. Rows that differ from nothing, such
    as other networks, have none."""
    shown: dict[str, dict[str, Any]] = {}
    for name, row in rows.items():
        shown[NAMES.get(name, name)] = dict(row)
        if not row.get("ahead +-"):
            shown[NAMES.get(name, name)] |= {"ahead": None, "ahead +-": None}
        if "OKS AR" in row:
            shown[name]["OKS AR"] = f"{row['OKS AR']:.3f}"
    differ = any(row.get("ahead +-") for row in rows.values())
    columns = {k: v for k, v in PCK.items() if differ or "ahead" not in k}
    return rows_table(shown, columns | ({"ahead": f"beside {beside}"} if differ else {}))


SETS = {"lspet": "LSPET, kept-out people", "coco": "COCO val2017, people of a part of it"}
NAMES = {"tinypose": "TinyPose", "lightning": "MoveNet Lightning", "thunder": "MoveNet Thunder"}


def bundles() -> str:
    """What the shipped models say of themselves."""
    names = {
        "parameters": "parameters, 10^6",
        "amortised_mmacs": "multiply-adds, 10^6",
        "initializer_pck@0.2": "LSPET initializer",
        "step_pck@0.2": "LSPET clips, step",
        "coco_initializer_pck@0.2": "COCO people, initializer",
        "coco_step_pck@0.2": "COCO clips, step",
        "initializer_calibration_error": "calibration error",
    }
    rows: dict[str, dict[str, Any]] = {}
    for bundle in shipped():
        row: dict[str, Any] = {k: bundle.metrics[k] for k in names if k in bundle.metrics}
        row["parameters"] = row.get("parameters", 0) / 1e6
        error = row.get("initializer_calibration_error")
        row["initializer_calibration_error"] = None if error is None else f"{error:.3f}"
        rows[bundle.name] = row
    return rows_table(rows, names) + (
        "\n\nPCK@0.2 of the torso, measured by `vidpose export` on kept-out people, the step by its"
        " maps\nalone; multiply-adds with one initialisation in 30 frames."
    )


def int8() -> str | None:
    """Each INT8 model beside its float form, from its own figures."""
    rows = {}
    for bundle in shipped():
        for key, value in bundle.metrics.items():
            if f"float_{key}" in bundle.metrics and "pck" in key:
                rows[f"{bundle.name}: {key.replace('_', ' ')}"] = {
                    "float": f"{bundle.metrics[f'float_{key}']:.2f}",
                    "int8": f"{value:.2f}",
                }
    return rows_table(rows, {"float": "float", "int8": "INT8"}, "figure") if rows else None


def crops_accuracy() -> str | None:
    figures = load("crops_accuracy")
    if figures is None:
        return None
    parts = [f"{title}:\n\n{_pck(figures[key])}" for key, title in SETS.items() if figures.get(key)]
    return "\n\n".join([*parts, caption(figures)])


def clips_accuracy() -> str | None:
    found = [
        f for f in map(load, ("clips_accuracy", "clips_accuracy_lspet", "clips_accuracy_coco")) if f
    ]
    parts = [
        f"{SETS.get(title, title)}:\n\n{_pck(rows)}\n\n{caption(figures)}"
        for figures in found
        for title, rows in figures["models"].items()
    ]
    return "\n\n".join(parts) or None


def _simple(name: str, key: str, columns: Mapping[str, str], places: int = 1) -> str | None:
    figures = load(name)
    if figures is None:
        return None
    return f"{rows_table(figures[key], columns, places=places)}\n\n{caption(figures)}"


def video_accuracy() -> str | None:
    figures = load("video_accuracy")
    return (
        f"{_pck(figures['networks'], 'its initializer')}\n\n{caption(figures)}" if figures else None
    )


def memory() -> str | None:
    """What carrying the pose costs and gives beside the initializer in every frame."""
    video, time = load("video_accuracy"), load("step_time")
    if video is None or time is None:
        return None
    rows = {}
    for name, row in video["networks"].items():
        model = name.removesuffix(" step")
        if model == name:
            continue
        base = video["networks"][f"{model} initializer"]
        spent = [
            time["networks"][f"{model} {part}"]["CPU ms"] for part in ("amortised", "initializer")
        ]
        rows[model] = {
            "pck": f"{row['ahead']:+.1f} +- {row['ahead +-']:.1f}",
            "calm": f"{row['acceleration error'] / base['acceleration error']:.2f}",
            "time": f"{spent[0] / spent[1]:.2f}",
        }
    columns = {"pck": "PCK@0.2", "calm": "acceleration error, times", "time": "time, times"}
    return rows_table(rows, columns)


def step_time() -> str | None:
    names = {"CPU ms": "CPU ms", "CPU of MoveNet Lightning": "CPU of Lightning",
             "CPU of TinyPose": "CPU of TinyPose"}  # fmt: skip
    return _simple("step_time", "networks", names, places=3)


def finder_accuracy() -> str | None:
    figures = load("finder_accuracy")
    if figures is None:
        return None
    rows = [row for row in figures["detectors"] if not row["detector"].startswith("former")]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = markdown_table(columns, [[str(row.get(c, "")) for c in columns] for row in rows])
    return f"{table}\n\n{caption(figures)}"


def tracking() -> str | None:
    figures = load("tracking")
    if figures is None or "crossing" not in figures:
        return None
    rows = {
        name: {k: f"{100 * v:.1f}" if k in _SHARES else v for k, v in row.items() if k != "people"}
        for name, row in figures["crossing"].items()
    }
    columns = {key: _SHARES.get(key, key.replace("_", " ")) for key in next(iter(rows.values()))}
    return f"{rows_table(rows, columns, 'tracker')}\n\n{caption(figures)}"


_SHARES = {"hota": "HOTA", "deta": "DetA", "assa": "AssA", "mota": "MOTA", "idf1": "IDF1"}


def multiview() -> str | None:
    """Four cameras: how far their joints are from the points on which they agree."""
    names = {"reprojection median": "reprojection, median px", "reprojection mean": "mean",
             "held out median": "held out, median", "jitter": "jitter",
             "jitter 3D": "jitter 3D"}  # fmt: skip
    figures = load("multiview")
    if figures is None:
        return None
    parts = [
        f"{title}:\n\n{rows_table(_renamed(each['methods']), names)}"
        for title, each in figures.items()
        if isinstance(each, dict) and "methods" in each
    ]
    return "\n\n".join([*parts, caption(figures)])


def _renamed(rows: Mapping[str, Any]) -> dict[str, Any]:
    return {NAMES.get(name, name): row for name, row in rows.items() if "smoothed" not in name}


def batch_seams() -> str | None:
    columns = ("seams", "person-frames", "same id %")
    return _simple("batch_seams", "rows", {name: name for name in columns})


def batch_speed() -> str | None:
    figures = load("batch_speed")
    if figures is None:
        return None
    ways = {"frames/s": "frames/s", "times": "times the first (least to most)",
            "working, times": "without starts"}  # fmt: skip
    memory = {"driver": "driver", "worker": "largest worker"}
    costs = figures["overhead"]
    told = textwrap.fill(
        f"CPU a video beyond reading and following: {costs['task ms']} ms in the worker (median of "
        f"pairs, quartiles {costs['task quartiles']}), {costs['driver ms']} ms in the driver.",
        100,
    )
    tables = [
        rows_table(figures["ways"], ways, "way"),
        rows_table(figures["memory"], memory, "MB, of 1,000 small videos"),
    ]
    return "\n\n".join([tables[0], caption(figures), told, tables[1]])


def sizes() -> str | None:
    names = {"package": "lines of the package", "tests": "lines of tests",
             "benchmarks": "lines of benchmarks", "words": "words of documentation"}  # fmt: skip
    figures = load("code_size")
    if figures is None:
        return None
    table = rows_table(figures["rows"], names, "version")
    return f"{table}\n\nBy `{figures['command']}`."


def front() -> str | None:
    """The README's figures: accuracy, calm and time beside what people would use instead."""
    video, time, whole = load("video_accuracy"), load("step_time"), load("whole_clips")
    if video is None or time is None:
        return None
    names = {DEFAULT_MODEL: "**" + DEFAULT_MODEL + "**", FAST_MODEL: FAST_MODEL + " (`--fast`)"}
    steps = {f"{name} step": shown for name, shown in names.items()}
    peers = {"tinypose": "TinyPose", "lightning": "MoveNet Lightning"}
    rows: dict[str, dict[str, Any]] = {}
    for key, shown in {**steps, **peers}.items():
        found = video["networks"].get(key)
        if found is None:
            continue
        timed = time["networks"].get(NAMES.get(key, key.replace(" step", " amortised")), {})
        rows[shown] = {
            "accuracy": f"{found['PCK@0.2']:.1f} +- {found['+-']:.1f}",
            "calm": f"{found['acceleration error']:.1f} +- {found['acceleration +-']:.1f}",
            "time": f"{timed['CPU of MoveNet Lightning']:.2f}" if timed else None,
        }
    table = rows_table(
        rows,
        {"accuracy": "PCK@0.2 in labelled video", "calm": "acceleration error, 1/1000 of the box",
         "time": "processor time of the networks, MoveNet Lightning = 1"},
    )  # fmt: skip
    about = (
        f"{video['data']}; +- is {video['interval']}. Ours carry a pose on and look near its last"
        " places, the others look at every frame anew."
    )
    told = textwrap.fill(about[:1].upper() + about[1:], 100, break_on_hyphens=False)
    return "\n\n".join([table, told, *([] if whole is None else [_whole_sentence(whole)])])


def _whole_sentence(whole: Figures) -> str:
    clip, rows = next(iter(whole["clips"].items()))
    first, *others = rows
    told = " and ".join(f"{name} {rows[name]['of first']} times" for name in others)
    text = (
        f"Whole processes from their start to a table, {clip}: {told} as fast as {first}, which "
        "follows one person (median of rounds taken in turn)."
    )
    return "\n".join(textwrap.wrap(text, 100, break_on_hyphens=False))


TABLES: Mapping[str, Callable[[], str | None]] = {
    each.__name__: each
    for each in (
        bundles, int8, memory, crops_accuracy, clips_accuracy, video_accuracy,
        step_time, finder_accuracy, first_frames, multiview, tracking, whole_clips, batch_seams,
        batch_speed, imported, imported_accuracy, carried_looks, sizes, front,
        methods_jhmdb, methods_jhmdb_limbs, methods_small, kernel_ablation, worst_frames,
    )
}  # fmt: skip
