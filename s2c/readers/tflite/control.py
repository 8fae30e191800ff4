"""The .tflite ops that call subgraphs or keep variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tflite

from s2c.errors import CompileError, error
from s2c.ir import Node
from s2c.ops import make
from s2c.readers.tflite.memory import Handle, Memory
from s2c.readers.tflite.schema import Operator, guarded
from s2c.readers.tflite.scope import Control, Scope, Value, variable_type


def option(scope: Scope, operator: Operator, kind: str, name: str) -> Any:
    if operator.options is None or operator.options_name != kind:
        raise error(scope.name(operator), f"{kind} for {operator.op}", "none", "export the model again")
    with guarded():
        options = getattr(tflite, kind)()
        options.Init(operator.options.Bytes, operator.options.Pos)
        return getattr(options, name)()


def arguments(scope: Scope, operator: Operator) -> tuple[Value, ...]:
    return tuple(scope.value(index, scope.name(operator)) for index in operator.inputs)


def handle_of(scope: Scope, operator: Operator) -> Handle:
    found = arguments(scope, operator)[:1]
    if not found or not isinstance(found[0], Handle):
        raise error(scope.name(operator), f"a variable for {operator.op}", "none", "make it by a VAR_HANDLE")
    return found[0]


def tensor_of(scope: Scope, operator: Operator, place: int) -> Node | None:
    """An input that is no variable; None behind a problem."""
    if place >= len(operator.inputs):
        raise error(scope.name(operator), f"input {place} of {operator.op}", "none", "export the model again")
    return scope.node(operator.inputs[place], scope.name(operator))


def var_handle(scope: Scope, operator: Operator) -> Sequence[Value]:
    parts = [option(scope, operator, "VarHandleOptions", name) for name in ("Container", "SharedName")]
    return (Handle("/".join(part.decode(errors="replace") for part in parts if part) or "variable"),)


def read_variable(scope: Scope, operator: Operator) -> Sequence[Value]:
    if len(operator.outputs) != 1 or operator.outputs[0] < 0:
        raise error("model", "one output of READ_VARIABLE", f"{len(operator.outputs)}", "export it again")
    tensor = scope.graph.tensors[operator.outputs[0]]
    return (scope.model.memory.read(handle_of(scope, operator), variable_type(tensor), tensor.name),)


def assign_variable(scope: Scope, operator: Operator) -> Sequence[Value]:
    handle, value = handle_of(scope, operator), tensor_of(scope, operator, 1)
    if value is not None:
        scope.model.memory.assign(handle, value)
    return ()


def call_once(scope: Scope, operator: Operator) -> Sequence[Value]:
    """What the subgraph assigns is what its variables hold before the first call."""
    index = option(scope, operator, "CallOnceOptions", "InitSubgraphIndex")
    model = scope.model
    before, model.memory = model.memory, Memory()
    try:
        scope.inner(index, "model").call((), "model")
        before.set_first(model.memory)
    finally:
        model.memory = before
    return ()


def if_(scope: Scope, operator: Operator) -> Sequence[Value] | None:
    """The branch that a constant condition picks; else both, and a choice between their results."""
    name = scope.name(operator)
    branches = [option(scope, operator, "IfOptions", f"{each}SubgraphIndex") for each in ("Then", "Else")]
    condition, rest = tensor_of(scope, operator, 0), arguments(scope, operator)[1:]
    if condition is None:
        return None
    if condition.op == "constant":
        chosen = branches[0 if condition.attrs["value"].all() else 1]
        return scope.inner(chosen, name).call(rest, name)
    before = dict(scope.model.memory.values)
    results = [scope.inner(index, name).call(rest, name) for index in branches]
    after = scope.model.memory.values
    if any(after[handle] is not value for handle, value in before.items()):
        raise error(name, "no variable that only one branch assigns", "one", "assign it behind the IF")
    if len(results[0]) != len(results[1]):
        found = f"{len(results[0])} and {len(results[1])}"
        raise error(name, "branches with as many outputs", found, "export the model again")
    return tuple(choice(name, condition, a, b) for a, b in zip(*results, strict=True))


def choice(name: str, condition: Node, a: Value, b: Value) -> Value:
    if a is None or b is None:
        return None
    if isinstance(a, Handle) or isinstance(b, Handle):
        raise error(name, "branches that give tensors", "a variable", "read it in the branches")
    if a.type != b.type:
        raise error(name, "branches of one type", f"{a.type} and {b.type}", "make both alike")
    return make("where", (condition, a, b), name, a.type.quant)


def while_(scope: Scope, operator: Operator) -> Sequence[Value] | None:
    """Unrolled: the condition has to depend on constants alone."""
    name = scope.name(operator)
    test, body = (
        option(scope, operator, "WhileOptions", f"{each}SubgraphIndex") for each in ("Cond", "Body")
    )
    values: Sequence[Value] = arguments(scope, operator)
    while None not in values:
        found = scope.inner(test, name).call(values, name)
        if len(found) != 1:
            raise error(name, "one condition of WHILE", f"{len(found)}", "export the model again")
        condition = found[0]
        if condition is None:
            return None
        if isinstance(condition, Handle) or condition.op != "constant":
            raise not_fixed(name)
        if not condition.attrs["value"].all():
            return values
        values = scope.inner(body, name).call(values, name)
    return None


def not_fixed(name: str) -> CompileError:
    return error(
        name,
        "a loop whose number of steps is known",
        "a condition that depends on an input",
        "bind that input with --const, or export the loop unrolled",
    )


CONTROL: Mapping[str, Control] = {
    "ASSIGN_VARIABLE": assign_variable,
    "CALL_ONCE": call_once,
    "IF": if_,
    "READ_VARIABLE": read_variable,
    "VAR_HANDLE": var_handle,
    "WHILE": while_,
}
