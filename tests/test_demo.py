"""The demo: what it ships, what its training computes, and what a newcomer sees."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest

import s2c

pytestmark = pytest.mark.build

DEMO = Path(__file__).resolve().parent.parent / "demo"
LEAST_RIGHT = 0.97
PATHS = ("  .venv", "Written to ")  # lines that hold some, of whatever length


@pytest.fixture(scope="module")
def train() -> ModuleType:
    for module in ("onnxruntime", "sklearn"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install 's2c[dev,reference]'")
    spec = importlib.util.spec_from_file_location("train", DEMO / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("net", ["digits", "digits_int8"])
def test_net_reads_digits(net: str) -> None:
    with np.load(DEMO / "digits_test.npz") as data, s2c.compile(DEMO / f"{net}.onnx") as program:
        answers = [np.argmax(program(image)) for image in data["x"]]
        assert np.mean(np.array(answers) == data["y"]) >= LEAST_RIGHT


def test_files_come_from_the_script(train: ModuleType) -> None:
    """All but the weights, which take seconds to train and depend on the processor's arithmetic."""
    x, y, test, rest = train.load_split(np.random.default_rng(train.SEED))
    for part, chosen in (("train", rest), ("test", test)):
        with np.load(DEMO / f"digits_{part}.npz") as data:
            assert np.array_equal(data["x"], x[chosen, None])
            assert np.array_equal(data["y"], y[chosen])
    assert sorted([*test, *rest]) == list(range(len(x)))
    shipped = onnx.load(DEMO / "digits.onnx")
    weights = {each.name: onnx.numpy_helper.to_array(each) for each in shipped.graph.initializer}
    assert train.onnx_model(weights) == shipped


def test_gradient_is_the_slope_of_the_loss(train: ModuleType) -> None:
    """Central differences along one random direction, in float64."""
    source = np.random.default_rng(3)
    weights = {name: value.astype(np.float64) for name, value in train.initial_weights(source).items()}
    x, y = source.random((4, 1, 8, 8)), np.array([0, 3, 9, 3])
    direction = {name: source.normal(size=value.shape) for name, value in weights.items()}
    _, gradients = train.loss_and_gradients(weights, x, y)
    slope = sum(float((gradients[name] * direction[name]).sum()) for name in weights)
    step = 1e-6
    ahead, behind = (
        train.loss_and_gradients(
            {name: weights[name] + sign * step * direction[name] for name in weights}, x, y
        )[0]
        for sign in (1, -1)
    )
    assert slope == pytest.approx((ahead - behind) / (2 * step), rel=1e-4)


def test_newcomer_sees_tables(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install 's2c[torch]'")
    columns = 80
    done = subprocess.run(
        [sys.executable, str(DEMO / "demo.py"), "--out", str(tmp_path / "out")],
        env={**os.environ, "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert not [line for line in lines if len(line.rstrip()) > columns and not line.startswith(PATHS)]
    start = next(index for index, line in enumerate(lines) if line.startswith("net "))
    rows = [line.split() for line in lines[start + 1 : start + 5]]
    assert [row[:2] for row in rows] == [
        ["float32", "host"],
        ["float32", "cortex-m4"],
        ["int8", "host"],
        ["int8", "cortex-m4"],
    ]
    assert [" ".join(row[-3:]) for row in rows if row[1] == "cortex-m4"] == ["bits, RAM, instr."] * 2
    assert [" ".join(row[-2:]) for row in rows if row[1] == "host"] == ["bits, RAM"] * 2
    swept = [line.split() for line in lines if line.startswith("width ")]
    assert [row[:3] for row in swept] == 2 * [["width", width, "f32"] for width in ("1", "0.5", "0.25")]
    right = [float(row[3].removesuffix("%")) for row in swept]
    assert right[0] >= 100 * LEAST_RIGHT and right[1] >= right[0] - 3 and right[2] >= right[0] - 10, right
