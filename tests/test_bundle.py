"""Bundles: what is written is read back, and whatever is wrong is named."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vidpose.bundle import (
    Bundle,
    DetectorSettings,
    DkdSettings,
    FrameSettings,
    Trust,
    available_models,
    find_bundle,
    read_bundle,
    retuned,
    write_bundle,
)
from vidpose.errors import BundleError, OutputError
from vidpose.skeleton import COCO_17, LSP_14

DKD = Bundle(
    name="walker",
    kind="dkd",
    version="1.2",
    licence="Apache-2.0",
    settings=DkdSettings(
        initializer_size=(256, 192),
        step_size=(128, 96),
        padding=1.2,
        calibration={"initializer": ((0.0, 0.1), (0.9, 0.8)), "step": ((0.1, 0.0), (1.0, 1.0))},
        trust=Trust(min_score=0.2, max_age=3.5),
        offset={"step": (0.5, -1.25)},
    ),
    graphs={"initializer": b"first graph", "step": b"\x00\xffother"},
    skeleton=COCO_17,
    card="# Walker\nTrained on näyttely.",
    metrics={"ap": 0.5, "boxes": "ground truth", "by_joint": [0.1, 0.2]},
)
FRAME = Bundle(
    "still", "frame", "1", "MIT", FrameSettings(size=(64, 48)), {"frame": b"graph"}, LSP_14
)
DETECTOR = Bundle(
    "finder", "detector", "3", "MIT", DetectorSettings(input_size=320), {"detector": b"graph"}
)


@pytest.mark.parametrize("bundle", [DKD, FRAME, DETECTOR], ids=lambda bundle: bundle.kind)
def test_a_bundle_is_read_back_as_it_was_written(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "one.vidpose"
    write_bundle(path, bundle)
    assert read_bundle(path) == bundle


def test_the_same_bundle_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_bundle(tmp_path / f"{name}.vidpose", DKD)
    assert (tmp_path / "a.vidpose").read_bytes() == (tmp_path / "b.vidpose").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.vidpose", "b.vidpose"]


def rewrite(path: Path, change: Callable[[dict[str, Any]], None], drop: str = "") -> None:
    """Change the JSON of a bundle's file, or leave a member out."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != drop}
    about = json.loads(parts["bundle.json"])
    change(about)
    parts["bundle.json"] = json.dumps(about).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda about: about.update(format=99), "newer"),
        (lambda about: about.update(kind="oracle"), "oracle"),
        (lambda about: about.pop("licence"), "licence"),
        (lambda about: about["settings"].update(sharpness=3), "sharpness"),
        (lambda about: about["settings"]["trust"].update(faith=1), "faith"),
        (lambda about: about["settings"]["trust"].update(max_drop=1.1), "max_drop"),
        (lambda about: about["settings"].pop("step_size"), "step_size"),
        (lambda about: about["settings"].update(step_size=[128]), "step_size"),
        (lambda about: about["settings"].update(calibration={"step": [[0, 0], [1, 1]]}), "calib"),
        (lambda about: about["skeleton"].pop("sigmas"), "sigmas"),
        (lambda about: about.update(skeleton=None), "skeleton"),
    ],
)
def test_a_wrong_description_is_refused_by_name(
    change: Callable[[dict[str, Any]], None], complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "wrong.vidpose"
    write_bundle(path, DKD)
    rewrite(path, change)
    with pytest.raises(BundleError, match=complaint) as caught:
        read_bundle(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_knows_of_no_fall_of_scores_never_looks_for_one(tmp_path: Path) -> None:
    path = tmp_path / "old.vidpose"
    write_bundle(path, DKD)
    rewrite(path, lambda about: about["settings"]["trust"].pop("max_drop"))
    assert read_bundle(path) == DKD
    assert isinstance(DKD.settings, DkdSettings)
    assert DKD.settings.trust.max_drop == 1.0


def test_a_retuned_bundle_differs_in_name_trust_and_card_only() -> None:
    made = retuned(DKD, {"max_drop": 0.1, "max_age": 1}, "eager")
    trust = Trust(min_score=0.2, max_age=1, max_drop=0.1)
    assert made == replace(
        DKD, name="eager", settings=replace(DKD.settings, trust=trust), card=made.card
    )
    assert made.card.startswith("# eager\n\nwalker with other thresholds")
    assert "--trust max_drop=0.1 --trust max_age=1." in made.card
    assert made.card.endswith(DKD.card)


@pytest.mark.parametrize(
    ("bundle", "changes", "complaint"),
    [
        (DETECTOR, {"max_age": 1.0}, "'finder' is a detector"),
        (FRAME, {"faith": 1.0}, "trust has no 'faith', only min_score"),
        (FRAME, {"max_drop": -0.1}, "trust.max_drop must be in"),
    ],
)
def test_a_trust_that_cannot_be_is_refused(
    bundle: Bundle, changes: dict[str, float], complaint: str
) -> None:
    with pytest.raises(BundleError, match=complaint):
        retuned(bundle, changes, "never")


@pytest.mark.parametrize("member", ["step.onnx", "card.md"])
def test_a_missing_part_is_named(member: str, tmp_path: Path) -> None:
    path = tmp_path / "part.vidpose"
    write_bundle(path, DKD)
    rewrite(path, lambda about: None, drop=member)
    with pytest.raises(BundleError, match=member):
        read_bundle(path)


@pytest.mark.parametrize("keep", [0, 10, 200, -1])
def test_a_truncated_file_is_refused(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.vidpose"
    write_bundle(path, DKD)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BundleError, match="damaged"):
        read_bundle(path)


def test_a_damaged_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flip.vidpose"
    write_bundle(path, Bundle(**{**fields(DKD), "graphs": {"initializer": b"", "step": b"x" * 99}}))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("step.onnx")
    content[entry.header_offset + 30 + len("step.onnx")] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(BundleError, match="damaged"):
        read_bundle(path)


def fields(bundle: Bundle) -> dict[str, Any]:
    return {name: getattr(bundle, name) for name in Bundle.__dataclass_fields__}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"kind": "frame"}, "FrameSettings"),
        ({"graphs": {"initializer": b""}}, "step"),
        ({"skeleton": None}, "skeleton"),
        ({"kind": "magic"}, "magic"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(
    change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(BundleError, match=complaint):
        Bundle(**{**fields(DKD), **change})


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Trust(min_score=1.5), "min_score"),
        (lambda: Trust(max_age=0), "max_age"),
        (lambda: Trust(patience=-1), "patience"),
        (lambda: DetectorSettings(input_size=100), "multiple of 32"),
        (lambda: DetectorSettings(input_size=320, nms_iou=2), "nms_iou"),
        (lambda: FrameSettings(size=(64, 0)), "size"),
        (lambda: FrameSettings(size=(64, 48), padding=0), "padding"),
        (lambda: DkdSettings((256, 192), (128, 128)), "shape"),
        (
            lambda: FrameSettings((64, 48), calibration={"frame": ((0.5, 0.1), (0.5, 1.0))}),
            "rising",
        ),
        (lambda: FrameSettings((64, 48), calibration={"frame": ((0.0, 0.0), (1.0, 7.0))}), "prob"),
        (lambda: FrameSettings((64, 48), offset={"step": (0.0, 0.0)}), "no such graph"),
        (lambda: FrameSettings((64, 48), offset={"frame": (0.0, -4.5)}), "at most 4 pixels"),
        (lambda: FrameSettings((64, 48), offset={"frame": (float("nan"), 0.0)}), "at most 4"),
    ],
)
def test_settings_out_of_range_are_refused(make: Callable[[], object], complaint: str) -> None:
    with pytest.raises(BundleError, match=complaint):
        make()


def test_a_bundle_needs_its_suffix_and_a_place(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.vidpose"):
        write_bundle(tmp_path / "model.zip", DKD)
    with pytest.raises(OutputError, match="cannot write"):
        write_bundle(tmp_path / "nowhere" / "model.vidpose", DKD)
    assert list(tmp_path.iterdir()) == []


def test_bundles_are_found_by_path_and_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.vidpose"
    write_bundle(path, DKD)
    assert find_bundle(path) == path
    assert find_bundle(str(path)) == path
    for name in available_models():
        assert read_bundle(find_bundle(name)).name == name


def test_a_model_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such file"):
        find_bundle(tmp_path / "absent.vidpose")
    with pytest.raises(BundleError, match=r"no-such-model.*VIDPOSE_MODELS"):
        find_bundle("no-such-model")
