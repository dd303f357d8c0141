"""Checkpoints of dkd-initializer, dkd-base and dkd-lite from the project's start weights.

    python recipes/start_weights.py ../shared/weights --runs runs/start
    vidpose export runs/start/dkd-base --out dkd-base.vidpose

The start weights (base_init.pt, base.pt, lite.pt) come from a first training at scale, outside
`vidpose train`. What this writes is what that training would have left: the recipes of the same
names, which go on from it, say with which settings, and `ORIGIN` how, which goes onto the model
cards.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from vidpose.nn.checkpoint import save_checkpoint
from vidpose.training.recipe import read_recipe

FILES = {"dkd-initializer": "base_init.pt", "dkd-base": "base.pt", "dkd-lite": "lite.pt"}
MODELS = "../shared/models"
SETTINGS = {
    "dkd-initializer": ["steps=1800", f"task.movenet={MODELS}/movenet_thunder.onnx"],
    "dkd-base": ["steps=2502", f"task.encoder={MODELS}/movenet_lightning.onnx"],
    "dkd-lite": ["steps=2452", f"task.encoder={MODELS}/movenet_lightning.onnx"],
}
"""Where that training differed from the recipes: it began with MoveNet's weights."""
ORIGIN = """\
These weights were made by the maintainers of vidpose with a script of their own around this
package's networks, losses and clips, on one H100 GPU with 16 CPU cores; none had converged.

- Initializer, 4 minutes: 1,800 steps of 128 crops from MoveNet Thunder's weights; 60 % stills
  (Leeds Sports Pose Extended, Clothing Co-Parsing, 327 people of COCO train2017 ten times each),
  40 % single frames of the 660 training clips of JHMDB's split 1, cropped as trackers do.
  Teachers in the same crop: PP-TinyPose (.85, on Leeds Sports .45) and MoveNet Thunder (.15, .55).
- Step network, 16.5 minutes beside its sister: MoveNet Lightning's weights as encoder; clips of 6
  frames, half made of stills moved by Penn Action's training tracks, half windows of JHMDB's
  training clips; the frozen initializer gives the first map and is the teacher of every later one.
"""


def main() -> None:
    """Write the checkpoints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, help="folder of base_init.pt, base.pt, lite.pt")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs are (runs)")
    given = parser.parse_args()
    for name, file in FILES.items():
        settings = [*SETTINGS[name], "minutes=null", "task.start=null"]
        if name != "dkd-initializer":
            settings.append(f"task.initializer={given.runs / 'dkd-initializer'}")
        recipe = read_recipe(Path(__file__).with_name(f"{name}.yaml"), settings)
        loaded = torch.load(given.weights / file, map_location="cpu", weights_only=True)
        weights = {f"network.{key}": value.float() for key, value in loaded["network"].items()}
        folder = given.runs / name
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "step": recipe.steps,
            "recipe": recipe.model_dump(mode="json"),
            "averaged": weights,
            "origin": ORIGIN,
        }
        print(f"wrote {save_checkpoint(folder, state)}")


if __name__ == "__main__":
    main()
