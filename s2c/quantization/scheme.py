"""A float Graph with the Quant of each tensor that int8 stores, and the int8 Graph that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from s2c.ir import Graph, Node, Quant
from s2c.passes.fuse_clamp import fuse_clamp
from s2c.passes.fuse_qdq import fuse_qdq
from s2c.passes.quantize import quantize_graph
from s2c.quantization.scales import Layout


@dataclass(frozen=True, eq=False)
class Scheme:
    """quants: of each stored tensor of layout; methods: how each was found."""

    graph: Graph
    layout: Layout
    quants: Mapping[Node, Quant]
    methods: Mapping[Node, str]

    def int8_graph(self, float_io: bool = False) -> Graph:
        return fuse_clamp(fuse_qdq(quantize_graph(self.graph, self.quants, self.layout.int8, float_io)))

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
        )
