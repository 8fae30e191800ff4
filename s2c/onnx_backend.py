"""ONNX's interface of backends: an ONNX model to a program for this machine, and to its outputs."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep, namedtupledict
from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

import s2c
from s2c.errors import CompileError, error
from s2c.program import Program


class RefusedModel(CompileError, BackendIsNotSupposedToImplementIt):
    """A model that s2c does not compile: two bases, so that onnx's own runner counts its test as skipped."""


class ProgramRep(BackendRep):
    """What prepare returns; a class because onnx asks for one."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def run(self, inputs: Sequence[Any], **kwargs: Any) -> tuple[Any, ...]:
        """The outputs, also by name, for one array for each input in the model's order.

        Raises CompileError for arrays of another shape or dtype than the model declares.
        """
        found = self.program(*(np.asarray(each) for each in inputs))
        outputs = found if isinstance(found, tuple) else (found,)
        names = [each["name"] for each in self.program.manifest["outputs"]]
        return namedtupledict("Outputs", names)(*outputs)


class ProgramBackend(Backend):
    """Class methods alone, as onnx asks for them."""

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return device.split(":")[0] == "CPU"

    @classmethod
    def prepare(
        cls,
        model: onnx.ModelProto,
        device: str = "CPU",
        dims: Mapping[str, int] | None = None,
        consts: Mapping[str, np.ndarray] | None = None,
        **kwargs: Any,
    ) -> ProgramRep:
        """Compiles the model; dims and consts are those of s2c.compile. Raises RefusedModel."""
        if not cls.supports_device(device):
            raise error("device", "CPU", device, "ask for the device CPU")
        with tempfile.TemporaryDirectory(prefix="s2c-onnx-") as folder:
            path = Path(folder, "model.onnx")
            path.write_bytes(model.SerializeToString())
            try:
                return ProgramRep(s2c.compile(path, dims=dims, consts=consts))
            except CompileError as refused:
                raise RefusedModel(refused.problems) from None

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Sequence[Any],
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype[Any], tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """One node as a model, of the newest opset or that of kwargs (opset_version). Raises RefusedModel."""
        arrays = [np.asarray(each) for each in inputs]
        names = [name for name in node.input if name]
        declared = [
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in zip(names, arrays, strict=True)
        ]
        results = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = onnx.helper.make_graph([node], "node", declared, results)
        version = kwargs.get("opset_version", onnx.defs.onnx_opset_version())
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid(node.domain, version)])
        return cls.prepare(onnx.shape_inference.infer_shapes(model), device).run(arrays)


prepare = ProgramBackend.prepare
run_model = ProgramBackend.run_model
run_node = ProgramBackend.run_node
supports_device = ProgramBackend.supports_device
