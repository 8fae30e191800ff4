"""What least squares fits weights on: what a contraction's weights meet at some of its positions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graphs import floats, seeded, single, tensor

torch = pytest.importorskip("torch")

from s2c.ops import make  # noqa: E402
from s2c.train.module import GraphModule  # noqa: E402
from s2c.train.refit import POSITIONS, Places, patches, results  # noqa: E402

NONE, SAME = ((0, 0), (0, 0)), ((1, 1), (1, 1))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "pads"),
    [
        ((3, 3), (1, 1), (1, 1), SAME),
        ((3, 2), (2, 1), (1, 2), ((0, 1), (2, 0))),
        ((1, 1), (2, 2), (1, 1), NONE),
        ((5, 3), (1, 3), (2, 1), ((4, 4), (3, 0))),
        ((1, 9), (1, 1), (1, 1), ((0, 0), (4, 4))),
    ],
)
def test_rows_times_weights_are_the_results(
    batch: int, kernel: tuple[int, int], stride: Any, dilation: Any, pads: Any
) -> None:
    x = tensor("x", batch, 11, 12, 3)
    weight, bias = floats(seeded(0), 4, *kernel, 3), np.zeros(4, np.float32)
    attrs = {"stride": stride, "dilation": dilation, "pads": pads, "groups": 1}
    node = make("conv2d", (x,), "c", weight=weight, bias=bias, **attrs)
    module, places = GraphModule(single(node, x)), Places(1).of(node)
    assert len(places) == min(POSITIONS, node.type.size // 4)
    samples = torch.from_numpy(floats(seeded(1), 5, batch, 11, 12, 3))
    found = patches(node, samples, places) @ torch.from_numpy(weight.reshape(4, -1).T.copy())
    wanted = results(module, node, samples, places).detach()
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), 1e-5, 1e-5)


def test_of_a_dense_layer() -> None:
    x = tensor("x", 1, 3, 6)
    weight = floats(seeded(0), 2, 6)
    node = make("dense", (x,), "d", weight=weight, bias=np.zeros(2, np.float32))
    module, places = GraphModule(single(node, x)), Places(0).of(node)
    samples = torch.from_numpy(floats(seeded(1), 5, 1, 3, 6))
    found = patches(node, samples, places) @ torch.from_numpy(weight.T.copy())
    wanted = results(module, node, samples, places).detach()
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), 1e-5, 1e-5)
