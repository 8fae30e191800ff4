"""Plans run on one real arena of garbage: equal to their Graph, whatever shares memory with whatever."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import (
    GEOMETRY,
    KERNELS,
    QUANT,
    drawn,
    has_host_kernel,
    lowered,
    planned,
    raises,
    random_arrays,
    random_graph,
    relu,
    same_values,
    seeded,
    tensor,
    weights,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from s2c import oracle
from s2c.cost import call_cost, macs, parameters, plan_macs
from s2c.ir import Graph, Node, Quant, Type, constant, input_node
from s2c.kernel import evaluate
from s2c.ops import make
from s2c.plan import Plan, greedy_order, make_plan
from s2c.plan_values import run
from s2c.steps import choose_kernels, root


def check_plan(graph: Graph, seed: int = 0) -> Plan:
    """The Plan of a Graph, whose values it has to give."""
    plan = planned(graph)
    for each in range(seed, seed + 2):
        arrays = random_arrays(graph, each)
        assert same_values(oracle.run(graph, *arrays), run(plan, *arrays)), f"{graph}\n{plan}"
    check_memory(plan)
    return plan


def check_memory(plan: Plan) -> None:
    """Every value and all scratch lie inside the arena, aligned, and the arena is not below the bound."""
    assert plan.arena_bytes >= plan.lower_bound
    spans = [*zip(plan.inputs, (node.type.bytes for node in plan.graph.inputs), strict=True)]
    spans += zip(plan.outputs, (node.type.bytes for node in plan.graph.outputs), strict=True)
    for call in plan.calls:
        spans.append((call.output, call.nodes[-1].type.bytes))
        if call.scratch is not None:
            spans.append((call.scratch, evaluate(call.kernel.scratch, call.params)))
    for offset, size in spans:
        assert offset % 4 == 0 and offset >= 0 and offset + size <= plan.arena_bytes, (
            f"{offset} {size}\n{plan}"
        )


@pytest.mark.build
@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from(["i8", "f32"]))
def test_random_nets(data: st.DataObject, dtype: str) -> None:
    check_plan(random_graph(drawn(data), dtype))


@pytest.mark.build
@pytest.mark.parametrize("dtype", ["i8", "f32"])
def test_many_random_nets(dtype: str) -> None:
    for seed in range(300):
        check_plan(random_graph(seeded(seed), dtype, 8 + seed % 24), seed)


# memory that is shared


def image(*shape: int) -> Node:
    return tensor("x", *(shape or (1, 3, 5, 2)), quant=QUANT)


def reshape(node: Node, *shape: int) -> Node:
    return make("reshape", (node,), "reshape", shape=shape)


def other(node: Node, function: str = "tanh") -> Node:
    return make("unary", (node,), function, QUANT, function=function)


def add(a: Node, b: Node) -> Node:
    return make("add", (a, b), "add", QUANT)


X = image()
SHARED = {
    "input as output": Graph((X,), (X,)),
    "input twice as output": Graph((X,), (X, X)),
    "reshape of the input": Graph((X,), (reshape(X, 30),)),
    "chain of reshapes": Graph((X,), (reshape(reshape(reshape(X, 30), 5, 6), 2, 15),)),
    "input, its reshape and more": Graph((X,), (reshape(X, 30), other(X), X)),
    "same node twice": Graph((X,), (relu(X, "r"),) * 2),
    "two nodes": Graph((X,), (relu(X, "r"), other(X))),
    "node and what is made from it": Graph((X,), (lambda a: (a, relu(a, "r")))(other(X))),
    "node and its reshape": Graph((X,), (lambda a: (reshape(a, 30), a))(other(X))),
    "constant": Graph((X,), (constant(np.arange(7, dtype=np.int8), "c", QUANT),)),
    "constant twice, and an input": Graph((X,), (lambda c: (c, X, c))(constant(np.float32([1.5, -2]), "c"))),
    "reshape of a constant": Graph((X,), (reshape(constant(np.arange(6, dtype=np.int8), "c", QUANT), 2, 3),)),
    "unused input": Graph((X, tensor("y", 9, quant=QUANT)), (other(X),)),
    "all inputs unused": Graph((X,), (constant(np.zeros((), np.float32), "c"),)),
    "in place while the input is an output": Graph((X,), (X, relu(X, "r"))),
    "in place over the input": Graph((X,), (relu(X, "r"),)),
    "in place over a reshape of the input": Graph((X,), (relu(reshape(X, 30), "r"), X)),
    "add of a value and itself": Graph((X,), (add(X, X),)),
    "add of a value and its reshape": Graph((X,), (add(X, reshape(reshape(X, 30), 1, 3, 5, 2)),)),
    "add, both operands used later": Graph(
        (X,), (lambda a, b: (add(add(a, b), add(b, a)), a))(other(X), other(X, "abs"))
    ),
    "mul with a broadcast computed operand": Graph(
        (X,),
        (
            make(
                "mul",
                (
                    X,
                    make(
                        "slice", (other(X),), "s", starts=(0, 0, 0, 0), steps=(1, 1, 1, 1), shape=(1, 1, 1, 2)
                    ),
                ),
                "m",
                QUANT,
            ),
        ),
    ),
    "concat": Graph((X,), (make("concat", (other(X), X, other(X, "abs")), "c", axis=3),)),
    "concat of a value with itself": Graph((X,), (make("concat", (X, X, X), "c", axis=1), X)),
    "concat of a constant": Graph(
        (X,), (make("concat", (constant(np.zeros((1, 3, 5, 2), np.int8), "c", QUANT), X), "c", axis=2),)
    ),
    "concat of concats": Graph(
        (X,),
        (lambda c: (make("concat", (c, c), "d", axis=0), relu(c, "r")))(
            make("concat", (X, other(X)), "c", axis=3)
        ),
    ),
    "slice with negative steps": Graph(
        (X,), (make("slice", (X,), "s", starts=(0, 2, 4, 1), steps=(1, -2, -3, -1), shape=(1, 2, 2, 2)),)
    ),
    "pad": Graph((X,), (make("pad", (X,), "p", pads=((0, 1), (2, 0), (1, 1), (0, 3)), value=-3),)),
}


@pytest.mark.parametrize("name", SHARED)
def test_shared_memory(name: str) -> None:
    check_plan(SHARED[name])


def test_aliases_cost_nothing() -> None:
    assert planned(SHARED["chain of reshapes"]).calls == ()
    assert planned(SHARED["chain of reshapes"]).arena_bytes == 32


def test_in_place_over_the_input_needs_one_buffer() -> None:
    plan = planned(SHARED["in place over the input"])
    assert plan.calls[0].output == plan.calls[0].inputs[0] == plan.inputs[0]
    assert plan.arena_bytes == plan.lower_bound == 32


def test_operand_that_is_read_again_is_not_overwritten() -> None:
    plan = planned(SHARED["in place while the input is an output"])
    assert plan.calls[0].output != plan.inputs[0]


def test_add_of_a_value_and_itself_is_not_in_place() -> None:
    for name in ("add of a value and itself", "add of a value and its reshape"):
        (call,) = planned(SHARED[name]).calls
        assert call.output not in call.inputs, name


# kernels


def conv(x: Node, kernel: int, outputs: int, **attrs: object) -> Node:
    around = ((kernel // 2, kernel // 2),) * 2
    own, quant = weights(seeded(kernel), x, outputs, kernel, kernel, x.type.shape[-1])
    geometry = {**GEOMETRY, "pads": around, "groups": 1}
    return make("conv2d", (x,), f"conv {kernel}", quant, **own, **geometry, **attrs)


def kernels_of(plan: Plan) -> list[str]:
    return [call.kernel.name for call in plan.calls]


def test_longest_chain_wins() -> None:
    x = image(1, 6, 6, 4)
    assert kernels_of(check_plan(Graph((x,), (add(conv(x, 3, 4), x),)))) == ["window_matmul_add_i8"]
    assert kernels_of(check_plan(Graph((x,), (add(conv(x, 1, 4), x),)))) == ["matmul_add_i8"]
    assert kernels_of(check_plan(Graph((x,), (add(x, conv(x, 3, 4)),)))) == ["window_matmul_add_i8"]


def test_chain_ends_where_somebody_else_reads() -> None:
    x = image(1, 6, 6, 4)
    inner = conv(x, 3, 4)
    assert kernels_of(check_plan(Graph((x,), (add(inner, x), inner)))) == ["window_matmul_i8", "add_i8"]
    assert kernels_of(check_plan(Graph((x,), (add(inner, inner),)))) == ["window_matmul_i8", "add_i8"]


def test_kernel_of_a_chain_needs_its_condition() -> None:
    """A broadcast addend has no fused kernel."""
    x = image(1, 6, 6, 4)
    row = constant(np.arange(4, dtype=np.int8), "row", QUANT)
    assert kernels_of(check_plan(Graph((x,), (add(conv(x, 3, 4), row),)))) == ["window_matmul_i8", "add_i8"]


@pytest.mark.parametrize(("batch", "size"), [(1, 1), (1, 3), (3, 3), (2, 5), (3, 1)])
def test_fused_addition_works_in_place_on_the_addend(batch: int, size: int) -> None:
    """Odd numbers of pixels: a last one is paired with itself."""
    x = image(batch, size, size, 4)
    inner = relu(x, "r")
    plan = check_plan(Graph((x,), (add(conv(conv(inner, 3, 6), 3, 4), inner),)))
    assert kernels_of(plan)[-1] == "window_matmul_add_i8"
    assert plan.calls[-1].output == plan.calls[-1].inputs[1]


def test_order_is_greedy_and_complete() -> None:
    for seed in range(30):
        graph = lowered(random_graph(seeded(seed), "i8", 20))
        steps = choose_kernels(graph, KERNELS)
        order = greedy_order(graph, steps)
        assert len(order) == len(steps)
        assert {id(step) for step in order} == {id(step) for step in steps}
        ready = {node for node in graph.nodes() if node.op in ("input", "constant")}
        for step in order:
            assert all(root(each) in ready for each in step.inputs)
            ready.add(step.result)


def test_greedy_order_saves_memory() -> None:
    """Two wide branches that end in a small value each: one after the other, not side by side."""
    x = image(1, 8, 8, 4)
    whole = {"kernel": (8, 8), "stride": (1, 1), "dilation": (1, 1), "pads": ((0, 0), (0, 0))}
    wide = [
        make("pad", (other(x, name),), "p", pads=((0, 0), (9, 9), (9, 9), (0, 0)), value=0)
        for name in ("tanh", "abs")
    ]
    narrow = [make("max_pool", (each,), "m", QUANT, **{**whole, "kernel": (26, 26)}) for each in wide]
    plan = check_plan(Graph((x,), (add(narrow[0], narrow[1]),)))
    assert plan.arena_bytes < 2 * wide[0].type.bytes


# the usual nets


def depthwise(x: Node, stride: int) -> Node:
    channels = x.type.shape[-1]
    own, quant = weights(seeded(channels), x, channels, 3, 3, 1)
    geometry = {"stride": (stride, stride), "dilation": (1, 1), "pads": ((1, 1), (1, 1)), "groups": channels}
    return make("conv2d", (x,), "depthwise", quant, **own, **geometry, lo=0.0)


def mobile() -> Graph:
    x = node = image(1, 32, 32, 3)
    node = conv(node, 3, 8, lo=0.0)
    for stride, channels in ((1, 16), (2, 24), (1, 24), (2, 48), (2, 64)):
        node = conv(depthwise(node, stride), 1, channels, lo=0.0)
    return Graph((x,), (node,))


def residual() -> Graph:
    x = image(1, 16, 16, 3)
    node = conv(x, 3, 8, lo=0.0)
    for _ in range(3):
        node = add(conv(conv(node, 3, 8, lo=0.0), 3, 8), node)
    return Graph((x,), (node,))


def dense_net() -> Graph:
    x = node = tensor("x", 1, 640, quant=Quant((0.1,), 3))
    for outputs in (128, 128, 8, 128, 640):
        own, quant = weights(seeded(outputs), node, outputs, node.type.shape[-1])
        node = make("dense", (node,), "dense", quant, **own, lo=0.0)
    return Graph((x,), (node,))


@pytest.mark.parametrize("net", [mobile, residual, dense_net], ids=lambda net: net.__name__)
def test_usual_nets_reach_the_lower_bound(net: object) -> None:
    plan = check_plan(net())
    assert plan.arena_bytes == plan.lower_bound


def test_costs_are_those_of_the_graph() -> None:
    graph = lowered(residual())
    plan = make_plan(graph, KERNELS)
    assert plan_macs(plan) == macs(graph) == macs(residual())
    assert parameters(graph.nodes()) > 0
    weights_bytes = sum(node.attrs["weight"].nbytes for node in graph.nodes() if "weight" in node.attrs)
    assert sum(call_cost(call).constant_bytes for call in plan.calls) > weights_bytes


def test_same_graph_same_plan() -> None:
    assert str(planned(residual())) == str(planned(residual()))


def test_missing_kernels_are_named_all_at_once() -> None:
    x = image()
    graph = lowered(Graph((x,), (other(relu(x, "first")),)), has_host_kernel)
    assert raises(lambda: make_plan(graph, {})) == (
        "first: wanted an op that this target computes, found relu_i8; compile for cortex-m4 or host\n"
        "tanh: wanted an op that this target computes, found map_i8; compile for cortex-m4 or host"
    )


def test_planning_a_long_chain_is_fast() -> None:
    """A thousand layers in a row: the time is in proportion."""
    x = source = input_node("x", Type((1, 8), "f32"))
    for index in range(1000):
        x = make("unary", (x,), f"layer {index}", function="tanh")
    plan = planned(Graph((source,), (x,)))
    assert len(plan.calls) == 1000
    assert plan.arena_bytes == 32
