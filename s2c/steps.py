"""Graph -> Steps: a kernel for each chain of ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

from s2c.errors import CompileError, Problem, error
from s2c.ir import Graph, Node
from s2c.kernel import ANY, Kernel, evaluate, first_fitting, fitting
from s2c.ops import OPS
from s2c.ops.core import LEAVES
from s2c.ops.movement import is_contiguous
from s2c.tiles import Tile, Vectors, Work, cheapest_tiles, priced_tiles

Kernels = Mapping[str, tuple[Kernel, ...]]
Parts = tuple[tuple[int, int], ...]  # ranges of a kernel's units: first, and behind the last
LEAST_SHARED = 200_000  # MACs or comparisons of a call that threads share, which must pay for meeting twice
# Whose kernels also move the elements of a dtype: C lets signed and unsigned integers alias.
SAME_BYTES: Mapping[str, str] = MappingProxyType(
    {"u8": "i8", "bool": "i8", "u16": "i16", "f16": "i16", "u32": "i32", "u64": "i64"}
)


@dataclass(frozen=True)
class Choice:
    """What was found to be the fastest for a call: a kernel's name, and its tile where it takes one."""

    kernel: str
    tile: Tile | None


Choices = Mapping[str, Choice]  # by call_key
NO_CHOICES: Choices = MappingProxyType({})


@dataclass(frozen=True)
class Step:
    """A chain with its kernel, before memory is laid out: inputs are the values it reads."""

    kernel: Kernel
    nodes: tuple[Node, ...]
    inputs: tuple[Node, ...]
    params: Mapping[str, int | float]
    parts: Parts = ()

    @property
    def result(self) -> Node:
        return self.nodes[-1]

    @property
    def scratch_bytes(self) -> int:
        return evaluate(self.kernel.scratch, self.params) if self.kernel.scratch else 0


def is_alias(node: Node) -> bool:
    """Whether a node is its input under another shape, so that it needs no call."""
    return is_contiguous(node) and node.inputs[0].op != "constant"


def root(node: Node) -> Node:
    """The node whose memory a value lies in."""
    while is_alias(node):
        node = node.inputs[0]
    return node


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
        if before.op in LEAVES or uses[before] != 1 or is_alias(before):
            break
        if before.type.dtype != node.type.dtype or before.inputs[0].type.dtype != node.type.dtype:
            break
        chain.insert(0, before)
    return [tuple(chain[start:]) for start in range(len(chain))]


def choose_kernels(graph: Graph, kernels: Kernels, choices: Choices = NO_CHOICES) -> list[Step]:
    """Steps in the graph's order; the longest chain that has a kernel wins."""
    uses = graph.uses()
    longest = max((len(kernel.stems) for found in kernels.values() for kernel in found), default=1)
    taken: set[Node] = set()
    steps: list[Step] = []
    problems: list[Problem] = []
    for node in reversed(graph.nodes()):
        if node in taken or node.op in LEAVES or is_alias(node):
            continue
        step = longest_step(chains(node, uses, longest), kernels, choices)
        if step is None:
            problems.extend(no_kernel(node, kernels).problems)
            continue
        taken.update(step.nodes)
        steps.append(step)
    if problems:
        raise CompileError(tuple(reversed(problems)))
    return steps[::-1]


def tiled(step: Step, vectors: Vectors, choices: Choices = NO_CHOICES, threads: int = 1) -> Step:
    """With the tile's size among the parameters, where the kernel takes one: that chosen, or the cheapest for
    the thread that has most to do."""
    if not step.kernel.tile:
        return step
    choice = choices.get(call_key(step.kernel.key, step.params))
    if choice is not None and choice.kernel == step.kernel.name and choice.tile is not None:
        return with_tile(step, choice.tile)
    priced = [(price, with_tile(step, tile)) for price, tile in priced_tiles(work_of(step), vectors)]
    return min(priced, key=lambda each: each[0] * largest_part(split(each[1], threads)))[1]


def tiles_of(step: Step, vectors: Vectors, count: int) -> list[Tile]:
    """The cheapest for its kernel, which takes one."""
    return cheapest_tiles(work_of(step), vectors, count)


def work_of(step: Step) -> Work:
    """Of a call whose kernel takes a tile."""
    expressions = (*step.kernel.tile, *("0", "0", "depth", "0")[len(step.kernel.tile) :])
    rows, columns, depth, is_whole = (evaluate(each, step.params) for each in expressions)
    return Work(rows, columns, depth, bool(is_whole))


def largest_part(step: Step) -> float:
    """Of its units, as a share of all."""
    if not step.parts:
        return 1.0
    return max(last - first for first, last in step.parts) / step.parts[-1][1]


def with_tile(step: Step, tile: Tile) -> Step:
    return replace(step, params={**step.params, "tile_rows": tile.rows, "tile_columns": tile.columns})


def split(step: Step, threads: int) -> Step:
    """With the ranges of units that threads compute: one each where that is worth it, else one for all."""
    if not step.kernel.split:
        return step
    units = evaluate(step.kernel.split, step.params)
    work = sum(OPS[node.op].macs(node) for node in step.nodes)
    work = work or step.result.type.size * int(step.params.get("size", 1))
    count = threads if work >= LEAST_SHARED and units > 1 else 1
    bounds = [units * index // count for index in range(count + 1)]
    return replace(step, parts=tuple(pairwise(bounds)))


# What a target without floats finds of them, and what to do: at a net's ends, and elsewhere.
BETWEEN: Mapping[str, tuple[str, str]] = {
    "f32_i8": ("quantize, whose input is float", "cut it off the model, which then takes int8"),
    "i8_f32": ("dequantize, whose output is float", "cut it off the model, which then gives int8"),
}
FLOATS = ("floats", "quantize the net: --int8 --calibration FILE.npz, without --float-io")


def no_kernel(node: Node, kernels: Kernels) -> CompileError:
    """Of a target whose kernels are for integers alone, which is a chip, floats are refused as such."""
    stem, key = OPS[node.op].stem(node), dtype_key(node)
    if any("f32" in found[0].dtypes for found in kernels.values()):
        return error(node.layer, f"a kernel {stem}_{key}", "none in this target", "choose another target")
    if "f32" not in key:
        do = "compile for cortex-m4 or host"
        return error(node.layer, "an op that this target computes", f"{stem}_{key}", do)
    found, do = BETWEEN.get(dtype_key(node).replace("u8", "i8"), FLOATS)
    return error(node.layer, "int8, all that this target computes with", found, do)


def chain_keys(chain: Sequence[Node]) -> tuple[str, ...]:
    """What kernels for a chain may be called; for a single op also one for any dtype of as many bytes."""
    stems = "_".join(OPS[each.op].stem(each) for each in chain)
    last = chain[-1]
    if len(chain) > 1:
        return (f"{stems}_{dtype_key(last)}",)
    return tuple(
        f"{stems}_{dtype}" for dtype in (dtype_key(last), SAME_BYTES.get(last.type.dtype), ANY) if dtype
    )


def call_key(key: str, params: Mapping[str, int | float]) -> str:
    """A call as far as its cost goes: what it computes, and on which extents."""
    return " ".join((key, *(f"{name}={value}" for name, value in params.items())))


def longest_step(
    candidates: Sequence[tuple[Node, ...]], kernels: Kernels, choices: Choices = NO_CHOICES
) -> Step | None:
    """The first chain that has a kernel whose condition holds: the chosen one, else the best."""
    for chain in candidates:
        found = [key for key in chain_keys(chain) if key in kernels]
        if not found:
            continue
        params = chain_params(chain)
        kernel = next(filter(None, (first_fitting(kernels, key, params) for key in found)), None)
        if kernel is not None:
            choice = choices.get(call_key(kernel.key, params))
            if choice is not None:
                named = (each for each in fitting(kernels, kernel.key, params) if each.name == choice.kernel)
                kernel = next(named, kernel)
            inputs = chain[0].inputs + tuple(each for link in chain[1:] for each in link.inputs[1:])
            return Step(kernel, chain, inputs, params)
    return None
