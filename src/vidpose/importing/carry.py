"""`--carry`: a step network of ours goes on from an imported network's poses.

A step's graph makes maps, and of the frame's features and those maps the next kernels. Cut at the
maps, its second half makes kernels of any maps: of keypoints that another network found.
"""

from __future__ import annotations

from dataclasses import replace

from vidpose.bundle import Bundle, CarriedSettings, DkdSettings, ImportedSettings
from vidpose.errors import BundleError


def carried(imported: Bundle, steps: Bundle) -> Bundle:
    """The bundle `imported` with the step network of the bundle `steps` behind it.

    Raises BundleError where the step network cannot carry these poses, ModuleNotFoundError where
    `onnx` is not installed.
    """
    first = imported.settings
    if not isinstance(first, ImportedSettings):
        raise BundleError(
            f"{imported.name}: only a network for a person's crop can be carried; a one-stage "
            "network sees the whole picture in every frame"
        )
    if not isinstance(steps.settings, DkdSettings):
        raise BundleError(f"--carry {steps.name}: this is a {steps.kind}, without a step network")
    assert imported.skeleton is not None
    assert steps.skeleton is not None
    if imported.skeleton.keypoints != steps.skeleton.keypoints:
        raise BundleError(
            f"--carry {steps.name}: its keypoints are those of '{steps.skeleton.name}', "
            f"the network's those of '{imported.skeleton.name}'"
        )
    settings = CarriedSettings(
        initializer=first,
        step_size=steps.settings.step_size,
        padding=steps.settings.padding,
        stride=steps.settings.stride,
        calibration={
            "frame": first.calibration["frame"],
            "step": steps.settings.calibration["step"],
        },
        trust=steps.settings.trust,
        offset={name: by for name, by in steps.settings.offset.items() if name == "step"},
    )
    graphs = {
        "frame": imported.graphs["frame"],
        "memory": memory_graph(steps.graphs["step"], steps.name),
        "step": steps.graphs["step"],
    }
    metrics = dict(imported.metrics)
    if "step_mmacs" in steps.metrics:
        metrics["step_mmacs"] = steps.metrics["step_mmacs"]
    return replace(
        imported,
        kind="carried",
        settings=settings,
        graphs=graphs,
        metrics=metrics,
        precision=steps.precision,
    )


def memory_graph(step: bytes, name: str) -> bytes:
    """The part of a step's graph that makes `next_kernels` of `image` and `maps`.

    `name`: of its bundle, for messages. Raises BundleError where the next kernels need the former
    ones besides.
    """
    import onnx

    model = onnx.load_model_from_string(step)
    graph = model.graph
    makers = {output: node for node in graph.node for output in node.output}
    wanted, needed, seen = ["next_kernels"], set(), set()
    while wanted:
        value = wanted.pop()
        if value in seen or value == "maps":
            continue
        seen.add(value)
        if value in makers:
            needed.add(id(makers[value]))
            wanted += makers[value].input
    if "kernels" in seen:
        raise BundleError(
            f"--carry {name}: its next kernels need the former ones, which an imported network has "
            "not; take dkd-lite or dkd-base"
        )
    nodes = [node for node in graph.node if id(node) in needed]
    (maps,) = (port for port in graph.output if port.name == "maps")
    (kernels,) = (port for port in graph.output if port.name == "next_kernels")
    (image,) = (port for port in graph.input if port.name == "image")
    used = {value for node in nodes for value in node.input}
    weights = [tensor for tensor in graph.initializer if tensor.name in used]
    cut = onnx.helper.make_graph(nodes, "memory", [image, maps], [kernels], weights)
    whole = onnx.helper.make_model(
        cut, opset_imports=model.opset_import, ir_version=model.ir_version
    )
    return bytes(whole.SerializeToString())
