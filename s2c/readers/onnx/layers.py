"""ONNX layers as source ops: the table of those made of several ops."""

from __future__ import annotations

from collections.abc import Mapping

from s2c.readers.onnx.attention import ATTENTION
from s2c.readers.onnx.norms import NORMS
from s2c.readers.onnx.pooling import POOLING
from s2c.readers.onnx.recurrent import RECURRENT
from s2c.readers.onnx.resize import RESIZE
from s2c.readers.onnx.sampling import SAMPLING
from s2c.readers.onnx.signal import SIGNAL
from s2c.readers.onnx.sorting import SORTING
from s2c.readers.onnx.source import Reader, Source, Value, refuse


def refused(wanted: str, do: str) -> Reader:
    def read(source: Source) -> Value:
        raise refuse(source, wanted, source.op, do)

    return read


REFUSED: Mapping[str, Reader] = {
    "MaxRoiPool": refused("regions pooled by fixed windows", "export RoiAlign with a fixed sampling_ratio"),
}

LAYERS: Mapping[str, Reader] = {
    **ATTENTION,
    **NORMS,
    **POOLING,
    **RECURRENT,
    **REFUSED,
    **RESIZE,
    **SAMPLING,
    **SIGNAL,
    **SORTING,
}
