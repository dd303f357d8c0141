"""Bundles from anywhere: whatever is wrong ends in a BundleError, soon and in little space.

VIDPOSE_FUZZ sets the number of cases of each kind, 200 unless set.
"""

from __future__ import annotations

import io
import json
import os
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from test_bundle import DETECTOR, DKD, FRAME
from vidpose.bundle import Bundle, read_bundle, write_bundle
from vidpose.bundle.archive import LARGEST_TEXT
from vidpose.errors import BundleError

CASES = int(os.environ.get("VIDPOSE_FUZZ", "200"))
LONGEST = 5.0  # s

fuzzed = settings(
    max_examples=CASES, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """The entries of a valid bundle of each kind."""
    folder = tmp_path_factory.mktemp("valid")
    found = {}
    for bundle in (DKD, FRAME, DETECTOR):
        path = folder / f"{bundle.kind}.vidpose"
        write_bundle(path, bundle)
        with zipfile.ZipFile(path) as archive:
            found[bundle.kind] = {name: archive.read(name) for name in archive.namelist()}
    return found


def packed(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def read(content: bytes, folder: Path) -> Bundle | None:
    """The bundle, or None where it is refused as it should be."""
    path = folder / "stranger.vidpose"
    path.write_bytes(content)
    start = time.monotonic()
    try:
        return read_bundle(path)
    except BundleError as error:
        said = str(error)
        assert said.startswith(f"{path}: ")
        assert said.isprintable()
        return None
    finally:
        assert time.monotonic() - start < LONGEST


numbers = st.sampled_from([0, -1, 1e999, -1e999, float("nan"), 1e308, 10**40, 2**63, 0.5, 4097])
words = st.text(max_size=8)
leaves = st.one_of(st.none(), st.booleans(), numbers, words, st.sampled_from([[], {}, "9" * 99]))
junk = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every part of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = [path] if path else []
    if isinstance(value, (dict, list)):
        for key, part in inner:
            found += (
                places(part, (*path, key)) if isinstance(part, (dict, list)) else [(*path, key)]
            )
    return found


@fuzzed
@given(st.sampled_from(["dkd", "frame", "detector"]), st.data())
def test_any_change_of_the_description(
    parts: dict[str, dict[str, bytes]], tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    entries = dict(parts[kind])
    about = json.loads(entries["bundle.json"])
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(places(about)))
        target: Any = about
        try:
            for step in way:
                target = target[step]
            match data.draw(st.sampled_from(["replace", "drop", "add"])):
                case "replace":
                    target[last] = data.draw(junk)
                case "drop":
                    del target[last]
                case _:
                    about[data.draw(st.text(max_size=5))] = data.draw(junk)
        except (LookupError, TypeError):
            continue  # an earlier change took it away
        if not places(about):
            break
    entries["bundle.json"] = json.dumps(about).encode()
    read(packed(entries), tmp_path)


@fuzzed
@given(
    st.sampled_from(["dkd", "frame", "detector"]),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=12),
    st.floats(0, 1.2),
)
def test_any_damage_of_the_file(
    parts: dict[str, dict[str, bytes]],
    tmp_path: Path,
    kind: str,
    method: int,
    changes: list[tuple[float, int]],
    keep: float,
) -> None:
    content = bytearray(packed(parts[kind], method))
    for place, value in changes:
        content[min(int(place * len(content)), len(content) - 1)] = value
    read(bytes(content[: round(len(content) * min(keep, 1.0))]), tmp_path)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"kind": []}, "kind"),
        ({"kind": {}}, "kind"),
        ({"format": True}, "format"),
        ({"format": -1}, "format"),
        ({"name": None}, "name"),
        ({"name": ["a"]}, "name"),
        ({"licence": 7}, "licence"),
        ({"precision": ["int8"]}, "precision"),
        ({"metrics": []}, "metrics"),
        ({"metrics": {"parameters": "many"}}, "metrics.parameters"),
        ({"metrics": {"step_mmacs": -1}}, "metrics.step_mmacs"),
        ({"settings": 3}, "settings"),
        ({"skeleton": 3}, "skeleton"),
    ],
)
def test_the_key_is_named(
    change: dict[str, Any], key: str, parts: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    about = json.loads(parts["dkd"]["bundle.json"])
    about.update(change)
    refused(packed({**parts["dkd"], "bundle.json": json.dumps(about).encode()}), tmp_path, key)


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("padding", "wide", "settings.padding"),
        ("padding", True, "settings.padding"),
        ("padding", 1e300, "settings.padding"),
        ("padding", 10**400, "settings.padding"),
        ("stride", 2.5, "settings.stride"),
        ("initializer_size", [256, "192"], r"settings.initializer_size\[1\]"),
        ("initializer_size", [99999, 99999], "initializer_size"),
        ("trust", {"max_age": None}, "settings.trust.max_age"),
        ("trust", [], "settings.trust"),
        ("calibration", {"step": 5, "initializer": []}, "settings.calibration.step"),
        ("calibration", {"step": [[0]], "initializer": []}, r"settings.calibration.step\[0\]"),
    ],
)
def test_the_setting_is_named(
    name: str, value: Any, key: str, parts: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    about = json.loads(parts["dkd"]["bundle.json"])
    about["settings"][name] = value
    refused(packed({**parts["dkd"], "bundle.json": json.dumps(about).encode()}), tmp_path, key)


def refused(content: bytes, folder: Path, words: str) -> None:
    path = folder / "stranger.vidpose"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=words) as caught:
        read_bundle(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"format": NaN}', "NaN is no number"),
        (b'{"format": 1, "metrics": -Infinity}', "-Infinity is no number"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"format": ' + b"1" * 10_000 + b"}", "bundle.json"),
        (b"\xff\xfe", "bundle.json: damaged, or not UTF-8"),
        (b"", "bundle.json: damaged, or not JSON"),
        (b"3", "format"),
    ],
)
def test_what_is_no_description(
    text: bytes, words: str, parts: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    refused(packed({**parts["dkd"], "bundle.json": text}), tmp_path, words)


def test_other_methods_of_packing_are_named(
    parts: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    refused(packed(parts["dkd"], zipfile.ZIP_LZMA), tmp_path, "packed by method 14")
    refused(packed(parts["dkd"], zipfile.ZIP_BZIP2), tmp_path, "packed by method 12")


def test_an_encrypted_entry_is_named(parts: dict[str, dict[str, bytes]], tmp_path: Path) -> None:
    content = bytearray(packed(parts["dkd"]))
    place = content.index(b"PK\x01\x02")  # the first entry of the directory
    content[place + 8] |= 1
    refused(bytes(content), tmp_path, "bundle.json: encrypted")


def test_sizes_are_checked_before_anything_is_unpacked(
    parts: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    spaces = b" " * (LARGEST_TEXT + 1)
    content = packed({**parts["dkd"], "bundle.json": spaces})
    path = tmp_path / "stranger.vidpose"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match=r"bundle.json: \d+ bytes, of which"):
            read_bundle(path)
        assert tracemalloc.get_traced_memory()[1] < LARGEST_TEXT / 4
    finally:
        tracemalloc.stop()
    huge = bytearray(packed(parts["dkd"]))
    place = huge.rindex(b"PK\x01\x02")
    huge[place + 24 : place + 28] = struct.pack("<I", 2**31)  # as its directory says
    refused(bytes(huge), tmp_path, "bytes unpacked, of which")


def test_too_many_entries(parts: dict[str, dict[str, bytes]], tmp_path: Path) -> None:
    more = {f"{number}": b"" for number in range(100)}
    refused(packed({**parts["dkd"], **more}), tmp_path, "entries")


def test_messages_carry_no_control_characters(
    parts: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    about = json.loads(parts["dkd"]["bundle.json"])
    about["skeleton"]["name"], about["skeleton"]["sigmas"] = "\x1b[2J\n", [1.0]
    assert (
        read(packed({**parts["dkd"], "bundle.json": json.dumps(about).encode()}), tmp_path) is None
    )
