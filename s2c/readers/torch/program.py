"""A torch module to an exported program, and that to the core ATen ops that the readers know."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram, default_decompositions, export

from s2c.errors import error
from s2c.readers import WHOLE_MODEL

aten: Any = torch.ops.aten

# What the readers take as it is, since less is left of it once it is decomposed.
KEPT: tuple[Any, ...] = (
    aten._upsample_bicubic2d_aa.vec,
    aten._upsample_bilinear2d_aa.vec,
    aten._upsample_nearest_exact1d.vec,
    aten._upsample_nearest_exact2d.vec,
    aten._upsample_nearest_exact3d.vec,
    aten.gru.input,
    aten.hardsigmoid.default,
    aten.hardswish.default,
    aten.linear.default,
    aten.log_sigmoid_forward.default,
    aten.lstm.input,
    aten.matmul.default,
    aten.max_unpool2d.default,
    aten.max_unpool3d.default,
    aten.mish.default,
    aten.prelu.default,
    aten.rms_norm.default,
    aten.rnn_relu.input,
    aten.rnn_tanh.input,
    aten.scaled_dot_product_attention.default,
    aten.silu.default,
    aten.softplus.default,
    aten.threshold.default,
    aten.upsample_bicubic2d.vec,
    aten.upsample_bilinear2d.vec,
    aten.upsample_linear1d.vec,
    aten.upsample_nearest1d.vec,
    aten.upsample_nearest2d.vec,
    aten.upsample_nearest3d.vec,
    aten.upsample_trilinear3d.vec,
)


def export_module(module: nn.Module, inputs: tuple[Any, ...]) -> ExportedProgram:
    """torch.export of a module in evaluation mode; it is left in the mode that it was in."""
    if not isinstance(module, nn.Module):
        raise error(WHOLE_MODEL, "a torch.nn.Module", type(module).__name__, "wrap the function in a module")
    training = {each for each in module.modules() if each.training}
    try:
        with quiet(), torch.no_grad():
            return export(module.eval(), tuple(inputs))
    except Exception as problem:
        raise error(
            WHOLE_MODEL,
            "a module that torch.export can trace with these inputs",
            f"{type(problem).__name__}: {first_line(problem)}",
            "make torch.export.export(module.eval(), inputs) work first",
        ) from problem
    finally:
        for each in training:
            each.training = True


def decompose(program: ExportedProgram) -> ExportedProgram:
    """In core ATen ops and those of KEPT, without ops in place."""
    table = default_decompositions()
    for op in KEPT:
        table.pop(op, None)
    with quiet(), torch.no_grad():
        return program.run_decompositions(table)


def first_line(problem: BaseException) -> str:
    return next((line.strip() for line in str(problem).splitlines() if line.strip()), "no message")


@contextmanager
def quiet() -> Iterator[None]:
    """torch warns of its own internals while it exports, and logs the errors that it raises."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
