"""Graph -> Plan: the order of its steps, and a byte offset for each value in one arena."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from s2c import arena
from s2c.ir import Graph, Node, State, constant
from s2c.kernel import Kernel
from s2c.ops import OPS
from s2c.pack import PACKINGS
from s2c.steps import (
    NO_CHOICES,
    Choices,
    Kernels,
    Parts,
    Step,
    choose_kernels,
    longest_step,
    no_kernel,
    root,
    split,
    tiled,
)
from s2c.tiles import SCALAR, Vectors


@dataclass(frozen=True)
class Call:
    """One kernel call. nodes is the chain of ops that it stands for, first op first.

    output and inputs are byte offsets in the arena; an input that is a constant is an array instead.
    scratch is the offset of the kernel's working memory, where it has any, scratch_bytes for each part.
    parts: ranges of the kernel's units, in each of which another thread may compute; empty where it cannot
    be split.
    """

    kernel: Kernel
    nodes: tuple[Node, ...]
    output: int
    inputs: tuple[int | np.ndarray, ...]
    scratch: int | None
    consts: Mapping[str, np.ndarray]
    params: Mapping[str, int | float]
    parts: Parts = ()
    scratch_bytes: int = 0

    @property
    def is_shared(self) -> bool:
        return len(self.parts) > 1

    @property
    def layer(self) -> str:
        return self.nodes[-1].layer

    @property
    def macs(self) -> int:
        return sum(OPS[node.op].macs(node) for node in self.nodes)


@dataclass(frozen=True)
class Plan:
    """arena_bytes is all the memory there will ever be; lower_bound the largest sum of live values.
    resets are the calls that give each state of graph.states, at an offset of states, its first value."""

    calls: tuple[Call, ...]
    arena_bytes: int
    lower_bound: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    graph: Graph
    alignment: int  # of the arena, in bytes
    states: tuple[int, ...] = ()
    resets: tuple[Call, ...] = ()
    threads: int = 1  # 1 where none of its calls is worth sharing

    @property
    def all_calls(self) -> tuple[Call, ...]:
        return (*self.calls, *self.resets)

    @property
    def stages(self) -> tuple[Call, ...]:
        """The calls that threads share."""
        return tuple(call for call in self.calls if call.is_shared)

    def __str__(self) -> str:
        lines = [f"arena {self.arena_bytes} bytes, lower bound {self.lower_bound}"]
        for node, offset in zip(self.graph.inputs, self.inputs, strict=True):
            lines.append(f"input @{offset} : {node.type}  # {node.layer!r}")
        for state, offset in zip(self.graph.states, self.states, strict=True):
            lines.append(f"state @{offset} : {state.node.type}  # {state.node.layer!r}")
        for call in self.calls:
            inputs = ", ".join(f"@{each}" if isinstance(each, int) else "constant" for each in call.inputs)
            scratch = "" if call.scratch is None else f" scratch @{call.scratch}"
            params = "".join(f" {name}={value}" for name, value in call.params.items())
            params += f" parts={len(call.parts)}" if call.is_shared else ""
            lines.append(f"@{call.output} = {call.kernel.name}({inputs}){scratch}{params}  # {call.layer!r}")
        lines.append("return " + ", ".join(f"@{offset}" for offset in self.outputs))
        return "\n".join(lines) + "\n"


Copies = Sequence[tuple[State, Step]]  # what is copied into each state


def make_plan(
    graph: Graph,
    kernels: Kernels,
    vectors: Vectors = SCALAR,
    threads: int = 1,
    choices: Choices = NO_CHOICES,
) -> Plan:
    """threads: that share a call where it is worth it. choices: kernels and tiles found to be the fastest.

    Raises CompileError naming every layer for which the target has no kernel.
    """
    graph = copy_bare_results(graph)
    steps = [
        split(tiled(step, vectors, choices, threads), threads)
        for step in choose_kernels(graph, kernels, choices)
    ]
    stores = copy_steps(
        [(each, each.next) for each in graph.states if root(each.next) is not each.node], kernels
    )
    resets = copy_steps([(each, first_value(each.node)) for each in graph.states], kernels)
    unit = max(alignment(graph), vectors.bytes)
    candidates = [lay_out(graph, order, stores, resets, unit, threads) for order in orders(graph, steps)]
    return min(candidates, key=lambda plan: plan.arena_bytes)


def copy_bare_results(graph: Graph) -> Graph:
    """An output that is a constant or a state, and a state's next value that is another state, get a copy:
    states are overwritten once all have read them."""
    states = {each.node for each in graph.states}

    def output(node: Node) -> Node:
        return copied(node) if node.op == "constant" or root(node) in states else node

    def following(state: State) -> State:
        other = root(state.next) in states - {state.node}
        return State(state.node, copied(state.next)) if other else state

    return replace(
        graph,
        outputs=tuple(output(each) for each in graph.outputs),
        states=tuple(following(each) for each in graph.states),
    )


def copied(node: Node) -> Node:
    """A gather of all elements that is no alias."""
    return movement(node, (1, node.type.size), (0, 1), node.type.shape)


def movement(node: Node, extents: tuple[int, int], steps: tuple[int, int], shape: tuple[int, ...]) -> Node:
    attrs = {
        "shape": shape,
        "extents": extents,
        "source_strides": steps,
        "source_offset": 0,
        "target_strides": (0, 1),
        "target_offset": 0,
        "value": 0,
    }
    return Node("gather", (node,), attrs, replace(node.type, shape=shape), node.layer)


def first_value(node: Node) -> Node:
    """A state's first value as a constant: of one element where all are the same."""
    value = node.attrs["value"]
    if (value == value.reshape(-1)[:1]).all():
        value = value.reshape(-1)[:1]
    return constant(value, node.layer, node.type.quant)


def copy_steps(pairs: Sequence[tuple[State, Node]], kernels: Kernels) -> list[tuple[State, Step]]:
    """The step that copies a value, or repeats one of one element, into each state."""
    found = []
    for state, source in pairs:
        size = state.node.type.size
        steps = (0, 1) if source.type.size == size else (0, 0)
        node = movement(source, (1, size), steps, state.node.type.shape)
        step = longest_step([(node,)], kernels)
        if step is None:
            raise no_kernel(node, kernels)
        found.append((state, step))
    return found


# order


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
    for each in graph.results():
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


def alignment(graph: Graph) -> int:
    """Of the arena and all in it, in bytes: that of the widest element."""
    return max((arena.ALIGNMENT, *(node.type.numpy.itemsize for node in graph.nodes())))


def lay_out(
    graph: Graph, order: Sequence[Step], stores: Copies, resets: Copies, unit: int, threads: int
) -> Plan:
    """unit: bytes, of which every size is a multiple, and so every offset."""
    steps = with_stores(order, stores)
    kept = {step.result: state.node for state, step in stores}
    storages, home = assign_storage(graph, steps, kept)
    buffers = [arena.Buffer(-(-each.size // unit) * unit, each.first, each.last) for each in storages]
    scratch_index: dict[int, int] = {}
    for index, step in enumerate(steps):
        if step.scratch_bytes:
            scratch_index[index] = len(buffers)
            buffers.append(arena.Buffer(scratch_size(step, unit) * max(len(step.parts), 1), index, index))
    offsets = arena.pack(buffers)

    def offset(node: Node) -> int:
        return offsets[home[root(node)]]

    def call(step: Step, output: int, scratch: int | None = None) -> Call:
        return Call(
            kernel=step.kernel,
            nodes=step.nodes,
            output=output,
            inputs=tuple(
                each.attrs["value"] if each.op == "constant" else offset(each) for each in step.inputs
            ),
            scratch=scratch,
            consts=packed_consts(step),
            params=step.params,
            parts=step.parts,
            scratch_bytes=scratch_size(step, unit),
        )

    return Plan(
        calls=tuple(
            call(step, offset(step.result), offsets[scratch_index[index]] if index in scratch_index else None)
            for index, step in enumerate(steps)
        ),
        arena_bytes=max(arena.height(buffers, offsets), arena.ALIGNMENT),
        alignment=unit,
        lower_bound=arena.lower_bound(buffers),
        inputs=tuple(offset(each) for each in graph.inputs),
        outputs=tuple(offset(each) for each in graph.outputs),
        graph=graph,
        states=tuple(offset(each.node) for each in graph.states),
        resets=tuple(call(step, offset(state.node)) for state, step in resets),
        threads=threads if any(len(step.parts) > 1 for step in steps) else 1,
    )


def scratch_size(step: Step, unit: int) -> int:
    """Of one part, a multiple of unit."""
    return -(-step.scratch_bytes // unit) * unit


def with_stores(order: Sequence[Step], stores: Copies) -> list[Step]:
    """Each store as soon as its value is there and nobody reads the state any more."""
    made = {step.result: index for index, step in enumerate(order)}
    read = {root(each): index for index, step in enumerate(order) for each in step.inputs}
    behind: dict[int, list[Step]] = {}
    for state, store in stores:
        last = max(made.get(root(state.next), -1), read.get(state.node, -1))
        behind.setdefault(last, []).append(store)
    steps = list(behind.get(-1, ()))
    for index, step in enumerate(order):
        steps += [step, *behind.get(index, ())]
    return steps


def assign_storage(
    graph: Graph, steps: Sequence[Step], kept: Mapping[Node, Node]
) -> tuple[list[Storage], dict[Node, int]]:
    """A storage for each value; a result takes over an input's where the kernel works in place and nobody
    else reads it. kept: results that lie where a state lies, which is live always.
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
    for state in graph.states:
        home[state.node] = len(storages)
        storages.append(Storage(state.node.type.bytes, 0, end))
    for index, step in enumerate(steps):
        result = step.result
        if result in kept:
            home[result] = home[kept[result]]
            continue
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
            if packing is None:
                consts[name] = value.reshape(-1)
            else:
                consts[name] = PACKINGS[packing.name].pack(value, *packing.arguments(step.params))
    return consts
