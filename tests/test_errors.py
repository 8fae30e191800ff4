"""Every error of the core with its whole message; readers, training and command line have their own tests."""

from __future__ import annotations

import ast
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from chip import plan_for_chip
from graphs import GEOMETRY, KERNELS, QUANT, lowered, planned, raises, relu, single, tensor

import s2c
from s2c import artifact, driver, program, tune
from s2c.build import Image, run_all
from s2c.check import accumulator_bounds
from s2c.driver import Request
from s2c.emit.text import identifier
from s2c.errors import CompileError, Problem, error
from s2c.extras import check_packages
from s2c.ir import Graph, Node, Quant, Type, constant, input_node
from s2c.layers import limits, onehot, pooling
from s2c.ops import OPS, make
from s2c.ops.functions import FUNCTIONS
from s2c.passes.lower import lower
from s2c.plan import make_plan
from s2c.process import Process
from s2c.program import BUILD
from s2c.silicon.choice import Goal, choose_lanes, make_goal, take_goal
from s2c.silicon.devices import DEVICES, find_commands, load_device
from s2c.silicon.folding import fold
from s2c.silicon.memory import refuse_too_many_bits
from s2c.silicon.refusals import refuse_states
from s2c.silicon.schedule import make_schedule, refuse_long
from s2c.silicon.stream import make_stream
from s2c.silicon.survey import survey
from s2c.state import keep_states, last_pairs
from s2c.target import Memory, load_target, refuse_missing
from s2c.wheel import write_wheel

PACKAGE = Path(s2c.__file__).parent
ELSEWHERE = (
    "adapt/",
    "determinism/",
    "quantization/",
    "readers/",
    "sweep/",
    "train/",
    "arguments.py",
    "bench.py",
    "bench_cli.py",
    "cli.py",
    "errors.py",
    "library.py",
    "onnx_backend.py",
    "recompile.py",
    "refusals.py",
    "report.py",
    "reporting.py",
    "silicon/synthesis.py",
    "torch_backend.py",
    "wheel.py",
)
WRAPPERS = ("error", "too_large")
MAKERS = (*WRAPPERS, "Problem")

ROWS: list[tuple[str, str, Callable[[Path], object]]] = []
Build = Callable[[Path], object]


def row(where: str, message: str) -> Callable[[Build], Build]:
    """where: file:function below s2c/. {folder} in the message stands for the test's folder."""

    def register(build: Build) -> Build:
        ROWS.append((where, message, build))
        return build

    return register


def test_every_error_has_a_row() -> None:
    """A place that makes a Problem needs a row; a new one is named by its file and function."""
    assert sites() == Counter(where for where, _, _ in ROWS)


def sites() -> Counter[str]:
    """How many calls of error, too_large and Problem each function of the core has."""
    found: Counter[str] = Counter()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        text = path.read_text(encoding="utf-8")
        if not name.startswith(ELSEWHERE) and any(f"{each}(" in text for each in MAKERS):
            for function in ast.walk(ast.parse(text)):
                if isinstance(function, ast.FunctionDef) and function.name not in WRAPPERS:
                    found[f"{name}:{function.name}"] += makes(function)
    return +found


def makes(function: ast.FunctionDef) -> int:
    calls = [
        each for each in ast.walk(function) if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)
    ]
    return sum(each.func.id in MAKERS for each in calls)


# A problem's text is one line: what, wanted, found, what to do.


def test_text_of_several_problems() -> None:
    both = CompileError((Problem("a", "b", "c", "d"), Problem("e", "f", "g", "h")))
    assert str(both) == "a: wanted b, found c; d\ne: wanted f, found g; h"
    assert error("a", "b", "c", "d").problems == both.problems[:1]


# ops


def image(channels: int = 4, quant: Quant | None = None) -> Node:
    return tensor("x", 1, 5, 5, channels, quant=quant)


def conv(x: Node, outputs: int, depth: int, **attrs: Any) -> Node:
    own = {"weight": np.zeros((outputs, 3, 3, depth), np.float32), "bias": np.zeros(outputs, np.float32)}
    return make("conv2d", (x,), "layer", **{**GEOMETRY, **own, "groups": 1, **attrs})


@row(
    "ops/convolution.py:infer_conv2d",
    "layer: wanted 3 input channels and outputs in 1 equal groups, found 4 input channels, 8 outputs; "
    "check the layer's weights and groups",
)
def _(folder: Path) -> object:
    return conv(image(), 8, 3)


@row(
    "ops/window.py:window_outputs",
    "layer: wanted a kernel (3, 3) that fits into the padded input, found f32[1,5,5,4] with pads ((0, "
    "0), (0, 0)); "
    "check the layer's kernel, dilation and padding",
)
def _(folder: Path) -> object:
    return conv(image(), 8, 4, dilation=(3, 1))


def int8_dense(scale: float, weight: np.ndarray, bias: int, zero: int = 0) -> Node:
    x = tensor("x", 1, weight.shape[1], quant=Quant((1.0,), zero))
    attrs = {
        "weight": weight,
        "bias": np.full(len(weight), bias, np.int32),
        "weight_scale": np.float32([scale]),
    }
    return make("dense", (x,), "layer", Quant((1.0,), 0), **attrs)


@row(
    "ops/convolution.py:int32",
    "layer: wanted biases that fit into int32 once the input's zero point is folded in, found one of "
    "2147483775; "
    "quantize the layer with larger scales",
)
def _(folder: Path) -> object:
    return lowered(single(int8_dense(1.0, np.full((1, 1), -1, np.int8), (1 << 31) - 1, 128)))


@row(
    "ops/convolution.py:exact_multipliers",
    "layer: wanted scales whose quotient a multiplier of 31 bits can stand for, found "
    "8.1279061703298794e-08; "
    "quantize the model again",
)
def _(folder: Path) -> object:
    return lowered(single(int8_dense(8.1279061703298794e-08, np.zeros((1, 1), np.int8), (1 << 31) - 1)))


@row(
    "ops/convolution.py:infer_dense",
    "layer: wanted an input whose last axis is 7, found f32[1,5,5,4]; check the layer's weights",
)
def _(folder: Path) -> object:
    return make(
        "dense", (image(),), "layer", weight=np.zeros((2, 7), np.float32), bias=np.zeros(2, np.float32)
    )


@row(
    "ops/matmul.py:infer_matmul",
    "layer: wanted an input whose last axis is 6, as the weights have, found f32[1,5,5,4]; check the "
    "layer's shapes",
)
def _(folder: Path) -> object:
    return make(
        "matmul", (image(),), "layer", weight=np.zeros((2, 1, 3), np.float32), bias=np.zeros(2, np.float32)
    )


@row(
    "ops/arithmetic.py:infer_elementwise",
    "layer: wanted two shapes that broadcast, found f32[1,5,5,4] and f32[3]; reshape one of them",
)
def _(folder: Path) -> object:
    return make("add", (image(), tensor("y", 3)), "layer")


@row(
    "ops/arithmetic.py:infer_elementwise",
    "layer: wanted operands of one dtype, found f32[1,5,5,4] and i8[1]~0.05@-3; cast one of them",
)
def _(folder: Path) -> object:
    return make("mul", (image(), tensor("y", 1, quant=QUANT)), "layer")


@row(
    "ops/arithmetic.py:infer_elementwise",
    "layer: wanted a result scale of at least 4.76837e-08, so that int32 cannot overflow, found 4e-08; "
    "quantize the result with a larger scale",
)
def _(folder: Path) -> object:
    return make("add", (image(quant=QUANT), image(quant=QUANT)), "layer", Quant((4e-8,), 0))


@row(
    "ops/elementwise.py:infer_unary",
    f"layer: wanted one of the functions {', '.join(sorted(FUNCTIONS))}, found gamma; rewrite the layer",
)
def _(folder: Path) -> object:
    return make("unary", (image(),), "layer", function="gamma")


@row(
    "ops/elementwise.py:floats_only",
    "layer: wanted float operands of sub, found i8[1,5,5,4]~0.05@-3; keep this layer in float",
)
def _(folder: Path) -> object:
    return make("sub", (image(quant=QUANT), image(quant=QUANT)), "layer", QUANT)


@row(
    "ops/movement.py:infer_reshape",
    "layer: wanted a shape of 100 elements, found [7, 14]; check the layer's shape",
)
def _(folder: Path) -> object:
    return make("reshape", (image(),), "layer", shape=(7, 14))


@row(
    "ops/movement.py:infer_transpose",
    "layer: wanted a permutation of 4 axes, found (0, 1, 1, 2); check the layer's perm",
)
def _(folder: Path) -> object:
    return make("transpose", (image(),), "layer", perm=(0, 1, 1, 2))


@row(
    "ops/movement.py:infer_slice",
    "layer: wanted a slice inside [1, 5, 5, 4], found starts [0, 0, 0, 2], steps [1, 1, 1, 2], shape "
    "[1, 5, 5, 2]; "
    "check the layer's bounds",
)
def _(folder: Path) -> object:
    return make("slice", (image(),), "layer", starts=(0, 0, 0, 2), steps=(1, 1, 1, 2), shape=(1, 5, 5, 2))


@row(
    "ops/movement.py:infer_pad",
    "layer: wanted pads of at least 0 for 4 axes, found ((0, 0), (-1, 0), (0, 0), (0, 0)); "
    "crop with a slice instead of negative pads",
)
def _(folder: Path) -> object:
    return make("pad", (image(),), "layer", pads=((0, 0), (-1, 0), (0, 0), (0, 0)), value=0)


@row(
    "ops/movement.py:infer_concat",
    "layer: wanted inputs alike but for axis 3, found f32[1,5,5,4] and f32[1,5,6,4]; check the layer's "
    "inputs",
)
def _(folder: Path) -> object:
    return make("concat", (image(), tensor("y", 1, 5, 6, 4)), "layer", axis=3)


@row(
    "ops/movement.py:infer_concat",
    "layer: wanted inputs of one dtype and quantization, found i8[1,5,5,4]~0.05@-3 and i8[1,5,5,4]~0.05@4; "
    "requantize the inputs to one scale",
)
def _(folder: Path) -> object:
    return make("concat", (image(quant=QUANT), image(quant=Quant((0.05,), 4))), "layer", axis=3)


@row(
    "ops/movement.py:infer_expand",
    "layer: wanted a shape that f32[1,5,5,4] broadcasts to, found [1, 5, 5, 3]; check the layer's shape",
)
def _(folder: Path) -> object:
    return make("expand", (image(),), "layer", shape=(1, 5, 5, 3))


def pool(x: Node, kernel: tuple[int, int], pads: Any, count_pads: bool) -> Node:
    geometry = {**GEOMETRY, "kernel": kernel, "pads": pads}
    return make("average_pool", (x,), "layer", x.type.quant, **geometry, mean=False, count_pads=count_pads)


@row(
    "ops/pooling.py:pool_scales",
    "layer: wanted an average of at most 2800 values, found 3000; split the pool in two",
)
def _(folder: Path) -> object:
    return planned(single(pool(tensor("x", 1, 60, 50, 1, quant=QUANT), (60, 50), ((0, 0), (0, 0)), False)))


@row(
    "ops/pooling.py:lower_average_pool",
    "layer: wanted an average pool whose patches all hold the same number of values, found between 4 "
    "and 6 values, as "
    "padding does not count; choose a target that has a kernel for average_pool, or pool without padding",
)
def _(folder: Path) -> object:
    return lower(single(pool(image(), (2, 3), ((0, 0), (1, 1)), False)), lambda node: False)


@row(
    "ops/softmax.py:infer_softmax",
    "layer: wanted an int8 softmax with scale 1/256 and zero point -128, found 0.05@-3; "
    "quantize the output as TFLite's converter does",
)
def _(folder: Path) -> object:
    return make("softmax", (image(quant=QUANT),), "layer", QUANT, beta=1.0)


RESULT = Quant((1.0 / 256,), -128)


@row(
    "ops/softmax.py:infer_softmax",
    "layer: wanted an int8 softmax over at most 4095 values, whose sum TFLite's int32 can hold, found 4096; "
    "drop the softmax (the order of the scores stays), or keep it in float",
)
def _(folder: Path) -> object:
    return make("softmax", (tensor("x", 1, 4096, quant=QUANT),), "layer", RESULT, beta=1.0)


@row(
    "ops/softmax.py:infer_softmax",
    "layer: wanted an int8 softmax whose beta * scale is above 1.49012e-08, found 1e-09; quantize the "
    "input with a larger scale",
)
def _(folder: Path) -> object:
    return make("softmax", (image(quant=Quant((1e-9,), 0)),), "layer", RESULT, beta=1.0)


@row(
    "ops/softmax.py:lower_softmax",
    "layer: wanted a target with a kernel for int8 softmax, found one without it; "
    "drop the softmax (the order of the scores stays), or choose another target",
)
def _(folder: Path) -> object:
    return lower(
        single(make("softmax", (image(quant=QUANT),), "layer", RESULT, beta=1.0)), lambda node: False
    )


# what follows the passes


@row(
    "check.py:accumulator_bounds",
    "layer: wanted accumulators below 2147483648 for every input, so that int32 cannot overflow, found "
    "up to 2147483649; "
    "quantize the layer's bias or weights with a larger scale",
)
def _(folder: Path) -> object:
    x = tensor("x", 1, 1, quant=Quant((1.0,), 0))
    attrs = {"weight": np.full((1, 1, 1), 1, np.int8), "bias": np.array([(1 << 31) - 127], np.int32)}
    attrs |= {"multiplier": np.array([1 << 30], np.int32), "shift": np.array([0], np.int8)}
    return accumulator_bounds(
        single(Node("matmul", (x,), attrs, Type((1, 1), "i8", Quant((1.0,), 0)), "layer"))
    )


@row(
    "steps.py:no_kernel",
    "layer: wanted a kernel relu_f32, found none in this target; choose another target",
)
def _(folder: Path) -> object:
    return make_plan(
        single(relu(image(), "layer")), {key: KERNELS[key] for key in KERNELS if "relu" not in key}
    )


def request(ram: int = 1 << 20, flash: int = 1 << 20, name: str = "kws") -> Request:
    memories = (Memory("flash", 0, flash), Memory("ram", 0, ram))
    target = replace(load_target("cortex-m4"), memories=memories)
    return Request(Path("kws.tflite"), target, name, {}, {}, None)


def sized_plan() -> Any:
    """An arena of 100 bytes and 50 of constants."""
    x = tensor("x", 50, quant=QUANT)
    return planned(single(make("add", (x, constant(np.zeros(50, np.int8), "c", QUANT)), "a", QUANT), x))


@row(
    "driver.py:refuse_large",
    "kws: wanted at most 40 bytes of RAM, which cortex-m4 has, found 52 bytes of arena; "
    "choose a target with more memory, or a smaller net",
)
def _(folder: Path) -> object:
    return driver.refuse_large(request(ram=40), sized_plan())


@row(
    "driver.py:refuse_large",
    "kws: wanted at most 40 bytes of flash, which cortex-m4 has, found 50 bytes of constants; "
    "choose a target with more memory, or a smaller net",
)
def _(folder: Path) -> object:
    return driver.refuse_large(request(flash=40), sized_plan())


@row("driver.py:make_request", "--threads: wanted 1 to 64, found 0; give a number of cores")
def _(folder: Path) -> object:
    return driver.make_request("net.onnx", "host", threads=0)


@row(
    "driver.py:make_request",
    "--reproducible: wanted sums that every processor can repeat, found --precision bf16; leave one of them "
    "out",
)
def _(folder: Path) -> object:
    return driver.make_request("net.onnx", "host", reproducible=True, precision="bf16")


@row(
    "tune.py:time_all",
    "--tune: wanted a program that times kernels, found CalledProcessError; leave --tune out: the cost model "
    "chooses",
)
def _(folder: Path) -> object:
    return tune.time_all("int main(void) { return 1; }", load_target("host"))


@row(
    "driver.py:make_request",
    "--threads: wanted 1, or a target with threads, found 2 for cortex-m4, which has none; leave it out, or "
    "compile for host",
)
def _(folder: Path) -> object:
    return driver.make_request("net.onnx", "cortex-m4", threads=2)


@row(
    "driver.py:make_request",
    "--tune: wanted target host and the bundled compiler, to time calls with, found cortex-m4; leave it out: "
    "the cost model chooses",
)
def _(folder: Path) -> object:
    return driver.make_request("net.onnx", "cortex-m4", tune=True)


@row(
    "precision.py:refuse_precision",
    "--precision: wanted one of f32, bf16, found f16; name one of these",
)
def _(folder: Path) -> object:
    return driver.make_request("net.onnx", "host", precision="f16")


@row(
    "precision.py:refuse_precision",
    "--precision: wanted a target with bf16 instructions, found cortex-m4, which has none here; leave it "
    "out, or compile for host on a processor with AVX512-BF16",
)
def _(folder: Path) -> object:
    return driver.make_request("net.onnx", "cortex-m4", precision="bf16")


@row(
    "driver.py:make_request",
    "--lanes: wanted a target that is a chip, found host, which is none; leave it out, or compile for asic",
)
def _(folder: Path) -> object:
    return driver.make_request("net.tflite", "host", lanes=8)


@row(
    "silicon/refusals.py:refuse_flags",
    "--style: wanted one of datapath, stream, found streams; name one of these",
)
def _(folder: Path) -> object:
    return driver.make_request("net.tflite", "asic", style="streams", lanes=3)


@row(
    "silicon/refusals.py:refuse_flags",
    "--reproducible: wanted floats, whose bits it is about, found asic, which is a chip; leave it out\n"
    "--threads: wanted a program that threads can share, found asic, which is a chip; leave it out\n"
    "--precision: wanted floats, whose bits it is about, found asic, which is a chip; leave it out\n"
    "--tune: wanted kernels to choose from by time, found asic, which is a chip; leave it out\n"
    "--lanes: wanted one of 1, 2, 4, 8, 16, 32, 64, 128, 256, found 3; name one of these",
)
def _(folder: Path) -> object:
    return driver.make_request(
        "net.tflite", "asic", lanes=3, threads=2, precision="bf16", reproducible=True, tune=True
    )


@row(
    "silicon/datapath.py:make_lanes",
    "--lanes: wanted one of 1, 2, 4, 8, 16, 32, 64, 128, 256, found 0; name one of these",
)
def _(folder: Path) -> object:
    return driver.make_request("net.tflite", "asic", lanes=0)


@row(
    "silicon/refusals.py:refuse_name",
    "--name: wanted a name that Verilog leaves free, found table; choose another, such as my_net",
)
def _(folder: Path) -> object:
    return driver.make_request("table.tflite", "asic")


@row(
    "silicon/refusals.py:refuse_wheel",
    "wheel: wanted a net for this machine, found one for asic; compile with --target host; s2c bench counts "
    "the cycles of this one",
)
def _(folder: Path) -> object:
    return write_wheel(chip_folder(folder), folder / "wheels")


def chip_folder(folder: Path) -> Path:
    """A chip as far as its manifest goes."""
    facts = {"manifest_version": program.MANIFEST_VERSION, "name": "kws", "target": "asic"}
    (folder / "kws.c").touch()
    (folder / "kws.json").write_text(json.dumps(facts))
    return folder


@row(
    "silicon/refusals.py:refuse_states",
    "x: wanted a net that keeps nothing between calls for asic, found state; hand it in and out as an input "
    "and an output, or compile for host or cortex-m4",
)
def _(folder: Path) -> object:
    x = image(quant=QUANT)
    both = Graph((x,), (relu(x, "y"), relu(x, "z")))
    return refuse_states(load_target("asic"), keep_states(both, {"x": "y"}))


@row(
    "steps.py:no_kernel",
    "layer: wanted int8, all that this target computes with, found floats; quantize the net: --int8 "
    "--calibration FILE.npz, without --float-io",
)
def _(folder: Path) -> object:
    return plan_for_chip(single(relu(image(), "layer")))


@row(
    "steps.py:no_kernel",
    "layer: wanted an op that this target computes, found mul_i8; compile for cortex-m4 or host",
)
def _(folder: Path) -> object:
    x = image(quant=QUANT)
    return plan_for_chip(single(make("mul", (x, image(quant=QUANT)), "layer", QUANT)))


@row(
    "silicon/schedule.py:refuse_constants",
    "layer: wanted operands that the net computes, on this target, found one that is constant; make it a "
    "bias of the layer before, or compile for cortex-m4 or host",
)
def _(folder: Path) -> object:
    x = image(quant=QUANT)
    other = constant(np.ones(x.type.shape, np.int8), "c", QUANT)
    return make_schedule(plan_for_chip(single(make("add", (x, other), "layer", QUANT), x)), 8)


@row(
    "silicon/tables.py:schedule_add",
    "layer: wanted an addition of two values of one shape on this target, found an operand that is repeated "
    "(25 x 4 x 1); expand the operand in the model, or compile for cortex-m4 or host",
)
def _(folder: Path) -> object:
    x, other = image(quant=QUANT), tensor("y", 1, 1, 1, 4, quant=QUANT)
    return make_schedule(plan_for_chip(single(make("add", (x, other), "layer", QUANT))), 8)


@row(
    "silicon/movement.py:schedule_region",
    "layer: wanted a movement of at most 256 pieces on this target, found 1000; keep the layout that the "
    "layers around it share, or compile for cortex-m4 or host",
)
def _(folder: Path) -> object:
    x = tensor("x", 10, 10, 10, 10, quant=QUANT)
    return make_schedule(plan_for_chip(single(make("transpose", (x,), "layer", perm=(3, 2, 1, 0)))), 8)


@row(
    "silicon/clock.py:check_clock",
    "--mhz: wanted a clock above 0 MHz, and finite, found 0; give the chip's clock",
)
def _(folder: Path) -> object:
    return survey(driver.make_request("net.tflite", "asic"), None, 0.0)


@row(
    "silicon/schedule.py:refuse_long",
    "--lanes 8: wanted fewer than 2,147,483,648 cycles, found 2,147,483,648; take more lanes, or compile for "
    "host",
)
def _(folder: Path) -> object:
    return refuse_long(8, 1 << 31)


@row(
    "silicon/choice.py:make_goal",
    "--mhz: wanted a --latency or --interval that it turns into cycles, found none; add one of them, or "
    "leave it out",
)
def _(folder: Path) -> object:
    return make_goal(None, None, 50.0, "ecp5-25k")


@row(
    "silicon/choice.py:make_goal",
    "--device: wanted lanes to choose, found --lanes 8; leave one of them out",
)
def _(folder: Path) -> object:
    return make_goal(8, None, None, "ecp5-25k")


@row(
    "silicon/choice.py:make_goal",
    "--interval: wanted a pipeline, which begins with the next input before it is done with one, found "
    "--style datapath; add --style stream, or ask for a --latency",
)
def _(folder: Path) -> object:
    return make_goal(None, None, None, None, "20us")


@row(
    "silicon/choice.py:load_estimated",
    "--device ice40-up5k: wanted an ECP5, for which the cost model knows what a chip takes, found Lattice "
    "iCE40 UltraPlus 5K, SG48; give --lanes, and see what s2c synth says",
)
def _(folder: Path) -> object:
    return make_goal(None, None, None, "ice40-up5k")


@row(
    "silicon/choice.py:take_goal",
    "--device: wanted a target that is a chip, found host, which is none; leave it out, or compile for asic",
)
def _(folder: Path) -> object:
    return take_goal("host", None, "40us", None, "ecp5-25k")


@row(
    "silicon/choice.py:choose_lanes",
    "--device tiny: wanted a chip of one lane that fits, found about 417 logic of 400; take a larger device, "
    "or a smaller net",
)
def _(folder: Path) -> object:
    capacity = {"logic": 400, "multipliers": 28, "block_rams": 56}
    device = replace(load_device("ecp5-25k"), name="tiny", capacity=capacity)
    return choose_lanes(
        plan_for_chip(single(relu(tensor("x", 3, quant=QUANT), "y"))), Goal(None, 1.0, device)
    )


@row(
    "silicon/choice.py:misses",
    "--latency: wanted 2 us or less at 1 MHz, found 21 us with 0 lanes, the fastest that fits; allow more "
    "time, a higher --mhz, or take a smaller net\n"
    "--interval: wanted 1 us or less at 1 MHz, found 3 us with 0 lanes, the fastest that fits; allow more "
    "time, a higher --mhz, or take a smaller net",
)
def _(folder: Path) -> object:
    plan = plan_for_chip(single(relu(tensor("x", 3, quant=QUANT), "y")))
    return choose_lanes(plan, Goal(2.0, 1.0, None, 1.0), "stream")


# streams


@row(
    "silicon/folding.py:choose_fold",
    "--lanes: wanted at least 2 for a pipeline, one for each layer that multiplies, found 1; give as many, "
    "or take --style datapath",
)
def _(folder: Path) -> object:
    layer = int8_dense(0.01, np.ones((2, 2), np.int8), 0)
    plan = plan_for_chip(single(replace(layer, inputs=(layer,)), *layer.inputs))
    return fold(plan, 1)


def streamed(node: Node, *inputs: Node) -> object:
    plan = plan_for_chip(single(node, *inputs))
    return make_stream(plan, [8] * len(plan.calls))


@row(
    "silicon/stream_stages.py:gather",
    "layer: wanted a movement that a stage can do, byte after byte of what it gives, with no more than a "
    "border, found one with gaps; take --style datapath",
)
def _(folder: Path) -> object:
    x = image(2, QUANT)
    return streamed(make("pad", (x,), "layer", pads=((0, 0), (0, 0), (1, 0), (0, 1)), value=0), x)


@row(
    "silicon/stream_stages.py:insert",
    "layer: wanted results that a layer writes as a whole, for a pipeline of stages, found one that is "
    "written into another; take --style datapath",
)
def _(folder: Path) -> object:
    x = image(2, QUANT)
    return streamed(make("concat", (x, relu(x, "y")), "layer", axis=3), x)


@row(
    "silicon/stream_stages.py:find_sources",
    "x: wanted outputs that a layer computes, for a pipeline of stages, found an input; take --style "
    "datapath",
)
def _(folder: Path) -> object:
    x = tensor("x", 3, quant=QUANT)
    plan = plan_for_chip(Graph((x,), (x, relu(x, "y"))))
    return make_stream(plan, [1])


@row(
    "driver.py:stage_text",
    "--stop-after: wanted one of load, fold_constants, cancel_transposes, sink_reshapes, fuse_gelu, "
    "fold_batchnorm, fuse_qdq, tabulate_functions, fuse_clamp, trim_windows, eliminate_dead_channels, lower, "
    "expand_broadcasts, order_addends, plan, emit, found link; name one of these",
)
def _(folder: Path) -> object:
    return driver.stage_text(request(), "link")


@row(
    "emit/text.py:identifier",
    "--name: wanted a C identifier of at most 40 letters, digits and underscores that no language or "
    "tool reserves, "
    "found 'int'; choose another, such as my_net",
)
def _(folder: Path) -> object:
    return identifier("int", None)


@pytest.mark.parametrize(
    "name", ["", "1a", "a-b", "a b", "a\n", "x" * 41, "_a", "s2c_a", "Test", "STDINT", "main", "caf\u00e9"]
)
def test_names_that_are_refused(name: str) -> None:
    assert repr(name) in raises(lambda: identifier(name, None))


@row(
    "extras.py:check_packages",
    "-o: wanted the Python modules jinja2, matplotlib, found no matplotlib; pip install 's2c[report]', or "
    "leave -o out",
)
def _(folder: Path) -> object:
    absent = {"jinja2": SimpleNamespace(__spec__=SimpleNamespace()), "matplotlib": None}
    with patch.dict(sys.modules, absent):
        return check_packages()


# artifacts


@row(
    "artifact.py:refuse_foreign",
    "-o {folder}: wanted a new folder, or one with nothing but what s2c compile wrote, found a, b, c ..; "
    "name another folder",
)
def _(folder: Path) -> object:
    for name in "dcba":
        (folder / name).touch()
    return artifact.refuse_foreign(folder)


def facts(stack_bytes: int, image_bytes: int) -> Any:
    return SimpleNamespace(stack_bytes=stack_bytes, image_bytes=image_bytes)


@row(
    "artifact.py:refuse_overflow",
    "kws: wanted at most 100 bytes of RAM, which cortex-m4 has, found 101 bytes of arena and stack; "
    "choose a target with more memory, or a smaller net",
)
def _(folder: Path) -> object:
    return artifact.refuse_overflow(request(ram=100), 60, facts(41, 0))


@row(
    "artifact.py:refuse_overflow",
    "kws: wanted at most 100 bytes of flash, which cortex-m4 has, found 101 bytes of code and constants; "
    "choose a target with more memory, or a smaller net",
)
def _(folder: Path) -> object:
    return artifact.refuse_overflow(request(flash=100), 60, facts(0, 101))


@row(
    "program.py:manifest_path",
    "{folder}: wanted a folder that s2c compile wrote, found no manifest in it; compile a model into it",
)
def _(folder: Path) -> object:
    return program.manifest_path(folder)


def manifest(folder: Path, text: str) -> object:
    (folder / "kws.c").touch()
    (folder / "kws.json").write_text(text)
    return program.read_manifest(folder)


@row(
    "program.py:read_manifest",
    "{folder}/kws.json: wanted a manifest that s2c compile wrote, found another file; compile the model "
    "again",
)
def _(folder: Path) -> object:
    return manifest(folder, "[]")


@row(
    "program.py:read_manifest",
    "{folder}/kws.json: wanted manifest version 3, found 0; compile the model again",
)
def _(folder: Path) -> object:
    return manifest(folder, json.dumps({"manifest_version": 0}))


def plain(dtype: str, *shape: int, name: str = "x") -> Node:
    return input_node(name, Type(shape, dtype))


@row(
    "ops/zips.py:broadcast_type",
    "layer: wanted two shapes that broadcast, found i32[2] and i32[3]; reshape one of them",
)
def _(folder: Path) -> object:
    return make("binary", (plain("i32", 2), plain("i32", 3)), "layer", function="divide")


@row(
    "ops/zips.py:infer_binary",
    "layer: wanted operands of one dtype, found i32[2] and i64[2]; cast one of them",
)
def _(folder: Path) -> object:
    return make("binary", (plain("i32", 2), plain("i64", 2)), "layer", function="less")


@row("ops/zips.py:infer_binary", "layer: wanted operands of pow of one of f32, found i32[2]; cast them")
def _(folder: Path) -> object:
    return make("binary", (plain("i32", 2), plain("i32", 2)), "layer", function="pow")


@row(
    "ops/zips.py:refuse_unsigned", "layer: wanted signed operands of divide, found u64[2]; cast them to int64"
)
def _(folder: Path) -> object:
    return make("binary", (plain("u64", 2), plain("u64", 2)), "layer", function="divide")


@row(
    "ops/select.py:infer_select",
    "layer: wanted a bool condition and two operands of one dtype, found i32[2], f32[2] and f32[2]; cast the "
    "operands",
)
def _(folder: Path) -> object:
    return make("where", (plain("i32", 2), plain("f32", 2), plain("f32", 2)), "layer")


@row(
    "ops/select.py:infer_select",
    "layer: wanted three shapes that broadcast, found bool[2], f32[3] and f32[1]; reshape one of them",
)
def _(folder: Path) -> object:
    return make("where", (plain("bool", 2), plain("f32", 3), plain("f32", 1)), "layer")


@row(
    "ops/reduction.py:infer_reduce",
    "layer: wanted different axes of f32[2,3], found [0, 0]; check the layer's axes",
)
def _(folder: Path) -> object:
    return make("reduce", (plain("f32", 2, 3),), "layer", function="sum", axes=(0, 0), keepdims=True)


@row(
    "ops/reduction.py:infer_reduce",
    "layer: wanted a mean of float32, found i32[2]; cast the input to float32",
)
def _(folder: Path) -> object:
    return make("reduce", (plain("i32", 2),), "layer", function="mean", axes=(0,), keepdims=True)


@row(
    "ops/index.py:infer_gather_constant",
    "layer: wanted indices of 0 to 2, found 1 to 3; check the layer's indices",
)
def _(folder: Path) -> object:
    return make("gather_constant", (plain("f32", 3),), "layer", axis=0, index=np.array([1, 3]))


@row("ops/index.py:infer_tile", "layer: wanted 2 repeats of at least 1, found [2]; check the layer")
def _(folder: Path) -> object:
    return make("tile", (plain("f32", 2, 3),), "layer", repeats=(2,))


@row(
    "ops/batch_matmul.py:infer_batch_matmul",
    "layer: wanted two stacks of as many matrices, of which the first have as many columns as the second "
    "rows, found f32[1,2,3] and f32[1,4,5]; check the layer's shapes",
)
def _(folder: Path) -> object:
    return make("batch_matmul", (plain("f32", 1, 2, 3), plain("f32", 1, 4, 5)), "layer", transpose=False)


@row(
    "layers/onehot.py:wrapped_array",
    "layer: wanted indices of -5 to 4, found 0 to 7; check the layer's indices",
)
def _(folder: Path) -> object:
    return onehot.wrapped_array(np.array([0, 7]), 5, "layer")


@row(
    "layers/onehot.py:depth_of",
    "layer: wanted indices whose last axis has 1 to 2 columns, found i64[4,3]; check the layer's indices",
)
def _(folder: Path) -> object:
    return onehot.gather_nd(plain("f32", 5, 6), plain("i64", 4, 3), 0, "layer")


@row(
    "layers/onehot.py:gather_nd",
    "layer: wanted indices behind the batch axes of f32[5,6], found i64[4,1] with 1 batch axes; check the "
    "layer's indices",
)
def _(folder: Path) -> object:
    return onehot.gather_nd(plain("f32", 5, 6), plain("i64", 4, 1), 1, "layer")


@row("layers/onehot.py:scatter_nd", "layer: wanted updates [4, 6], found f32[3,6]; check the layer's updates")
def _(folder: Path) -> object:
    return onehot.scatter_nd(plain("f32", 5, 6), plain("i64", 4, 1), plain("f32", 3, 6), "none", "layer")


@row("layers/pooling.py:power", "layer: wanted a p of 1 to 64, found 1099511627776; check the layer's p")
def _(folder: Path) -> object:
    return pooling.power(plain("f32", 3), 1 << 40, "layer")


@row(
    "layers/limits.py:check_rounds",
    "layer: wanted at most 4096 things, each of which becomes calls of its own, found 5000; split the layer",
)
def _(folder: Path) -> object:
    return limits.check_rounds(5000, "things", "layer")


@row(
    "layers/limits.py:check_constants",
    "layer: wanted a table of at most 67108864 elements, found 67108865; split the layer",
)
def _(folder: Path) -> object:
    return limits.check_constants((1 << 26) + 1, "a table", "layer")


def cached() -> Graph:
    """y and next of x and cache."""
    x, cache = plain("f32", 2), plain("f32", 2, name="cache")
    y, following = make("add", (x, cache), "y"), make("add", (cache, cache), "next")
    return Graph((x, cache), (y, following))


@row("state.py:pair_problems", "--state c=next: wanted an input (x, cache), found c; correct the name")
def _(folder: Path) -> object:
    return keep_states(cached(), {"c": "next"})


@row("state.py:pair_problems", "--state cache=z: wanted an output (y, next), found z; correct the name")
def _(folder: Path) -> object:
    return keep_states(cached(), {"cache": "z"})


@row(
    "state.py:pair_problems",
    "--state x=next: wanted an input and an output of one type, found f32[3] and f32[2]; pair others",
)
def _(folder: Path) -> object:
    graph = cached()
    return keep_states(replace(graph, inputs=(plain("f32", 3), graph.inputs[1])), {"x": "next"})


@row("state.py:repeated", "--state next: wanted one input for each output, found several; pair others")
def _(folder: Path) -> object:
    return keep_states(cached(), {"x": "next", "cache": "next"})


@row(
    "state.py:keep_states",
    "--state: wanted an output besides the states, found none; leave one output to read",
)
def _(folder: Path) -> object:
    return keep_states(cached(), {"x": "y", "cache": "next"})


@row("state.py:last_pairs", "--states: wanted at most 1 states, found 2; count the inputs that are caches")
def _(folder: Path) -> object:
    return last_pairs(cached(), 2)


INPUTS = {"inputs": [{"name": "x", "shape": [1, 2], "dtype": "f32"}]}


@row("program.py:checked_inputs", "inputs: wanted 1 arrays, found 0; give one array for each input, in order")
def _(folder: Path) -> object:
    return program.checked_inputs(INPUTS, ())


@row("program.py:checked_inputs", "input x: wanted f32[1, 2], found float64[2]; reshape or convert the array")
def _(folder: Path) -> object:
    return program.checked_inputs(INPUTS, (np.zeros(2),))


# targets


@row(
    "target.py:load_target",
    "--target: wanted one of aarch64, asic, cortex-m33, cortex-m4, cortex-m7, host, x86-64-v2, "
    "x86-64-v3, x86-64-v4, found m4; name one of these",
)
def _(folder: Path) -> object:
    return load_target("m4")


@row("target.py:refuse_missing", "target host: wanted all its tools, found a; b; install what is missing")
def _(folder: Path) -> object:
    return refuse_missing(load_target("host"), ["a", "b"])


@row(
    "process.py:start",
    "{folder}/kws.elf: wanted an image that runs on host, found No such file or directory; compile the model "
    "again",
)
def _(folder: Path) -> object:
    return Process.start(load_target("host"), Image(folder / "kws.elf", folder / "kws.o", ""))


# the arguments of s2c.compile


@row(
    "__init__.py:refuse_arguments",
    "model: wanted the path of a file, or a torch module, found bytes; write the model to a file",
)
def _(folder: Path) -> object:
    return s2c.compile(b"model")  # type: ignore[arg-type]


@row(
    "__init__.py:refuse_arguments",
    "example_inputs: wanted none for a file, which has its own, found tuple; leave them out",
)
def _(folder: Path) -> object:
    return s2c.compile("net.onnx", example_inputs=())


@row(
    "__init__.py:refuse_arguments",
    "example_inputs: wanted inputs of the module, found none; give a tuple of tensors",
)
def _(folder: Path) -> object:
    """A class of our own stands for torch.nn.Module: torch takes a second to import."""
    with patch.dict(sys.modules, torch=SimpleNamespace(nn=SimpleNamespace(Module=SimpleNamespace))):
        return s2c.compile(SimpleNamespace())


@row(
    "__init__.py:refuse_arguments",
    "dims: wanted a dict by name, found 'n=1'; write dims={\"name\": value}",
)
def _(folder: Path) -> object:
    return s2c.compile("net.onnx", dims="n=1")  # type: ignore[arg-type]


@row(
    "__init__.py:refuse_arguments",
    "dims n: wanted a size of at least 1, found '2'; give an integer, as in dims={\"batch\": 1}\n"
    'dims m: wanted a size of at least 1, found 0; give an integer, as in dims={"batch": 1}',
)
def _(folder: Path) -> object:
    return s2c.compile("net.onnx", dims={"n": "2", "m": 0, "k": np.int64(3)})  # type: ignore[dict-item]


@row(
    "__init__.py:refuse_arguments", "consts x: wanted a numpy array, found list; convert it with numpy.array"
)
def _(folder: Path) -> object:
    return s2c.compile("net.onnx", consts={"x": [1]})  # type: ignore[dict-item]


@row(
    "__init__.py:refuse_goals",
    'interval: wanted a time with its unit, found 5; write interval="40us"\n'
    'latency: wanted a time with its unit, found 2.5; write latency="40us"',
)
def _(folder: Path) -> object:
    flags: dict[str, Any] = {"style": "stream", "interval": 5, "latency": 2.5}
    return s2c.compile("net.onnx", "asic", **flags)


@row("__init__.py:refuse_goals", "lanes: wanted an integer, found 4.0; write lanes=8")
def _(folder: Path) -> object:
    return s2c.compile("net.onnx", "asic", lanes=4.0)  # type: ignore[arg-type]


@row(
    "build.py:run_all",
    "kws: wanted exit status 0 from: sh -c 'echo no; exit 3', found 3\nno\n; "
    "a net that does not fit the target's memory or a --cc that lacks a flag ends like this",
)
def _(folder: Path) -> object:
    return run_all("kws", [["sh", "-c", "echo no; exit 3"]])


# chips


@row(
    "silicon/devices.py:load_device",
    "--device: wanted one of ecp5-25k, ecp5-85k, ice40-up5k, generic, found ecp5; name one of these",
)
def _(folder: Path) -> object:
    return load_device("ecp5")


@row(
    "silicon/memory.py:refuse_too_many_bits",
    "kws: wanted at most 5,255,736 bits of memory for ecp5-85k, even if all its logic were memory, found "
    "5,255,744 in ROMs and arena; take a smaller net",
)
def _(folder: Path) -> object:
    device, arena_bytes = load_device("ecp5-85k"), 5_255_680 // 8
    refuse_too_many_bits(folder, "kws", arena_bytes, device)
    (folder / "kws.weights.hex").write_text("00\nff\n" * 4)
    refuse_too_many_bits(folder, "kws", arena_bytes, load_device("generic"))
    return refuse_too_many_bits(folder, "kws", arena_bytes, device)


@row(
    "silicon/devices.py:find_commands",
    "--device ice40-up5k: wanted yosys, nextpnr-ice40 and icepack on the path, or from pip, found no yosys "
    "and no nextpnr-ice40 and no icepack; pip install 's2c[silicon]'",
)
def _(folder: Path) -> object:
    with patch("shutil.which", lambda program, path=None: None):
        return find_commands(DEVICES["ice40-up5k"])


@pytest.mark.parametrize(
    ("where", "message", "build"), ROWS, ids=[f"{index}-{each[0]}" for index, each in enumerate(ROWS)]
)
def test_message(where: str, message: str, build: Build, tmp_path: Path) -> None:
    assert raises(lambda: build(tmp_path)) == message.replace("{folder}", str(tmp_path))


def test_an_artifact_may_be_replaced(tmp_path: Path) -> None:
    for name in ("kws.c", "kws.h", "kws.json", "main.c", "CMakeLists.txt", BUILD):
        (tmp_path / name).touch()
    artifact.refuse_foreign(tmp_path)
    artifact.refuse_foreign(tmp_path / "new")


def test_no_op_is_evaluated_without_a_value() -> None:
    """What we got wrong is an AssertionError with its values."""
    x = image()
    with pytest.raises(AssertionError, match="input x has no value of its own"):
        OPS["input"].eval(x)
