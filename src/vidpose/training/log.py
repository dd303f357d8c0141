"""The log of a training: JSON Lines, tensorboard files and the progress bar."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

FILE = "log.jsonl"


class TrainingLog:
    """Mean figures since the last line, to `log.jsonl`, tensorboard and the progress bar.

    Beside them: `items_per_second`, and `waiting_share`, the share of that time in which the
    network waited for data; evaluations and checkpoints count for neither.

    What a killed run logged after its checkpoint, at step `first`, is taken back.
    """

    def __init__(self, folder: Path, batch_size: int, first: int) -> None:
        path = folder / FILE
        _keep_lines(path, first)
        self._file = path.open("a")
        self._board = SummaryWriter(str(folder), purge_step=first + 1)
        self._batch_size = batch_size
        self._clear()
        self.summary = ""
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
        )

    def _clear(self) -> None:
        self._sums: dict[str, float] = {}
        self._count = 0
        self._waited = self._computed = 0.0

    def add(
        self, loss: float, figures: Mapping[str, Tensor], waited: float, computed: float
    ) -> None:
        """One step: its figures, and the seconds it waited for data and computed."""
        for name, value in {"loss": loss, **{k: float(v) for k, v in figures.items()}}.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        self._waited += waited
        self._computed += computed
        self.summary = f"loss {self._sums['loss'] / self._count:.4f}"

    def write(self, step: int, extra: Mapping[str, float]) -> None:
        """A line of the means since the last one."""
        means = {name: value / self._count for name, value in self._sums.items()}
        seconds = max(self._waited + self._computed, 1e-9)
        speed = {
            "items_per_second": self._count * self._batch_size / seconds,
            "waiting_share": self._waited / seconds,
        }
        self._clear()
        self._emit(step, {**means, **extra, **speed})

    def write_scores(self, step: int, scores: Mapping[str, float]) -> None:
        """A line of an evaluation's scores, if there are any."""
        if scores:
            self._emit(step, scores)
            text = ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
            self.progress.console.print(f"step {step}: {text}", soft_wrap=True)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        self._board.close()

    def _emit(self, step: int, values: Mapping[str, float]) -> None:
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)


def _keep_lines(path: Path, last: int) -> None:
    """Drop the lines after step `last`, and one that was cut in the middle of writing."""
    if not path.exists():
        return
    lines = path.read_text().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    path.write_text("".join(line for line in whole if json.loads(line)["step"] <= last))
