"""dkd-lite: the light DKD configuration.

Both networks are shaped like MoveNet Lightning (models/movenet.py), the initializer at 256 x 192,
the frame encoder at 128 x 96; kernels are 1 x 1 over 96 features and 48 plane waves.
"""

from __future__ import annotations

import torch

from vidpose.models.dkd import DKD, PlaneWaves, PooledDistillator
from vidpose.models.movenet import PoseEncoder, PoseNet

INITIALIZER_SIZE = (256, 192)
STEP_SIZE = (128, 96)
STRIDE = 4

_PLACE = 1.0  # initial weight of a joint's last place: a rise of two in the map's logits there


def dkd_lite(num_keypoints: int = 17) -> DKD:
    """Build dkd-lite with untrained weights."""
    encoder = PoseEncoder()
    waves = PlaneWaves((STEP_SIZE[0] // STRIDE, STEP_SIZE[1] // STRIDE))
    distillator = PooledDistillator(encoder.channels + waves.channels, num_keypoints)
    ratio = INITIALIZER_SIZE[0] // STEP_SIZE[0]
    return DKD(PoseNet(num_keypoints), encoder, distillator, waves, ratio)


def start_from_frames(model: DKD, initializer: PoseNet, per_frame: PoseNet) -> None:
    """Give a dkd-lite the weights of two per-frame networks.

    The encoder becomes `per_frame`'s and the static kernels its classifier: the step network
    starts as that per-frame network with a mild preference for each joint's last place, and
    training only has to learn what else the previous frame adds.
    """
    assert isinstance(model.distillator, PooledDistillator)
    model.initializer.load_state_dict(initializer.state_dict())
    model.encoder.load_state_dict(per_frame.encoder.state_dict())
    static, gain = model.distillator.static, model.distillator.gain
    weights = per_frame.classifier.weight[:, :, 0, 0]
    channels = weights.shape[1]
    with torch.no_grad():
        static.zero_()
        static[:, :channels] = weights * static.shape[1] ** 0.5
        gain.zero_()
        gain[:, channels:] = _PLACE / model.distillator.GAIN_RATE
