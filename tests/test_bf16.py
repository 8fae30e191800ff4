"""--precision bf16: what is rounded, by how much it moves a net, and who refuses it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from feature_sets import NATIVE
from graphs import raises
from onnx import helper
from onnx_models import model_of

import s2c
from s2c import oracle
from s2c.driver import compile_model, make_request
from s2c.frames.x86 import like
from s2c.ops.bfloat16 import to_bfloat16
from s2c.verify import verify

needs_bf16 = pytest.mark.skipif("bf16" not in NATIVE.features, reason="this processor lacks AVX512-BF16")
EIGHT_BITS = 2.0**-8


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A first layer of 3 channels, a 3x3 one that is filtered, a strided and a 1x1 one."""
    source = np.random.default_rng(0)

    def weight(*shape: int) -> np.ndarray:
        return (source.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "filtered"], ["b"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["b", "strided"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Conv", ["d", "point"], ["y"]),
    ]
    consts = {
        "first": weight(16, 3, 3, 3),
        "filtered": weight(16, 16, 3, 3),
        "strided": weight(32, 16, 3, 3),
        "point": weight(40, 32, 1, 1),
    }
    path = tmp_path_factory.mktemp("bf16") / "net.onnx"
    path.write_bytes(model_of(nodes, {"x": (1, 3, 16, 16)}, consts))
    return path


def test_rounding_is_to_nearest_even() -> None:
    one, step = 1.0, 2.0**-7
    cases = {
        one + step / 2: one,
        one + 3 * step / 2: one + 2 * step,
        one + step / 2 + 2.0**-20: one + step,
        -one - 3 * step / 2: -one - 2 * step,
        3.3961775e38: np.inf,  # above the largest by half a step
        3.3895314e38: 3.3895314e38,
        1e-39: 0.0,  # a subnormal
        np.inf: np.inf,
        -np.inf: -np.inf,
    }
    given = np.array(list(cases), np.float32)
    assert to_bfloat16(given).tolist() == np.array(list(cases.values()), np.float32).tolist()
    assert np.isnan(to_bfloat16(np.array([np.nan], np.float32))).all()
    hidden = np.array([0x7F800001], np.uint32).view(np.float32)  # a NaN of low bits alone
    assert np.isnan(to_bfloat16(hidden)).all()


@needs_bf16
def test_what_gains_is_rounded(model: Path) -> None:
    plan = compile_model(make_request(model, "host", precision="bf16")).plan
    kernels = [call.kernel.name for call in plan.calls]
    contractions = [each for each in kernels if "matmul" in each]
    assert contractions == [
        "window_matmul_f32.vector",  # of an odd number of channels
        "window_matmul_f32.winograd",
        "window_matmul_bf16_f32",
        "matmul_bf16_f32",
    ]


@needs_bf16
@pytest.mark.build
def test_a_net_moves_by_what_rounding_explains(model: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(1, 3, 16, 16)).astype(np.float32)
    with s2c.compile(model) as program:
        exact = program(x)
    with s2c.compile(model, precision="bf16") as program:
        folder = program.save(tmp_path / "net")
        found = program(x)
    wanted = oracle.run(compile_model(make_request(model, "host", precision="bf16")).reference, x)[0]
    largest = np.abs(exact).max()
    assert np.abs(found - wanted).max() <= 1e-5 * largest
    assert 1e-5 * largest < np.abs(found - exact).max() <= 2 * EIGHT_BITS * largest
    assert json.loads((folder / "net.json").read_text())["flags"]["precision"] == "bf16"
    assert not [claim for claim in verify(folder).claims if claim.status == "failed"]


def test_targets_without_it_and_other_names_are_refused(model: Path) -> None:
    assert raises(lambda: make_request(model, "x86-64-v3", precision="bf16")) == (
        "--precision: wanted a target with bf16 instructions, found x86-64-v3, which has none here; "
        "leave it out, or compile for host on a processor with AVX512-BF16"
    )
    assert raises(lambda: make_request(model, "host", precision="f16")) == (
        "--precision: wanted one of f32, bf16, found f16; name one of these"
    )


def test_instructions_that_the_disassembler_lacks_are_read_as_others() -> None:
    """vdpbf16ps zmm0, zmm1, [rsp + 64] as vpdpbusd, which is as long; nothing else is touched."""
    text = bytes.fromhex("62f276485244240190")
    assert like(text) == bytes.fromhex("62f275485044240190")
    assert like(bytes.fromhex("62f276485344240190")) is None
    assert like(b"\x90" * 8) is None
    assert like(text[:4]) is None
