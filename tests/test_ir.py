"""The Graph: order, users, rewriting, and its text."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import GEOMETRY, drawn, random_graph, tensor
from hypothesis import given, settings
from hypothesis import strategies as st

from s2c.ir import Graph, Node, Quant, Type, Uses, constant, format_attr
from s2c.ops import make


def relu(node: Node, layer: str = "r") -> Node:
    return make("relu", (node,), layer, lo=0.0)


def chain(length: int) -> Graph:
    source = tensor("x", 2)
    node = source
    for _ in range(length):
        node = relu(node)
    return Graph((source,), (node,))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from(["i8", "f32"]))
def test_nodes_come_once_after_their_inputs(data: st.DataObject, dtype: str) -> None:
    graph = random_graph(drawn(data), dtype)
    nodes = graph.nodes()
    place = {node: at for at, node in enumerate(nodes)}
    assert len(place) == len(nodes)
    assert nodes[: len(graph.inputs)] == list(graph.inputs)
    assert all(place[each] < place[node] for node in nodes for each in node.inputs)
    assert set(graph.outputs) <= set(nodes)


@pytest.mark.build
def test_deep_graph_needs_no_recursion() -> None:
    graph = chain(20_000)
    assert len(graph.nodes()) == 20_001
    assert len(graph.rewrite(lambda node, uses: None).nodes()) == 20_001


def test_uses_counts_each_operand_and_output() -> None:
    x, unused = tensor("x", 2), tensor("unused", 2)
    twice = make("add", (x, x), "twice")
    graph = Graph((x, unused), (twice, twice, x))
    assert graph.uses() == {x: 3, unused: 0, twice: 2}


def test_rewrite_without_a_change_keeps_the_nodes() -> None:
    graph = chain(3)
    assert graph.rewrite(lambda node, uses: None) == graph


def test_rewrite_copies_what_depends_on_a_change_alone() -> None:
    x = tensor("x", 2)
    left, right = relu(x, "left"), relu(x, "right")
    total = make("add", (left, right), "total")
    changed = Graph((x,), (total,)).rewrite(
        lambda node, uses: node.with_attrs(lo=1.0) if node is left else None
    )
    new_left, new_right = changed.outputs[0].inputs
    assert new_right is right and new_left.attrs["lo"] == 1.0 and new_left.inputs == (x,)
    assert left.attrs["lo"] == 0.0


def test_rule_sees_rewritten_inputs() -> None:
    seen = []

    def rule(node: Node, uses: Uses) -> Node | None:
        seen.append([each.layer for each in node.inputs])
        return make("relu", node.inputs, f"new {node.layer}", lo=1.0) if node.op == "relu" else None

    chain(2).rewrite(rule)
    assert seen == [[], ["x"], ["new r"]]


def users_seen(graph: Graph, drop: str) -> dict[str, int]:
    """What uses() says of each node's inputs when the rule replaces `drop` by its input."""
    found: dict[str, int] = {}

    def rule(node: Node, uses: Uses) -> Node | None:
        found.update({each.layer: uses(each) for each in node.inputs})
        return node.inputs[0] if node.layer == drop else None

    graph.rewrite(rule)
    return found


def test_users_of_a_node_that_took_over_another() -> None:
    """a stands for b as well, whose two users it gains; nothing may take it for a node with one user."""
    x = tensor("x", 2)
    a = relu(x, "a")
    b = relu(a, "b")
    total = make("add", (relu(b, "c"), relu(b, "d")), "total")
    assert users_seen(Graph((x,), (total,)), "b")["a"] >= 2


def test_nodes_that_the_rule_made_count_as_shared() -> None:
    seen = []

    def rule(node: Node, uses: Uses) -> Node | None:
        seen.extend(uses(each.inputs[0]) for each in node.inputs if each.layer == "outer")
        return relu(relu(node.inputs[0], "inner"), "outer") if node.layer == "r" else None

    x = tensor("x", 2)
    Graph((x,), (make("unary", (relu(x),), "u", function="abs"),)).rewrite(rule)
    assert seen == [2]


def test_two_nodes_merged_into_one_have_all_users() -> None:
    """A rule that unifies look-alikes, as a shared transpose: the survivor has the users of both."""
    x = tensor("x", 2)
    left, right = relu(x, "left"), relu(x, "right")
    ends = (make("unary", (left,), "u", function="abs"), make("unary", (right,), "v", function="abs"))
    survivors: list[Node] = []
    seen = []

    def rule(node: Node, uses: Uses) -> Node | None:
        if node.op == "relu":
            survivors.append(node)
            return survivors[0]
        seen.extend(uses(each) for each in node.inputs if each.op == "relu")
        return None

    Graph((x,), (make("add", ends, "total"),)).rewrite(rule)
    assert max(seen) == 2


def test_text_form() -> None:
    x = tensor("x", 1, 4, 4, 1, quant=Quant((0.5,), -128))
    attrs = {"weight": np.arange(18, dtype=np.int8).reshape(2, 3, 3, 1), "bias": np.array([1, -2], np.int32)}
    attrs |= {"weight_scale": np.array([0.25, 0.5], np.float32), "groups": 1, **GEOMETRY}
    layer = make("conv2d", (x,), "a\nb", Quant((0.125,), 3), **attrs)
    assert str(Graph((x,), (layer, x))) == (
        "%0 = input() : i8[1,4,4,1]~0.5@-128  # 'x'\n"
        "%1 = conv2d(%0) bias=[1, -2] dilation=(1, 1) groups=1 pads=((0, 0), (0, 0)) stride=(1, 1) "
        "weight=<int8[2, 3, 3, 1] 7a096cc1> weight_scale=[0.25, 0.5] : i8[1,2,2,2]~0.125@3  # 'a\\nb'\n"
        "return %1, %0\n"
    )


def test_text_of_an_array_depends_on_its_values_alone() -> None:
    a = np.arange(12, dtype=np.int32).reshape(3, 4)
    assert format_attr(a) == format_attr(np.asfortranarray(a)) != format_attr(a + 1)


@pytest.mark.parametrize("dtype", ["f32", "i8", "u8", "i16", "i32", "i64", "bool"])
def test_type_counts_bytes(dtype: str) -> None:
    kind = Type((3, 1, 5), dtype)
    value = np.zeros(kind.shape, kind.numpy)
    assert kind.size == 15 and kind.bytes == value.nbytes
    assert constant(value, "c").type == kind
    assert Type((), dtype).size == 1
