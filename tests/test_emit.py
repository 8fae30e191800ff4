"""The emitted files: the same bytes every time, safe from any layer's name, accepted by every compiler."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from graphs import (
    GEOMETRY,
    QUANT,
    ops_of,
    planned,
    random_arrays,
    random_graph,
    relu,
    seeded,
    tensor,
    weights,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from native import COMPILERS, FLAGS, WARNINGS, ZIG, check_call, compiler, need, write_plans

from s2c import oracle
from s2c.artifact import write_artifact
from s2c.driver import Compilation, Request
from s2c.emit.c_family import emit_source, format_param
from s2c.emit.c_header import emit_header
from s2c.emit.constants import READABLE
from s2c.emit.cpp import emit_cpp
from s2c.emit.project import Golden, emit_cmake, emit_main, emit_net_header
from s2c.emit.rust import emit_rust
from s2c.emit.text import (
    LONGEST_COMMENT,
    ROW_BYTES,
    comment_text,
    format_array,
    format_float,
    format_strings,
    identifier,
)
from s2c.ir import Graph, Node, Type, input_node
from s2c.ops import make
from s2c.target import load_target

GOLDENS = Path(__file__).parent / "golden"

HOSTILE = {
    "ends the comment": "*/ int main(void) { return 7; } /*",
    "opens another": "/* /*/ // /",
    "newlines": "a\nb\r\n#error c\n",
    "quotes": "\"a\" 'b' `c`",
    "backslash at the end": "a\\",
    "trigraphs": "??/\n??'??(??)??/ *??/ /",
    "unicode": "stra\u00dfe \u2028 \u202e \U0001f600 \x00\x07\x7f",
    "format": "%s %n {0} {name} ${name}",
    "long": "*/" + "x" * 10_000,
    "empty": "",
    "slash": "/",
}


# text


@given(st.text())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_comment_text_cannot_leave_a_comment(text: str) -> None:
    safe = comment_text(text)
    assert len(safe) <= LONGEST_COMMENT and safe.isascii() and safe.isprintable()
    assert not set(safe) & set("*\\?\"'#")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0F"),
        (-0.0, "-0.0F"),
        (1.0, "1.0F"),
        (0.1, "0.100000001F"),
        (1e-40, "9.99994610e-41F"),
        (2.0**24, "16777216.0F"),
    ],
)
def test_float_literals(value: float, text: str) -> None:
    assert float(np.float32(text.rstrip("F"))) == float(np.float32(value))
    assert np.float32(format_float(value).rstrip("F")) == np.float32(value)


@pytest.mark.build
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_float_literals_read_back(value: float) -> None:
    text = format_float(value)
    assert text.endswith("F") and any(mark in text for mark in ".e")
    assert np.float32(text[:-1]).tobytes() == np.float32(value).tobytes()
    array = format_array(np.array([value], np.float32)).strip()
    assert np.float32(array[:-1]).tobytes() == np.float32(value).tobytes()


def test_not_finite() -> None:
    assert [format_float(each) for each in (np.inf, -np.inf, np.nan)] == [
        "S2C_INFINITY",
        "-S2C_INFINITY",
        "S2C_NAN",
    ]
    assert format_array(np.array([np.inf, 1], np.float32)) == "    S2C_INFINITY, 1.0F"


def test_integers() -> None:
    assert format_array(np.arange(-1, 17, dtype=np.int8)).count("\n") == 1
    assert format_param(-(1 << 31)) == "INT32_MIN" and format_param(-(1 << 31) + 1) == "-2147483647"


ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)


def read_string(literal: str) -> bytes:
    """The bytes that C makes of a string literal."""
    assert literal[0] == literal[-1] == '"' and literal.isascii() and literal.isprintable()
    assert "??" not in literal and '"' not in re.sub(r"\\.", "", literal[1:-1])

    def value(found: re.Match[bytes]) -> bytes:
        text = found.group(1)
        return bytes([int(text, 8)]) if text.isdigit() else text

    return ESCAPE.sub(value, literal[1:-1].encode())


@given(st.binary(min_size=1, max_size=60))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_strings_read_back(data: bytes) -> None:
    for each in (data, b"\x01" + data[:1] + b"??=" + data):
        (literal,) = format_strings(np.frombuffer(each, np.uint8))
        assert read_string(literal) == each


@pytest.mark.parametrize(
    "size", [1, ROW_BYTES - 1, ROW_BYTES, ROW_BYTES + 1, 2 * ROW_BYTES, 2 * ROW_BYTES + 7]
)
def test_long_arrays_become_several_strings(size: int) -> None:
    array = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    rows = [read_string(each) for each in format_strings(array)]
    assert b"".join(rows) == array.tobytes()
    assert {len(each) for each in rows[:-1]} <= {ROW_BYTES} and 0 < len(rows[-1]) <= ROW_BYTES


def test_every_pair_of_bytes_reads_back() -> None:
    """A digit behind a short escape would become a part of it."""
    pairs = np.array([(a, b) for a in range(256) for b in range(256)], np.uint8)
    assert b"".join(map(read_string, format_strings(pairs))) == pairs.tobytes()


def test_strings_are_little_endian() -> None:
    numbers = np.array([1.0, -2.5], np.float32)
    assert list(format_strings(numbers.astype(">f4"))) == list(format_strings(numbers))
    assert [read_string(each) for each in format_strings(np.array([0x1234], np.int16))] == [b"\x34\x12"]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("kws.tflite", "kws"),
        ("My Net-2.onnx", "my_net_2"),
        ("3d.onnx", "net_3d"),
        ("int.onnx", "net_int"),
        ("stdint.onnx", "net_stdint"),
        ("test.onnx", "net_test"),
        ("s2c_x.onnx", "net_s2c_x"),
        ("\u00e9.onnx", "net"),
        ("a" * 90 + ".onnx", "a" * 40),
        ("a_" * 45 + ".onnx", "a_" * 19 + "a"),
    ],
)
def test_name_of_a_file(model: str, name: str) -> None:
    found = identifier(None, Path(model))
    assert found == name == identifier(found, None)


# whole files


def conv(x: Node, layer: str) -> Node:
    own, quant = weights(seeded(3), x, 3, 2, 2, x.type.shape[-1])
    return make("conv2d", (x,), layer, quant, **own, **GEOMETRY, groups=1, lo=0.0)


def tiny() -> Graph:
    """conv2d, max_pool, a residual addition and a dense layer on one page."""
    x = tensor("image", 1, 4, 4, 2, quant=QUANT)
    node = conv(x, "conv")
    node = make("add", (conv(node, "other"), relu(make("slice", (node,), "s", **INNER), "cut")), "sum", QUANT)
    flat = make("reshape", (node,), "flat", shape=(1, 12))
    own, quant = weights(seeded(4), flat, 2, 12)
    return Graph((x,), (make("dense", (flat,), "scores", quant, **own),))


INNER = {"starts": (0, 0, 1, 0), "steps": (1, 1, 1, 1), "shape": (1, 2, 2, 3)}


def files(graph: Graph, name: str = "tiny") -> dict[str, str]:
    plan = planned(graph)
    arrays = random_arrays(graph)
    goldens = [Golden(arrays, oracle.run(graph, *arrays))]
    return {
        f"{name}.c": emit_source(plan, name, f"{name}: a net", "c"),
        f"{name}.h": emit_header(plan, name, f"{name}: a net"),
        f"{name}.hpp": emit_cpp(plan, name, f"{name}: a net"),
        f"{name}.rs": emit_rust(plan, name, f"{name}: a net"),
        "main.c": emit_main(plan, name, goldens),
        "CMakeLists.txt": emit_cmake(name),
        "net.h": emit_net_header(plan, name),
    }


def test_golden_files(request: pytest.FixtureRequest) -> None:
    """The text of one tiny net; after a wanted change: pytest --renew."""
    found = files(tiny())
    if request.config.getoption("--renew"):
        GOLDENS.mkdir(exist_ok=True)
        for name, text in found.items():
            (GOLDENS / f"{name}.txt").write_text(text)
    assert sorted(path.name for path in GOLDENS.iterdir()) == sorted(f"{name}.txt" for name in found)
    for name, text in found.items():
        assert text == (GOLDENS / f"{name}.txt").read_text(), (
            f"{name}: run pytest --renew if the change is wanted"
        )


def test_same_graph_same_bytes() -> None:
    for seed in range(10):
        a, b = (files(random_graph(seeded(seed), "i8", 12)) for _ in range(2))
        assert a == b


DIGEST = """
import hashlib, sys
sys.path[:0] = {path!r}
from graphs import random_graph, seeded
from test_emit import files, tiny
text = repr([files(tiny()), *(files(random_graph(seeded(seed), "i8", 12)) for seed in range(2))])
print(hashlib.sha256(text.encode()).hexdigest())
"""


@pytest.mark.build
def test_other_process_same_bytes() -> None:
    script = DIGEST.format(path=[str(Path(__file__).parent), *sys.path])
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1")
    }
    assert len(printed) == 1


def test_nothing_is_emitted_twice() -> None:
    """Equal arrays and equal calls are one; a kernel's text and each library file stand once."""
    x = tensor("x", 1, 6, 6, 2, quant=QUANT)
    one = make("unary", (x,), "u", QUANT, function="tanh")
    two = make("unary", (make("pad", (one,), "p", pads=((0, 0),) * 4, value=0),), "v", QUANT, function="tanh")
    source = emit_source(planned(Graph((x,), (one, two))), "n", "t", "c")
    assert source.count("[256] = {") == 1 and source.count("S2C_LAYER void n_map_i8_") == 1
    for line in (
        "#define S2C_INLINE static inline __attribute__((always_inline, unused))",
        "S2C_INLINE void map_i8(",
    ):
        assert source.count(line) == 1
    assert source.count("#include") == 1


def test_large_constants_are_strings() -> None:
    source = emit_source(planned(large_constants()), "n", "t", "c")
    assert source.count("} n_") == source.count(".values,") + source.count(".values)") == 5
    assert f"[{READABLE}] = {{\n" in source and f"float values[{READABLE + 1}];" in source
    assert f"S2C_STRING(rows, [5][{ROW_BYTES}])" in source and "S2C_STRING(rest, [4092])" in source
    assert max(map(len, source.splitlines())) <= 4 * ROW_BYTES + 8
    assert "S2C_STRING" not in files(tiny())["tiny.c"]


def test_options_of_the_source() -> None:
    plan = planned(tiny())
    plain = emit_source(plan, "n", "t", "c")
    assert "S2C_REPRODUCIBLE\n\n" not in plain and "n_supported" not in plain
    assert "\n#define S2C_REPRODUCIBLE\n" in emit_source(plan, "n", "t", "c", reproducible=True)
    assert "int32_t n_supported(void)\n{" in emit_source(plan, "n", "t", "c", checks_processor=True)
    assert "int32_t n_supported(void);" in emit_header(plan, "n", "t", checks_processor=True)
    assert "#define S2C_SUPPORTED n_supported\n" in emit_net_header(plan, "n", checks_processor=True)
    arrays = random_arrays(tiny())
    goldens = [Golden(arrays, oracle.run(tiny(), *arrays))]
    assert "if (!n_supported()) {" in emit_main(plan, "n", goldens, checks_processor=True)


def test_source_has_no_loop_of_its_own_and_no_path() -> None:
    source = files(tiny())["tiny.c"]
    run = source[source.index("void tiny_run(void *arena)") :]
    assert "for (" not in run and "if (" not in run
    assert str(Path(__file__).parents[1]) not in source


@pytest.mark.parametrize("what", HOSTILE)
def test_layer_names_stay_in_comments(what: str) -> None:
    """Every file is the same but for its comments, whatever a layer is called."""
    x = tensor("x", 1, 3, 3, 2, quant=QUANT)

    def named(layer: str) -> list[str]:
        own = Graph((input_node(layer, x.type),), ())
        node = conv(own.inputs[0], layer)
        found = files(Graph(own.inputs, (relu(node, layer), node)), "n")
        return [without_comments(text, name.endswith(".rs")) for name, text in found.items()]

    assert named(HOSTILE[what]) == named("plain")


def without_comments(text: str, is_rust: bool) -> str:
    if is_rust:
        return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//"))
    parts = text.split("/*")
    kept = [parts[0]]
    for part in parts[1:]:
        kept.append(part.split("*/", 1)[1])
    return "".join(kept)


# compilers


def named_net(layer: str) -> Graph:
    x = input_node(layer, Type((1, 3, 3, 2), "i8", QUANT))
    return Graph((x,), (conv(x, layer),))


@pytest.mark.build
@pytest.mark.parametrize("name", sorted(COMPILERS))
def test_hostile_names_compile(name: str, tmp_path: Path) -> None:
    plans = {f"hostile_{index}": planned(named_net(name)) for index, name in enumerate(HOSTILE.values())}
    sources = write_plans(tmp_path, plans)
    flags = (*FLAGS, "-Wcomment", "-trigraphs", "-shared", "-fPIC")
    assert check_call([*compiler(name), *flags, *sources, "-o", str(tmp_path / "l.so")]) == ""


@pytest.mark.build
@pytest.mark.parametrize("command", [("g++",), (*ZIG[:-1], "c++")], ids=["g++", "zig"])
def test_header_is_cpp_too(command: Sequence[str], tmp_path: Path) -> None:
    need(command[0])
    (tmp_path / "tiny.h").write_text(files(tiny())["tiny.h"])
    use = "static unsigned char a[TINY_ARENA_BYTES];\n"
    use += "int main() { tiny_run(a); return tiny_output_0(a)[0] + tiny_input_0(a)[0]; }\n"
    (tmp_path / "use.cpp").write_text('#include "tiny.h"\n#include "tiny.h"\n' + use)
    flags = ("-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-c")
    assert check_call([*command, *flags, str(tmp_path / "use.cpp"), "-o", str(tmp_path / "use.o")]) == ""


@pytest.mark.build
def test_every_global_symbol_has_the_prefix(tmp_path: Path) -> None:
    from elftools.elf.elffile import ELFFile

    for name, text in files(tiny()).items():
        (tmp_path / name).write_text(text)
    check_call([*ZIG, *FLAGS, "-O2", "-c", str(tmp_path / "tiny.c"), "-o", str(tmp_path / "tiny.o")])
    with (tmp_path / "tiny.o").open("rb") as file:
        symbols = list(ELFFile(file).get_section_by_name(".symtab").iter_symbols())
    named = [each for each in symbols if each.entry["st_info"]["bind"] == "STB_GLOBAL"]
    assert [each.name for each in named] == ["tiny_run"]


def large_constants() -> Graph:
    """Weights in one string, in several, in whole ones without a rest, and operands of each dtype."""
    x = tensor("x", 1, 2046)
    results = []
    for columns in (1, 2, 3):
        own, quant = weights(seeded(columns), x, columns, 2046)
        results.append(make("dense", (x,), f"dense_{columns}", quant, **own))
    for size in (READABLE, READABLE + 1, 5000):
        y = tensor(f"y_{size}", 1, size)
        values = np.random.default_rng(size).normal(size=(1, size)).astype(np.float32)
        values[0, :3] = [np.inf, -0.0, 1e-40]
        constant = Node("constant", (), {"value": values}, y.type, "k")
        results.append(make("mul", (y, constant), f"mul_{size}"))
    inputs = (x, *(each.inputs[0] for each in results[3:]))
    return Graph(inputs, tuple(results))


def log_of_negative() -> Graph:
    x = tensor("x", 1, 9)
    return Graph(
        (x,), (make("unary", (x,), "log", function="log"), make("unary", (x,), "exp", function="reciprocal"))
    )


NETS = {
    "tiny": tiny,
    "not_finite": log_of_negative,
    "outputs_alike": lambda: (lambda x: Graph((x,), (x, x)))(tensor("x", 5, quant=QUANT)),
    "scalar": lambda: (lambda x: Graph((x,), (relu(x, "r"),)))(tensor("x")),
    "two_inputs": lambda: random_graph(seeded(8), "i8", 4),
    "floats": lambda: random_graph(seeded(6), "f32", 8),
    "large": large_constants,
}


@pytest.mark.build
@pytest.mark.parametrize("cc", sorted(COMPILERS))
@pytest.mark.parametrize("name", NETS)
def test_main_checks_the_golden_results(name: str, cc: str, tmp_path: Path) -> None:
    """It returns 0; with one expected value changed, it does not."""
    command = compiler(cc)
    graph = NETS[name]()
    arrays = [random_arrays(graph, seed) for seed in range(3)]
    if name == "not_finite":
        arrays[0][0][0, :4] = [np.inf, -np.inf, np.nan, 0.0]
    goldens = [Golden(each, oracle.run(graph, *each)) for each in arrays]
    (tmp_path / f"{name}.c").write_text(emit_source(planned(graph), name, "t", "c"))
    (tmp_path / f"{name}.h").write_text(emit_header(planned(graph), name, "t"))
    check_call([*command, *FLAGS, "-c", str(tmp_path / f"{name}.c"), "-o", str(tmp_path / "net.o")])

    def status(changed: Sequence[Golden]) -> int:
        (tmp_path / "main.c").write_text(emit_main(planned(graph), name, changed))
        check = str(tmp_path / "check")
        printed = check_call(
            [*command, *WARNINGS, str(tmp_path / "main.c"), str(tmp_path / "net.o"), "-o", check]
        )
        assert printed == ""
        return subprocess.run([check]).returncode

    assert status(goldens) == 0
    wrong = [each.copy() for each in goldens[1].outputs]
    last = wrong[-1].reshape(-1)
    last[-1:] = last[-1:] + 1 if wrong[-1].dtype != np.int8 else last[-1:] ^ 1
    assert status([goldens[0], Golden(goldens[1].inputs, tuple(wrong)), goldens[2]]) == 1


# folders


def write_folder(name: str, folder: Path) -> None:
    model = folder / "model.bin"
    model.write_bytes(b"a model")
    graph = tiny()
    (folder / "out").mkdir()
    request = Request(model, load_target("host"), name, {}, {}, None)
    write_artifact(Compilation(request, graph, graph, planned(graph), ()), folder / "out")


@pytest.mark.build
@pytest.mark.parametrize("name", ["net", "harness", "io", "count", "arena", "map_i8", "INT32_MAX"])
def test_names_that_the_harness_uses_too(name: str, tmp_path: Path) -> None:
    write_folder(name, tmp_path)
    assert (tmp_path / "out" / f"{name}.json").is_file()


@pytest.mark.build
def test_cmake_builds_and_checks(tmp_path: Path) -> None:
    cmake = need("cmake")
    need("gcc")
    write_folder("tiny", tmp_path)
    tree = tmp_path / "tree"
    check_call([cmake, "-S", str(tmp_path / "out"), "-B", str(tree), "-DCMAKE_C_COMPILER=gcc"])
    check_call([cmake, "--build", str(tree)])
    check_call([str(tree / "tiny_check")])


def test_tiny_has_what_it_says() -> None:
    assert {"conv2d", "add", "dense", "slice"} <= set(ops_of(tiny()))
