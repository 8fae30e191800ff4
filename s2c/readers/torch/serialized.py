"""The JSON of a .pt2 file into an exported program: names of known ATen ops, tensors, and numbers."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import fx
from torch._export.verifier import TrainingIRVerifier
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import ExportedProgram, default_decompositions
from torch.export.exported_program import ModuleCallEntry, ModuleCallSignature
from torch.export.graph_signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from torch.utils import _pytree as pytree

from s2c.errors import CompileError, Problem, error
from s2c.readers import WHOLE_MODEL
from s2c.readers.torch.archive import DTYPES, EXPORT_AGAIN, Archive, damaged, numbers
from s2c.readers.torch.complex import COMPLEX
from s2c.readers.torch.place import layer_of, line_of
from s2c.readers.torch.program import quiet
from s2c.readers.torch.table import READERS

SCHEMA_MAJOR = 8
MOST_NODES = 1 << 20
# Calls without a result: what they assert holds for the inputs that the program was exported with.
ASSERTIONS = frozenset(
    f"torch.ops.aten.{name}"
    for name in ("_assert_async.msg", "_assert_scalar.default", "_assert_tensor_metadata.default")
)
REWRITE = "write it with ops that s2c reads"
PLACE = ("stack_trace", "nn_module_stack")
TARGET = re.compile(r"torch\.ops\.aten\.(\w+)\.(\w+)")
MEMORY_FORMATS = {
    1: torch.contiguous_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
    4: torch.preserve_format,
}


@dataclass
class Building:
    """The fx graph so far: its nodes by the names that the file gives them, and all problems."""

    mode: FakeTensorMode
    values: Mapping[str, Any]  # the file's shape and dtype of each tensor
    graph: fx.Graph = field(default_factory=fx.Graph)
    nodes: dict[str, fx.Node] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def program_of(archive: Archive) -> ExportedProgram:
    """Raises CompileError: of all ops that are not known, or where the program is not well-formed."""
    try:
        version = archive.program["schema_version"]["major"]
        if version != SCHEMA_MAJOR:
            found = f"version {version}"
            raise error(WHOLE_MODEL, f"a program of schema version {SCHEMA_MAJOR}", found, EXPORT_AGAIN)
        return build(archive, archive.program["graph_module"])
    except CompileError:
        raise
    except Exception as problem:
        # A damaged program can break any assumption, here or inside torch.
        found = f"a broken program: {type(problem).__name__}: {problem}".splitlines()[0]
        raise damaged(found[:200]) from None


def build(archive: Archive, module: Mapping[str, Any]) -> ExportedProgram:
    source = module["graph"]
    building = Building(FakeTensorMode(allow_non_fake_inputs=True), source["tensor_values"])
    if len(source["nodes"]) > MOST_NODES:
        raise damaged(f"{len(source['nodes'])} calls")
    with torch.no_grad(), quiet():
        specs = [read_spec(building, archive, each) for each in module["signature"]["input_specs"]]
        for each in source["nodes"]:
            read_node(building, each)
    if building.problems:
        raise CompileError(tuple(dict.fromkeys(building.problems)))
    outputs = [read_output(building, each) for each in module["signature"]["output_specs"]]
    building.graph.output(tuple(each for _, each in outputs)).meta["val"] = tuple(
        None if each is None else each.meta["val"] for _, each in outputs
    )
    users = [spec.arg.name for spec in specs if spec.kind == InputKind.USER_INPUT]
    calls = ModuleCallSignature([], [], tree((tuple(users), {})), tree(tuple(range(len(outputs)))), users)
    stored = {
        kind: {
            each.target: archive.tensors[each.target] for each in specs if each.target and each.kind == kind
        }
        for kind in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR)
    }
    parameters = {
        name: torch.nn.Parameter(value, requires_grad=False)
        for name, value in stored[InputKind.PARAMETER].items()
    }
    return ExportedProgram(
        torch.nn.Module(),
        building.graph,
        ExportGraphSignature(specs, [spec for spec, _ in outputs]),
        {**parameters, **stored[InputKind.BUFFER]},
        {},
        [ModuleCallEntry("", calls)],
        constants=stored[InputKind.CONSTANT_TENSOR],
        verifiers=[TrainingIRVerifier],
    )


def tree(value: Any) -> Any:
    return pytree.tree_flatten(value)[1]


# inputs


KINDS = {
    "parameter": (InputKind.PARAMETER, "parameter_name"),
    "buffer": (InputKind.BUFFER, "buffer_name"),
    "tensor_constant": (InputKind.CONSTANT_TENSOR, "tensor_constant_name"),
}


def read_spec(building: Building, archive: Archive, spec: Mapping[str, Any]) -> InputSpec:
    (kind, content), *_ = spec.items()
    if kind in KINDS:
        ours, key = KINDS[kind]
        name, target = content["arg"]["name"], content[key]
        if target not in archive.tensors:
            raise damaged(f"no data of {target}")
        value = archive.tensors[target]
        node = placeholder(building, name, tuple(value.shape), value.dtype)
        return InputSpec(ours, TensorArgument(node.name), target, True if ours == InputKind.BUFFER else None)
    if kind != "user_input" or "as_tensor" not in content["arg"]:
        raise error(
            WHOLE_MODEL, "tensors as inputs", f"a {kind} of another kind", "export with tensors alone"
        )
    name = content["arg"]["as_tensor"]["name"]
    meta = building.values[name]
    if any("as_int" not in each for each in meta["sizes"]):
        do = "export without dynamic_shapes, with example inputs of the shape that you need"
        raise error(name, "a fixed shape", "a symbolic extent", do)
    node = placeholder(building, name, numbers(meta["sizes"]), DTYPES[meta["dtype"]])
    return InputSpec(InputKind.USER_INPUT, TensorArgument(node.name), None)


def placeholder(building: Building, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> fx.Node:
    node = building.graph.placeholder(name)
    with building.mode:
        node.meta["val"] = torch.empty(shape, dtype=dtype)
    node.meta["tensor_meta"] = {}
    define(building, name, node)
    return node


def define(building: Building, name: str, node: fx.Node) -> None:
    if not isinstance(name, str) or name in building.nodes:
        raise damaged(f"two values named {name!r}")
    node._rename(name)
    building.nodes[name] = node


# calls


@cache
def known_ops() -> frozenset[str]:
    """Those that are read, and those that torch decomposes by its table."""
    return frozenset((*READERS, *COMPLEX, *(str(op) for op in default_decompositions())))


def is_known(op: Any) -> bool:
    """Whether an op computes tensors from tensors: it is read, one of core ATen, or made of such by torch."""
    composed = torch._C._dispatch_has_kernel_for_dispatch_key(op.name(), "CompositeImplicitAutograd")
    return str(op) in known_ops() or torch.Tag.core in op.tags or composed


def resolve(target: Any) -> Any:
    """The op of a target, also where it works in place; None: it is not known."""
    match = TARGET.fullmatch(target) if isinstance(target, str) else None
    if match is None:
        return None
    name, overload = match.groups()
    plain = name[:-1] if name.endswith("_") and not name.endswith("__") else name
    op, known = (getattr(getattr(torch.ops.aten, each, None), overload, None) for each in (name, plain))
    if op is None or any(each.is_out for each in op._schema.arguments):
        return None
    return op if is_known(op) or (known is not None and is_known(known)) else None


def read_node(building: Building, source: Mapping[str, Any]) -> None:
    """A call with its fake result. After a problem later ones that need it are passed over."""
    target = source["target"]
    if (target in ASSERTIONS and not source["outputs"]) or (
        building.problems and is_cut_off(building, source)
    ):
        return
    op = operator.getitem if target == "_operator.getitem" else resolve(target)
    if op is None:
        do = "export under torch.no_grad()" if "set_grad_enabled" in str(target) else REWRITE
        refuse_call(building, source, "an ATen op that s2c reads", do)
        return
    if depends_on_data(building, source):
        do = "write it with torch.where and masks"
        refuse_call(building, source, "a shape that depends on no data", do)
        return
    named = {each["name"]: argument(building, each["arg"]) for each in source["inputs"]}
    args, kwargs = arranged(op, named)
    node = building.graph.call_function(op, args, kwargs)
    node.meta.update(meta_of(source.get("metadata") or {}))
    name_outputs(building, node, source["outputs"])


def is_cut_off(building: Building, source: Mapping[str, Any]) -> bool:
    """Whether an argument is the result of a call that was refused, or a number that comes from one."""
    for each in source["inputs"]:
        (kind, value), *_ = each["arg"].items()
        listed = value if isinstance(value, list) else [value]
        tensors = [item.get("as_tensor", item) for item in listed if isinstance(item, dict)]
        if "tensor" in kind and any(item.get("name", "") not in building.nodes for item in tensors if item):
            return True
        if "sym" in kind and any("as_name" in item for item in tensors):
            return True
    return False


def refuse_call(building: Building, source: Mapping[str, Any], wanted: str, do: str) -> None:
    name = source.get("name")
    node = building.graph.create_node(
        "call_function", operator.getitem, (None, 0), name=name if isinstance(name, str) else None
    )
    node.meta.update(meta_of(source.get("metadata") or {}))
    target = str(source["target"])[:80].removeprefix("torch.ops.")
    building.problems.append(Problem(layer_of(node), wanted, target + line_of(node), do))


def arranged(op: Any, named: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """By position as long as no argument is left out."""
    if op is operator.getitem:
        return tuple(named.values()), {}
    args: list[Any] = []
    rest = dict(named)
    for each in op._schema.arguments:
        if each.kwarg_only or each.name not in rest:
            break
        args.append(rest.pop(each.name))
    return tuple(args), rest


def name_outputs(building: Building, node: fx.Node, outputs: Any) -> None:
    """One tensor, or several behind getitem; shapes are as the file says, until torch traces it anew."""
    if len(outputs) == 1 and "as_tensor" in outputs[0]:
        name = outputs[0]["as_tensor"]["name"]
        node.meta["val"] = fake_tensor(building, name)
        define(building, name, node)
        return
    listed = outputs[0]["as_tensors"] if len(outputs) == 1 and "as_tensors" in outputs[0] else outputs
    names = [each.get("as_tensor", each).get("name") for each in listed]
    node.meta["val"] = tuple(None if each is None else fake_tensor(building, each) for each in names)
    for index, name in enumerate(names):
        if name is not None:
            item = building.graph.call_function(operator.getitem, (node, index))
            item.meta.update({key: value for key, value in node.meta.items() if key in PLACE})
            item.meta["val"] = node.meta["val"][index]
            define(building, name, item)


def fake_tensor(building: Building, name: str) -> torch.Tensor:
    meta = building.values[name]
    sizes, strides = numbers(meta["sizes"]), numbers(meta["strides"])
    with building.mode:
        return torch.empty_strided(sizes, strides, dtype=DTYPES[meta["dtype"]])


def depends_on_data(building: Building, source: Mapping[str, Any]) -> bool:
    """Whether a result has an extent that is known only when the net runs."""
    tensors = [each["as_tensor"]["name"] for each in source["outputs"] if "as_tensor" in each]
    return any("as_int" not in size for name in tensors for size in building.values[name]["sizes"])


def argument(building: Building, source: Mapping[str, Any]) -> Any:
    (kind, value), *_ = source.items()
    if kind not in ARGUMENTS:
        raise damaged(f"an argument {kind}")
    return ARGUMENTS[kind](building, value)


def tensor(building: Building, value: Any) -> fx.Node:
    return building.nodes[value["name"]]


def tensors(building: Building, value: Any) -> list[fx.Node]:
    return [tensor(building, each) for each in value]


def optional_tensor(building: Building, value: Any) -> fx.Node | None:
    return tensor(building, value["as_tensor"]) if "as_tensor" in value else None


def of_type(*kinds: type) -> Callable[[Building, Any], Any]:
    """A plain value, or a list of them."""

    def read(building: Building, value: Any) -> Any:
        listed = value if isinstance(value, list) else [value]
        if any(type(each) not in kinds for each in listed):
            raise TypeError(f"{value!r}"[:80])
        return value

    return read


ARGUMENTS: Mapping[str, Callable[[Building, Any], Any]] = {
    "as_none": lambda building, value: None,
    "as_tensor": tensor,
    "as_tensors": tensors,
    "as_optional_tensor": optional_tensor,
    "as_optional_tensors": lambda building, value: [optional_tensor(building, each) for each in value],
    "as_int": of_type(int),
    "as_ints": of_type(int),
    "as_float": lambda building, value: float(value),
    "as_floats": lambda building, value: [float(each) for each in value],
    "as_bool": of_type(bool),
    "as_bools": of_type(bool),
    "as_complex": lambda building, value: complex(float(value["real"]), float(value["imag"])),
    "as_string": of_type(str),
    "as_scalar_type": lambda building, value: DTYPES[value],
    "as_memory_format": lambda building, value: MEMORY_FORMATS[value],
    "as_layout": lambda building, value: torch.strided,
    "as_device": lambda building, value: torch.device("cpu"),
    "as_sym_int": lambda building, value: of_type(int)(building, value["as_int"]),
    "as_sym_ints": lambda building, value: [of_type(int)(building, each["as_int"]) for each in value],
}


def meta_of(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Where the call comes from, for errors: "key,path,type;key,path,type" is the stack of modules."""
    result: dict[str, Any] = {}
    if isinstance(metadata.get("stack_trace"), str):
        result["stack_trace"] = metadata["stack_trace"]
    stack = metadata.get("nn_module_stack")
    if isinstance(stack, str) and stack:
        rows = [each.split(",") for each in stack.split(";")]
        result["nn_module_stack"] = {row[0]: (",".join(row[1:-1]), row[-1]) for row in rows}
    return result


# outputs


def read_output(building: Building, spec: Mapping[str, Any]) -> tuple[OutputSpec, fx.Node | None]:
    (kind, content), *_ = spec.items()
    arg = content["arg"]
    if kind == "user_output" and "as_none" in arg:
        from torch.export.graph_signature import ConstantArgument

        return OutputSpec(OutputKind.USER_OUTPUT, ConstantArgument("", None), None), None
    if kind == "user_output" and "as_tensor" not in arg:
        raise error(WHOLE_MODEL, "tensors as outputs", ", ".join(arg) or "none", "return tensors alone")
    if kind not in ("user_output", "buffer_mutation"):
        raise error(
            WHOLE_MODEL,
            "a forward that changes no tensor in place",
            kind,
            "return the new value as an output, and pass it as an input of the next call",
        )
    name = arg["as_tensor"]["name"] if kind == "user_output" else arg["name"]
    node = building.nodes[name]
    ours = OutputKind.USER_OUTPUT if kind == "user_output" else OutputKind.BUFFER_MUTATION
    return OutputSpec(ours, TensorArgument(node.name), content.get("buffer_name")), node
