"""INT8 graphs read the picture's bytes as quantised numbers."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto

from vidpose.export.rewriting.lighten import convolutions_of
from vidpose.export.rewriting.surgery import Surgery


def read_bytes(model: ModelProto) -> ModelProto:
    """`model`, changed in place: bytes become numbers around 0 in one node instead of two.

    A byte less 127.5, as `lighten` leaves it, becomes one less 128, and the half is added in the
    biases of the convolutions. Their zero padding stands for 128 then, so that maps change a
    little at the border: of no weight beside 8 bits, but not for graphs that must keep them.
    """
    surgery = Surgery(model)
    for sub in surgery.nodes:
        cast = surgery.maker(sub.input[0]) if sub.op_type == "Sub" else None
        shift = surgery.constant(sub.input[1]) if cast is not None else None
        if cast is None or cast.op_type != "Cast" or shift is None or shift.size > 1:
            continue
        convs = convolutions_of(surgery, sub.output[0])
        if not convs or not _is_byte_picture(surgery, cast.input[0]):
            continue
        zero = np.ceil(shift).reshape(())
        for conv in convs:
            weights = surgery.constant(conv.input[1])
            bias = surgery.constant(conv.input[2]) if len(conv.input) > 2 else np.float32(0)
            assert weights is not None
            assert bias is not None
            moved = bias + weights.sum(axis=(1, 2, 3)) * (zero - shift.reshape(()))
            del conv.input[2:]
            conv.input.append(surgery.store(conv.input[1], moved.astype(np.float32)))
        scale = surgery.store(sub.input[1], np.array(1, np.float32))
        point = surgery.store(sub.input[1], zero.astype(np.uint8))
        surgery.replace(sub, "DequantizeLinear", [cast.input[0], scale, point])
    surgery.sweep()
    return model


def _is_byte_picture(surgery: Surgery, value: str) -> bool:
    made = surgery.maker(value)
    source = made.input[0] if made is not None and made.op_type == "Transpose" else value
    ports = {port.name: port.type.tensor_type.elem_type for port in surgery.graph.input}
    return ports.get(source) == TensorProto.UINT8
