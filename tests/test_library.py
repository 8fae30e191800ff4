"""A compiled net in this process, in C++ and in Rust: the same outputs as the image, and no copies."""

from __future__ import annotations

import array
import gc
import hashlib
import json
import re
import shutil
import subprocess
import sys
import timeit
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from graphs import planned, raises
from native import COMPILERS, check_call, need, write_plans
from onnx import TensorProto, helper
from onnx_models import model_of

import s2c
from s2c.build import build, write_exports
from s2c.emit.cpp import emit_cpp, namespace
from s2c.emit.rust import emit_rust
from s2c.ir import DTYPES, Graph, Quant, Type, input_node
from s2c.library import ALIGNMENT, Instance, numpy_dtype
from s2c.ops import make
from s2c.target import load_target
from s2c.verify import verify

ROOT = Path(__file__).resolve().parent.parent
ZIG_CPP = (sys.executable, "-m", "ziglang", "c++")
CPP_FLAGS = ("-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
CPP_COMPILERS = {"zig": ZIG_CPP, "g++": ("g++",)}
STEPS = 4


def compile_to(folder: Path, model: Path, **settings: Any) -> Path:
    with s2c.compile(model, **settings) as program:
        return program.save(folder)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    return compile_to(folder / "digits", ROOT / "demo" / "digits_int8.onnx", name="digits")


@pytest.fixture(scope="module")
def total(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two inputs and a state: new = old + a * b, of which y is a copy."""
    folder = tmp_path_factory.mktemp("library")
    nodes = [helper.make_node("Mul", ["a", "b"], ["ab"]), helper.make_node("Add", ["ab", "old"], ["new"])]
    nodes.append(helper.make_node("Identity", ["new"], ["y"]))
    data = model_of(nodes, {"a": (2, 3), "b": (3,), "old": (2, 3)}, outputs=("y", "new"))
    (folder / "total.onnx").write_bytes(data)
    return compile_to(folder / "total", folder / "total.onnx", states={"old": "new"})


def goldens(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    with np.load(folder / "golden.npz") as arrays:
        return list(zip(arrays["input_0"], arrays["output_0"], strict=True))


def products(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    source = np.random.default_rng(count)
    return [
        (source.normal(size=(2, 3)).astype(np.float32), source.normal(size=3).astype(np.float32))
        for _ in range(count)
    ]


def need_rustc() -> str:
    """rustup leaves a rustc that runs only where somebody has chosen a version."""
    rustc = need("rustc")
    if subprocess.run([rustc, "--version"], capture_output=True).returncode != 0:
        pytest.skip("rustc is not set up")
    return rustc


# from Python


@pytest.mark.build
def test_views_and_calls_give_the_golden_outputs(digits: Path) -> None:
    net = s2c.open_library(digits)
    (own,), (result,) = net.inputs, net.outputs
    for given, wanted in goldens(digits):
        own[...] = given
        assert net.run() is None
        assert result.tobytes() == wanted.tobytes()
        assert net(given).tobytes() == wanted.tobytes()
        assert net(memoryview(given)).tobytes() == wanted.tobytes()
    assert net.inputs[0] is own and own.ctypes.data % ALIGNMENT == net.library.inputs[0].offset % ALIGNMENT
    assert not np.shares_memory(net(given), result)


@pytest.mark.build
def test_tensors_are_described(digits: Path, total: Path) -> None:
    (image,) = s2c.open_library(digits).library.inputs
    assert (image.name, image.shape, image.dtype) == ("image", (1, 1, 8, 8), np.dtype(np.float32))
    library = s2c.open_library(total).library
    assert [each.name for each in library.inputs] == ["a", "b"]
    assert [(each.name, each.scale) for each in library.outputs] == [("y", None)]


@pytest.mark.build
def test_state_belongs_to_an_instance(total: Path) -> None:
    net = s2c.open_library(total)
    sums = np.zeros((2, 3), np.float32)
    for a, b in products(STEPS):
        sums += a * b
        assert np.allclose(net(a, b), sums, rtol=1e-6)
        assert np.allclose(net.another()(a, b), a * b, rtol=1e-6)
    net.reset()
    assert np.allclose(net(a, b), a * b, rtol=1e-6)


@pytest.mark.build
def test_reset_without_state_changes_nothing(digits: Path) -> None:
    net = s2c.open_library(digits)
    given, wanted = goldens(digits)[0]
    net.inputs[0][...] = given
    net.reset()
    net.run()
    assert net.outputs[0].tobytes() == wanted.tobytes()


@pytest.mark.build
def test_instances_run_at_once(digits: Path) -> None:
    net = s2c.open_library(digits)
    cases = goldens(digits)

    def work(index: int) -> bool:
        own = net.another()
        given, wanted = cases[index % len(cases)]
        return all(own(given).tobytes() == wanted.tobytes() for _ in range(200))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))


@pytest.mark.build
@pytest.mark.parametrize("part", [lambda net: net.run, lambda net: net.outputs])
def test_memory_lives_as_long_as_what_uses_it(digits: Path, part: Callable[[Instance], object]) -> None:
    net = s2c.open_library(digits)
    memory = weakref.ref(net.inputs[0].base)
    kept = part(net)
    del net
    gc.collect()
    assert memory() is not None
    del kept
    gc.collect()
    assert memory() is None


@pytest.mark.build
def test_buffers_are_taken_as_they_are(tmp_path: Path) -> None:
    node = helper.make_node("Add", ["x", "x"], ["y"])
    data = model_of([node], {"x": (3,)}, input_type=TensorProto.INT64, output_type=TensorProto.INT64)
    (tmp_path / "twice.onnx").write_bytes(data)
    net = s2c.open_library(compile_to(tmp_path / "twice", tmp_path / "twice.onnx"))
    assert np.array_equal(net(array.array("q", [1, 2, 3])), [2, 4, 6])
    assert np.array_equal(net(np.arange(6, dtype=np.int64)[::2]), [0, 4, 8])


@pytest.mark.build
def test_a_call_costs_less_than_a_microsecond(tmp_path: Path) -> None:
    """Of a net that does next to nothing; bench/host/call_overhead.py measures it against calls from C."""
    (tmp_path / "sum.onnx").write_bytes(model_of([helper.make_node("Add", ["x", "x"], ["y"])], {"x": (1,)}))
    net = s2c.open_library(compile_to(tmp_path / "sum", tmp_path / "sum.onnx"))
    assert min(timeit.repeat(net.run, number=1000, repeat=50)) / 1000 < 1e-6


def test_dtypes_of_the_manifest() -> None:
    assert {name: numpy_dtype(name) for name in DTYPES} == dict(DTYPES)


# refusals


@pytest.mark.build
def test_wrong_inputs(digits: Path, total: Path) -> None:
    net = s2c.open_library(total)
    a, b = products(1)[0]
    assert raises(lambda: net(a)) == (
        "inputs: wanted 2 arrays, found 1; give one array for each input, in order"
    )
    assert raises(lambda: net(a.T, b.astype(np.float64))) == (
        "input a: wanted float32[2, 3], found float32[3, 2]; reshape or convert the array\n"
        "input b: wanted float32[3], found float64[3]; reshape or convert the array"
    )
    assert raises(lambda: net(a, [1.0, 2.0, 3.0])) == (
        "input b: wanted an array, found a list; convert it with numpy.asarray"
    )


def copied(digits: Path, folder: Path, change: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """The folder somewhere else, with a change to its manifest."""
    path = Path(shutil.copytree(digits, folder / "copy"))
    if change is not None:
        manifest = json.loads((path / "digits.json").read_text())
        change(manifest)
        (path / "digits.json").write_text(json.dumps(manifest))
    return path


@pytest.mark.build
def test_missing_library(digits: Path, tmp_path: Path) -> None:
    folder = copied(digits, tmp_path)
    path = folder / "build" / "libdigits.so"
    path.unlink()
    assert raises(lambda: s2c.open_library(folder)) == (
        f"{path}: wanted the library of digits, found no such file; compile the model again"
    )


@pytest.mark.build
def test_library_of_another_net(digits: Path, total: Path, tmp_path: Path) -> None:
    folder = copied(digits, tmp_path)
    path = folder / "build" / "libdigits.so"
    shutil.copy(total / "build" / "libtotal.so", path)
    noted = json.loads((folder / "digits.json").read_text())["library"]["sha256"]
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert raises(lambda: s2c.open_library(folder)) == (
        f"{path}: wanted the library that digits.json describes, SHA-256 {noted[:12]}.., "
        f"found another, {found[:12]}..; compile the model again"
    )
    assert verify(folder, 1).failures == (
        "artifact: build/libdigits.so is not what s2c emits for digits.onnx",
    )


@pytest.mark.build
def test_library_that_does_not_load(digits: Path, tmp_path: Path) -> None:
    junk = b"no code"

    def note(manifest: dict[str, Any]) -> None:
        manifest["library"]["sha256"] = hashlib.sha256(junk).hexdigest()

    folder = copied(digits, tmp_path, note)
    path = folder / "build" / "libdigits.so"
    path.write_bytes(junk)
    assert raises(lambda: s2c.open_library(folder)) == (
        f"{path}: wanted a library that this machine can load, found one for host: {path}: file too short; "
        "compile the model on this machine"
    )


@pytest.mark.build
def test_processor_that_lacks_instructions(digits: Path, tmp_path: Path) -> None:
    (tmp_path / "other.c").write_text("int digits_supported(void)\n{\n    return 0;\n}\n")
    library = tmp_path / "other.so"
    check_call([*COMPILERS["zig"], "-shared", "-fPIC", str(tmp_path / "other.c"), "-o", str(library)])

    def note(manifest: dict[str, Any]) -> None:
        manifest["library"]["sha256"] = hashlib.sha256(library.read_bytes()).hexdigest()

    folder = copied(digits, tmp_path, note)
    path = Path(shutil.copy(library, folder / "build" / "libdigits.so"))
    assert raises(lambda: s2c.open_library(folder)) == (
        f"{path}: wanted a processor with the instructions of the net, found one that lacks some; "
        "compile the model on this machine, or for older processors"
    )


@pytest.mark.build
def test_target_without_libraries(tmp_path: Path) -> None:
    folder = compile_to(tmp_path / "m4", ROOT / "demo" / "digits_int8.onnx", target="cortex-m4")
    assert raises(lambda: s2c.open_library(folder)) == (
        f"{folder}: wanted a net with a shared library, found digits_int8 for cortex-m4, without one; "
        "compile the model for a target that has libraries, such as host"
    )
    assert "library" not in json.loads((folder / "digits_int8.json").read_text())


# the file


@pytest.mark.build
def test_a_net_that_is_compiled_again_is_loaded_again(tmp_path: Path) -> None:
    """By its path the loader would take it for the one that it has."""
    answers = []
    nets = []
    for factor in (2, 3, 2):
        node = helper.make_node("Mul", ["x", "factor"], ["y"])
        data = model_of([node], {"x": (1,)}, {"factor": np.array([factor], np.float32)})
        (tmp_path / "scale.onnx").write_bytes(data)
        nets.append(s2c.open_library(compile_to(tmp_path / "net", tmp_path / "scale.onnx")))
        answers.append(float(nets[-1](np.ones(1, np.float32))[0]))
    assert answers == [2, 3, 2]
    assert [float(net(np.ones(1, np.float32))[0]) for net in nets] == [2, 3, 2]


@pytest.mark.build
@pytest.mark.parametrize("cc", [None, "gcc"])
def test_library_exports_the_header_and_needs_nothing(total: Path, tmp_path: Path, cc: str | None) -> None:
    if cc is not None:
        need(cc)
    folder = compile_to(tmp_path / "total", total / "total.onnx", states={"old": "new"}, cc=cc)
    with (folder / "build" / "libtotal.so").open("rb") as file:
        elf = ELFFile(file)
        symbols = [each for each in elf.get_section_by_name(".dynsym").iter_symbols() if each.name]
        needed = list(elf.get_section_by_name(".dynamic").iter_tags("DT_NEEDED"))
    declared = re.findall(r"^\w+ (total_\w+)\(.*\);$", (folder / "total.h").read_text(), re.MULTILINE)
    assert {"total_reset", "total_run"} <= {*declared}
    assert sorted(each.name for each in symbols) == sorted(declared)
    assert all(each["st_shndx"] != "SHN_UNDEF" for each in symbols)
    assert needed == []
    a, b = products(1)[0]
    assert np.allclose(s2c.open_library(folder)(a, b), a * b, rtol=1e-6)


@pytest.mark.build
@pytest.mark.parametrize("cc", [None, "gcc"])
def test_same_library_in_any_folder(tmp_path: Path, cc: str | None) -> None:
    if cc is not None:
        need(cc)
    model = ROOT / "demo" / "digits.onnx"
    a = compile_to(tmp_path / "a", model, cc=cc)
    b = compile_to(tmp_path / "b, and c" / "deep", model, cc=cc)
    assert (a / "build" / "libdigits.so").read_bytes() == (b / "build" / "libdigits.so").read_bytes()
    assert (a / "digits.json").read_bytes() == (b / "digits.json").read_bytes()


def test_exports_are_what_the_header_declares(tmp_path: Path) -> None:
    header = tmp_path / "net.h"
    header.write_text(
        "/* int comment(void); */\n#define NET_SIZE 4\n"
        "static inline float *net_input_0(void *arena)\n{\n    return (float *)arena;\n}\n"
        "void net_run(void *arena);\nint32_t net_start(void *arena, int32_t threads);\n"
    )
    assert write_exports([header], tmp_path).read_text() == "{ global: net_run; net_start; local: *; };\n"
    header.write_text("")
    assert write_exports([header], tmp_path).read_text() == "{ local: *; };\n"


@pytest.mark.build
def test_target_decides_whether_there_is_a_library(digits: Path, tmp_path: Path) -> None:
    for name in ("digits.c", "digits.h", "build/net.h"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(digits / name, tmp_path / name)
    host = load_target("host")
    image = build(host, tmp_path, "digits", tmp_path / "build")
    assert image.library == tmp_path / "build" / "libdigits.so"
    assert image.library.read_bytes() == (digits / "build" / "libdigits.so").read_bytes()
    assert build(replace(host, library=None), tmp_path, "digits", tmp_path / "build").library is None


# C++ and Rust

CPP_MAIN = """
#include <cstdio>
#include <cstring>
#include "total.hpp"
#include "total.hpp"

int main()
{
    static_assert(alignof(total::Net) == 64, "aligned");
    static_assert(total::Net::input_1_size == 3 && total::Net::arena_bytes == TOTAL_ARENA_BYTES, "sizes");
    if (!total::Net::supported()) {
        return 1;
    }
    static total::Net net;
    const total::Net &seen = net;
    const float a[6] = {1, 2, 3, 4, 5, 6}, b[3] = {2, 3, 4};
    for (int step = 0; step < 3; step++) {
        if (step == 2) {
            net.reset();
        }
        std::memcpy(net.input_0(), a, sizeof a);
        std::memcpy(net.input_1(), b, sizeof b);
        net.run();
        std::printf("%g %g\\n", double(seen.output_0()[0]), double(seen.output_0()[5]));
    }
    return 0;
}
"""

RUST_MAIN = """
mod total;

fn main() {
    assert!(total::Net::supported());
    let mut net = total::Net::boxed();
    let mut second = total::Net::default();
    assert_eq!(&*net as *const _ as usize % 64, 0);
    assert_eq!(core::mem::align_of::<total::Net>(), 64);
    for step in 0..3 {
        if step == 2 {
            net.reset();
        }
        for each in [&mut *net, &mut second] {
            each.input_0().copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
            each.input_1()[..total::INPUT_1_SIZE].copy_from_slice(&[2.0, 3.0, 4.0]);
            each.run();
        }
        println!("{} {}", net.output_0()[0], net.output_0()[5]);
    }
    assert_eq!(second.output_0()[0], 6.0);
}
"""
SUMS = ["2 24", "4 48", "2 24"]


@pytest.mark.build
@pytest.mark.parametrize("compiler", CPP_COMPILERS)
def test_cpp(total: Path, tmp_path: Path, compiler: str) -> None:
    """zig, which would first compile a library of C++ for minutes, only compiles it."""
    need(CPP_COMPILERS[compiler][0])
    (tmp_path / "main.cpp").write_text(CPP_MAIN)
    command = [*CPP_COMPILERS[compiler], *CPP_FLAGS, "-I", str(total), str(tmp_path / "main.cpp")]
    if compiler == "zig":
        assert check_call([*command, "-c", "-o", str(tmp_path / "main.o")]) == ""
        return
    assert check_call([*command, str(total / "build" / "total.o"), "-o", str(tmp_path / "main")]) == ""
    assert check_call([str(tmp_path / "main")]).splitlines() == SUMS


@pytest.mark.build
@pytest.mark.parametrize("edition", ["2018", "2024"])
def test_rust(total: Path, tmp_path: Path, edition: str) -> None:
    rustc = need_rustc()
    shutil.copy(total / "total.rs", tmp_path)
    (tmp_path / "main.rs").write_text(RUST_MAIN)
    library = total / "build"
    command = [rustc, "--edition", edition, "-D", "warnings", str(tmp_path / "main.rs")]
    command += ["-L", str(library), "-l", "total", "-C", f"link-arg=-Wl,-rpath,{library}"]
    assert check_call([*command, "-o", str(tmp_path / "main")]) == ""
    assert check_call([str(tmp_path / "main")]).splitlines() == SUMS


STRANGE_LAYERS = ("*/ int main(void) { return 7; } /*", "a\n}\n\\", "\u202e\x00//")
STRANGE_KINDS = (Type((1, 4), "i8", Quant((0.1,), -3)), Type((), "f16"), Type((2, 1), "bool"))


def strange() -> Graph:
    """Inputs and outputs of types that C has no name for, called like code."""
    pairs = zip(STRANGE_KINDS, STRANGE_LAYERS, strict=True)
    inputs = tuple(input_node(layer, kind) for kind, layer in pairs)
    outputs = tuple(make("reshape", (node,), node.layer, shape=(1, *node.type.shape)) for node in inputs)
    return Graph(inputs, outputs)


@pytest.mark.build
@pytest.mark.parametrize("name", ["xor", "linux", "std", "Net", "crate"])
def test_nets_called_like_code(tmp_path: Path, name: str) -> None:
    plan = planned(strange())
    write_plans(tmp_path, {name: plan})
    (tmp_path / f"{name}.hpp").write_text(emit_cpp(plan, name, name))
    source = f'#include "{name}.hpp"\nint main() {{ static {namespace(name)}::Net net; net.run(); }}\n'
    (tmp_path / "main.cpp").write_text(source)
    assert (
        check_call([*ZIG_CPP, *CPP_FLAGS, "-c", str(tmp_path / "main.cpp"), "-o", str(tmp_path / "o")]) == ""
    )


@pytest.mark.build
def test_rust_of_nets_called_like_code(tmp_path: Path) -> None:
    rustc = need_rustc()
    text = emit_rust(planned(strange()), "strange", "strange")
    assert "pub const INPUT_0_SCALE: f32 = 0.100000001;\npub const INPUT_0_ZERO: i32 = -3;" in text
    assert "pub fn input_1(&mut self) -> &mut [u16; INPUT_1_SIZE]" in text
    (tmp_path / "strange.rs").write_text(text)
    command = [rustc, "--edition", "2021", "--crate-type", "lib", "--emit", "metadata", "-D", "warnings"]
    assert check_call([*command, "--out-dir", str(tmp_path), str(tmp_path / "strange.rs")]) == ""


def test_emitted_twice_alike() -> None:
    for emit in (emit_cpp, emit_rust):
        assert emit(planned(strange()), "a", "a") == emit(planned(strange()), "a", "a")
