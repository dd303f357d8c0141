"""The bundle and its file: reading, writing and finding."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from vidpose.bundle.archive import LARGEST_BUNDLE, LARGEST_TEXT, BundleArchive
from vidpose.bundle.kinds import KINDS, Settings
from vidpose.bundle.values import read_metrics, read_settings, read_skeleton, read_value
from vidpose.errors import BundleError, OutputError, SkeletonError
from vidpose.files import cannot_write
from vidpose.skeleton import Skeleton

SUFFIX = ".vidpose"
OWN_MODELS = "VIDPOSE_MODELS"
"""Environment variable: a folder of bundles that may be called by name."""

FORMAT = 1
LICENCE_TEXT = "LICENCE.txt"

Precision: TypeAlias = Literal["float32", "int8"]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model with all that belongs to it.

    `graphs` holds the ONNX files by name, as the kind asks for (see the package). `skeleton` is
    None for a detector only. `licence` is an SPDX name or "unknown", `licence_text` the licence
    itself where the bundle carries it, `card` Markdown text, `metrics` what was measured (JSON
    values), `precision` what most of the arithmetic is done in. Raises BundleError when the parts
    do not fit together.
    """

    name: str
    kind: str
    version: str
    licence: str
    settings: Settings
    graphs: Mapping[str, bytes]
    skeleton: Skeleton | None = None
    card: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    precision: Precision = "float32"
    licence_text: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BundleError(f"bundle '{self.name}': kind '{self.kind}' is none of {list(KINDS)}")
        if self.precision not in get_args(Precision):
            raise BundleError(
                f"bundle '{self.name}': precision '{self.precision}' is none of "
                f"{list(get_args(Precision))}"
            )
        settings, graphs = KINDS[self.kind]
        if not isinstance(self.settings, settings):
            raise BundleError(
                f"bundle '{self.name}': kind '{self.kind}' needs {settings.__name__}, "
                f"got {type(self.settings).__name__}"
            )
        if set(self.graphs) != set(graphs):
            raise BundleError(
                f"bundle '{self.name}': kind '{self.kind}' needs the graphs {list(graphs)}, "
                f"got {sorted(self.graphs)}"
            )
        if (self.skeleton is None) != (self.kind == "detector"):
            raise BundleError(f"bundle '{self.name}': pose models have a skeleton, detectors none")


def write_bundle(path: str | Path, bundle: Bundle) -> None:
    """Write a bundle file; the same bundle gives the same bytes.

    The file appears under its name when it is complete. Raises OutputError when it cannot be
    written, is too large to be read again (`LARGEST_BUNDLE`), or the name does not end in
    `.vidpose`.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise OutputError(f"{path}: a bundle's name ends in '{SUFFIX}'")
    if sum(map(len, bundle.graphs.values())) > LARGEST_BUNDLE - 3 * LARGEST_TEXT:
        raise OutputError(f"{path}: graphs of more than {LARGEST_BUNDLE} bytes are not read again")
    try:
        handle, temporary = tempfile.mkstemp(suffix=".part", dir=path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            _write_zip(file, bundle)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def read_bundle(path: str | Path) -> Bundle:
    """Read a bundle file, which may come from anywhere: nothing in it is run or unpacked to disk.

    Raises BundleError that names the file and the entry or key when it is missing, damaged,
    contradictory, or larger than `LARGEST_BUNDLE` unpacked (`bundle.json` and texts:
    `LARGEST_TEXT`).
    """
    path = Path(path)
    try:
        with BundleArchive(path) as archive:
            about = archive.json("bundle.json")
            graphs = {name: archive.bytes(f"{name}.onnx") for name in _graph_names(about)}
            card = archive.text("card.md")
            licence_text = archive.text(LICENCE_TEXT) if LICENCE_TEXT in archive else ""
        return _from_dict(about, graphs, card, licence_text)
    except (BundleError, SkeletonError) as error:
        said = "".join(each if each.isprintable() else " " for each in str(error))
        raise BundleError(f"{path}: {said[:500]}") from error


def available_models() -> tuple[str, ...]:
    """Names of the models at hand, sorted: those shipped with vidpose, and those in the folder that
    the environment variable VIDPOSE_MODELS names. Their files may be damaged."""
    folders = [folder for folder in (_assets(), _own()) if folder is not None and folder.is_dir()]
    return tuple(sorted({path.stem for f in folders for path in f.glob(f"*{SUFFIX}")}))


def missing_models_folder() -> str | None:
    """One line where VIDPOSE_MODELS names something that is no folder, else None."""
    folder = _own()
    if folder is None or folder.is_dir():
        return None
    return f"{OWN_MODELS}={folder}: there is no such folder"


def find_bundle(name_or_path: str | Path) -> Path:
    """The file of a model, given its name or a path.

    A name is looked for in the folder VIDPOSE_MODELS first, then among the shipped models. Raises
    BundleError that names the models at hand when there is no such model.
    """
    path = Path(name_or_path)
    if path.suffix == SUFFIX or path.name != str(name_or_path):
        if not path.is_file():
            raise BundleError(f"{path}: no such file")
        return path
    for folder in (_own(), _assets()):
        if folder is not None and (found := folder / f"{path.name}{SUFFIX}").is_file():
            return found
    names = ", ".join(available_models()) or "none"
    missing = missing_models_folder()
    own = f"set {OWN_MODELS} to the folder that holds it" if missing is None else missing
    raise BundleError(
        f"model '{path.name}' is not at hand (there are: {names}); give the path of a {SUFFIX} "
        f"file, or {own}"
    )


def _assets() -> Path:
    return Path(str(resources.files("vidpose"))) / "assets"


def _own() -> Path | None:
    folder = os.environ.get(OWN_MODELS)
    return Path(folder) if folder else None


def _write_zip(file: Any, bundle: Bundle) -> None:
    about = {
        "format": FORMAT,
        "name": bundle.name,
        "kind": bundle.kind,
        "version": bundle.version,
        "licence": bundle.licence,
        "precision": bundle.precision,
        "skeleton": bundle.skeleton.to_dict() if bundle.skeleton else None,
        "settings": asdict(bundle.settings),
        "metrics": dict(bundle.metrics),
    }
    parts: dict[str, bytes] = {
        "bundle.json": json.dumps(about, indent=1).encode(),
        "card.md": bundle.card.encode(),
        **({LICENCE_TEXT: bundle.licence_text.encode()} if bundle.licence_text else {}),
        **{f"{name}.onnx": bundle.graphs[name] for name in sorted(bundle.graphs)},
    }
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name)  # a constant date: same bundle, same bytes
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, compress_type=zipfile.ZIP_DEFLATED)


def _graph_names(about: Any) -> tuple[str, ...]:
    """Names of the graphs to read; checks the format first, since all else depends on it."""
    written = about.get("format") if isinstance(about, dict) else None
    if isinstance(written, bool) or not isinstance(written, int) or written < 1:
        raise BundleError("bundle.json does not say its format")
    if written > FORMAT:
        raise BundleError("its format is newer than this vidpose: update vidpose")
    kind = read_value(str, about.get("kind"), "kind")
    if kind not in KINDS:
        raise BundleError(f"kind {kind[:40]!a} is none of {list(KINDS)}")
    return KINDS[kind][1]


def _from_dict(
    about: Mapping[str, Any], graphs: Mapping[str, bytes], card: str, licence_text: str
) -> Bundle:
    for key in ("name", "version", "licence", "settings", "skeleton", "metrics"):
        if key not in about:
            raise BundleError(f"bundle.json lacks '{key}'")
    return Bundle(
        name=read_value(str, about["name"], "name"),
        kind=about["kind"],
        version=read_value(str, about["version"], "version"),
        licence=read_value(str, about["licence"], "licence"),
        settings=read_settings(KINDS[about["kind"]][0], about["settings"]),
        graphs=graphs,
        skeleton=None if about["skeleton"] is None else read_skeleton(about["skeleton"]),
        card=card,
        metrics=read_metrics(about["metrics"]),
        # files of older versions do not say it
        precision=read_value(Precision, about.get("precision", "float32"), "precision"),
        licence_text=licence_text,
    )
