"""Runs .tflite models by LiteRT's reference kernels in a process of their own: it crashes at times."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tflite


def reference(
    models: Mapping[str, tuple[bytes, Sequence[np.ndarray]]],
) -> dict[str, list[np.ndarray]]:
    """Each model's outputs for its inputs; both have one more axis in front, with an index for each call."""
    with tempfile.TemporaryDirectory() as folder:
        for index, (data, arrays) in enumerate(models.values()):
            Path(folder, f"{index:04}.tflite").write_bytes(repaired(data))
            np.savez(Path(folder, f"{index:04}.inputs.npz"), *arrays)
        command = [sys.executable, __file__, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return {
            name: list(np.load(Path(folder, f"{index:04}.outputs.npz")).values())
            for index, name in enumerate(models)
        }


def repaired(data: bytes) -> bytes:
    """The model with a quantized_dimension of 0 where it names no axis: LiteRT refuses such old files."""
    content = bytearray(data)
    graph = tflite.Model.GetRootAs(data, 0).Subgraphs(0)
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        quant = tensor.Quantization()
        if quant is not None and quant.QuantizedDimension() >= max(tensor.ShapeLength(), 1):
            start = quant._tab.Pos + quant._tab.Offset(16)
            content[start : start + 4] = bytes(4)
    return bytes(content)


def run(model: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_path=str(model), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    arrays = list(np.load(model.with_suffix(".inputs.npz")).values())
    outputs: list[list[np.ndarray]] = [[] for _ in interpreter.get_output_details()]
    for call in range(len(arrays[0])):
        for array, detail in zip(arrays, interpreter.get_input_details(), strict=True):
            interpreter.set_tensor(detail["index"], array[call])
        interpreter.invoke()
        for results, detail in zip(outputs, interpreter.get_output_details(), strict=True):
            results.append(interpreter.get_tensor(detail["index"]).copy())
    np.savez(model.with_suffix(".outputs.npz"), *(np.stack(each) for each in outputs))


if __name__ == "__main__":
    for path in sorted(Path(sys.argv[1]).glob("*.tflite")):
        run(path)
