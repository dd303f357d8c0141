"""The person finder: shapes, start weights, assignment, loss, export."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torchvision.ops import generalized_box_iou

from vidpose.errors import BundleError
from vidpose.inference.detectors.onnx_detectors import DEVIATION, MEAN
from vidpose.methods.finder.loss import assign, finder_loss, generalized_iou
from vidpose.methods.finder.model import STRIDES, Cells, FinderExport, PersonFinder


@pytest.fixture(scope="module")
def finder() -> PersonFinder:
    torch.manual_seed(0)
    return PersonFinder().eval()


def _grid_cells(size: int) -> Cells:
    """Cells whose boxes are squares of four strides around the centre, all equally likely."""
    centres, strides = [], []
    for stride in STRIDES:
        steps = (torch.arange(size // stride) + 0.5) * stride
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        centres.append(torch.stack([x, y], -1).reshape(-1, 2))
        strides.append(torch.full((len(centres[-1]),), float(stride)))
    middle, stride = torch.cat(centres), torch.cat(strides)
    boxes = torch.cat([middle - 2 * stride[:, None], middle + 2 * stride[:, None]], 1)
    return Cells(torch.zeros(1, len(middle)), boxes[None], middle, stride)


def test_every_cell_of_every_level_has_a_box_around_its_centre(finder: PersonFinder) -> None:
    with torch.no_grad():
        cells = finder(torch.zeros(2, 3, 96, 160))
    count = sum((96 // s) * (160 // s) for s in STRIDES)
    assert cells.logits.shape == (2, count)
    assert cells.boxes.shape == (2, count, 4)
    assert cells.centres[0].tolist() == [4, 4]
    assert cells.centres[-1].tolist() == [144, 80]
    assert (cells.boxes[..., :2] < cells.centres).all()
    assert (cells.boxes[..., 2:] > cells.centres).all()


def test_an_untrained_finder_finds_no_person(finder: PersonFinder) -> None:
    with torch.no_grad():
        _, scores = FinderExport(finder)(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
    assert float(scores.max()) < 0.1


def test_published_weights_give_the_published_boxes_and_scores(shared_models: Path) -> None:
    path = shared_models / "rtmdet_nano.onnx"
    finder = PersonFinder().eval()
    finder.load_rtmdet(path)
    image = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    planes = ((image[..., ::-1] - MEAN) / DEVIATION).transpose(2, 0, 1)[None]
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    maps = session.run(None, {"images": np.ascontiguousarray(planes, np.float32)})
    with torch.no_grad():
        cells = finder(torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32)))
    expected = np.concatenate([m[0, ..., 0].ravel() for m in maps])
    np.testing.assert_allclose(cells.logits[0].numpy(), expected, atol=1e-3)
    corners = cells.centres - cells.strides[:, None] / 2  # where the published distances begin
    sides = torch.cat([corners - cells.boxes[0, :, :2], cells.boxes[0, :, 2:] - corners], 1)
    expected = np.concatenate([m[0, ..., 1:].reshape(-1, 4) for m in maps])
    np.testing.assert_allclose(sides.numpy(), expected, atol=1e-2)


def test_weights_of_another_network_are_refused(shared_models: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"yolox_nano\.onnx: not RTMDet-nano"):
        PersonFinder().load_rtmdet(shared_models / "yolox_nano.onnx")
    with pytest.raises(BundleError, match=r"rtmdet_nano\.onnx: not RTMDet-nano of width 8"):
        PersonFinder(width=8).load_rtmdet(shared_models / "rtmdet_nano.onnx")
    with pytest.raises(BundleError, match=r"none\.onnx: not a readable ONNX file"):
        PersonFinder().load_rtmdet(tmp_path / "none.onnx")


def test_giou_is_torchvisions() -> None:
    low = torch.rand(50, 2, 2, generator=torch.Generator().manual_seed(1)) * 100
    size = torch.rand(50, 2, 2, generator=torch.Generator().manual_seed(2)) * 60 + 1
    a, b = torch.cat([low, low + size], -1).unbind(1)
    torch.testing.assert_close(generalized_iou(a, b), generalized_box_iou(a, b).diagonal())


def test_a_person_goes_to_cells_inside_the_box_on_the_level_of_its_size() -> None:
    cells = _grid_cells(128)
    person = torch.tensor([[[32.0, 32.0, 96.0, 96.0], [0.0, 0.0, 0.0, 0.0]]])
    assignment = assign(cells, person)
    chosen = assignment.positive[0]
    assert 1 <= int(chosen.sum()) <= 9
    assert ((cells.centres[chosen] - 64).abs() <= 32).all()
    # 64 px are four strides of 16 px: the best fitting cells are of that level.
    best = int(assignment.target[0].argmax())
    assert float(cells.strides[best]) == 16
    assert (assignment.boxes[0, chosen] == person[0, 0]).all()


def test_the_smallest_people_have_a_cell() -> None:
    cells = _grid_cells(64)
    assignment = assign(cells, torch.tensor([[[33.0, 20.0, 36.0, 34.0]]]))
    assert bool(assignment.positive.any())


def test_no_cell_serves_two_people_and_each_has_one() -> None:
    cells = _grid_cells(128)
    people = torch.tensor([[[20.0, 20.0, 70.0, 110.0], [44.0, 20.0, 94.0, 110.0]]])
    assignment = assign(cells, people)
    owners = [tuple(box) for box in assignment.boxes[assignment.positive].tolist()]
    assert set(owners) == {tuple(box) for box in people[0].tolist()}


def test_no_person_in_the_picture_leaves_only_background() -> None:
    cells = _grid_cells(64)
    no_boxes = torch.zeros(1, 3, 4)
    assert not assign(cells, no_boxes).positive.any()
    loss, parts = finder_loss(cells, no_boxes, no_boxes)
    assert float(loss) > 0
    assert parts["box"] == 0


def test_ignored_regions_are_not_background() -> None:
    cells = _grid_cells(64)
    no_boxes = torch.zeros(1, 1, 4)
    everywhere = torch.tensor([[[-100.0, -100.0, 200.0, 200.0]]])
    assert float(finder_loss(cells, no_boxes, everywhere)[0]) == 0
    corner = torch.tensor([[[0.0, 0.0, 32.0, 32.0]]])
    part = float(finder_loss(cells, no_boxes, corner)[0])
    assert 0 < part < float(finder_loss(cells, no_boxes, no_boxes)[0])


def test_the_network_can_learn_one_scene() -> None:
    torch.manual_seed(0)
    finder = PersonFinder(width=8).train()
    image = torch.full((2, 3, 64, 64), 64.0)
    image[:, :, 16:56, 24:44] = 230.0
    person = torch.tensor([[[24.0, 16.0, 44.0, 56.0]]]).expand(2, 1, 4)
    optimizer = torch.optim.Adam([p for p in finder.parameters() if p.requires_grad], 3e-3)
    for _ in range(40):
        cells = finder(image)
        loss, _ = finder_loss(cells, person, torch.zeros(2, 1, 4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    best = int(cells.logits[0].argmax())
    found = cells.boxes[0, best].detach()
    assert float(generalized_iou(found[None], person[0])[0]) > 0.7


@pytest.mark.parametrize("size", [(96, 160), (192, 64)])
def test_onnx_gives_the_same_boxes_and_scores_at_any_size(
    finder_session: ort.InferenceSession, finder: PersonFinder, size: tuple[int, int]
) -> None:
    image = np.random.default_rng(3).integers(0, 256, (1, *size, 3), dtype=np.uint8)
    boxes, scores = finder_session.run(["boxes", "scores"], {"image": image})
    with torch.no_grad():
        expected_boxes, expected_scores = FinderExport(finder)(torch.from_numpy(image))
    np.testing.assert_allclose(boxes, expected_boxes.numpy(), rtol=1e-3, atol=0.02)
    np.testing.assert_allclose(scores, expected_scores.numpy(), rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def finder_session(finder: PersonFinder) -> ort.InferenceSession:
    buffer = io.BytesIO()
    torch.onnx.export(
        FinderExport(finder).eval(),
        (torch.zeros(1, 64, 128, 3, dtype=torch.uint8),),
        buffer,
        input_names=["image"],
        output_names=["boxes", "scores"],
        dynamic_axes={"image": {1: "height", 2: "width"}, "boxes": {0: "m"}, "scores": {0: "m"}},
        opset_version=18,
        dynamo=False,
    )
    return ort.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])


def test_frozen_stages_take_no_gradient_and_the_others_do() -> None:
    finder = PersonFinder(width=8)
    finder.backbone.freeze(0)
    assert all(p.requires_grad for p in finder.parameters())
    finder.backbone.freeze(2)
    cells = finder(torch.zeros(1, 3, 64, 64))
    (cells.logits.sum() + cells.boxes.sum()).backward()
    kept = [*finder.backbone.stem.parameters(), *finder.backbone.stages[:2].parameters()]
    assert all(p.grad is None for p in kept)
    assert all(p.grad is not None for p in finder.backbone.stages[2:].parameters())
