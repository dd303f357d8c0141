"""Bundles of `kind: clips`: every form, in every skeleton, as the runtime uses it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stills_folders import lsp_people, write_lspet
from vidpose.bundle import Trust, read_bundle
from vidpose.errors import BundleError
from vidpose.export import export_checkpoint, quality
from vidpose.export.memory import MemoryModel, clips_model
from vidpose.inference.crop import region_around
from vidpose.inference.pose import initialize, step
from vidpose.inference.pose_model import PoseModel
from vidpose.inference.timing import StageTimer
from vidpose.methods.clips.run import run_clip
from vidpose.methods.clips.task import ClipsConfig, build_network
from vidpose.methods.dkd.light import SMALL as SMALL_SIZES
from vidpose.methods.dkd.light import build_light_dkd
from vidpose.nn.checkpoint import save_checkpoint
from vidpose.nn.heatmap_logits import HeatmapLogits
from vidpose.tracking.pose_stream import PoseStream

SMALL = {"form": "dkd", "initializer": 18, "encoder": "small-cpm", "channels": 8, "hidden": 8}
FORMS: dict[str, dict[str, Any]] = {
    "factorised": {"network": SMALL, "skeleton": "penn13", "loss": "l2"},
    "full": {
        "network": {**SMALL, "kernel": "full", "kernel_size": 3},
        "skeleton": "jhmdb15",
        "loss": "cross-entropy",
    },
    "lstm-pm": {
        "network": {"form": "lstm-pm"},
        "skeleton": "lsp14",
        "loss": "l2",
        "size": [32, 32],
    },
    "simple-baseline": {
        "network": {"form": "simple-baseline", "depth": 18},
        "skeleton": "mpii16",
        "loss": "l2",
    },
}
WITH_MEMORY = [name for name in FORMS if name != "simple-baseline"]
MEMORIES = {
    "factorised": (1, 8, 7, 7),
    "full": (15, 8, 3, 3),
    "lstm-pm": (14 + 96, 4, 4),
}
BELIEVING = {"start_score": 0.0, "min_score": 0.0}  # untrained networks are right by chance only
PEOPLE = [(5.0, 5.0, 40.0, 50.0), (30.0, 20.0, 45.0, 45.0)]


@dataclass(frozen=True)
class Exported:
    """A form's network and its bundle."""

    config: ClipsConfig
    network: nn.Module
    path: Path
    model: PoseModel

    def logits(self, images: Tensor) -> list[np.ndarray]:
        """What the torch network says of clips (N, T, H, W, 3), frame by frame."""
        pictures = images.permute(0, 1, 4, 2, 3).float() / 127.5 - 1
        with torch.no_grad():
            maps = run_clip(self.network, pictures).frames
            if self.config.loss == "l2":
                read = HeatmapLogits(nn.Identity(), self.config.sigma, sigmoid=False)
                maps = [read(heatmaps) for heatmaps in maps]
        return [part.numpy() for part in maps]


class _Whole:
    """A detector that finds one person, as large as the image."""

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = image.shape[:2]
        return np.array([[0.0, 0.0, width, height]]), np.array([1.0])


def _network(config: ClipsConfig) -> nn.Module:
    """Untrained, with every part at work, norms as after training, and clear peaks."""
    torch.manual_seed(1)
    skeleton, heatmaps = config.skeleton, config.loss == "l2"
    network = build_network(config.network, skeleton.num_keypoints, config.size, heatmaps)
    clips = torch.rand(4, 2, 3, *config.size) * 2 - 1
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(part.weight)
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = 1.0
        run_clip(network.train(), clips)
    return network.eval()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_lspet(folder / "lspet", lsp_people(4))
    return folder


@pytest.fixture(scope="module")
def exports(root: Path) -> dict[str, Exported]:
    return {}


@pytest.fixture
def exported(
    request: pytest.FixtureRequest,
    root: Path,
    exports: dict[str, Exported],
    monkeypatch: pytest.MonkeyPatch,
) -> Exported:
    """The form's bundle; made once."""
    name = request.param
    monkeypatch.setattr(quality, "_CLIP_FRAMES", 3)
    if name not in exports:
        exports[name] = _export(root, name)
    return exports[name]


def _export(root: Path, name: str) -> Exported:
    task = {
        "kind": "clips",
        "size": [64, 64],
        "frames": 2,
        "sigma": 1.5,
        "cache": str(root / "cache"),
        "data": {"lspet": str(root / "lspet")},
        **FORMS[name],
    }
    config = ClipsConfig.model_validate(task)
    network = _network(config)
    weights = {f"network.{key}": value for key, value in network.state_dict().items()}
    # What else such a checkpoint holds, and files that are long gone.
    weights |= {"calls": torch.zeros(()), "adversary.balance": torch.zeros(())}
    starts = {"form": task["network"]["form"]}
    if starts["form"] == "dkd":
        starts["initializer_start"] = {"kind": "imagenet", "file": "gone.pth"}
    task["network"] = {**task["network"], **starts}
    recipe = {"name": "x", "steps": 1, "batch_size": 1, "learning_rate": 1, "task": task}
    (root / name).mkdir()
    save_checkpoint(root / name, {"step": 1, "averaged": weights, "recipe": recipe})
    out = root / f"{name}.vidpose"
    export_checkpoint(root / name, out, trust=BELIEVING)
    return Exported(config, network, out, PoseModel.load(out, threads=1))


def _clips(exported: Exported, people: int, frames: int) -> Tensor:
    shape = (people, frames, *exported.config.size, 3)
    generator = torch.Generator().manual_seed(people)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("exported", FORMS, indirect=True)
def test_a_bundle_says_what_it_is(exported: Exported) -> None:
    bundle = read_bundle(exported.path)
    assert bundle.skeleton == exported.config.skeleton
    assert bundle.kind == ("dkd" if exported.path.stem in WITH_MEMORY else "frame")
    assert bundle.settings.stride == (8 if exported.path.stem == "lstm-pm" else 4)
    assert bundle.settings.trust == Trust(max_age=1.0, **BELIEVING)
    assert f"({exported.config.skeleton.name})" in bundle.card
    assert "--trust start_score=0 --trust min_score=0" in bundle.card
    assert "MoveNet" not in bundle.card
    figures = {"frame_pck@0.2"} if bundle.kind == "frame" else {"step_pck@0.2", "step_mmacs"}
    assert figures <= bundle.metrics.keys()


@pytest.mark.parametrize("exported", FORMS, indirect=True)
@pytest.mark.parametrize("people", [1, 3])
def test_graphs_find_what_the_network_finds(exported: Exported, people: int) -> None:
    clips = _clips(exported, people, 3)
    expected = exported.logits(clips)
    found, memory = exported.model.initialize(clips[:, 0].numpy())
    maps = [found]
    if memory is not None:
        assert memory.shape == (people, *MEMORIES[exported.path.stem])
        for t in (1, 2):
            found, memory = exported.model.step(clips[:, t].numpy(), memory)
            maps.append(found)
    # The oracle's weights are not rounded.
    for one, two in zip(maps, expected, strict=False):
        assert np.abs(one - two).mean() < 0.02 * two.std()


@pytest.mark.parametrize("exported", WITH_MEMORY, indirect=True)
def test_one_by_one_is_the_same_as_together(exported: Exported) -> None:
    """People followed in one batch do not meet, whatever their memory looks like."""
    frames = _clips(exported, 1, 3)[0].numpy()
    regions = [region_around(box, aspect=exported.model.aspect) for box in PEOPLE]
    together = initialize(exported.model, frames[0], regions, StageTimer())
    apart = [initialize(exported.model, frames[0], [r], StageTimer())[0] for r in regions]
    for frame in frames[1:]:
        memory = [pose.kernels for pose in together]
        together = step(exported.model, frame, regions, memory, StageTimer())
        apart = [
            step(exported.model, frame, [region], [pose.kernels], StageTimer())[0]
            for region, pose in zip(regions, apart, strict=True)
        ]
        for one, two in zip(together, apart, strict=True):
            assert np.allclose(one.keypoints, two.keypoints, atol=1e-2)
            assert one.kernels.shape == MEMORIES[exported.path.stem]


@pytest.mark.parametrize("exported", FORMS, indirect=True)
def test_a_stream_gives_the_same_again_after_a_reset(exported: Exported) -> None:
    frames = _clips(exported, 1, 4)[0].numpy()
    stream = PoseStream(exported.model, detector=_Whole())  # type: ignore[arg-type]
    runs = []
    for _ in range(2):
        stream.reset()
        runs.append([stream.step(frame, t / 30) for t, frame in enumerate(frames)])
    joints = exported.config.skeleton.num_keypoints
    for one, two in zip(*runs, strict=True):
        assert [p.id for p in one.people] == [p.id for p in two.people] == [1]
        assert one.people[0].keypoints.shape == (joints, 3)
        assert np.array_equal(one.people[0].keypoints, two.people[0].keypoints)


@pytest.mark.parametrize("exported", WITH_MEMORY, indirect=True)
def test_the_frame_before_matters_until_a_reset(exported: Exported) -> None:
    frames = _clips(exported, 1, 3)[0].numpy()

    def last(*indices: int) -> np.ndarray:
        stream = PoseStream(exported.model, _Whole(), smooth=False)  # type: ignore[arg-type]
        results = [stream.step(frames[i], t / 30) for t, i in enumerate(indices)]
        return results[-1].people[0].keypoints

    assert not np.array_equal(last(0, 2), last(1, 2))
    stream = PoseStream(exported.model, _Whole(), smooth=False)  # type: ignore[arg-type]
    stream.step(frames[0], 0.0)
    stream.reset()
    assert np.array_equal(stream.step(frames[2], 0.0).people[0].keypoints, last(2))


def test_dkd_lite_needs_no_files_of_its_start(root: Path) -> None:
    """Its step has half the size of its initializer, as the shipped one's."""
    task = {
        "kind": "clips",
        "network": {"form": "dkd-nano", "initializer": "gone.pt", "encoder": "gone.pt"},
        "skeleton": "penn13",
        "size": [256, 192],
        "frames": 2,
        "loss": "cross-entropy",
        "sigma": 1.0,
        "cache": root,
        "data": {},
    }
    trained = build_light_dkd(13, sizes=SMALL_SIZES)
    weights = {f"network.{key}": value for key, value in trained.state_dict().items()}
    model = clips_model({"averaged": weights}, ClipsConfig.model_validate(task))
    assert isinstance(model, MemoryModel)
    assert (model.size, model.step_size) == ((256, 192), (128, 96))
    found = model.network.state_dict()
    assert all(torch.equal(value, found[key]) for key, value in trained.state_dict().items())


def test_a_threshold_that_is_none_is_refused(root: Path) -> None:
    with pytest.raises(BundleError, match="trust has no 'age', only min_score, start_score"):
        export_checkpoint(root, root / "never.vidpose", trust={"age": 1.0})
    with pytest.raises(BundleError, match="max_age must be positive"):
        export_checkpoint(root, root / "never.vidpose", trust={"max_age": 0.0})
