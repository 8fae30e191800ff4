"""Public weights through their public architectures: compiled for the host and equal to torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nets import data

torch = pytest.importorskip("torch")

from public_nets import PUBLIC  # noqa: E402

import s2c  # noqa: E402
from s2c.readers.torch import write_module  # noqa: E402

TOLERANCE = 1e-4
RUNS = 3
IMAGES = 200
LEAST_ACCURACY = 0.88  # of IMAGES; 91.5 % of the first 1,000
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.build
@pytest.mark.parametrize("name", PUBLIC)
def test_equals_torch(name: str, tmp_path: Path) -> None:
    make, shape = PUBLIC[name]
    module = make()
    source = np.random.default_rng(0)
    with s2c.compile(write_module(module, [torch.zeros(shape)], tmp_path)) as program:
        for _ in range(RUNS):
            x = source.normal(size=shape).astype(np.float32)
            with torch.no_grad():
                wanted = module(torch.tensor(x))
            found = program(x)
            pairs = zip(
                *(each if isinstance(each, tuple) else (each,) for each in (wanted, found)), strict=True
            )
            for a, b in pairs:
                np.testing.assert_allclose(b, a.numpy(), 0, TOLERANCE * float(a.abs().max()))


@pytest.mark.build
def test_resnet20_knows_the_pictures(tmp_path: Path) -> None:
    make, shape = PUBLIC["pytorch_resnet_cifar10/resnet20-12fca82f.th"]
    stored = np.load(data("cifar10/cifar10_test_0000_0999.npz"))
    images = ((stored["x"][:IMAGES] / 255 - MEAN) / DEVIATION).astype(np.float32).transpose(0, 3, 1, 2)
    with s2c.compile(write_module(make(), [torch.zeros(shape)], tmp_path)) as program:
        found = [int(np.argmax(program(np.ascontiguousarray(each[None])))) for each in images]
    assert np.mean(found == stored["y"][:IMAGES]) >= LEAST_ACCURACY


def test_gomoku_sees_a_row_of_three() -> None:
    """Three stones in a row ask for the fourth, at one of its two ends. Planes lie upside down: their row 2
    is row 3 of the moves."""
    make, shape = PUBLIC["alphazero_gomoku/best_policy_6_6_4.model"]
    board = torch.zeros(shape)
    board[0, 0, 2, 1:4] = 1
    board[0, 1, 0, 0] = board[0, 1, 5, 0] = board[0, 1, 5, 5] = 1
    board[0, 2, 5, 5] = 1
    board[0, 3] = 1
    with torch.no_grad():
        policy, value = make()(board)
    best = policy[0].argsort(descending=True)[:2].tolist()
    assert sorted(best) == [3 * 6, 3 * 6 + 4] and float(value) > 0.5


def test_ultraface_equals_its_export() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    path = data("ultraface/version-slim-320_without_postprocessing.onnx")
    make, shape = PUBLIC["ultraface/version-slim-320.pth"]
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    wanted = onnxruntime.InferenceSession(str(path), options).run(None, {"input": x})
    with torch.no_grad():
        found = make()(torch.tensor(x))
    for a, b in zip(wanted, found, strict=True):
        np.testing.assert_allclose(b.numpy(), a, 0, TOLERANCE * float(np.abs(a).max()))
