"""What every benchmark prints: a Markdown table, the machine it ran on, and the same as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.evaluation.tables import markdown_table, processor_name

table = markdown_table


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Argument parser that shows the script's docstring and has the common options."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", type=Path, help="also write the figures to this file")
    made.add_argument("--threads", type=int, default=1, help="threads of every network (1)")
    return made


def machine(threads: int) -> dict[str, object]:
    """The conditions of a measurement."""
    return {
        "cpu": processor_name(),
        "cpus": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": threads,
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "onnxruntime": version("onnxruntime"),
        "opencv": version("opencv-python-headless"),
    }


def finish(path: Path | None, figures: Mapping[str, Any]) -> None:
    """Print the machine and write the JSON file, with the command that made it."""
    print("\n" + ", ".join(f"{key} {value}" for key, value in figures["machine"].items()))
    if path is not None:
        command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
        path.write_text(json.dumps({"command": command, **figures}, indent=1) + "\n")


def interval(
    measure: Callable[[NDArray[np.intp]], float], count: int, *, draws: int = 500, seed: int = 0
) -> float:
    """Half the width of the 95 % bootstrap interval of `measure(indices of people)`."""
    rng = np.random.default_rng(seed)
    values = [measure(rng.integers(0, count, count)) for _ in range(draws)]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(high - low) / 2
