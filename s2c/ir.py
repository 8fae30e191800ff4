"""The Graph: what a net computes, as a DAG of immutable nodes with fixed shapes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

DTYPES: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "f32": np.dtype(np.float32),
        "i8": np.dtype(np.int8),
        "u8": np.dtype(np.uint8),
        "i16": np.dtype(np.int16),
        "u16": np.dtype(np.uint16),
        "i32": np.dtype(np.int32),
        "u32": np.dtype(np.uint32),
        "i64": np.dtype(np.int64),
        "u64": np.dtype(np.uint64),
        "bool": np.dtype(np.bool_),
        "f16": np.dtype(np.float16),
        "f64": np.dtype(np.float64),
    }
)


@dataclass(frozen=True)
class Quant:
    """Affine quantization of one tensor: a stored q stands for (q - zero) * scale.

    scale holds one float32 value for the tensor, or one for each index of `axis` (weights only; zero is then
    0).
    """

    scale: tuple[float, ...]
    zero: int = 0
    axis: int | None = None

    def __str__(self) -> str:
        scale = f"{self.scale[0]:.6g}" if len(self.scale) == 1 else f"{len(self.scale)} scales"
        return f"{scale}@{self.zero}"


@dataclass(frozen=True)
class Type:
    shape: tuple[int, ...]
    dtype: str
    quant: Quant | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.size * self.numpy.itemsize

    @property
    def numpy(self) -> np.dtype[Any]:
        return DTYPES[self.dtype]

    def __str__(self) -> str:
        text = f"{self.dtype}[{','.join(map(str, self.shape))}]"
        return f"{text}~{self.quant}" if self.quant else text


@dataclass(frozen=True, eq=False)
class Node:
    """One op. Identity is equality: two look-alike layers stay two layers."""

    op: str
    inputs: tuple[Node, ...]
    attrs: Mapping[str, Any]
    type: Type
    layer: str

    def with_attrs(self, **attrs: Any) -> Node:
        return replace(self, attrs={**self.attrs, **attrs})


Uses = Callable[[Node], int]


@dataclass(frozen=True, eq=False)
class State:
    """A value kept between calls. node: a leaf of op "state" that gives what the call before left, at first
    its attrs["value"]; next: what this call leaves, of the same shape and dtype.
    """

    node: Node
    next: Node


@dataclass(frozen=True)
class Graph:
    """inputs are nodes of op "input", whose layer is the name in the model; every other leaf is a "constant"
    or the node of one of states.

    Shapes, dtypes and order of inputs and outputs are those that the model declares. output_names are the
    model's; by default the outputs' layers.
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    output_names: tuple[str, ...] = ()
    states: tuple[State, ...] = ()

    def __post_init__(self) -> None:
        if not self.output_names:
            object.__setattr__(self, "output_names", tuple(each.layer for each in self.outputs))
        assert len(self.output_names) == len(self.outputs), (self.output_names, len(self.outputs))

    def nodes(self) -> list[Node]:
        """Each node once, after its inputs; inputs and states first. Deep graphs need no recursion."""
        order: list[Node] = [*self.inputs, *(each.node for each in self.states)]
        seen = set(order)
        for root in self.results():
            stack: list[tuple[Node, Iterator[Node]]] = []
            if root not in seen:
                seen.add(root)
                stack.append((root, iter(root.inputs)))
            while stack:
                node, rest = stack[-1]
                child = next((each for each in rest if each not in seen), None)
                if child is None:
                    order.append(node)
                    stack.pop()
                else:
                    seen.add(child)
                    stack.append((child, iter(child.inputs)))
        return order

    def results(self) -> tuple[Node, ...]:
        """What a call has to compute: the outputs, then the next values of all states."""
        return (*self.outputs, *(each.next for each in self.states))

    def uses(self) -> dict[Node, int]:
        """How many inputs, outputs and states each node feeds."""
        counts = dict.fromkeys(self.nodes(), 0)
        for node in counts:
            for each in node.inputs:
                counts[each] += 1
        for each in self.results():
            counts[each] += 1
        return counts

    def rewrite(self, rule: Callable[[Node, Uses], Node | None]) -> Graph:
        """A new Graph where rule(node, uses) replaces a node, or keeps it with None.

        The rule sees nodes whose inputs are rewritten already. uses(n) is the number of users of the old node
        that n stands for; a node that the rule made on the way counts as shared, so that nothing merges into
        it.
        """
        old_uses = self.uses()
        counts: dict[Node, int] = {}
        new: dict[Node, Node] = {}

        def uses(node: Node) -> int:
            return counts.get(node, 2)

        for node in self.nodes():
            inputs = tuple(new[each] for each in node.inputs)
            same = all(a is b for a, b in zip(inputs, node.inputs, strict=True))
            candidate = node if same else replace(node, inputs=inputs)
            result = rule(candidate, uses)
            new[node] = candidate if result is None else result
            counts[new[node]] = counts.get(new[node], 0) + old_uses[node]
        return self.mapped(new)

    def mapped(self, new: Mapping[Node, Node]) -> Graph:
        """The Graph of what stands for each of its nodes."""
        return replace(
            self,
            inputs=tuple(new[each] for each in self.inputs),
            outputs=tuple(new[each] for each in self.outputs),
            states=tuple(State(new[each.node], new[each.next]) for each in self.states),
        )

    def __str__(self) -> str:
        return format_graph(self)


def input_node(name: str, kind: Type) -> Node:
    return Node("input", (), {}, kind, name)


def state_node(value: np.ndarray, layer: str, quant: Quant | None = None) -> Node:
    """A leaf whose value is the array in the first call, and what its State says in the next."""
    return replace(constant(value, layer, quant), op="state")


def constant(value: np.ndarray, layer: str, quant: Quant | None = None) -> Node:
    """A leaf that holds an array of one of DTYPES; a numpy scalar becomes an array of rank 0."""
    array = np.asarray(value)
    dtype = next(name for name, known in DTYPES.items() if known == array.dtype)
    return Node("constant", (), {"value": array}, Type(array.shape, dtype, quant), layer)


def format_attr(value: Any) -> str:
    if isinstance(value, np.ndarray):
        if value.size <= 4:
            return str(value.tolist())
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:8]
        return f"<{value.dtype}{list(value.shape)} {digest}>"
    return str(value)


def format_graph(graph: Graph) -> str:
    """One line a node: `%3 = conv2d(%1) stride=(2, 2) : i8[1,24,24,8]  # layer`."""
    names = {node: f"%{index}" for index, node in enumerate(graph.nodes())}
    lines = []
    for node, name in names.items():
        inputs = ", ".join(names[each] for each in node.inputs)
        attrs = "".join(f" {key}={format_attr(node.attrs[key])}" for key in sorted(node.attrs))
        lines.append(f"{name} = {node.op}({inputs}){attrs} : {node.type}  # {node.layer!r}")
    lines += [f"next {names[each.node]} = {names[each.next]}" for each in graph.states]
    lines.append("return " + ", ".join(names[each] for each in graph.outputs))
    return "\n".join(lines) + "\n"
