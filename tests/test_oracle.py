"""The oracle reads and writes no subnormal floats."""

from __future__ import annotations

import numpy as np
import pytest

from s2c import oracle
from s2c.ir import Graph, Node, Type

SUBNORMAL = np.array([1e-40, -1e-40], np.float32)


def unary(function: str) -> Graph:
    kind = Type((2,), "f32")
    x = Node("input", (), {}, kind, "x")
    return Graph((x,), (Node("unary", (x,), {"function": function}, kind, "y"),))


@pytest.mark.parametrize(
    ("function", "array", "wanted"),
    [
        ("reciprocal", SUBNORMAL, [np.inf, -np.inf]),
        ("reciprocal", np.array([3e38, -3e38], np.float32), [0.0, -0.0]),
        ("sqrt", SUBNORMAL, [0.0, -0.0]),
        ("exp", np.array([-90.0, -87.0], np.float32), [0.0, np.exp(np.float32(-87.0))]),
    ],
)
def test_subnormals_are_zero(function: str, array: np.ndarray, wanted: list[float]) -> None:
    with np.errstate(all="ignore"):
        found = oracle.run(unary(function), array)[0]
    np.testing.assert_allclose(found, np.array(wanted, np.float32), rtol=1e-6)
    assert np.array_equal(np.signbit(found), np.signbit(wanted))


def test_normal_floats_and_integers_stay() -> None:
    normal = np.array([np.finfo(np.float32).smallest_normal, -0.0, np.nan, -np.inf], np.float32)
    assert oracle.flush(normal).tobytes() == normal.tobytes()
    integers = np.array([1, -1], np.int32)
    assert oracle.flush(integers) is integers
