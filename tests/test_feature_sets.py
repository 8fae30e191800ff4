"""Nets and kernels on every feature set: x86-64 by levels where this processor has them, Arm under QEMU."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from feature_sets import SETS
from graphs import lowered, random_arrays, same_values, seeded, tensor
from nets import data
from test_kernels import BUILDERS, joined, unary, wide_layers

import s2c
from s2c import oracle, processor
from s2c.artifact import GOLDEN
from s2c.build import build
from s2c.driver import kernels_of
from s2c.emit.c_family import emit_source
from s2c.emit.c_header import emit_header
from s2c.emit.project import emit_net_header
from s2c.ir import Graph
from s2c.ops.functions import FUNCTIONS
from s2c.plan import make_plan
from s2c.process import Process
from s2c.target import load_target, missing_tools

pytestmark = pytest.mark.build

TARGETS = ("x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64")
INT8 = {
    "ad01": "mlperf_tiny/ad01_int8.tflite",
    "kws": "mlperf_tiny/kws_ref_model.tflite",
    "resnet8": "mlperf_tiny/pretrainedResnet_quant.tflite",
    "sww": "mlperf_tiny/str_ww_ref_model.tflite",
}
FLOAT = {"kws": "bench_nets/kws.onnx", "resnet8": "bench_nets/resnet8.onnx"}


def why_not(name: str) -> str | None:
    """What images of a target need and this machine lacks."""
    target = load_target(name)
    if missing := missing_tools(target):
        return "; ".join(missing)
    if target.emulated:
        return None
    lacking = SETS[name].needs - processor.processor_flags()
    return f"this processor lacks {', '.join(sorted(lacking))}" if lacking else None


def need_target(name: str) -> None:
    if reason := why_not(name):
        pytest.skip(reason)


def test_kernels_are_tested_with_what_targets_list() -> None:
    for name in ("x86-64-v2", "x86-64-v3", "x86-64-v4"):
        target = load_target(name)
        assert (SETS[name].features, SETS[name].vectors) == (target.features, target.vectors)
        assert set(SETS[name].flags) <= set(target.compilers["other"].flags)


# whole nets


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("net", INT8)
def test_int8_nets_equal_the_oracle_to_the_bit(net: str, name: str) -> None:
    need_target(name)
    with s2c.compile(data(INT8[net]), name) as program, np.load(program.folder / GOLDEN) as goldens:
        counts = set()
        for array, wanted in zip(goldens["input_0"], goldens["output_0"], strict=True):
            np.testing.assert_array_equal(program(array), wanted)
            counts.add(program.counters.get("instructions"))
    assert len(counts) == 1


@cache
def float_outputs(net: str, name: str, reproducible: bool) -> bytes:
    with (
        s2c.compile(data(FLOAT[net]), name, reproducible=reproducible) as program,
        np.load(program.folder / GOLDEN) as goldens,
    ):
        assert program.manifest["flags"]["reproducible"] == reproducible
        found = [program(array) for array in goldens["input_0"]]
        for each, wanted in zip(found, goldens["output_0"], strict=True):
            assert same_values([wanted], [each])
    return np.stack(found).tobytes()


@pytest.mark.parametrize("net", FLOAT)
def test_reproducible_floats_have_the_same_bits(net: str) -> None:
    names = [name for name in TARGETS if why_not(name) is None]
    assert "x86-64-v2" in names or "aarch64" in names
    assert len({float_outputs(net, name, reproducible=True) for name in names}) == 1


def test_other_floats_have_not(tmp_path: Path) -> None:
    """What the test above would see: x86-64-v2 rounds each product, x86-64-v3 does not."""
    need_target("x86-64-v3")
    found = {float_outputs("kws", name, reproducible=False) for name in ("x86-64-v2", "x86-64-v3")}
    assert len(found) == 2


# kernels


def layers(dtype: str) -> Graph:
    """One of each kind, and those that are wide enough for whole tiles."""
    nodes = [make(seeded(17 + index), dtype) for index, (make, _) in enumerate(BUILDERS.values())]
    functions = [unary(name, tensor("x", 3, 21)) for name in sorted(FUNCTIONS)] if dtype == "f32" else []
    return joined([*nodes, *wide_layers(seeded(7), dtype), *functions])


def run_layers(name: str, dtype: str, folder: Path) -> tuple[np.ndarray, ...]:
    """The outputs of all layers in one image, built without a warning."""
    target, graph = load_target(name), layers(dtype)
    plan = make_plan(lowered(graph), kernels_of(target), target.vectors)
    sources: Mapping[str, str] = {
        "net.c": emit_source(plan, "net", "t", "c", checks_processor=True, reproducible=True),
        "net.h": emit_header(plan, "net", "t", checks_processor=True),
    }
    for path, text in sources.items():
        (folder / path).write_text(text)
    (folder / "build").mkdir()
    (folder / "build" / "net.h").write_text(emit_net_header(plan, "net", checks_processor=True))
    image = build(target, folder, "net", folder / "build")
    assert image.warnings == ""
    arrays = random_arrays(graph)
    size = sum(node.type.bytes for node in graph.outputs)
    with Process.start(target, image) as process:
        raw, _ = process.run(b"".join(each.tobytes() for each in arrays), size)
    found = []
    for node in graph.outputs:
        found.append(np.frombuffer(raw[: node.type.bytes], node.type.numpy).reshape(node.type.shape))
        raw = raw[node.type.bytes :]
    with np.errstate(all="ignore"):
        assert same_values(oracle.run(graph, *arrays), found)
    return tuple(found)


def test_int8_layers_on_arm(tmp_path: Path) -> None:
    """Those of x86-64 are in test_kernels.py."""
    need_target("aarch64")
    run_layers("aarch64", "i8", tmp_path)


def test_reproducible_layers_have_the_same_bits(tmp_path: Path) -> None:
    """But for what a NaN carries, which processors choose."""
    results = {}
    for name in TARGETS:
        if why_not(name) is None:
            (tmp_path / name).mkdir()
            results[name] = run_layers(name, "f32", tmp_path / name)
    first, *others = results.values()
    for node, *found in zip(layers("f32").outputs, first, *others, strict=True):
        for name, each in zip(results, found, strict=True):
            np.testing.assert_array_equal(each, found[0], f"{node.layer} on {name}")
            finite = np.isfinite(each)
            assert each[finite].tobytes() == found[0][finite].tobytes(), f"zeros of {node.layer} on {name}"
