"""Files that a verb writes: refused before the work where they would replace something."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from vidpose.cli._errors import UsageMistake
from vidpose.errors import OutputError
from vidpose.files import identity, refuse_existing, refuse_unwritable


def check_outputs(
    outs: Sequence[Path], *, overwrite: bool, inputs: Iterable[str | Path] = ()
) -> None:
    """Raise UsageMistake for an output that exists, unless ``overwrite``, or cannot be written,
    for one that is given twice, and for one of the ``inputs``, which are never replaced."""
    read = {identity(Path(path)) for path in inputs}
    seen = set()
    for path in outs:
        key = identity(path)
        if key in read:
            raise UsageMistake(f"--out {path}: this file is read, it would be overwritten")
        if key in seen:
            raise UsageMistake(f"--out {path}: this file is given twice")
        seen.add(key)
        try:
            refuse_existing(path, overwrite=overwrite)
            refuse_unwritable(path)
        except OutputError as error:
            raise UsageMistake(f"--out {error}") from error


def check_bundle(out: Path, *, overwrite: bool, inputs: Iterable[str | Path]) -> None:
    """The same for the one bundle that a verb writes."""
    from vidpose.bundle import SUFFIX

    if out.suffix != SUFFIX:
        raise UsageMistake(f"--out {out}: a bundle's name ends in '{SUFFIX}'")
    check_outputs([out], overwrite=overwrite, inputs=inputs)
