"""Variables of a .tflite file: what a call reads of the one before, and what it leaves to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s2c.errors import error
from s2c.ir import Graph, Node, State, Type, Uses, constant, state_node

MOST_ELEMENTS = 1 << 24


@dataclass(frozen=True)
class Handle:
    """The value of a resource tensor: the name of the variable that it stands for."""

    name: str


class Memory:
    """initial: what a variable holds before the first call, where the model sets it. states: the leaf of each
    variable that is read before it is assigned; values: the last value assigned so far."""

    def __init__(self) -> None:
        self.initial: dict[Handle, Node] = {}
        self.states: dict[Handle, Node] = {}
        self.values: dict[Handle, Node] = {}

    def read(self, handle: Handle, kind: Type, layer: str) -> Node:
        """The variable's value, which has to be of the type that its reader declares."""
        if handle not in self.values:
            self.values[handle] = self.states[handle] = self.first_state(handle, kind)
        found = self.values[handle]
        if found.type != kind:
            raise error(layer, f"a variable of {kind}", str(found.type), "export the model again")
        return found

    def first_state(self, handle: Handle, kind: Type) -> Node:
        """A variable that nobody sets begins with stored zeros, an int8 one with its zero point, as LiteRT
        does."""
        if handle in self.initial:
            start = self.initial[handle]
            return state_node(start.attrs["value"], handle.name, start.type.quant)
        if kind.size > MOST_ELEMENTS:
            do = "rebuild the model with less state"
            raise error(handle.name, f"at most {MOST_ELEMENTS} elements of state", str(kind), do)
        zero = kind.quant.zero if kind.quant and kind.dtype == "i8" else 0
        return state_node(np.full(kind.shape, zero, kind.numpy), handle.name, kind.quant)

    def assign(self, handle: Handle, value: Node) -> None:
        self.values[handle] = value

    def set_first(self, other: Memory) -> None:
        """Takes what an initialization left in its own memory as the values before the first call."""
        for handle, value in other.values.items():
            if value.op != "constant":
                raise error(handle.name, "a constant initial value", "a computed one", "export it again")
            self.initial[handle] = value

    def finished(self, graph: Graph) -> Graph:
        """The Graph with its states; a variable that is read alone is a constant."""
        kept = {node: self.values[handle] for handle, node in self.states.items()}

        def rule(node: Node, _uses: Uses) -> Node | None:
            if kept.get(node) is not node:
                return None
            return constant(node.attrs["value"], node.layer, node.type.quant)

        states = tuple(State(node, after) for node, after in kept.items() if after is not node)
        whole = Graph(graph.inputs, graph.outputs, graph.output_names, states)
        return whole.rewrite(rule)
