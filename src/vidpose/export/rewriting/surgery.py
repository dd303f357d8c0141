"""Looking things up in an ONNX graph, and changing it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper


class Surgery:
    """A model under change, in place. New values are named after old ones, with a number behind."""

    def __init__(self, model: ModelProto) -> None:
        self.graph = model.graph
        self._constants = {tensor.name: tensor for tensor in self.graph.initializer}
        self._made = 0

    @property
    def nodes(self) -> list[NodeProto]:
        """In running order."""
        return list(self.graph.node)

    def maker(self, value: str) -> NodeProto | None:
        """The node that makes a value; None for inputs and constants."""
        return next((node for node in self.graph.node if value in node.output), None)

    def users(self, value: str) -> list[NodeProto]:
        """The nodes that read a value."""
        return [node for node in self.graph.node if value in node.input]

    def is_output(self, value: str) -> bool:
        return any(output.name == value for output in self.graph.output)

    def read_once(self, value: str) -> bool:
        """Whether one node reads a value, and nothing outside the graph does."""
        return len(self.users(value)) == 1 and not self.is_output(value)

    def constant(self, value: str) -> NDArray[Any] | None:
        """The numbers of a constant; None for other values."""
        tensor = self._constants.get(value)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def store(self, near: str, array: NDArray[Any]) -> str:
        """A new constant, named after the value `near`; its name."""
        name = self._name(near)
        tensor = numpy_helper.from_array(np.array(array, order="C"), name)
        self.graph.initializer.append(tensor)
        self._constants[name] = self.graph.initializer[-1]
        return name

    def node(self, kind: str, inputs: Sequence[str], near: NodeProto, **attributes: Any) -> str:
        """A new node right before `near` and named after it; the value that it makes."""
        name = self._name(near.name)
        made = helper.make_node(kind, list(inputs), [name], name, **attributes)
        place = next(n for n, other in enumerate(self.graph.node) if other is near or other == near)
        self.graph.node.insert(place, made)
        return name

    def replace(self, node: NodeProto, kind: str, inputs: Sequence[str], **attributes: Any) -> None:
        """Make the values of `node` in another way, at the same place and under the same names."""
        made = helper.make_node(kind, list(inputs), list(node.output), node.name, **attributes)
        node.CopyFrom(made)

    def redirect(self, value: str, other: str) -> None:
        """Let whatever reads `value` read `other`. Outputs of the graph stay."""
        for node in self.graph.node:
            for place, name in enumerate(node.input):
                if name == value:
                    node.input[place] = other

    def sweep(self) -> None:
        """Drop nodes and constants that nothing reads, and shapes noted of values."""
        wanted = {output.name for output in self.graph.output}
        kept = []
        for node in reversed(self.graph.node):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                kept.append(node)
        self._refill(self.graph.node, reversed(kept))
        self._refill(
            self.graph.initializer, [t for t in self.graph.initializer if t.name in wanted]
        )
        self._constants = {tensor.name: tensor for tensor in self.graph.initializer}
        del self.graph.value_info[:]

    @staticmethod
    def _refill(field: Any, items: Iterable[Any]) -> None:
        copies = list(items)
        del field[:]
        field.extend(copies)

    def _name(self, near: str) -> str:
        self._made += 1
        return f"{near}_{self._made}"
