"""The float kernels against the float64 functions that they approximate, and what they cost on other data."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2c.build import build
from s2c.ir import Node, Quant, Type, input_node
from s2c.ops import OPS
from s2c.ops.core import ROUNDINGS, quantize
from s2c.ops.functions import FUNCTIONS
from s2c.ops.zips import ZIPS
from s2c.process import Process
from s2c.resources import folder
from s2c.target import Target, list_targets

pytestmark = pytest.mark.build

KERNELS = folder("kernels") / "c"
EMULATED = [target for target in list_targets() if target.emulated]
SMALLEST = np.finfo(np.float32).tiny

# Relative error that each kernel may have, a little above what its comment states.
RELATIVE = {
    "abs": 0.0,
    "acos": 2e-7,
    "acosh": 2e-7,
    "asin": 3e-7,
    "asinh": 2e-7,
    "atan": 2e-7,
    "atanh": 2e-7,
    "ceil": 0.0,
    "cos": 2e-7,
    "cosh": 2e-7,
    "elu": 1e-7,
    "erf": 2e-7,
    "erfc": 4e-7,
    "exp": 1e-7,
    "exp2": 1e-7,
    "expm1": 2e-7,
    "floor": 0.0,
    "gelu": 6e-7,
    "gelu_tanh": 2e-6,
    "hard_swish": 2e-7,
    "log": 1e-7,
    "log1p": 1e-7,
    "log2": 2e-7,
    "mish": 3e-7,
    "reciprocal": 2e-7,
    "round": 0.0,
    "rsqrt": 2e-7,
    "sigmoid": 3e-7,
    "sign": 0.0,
    "silu": 3e-7,
    "sin": 2e-7,
    "sinh": 2e-7,
    "softplus": 2e-7,
    "softsign": 2e-7,
    "sqrt": 2e-7,
    "tan": 3e-7,
    "tanh": 3e-7,
    "trunc": 0.0,
}
RELATIVE_OF_PAIRS = {"atan2": 2e-7, "fmod": 0.0, "maximum": 0.0, "minimum": 0.0, "pow": 2e-7}
COMPARISONS = ("equal", "less", "less_equal")
# Absolute error that may pass too: where the float64 formula cancels, and where exp is no normal float.
ABSOLUTE = {"gelu": 1e-14, "gelu_tanh": 2e-12, "mish": 2e-36, "silu": 2e-36}
# Functions that keep the sign of zero.
ODD = (
    *("asin", "asinh", "atan", "atanh", "ceil", "erf", "expm1", "floor", "log1p", "round", "sin", "sinh"),
    *("softsign", "sqrt", "tan", "tanh", "trunc"),
)
LARGEST = np.finfo(np.float32).max
MAGNITUDES = np.array([0.0, 1.0, SMALLEST, LARGEST, np.inf, np.nan], np.float32)
SPECIAL = np.concatenate([MAGNITUDES, -MAGNITUDES])
CONVERSIONS = (*(f"{name}_f32_i8" for name in sorted(ROUNDINGS)), "quantize_f32_i8.vector")
CFLAGS = (
    *("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wdouble-promotion"),
    *("-Wcast-qual", "-Werror", "-ffp-contract=off", "-fno-builtin", f"-I{KERNELS}"),
)
# Functions that have a kernel of vectors too.
ON_VECTORS = sorted(name for name in RELATIVE if (KERNELS / f"{name}_f32.vector.c").is_file())
MAPS = sorted([*(f"{name}_f32" for name in RELATIVE), *(f"{name}_f32.vector" for name in ON_VECTORS)])
SOFTMAXES = ("softmax_f32", "softmax_f32.vector")
PAIR_PARAMETERS = "const float *a, const float *b, int32_t outer, int32_t middle, int32_t inner"
PAIR_ARGUMENTS = "output, a, b, outer, middle, inner"
CALLS = {
    **dict.fromkeys(MAPS, ("float *output, const float *input, int32_t size", "output, input, size")),
    **{f"{name}_f32": (f"float *output, {PAIR_PARAMETERS}", PAIR_ARGUMENTS) for name in RELATIVE_OF_PAIRS},
    **{f"{name}_f32_bool": (f"uint8_t *output, {PAIR_PARAMETERS}", PAIR_ARGUMENTS) for name in COMPARISONS},
    **dict.fromkeys(
        CONVERSIONS,
        (
            "int8_t *output, const float *input, int32_t size, float scale, int32_t zero",
            "output, input, size, scale, zero",
        ),
    ),
    **dict.fromkeys(
        SOFTMAXES,
        (
            "float *output, const float *input, int32_t rows, int32_t size, float beta",
            "output, input, rows, size, beta",
        ),
    ),
}


def function(kernel: str) -> str:
    return kernel.replace(".", "_")


def write_library(path: Path) -> None:
    lines = [f'#include "{name}.c"' for name in CALLS]
    for name, (parameters, arguments) in CALLS.items():
        lines.append(f"void call_{function(name)}({parameters});")
        lines.append(f"void call_{function(name)}({parameters}) {{ {function(name)}({arguments}); }}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    source = tmp_path_factory.mktemp("float_kernels") / "kernels.c"
    write_library(source)
    built = source.with_suffix(".so")
    compiler = (sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O3", "-march=native", "-g0")
    subprocess.run([*compiler, *CFLAGS, str(source), "-o", str(built)], check=True)
    return ctypes.CDLL(str(built))


def call(library: ctypes.CDLL, name: str, output: np.ndarray, *arguments: Any) -> np.ndarray:
    called: Any = library[f"call_{function(name)}"]
    pointers = [
        ctypes.c_void_p(each.ctypes.data) if isinstance(each, np.ndarray) else each for each in arguments
    ]
    called(ctypes.c_void_p(output.ctypes.data), *pointers)
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
    of_floats = sorted(name for name, row in ZIPS.items() if "f32" in row.dtypes)
    assert sorted([*RELATIVE_OF_PAIRS, *COMPARISONS]) == of_floats
    missing = [name for name in CALLS if not (KERNELS / f"{name}.c").is_file()]
    assert missing == []


def compare(y: np.ndarray, wanted: np.ndarray, relative: float, absolute: float, *inputs: np.ndarray) -> None:
    """What is finite within the error allowed, all else to the bit."""
    with np.errstate(all="ignore"):
        rounded = wanted.astype(np.float32)
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(y[~finite], rounded[~finite])
    allowed = relative * np.abs(wanted[finite]) + absolute
    error = np.abs(y[finite] - wanted[finite])
    worst = np.argmax(error / allowed)
    case = [each[finite][worst] for each in (*inputs, y, wanted)]
    assert error[worst] <= allowed[worst], case


def name_of(kernel: str) -> str:
    return kernel.split("_f32")[0]


@pytest.mark.parametrize("kernel", MAPS)
def test_function(library: ctypes.CDLL, kernel: str) -> None:
    x, name = sample(), name_of(kernel)
    with np.errstate(all="ignore"):
        wanted = np.asarray(FUNCTIONS[name](x.astype(np.float64)))
    y = call(library, kernel, np.empty_like(x), x, x.size)
    in_place = x.copy()
    assert call(library, kernel, in_place, in_place, x.size).tobytes() == y.tobytes()
    compare(y, wanted, RELATIVE[name], max(ABSOLUTE.get(name, 0.0), float(SMALLEST)), x)


@pytest.mark.parametrize("kernel", [each for each in MAPS if name_of(each) in ("tanh", "erf", "sigmoid")])
def test_saturation_is_exact(library: ctypes.CDLL, kernel: str) -> None:
    x = np.array([-np.inf, -200.0, 200.0, np.inf], np.float32)
    y = call(library, kernel, np.empty_like(x), x, x.size)
    low = 0.0 if name_of(kernel) == "sigmoid" else -1.0
    assert y.tolist() == [low, low, 1.0, 1.0]


@pytest.mark.parametrize("kernel", [each for each in MAPS if name_of(each) in ODD])
def test_zero_keeps_its_sign(library: ctypes.CDLL, kernel: str) -> None:
    x = np.array([0.0, -0.0], np.float32)
    y = call(library, kernel, np.empty_like(x), x, x.size)
    assert y.tobytes() == x.tobytes()


@pytest.mark.parametrize("name", ON_VECTORS)
def test_a_value_does_not_depend_on_its_lane(library: ctypes.CDLL, name: str) -> None:
    """Nor on how many stand beside it, and nothing behind them is written."""
    x = np.random.default_rng(8).normal(0, 3, 40).astype(np.float32)
    alone = [
        call(library, f"{name}_f32.vector", np.empty(1, np.float32), x[i : i + 1], 1)[0] for i in range(40)
    ]
    for size in range(1, 41):
        y = np.full(48, 77, np.float32)
        call(library, f"{name}_f32.vector", y, x, size)
        assert y[:size].tolist() == alone[:size] and (y[size:] == 77).all(), size


@pytest.mark.parametrize("name", ["cos", "sin", "tan"])
def test_angles_of_every_exponent(library: ctypes.CDLL, name: str) -> None:
    """Among them the float that is nearest to a multiple of pi/2."""
    random = np.random.default_rng(6)
    exponents = np.repeat(np.arange(1, 255, dtype=np.uint32) << 23, 400)
    anywhere = (exponents | random.integers(0, 1 << 23, exponents.size, np.uint32)).view(np.float32)
    multiples = (np.arange(1, 100000) * (np.pi / 2)).astype(np.float32)
    nearest = np.array([16367173.0 * 2.0**72], np.float32)
    x = np.concatenate([anywhere, multiples, nearest, -nearest])
    y = call(library, f"{name}_f32", np.empty_like(x), x, x.size)
    compare(y, FUNCTIONS[name](x.astype(np.float64)), RELATIVE[name], float(SMALLEST), x)


def near_any(random: np.random.Generator, a: np.ndarray) -> np.ndarray:
    """Floats whose exponents differ from those of a by less than 8."""
    return np.asarray((a.view(np.uint32) ^ random.integers(0, 1 << 26, a.size, np.uint32)).view(np.float32))


def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Special values with each other and with numbers, any floats, near ones, powers; no subnormals."""
    random = np.random.default_rng(5)
    numbers = np.array([0.5, 1, 2, 3, 5.5, 2.0**24 + 2, 2.0**31, 1e-20], np.float32)
    each = np.concatenate([SPECIAL, numbers, -numbers])
    anything = random.integers(0, 1 << 32, (2, 30000), np.uint32).view(np.float32)
    magnitudes = np.abs(anything[0])
    halves = random.integers(-30, 31, (2, 30000)).astype(np.float32) / 2
    with np.errstate(all="ignore"):
        exponents = random.uniform(-155, 155, magnitudes.size) / np.log2(magnitudes, dtype=np.float64)
        a = np.concatenate([np.repeat(each, each.size), anything[0], anything[0], magnitudes, halves[0]])
        b = np.concatenate(
            [np.tile(each, each.size), anything[1], near_any(random, anything[0]), exponents, halves[1]]
        ).astype(np.float32)
    normal = [(x == 0) | ~(np.abs(x) < SMALLEST) for x in (a, b)]
    return a[normal[0] & normal[1]], b[normal[0] & normal[1]]


@pytest.mark.parametrize("name", sorted(RELATIVE_OF_PAIRS))
def test_function_of_pairs(library: ctypes.CDLL, name: str) -> None:
    a, b = pairs()
    with np.errstate(all="ignore"):
        wanted = ZIPS[name].meaning(a.astype(np.float64), b.astype(np.float64))
    y = call(library, f"{name}_f32", np.empty_like(a), a, b, 1, a.size, 1)
    in_place = a.copy()
    assert call(library, f"{name}_f32", in_place, in_place, b, 1, a.size, 1).tobytes() == y.tobytes()
    compare(y, wanted, RELATIVE_OF_PAIRS[name], float(SMALLEST), a, b)
    if name not in ("maximum", "minimum"):
        number = ~np.isnan(wanted)
        np.testing.assert_array_equal(np.signbit(y[number]), np.signbit(wanted[number]))


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparison(library: ctypes.CDLL, name: str) -> None:
    a, b = pairs()
    y = call(library, f"{name}_f32_bool", np.empty(a.shape, np.uint8), a, b, 1, a.size, 1)
    np.testing.assert_array_equal(y, ZIPS[name].meaning(a, b))


@pytest.mark.parametrize("name", ["atan2", "fmod", "pow"])
def test_subnormals_count_as_zeros(library: ctypes.CDLL, name: str) -> None:
    values = np.array([1e-40, 0.0, 2.0, np.inf, SMALLEST], np.float32)
    both = np.concatenate([values, -values])
    a, b = np.repeat(both, both.size), np.tile(both, both.size)
    zeros = [np.where(np.abs(x) < SMALLEST, np.copysign(np.float32(0), x), x) for x in (a, b)]
    y = call(library, f"{name}_f32", np.empty_like(a), a, b, 1, a.size, 1)
    np.testing.assert_array_equal(y, call(library, f"{name}_f32", np.empty_like(a), *zeros, 1, a.size, 1))


def test_b_is_indexed_by_the_middle_axis(library: ctypes.CDLL) -> None:
    random = np.random.default_rng(7)
    a = random.uniform(-9, 9, (2, 3, 5)).astype(np.float32)
    b = random.uniform(1, 4, 3).astype(np.float32)
    for name in RELATIVE_OF_PAIRS:
        y = call(library, f"{name}_f32", np.empty_like(a), a, b, 2, 3, 5)
        with np.errstate(invalid="ignore"):
            wanted = ZIPS[name].meaning(a.astype(np.float64), b.astype(np.float64)[:, None])
        np.testing.assert_allclose(y, wanted, 2e-7, 0)


def near_ties(scale: np.float32) -> np.ndarray:
    """The nine floats around each (n + 1/2) * scale, and some anywhere."""
    ties = ((np.arange(-260, 260) + 0.5) * float(scale)).astype(np.float32)
    around = ties.view(np.int32)[:, None] + np.arange(-4, 5, dtype=np.int32)
    anywhere = np.random.default_rng(2).normal(0, 80, 200).astype(np.float32) * scale
    return np.concatenate([around.reshape(-1).view(np.float32), anywhere, SPECIAL])


@pytest.mark.parametrize("kernel", CONVERSIONS)
def test_conversion_is_exact(library: ctypes.CDLL, kernel: str) -> None:
    random = np.random.default_rng(3)
    mantissas = np.concatenate([[1.0, 1.0 + 2.0**-23, 2.0 - 2.0**-23, 1.5], random.uniform(1, 2, 60)])
    for mantissa in mantissas:
        scale = np.float32(mantissa * 2.0 ** random.integers(-20, 10))
        zero = int(random.integers(-128, 128))
        x = near_ties(scale)
        y = np.empty(x.shape, np.int8)
        call(library, kernel, y, x, x.size, ctypes.c_float(float(scale)), zero)
        wanted = quantize(x, Type(x.shape, "i8", Quant((float(scale),), zero)), name_of(kernel))
        np.testing.assert_array_equal(y, wanted, err_msg=f"scale {scale!r}, zero {zero}")


def softmax_node(shape: tuple[int, int], beta: float) -> Node:
    return Node(
        "softmax", (input_node("x", Type(shape, "f32")),), {"beta": beta}, Type(shape, "f32"), "scores"
    )


@pytest.mark.parametrize(
    ("rows", "size"),
    [(1, 1), (3, 2), (2, 7), (5, 8), (4, 12), (3, 16), (2, 33), (9, 64), (1, 1001), (1, 4096)],
)
@pytest.mark.parametrize("beta", [1.0, 0.3])
@pytest.mark.parametrize("kernel", SOFTMAXES)
def test_softmax(library: ctypes.CDLL, kernel: str, rows: int, size: int, beta: float) -> None:
    random = np.random.default_rng(rows * size)
    for spread in (0.1, 3.0, 30.0):
        x = random.normal(0, spread, (rows, size)).astype(np.float32)
        wanted = OPS["softmax"].eval(softmax_node(x.shape, beta), x)
        y = call(library, kernel, np.empty_like(x), x, rows, size, ctypes.c_float(beta))
        exponent = np.log(np.maximum(wanted, SMALLEST))  # it is rounded to float too
        allowed = np.minimum(2e-7, (4e-7 - 1.8e-7 * exponent) * wanted) + SMALLEST
        error = np.abs(y.astype(np.float64) - wanted)
        assert np.all(error <= allowed), (error / allowed).max()
        assert call(library, kernel, x, x, rows, size, ctypes.c_float(beta)).tobytes() == y.tobytes()


@pytest.mark.parametrize("kernel", SOFTMAXES)
def test_softmax_of_special_values(library: ctypes.CDLL, kernel: str) -> None:
    x = np.array(
        [[1, np.nan, 2], [1, np.inf, 2], [-np.inf] * 3, [0, -np.inf, 0], [3e38, -3e38, 0]], np.float32
    )
    wanted = OPS["softmax"].eval(softmax_node(x.shape, 1.0), x)
    y = call(library, kernel, np.empty_like(x), x, *x.shape, ctypes.c_float(1.0))
    np.testing.assert_array_equal(y, wanted)


SIZE = 21
PORTABLE = [name for name in CALLS if "." not in name]
OUTPUT_BYTES = 4 * SIZE * len(PORTABLE)
NET_HEADER = f"""\
void net_run(void *arena);
#define S2C_RUN net_run
#define S2C_ARENA_BYTES {4 * SIZE + OUTPUT_BYTES}
#define S2C_ARENA_ALIGNMENT 16
#define S2C_INPUTS {{{{0u, {4 * SIZE}u}}}}
#define S2C_OUTPUTS {{{{{4 * SIZE}u, {OUTPUT_BYTES}u}}}}
"""


def literal_arguments(name: str) -> str:
    if name == "softmax_f32":
        return f"3, {SIZE // 3}, 1.0f"
    if CALLS[name][1] == PAIR_ARGUMENTS:
        return f"input + 5, 1, {SIZE // 3}, 3"
    return f"{SIZE}, 0.047f, 3" if name.endswith("_i8") else f"{SIZE}"


def write_net(place: Path) -> None:
    """All portable kernels on one input, each with literal parameters as in an emitted net."""
    lines = [f'#include "{KERNELS / name}.c"' for name in PORTABLE]
    lines += ['#include "net.h"', "void net_run(void *arena)", "{"]
    lines += ["float *input = arena;"]
    for index, name in enumerate(PORTABLE):
        cast = {"i8": "(int8_t *)", "bool": "(uint8_t *)"}.get(name.rsplit("_", 1)[1], "")
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
