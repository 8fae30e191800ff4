"""ONNX transforms of signals: DFT, STFT, Col2Im, windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from onnx import TensorProto

from s2c.layers.limits import check_constants
from s2c.layers.signal import col2im, dft, mel_weights, stft
from s2c.layers.windows import Window
from s2c.readers.onnx.file import ELEMENTS, element_name
from s2c.readers.onnx.source import (
    Constant,
    Reader,
    Source,
    Value,
    activation,
    axis_of,
    given,
    integers,
    number,
    refuse,
    tensor,
)
from s2c.readers.onnx.weights import constant_from


def scalar_of(source: Source, index: int, what: str) -> int:
    return int(number(source, index, what))


def read_dft(source: Source) -> Value:
    """The axis is an attribute before opset 20."""
    x = activation(source)
    rank = len(x.type.shape)
    if source.opset < 20:
        axis = int(source.attrs.get("axis", 1))
    else:
        axis = -2 if given(source, 2) is None else scalar_of(source, 2, "axis")
    axis = axis_of(source, axis, rank)
    if axis == rank - 1 or x.type.shape[-1] not in (1, 2):
        raise refuse(
            source,
            "a last axis of 1 or 2 values, real and imaginary, that is not transformed",
            f"axis {axis} of {x.type}",
            "add a last axis of extent 1",
        )
    inverse, onesided = (bool(source.attrs.get(name, 0)) for name in ("inverse", "onesided"))
    extent = x.type.shape[axis]
    default = 2 * (extent - 1) if inverse and onesided else extent
    length = default if given(source, 1) is None else scalar_of(source, 1, "length")
    return dft(x, axis, length, inverse, onesided, source.layer)


def read_stft(source: Source) -> Value:
    x = activation(source)
    if len(x.type.shape) != 3:
        raise refuse(source, "a signal [batch, samples, 1 or 2]", str(x.type), "reshape the signal")
    step = scalar_of(source, 1, "step")
    window = None if given(source, 2) is None else activation(source, 2)
    if given(source, 3) is not None:
        length = scalar_of(source, 3, "length")
    else:
        length = x.type.shape[1] if window is None else window.type.size
    if not 1 <= length <= x.type.shape[1] or step < 1 or (window is not None and window.type.size != length):
        raise refuse(
            source,
            f"a step of at least 1, and frames of 1 to {x.type.shape[1]} samples, as many as the window's",
            f"a step of {step}, and frames of {length}",
            "check the layer's inputs",
        )
    return stft(x, step, length, window, bool(source.attrs.get("onesided", 1)), source.layer)


def read_col2im(source: Source) -> Value:
    x = tensor(source, 0)
    image, kernel = (tuple(integers(source, index, "shape")) for index in (1, 2))
    axes = len(image)
    unit = (1,) * axes
    stride, dilation = (tuple(source.attrs.get(name, unit)) for name in ("strides", "dilations"))
    flat = tuple(source.attrs.get("pads", (0,) * 2 * axes))
    window = Window(kernel, stride, dilation, tuple(zip(flat[:axes], flat[axes:], strict=True)))
    wanted = (int(np.prod(kernel)), int(np.prod(window.outputs(image))))
    if len(x.type.shape) != 3 or x.type.shape[1] % wanted[0] or x.type.shape[2] != wanted[1]:
        raise refuse(
            source,
            f"an input [batch, channels * {wanted[0]}, {wanted[1]}]",
            str(x.type),
            "check the layer's shapes",
        )
    return col2im(x, image, window, source.layer)


def cosine_window(terms: Sequence[float]) -> Reader:
    """The alternating sum of terms times cosines of 0, 1, 2 .. turns; periodic: over one sample more."""

    def read(source: Source) -> Value:
        size = scalar_of(source, 0, "size")
        check_constants(size, "a window", source.layer)
        turns = size if source.attrs.get("periodic", 1) else size - 1
        angles = 2 * np.pi * np.arange(size) / max(turns, 1)
        values = sum((-1) ** index * term * np.cos(index * angles) for index, term in enumerate(terms))
        return constant_output(source, np.asarray(values))

    return read


def constant_output(source: Source, values: np.ndarray) -> Constant:
    element = source.attrs.get("output_datatype", TensorProto.FLOAT)
    if element not in ELEMENTS:
        raise refuse(source, "a type of numbers", element_name(element), "choose float32")
    return constant_from(values.astype(ELEMENTS[element][0]), source.layer)


def mel_weight_matrix(source: Source) -> Value:
    bins, length, rate, lowest, highest = (
        number(source, index, what)
        for index, what in enumerate(("bins", "length", "rate", "lowest frequency", "highest frequency"))
    )
    check_constants(bins * length, "weights", source.layer)
    return constant_output(source, mel_weights(bins, length, rate, lowest, highest))


SIGNAL: Mapping[str, Reader] = {
    "BlackmanWindow": cosine_window((0.42, 0.5, 0.08)),
    "Col2Im": read_col2im,
    "DFT": read_dft,
    "HammingWindow": cosine_window((25 / 46, 21 / 46)),
    "HannWindow": cosine_window((0.5, 0.5)),
    "MelWeightMatrix": mel_weight_matrix,
    "STFT": read_stft,
}
