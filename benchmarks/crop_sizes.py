"""How small may a crop be? A per-frame network at several crop sizes.

    python benchmarks/crop_sizes.py --network MODELS/movenet_lightning.onnx \\
        --size 128x96 --size 160x120 --size 256x192 \\
        --lspet DATA/lspet --coco DATA/coco --clips DATA/video --peers MODELS

`--network` is MoveNet's ONNX file, whose keypoint branch alone is used (nn/movenet.py), or a
run of `kind: pose`, which without `--size` is measured at the size that it was trained at.
PCK on kept-out lspet people and COCO val2017 as in crops_accuracy.py; "video" is the share of
joints within 5 % of the box as in video_agreement.py, with RTMDet-nano's boxes. MMACs are the
network's at that size.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from report import finish, machine, parser, table
from video_agreement import AgreedPose, agreed_poses, find_clips, right

from vidpose.data.datasets.coco import load_coco
from vidpose.export.graphs import FrameGraph, multiply_adds
from vidpose.inference.crop import crop_image, region_around, to_image
from vidpose.inference.decode import decode_maps, map_to_crop
from vidpose.methods.per_frame.map_teachers import STRIDE
from vidpose.methods.per_frame.pose import map_function
from vidpose.methods.per_frame.pose_runs import load_pose_network, trained_size
from vidpose.nn.movenet import PoseNet
from vidpose.nn.movenet_weights import load_movenet_pose, movenet_width
from vidpose.skeleton import COCO_17
from vidpose.training.validation import MapNetwork, kept_out_samples, stills_pck


def load(path: Path) -> PoseNet:
    """A network from MoveNet's file or from a run."""
    if path.suffix != ".onnx":
        return load_pose_network(path, COCO_17)
    network = PoseNet(width=movenet_width(path))
    load_movenet_pose(network, path)
    return network


def on_video(network: MapNetwork, size: tuple[int, int], seen: list[AgreedPose]) -> float:
    """Share of right joints, in percent."""
    found: list[NDArray[np.float32]] = []
    for person in seen:
        region = region_around(person.box, aspect=size[1] / size[0])
        maps = network(crop_image(person.image, region, size)[None])
        points = map_to_crop(decode_maps(maps)[0], STRIDE)[0]
        found.append(to_image(points, region, size))
    return right(found, seen)["@0.05"]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--network", type=Path, action="append", required=True)
    arguments.add_argument("--size", action="append", default=[], help="HxW; repeatable")
    arguments.add_argument("--lspet", type=Path, required=True, help="Leeds Sports Pose Extended")
    arguments.add_argument("--coco", type=Path, required=True, help="COCO's root")
    arguments.add_argument("--clips", type=Path, required=True, help="folder with videos")
    arguments.add_argument("--peers", type=Path, required=True, help="folder with the ONNX files")
    given = arguments.parse_args()

    torch.set_num_threads(given.threads)
    lspet, coco = kept_out_samples(given.lspet), load_coco(given.coco, "val2017")
    detector = str(given.peers / "rtmdet_nano.onnx")
    seen = agreed_poses(find_clips(given.clips), 12, given.peers, detector)
    rows = []
    for path in given.network:
        network = load(path).eval().to(memory_format=torch.channels_last)
        sizes = [(int(h), int(w)) for h, w in (size.split("x") for size in given.size)]
        for size in sizes or [trained_size(path)]:
            look = map_function(network)
            graph, image = FrameGraph(network), torch.zeros(1, *size, 3, dtype=torch.uint8)
            row = {"MMACs": multiply_adds(graph, (image,)) / 1e6}
            for name, samples in (("lspet", lspet), ("COCO", coco)):
                scores = stills_pck(look, samples, size)
                row |= {f"{name} {key.replace('pck', '')}": v for key, v in scores.items()}
            row["video"] = on_video(look, size, seen)
            rows.append({"network": path.stem, "size": f"{size[0]} x {size[1]}", **row})
    columns = list(rows[0])
    print(f"{len(lspet)} and {len(coco)} people, {len(seen)} agreed_poses in video\n")
    cells = [[r[c] if isinstance(r[c], str) else f"{r[c]:.1f}" for c in columns] for r in rows]
    print(table(columns, cells))
    finish(given.json, {"machine": machine(given.threads), "rows": rows})


if __name__ == "__main__":
    main()
