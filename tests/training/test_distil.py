"""Distillation: any teacher and any student; nothing of the teacher is trained or saved."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stills_folders import lsp_people, write_lspet
from trainings import batch_of, loss_of
from vidpose.data.datasets import lspet
from vidpose.data.loaders.stills import StillsConfig
from vidpose.errors import DataError
from vidpose.methods.distilpose.task import DistilPoseConfig, EncoderSection, build_distilpose
from vidpose.methods.fasterpose.task import FasterPoseConfig, FasterPoseTask
from vidpose.methods.okdhp.task import HourglassSection, OKDHPConfig
from vidpose.methods.per_frame.students import StudentConfig, load_frame_model
from vidpose.methods.per_frame.task import BackboneSection
from vidpose.nn.checkpoint import save_checkpoint
from vidpose.training import distil
from vidpose.training.distil import (
    DistilConfig,
    DistilTask,
    OnnxSection,
    TeacherSection,
    Weights,
    check_teacher,
    load_teacher,
)
from vidpose.training.frames import frame_training
from vidpose.training.heatmaps import gaussian_heatmaps
from vidpose.training.task import Training
from vidpose.training.teachers import NetworkTeacher, Teacher

SIZE = (64, 64)
ENCODER = EncoderSection(patch=(4, 4), width=16, depth=1, heads=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> StillsConfig:
    return StillsConfig(lspet=write_lspet(tmp_path_factory.mktemp("lspet"), lsp_people(12)))


def _fasterpose(data: StillsConfig) -> FasterPoseConfig:
    backbone = BackboneSection(name="test_efficientnet")
    return FasterPoseConfig(kind="fasterpose", size=SIZE, backbone=backbone, data=data)


def _token_network(data: StillsConfig, network: str = "student-s", **more: Any) -> DistilPoseConfig:
    values: dict[str, Any] = {"hrnet": "hrnet_w18_small", "stem": 8, "encoder": ENCODER, **more}
    return DistilPoseConfig(kind="distilpose", size=SIZE, network=network, data=data, **values)


def _okdhp(data: StillsConfig) -> OKDHPConfig:
    network = HourglassSection(shared=1, branches=(1, 1), channels=8, depth=1)
    return OKDHPConfig(kind="okdhp", size=SIZE, network=network, ramp_steps=0, data=data)


def _checkpoint(folder: Path, config: StudentConfig, network: nn.Module, **more: Tensor) -> Path:
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    recipe = {"task": config.model_dump(mode="json")}
    state = {"step": 1, "recipe": recipe, "averaged": {**weights, **more}}
    return save_checkpoint(folder, state)


@pytest.fixture(scope="module")
def token_teacher(data: StillsConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    config = _token_network(data, "teacher")
    return _checkpoint(tmp_path_factory.mktemp("teacher"), config, build_distilpose(config))


def _training(student: StudentConfig, teacher: Path, **weights: float) -> Training:
    config = DistilConfig(
        kind="distil",
        student=student,
        teacher=TeacherSection(path=teacher),
        weights=Weights(**weights),
    )
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lspet, "KEPT_OUT", 2)
        patch.setattr(distil, "check_teacher", lambda *_: None)  # untrained: it knows no joint
        return frame_training(config, seed=0)


def _task(training: Training) -> DistilTask:
    assert isinstance(training.task, DistilTask)
    return training.task.train()


PUBLISHED = {"visual": 5e-4, "keypoint": 5e-4, "simulated": 1.0, "score": 0.01}


@pytest.mark.parametrize("people", [1, 2])
def test_distilpose_as_published(data: StillsConfig, token_teacher: Path, people: int) -> None:
    training = _training(_token_network(data, scores=True), token_teacher, **PUBLISHED)
    task = _task(training)
    loss, figures = loss_of(task, batch_of(training.data, people))
    expected = figures["loss_student"]
    expected += sum(weight * figures[f"loss_{name}"] for name, weight in PUBLISHED.items())
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert not [name for name, p in task.named_parameters() if p.grad is None]


@pytest.mark.parametrize("student", [_fasterpose, _okdhp], ids=["fasterpose", "okdhp"])
def test_maps_teach_any_student_of_maps(
    data: StillsConfig, token_teacher: Path, student: Any
) -> None:
    training = _training(student(data), token_teacher, maps=1.0, labels=0.0)
    task = _task(training)
    loss, figures = loss_of(task, batch_of(training.data, 2))
    assert loss.isfinite()
    assert loss.item() == pytest.approx(figures["loss_maps"])
    assert 0 < figures["teacher_outside"] < 1  # untrained, it overshoots
    loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in task.parameters())
    assert any(p.grad is not None and p.grad.any() for p in task.parameters())


def test_nothing_of_the_teacher_is_trained_or_saved(
    data: StillsConfig, token_teacher: Path
) -> None:
    training = _training(_token_network(data, scores=True), token_teacher, **PUBLISHED)
    task = _task(training)
    teacher = task.teacher
    assert isinstance(teacher, NetworkTeacher)
    network = teacher._network
    before = copy.deepcopy(network.state_dict())
    own = {id(p) for p in network.parameters()}
    assert not own & {id(p) for p in task.parameters()}
    assert all(name.startswith("student.network.") for name in task.state_dict())
    assert len(task.state_dict()) == len(task.network.state_dict())
    optimizer = torch.optim.SGD(task.parameters(), lr=0.1)
    task.loss(batch_of(training.data, 2))[0].backward()
    optimizer.step()
    assert not any(part.training for part in network.modules())
    assert all(p.grad is None for p in network.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_one_seed_gives_one_loss(data: StillsConfig, token_teacher: Path) -> None:
    def loss() -> float:
        training = _training(_token_network(data, scores=True), token_teacher, **PUBLISHED)
        return _task(training).loss(batch_of(training.data, 2))[0].item()

    assert loss() == loss()


@pytest.mark.parametrize(
    ("student", "weights", "message"),
    [
        (_fasterpose, {"simulated": 1.0, "score": 1.0}, "not this fasterpose"),
        (_fasterpose, {"visual": 1.0}, "this fasterpose student has none"),
        (_token_network, {"maps": 1.0}, "gives no maps"),
        (_token_network, {"score": 1.0}, "scores: true"),
        (lambda d: _token_network(d, scores=True), {"simulated": 1.0}, "scores are learnt"),
    ],
)
def test_weights_that_ask_for_what_is_not_there_are_refused(
    data: StillsConfig, token_teacher: Path, student: Any, weights: dict[str, float], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        _training(student(data), token_teacher, **weights)


def test_tokens_of_another_size_are_refused(data: StillsConfig, token_teacher: Path) -> None:
    other = _token_network(data, encoder=ENCODER.model_copy(update={"width": 32}))
    with pytest.raises(DataError, match="give both the same size, patch and width"):
        _training(other, token_teacher, visual=1.0)


def test_a_distilled_student_is_read_back(data: StillsConfig, token_teacher: Path) -> None:
    """As its own kind would be, and so it can teach in turn."""
    task = _task(_training(_fasterpose(data), token_teacher, maps=1.0)).eval()
    recipe = {"task": task.config.model_dump(mode="json")}
    model = load_frame_model({"recipe": recipe, "averaged": task.state_dict()})
    assert isinstance(task.student, FasterPoseTask)
    image = torch.rand(1, 3, *SIZE)
    with torch.no_grad():
        assert torch.equal(model.network(image), task.student.network(image))
    assert (model.kind, model.size) == ("sigmoid", SIZE)


def test_the_chosen_branch_is_read_back(data: StillsConfig) -> None:
    from vidpose.methods.okdhp.task import build_okdhp

    config, image = _okdhp(data), torch.rand(1, 3, *SIZE)
    network = build_okdhp(config).eval()
    state: dict[str, Any] = {
        "recipe": {"task": config.model_dump(mode="json")},
        "averaged": {f"network.{k}": v for k, v in network.state_dict().items()},
    }
    state["averaged"]["chosen"] = torch.tensor(1)
    with torch.no_grad():
        found = load_frame_model(state).network(image)
        assert torch.equal(found, network.answers(image)[1])
    state["averaged"]["chosen"] = torch.tensor(-1)
    with pytest.raises(DataError, match="no branch is chosen"):
        load_frame_model(state)


class _Known(Teacher):
    """Draws the keypoints that it was given, in the given order, on a scale."""

    def __init__(self, keypoints: Tensor, order: list[int], scale: float = 1.0) -> None:
        self.name, self.size, self.num_keypoints = "known", SIZE, len(order)
        self._heatmaps = gaussian_heatmaps(keypoints[:, order], (16, 16), 4, 2.0) * scale

    def _predict(self, crops: Tensor) -> Any:
        from vidpose.training.teachers import TeacherOutput

        return TeacherOutput(self._heatmaps[: len(crops)], None)


def _labelled() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    keypoints = torch.rand(4, 17, 3, generator=generator) * 60 + 2
    return torch.zeros(4, 3, *SIZE, dtype=torch.uint8), keypoints


def test_a_teacher_that_knows_passes() -> None:
    crops, keypoints = _labelled()
    check_teacher(_Known(keypoints, list(range(17))), crops, keypoints)


@pytest.mark.parametrize(
    ("order", "scale", "message"),
    [
        (list(range(14)), 1.0, "teacher known has 14 joints, the data have 17"),
        ([*range(1, 17), 0], 1.0, r"only \d+ % of its peaks are near the labels"),
        (list(range(17)), 9.0, r"from 0\.00 to \d\.\d\d, heatmaps lie in \[0, 1\]"),
    ],
)
def test_a_teacher_of_another_kind_is_refused(order: list[int], scale: float, message: str) -> None:
    crops, keypoints = _labelled()
    with pytest.raises(DataError, match=message):
        check_teacher(_Known(keypoints, order, scale), crops, keypoints)


def test_an_onnx_teacher_and_its_section_belong_together(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs a section `onnx`"):
        load_teacher(TeacherSection(path=tmp_path / "t.onnx"))
    with pytest.raises(DataError, match="no other teacher has one"):
        load_teacher(TeacherSection(path=tmp_path, onnx=OnnxSection()))


def test_tinypose_knows_the_joints_of_real_crops(shared_models: Path, shared_data: Path) -> None:
    """And is refused where its normalisation is not said."""
    from vidpose.data.datasets.coco import load_coco
    from vidpose.data.loaders.stills import plain_crops

    path = shared_models / "tinypose_256x192.onnx"
    people = [s for s in load_coco(shared_data / "coco", "val2017") if s.box[3] > 100]
    crops, keypoints = plain_crops(people, (256, 192), 8)
    section = TeacherSection(path=path, onnx=OnnxSection(corners=True))
    check_teacher(load_teacher(section), crops, keypoints)
    wrong = OnnxSection(mean=(-200.0,) * 3, std=(0.01,) * 3)
    with pytest.raises(DataError, match=r"tinypose"):
        check_teacher(load_teacher(TeacherSection(path=path, onnx=wrong)), crops, keypoints)
