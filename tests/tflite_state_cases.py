"""Models with state and control flow, by name: variables, recurrent ops, subgraphs that are called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from tflite_cases import Case, model
from tflite_writer import Op, Subgraph, Tensor, constant, int8, write, write_subgraphs

RANDOM = np.random.default_rng(4)


def weight(name: str, *shape: int, dtype: str = "float32") -> Tensor:
    values = RANDOM.normal(size=shape) / 2
    if dtype == "int8":
        return constant(name, np.clip(np.rint(values * 64), -127, 127).astype(np.int8), (1 / 64,))
    return constant(name, values.astype(dtype))


def state(name: str, *shape: int) -> Tensor:
    return Tensor(name, shape, is_variable=True)


def optional_model(
    name: str, op: str, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor], kind: str, **options: Any
) -> Case:
    tensors = [*(each for each in inputs if each is not None), *outputs]
    names = ["" if each is None else each.name for each in inputs]
    return name, write(
        tensors,
        [Op(op, names, [each.name for each in outputs], kind, options)],
        [each.name for each in outputs],
    )


GATES = "ifco"


def lstm_weights(prefix: str, inputs: int, cells: int, outputs: int, parts: str) -> list[Tensor | None]:
    """parts: c: no input gate; p: peepholes; j: projection."""
    gates = ["" if "c" in parts and gate == "i" else gate for gate in GATES]
    found: list[Tensor | None] = [weight(f"{prefix}w{g}", cells, inputs) if g else None for g in gates]
    found += [weight(f"{prefix}r{g}", cells, outputs) if g else None for g in gates]
    found += [weight(f"{prefix}p{g}", cells) if g and "p" in parts else None for g in (gates[0], "f", "o")]
    found += [weight(f"{prefix}b{g}", cells) if g else None for g in gates]
    found += (
        [weight(f"{prefix}j", outputs, cells), weight(f"{prefix}jb", outputs)]
        if "j" in parts
        else [None, None]
    )
    return found


def recurrent() -> Iterator[Case]:
    batch, steps, inputs, cells = 2, 3, 4, 5
    for parts in ("", "c", "p", "j", "cpj", "n"):
        for major in (False, True):
            outputs = 3 if "j" in parts else cells
            x = Tensor("x", (steps, batch, inputs) if major else (batch, steps, inputs))
            y = Tensor("y", (steps, batch, outputs) if major else (batch, steps, outputs))
            states: list[Tensor | None] = [state("h", batch, outputs), state("c", batch, cells)]
            norms: list[Tensor | None] = [weight(f"n{g}", cells) for g in GATES] if "n" in parts else []
            options = {"FusedActivationFunction": 4, "TimeMajor": major, "CellClip": 0.5 if major else 0.0}
            tensors = [x, *lstm_weights("", inputs, cells, outputs, parts), *states, *norms]
            op = "UNIDIRECTIONAL_SEQUENCE_LSTM"
            yield optional_model(
                f"{op} {parts} {major}", op, tensors, [y], "UnidirectionalSequenceLSTM", **options
            )
    x = Tensor("x", (batch, inputs))
    tensors = [
        x,
        *lstm_weights("", inputs, cells, cells, ""),
        state("h", batch, cells),
        state("c", batch, cells),
    ]
    yield optional_model(
        "LSTM", "LSTM", tensors, [Tensor("y", (batch, cells))], "LSTM", FusedActivationFunction=4
    )
    for merges in (True, False):
        batch = 1  # LiteRT's merged outputs of several are wrong
        x = Tensor("x", (batch, steps, inputs))
        states = [state(name, batch, cells) for name in ("fh", "fc", "bh", "bc")]
        tensors = [
            x,
            *lstm_weights("f", inputs, cells, cells, ""),
            *lstm_weights("b", inputs, cells, cells, ""),
            *states,
            *[None] * 9,
        ]
        results = (
            [Tensor("y", (batch, steps, 2 * cells))]
            if merges
            else [Tensor(n, (batch, steps, cells)) for n in "yz"]
        )
        op = "BIDIRECTIONAL_SEQUENCE_LSTM"
        yield optional_model(
            f"{op} {merges}",
            op,
            tensors,
            results,
            "BidirectionalSequenceLSTM",
            TimeMajor=False,
            MergeOutputs=merges,
            FusedActivationFunction=4,
        )
        parts = [
            [
                weight(f"{d}w", cells, inputs),
                weight(f"{d}r", cells, cells),
                weight(f"{d}b", cells),
                state(f"{d}h", batch, cells),
            ]
            for d in "fb"
        ]
        op = "BIDIRECTIONAL_SEQUENCE_RNN"
        yield optional_model(
            f"{op} {merges}",
            op,
            [x, *parts[0], *parts[1], None, None, None],
            results,
            "BidirectionalSequenceRNN",
            MergeOutputs=merges,
            FusedActivationFunction=4,
        )
    for activation in (1, 4):
        parts = [
            weight("w", cells, inputs),
            weight("r", cells, cells),
            weight("b", cells),
            state("h", batch, cells),
        ]
        x, y = Tensor("x", (batch, steps, inputs)), Tensor("y", (batch, steps, cells))
        yield model(
            f"UNIDIRECTIONAL_SEQUENCE_RNN {activation}",
            "UNIDIRECTIONAL_SEQUENCE_RNN",
            [x, *parts],
            y,
            "SequenceRNN",
            FusedActivationFunction=activation,
        )
        x, y = Tensor("x", (batch, inputs)), Tensor("y", (batch, cells))
        yield model(f"RNN {activation}", "RNN", [x, *parts], y, "RNN", FusedActivationFunction=activation)


def svdf() -> Iterator[Case]:
    for rank, activation in ((1, 0), (2, 1)):
        units, memory = 3, 4
        filters = units * rank
        parts = [
            weight("f", filters, 5),
            weight("t", filters, memory),
            weight("b", units),
            state("s", 2, memory * filters),
        ]
        x, y = Tensor("x", (2, 5)), Tensor("y", (2, units))
        yield model(
            f"SVDF {rank}", "SVDF", [x, *parts], y, "SVDF", Rank=rank, FusedActivationFunction=activation
        )
        feature = constant("f", RANDOM.integers(-127, 128, (filters, 5)).astype(np.int8), (0.01,))
        time = constant("t", RANDOM.integers(-20000, 20000, (filters, memory)).astype(np.int16), (0.0001,))
        bias = constant("b", RANDOM.integers(-9000, 9000, units).astype(np.int32), (0.0000001,))
        kept = Tensor("s", (2, memory * filters), "int16", (0.001,), (0,), is_variable=True)
        x, y = int8("x", (2, 5), 0.1, 3), int8("y", (2, units), 0.2, -128)
        yield model(
            f"SVDF int8 {rank}",
            "SVDF",
            [x, feature, time, bias, kept],
            y,
            "SVDF",
            Rank=rank,
            FusedActivationFunction=1,
        )


def variables() -> Iterator[Case]:
    """A running sum that begins with a constant."""
    main = Subgraph(
        [Tensor("v", (), "resource"), *(Tensor(name, (2,)) for name in ("x", "old", "y", "again"))],
        [
            Op("CALL_ONCE", [], [], "CallOnce", {"InitSubgraphIndex": 1}),
            Op("VAR_HANDLE", [], ["v"], "VarHandle", {"SharedName": "sum"}),
            Op("READ_VARIABLE", ["v"], ["old"], "ReadVariable"),
            Op("ADD", ["old", "x"], ["y"], "Add"),
            Op("ASSIGN_VARIABLE", ["v", "y"], [], "AssignVariable"),
            Op("READ_VARIABLE", ["v"], ["again"], "ReadVariable"),
        ],
        ["again"],
    )  # fmt: skip
    first = Subgraph(
        [Tensor("v", (), "resource"), constant("start", np.float32([3, -2]))],
        [
            Op("VAR_HANDLE", [], ["v"], "VarHandle", {"SharedName": "sum"}),
            Op("ASSIGN_VARIABLE", ["v", "start"], [], "AssignVariable"),
        ],
        [],
        [],
    )
    yield "variable", write_subgraphs([main, first])


def control() -> Iterator[Case]:
    """A loop of three steps: x <- x + x while i < 3; a branch on a computed condition."""
    body_tensors = [
        Tensor("i", (), "int32"),
        Tensor("x", (2,)),
        constant("one", np.int32(1)),
        Tensor("j", (), "int32"),
        Tensor("z", (2,)),
    ]
    body = Subgraph(
        body_tensors,
        [Op("ADD", ["i", "one"], ["j"], "Add"), Op("ADD", ["x", "x"], ["z"], "Add")],
        ["j", "z"],
        ["i", "x"],
    )
    test = Subgraph(
        [
            *(Tensor("i", (), "int32"), Tensor("x", (2,)), Tensor("t", (1,), "bool")),
            constant("three", np.int32([3])),
        ],
        [Op("LESS", ["i", "three"], ["t"])], ["t"], ["i", "x"],
    )  # fmt: skip
    main = Subgraph(
        [Tensor("x", (2,)), constant("zero", np.int32(0)), Tensor("n", (), "int32"), Tensor("y", (2,))],
        [Op("WHILE", ["zero", "x"], ["n", "y"], "While", {"CondSubgraphIndex": 1, "BodySubgraphIndex": 2})],
        ["y"],
    )
    yield "WHILE", write_subgraphs([main, test, body])
    branches = [
        Subgraph([Tensor("x", (2,)), Tensor("y", (2,))], [Op(op, ["x"], ["y"])], ["y"], ["x"])
        for op in ("RELU", "NEG")
    ]
    main = Subgraph(
        [Tensor("c", (1,), "bool"), Tensor("x", (2,)), Tensor("y", (2,))],
        [Op("IF", ["c", "x"], ["y"], "If", {"ThenSubgraphIndex": 1, "ElseSubgraphIndex": 2})],
        ["y"],
    )
    yield "IF", write_subgraphs([main, *branches])


def sorting() -> Iterator[Case]:
    for dtype in ("float32", "int32"):
        tensors = [
            Tensor("x", (3, 9), dtype),
            constant("k", np.int32(4)),
            Tensor("y", (3, 4), dtype),
            Tensor("z", (3, 4), "int32"),
        ]
        yield (
            f"TOPK_V2 {dtype}",
            write(tensors, [Op("TOPK_V2", ["x", "k"], ["y", "z"], "TopKV2")], ["y", "z"]),
        )


def cases() -> dict[str, bytes]:
    found = [case for family in (recurrent, svdf, variables, control, sorting) for case in family()]
    assert len(dict(found)) == len(found)
    return dict(found)
