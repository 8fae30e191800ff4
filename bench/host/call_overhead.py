"""What a call from Python costs beyond the C function, for s2c and onnxruntime -> a table, and JSON.

One net adds 16 numbers, so that next to nothing but the call is measured; digits takes about a microsecond.
Rounds alternate between a loop in C, timed there, and the same number of calls from Python. onnxruntime has
no C function of a net to compare with: its whole calls stand beside s2c's C.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable, Mapping
from datetime import date
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from rich.console import Console
from rich.table import Table

import s2c
from s2c.library import Instance, make_arena
from s2c.resources import zig_environment
from s2c.target import load_target, pick_compiler

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "build" / "host" / "call_overhead.json"
SIZE = 16
LOOP = r"""
#include <stdint.h>
#include <time.h>

int64_t loop(void (*run)(void *), void *arena, int64_t calls)
{
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int64_t i = 0; i < calls; i++) {
        run(arena);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (int64_t)(end.tv_sec - start.tv_sec) * 1000000000 + (end.tv_nsec - start.tv_nsec);
}
"""

Measure = Callable[[int], float]  # so many calls -> nanoseconds for each


def write_models(folder: Path) -> dict[str, Path]:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, SIZE)) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "add", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "add.onnx").write_bytes(model.SerializeToString())
    return {"add": folder / "add.onnx", "digits": ROOT / "demo" / "digits.onnx"}


def build_loop(folder: Path) -> ctypes.CDLL:
    (folder / "loop.c").write_text(LOOP)
    _, command = pick_compiler(load_target("host"), None)
    path = folder / "loop.so"
    flags = ["-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        [*command, *flags, str(folder / "loop.c"), "-o", str(path)], check=True, env=zig_environment()
    )
    library = ctypes.CDLL(str(path))
    library.loop.restype = ctypes.c_int64
    library.loop.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    return library


def c_calls(loop: ctypes.CDLL, net: Instance) -> Measure:
    """The same function as net.run calls, on an arena of its own."""
    arena = make_arena(int(net.library.manifest["arena_bytes"]))
    run = ctypes.cast(net.library.run, ctypes.c_void_p)  # type: ignore[arg-type]
    return lambda calls: loop.loop(run, arena.ctypes.data, calls) / calls


def python_calls(call: Callable[[], object]) -> Measure:
    return lambda calls: timeit.timeit(call, number=calls) * 1e9 / calls


def peer_calls(model: Path, x: np.ndarray) -> dict[str, Measure]:
    """onnxruntime as it is fastest: one thread, inputs and outputs bound; and as it is mostly called."""
    if util.find_spec("onnxruntime") is None:
        print("onnxruntime is not installed: pip install onnxruntime", file=sys.stderr)
        return {}
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name, output = session.get_inputs()[0].name, session.get_outputs()[0].name
    binding = session.io_binding()
    binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(x))
    result = np.zeros(session.get_outputs()[0].shape, np.float32)
    binding.bind_ortvalue_output(output, onnxruntime.OrtValue.ortvalue_from_numpy(result))
    return {
        "onnxruntime, run_with_iobinding": python_calls(lambda: session.run_with_iobinding(binding)),
        "onnxruntime, run": python_calls(lambda: session.run(None, {name: x})),
    }


def measure(kinds: Mapping[str, Measure], rounds: int, calls: int) -> dict[str, dict[str, float]]:
    """Nanoseconds of each kind of call, and how many more than of the first kind: of minima, and medians."""
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for kind in kinds.values():
        kind(calls)
    for _ in range(rounds):
        for name, kind in kinds.items():
            found[name].append(kind(calls))
    first = np.array(next(iter(found.values())))
    return {
        name: {
            "minimum_ns": float(np.min(times)),
            "median_ns": float(np.median(times)),
            "minimum_over_c_ns": float(np.min(times) - np.min(first)),
            "median_over_c_ns": float(np.median(np.array(times) - first)),
        }
        for name, times in found.items()
    }


def measure_net(model: Path, folder: Path, rounds: int, calls: int) -> dict[str, dict[str, float]]:
    with s2c.compile(model) as program:
        net = s2c.open_library(program.folder)
    x = np.ones(net.inputs[0].shape, np.float32)
    kinds = {
        "s2c, from C": c_calls(build_loop(folder), net),
        "s2c, net.run()": python_calls(net.run),
        "s2c, net(x)": python_calls(lambda: net(x)),
        **peer_calls(model, x),
    }
    return measure(kinds, rounds, calls)


def describe(net: str, rows: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table(title=f"{net}: ns for each call", title_justify="left")
    table.add_column("", no_wrap=True)
    for head in ("minimum", "median", "minimum beyond C", "median beyond C"):
        table.add_column(head, justify="right")
    for name, row in rows.items():
        table.add_row(name, *(f"{value:,.0f}" for value in row.values()))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--calls", type=int, default=1000, help="in each round, of each kind")
    arguments = parser.parse_args()
    versions = {"s2c": metadata.version("s2c"), "python": platform.python_version()}
    if util.find_spec("onnxruntime") is not None:
        versions["onnxruntime"] = metadata.version("onnxruntime")
    document: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": platform.machine(),
        "versions": versions,
        "rounds": arguments.rounds,
        "calls": arguments.calls,
        "nets": {},
    }
    console = Console()
    with tempfile.TemporaryDirectory(prefix="s2c-") as name:
        for net, model in write_models(Path(name)).items():
            rows = measure_net(model, Path(name), arguments.rounds, arguments.calls)
            document["nets"][net] = rows
            console.print(describe(net, rows))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    console.print(f"Written to {RESULTS}.", soft_wrap=True)


if __name__ == "__main__":
    main()
