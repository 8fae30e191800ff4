"""Graph -> Plan: a kernel for each chain of ops, their order, and a byte offset for each value in one
arena.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from s2c import arena, oracle
from s2c.errors import CompileError, Problem
from s2c.ir import Graph, Node, Type
from s2c.kernel import ANY, Kernel, evaluate, first_fitting
from s2c.ops import OPS
from s2c.ops.movement import is_contiguous
from s2c.pack import PACKINGS

Kernels = Mapping[str, tuple[Kernel, ...]]
# Whose kernels also move the elements of a dtype: C lets signed and unsigned integers alias.
SAME_BYTES: Mapping[str, str] = MappingProxyType(
    {"u8": "i8", "bool": "i8", "u16": "i16", "f16": "i16", "u32": "i32", "u64": "i64"}
)


@dataclass(frozen=True)
class Call:
    """One kernel call. nodes is the chain of ops that it stands for, first op first.

    output and inputs are byte offsets in the arena; an input that is a constant is an array instead.
    scratch is the offset of the kernel's working memory, where it has any.
    """

    kernel: Kernel
    nodes: tuple[Node, ...]
    output: int
    inputs: tuple[int | np.ndarray, ...]
    scratch: int | None
    consts: Mapping[str, np.ndarray]
    params: Mapping[str, int | float]

    @property
    def layer(self) -> str:
        return self.nodes[-1].layer

    @property
    def macs(self) -> int:
        return sum(OPS[node.op].macs(node) for node in self.nodes)


@dataclass(frozen=True)
class Plan:
    """arena_bytes is all the memory there will ever be; lower_bound the largest sum of live values."""

    calls: tuple[Call, ...]
    arena_bytes: int
    lower_bound: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    graph: Graph

    def __str__(self) -> str:
        lines = [f"arena {self.arena_bytes} bytes, lower bound {self.lower_bound}"]
        for node, offset in zip(self.graph.inputs, self.inputs, strict=True):
            lines.append(f"input @{offset} : {node.type}  # {node.layer!r}")
        for call in self.calls:
            inputs = ", ".join(f"@{each}" if isinstance(each, int) else "constant" for each in call.inputs)
            scratch = "" if call.scratch is None else f" scratch @{call.scratch}"
            params = "".join(f" {name}={value}" for name, value in call.params.items())
            lines.append(f"@{call.output} = {call.kernel.name}({inputs}){scratch}{params}  # {call.layer!r}")
        lines.append("return " + ", ".join(f"@{offset}" for offset in self.outputs))
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Step:
    """A chain with its kernel, before memory is laid out. inputs are the values it reads."""

    kernel: Kernel
    nodes: tuple[Node, ...]
    inputs: tuple[Node, ...]
    params: Mapping[str, int | float]

    @property
    def result(self) -> Node:
        return self.nodes[-1]

    @property
    def scratch_bytes(self) -> int:
        return evaluate(self.kernel.scratch, self.params) if self.kernel.scratch else 0


def make_plan(graph: Graph, kernels: Kernels) -> Plan:
    """Raises CompileError naming every layer for which the target has no kernel."""
    graph = copy_bare_outputs(graph)
    steps = choose_kernels(graph, kernels)
    candidates = [lay_out(graph, order) for order in orders(graph, steps)]
    return min(candidates, key=lambda plan: plan.arena_bytes)


def copy_bare_outputs(graph: Graph) -> Graph:
    """An output that is a constant gets a copy in the arena."""

    def copied(node: Node) -> Node:
        if node.op != "constant":
            return node
        size = node.type.size
        attrs = {
            "shape": node.type.shape,
            "extents": (1, size),
            "source_strides": (0, 1),
            "source_offset": 0,
            "target_strides": (0, 1),
            "target_offset": 0,
            "value": 0,
        }
        return Node("gather", (node,), attrs, node.type, node.layer)

    return replace(graph, outputs=tuple(copied(each) for each in graph.outputs))


def is_alias(node: Node) -> bool:
    """Whether a node is its input under another shape, so that it needs no call."""
    return is_contiguous(node) and node.inputs[0].op != "constant"


# kernels


def dtype_key(node: Node) -> str:
    source = node.inputs[0].type.dtype if node.inputs else node.type.dtype
    return node.type.dtype if source == node.type.dtype else f"{source}_{node.type.dtype}"


def chain_params(nodes: Sequence[Node]) -> Mapping[str, int | float]:
    params: dict[str, int | float] = {}
    for node in nodes:
        params.update(OPS[node.op].params(node))
    return params


def chains(node: Node, uses: Mapping[Node, int], longest: int) -> list[tuple[Node, ...]]:
    """Every chain of up to `longest` ops that ends in node, longest first; all but the last have one user."""
    chain = [node]
    while chain[0].inputs and len(chain) < longest:
        before = chain[0].inputs[0]
        if before.op in ("input", "constant") or uses[before] != 1 or is_alias(before):
            break
        if before.type.dtype != node.type.dtype or before.inputs[0].type.dtype != node.type.dtype:
            break
        chain.insert(0, before)
    return [tuple(chain[start:]) for start in range(len(chain))]


def choose_kernels(graph: Graph, kernels: Kernels) -> list[Step]:
    """Steps in the graph's order; the longest chain that has a kernel wins."""
    uses = graph.uses()
    longest = max((len(kernel.stems) for found in kernels.values() for kernel in found), default=1)
    taken: set[Node] = set()
    steps: list[Step] = []
    problems: list[Problem] = []
    for node in reversed(graph.nodes()):
        if node in taken or node.op in ("input", "constant") or is_alias(node):
            continue
        step = longest_step(chains(node, uses, longest), kernels)
        if step is None:
            key = f"{OPS[node.op].stem(node)}_{dtype_key(node)}"
            problem = Problem(node.layer, f"a kernel {key}", "none in this target", "choose another target")
            problems.append(problem)
            continue
        taken.update(step.nodes)
        steps.append(step)
    if problems:
        raise CompileError(tuple(reversed(problems)))
    return steps[::-1]


def chain_keys(chain: Sequence[Node]) -> tuple[str, ...]:
    """What kernels for a chain may be called; for a single op also one for any dtype of as many bytes."""
    stems = "_".join(OPS[each.op].stem(each) for each in chain)
    last = chain[-1]
    if len(chain) > 1:
        return (f"{stems}_{dtype_key(last)}",)
    return tuple(
        f"{stems}_{dtype}" for dtype in (dtype_key(last), SAME_BYTES.get(last.type.dtype), ANY) if dtype
    )


def longest_step(candidates: Sequence[tuple[Node, ...]], kernels: Kernels) -> Step | None:
    """The first chain that has a kernel whose condition holds."""
    for chain in candidates:
        found = [key for key in chain_keys(chain) if key in kernels]
        if not found:
            continue
        params = chain_params(chain)
        kernel = next(filter(None, (first_fitting(kernels, key, params) for key in found)), None)
        if kernel is not None:
            inputs = chain[0].inputs + tuple(each for link in chain[1:] for each in link.inputs[1:])
            return Step(kernel, chain, inputs, params)
    return None


# order


def root(node: Node) -> Node:
    """The node whose memory a value lies in."""
    while is_alias(node):
        node = node.inputs[0]
    return node


def orders(graph: Graph, steps: Sequence[Step]) -> list[list[Step]]:
    """Schedules to try: the graph's own, and greedily the ready step that frees most memory first."""
    return [list(steps), greedy_order(graph, steps)]


def greedy_order(graph: Graph, steps: Sequence[Step]) -> list[Step]:
    """Of the steps whose inputs are there, always the one that grows live memory least; first of equals."""
    sources = [list(dict.fromkeys(root(each) for each in step.inputs)) for step in steps]
    maker = {step.result: index for index, step in enumerate(steps)}
    readers: dict[Node, list[int]] = {}
    for index, values in enumerate(sources):
        for value in values:
            readers.setdefault(value, []).append(index)
    unread = {value: len(users) for value, users in readers.items()}
    for each in graph.outputs:
        unread[root(each)] = unread.get(root(each), 0) + 1
    missing = [sum(value in maker for value in values) for values in sources]
    ready = [index for index, count in enumerate(missing) if count == 0]
    order: list[Step] = []

    def growth(index: int) -> tuple[int, int]:
        freed = sum(value.type.bytes for value in sources[index] if unread[value] == 1)
        return steps[index].result.type.bytes - freed, index

    while ready:
        chosen = min(ready, key=growth)
        ready.remove(chosen)
        order.append(steps[chosen])
        for value in sources[chosen]:
            unread[value] -= 1
        for reader in readers.get(steps[chosen].result, ()):
            missing[reader] -= 1
            if missing[reader] == 0:
                ready.append(reader)
    return order


# memory


@dataclass
class Storage:
    """One buffer in the making: values that share it, and when it is live."""

    size: int
    first: int
    last: int


def lay_out(graph: Graph, steps: Sequence[Step]) -> Plan:
    storages, home = assign_storage(graph, steps)
    buffers = [arena.Buffer(each.size, each.first, each.last) for each in storages]
    scratch_index: dict[int, int] = {}
    for index, step in enumerate(steps):
        if step.scratch_bytes:
            scratch_index[index] = len(buffers)
            buffers.append(arena.Buffer(step.scratch_bytes, index, index))
    offsets = arena.pack(buffers)

    def offset(node: Node) -> int:
        return offsets[home[root(node)]]

    calls = tuple(
        Call(
            kernel=step.kernel,
            nodes=step.nodes,
            output=offset(step.result),
            inputs=tuple(
                each.attrs["value"] if each.op == "constant" else offset(each) for each in step.inputs
            ),
            scratch=offsets[scratch_index[index]] if index in scratch_index else None,
            consts=packed_consts(step),
            params=step.params,
        )
        for index, step in enumerate(steps)
    )
    return Plan(
        calls=calls,
        arena_bytes=max(arena.height(buffers, offsets), arena.ALIGNMENT),
        lower_bound=arena.lower_bound(buffers),
        inputs=tuple(offset(each) for each in graph.inputs),
        outputs=tuple(offset(each) for each in graph.outputs),
        graph=graph,
    )


def assign_storage(graph: Graph, steps: Sequence[Step]) -> tuple[list[Storage], dict[Node, int]]:
    """A storage for each value; a result takes over an input's where the kernel works in place and nobody
    else reads it.
    """
    last_use: dict[Node, int] = {}
    for index, step in enumerate(steps):
        for each in step.inputs:
            last_use[root(each)] = index
    end = len(steps)
    for each in graph.outputs:
        last_use[root(each)] = end
    storages: list[Storage] = []
    home: dict[Node, int] = {}
    for node in graph.inputs:
        home[node] = len(storages)
        storages.append(Storage(node.type.bytes, 0, last_use.get(node, 0)))
    for index, step in enumerate(steps):
        result = step.result
        last = last_use.get(result, index)
        shared = reusable_input(step, index, last_use, storages, home)
        if shared is None:
            home[result] = len(storages)
            storages.append(Storage(result.type.bytes, index, last))
        else:
            home[result] = shared
            storages[shared].last = max(storages[shared].last, last)
    return storages, home


def reusable_input(
    step: Step,
    index: int,
    last_use: Mapping[Node, int],
    storages: Sequence[Storage],
    home: Mapping[Node, int],
) -> int | None:
    pointers = [each for each in step.kernel.arguments[1:] if each.pointer]
    roots = [root(each) for each in step.inputs]
    for argument, value in zip(pointers, roots, strict=False):
        if argument.name not in step.kernel.in_place or value.op == "constant":
            continue
        fits = value.type.bytes == step.result.type.bytes
        if (
            fits
            and last_use[value] == index
            and storages[home[value]].last == index
            and roots.count(value) == 1
        ):
            return home[value]
    return None


def packed_consts(step: Step) -> Mapping[str, np.ndarray]:
    consts: dict[str, np.ndarray] = {}
    for node in step.nodes:
        for name, value in OPS[node.op].consts(node).items():
            packing = step.kernel.packs.get(name)
            consts[name] = PACKINGS[packing].pack(value) if packing else value.reshape(-1)
    return consts


# meaning


def run(plan: Plan, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Executes the calls by the op table's meaning on one real arena, so that a wrong offset gives a wrong
    result.

    Memory starts as garbage from a fixed seed, and scratch is overwritten with garbage by each call.
    """
    source = np.random.default_rng(0)
    memory = source.integers(0, 256, plan.arena_bytes, np.uint8)

    def view(offset: int, kind: Type) -> np.ndarray[Any, Any]:
        return memory[offset : offset + kind.bytes].view(kind.numpy).reshape(kind.shape)

    for node, offset, array in zip(plan.graph.inputs, plan.inputs, arrays, strict=True):
        view(offset, node.type)[...] = array
    for call in plan.calls:
        execute(call, view)
        if call.scratch is not None:
            size = evaluate(call.kernel.scratch, call.params)
            memory[call.scratch : call.scratch + size] = source.integers(0, 256, size, np.uint8)
    return tuple(
        view(offset, node.type).copy() for node, offset in zip(plan.graph.outputs, plan.outputs, strict=True)
    )


def execute(call: Call, view: Any) -> None:
    first, *links = call.nodes
    operands = list(call.inputs)

    def operand(kind: Type) -> np.ndarray:
        each = operands.pop(0)
        return each.reshape(kind.shape) if isinstance(each, np.ndarray) else view(each, kind).copy()

    value = oracle.evaluate(first, *(operand(each.type) for each in first.inputs))
    for node in links:
        value = oracle.evaluate(node, value, *(operand(each.type) for each in node.inputs[1:]))
    view(call.output, call.nodes[-1].type)[...] = value
