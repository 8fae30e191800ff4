"""Reads the nodes of a graph, a subgraph or a function in order; what is wrong with one hinders no other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import shorten

import onnx
from onnx import AttributeProto, GraphProto, NodeProto, helper

from s2c.errors import CompileError, error
from s2c.ir import Node
from s2c.readers.onnx.file import MOST_AXES
from s2c.readers.onnx.fold import FOLDS, fold
from s2c.readers.onnx.functions import (
    Function,
    bound_attributes,
    has_function,
    schema_function,
    schema_of,
)
from s2c.readers.onnx.scope import (
    Scope,
    count_bytes,
    count_node,
    graph_scope,
    layer_of,
    live_nodes,
    read_name,
    used_names,
)
from s2c.readers.onnx.signature import (
    DAMAGED,
    Signature,
    check_attributes,
    check_inputs,
    described,
    signature,
)
from s2c.readers.onnx.source import (
    OWN_DOMAINS,
    Anything,
    Constant,
    Nothing,
    Source,
    Unsigned,
    of_unknown_shape,
)
from s2c.readers.onnx.table import MOVES, OF_CONSTANTS, READERS, REFUSED

OURS = (AssertionError, AttributeError, NameError, NotImplementedError, TimeoutError)
MOST_ELEMENTS = 1 << 28
LONGEST = 200  # letters of what another library says
PREVIEW = "ai.onnx.preview"  # has ops, in version 1, that ONNX defines by functions
MOST_DEPTH = 40  # of functions and graphs within each other


def read_nodes(scope: Scope, nodes: Sequence[NodeProto], outputs: Sequence[str]) -> None:
    for node in live_nodes(nodes, outputs):
        read_node(scope, node)


def read_node(scope: Scope, node: NodeProto) -> None:
    layer = scope.prefix + layer_of(node)
    values = [read_name(scope, layer, name) if name else Nothing() for name in node.input]
    results: tuple[Anything, ...] | None = None
    found = [value for value in values if value is not None]
    if len(found) == len(values):
        results = results_of(scope, layer, node, found)
    else:
        look_up(scope, layer, node)
    for index, name in enumerate(node.output):
        if not name:
            continue
        scope.values[name] = results[index] if results is not None and index < len(results) else None
        if results is not None and index >= len(results) and name in scope.used:
            scope.reading.refuse(
                layer,
                f"{node.op_type} with {len(results)} outputs",
                f"output {name}",
                "drop the output from the model",
            )


def look_up(scope: Scope, layer: str, node: NodeProto) -> None:
    """Whether the op is one to read, where its inputs are not known for what is wrong with others."""
    try:
        check_op(scope, layer, node)
    except CompileError as problem:
        scope.reading.problems.extend(problem.problems)


def results_of(
    scope: Scope, layer: str, node: NodeProto, values: Sequence[Anything]
) -> tuple[Anything, ...] | None:
    """The node's outputs; None where it has a problem."""
    reading = scope.reading
    try:
        count_node(reading, layer)
        check_op(scope, layer, node)
        declared = declared_of(scope, node)
        if declared is not None:
            check_inputs(layer, node, declared, values)
        whole = with_bound_attributes(scope, node)
        results = tuple(map(known_value, run(scope, layer, whole, values)))
        for result in results:
            check_size(layer, result)
        return results
    except CompileError as problem:
        reading.problems.extend(problem.problems)
    except Exception as problem:
        # A damaged node, or inputs that do not fit it, can break any assumption, here or inside onnx and
        # numpy: report it like the others. Where a well-formed one breaks an assertion, we are wrong.
        fault = fault_of(node, scope.opset)
        if isinstance(problem, MemoryError) or (isinstance(problem, OURS) and not fault):
            raise
        found = fault or f"{described(values)} as inputs ({type(problem).__name__}: {problem})"
        short = shorten(found, LONGEST, placeholder=" ..")
        reading.refuse(layer, f"a well-formed {node.op_type}", short, DAMAGED)
    return None


def known_value(value: Anything) -> Anything:
    """A constant node, which builders make of constants, as what it holds."""
    if isinstance(value, Node) and value.op == "constant" and value.type.quant is None:
        return Constant(value.attrs["value"])
    return value


def with_bound_attributes(scope: Scope, node: NodeProto) -> NodeProto:
    if scope.attributes is None or not any(each.ref_attr_name for each in node.attribute):
        return node
    return bound_attributes(node, scope.attributes)


def run(scope: Scope, layer: str, node: NodeProto, values: Sequence[Anything]) -> tuple[Anything, ...]:
    """By a function of the model, by evaluation, by a reader, or by the function that ONNX defines it by."""
    if (node.domain, node.op_type) in scope.reading.functions:
        function = scope.reading.functions[node.domain, node.op_type]
        return call(scope, layer, node, function, values)
    is_own = node.domain in OWN_DOMAINS
    folded = fold(node, layer, scope.opset, values) if is_own else None
    if folded is not None:
        count_bytes(scope.reading, layer, folded)
        return folded
    if is_own and node.op_type in READERS:
        return run_reader(scope, layer, node, values)
    if is_own and node.op_type in OF_CONSTANTS:
        raise of_unknown_shape(layer, node.op_type)
    body = schema_function(node, opset_for(scope, node), values)
    if body is None:
        raise unknown(layer, node)
    return call(scope, layer, node, body, values)


def check_op(scope: Scope, layer: str, node: NodeProto) -> None:
    """Raises for an op that is not read whatever its inputs are, and for attributes that it lacks."""
    if not all(isinstance(name, str) for name in (node.domain, node.op_type)):
        raise error(layer, "an op whose name is UTF-8", repr(node.op_type), DAMAGED)
    if (node.domain, node.op_type) in scope.reading.functions:
        return
    if node.domain not in (*OWN_DOMAINS, PREVIEW):
        raise foreign(layer, node)
    is_own = node.domain in OWN_DOMAINS
    if is_own and node.op_type in REFUSED:
        wanted, do = REFUSED[node.op_type]
        raise error(layer, wanted, node.op_type, do)
    is_read = is_own and any(node.op_type in table for table in (READERS, FOLDS, OF_CONSTANTS))
    if not is_read and not has_function(schema_of(node, opset_for(scope, node))):
        raise unknown(layer, node)
    declared = declared_of(scope, node)
    if declared is not None:
        check_attributes(layer, node, declared.attributes)


def opset_for(scope: Scope, node: NodeProto) -> int:
    return scope.opset if node.domain in OWN_DOMAINS else 1


def declared_of(scope: Scope, node: NodeProto) -> Signature | None:
    """By ONNX, of an op newer than the opset in its newest version; None of an op of the model's own."""
    if (node.domain, node.op_type) in scope.reading.functions:
        return None
    domain = "" if node.domain in OWN_DOMAINS else node.domain
    own = signature(node.op_type, opset_for(scope, node), domain)
    return own or signature(node.op_type, onnx.defs.onnx_opset_version(), domain)


def unknown(layer: str, node: NodeProto) -> CompileError:
    do = "write it with ops that s2c reads"
    if onnx.defs.has(node.op_type) and node.input:
        do += ", or bind the inputs that it comes from with --const"
    return error(layer, "an ONNX op that s2c reads", node.op_type, do)


def foreign(layer: str, node: NodeProto) -> CompileError:
    do = "export with standard ops"
    if node.domain == "ai.onnx.preview.training":
        return error(layer, "a net without training ops", node.op_type, "export the model for inference")
    return error(layer, "an op of ONNX's own domain", f"{node.domain}.{node.op_type}", do)


def run_reader(scope: Scope, layer: str, node: NodeProto, values: Sequence[Anything]) -> tuple[Anything, ...]:
    def read_graph(graph: GraphProto, inputs: Sequence[Anything], suffix: str) -> tuple[Anything, ...]:
        return read_subgraph(scope, f"{layer}{suffix}/", graph, inputs)

    attrs = {each.name: attribute(each) for each in node.attribute}
    inputs = tuple(None if isinstance(value, Nothing) else value for value in values)
    source = Source(layer, node.op_type, scope.opset, attrs, inputs, len(node.output), read_graph)
    if node.op_type in MOVES and any(isinstance(value, Unsigned) for value in inputs):
        return moved_unsigned(source)
    made = READERS[node.op_type](source)
    return made if isinstance(made, tuple) else (made,)


def moved_unsigned(source: Source) -> tuple[Anything, ...]:
    """A movement of quantized uint8 values, as that of the int8 ones which stand for them."""
    tensors = [value for value in source.inputs if isinstance(value, (Unsigned, Node))]
    inner = [value.node for value in tensors if isinstance(value, Unsigned)]
    alike = len(inner) == len(tensors) and all(each.type.quant == inner[0].type.quant for each in inner)
    if alike:
        stored = tuple(value.node if isinstance(value, Unsigned) else value for value in source.inputs)
        source = Source(source.layer, source.op, source.opset, source.attrs, stored, source.outputs)
    made = READERS[source.op](source)
    results = made if isinstance(made, tuple) else (made,)
    if not alike:
        return results
    return tuple(Unsigned(each) if isinstance(each, Node) and each.type.quant else each for each in results)


def attribute(proto: AttributeProto) -> object:
    value = helper.get_attribute_value(proto)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def fault_of(node: NodeProto, opset: int) -> str:
    """What onnx finds wrong with a node by itself."""
    context = onnx.checker.C.CheckerContext()
    context.ir_version = onnx.IR_VERSION
    context.opset_imports = {"": opset}
    try:
        onnx.checker.check_node(node, context)
    except UnicodeDecodeError:
        return "names that are no UTF-8"
    except onnx.checker.ValidationError as problem:
        return shorten(str(problem).splitlines()[0].rstrip("."), LONGEST, placeholder=" ..")
    return ""


def check_size(layer: str, value: Anything) -> None:
    node = value.node if isinstance(value, Unsigned) else value
    if not isinstance(node, Node):
        return
    rank = len(node.type.shape)
    if rank > MOST_AXES:
        raise error(layer, f"a result of at most {MOST_AXES} axes", str(rank), "check the layer's shapes")
    if not 1 <= math.prod(node.type.shape) < MOST_ELEMENTS:
        raise error(
            layer,
            f"a result of 1 to {MOST_ELEMENTS - 1} elements",
            str(list(node.type.shape)),
            "check the layer's shapes",
        )


# functions and subgraphs


def call(
    scope: Scope, layer: str, node: NodeProto, function: Function, values: Sequence[Anything]
) -> tuple[Anything, ...]:
    """The outputs of a function's body."""
    name = f"{node.domain}.{node.op_type}"
    if name in scope.calls:
        raise error(layer, "functions that do not call themselves", name, "inline the function")
    check_depth(scope, layer)
    body = function.body
    inner = Scope(
        scope.reading,
        function.opset or scope.opset,
        {},
        used_names(body.node, body.output),
        f"{layer}/",
        function.attributes(node),
        calls=(*scope.calls, name) if function.is_local else scope.calls,
        depth=scope.depth + 1,
    )
    inner.values = {formal: Nothing() for formal in body.input}
    inner.values.update(zip(body.input, values, strict=False))
    wanted = [formal if name else "" for formal, name in zip(body.output, node.output, strict=False)]
    return read_body(inner, layer, body.node, wanted)


def check_depth(scope: Scope, layer: str) -> None:
    if scope.depth > MOST_DEPTH:
        found, do = "deeper ones", "inline the functions"
        raise error(layer, f"functions and graphs nested at most {MOST_DEPTH} deep", found, do)


def read_subgraph(
    scope: Scope, prefix: str, graph: GraphProto, inputs: Sequence[Anything]
) -> tuple[Anything, ...]:
    """The outputs of a graph that is an attribute, which sees the names around it."""
    layer = prefix.rstrip("/")
    check_depth(scope, layer)
    inner = graph_scope(scope.reading, graph, scope.opset, scope)
    inner.prefix = prefix
    names = [each.name for each in graph.input]
    if len(names) < len(inputs):
        raise error(layer, f"a graph of {len(inputs)} inputs", str(len(names)), "check the model")
    inner.values.update(zip(names, inputs, strict=False))
    outputs = [each.name for each in graph.output]
    return read_body(inner, layer, graph.node, outputs)


def read_body(
    scope: Scope, layer: str, nodes: Sequence[NodeProto], outputs: Sequence[str]
) -> tuple[Anything, ...]:
    """The outputs of a body, "" for none. Raises, with no problem of its own, where one depends on what is
    wrong."""
    read_nodes(scope, nodes, [name for name in outputs if name])
    results = [read_name(scope, layer, name) if name else Nothing() for name in outputs]
    whole = tuple(each for each in results if each is not None)
    if len(whole) < len(results):
        raise CompileError(())
    return whole
