"""The card of an imported network: what is known of it, and what is not."""

from __future__ import annotations

from vidpose.bundle import Bundle
from vidpose.data.clips import ClipSet
from vidpose.importing.labelled import Calibration


def card(
    bundle: Bundle,
    recognised: str,
    difference: float,
    calibration: Calibration | None,
    file: str,
    labels: ClipSet | None,
    steps: Bundle | None,
) -> str:
    """The text for people; `file` is the name of the ONNX file that was imported."""
    assert bundle.skeleton is not None
    text = f"""\
# {bundle.name}

A network of another project, imported by vidpose {bundle.version} from `{file}`: {recognised}, of
the skeleton {bundle.skeleton.name}. The graph is as it was; only how pictures enter it and how its
outputs are read was added. On the pictures that it was compared on, its keypoints lie within
{difference:.3f} px (of the network's input) of the raw network's.

Licence: {_licence(bundle)}
Cost: {_cost(bundle)}
Training data: not known to vidpose; ask those who made the network.
Confidences: {_confidences(calibration, labels)}
"""
    if steps is not None:
        text += f"""
## Carried by {steps.name}

The imported network initializes a person; the step network of {steps.name} ({steps.licence})
carries the pose from frame to frame. What follows is the card of {steps.name}.

{steps.card}"""
    return text


def _cost(bundle: Bundle) -> str:
    if "parameters" not in bundle.metrics:
        return "not counted (that needs pip install 'vidpose[import]')."
    found = next(v for k, v in bundle.metrics.items() if k in ("frame_mmacs", "people_mmacs"))
    parameters = bundle.metrics["parameters"]
    return f"{found / 1e3:.3f} GMACs for a picture, {parameters / 1e6:.2f} M parameters."


def _licence(bundle: Bundle) -> str:
    if bundle.licence_text:
        return f"{bundle.licence}; its text is in the bundle."
    if bundle.licence == "unknown":
        return "unknown. Whoever imported it did not say; find out before you use or pass it on."
    return f"{bundle.licence}, as whoever imported it says."


def _confidences(calibration: Calibration | None, labels: ClipSet | None) -> str:
    if calibration is None or labels is None:
        return "not calibrated; they are what the network gives, cut to [0, 1]."
    return (
        f"calibrated on {calibration.people} people of {labels.data_set}, split {labels.split}, "
        f"and {calibration.empty} regions beside them without a labelled person; "
        f"there {calibration.pck:.1f} % of the joints are within 0.2 torso, and the expected "
        f"calibration error is {calibration.error:.3f}."
    )
