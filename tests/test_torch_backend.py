"""torch.compile with s2c's backend: equal to torch, compiled anew when weights change, never torch itself."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch_modules import make_inputs, make_module  # noqa: E402

from s2c.errors import CompileError  # noqa: E402
from s2c.torch_backend import compile_graph  # noqa: E402

pytestmark = pytest.mark.build


@pytest.fixture(autouse=True)
def fresh() -> Any:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compiled(module: Any) -> Any:
    return torch.compile(module, backend=compile_graph, dynamic=False)


def assert_close(a: Any, b: Any) -> None:
    assert a.dtype == b.dtype
    torch.testing.assert_close(a.float(), b.float(), rtol=0, atol=1e-4 * float(b.float().abs().max()))


def test_outputs_and_new_weights() -> None:
    module, inputs = make_module("gru"), make_inputs("gru")
    function = compiled(module)
    with torch.no_grad():
        for factor in (1.0, 0.5):
            module.head.weight.mul_(factor)
            for found, wanted in zip(function(*inputs), module(*inputs), strict=True):
                assert_close(found, wanted)


def test_each_shape_and_dtype_has_its_program() -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.Tanh()).eval()
    for dtype in (torch.float32, torch.bfloat16):
        module = module.to(dtype)
        function = compiled(module)
        for rows in (2, 3):
            x = torch.linspace(-1, 1, 4 * rows).reshape(rows, 4).to(dtype)
            found = function(x)
            assert found.dtype == dtype and not found.requires_grad
            torch.testing.assert_close(found.float(), module(x).float(), rtol=0.01, atol=0.01)


def refusal(module: Any, x: Any, dynamic: bool = False) -> str:
    function = torch.compile(module, backend=compile_graph, dynamic=dynamic)
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed) as caught:
        function(x)
    assert isinstance(caught.value.inner_exception, CompileError)
    return str(caught.value.inner_exception)


def test_what_cannot_be_compiled_is_refused() -> None:
    class Gamma(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.lgamma(x)

    found = refusal(Gamma(), torch.ones(4))
    assert found.startswith("lgamma: wanted an ATen op that s2c reads, found aten.lgamma.default at")
    assert "test_torch_backend.py" in found and "return torch.lgamma(x)" in found


def test_sizes_that_change_are_refused() -> None:
    found = refusal(nn.Linear(4, 3).eval(), torch.ones(2, 4), dynamic=True)
    assert found.endswith(
        ": wanted tensors of fixed shape as inputs, found a size or a number that may change; compile with "
        "torch.compile(model, backend='s2c', dynamic=False)"
    )


def test_training_is_refused() -> None:
    found = refusal(nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)).train(), torch.ones(2, 4))
    assert found == "1: wanted dropout for inference, found dropout that trains; call module.eval()"
