"""Padding at the far end only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import nn

from vidpose.errors import DataError
from vidpose.nn.checkpoint import load_checkpoint, save_checkpoint
from vidpose.nn.far_end_padding import FarEndConv2d, pad_at_far_end
from vidpose.nn.movenet import PoseBackbone


@pytest.mark.parametrize(("side", "cells"), [(6, 3), (7, 4), (15, 8)])
def test_a_cell_begins_where_its_first_pixel_does(side: int, cells: int) -> None:
    conv = FarEndConv2d(1, 1, 3, 2, bias=False)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0, 0, 0, 0] = 1  # each cell gives the first pixel that it sees
        image = torch.arange(side * side, dtype=torch.float32).view(1, 1, side, side)
        torch.testing.assert_close(conv(image), image[:, :, ::2, ::2])
        assert conv(image).shape[2:] == (cells, cells)


def test_even_sides_are_tensorflows() -> None:
    theirs = nn.Sequential(Conv2dSame(3, 4, 3, 2))
    x = torch.rand(1, 3, 10, 12)
    odd = torch.rand(1, 3, 9, 12)
    with torch.no_grad():
        before, before_odd = theirs(x), theirs(odd)
        pad_at_far_end(theirs)
        assert isinstance(theirs[0], FarEndConv2d)
        torch.testing.assert_close(theirs(x), before)
        assert not torch.allclose(theirs(odd), before_odd)


def test_the_trunk_has_no_other_padding() -> None:
    assert not any(isinstance(part, Conv2dSame) for part in PoseBackbone().modules())


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ({"kind": "pose", "size": [160, 120]}, "network.encoder.backbone.top.weight"),
        ({"kind": "dkd", "size": [256, 192], "step_size": [160, 120]}, "n.backbone.top.weight"),
        ({"kind": "distil", "student": {"size": [240, 180]}}, "network.backbone.top.weight"),
    ],
)
def test_networks_of_odd_levels_padded_otherwise_are_refused(
    tmp_path: Path, task: dict[str, Any], name: str
) -> None:
    state = {"step": 1, "recipe": {"task": task}, "averaged": {name: torch.zeros(1)}}
    old = tmp_path / "old.pt"
    torch.save(state, old)
    with pytest.raises(DataError, match=r"old\.pt: was trained with a pyramid padded on both"):
        load_checkpoint(old)
    assert load_checkpoint(save_checkpoint(tmp_path, state))["step"] == 1
    torch.save({**state, "averaged": {"network.layer1.weight": torch.zeros(1)}}, old)
    assert load_checkpoint(old)["step"] == 1  # of another trunk
    even = {**task, "size": [256, 192], "step_size": [128, 96], "student": {"size": [64, 96]}}
    torch.save({**state, "recipe": {"task": even}}, old)
    assert load_checkpoint(old)["step"] == 1
