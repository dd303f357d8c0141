"""The entries of a bundle's zip file, within limits that are checked before unpacking."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any

from vidpose.errors import BundleError

LARGEST_TEXT = 4 * 2**20
"""Bytes of `bundle.json`, of the card and of the licence, unpacked."""

LARGEST_BUNDLE = 512 * 2**20
"""Bytes of all entries together, unpacked: several times the largest network of the recipes."""

_MOST_ENTRIES = 64
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


class BundleArchive:
    """A bundle's file, open for reading. Whatever is wrong is a BundleError without the path."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError as error:
            raise BundleError("no such file") from error
        except OSError as error:
            raise BundleError(f"cannot be read ({error.strerror or error})") from error
        except Exception as error:  # what the zip library raises has no common base
            raise _damaged(error) from error
        try:
            self._check_sizes()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> BundleArchive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def json(self, name: str) -> Any:
        """A JSON entry; NaN and infinities are no JSON."""
        try:
            return json.loads(self.text(name), parse_constant=_refuse_constant)
        except RecursionError as error:
            raise BundleError(f"{name}: nested too deep") from error
        except ValueError as error:
            raise BundleError(f"{name}: damaged, or not JSON ({_one_line(error)})") from error

    def text(self, name: str) -> str:
        """An entry in UTF-8, of at most `LARGEST_TEXT` bytes."""
        try:
            return self.bytes(name, LARGEST_TEXT).decode()
        except UnicodeDecodeError as error:
            raise BundleError(f"{name}: damaged, or not UTF-8 ({error.reason})") from error

    def bytes(self, name: str, largest: int = LARGEST_BUNDLE) -> bytes:
        """An entry of at most so many bytes."""
        try:
            entry = self._zip.getinfo(name)
        except KeyError as error:
            raise BundleError(f"incomplete bundle, there is no {name} in it") from error
        if entry.flag_bits & _ENCRYPTED:
            raise BundleError(f"{name}: encrypted; bundles are not")
        if entry.compress_type not in _METHODS:
            raise BundleError(
                f"{name}: packed by method {entry.compress_type}; only stored and deflated "
                "entries are read: pack it anew"
            )
        if entry.file_size > largest:
            raise BundleError(f"{name}: {entry.file_size} bytes, of which {largest} are allowed")
        try:
            return self._zip.read(entry)
        except Exception as error:  # as above
            raise _damaged(error, f"{name}: ") from error

    def _check_sizes(self) -> None:
        entries = self._zip.infolist()
        if len(entries) > _MOST_ENTRIES:
            raise BundleError(f"not a vidpose bundle: {len(entries)} entries")
        total = sum(entry.file_size for entry in entries)
        if total > LARGEST_BUNDLE:
            raise BundleError(f"{total} bytes unpacked, of which {LARGEST_BUNDLE} are allowed")


def _damaged(error: Exception, where: str = "") -> BundleError:
    return BundleError(f"{where}not a vidpose bundle, or damaged ({_one_line(error)})")


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.encode("ascii", "backslashreplace").decode()[:200]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
