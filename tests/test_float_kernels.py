"""The float kernels against the float64 functions that they approximate, and what they cost on other data."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2c.ir import Node, Quant, Type, input_node
from s2c.ops import OPS
from s2c.ops.core import ROUNDINGS, quantize
from s2c.ops.functions import FUNCTIONS
from s2c.resources import folder
from s2c.target import Process, Target, build, list_targets

pytestmark = pytest.mark.build

KERNELS = folder("kernels") / "c"
EMULATED = [target for target in list_targets() if target.emulated]
SMALLEST = np.finfo(np.float32).tiny

# Relative error that each kernel may have, a little above what its comment states.
RELATIVE = {
    "abs": 0.0,
    "elu": 1e-7,
    "erf": 2e-7,
    "exp": 1e-7,
    "gelu": 6e-7,
    "gelu_tanh": 2e-6,
    "hard_swish": 2e-7,
    "log": 1e-7,
    "reciprocal": 2e-7,
    "sigmoid": 3e-7,
    "silu": 3e-7,
    "softplus": 2e-7,
    "sqrt": 2e-7,
    "tanh": 3e-7,
}
# Absolute error that may pass too: where the float64 formula cancels, and where exp is no normal float.
ABSOLUTE = {"gelu": 1e-14, "gelu_tanh": 2e-12, "silu": 2e-36}
LARGEST = np.finfo(np.float32).max
MAGNITUDES = np.array([0.0, 1.0, SMALLEST, LARGEST, np.inf, np.nan], np.float32)
SPECIAL = np.concatenate([MAGNITUDES, -MAGNITUDES])
CONVERSIONS = sorted(ROUNDINGS)
CFLAGS = (
    *("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wdouble-promotion"),
    *("-Wcast-qual", "-Werror", "-ffp-contract=off", "-fno-builtin", f"-I{KERNELS}"),
)
CALLS = {
    **{
        f"{name}_f32": ("float *output, const float *input, int32_t size", "output, input, size")
        for name in RELATIVE
    },
    **{
        f"{name}_f32_i8": (
            "int8_t *output, const float *input, int32_t size, float scale, int32_t zero",
            "output, input, size, scale, zero",
        )
        for name in CONVERSIONS
    },
    "softmax_f32": (
        "float *output, const float *input, int32_t rows, int32_t size, float beta",
        "output, input, rows, size, beta",
    ),
}


def write_library(path: Path) -> None:
    lines = [f'#include "{name}.c"' for name in CALLS]
    for name, (parameters, arguments) in CALLS.items():
        lines.append(f"void call_{name}({parameters});")
        lines.append(f"void call_{name}({parameters}) {{ {name}({arguments}); }}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    source = tmp_path_factory.mktemp("float_kernels") / "kernels.c"
    write_library(source)
    built = source.with_suffix(".so")
    compiler = (sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O3", "-march=native", "-g0")
    subprocess.run([*compiler, *CFLAGS, str(source), "-o", str(built)], check=True)
    return ctypes.CDLL(str(built))


def call(library: ctypes.CDLL, name: str, output: np.ndarray, x: np.ndarray, *rest: Any) -> np.ndarray:
    function: Any = library[f"call_{name}"]
    function(ctypes.c_void_p(output.ctypes.data), ctypes.c_void_p(x.ctypes.data), *rest)
    return output


def sample() -> np.ndarray:
    """Special values, every 30011th float32, and many near 0, 1 and the ends of exp; no subnormals."""
    spread = np.arange(0, 1 << 32, 30011, dtype=np.uint64).astype(np.uint32).view(np.float32)
    random = np.random.default_rng(1)
    near = [random.normal(0, width, 20000) for width in (1e-3, 1.0, 10.0, 50.0)] + [
        1 + random.normal(0, 1e-4, 20000)
    ]
    x = np.concatenate([SPECIAL, spread, *(each.astype(np.float32) for each in near)])
    return np.asarray(x[~((x != 0) & (np.abs(x) < SMALLEST))])


def test_each_function_has_a_kernel() -> None:
    assert sorted(RELATIVE) == sorted(FUNCTIONS)
    missing = [name for name in CALLS if not (KERNELS / f"{name}.c").is_file()]
    assert missing == []


@pytest.mark.parametrize("name", sorted(RELATIVE))
def test_function(library: ctypes.CDLL, name: str) -> None:
    x = sample()
    with np.errstate(all="ignore"):
        wanted = np.asarray(FUNCTIONS[name](x.astype(np.float64)))
        rounded = wanted.astype(np.float32)
    y = call(library, f"{name}_f32", np.empty_like(x), x, x.size)
    in_place = x.copy()
    assert call(library, f"{name}_f32", in_place, in_place, x.size).tobytes() == y.tobytes()
    np.testing.assert_array_equal(np.isnan(y), np.isnan(wanted))
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(y[~finite], rounded[~finite])
    allowed = RELATIVE[name] * np.abs(wanted[finite]) + max(ABSOLUTE.get(name, 0.0), float(SMALLEST))
    error = np.abs(y[finite] - wanted[finite])
    worst = np.argmax(error / allowed)
    assert error[worst] <= allowed[worst], (x[finite][worst], y[finite][worst], wanted[finite][worst])


@pytest.mark.parametrize("name", ["tanh", "erf", "sigmoid"])
def test_saturation_is_exact(library: ctypes.CDLL, name: str) -> None:
    x = np.array([-np.inf, -200.0, 200.0, np.inf], np.float32)
    y = call(library, f"{name}_f32", np.empty_like(x), x, x.size)
    low = 0.0 if name == "sigmoid" else -1.0
    assert y.tolist() == [low, low, 1.0, 1.0]


def near_ties(scale: np.float32) -> np.ndarray:
    """The nine floats around each (n + 1/2) * scale, and some anywhere."""
    ties = ((np.arange(-260, 260) + 0.5) * float(scale)).astype(np.float32)
    around = ties.view(np.int32)[:, None] + np.arange(-4, 5, dtype=np.int32)
    anywhere = np.random.default_rng(2).normal(0, 80, 200).astype(np.float32) * scale
    return np.concatenate([around.reshape(-1).view(np.float32), anywhere, SPECIAL])


@pytest.mark.parametrize("function", CONVERSIONS)
def test_conversion_is_exact(library: ctypes.CDLL, function: str) -> None:
    random = np.random.default_rng(3)
    mantissas = np.concatenate([[1.0, 1.0 + 2.0**-23, 2.0 - 2.0**-23, 1.5], random.uniform(1, 2, 60)])
    for mantissa in mantissas:
        scale = np.float32(mantissa * 2.0 ** random.integers(-20, 10))
        zero = int(random.integers(-128, 128))
        x = near_ties(scale)
        y = np.empty(x.shape, np.int8)
        call(library, f"{function}_f32_i8", y, x, x.size, ctypes.c_float(float(scale)), zero)
        wanted = quantize(x, Type(x.shape, "i8", Quant((float(scale),), zero)), function)
        np.testing.assert_array_equal(y, wanted, err_msg=f"scale {scale!r}, zero {zero}")


def softmax_node(shape: tuple[int, int], beta: float) -> Node:
    return Node(
        "softmax", (input_node("x", Type(shape, "f32")),), {"beta": beta}, Type(shape, "f32"), "scores"
    )


@pytest.mark.parametrize(("rows", "size"), [(1, 1), (3, 2), (2, 7), (5, 8), (4, 12), (2, 33), (1, 1001)])
@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_softmax(library: ctypes.CDLL, rows: int, size: int, beta: float) -> None:
    random = np.random.default_rng(rows * size)
    for spread in (0.1, 3.0, 30.0):
        x = random.normal(0, spread, (rows, size)).astype(np.float32)
        wanted = OPS["softmax"].eval(softmax_node(x.shape, beta), x)
        y = call(library, "softmax_f32", np.empty_like(x), x, rows, size, ctypes.c_float(beta))
        exponent = np.log(np.maximum(wanted, SMALLEST))  # it is rounded to float too
        allowed = np.minimum(2e-7, (4e-7 - 1.8e-7 * exponent) * wanted) + SMALLEST
        error = np.abs(y.astype(np.float64) - wanted)
        assert np.all(error <= allowed), (error / allowed).max()
        assert call(library, "softmax_f32", x, x, rows, size, ctypes.c_float(beta)).tobytes() == y.tobytes()


def test_softmax_of_special_values(library: ctypes.CDLL) -> None:
    x = np.array(
        [[1, np.nan, 2], [1, np.inf, 2], [-np.inf] * 3, [0, -np.inf, 0], [3e38, -3e38, 0]], np.float32
    )
    wanted = OPS["softmax"].eval(softmax_node(x.shape, 1.0), x)
    y = call(library, "softmax_f32", np.empty_like(x), x, *x.shape, ctypes.c_float(1.0))
    np.testing.assert_array_equal(y, wanted)


SIZE = 21
OUTPUT_BYTES = 4 * SIZE * len(CALLS)
NET_HEADER = f"""\
void net_run(void *arena);
#define S2C_RUN net_run
#define S2C_ARENA_BYTES {4 * SIZE + OUTPUT_BYTES}
#define S2C_INPUTS {{{{0u, {4 * SIZE}u}}}}
#define S2C_OUTPUTS {{{{{4 * SIZE}u, {OUTPUT_BYTES}u}}}}
"""


def literal_arguments(name: str) -> str:
    if name == "softmax_f32":
        return f"3, {SIZE // 3}, 1.0f"
    return f"{SIZE}, 0.047f, 3" if name.endswith("_i8") else f"{SIZE}"


def write_net(place: Path) -> None:
    """All kernels on one input, each with literal parameters as in an emitted net."""
    lines = [f'#include "{KERNELS / name}.c"' for name in CALLS]
    lines += ['#include "net.h"', "void net_run(void *arena)", "{"]
    lines += ["float *input = arena;"]
    for index, name in enumerate(CALLS):
        cast = "(int8_t *)" if name.endswith("_i8") else ""
        lines.append(f"{name}({cast}(input + {SIZE * (1 + index)}), input, {literal_arguments(name)});")
    (place / "net.c").write_text("\n".join([*lines, "}"]) + "\n")
    (place / "net.h").write_text(NET_HEADER)


def adversaries() -> list[np.ndarray]:
    random = np.random.default_rng(4)
    return [
        *(np.full(SIZE, value, np.float32) for value in [*SPECIAL, 100.0, -100.0, 1e-40, -1e-40]),
        *(random.integers(0, 1 << 32, SIZE, np.uint32).view(np.float32) for _ in range(20)),
        *(random.normal(0, 5, SIZE).astype(np.float32) for _ in range(20)),
    ]


@pytest.mark.parametrize("target", EMULATED, ids=lambda target: target.name)
def test_no_data_changes_the_instruction_count(target: Target, tmp_path: Path) -> None:
    write_net(tmp_path)
    image = build(target, tmp_path, "net", tmp_path)
    assert image.warnings == ""
    with Process.start(target, image) as process:
        counts = {process.run(x.tobytes(), OUTPUT_BYTES)[1]["instructions"] for x in adversaries()}
    assert len(counts) == 1, sorted(counts)
