"""Notes about outputs that have no room for them: NAME in a hidden folder ``.vidpose`` beside."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from vidpose.errors import OutputError
from vidpose.files import NOTES_FOLDER, AtomicFile
from vidpose.results import Provenance

_LONGEST = 200  # bytes of a file's name that are kept in its note's


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of an output. ``bytes``: its size; ``whole``: made from all of its source."""

    provenance: Provenance
    bytes: int
    whole: bool


def write_note(path: Path, provenance: Provenance, *, whole: bool) -> None:
    """Note what the finished output was made from. Without room for it there is none."""
    place = _place(path)
    with suppress(OSError, OutputError):
        place.parent.mkdir(exist_ok=True)
        file = AtomicFile(place)
        note = Note(provenance, path.stat().st_size, whole)
        file.temporary.write_text(json.dumps(asdict(note)), encoding="ascii")
        file.commit()


def read_note(path: Path) -> Note | None:
    """The note about an output; None without one, or when it is damaged."""
    try:
        value = json.loads(_place(path).read_bytes())
        return Note(Provenance(**value.pop("provenance")), **value)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def remove_note(path: Path) -> None:
    """Forget what was noted, of an older output of this name."""
    with suppress(OSError):
        _place(path).unlink(missing_ok=True)


def _place(path: Path) -> Path:
    name = path.name
    if len(os.fsencode(name)) > _LONGEST:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return path.parent / NOTES_FOLDER / f"{name}.json"
