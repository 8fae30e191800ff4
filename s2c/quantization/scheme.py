"""A float Graph with the Quant of each tensor that int8 stores, and the int8 Graph that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from s2c.ir import Graph, Node, Quant
from s2c.passes.fuse_clamp import fuse_clamp
from s2c.passes.fuse_qdq import fuse_qdq
from s2c.passes.quantize import quantize_graph
from s2c.quantization.scales import Layout


@dataclass(frozen=True, eq=False)
class Scheme:
    """quants: of each stored tensor of layout; methods: how each was found. float_io: inputs and
    outputs of the int8 Graph stay float."""

    graph: Graph
    layout: Layout
    quants: Mapping[Node, Quant]
    methods: Mapping[Node, str]
    float_io: bool = False

    def int8_graph(self) -> Graph:
        fused = fuse_qdq(quantize_graph(self.graph, self.quants, self.layout.int8, self.float_io))
        return fuse_clamp(fused).rewrite(lambda node, uses: round_twice(node))

    def of(self, graph: Graph) -> Scheme:
        """The same for a Graph of the same nodes with other weights."""
        new = dict(zip(self.graph.nodes(), graph.nodes(), strict=True))

        def each(groups: tuple[tuple[Node, ...], ...]) -> tuple[tuple[Node, ...], ...]:
            return tuple(tuple(new[node] for node in group) for group in groups)

        layout = self.layout
        int8 = frozenset(new[node] for node in layout.int8)
        return Scheme(
            graph,
            Layout(int8, each(layout.groups), each(layout.measured)),
            {new[node]: quant for node, quant in self.quants.items()},
            {new[node]: name for node, name in self.methods.items()},
            self.float_io,
        )


def round_twice(node: Node) -> Node | None:
    """An int8 conv2d that rounds as TFLite's do, which takes fewer instructions on most targets than rounding
    once, and is as good: nothing but the float net says what the results are to be."""
    if node.op != "conv2d" or node.type.dtype != "i8":
        return None
    return replace(node, attrs={key: value for key, value in node.attrs.items() if key != "rounding"})
