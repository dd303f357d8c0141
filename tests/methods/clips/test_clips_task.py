"""The clips task: every network under one roof, on its own maps, resumable with an adversary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.nn import functional

from clip_folders import write_penn
from stills_folders import lsp_people, write_lspet
from trainings import batch_of, loss_of
from vidpose.data.datasets import lspet
from vidpose.errors import DataError, RecipeError
from vidpose.methods.clips import networks as clip_networks
from vidpose.methods.clips import task as clips
from vidpose.methods.clips.maps import ClipMapping
from vidpose.methods.clips.networks import NetworkConfig, build_network, fix_started_norms
from vidpose.methods.clips.run import run_clip
from vidpose.methods.clips.task import ClipsConfig, ClipTask
from vidpose.nn.checkpoint import load_checkpoint
from vidpose.nn.movenet import PoseNet
from vidpose.skeleton import COCO_17
from vidpose.training.assembly import build_training
from vidpose.training.clip_scores import ClipEvaluator, clip_pck
from vidpose.training.clips import clips_training
from vidpose.training.loop import train
from vidpose.training.recipe import Recipe
from vidpose.training.task import Training

NETWORKS: dict[str, dict[str, Any]] = {
    "dkd": {"form": "dkd", "initializer": 18, "encoder": "small-cpm", "hidden": 16},
    "dkd-nano": {"form": "dkd-nano"},
    "dkd-nano-full": {"form": "dkd-nano", "kernel": "full", "kernel_size": 3},
    "dkd-nano-factorised": {"form": "dkd-nano", "kernel": "factorised"},
    "lstm-lite": {"form": "lstm-lite"},
    "pose-net": {"form": "pose-net", "size": "step"},
    "lstm-pm": {"form": "lstm-pm"},
    "simple-baseline": {"form": "simple-baseline", "depth": 18},
}
SIZES = {"dkd": (96, 96), "lstm-pm": (32, 32), "simple-baseline": (64, 64)}
LIGHT = [name for name in NETWORKS if name not in SIZES]
REMEMBERING = [name for name in NETWORKS if name not in ("simple-baseline", "pose-net")]
ADVERSARIAL = {"width": 4, "gamma": 1.0, "balance_rate": 0.5}


@pytest.fixture(scope="module", autouse=True)
def few_kept_out() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lspet, "KEPT_OUT", 2)
        yield


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lspet(tmp_path_factory.mktemp("clips") / "lspet", lsp_people(5))


def _config(stills: Path, name: str = "simple-baseline", **changes: Any) -> ClipsConfig:
    values = {
        "kind": "clips",
        "network": NETWORKS[name],
        "size": SIZES.get(name, (256, 192)),
        "frames": 3,
        "loss": "cross-entropy" if name in LIGHT else "l2",
        "sigma": 1.0,
        "cache": stills.parent / "cache",
        "data": {"lspet": stills},
    }
    return ClipsConfig.model_validate(values | changes)


def _training(config: ClipsConfig, seed: int = 0) -> tuple[ClipTask, dict[str, Tensor]]:
    """A task in training mode and a batch of two clips."""
    training = clips_training(config, seed)
    assert isinstance(training.task, ClipTask)
    return training.task.train(), batch_of(training.data, 2)


def _small_network(_: Any, num_keypoints: int, *__: Any) -> nn.Module:
    """Stands for a per-frame network; with a norm and dropout."""
    torch.manual_seed(5)
    last = nn.Conv2d(6, num_keypoints, 1)
    nn.init.normal_(last.weight, std=0.01)
    first = nn.Conv2d(3, 6, 4, stride=4)
    return nn.Sequential(first, nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(), last)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "build_network", _small_network)


def _remember(task: ClipTask) -> None:
    """Memories that start at zero get values."""
    with torch.no_grad():
        for parameter in task.network.parameters():
            if parameter.ndim > 1 and not parameter.any():
                nn.init.normal_(parameter, std=0.1)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_learns_from_the_same_items(stills: Path, name: str) -> None:
    torch.manual_seed(0)
    task, batch = _training(_config(stills, name))
    _remember(task)
    loss, figures = loss_of(task, batch)
    loss.backward()
    assert loss.isfinite()
    assert {"loss_first_frame", "loss_last_frame"} == figures.keys()
    idle = [n for n, p in task.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@pytest.mark.parametrize("name", REMEMBERING)
def test_a_network_with_a_memory_lives_on_its_own_maps(stills: Path, name: str) -> None:
    """Another picture before changes what is found now; the true pose before does not."""
    torch.manual_seed(0)
    task, batch = _training(_config(stills, name, frames=2))
    _remember(task)
    pictures, told = batch["images"].clone(), batch["keypoints"].clone()
    pictures[:, 0] = 255 - pictures[:, 0]
    told[:, 0, :, :2] += 9

    def figures(changes: dict[str, Tensor]) -> dict[str, float]:
        torch.manual_seed(0)  # the same dropout
        with torch.no_grad():
            return loss_of(task, {**batch, **changes})[1]

    plain, seen, other = figures({}), figures({"images": pictures}), figures({"keypoints": told})
    assert seen["loss_last_frame"] != plain["loss_last_frame"]
    assert other["loss_last_frame"] == plain["loss_last_frame"]
    assert other["loss_first_frame"] != plain["loss_first_frame"]


def test_a_per_frame_network_sees_frames_alone(stills: Path) -> None:
    network = _small_network(None, 3).eval()
    images = torch.rand(2, 3, 3, 16, 16)
    found = run_clip(network, images)
    assert len(found.frames) == 3
    assert found.further == []
    for t, maps in enumerate(found.frames):
        torch.testing.assert_close(maps, network(images[:, t]))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("loss", ["l2", "cross-entropy"])
def test_two_players_share_a_step_and_nothing_else(stills: Path, loss: str) -> None:
    config = _config(stills, loss=loss, adversarial=ADVERSARIAL)
    task, batch = _training(config)
    assert task.adversary is not None
    task.adversary.balance.fill_(0.5)
    torch.manual_seed(0)
    total, figures = loss_of(task, batch)
    total.backward()
    assert total.item() == pytest.approx(
        figures["loss_networks"] + figures["loss_discriminator"], rel=1e-5
    )
    assert figures["loss_networks"] > figures["loss_maps"]
    assert all(p.grad is not None and p.grad.any() for p in task.adversary.parameters())
    together = [p.grad.clone() for p in task.network.parameters() if p.grad is not None]
    task.zero_grad()
    torch.manual_seed(
        0
    )  # the same dropout again, now without a balance: D pays the networks nothing
    task.adversary.balance.fill_(0.0)
    task.loss(batch)[0].backward()
    alone = [p.grad for p in task.network.parameters() if p.grad is not None]
    task.zero_grad()
    torch.manual_seed(0)
    task.adversary = None
    task.loss(batch)[0].backward()
    for one, two in zip(alone, [p.grad for p in task.network.parameters()], strict=True):
        torch.testing.assert_close(one, two)
    assert any(not torch.allclose(a, b) for a, b in zip(together, alone, strict=True))


def _recipe(config: ClipsConfig, steps: int = 5) -> Recipe:
    return Recipe(
        name="clips",
        steps=steps,
        batch_size=2,
        learning_rate=0.01,
        warmup_steps=1,
        workers=0,
        evaluate_every=50,
        checkpoint_every=2,
        task=config,
    )


@pytest.mark.usefixtures("small")
def test_a_killed_adversarial_run_ends_with_the_same_bits(stills: Path, tmp_path: Path) -> None:
    """Networks, discriminator, balance, dropout and optimiser go on as if nothing had happened."""
    config = _config(stills, adversarial=ADVERSARIAL, repeat=3)
    recipe = _recipe(config)

    class Killed(BaseException):
        pass

    def dying() -> Training:
        training = build_training(recipe)

        class Dying(ClipTask):
            def loss(self, batch: Any, step: int = 0) -> Any:
                if step == 3:
                    raise Killed
                return super().loss(batch, step)

        training.task.__class__ = Dying
        return training

    torch.manual_seed(recipe.seed)
    train(build_training(recipe), recipe, tmp_path / "whole")
    torch.manual_seed(recipe.seed)
    with pytest.raises(Killed):
        train(dying(), recipe, tmp_path / "killed")
    torch.manual_seed(77)
    train(build_training(recipe), recipe, tmp_path / "killed")
    one, two = (load_checkpoint(tmp_path / name) for name in ("whole", "killed"))
    assert one["step"] == two["step"] == 5
    for part in ("task", "averaged"):
        assert one[part].keys() == two[part].keys()
        assert all(torch.equal(one[part][key], two[part][key]) for key in one[part])
    assert one["task"]["adversary.balance"] > 0
    moments = [c["optimizer"]["state"] for c in (one, two)]
    assert all(torch.equal(moments[0][i]["exp_avg"], moments[1][i]["exp_avg"]) for i in moments[0])


@pytest.mark.usefixtures("small")
def test_scores_are_of_kept_out_clips_or_of_the_repeated_ones(stills: Path) -> None:
    names = {f"{part}pck@{t}" for part in ("", "last_frame/") for t in (0.2, 0.1)}
    for changes in ({}, {"repeat": 3}, {"skeleton": "penn13"}):
        training = clips_training(_config(stills, **changes), seed=0)
        network = training.task.network.eval()
        scores = training.evaluate(network)
        assert scores.keys() == names | {"acceleration_error"}
        assert all(0 <= scores[name] <= 100 for name in names)
        assert scores["acceleration_error"] > 0
        assert training.evaluate(network) == scores
    clip = training.data[0]
    assert clip["keypoints"].shape == (3, 13, 3)


@pytest.fixture
def video(tmp_path: Path) -> dict[str, Any]:
    """Two training clips and a test clip of Penn Action."""
    for name, flag in (("0001", 1), ("0002", 1), ("0003", -1)):
        # shoulders and hips apart: a torso to measure by
        x = np.linspace(40.0, 80, 13) * np.ones((4, 1))
        write_penn(tmp_path / "penn", name, train=flag, x=x, y=2 * x - 60)
    section = {"set": "penn_action", "path": tmp_path / "penn", "incomplete": True}
    return {"data": None, "video": section, "skeleton": "penn13"}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("loss", ["l2", "cross-entropy"])
def test_labelled_video_is_learnt_and_measured(
    stills: Path, video: dict[str, Any], tmp_path: Path, loss: str
) -> None:
    recipe = _recipe(_config(stills, loss=loss, **video))
    training = build_training(recipe)
    clip = training.data[0]
    assert clip["images"].shape == (3, 3, 64, 64)
    assert clip["keypoints"].shape == (3, 13, 3)
    state = load_checkpoint(train(training, recipe, tmp_path / "run"))
    assert state["step"] == 5
    scores = training.evaluate(training.task.network.eval())
    assert all(0 <= value <= 100 for name, value in scores.items() if "pck" in name)
    assert {"pck@0.2", "acceleration_error", "box/pck@0.2", "box/knee"} <= set(scores)
    assert Recipe.model_validate(state["recipe"]) == recipe


@pytest.mark.usefixtures("small")
def test_video_without_test_clips_is_not_measured(stills: Path, video: dict[str, Any]) -> None:
    (Path(video["video"]["path"]) / "labels" / "0003.mat").unlink()
    for changes, measured in (({}, False), ({"repeat": 2}, True)):
        training = clips_training(_config(stills, **changes, **video), seed=0)
        assert bool(training.evaluate(training.task.network.eval())) == measured


def test_video_is_tested_on_longer_clips(stills: Path, video: dict[str, Any]) -> None:
    """The test clip has four frames: clips of five are none."""
    for frames, measured in ((4, True), (5, False)):
        training = clips_training(_config(stills, test_frames=frames, **video), seed=0)
        assert bool(training.evaluate(training.task.network.eval())) == measured


def test_a_network_that_starts_as_a_pose_network_may_lack_labels_of_joints(
    stills: Path, video: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Penn Action labels no ears, which MoveNet knows; an untrained network would never."""
    unstarted = _config(stills, **(video | {"skeleton": "coco17"}))
    with pytest.raises(DataError, match="have no nose"):
        clips_training(unstarted, seed=0)
    monkeypatch.setattr("vidpose.training.clips.is_started", lambda _: True)
    keypoints = clips_training(unstarted, seed=0).data[0]["keypoints"]
    assert keypoints.shape[1] == 17
    assert (keypoints[:, COCO_17.keypoints.index("left_ear"), 2] == 0).all()


def test_box_pck_by_hand() -> None:
    """Boxes of 50 in frame 1 and of 100 in frame 2: an elbow errs by 11 and a knee by 19."""
    true = np.zeros((1, 2, 17, 3), np.float32)
    true[..., 2] = 1
    index = COCO_17.keypoints.index
    found = true[..., :2].copy()
    found[0, 0, index("left_elbow"), 0] = 11
    found[0, 1, index("left_knee"), 1] = 19
    sizes = np.array([[50, 100]], np.float32)
    evaluator = ClipEvaluator(lambda: None, 0, ClipMapping("l2", 1.0, 64), COCO_17)
    scores = evaluator._box_scores(found, true, sizes)
    assert scores["box/pck@0.2"] == pytest.approx(100 * 33 / 34)
    assert scores["box/elbow"] == pytest.approx(75)
    assert scores["box/knee"] == 100


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "one of video"),
        ({"data": {}, "video": None}, None),
        ({"data": {}}, "one of video"),
        ({"video": None}, "one of video"),
        ({"penn_action": "x"}, "penn_action drives clips made of stills"),
    ],
)
def test_clips_come_from_video_or_from_stills(
    stills: Path, video: dict[str, Any], changes: dict[str, Any], message: str | None
) -> None:
    if not changes:
        changes = {"data": {"lspet": stills}}
    if message is None:
        assert _config(stills, **(video | changes)).video is None
        return
    with pytest.raises(ValidationError, match=message):
        _config(stills, **(video | changes))


def test_pck_by_hand() -> None:
    """Two frames of one person with a torso of 50: of 17 joints one errs by 9, one by 11."""
    true = np.zeros((1, 2, 17, 3), np.float32)
    true[..., 2] = 1
    index = COCO_17.keypoints.index
    true[0, :, index("left_shoulder"), :2] = 0, 0
    true[0, :, index("right_hip"), :2] = 30, 40
    found = true[..., :2].copy()
    found[0, 0, 0, 0] += 9
    found[0, 1, 1, 1] += 11
    assert clip_pck(found, true, COCO_17, 0.2) == pytest.approx(100 * 33 / 34)
    assert clip_pck(found, true, COCO_17, 0.1) == pytest.approx(100 * 32 / 34)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("dkd", {"size": (64, 80)}, "dkd needs multiples of 32"),
        ("lstm-pm", {"size": (36, 32)}, "lstm-pm needs multiples of 8"),
        ("dkd-nano", {"size": (64, 64)}, r"dkd-nano works at size \[256, 192\]"),
        ("dkd-nano", {"loss": "l2"}, "with loss cross-entropy"),
        (
            "dkd",
            {
                "network": {
                    **NETWORKS["dkd"],
                    "encoder_start": {"kind": "imagenet", "file": "x.pth"},
                }
            },
            "small-cpm starts from scratch",
        ),
    ],
)
def test_what_does_not_fit_is_said(
    stills: Path, name: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        clips_training(_config(stills, name, **changes), seed=0)


def test_a_wrong_key_or_a_single_frame_is_refused(stills: Path) -> None:
    half_a_start = {"form": "dkd-nano", "initializer": "x"}
    for wrong in (
        {"frames": 1},
        {"network": {"form": "hourglass"}},
        {"network": half_a_start},
        {"network": {**half_a_start, "encoder": "y", "movenet": "z"}},
        {"layers": 3},
    ):
        with pytest.raises(ValidationError):
            _config(stills, **wrong)


def test_a_start_of_each_kind_reaches_its_place(stills: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    donor = build_network(_config(stills).network, 17, (64, 64), True)
    named = {
        name.replace("encoder.trunk.", "backbone.")
        .replace("encoder.deconvolutions.", "head.deconv_layers.")
        .replace("head.weight", "head.final_layer.weight")
        .replace("head.bias", "head.final_layer.bias"): value
        for name, value in donor.state_dict().items()
        if name not in ("encoder.mean", "encoder.deviation")
    }
    path = tmp_path / "pose.pth"
    torch.save(named, path)
    for kind, same_head in (("pose", True), ("pose-encoder", False)):
        network = {**NETWORKS["simple-baseline"], "start": {"kind": kind, "file": path}}
        built = build_network(_config(stills, network=network).network, 17, (64, 64), True)
        state = built.state_dict()
        last = "encoder.deconvolutions.6.weight"
        assert torch.equal(state[last], donor.state_dict()[last])
        assert torch.equal(state["head.weight"], donor.state_dict()["head.weight"]) == same_head


def test_maps_of_two_sizes_play_with_the_adversary(stills: Path) -> None:
    """dkd-nano's first maps are twice as large; the change to the second frame is still one."""
    torch.manual_seed(0)
    config = _config(stills, "dkd-nano-factorised", adversarial=ADVERSARIAL)
    task, batch = _training(config)
    assert task.adversary is not None
    task.adversary.balance.fill_(0.5)
    loss, figures = loss_of(task, batch)
    loss.backward()
    assert figures["loss_networks"] > figures["loss_maps"]
    assert all(p.grad is not None and p.grad.any() for p in task.network.encoder.parameters())


def _started(name: str, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> nn.Module:
    """A light network that starts from a per-frame one, in place of MoveNet."""

    def load(network: PoseNet, _: Path) -> None:
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.ndim > 1:
                    nn.init.kaiming_normal_(parameter, generator=generator)
                else:
                    parameter.copy_(0.5 + 0.05 * torch.randn(parameter.shape, generator=generator))

    monkeypatch.setattr(clip_networks, "load_movenet_pose", load)
    section = {**NETWORKS[name], "movenet": "start.onnx", **changes}
    config = TypeAdapter(NetworkConfig).validate_python(section)
    network = build_network(config, 17, (256, 192), False)
    fix_started_norms(config, network)
    return network


@pytest.mark.parametrize("name", ["dkd-nano-full", "dkd-nano-factorised", "lstm-lite"])
def test_a_light_network_starts_as_its_per_frame_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With kernels of 1 x 1 and without what is distilled, maps are the classifier's."""
    changes = {} if name == "lstm-lite" else {"kernel_size": 1}
    network = _started(name, monkeypatch, **changes).eval()
    if name != "lstm-lite":
        nn.init.zeros_(network.distillator.last[1].weight)
    per_frame = PoseNet()
    per_frame.encoder.load_state_dict(
        (network.per_frame.encoder if name == "lstm-lite" else network.encoder).state_dict()
    )
    per_frame.classifier.load_state_dict(network.initializer.classifier.state_dict())
    images = torch.rand(1, 2, 3, 256, 192) * 2 - 1
    with torch.no_grad():
        later = run_clip(network, images).frames[1]
        small = functional.avg_pool2d(images[:, 1], 2)
        alone = per_frame.eval()(small)
        if name == "dkd-nano-full":  # a kernel has no bias
            alone = alone - per_frame.classifier.bias[:, None, None]
    torch.testing.assert_close(later, alone, rtol=0, atol=1e-4 * float(alone.abs().max()))


def test_norms_with_a_start_keep_their_statistics(
    stills: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_networks, "load_movenet_pose", lambda *_: None)
    network = {**NETWORKS["dkd-nano-factorised"], "movenet": "x.onnx", "frozen_initializer": True}
    task, batch = _training(_config(stills, "dkd-nano-factorised", network=network))
    before = {n: v.clone() for n, v in task.network.named_buffers() if "running" in n}
    task.loss(batch)[0].backward()
    moved = {n for n, v in task.network.named_buffers() if n in before and (v != before[n]).any()}
    assert moved
    assert all(name.startswith("distillator.") for name in moved)
    assert all(p.grad is None for p in task.network.initializer.parameters())


def test_recorded_clips_are_shared_by_seeds_and_networks(stills: Path, tmp_path: Path) -> None:
    changes = {"recorded": 4, "cache": tmp_path, "test_frames": 2}
    one, other = (clips_training(_config(stills, **changes), seed).data for seed in (1, 2))
    assert len(list(tmp_path.iterdir())) == 1
    first = [one[i]["keypoints"] for i in range(8)]
    assert all(torch.equal(one[i]["keypoints"], first[i]) for i in range(8))
    for half in (first[:4], first[4:], [other[i]["keypoints"] for i in range(4)]):
        assert {k.numpy().tobytes() for k in half} == {k.numpy().tobytes() for k in first}
