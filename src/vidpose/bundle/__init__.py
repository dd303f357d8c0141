"""Model bundles: one zip file `NAME.vidpose` that carries all that a model needs to run.

Inside lie `bundle.json` (what the model is and how to use it), one ONNX file for each graph, and
`card.md` (for people). The runtime guesses nothing: sizes, padding, score calibration and
thresholds come from here.

| kind | graphs | settings |
|---|---|---|
| `dkd` | `initializer`: `image` -> `maps`, `kernels`; `step`: `image`, `kernels` -> `maps`, `next_kernels` | `DkdSettings` |
| `frame` | `frame`: `image` -> `maps`; a model without memory | `FrameSettings` |
| `detector` | `detector`: `image` -> `boxes`, `scores` | `DetectorSettings` |
| `imported` | `frame`: another project's network for the crop of a person | `ImportedSettings` |
| `one-stage` | `people`: another project's network that finds everybody in the picture | `OneStageSettings` |
| `carried` | `frame` as of `imported`; `memory`: `image`, `maps` -> `next_kernels`; `step` as of `dkd` | `CarriedSettings` |

Graphs of other projects keep their own inputs and outputs, which the settings describe. Otherwise `image` is uint8 RGB (N, height, width, 3); `maps` are logits (N, K, h, w), float32. `kernels` and
`next_kernels` are the memory of a person, float32 of any shape (N, ...) on which the graphs agree. A
memory (N, K, C, S, S) has a kernel for each keypoint, and those of unsure keypoints are kept from the
frame before; any other one goes from frame to frame as a whole.
"""  # noqa: E501

from vidpose.bundle.file import (
    SUFFIX,
    Bundle,
    available_models,
    find_bundle,
    missing_models_folder,
    read_bundle,
    write_bundle,
)
from vidpose.bundle.imported import (
    CarriedSettings,
    CropForm,
    ImportedSettings,
    NetworkInput,
    OneStageSettings,
    PeopleForm,
)
from vidpose.bundle.kinds import Settings
from vidpose.bundle.retune import changed_trust, retuned
from vidpose.bundle.settings import (
    IDENTITY,
    Curve,
    DetectorSettings,
    DkdSettings,
    FrameSettings,
    Point,
    Size,
    Trust,
)

__all__ = [
    "IDENTITY",
    "SUFFIX",
    "Bundle",
    "CarriedSettings",
    "CropForm",
    "Curve",
    "DetectorSettings",
    "DkdSettings",
    "FrameSettings",
    "ImportedSettings",
    "NetworkInput",
    "OneStageSettings",
    "PeopleForm",
    "Point",
    "Settings",
    "Size",
    "Trust",
    "available_models",
    "changed_trust",
    "find_bundle",
    "missing_models_folder",
    "read_bundle",
    "retuned",
    "write_bundle",
]
