"""ONNX models to strange ones: every part that a file can hold takes values that it should not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from random import Random

import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from fuzz.damage import FLOATS, TEXTS, WIDE, damage
from s2c.readers.onnx.table import READERS

OPS = sorted({schema.name for schema in onnx.defs.get_all_schemas_with_history() if not schema.domain})
READ = sorted(READERS)
TYPES = (*TensorProto.DataType.values(), 99, -1)
SHAPES = (
    (),
    (0,),
    (1,),
    (3,),
    (1, 4),
    (2, 3),
    (1, 2, 5),
    (2, 1, 3, 3),
    (1, 3, 6, 6),
    (1, 2, 3, 2, 2),
    (1,) * 9,
)
INTEGER_LISTS = ((), (0,), (1,), (-1,), (1, 1), (2, 2), (0, 1), (1, 0), (0, 2, 1), (0, 0, 1, 1), (1, 1, 1, 1))
ARRAY_TYPES = ("float32", "float32", "float32", "int64", "int64", "int32", "int8", "uint8", "bool", "float16")

Mutation = Callable[[Random, ModelProto], None]


def mutate(source: Random, seeds: Sequence[bytes]) -> bytes:
    """A seed or a random model, changed in up to eight places; sometimes its bytes too."""
    model = random_model(source) if source.random() < 0.4 else ModelProto.FromString(source.choice(seeds))
    for _ in range(source.choice((0, 1, 1, 2, 4, 8))):
        source.choice(MUTATIONS)(source, model)
    data = model.SerializeToString()
    return damage(source, data) if source.random() < 0.2 else data


# random models


def random_model(source: Random) -> ModelProto:
    """A chain of one to four nodes of any op, mostly with inputs and attributes of the declared kinds."""
    names, nodes, consts = ["x"], [], []
    opset = source.choice((6, 9, 11, 13, 17, 18, 20, onnx.defs.onnx_opset_version()))
    shape = source.choice(SHAPES)
    for index in range(source.choice((1, 1, 1, 2, 4))):
        op = source.choice(READ if source.random() < 0.9 else OPS)
        inputs = [source.choice(names)]
        for place, types in enumerate(other_inputs(source, op, opset)):
            name = f"c{index}.{place}"
            if source.random() < 0.1:
                inputs.append(source.choice(("", *names)))
                continue
            array = random_array(source, types, (*SHAPES, *parts_of(shape)))
            consts.append(numpy_helper.from_array(array, name))
            inputs.append(name)
        outputs = [f"y{index}.{place}" for place in range(count_outputs(source, op, opset))]
        nodes.append(helper.make_node(op, inputs, outputs, name=f"layer{index}"))
        nodes[-1].attribute.extend(random_attributes(source, op, opset))
        names += outputs
    kind = first_kind(source, nodes[0].op_type, opset)
    declared = helper.make_tensor_value_info("x", kind, shape)
    result = helper.make_tensor_value_info(names[-1], source.choice((0, 0, kind, TensorProto.FLOAT)), None)
    graph = helper.make_graph(nodes, "random", [declared], [result], consts)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def first_kind(source: Random, op: str, opset: int) -> int:
    """The element type of the model's input, mostly one that its first op takes."""
    schema = schema_of(op, opset)
    kinds = [TensorProto.FLOAT] * 6 + [TensorProto.INT64, TensorProto.INT8, TensorProto.BOOL]
    if schema is not None and schema.inputs and source.random() < 0.8:
        allowed = schema.inputs[0].types
        kinds = [element(name) for name in ARRAY_TYPES if fits(name, allowed)] or kinds
    return source.choice(kinds)


def count_outputs(source: Random, op: str, opset: int) -> int:
    schema = schema_of(op, opset)
    if schema is None or source.random() < 0.1:
        return source.choice((1, 2, 3))
    return source.choice((1, 1, max(schema.min_output, 1), max(min(schema.max_output, 4), 1)))


def fits(name: str, declared: Collection[str]) -> bool:
    """Whether numpy's dtype is one of ONNX's types."""
    return f"tensor({'float' if name == 'float32' else name})" in declared


def element(name: str) -> int:
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(name)))


def other_inputs(source: Random, op: str, opset: int) -> list[tuple[str, ...]]:
    """The dtypes that each input behind the first may have; sometimes any, of any number of inputs."""
    schema = schema_of(op, opset)
    if schema is None or not schema.inputs or source.random() < 0.2:
        return [ARRAY_TYPES] * source.choice((0, 0, 1, 1, 2, 3, 5))
    most = max(min(schema.max_input, 6), 1)
    count = source.randint(min(max(schema.min_input, 1), most), most) - 1
    declared = [schema.inputs[min(index + 1, len(schema.inputs) - 1)].types for index in range(count)]
    return [tuple(name for name in ARRAY_TYPES if fits(name, each)) for each in declared]


def parts_of(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Shapes that parameters of an input of this shape often have."""
    return [shape, shape, shape[1:2], shape[-1:], shape[-2:], shape[:1]]


def random_array(
    source: Random, types: Sequence[str] = ARRAY_TYPES, shapes: Sequence[tuple[int, ...]] = SHAPES
) -> np.ndarray:
    dtype = np.dtype(source.choice(types or ARRAY_TYPES))
    if dtype.kind in "iu" and source.random() < 0.6:
        values = np.array(source.choice(INTEGER_LISTS), np.int64)
        return values.astype(dtype)
    shape = source.choice(shapes)
    values = np.random.default_rng(source.randrange(1 << 30)).integers(-3, 4, shape)
    if dtype.kind == "f" and source.random() < 0.1:
        return np.full(shape, source.choice(FLOATS), np.float64).astype(np.float32)
    return values.astype(dtype)


def schema_of(op: str, opset: int) -> onnx.defs.OpSchema | None:
    try:
        return onnx.defs.get_schema(op, opset, "")
    except onnx.defs.SchemaError:
        return None


def random_attributes(source: Random, op: str, opset: int) -> list[AttributeProto]:
    schema = schema_of(op, opset)
    if schema is None:
        return []
    chosen = [each for each in schema.attributes.values() if each.required or source.random() < 0.4]
    made = [random_attribute(source, each.name, int(each.type.value)) for each in chosen]
    return [each for each in made if each is not None]


def random_attribute(source: Random, name: str, kind: int) -> AttributeProto | None:
    values = {
        AttributeProto.INT: lambda: source.choice((*range(-2, 5), *WIDE)),
        AttributeProto.FLOAT: lambda: source.choice((0.5, 1.5, *FLOATS)),
        AttributeProto.STRING: lambda: source.choice((*STRINGS, *TEXTS)),
        AttributeProto.INTS: lambda: list(source.choice(INTEGER_LISTS)) or [source.choice(WIDE)],
        AttributeProto.FLOATS: lambda: [source.choice(FLOATS) for _ in range(source.randrange(1, 4))],
        AttributeProto.STRINGS: lambda: [source.choice(STRINGS) for _ in range(source.randrange(1, 4))],
        AttributeProto.TENSOR: lambda: numpy_helper.from_array(random_array(source)),
        AttributeProto.GRAPH: lambda: random_model(source).graph,
    }
    return helper.make_attribute(name, values[kind]()) if kind in values else None


STRINGS = (
    *("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "constant", "reflect", "edge", "wrap", "nearest"),
    *("linear", "cubic", "half_pixel", "asymmetric", "align_corners", "floor", "ceil", "forward", "reverse"),
    *("bidirectional", "Relu", "Tanh", "Sigmoid", "none", "tanh", "DCR", "CRD", "add", "mul", "max", "min"),
    *("ij,jk->ik", "bhwc,hkc->bhwk", "i->", "...ij,...jk->...ik", "ii->i", "zeros", "border", "bilinear"),
)


# mutations


def some_node(source: Random, model: ModelProto) -> NodeProto:
    return source.choice(model.graph.node) if model.graph.node else model.graph.node.add()


def names(model: ModelProto) -> list[str]:
    graph = model.graph
    made = [name for node in graph.node for name in node.output]
    return [*made, *(each.name for each in (*graph.input, *graph.initializer)), ""]


def change_attribute(source: Random, model: ModelProto) -> None:
    node = some_node(source, model)
    if not node.attribute:
        return
    old = source.choice(node.attribute)
    new = random_attribute(source, old.name, source.choice((old.type, old.type, old.type, *range(1, 11))))
    if new is not None:
        old.CopyFrom(new)


def change_integer(source: Random, model: ModelProto) -> None:
    """One integer of a list, so that the others still fit."""
    lists = [each.ints for node in model.graph.node for each in node.attribute if each.ints]
    if lists:
        chosen = source.choice(lists)
        chosen[source.randrange(len(chosen))] = source.choice((*range(-2, 9), *WIDE))


def add_attributes(source: Random, model: ModelProto) -> None:
    node = some_node(source, model)
    node.attribute.extend(random_attributes(source, node.op_type, onnx.defs.onnx_opset_version()))


def drop_attribute(source: Random, model: ModelProto) -> None:
    attributes = some_node(source, model).attribute
    if attributes:
        del attributes[source.randrange(len(attributes))]


def change_dims(source: Random, model: ModelProto) -> None:
    """Of an input, whose axes have names or numbers, or of an initializer."""
    if model.graph.initializer and source.random() < 0.5:
        dims = source.choice(model.graph.initializer).dims
        if dims:
            dims[source.randrange(len(dims))] = source.choice((*range(-1, 5), *WIDE))
    elif model.graph.input:
        dim = source.choice(model.graph.input).type.tensor_type.shape.dim
        if dim and source.random() < 0.8:
            source.choice(dim).dim_value = source.choice((*range(-1, 9), *WIDE))
        elif source.random() < 0.5:
            dim.add().dim_param = source.choice(TEXTS)
        else:
            del dim[:]


def change_type(source: Random, model: ModelProto) -> None:
    graph = model.graph
    tensors = [*graph.initializer]
    declared = [*graph.input, *graph.output]
    if tensors and source.random() < 0.5:
        source.choice(tensors).data_type = source.choice(TYPES)
    elif declared:
        source.choice(declared).type.tensor_type.elem_type = source.choice(TYPES)


def change_initializer(source: Random, model: ModelProto) -> None:
    """Another array under the same name."""
    if model.graph.initializer:
        tensor = source.choice(model.graph.initializer)
        tensor.CopyFrom(numpy_helper.from_array(random_array(source), tensor.name))


def fill_initializer(source: Random, model: ModelProto) -> None:
    """The same shape and type, with one extreme value."""
    tensors = [each for each in model.graph.initializer if each.HasField("raw_data")]
    if tensors:
        tensor = source.choice(tensors)
        word = source.choice(
            (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\x80\x7f", b"\xff\xff\xff\x7f", b"\1\0\0\0")
        )
        size = len(tensor.raw_data)
        tensor.raw_data = (word * (size // 4 + 1))[:size]


def rewire(source: Random, model: ModelProto) -> None:
    """An input of a node becomes any other value: a cycle, a later one, none."""
    node = some_node(source, model)
    if node.input and source.random() < 0.8:
        node.input[source.randrange(len(node.input))] = source.choice(names(model))
    else:
        node.input.append(source.choice(names(model)))


def drop_input(source: Random, model: ModelProto) -> None:
    node = some_node(source, model)
    if node.input:
        del node.input[source.randrange(len(node.input))]


def change_outputs(source: Random, model: ModelProto) -> None:
    node = some_node(source, model)
    if node.output and source.random() < 0.5:
        node.output[source.randrange(len(node.output))] = source.choice(names(model))
    else:
        node.output.append(f"extra{source.randrange(9)}")


def change_op(source: Random, model: ModelProto) -> None:
    node = some_node(source, model)
    node.op_type = source.choice(source.choice((READ, READ, OPS, TEXTS)))
    if source.random() < 0.1:
        node.domain = source.choice(("ai.onnx", "ai.onnx.ml", "com.microsoft", *TEXTS))


def insert_node(source: Random, model: ModelProto) -> None:
    """A random node after an input of another one."""
    node = some_node(source, model)
    if not node.input:
        return
    at = source.randrange(len(node.input))
    op, name = source.choice(READ), f"inserted{source.randrange(1000)}"
    made = helper.make_node(
        op, [node.input[at], *source.sample(names(model), 1)][: source.choice((1, 2))], [name]
    )
    made.attribute.extend(random_attributes(source, op, onnx.defs.onnx_opset_version()))
    node.input[at] = name
    place = [index for index, each in enumerate(model.graph.node) if each is node]
    model.graph.node.insert(place[0] if place else 0, made)


def duplicate_node(source: Random, model: ModelProto) -> None:
    node = some_node(source, model)
    model.graph.node.insert(source.randrange(len(model.graph.node) + 1), node)


def drop_node(source: Random, model: ModelProto) -> None:
    if model.graph.node:
        del model.graph.node[source.randrange(len(model.graph.node))]


def change_names(source: Random, model: ModelProto) -> None:
    some_node(source, model).name = source.choice(TEXTS)
    if model.graph.input and source.random() < 0.3:
        source.choice(model.graph.input).name = source.choice((*TEXTS, *names(model)))


def add_output(source: Random, model: ModelProto) -> None:
    kind = source.choice((TensorProto.FLOAT, TensorProto.INT8, TensorProto.INT64))
    model.graph.output.append(helper.make_tensor_value_info(source.choice(names(model)), kind, None))


def change_opset(source: Random, model: ModelProto) -> None:
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", source.choice((*range(1, 28), *WIDE[-9:]))))


def make_external(source: Random, model: ModelProto) -> None:
    if model.graph.initializer:
        tensor = source.choice(model.graph.initializer)
        tensor.data_location = TensorProto.EXTERNAL
        location = source.choice(("case.onnx", ".", "..", "/etc/passwd", "/dev/zero", "a/../b", *TEXTS))
        tensor.external_data.add(key="location", value=location)
        tensor.external_data.add(key="offset", value=str(source.choice(WIDE)))


def nest(source: Random, model: ModelProto) -> None:
    """A node becomes an If, a Loop or a Scan of random graphs."""
    node = some_node(source, model)
    kind = source.choice(("If", "Loop", "Scan"))
    bodies = ("then_branch", "else_branch") if kind == "If" else ("body",)
    del node.attribute[:]
    node.op_type = kind
    for name in bodies:
        body = random_model(source).graph
        if source.random() < 0.7:
            del body.input[:]
        node.attribute.append(helper.make_attribute(name, body))


MUTATIONS: tuple[Mutation, ...] = (
    *(change_attribute, change_attribute, change_integer, change_integer, add_attributes, drop_attribute),
    *(
        change_dims,
        change_dims,
        change_type,
        change_initializer,
        fill_initializer,
        rewire,
        rewire,
        drop_input,
    ),
    *(
        change_outputs,
        change_op,
        change_op,
        insert_node,
        insert_node,
        duplicate_node,
        drop_node,
        change_names,
    ),
    *(add_output, change_opset, make_external, nest),
)
