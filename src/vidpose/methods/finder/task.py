"""Training the person finder: its recipe section, its loss, and its average precision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from vidpose.bundle import DetectorSettings
from vidpose.data.datasets.coco_file import read_coco_file
from vidpose.data.samples import read_image, require
from vidpose.inference.detectors.bundle import letterbox, select_boxes
from vidpose.methods.finder.loss import finder_loss
from vidpose.methods.finder.model import FinderExport, PersonFinder
from vidpose.nn.checkpoint import load_into, load_weights
from vidpose.training.task import Batch, Task


class FinderConfig(BaseModel):
    """The `finder` section of a recipe; paths are relative to the working directory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["finder"]
    rtmdet: Path | None = None
    """RTMDet-nano's .onnx, whose weights are the start; else they are random."""
    start: Path | None = None
    """Checkpoint, or run folder, of a finder of this shape whose weights are the start instead."""
    labels: Path
    """Label file (`vidpose.data.pseudo_labels.people_labels`)."""
    roots: dict[str, Path]
    """Folder of every source of labelled images, by the name it has in the label file."""
    weights: dict[str, Annotated[float, Field(ge=0)]]
    """How often each source is drawn."""
    cutout_photos: Path
    cutout_masks: Path
    coco_val: Path
    """Held-out COCO folder: `annotations/person_keypoints_val2017.json` and `val2017/`."""
    width: int = Field(16, ge=4, multiple_of=2)
    """Channels of the stem; RTMDet-nano has 16."""
    frozen_stages: int = Field(0, ge=0, le=4)
    """Stages of the backbone, the first ones and the stem with them, that keep their weights."""
    canvas: int = Field(320, ge=64, multiple_of=32)
    """Side of a training scene in pixels."""
    input_size: int = Field(384, ge=64, multiple_of=32)

    @model_validator(mode="after")
    def _something_is_drawn(self) -> FinderConfig:
        if not any(self.weights.values()):
            raise ValueError("weights: all are 0; give one source a weight")
        return self


class FinderTask(Task):
    """The finder and its loss, from the weights that the recipe names."""

    network: PersonFinder

    def __init__(self, config: FinderConfig) -> None:
        super().__init__()
        self.network = PersonFinder(config.width)
        if config.start is not None:
            load_into(self.network, load_weights(config.start, prefix="network."), config.start)
        elif config.rtmdet is not None:
            self.network.load_rtmdet(config.rtmdet)
        self.network.backbone.freeze(config.frozen_stages)

    def loss(self, batch: Batch, step: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch of scenes and its parts."""
        image = batch["image"].float().contiguous(memory_format=torch.channels_last)
        cells = self.network(image)
        return finder_loss(cells, batch["boxes"], batch["ignore"])


def find_people(
    network: PersonFinder, image: NDArray[np.uint8], settings: DetectorSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """People of one image (H, W, 3) RGB as the runtime finds them with the exported network.

    Boxes (M, 4) x, y, w, h in pixels of the image, scores (M,).
    """
    padded, scale = letterbox(image, settings.input_size, square=False)
    device = next(network.parameters()).device
    with torch.no_grad():
        boxes, scores = FinderExport(network)(torch.from_numpy(padded)[None].to(device))
    return select_boxes(boxes.cpu().numpy(), scores.cpu().numpy(), scale, image.shape[:2], settings)


def coco_person_ap(network: PersonFinder, root: Path, input_size: int) -> dict[str, float]:
    """COCO's person box AP and AP50 over `root`'s val2017 images."""
    annotations = root / "annotations" / "person_keypoints_val2017.json"
    require(annotations, "COCO's annotations; check the recipe's coco_val")
    settings = DetectorSettings(input_size, score_threshold=0.02)
    was_training = network.training
    network.eval()
    rows = []
    for image_id, image in coco_images(annotations, root / "val2017"):
        boxes, scores = find_people(network, image, settings)
        rows += [
            {"image_id": image_id, "category_id": 1, "bbox": box, "score": score}
            for box, score in zip(boxes.tolist(), scores.tolist(), strict=True)
        ]
    network.train(was_training)
    return score_coco_boxes(annotations, rows)


def score_coco_boxes(annotations: Path, rows: list[dict[str, object]]) -> dict[str, float]:
    """pycocotools' box AP, AP50 and AR of result rows (category 1), its printing silenced."""
    import contextlib
    import io

    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    if not rows:
        return {"ap": 0.0, "ap50": 0.0, "ar": 0.0}
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = read_coco_file(annotations).for_pycocotools()
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(rows), "bbox")
        evaluation.params.catIds = [1]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    stats = evaluation.stats
    return {"ap": float(stats[0]), "ap50": float(stats[1]), "ar": float(stats[8])}


def coco_images(annotations: Path, folder: Path) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """(id, RGB image) of every image that a COCO annotation file names."""
    for image_id, name in read_coco_file(annotations).images.items():
        yield image_id, read_image(folder / name)
