"""``vidpose bench``: where the time goes on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidpose.cli._errors import UsageMistake, needs_extra
from vidpose.cli._files import check_outputs
from vidpose.cli._options import (
    DebugOption,
    DetectorOption,
    ModelOption,
    OverwriteOption,
    RuntimeChoice,
    RuntimeOption,
)
from vidpose.cli._runtime import chosen_model, load_networks, usable_threads

if TYPE_CHECKING:
    from vidpose.bench.report import Report

SUFFIXES = (".md", ".json", ".png")


def bench(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SOURCE]",
            help="A video with people, or a folder of images. Without one only the networks are "
            "measured.",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = None,
    detector: DetectorOption = None,
    threads: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Threads of the networks; may be given several times.",
            show_default="as of `vidpose run`: half of the cores",
        ),
    ] = None,
    people: Annotated[
        str, typer.Option(metavar="N,N,...", help="Scenes with so many people.")
    ] = "1,2,5,10",
    peer: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.onnx",
            help="Another network to measure alternately; may be given several times.",
            show_default=False,
        ),
    ] = None,
    frames: Annotated[
        int, typer.Option(min=2, help="Frames of each clip, and rounds of the networks.")
    ] = 120,
    runtime: RuntimeOption = RuntimeChoice.onnxruntime,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Also write the figures: .md, .json, or a plot of the stages as .png (needs "
            "`pip install 'vidpose\\[bench]'`). May be given several times.",
            show_default=False,
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    debug: DebugOption = False,
) -> None:
    """Measure where the time goes: stages, networks, the whole pipeline.

    The video is measured as filmed, then scenes with more and more copies of one of its people.
    docs/speed.md says what each column means. Let nothing else run meanwhile.

    \b
    Examples:
      vidpose bench dance.mp4
      vidpose bench dance.mp4 --threads 1 --threads 4 --people 1,5 --out bench.json
      vidpose bench dance.mp4 --peer movenet_lightning.onnx --out bench.md --out bench.png
      vidpose bench --runtime openvino
    """
    from vidpose.bench.measure import Plan, measure
    from vidpose.bench.report import Report, conditions, machine_load
    from vidpose.bench.whole import Networks
    from vidpose.files import make_folder
    from vidpose.inference.backends.cpus import default_threads
    from vidpose.inference.detectors.default import DEFAULT_DETECTOR

    _check_outputs(out or [], source, overwrite)
    counts = [usable_threads(each) for each in threads or [default_threads(live=False)]]
    plan = Plan(
        source=None if source is None else _one_source(source),
        networks=Networks(chosen_model(model), detector or DEFAULT_DETECTOR, runtime.value),
        threads=tuple(dict.fromkeys(counts)),
        people=_numbers(people),
        peers=_different_names(peer or []),
        frames=frames,
    )
    choices: list[str] = []
    load = machine_load()
    measured = measure(
        plan,
        lambda count: load_networks(
            plan.networks.model, plan.networks.detector, count, runtime, choices.append
        ),
        lambda step: print(f"measuring: {step}", file=sys.stderr),
    )
    report = Report(measured, conditions(plan, load, choices))
    print(report.markdown())
    for path in out or []:
        make_folder(path)
        _write(report, path)
        print(f"wrote {path}")


def _one_source(spec: str) -> Path | str:
    """The source, which must be one that can be read several times."""
    from vidpose.video import expand_sources
    from vidpose.video.sources import is_stream

    found = expand_sources([spec])
    if len(found) != 1:
        raise UsageMistake(f"{spec}: these are {len(found)} videos; give one")
    if is_stream(found[0]):
        raise UsageMistake(f"{spec}: a stream cannot be measured again and again; give a file")
    return found[0]


def _numbers(people: str) -> tuple[int, ...]:
    parts = [part.strip() for part in people.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageMistake(f"--people {people}: give numbers from 1 on, as in 1,2,5,10")
    return tuple(dict.fromkeys(int(part) for part in parts))


def _different_names(peers: list[Path]) -> tuple[Path, ...]:
    """Each is called by its file name in the tables."""
    from vidpose.bench.networks import AMORTISED, DETECT, INITIALISE, STEP

    taken = {INITIALISE, STEP, DETECT, AMORTISED}
    for path in peers:
        if path.name in taken:
            raise UsageMistake(f"--peer {path}: the name {path.name} is taken; rename one file")
        taken.add(path.name)
    return tuple(peers)


def _check_outputs(paths: list[Path], source: str | None, overwrite: bool) -> None:
    """Refuse what could not be written, before minutes are spent on it."""
    for path in paths:
        if path.suffix.lower() not in SUFFIXES:
            raise UsageMistake(f"--out {path}: use one of {' '.join(SUFFIXES)}")
        if path.suffix.lower() == ".png":
            if source is None:
                raise UsageMistake(f"--out {path}: the plot shows stages; give a SOURCE")
            with needs_extra("bench"):
                import matplotlib  # noqa: F401
    check_outputs(paths, overwrite=overwrite, inputs=[] if source is None else _files(source))


def _files(source: str) -> list[Path]:
    from vidpose.pipeline.existing import files_of

    return files_of(source)


def _write(report: Report, path: Path) -> None:
    from vidpose.evaluation.tables import write_text

    kind = path.suffix.lower()
    if kind == ".png":
        from vidpose.bench.plot import draw_stages

        title = f"{report.conditions['model']}, {report.conditions['machine']}"
        draw_stages(report.measured.runs, title, path)
    else:
        write_text(path, report.json() if kind == ".json" else report.markdown() + "\n")
