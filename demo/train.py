"""scikit-learn's handwritten digits -> digits.onnx, digits_int8.onnx and the images, split, beside this file.

The shipped files came from this script, with the versions of constraints.txt. It writes them again, byte for
byte on the same kind of processor. Training is plain numpy, so that it needs no framework.
"""

from __future__ import annotations

import os

# One thread and one set of kernels: the order of summation, and so the weights, would differ per machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from sklearn.datasets import load_digits

HERE = Path(__file__).resolve().parent
SEED = 7
TEST_IMAGES = 360
CALIBRATION_IMAGES = 200
EPOCHS = 60
BATCH = 32
LEARNING_RATE = 3e-3
CHANNELS = (8, 16)
CLASSES = 10

Weights = dict[str, np.ndarray]


# the net: conv 3x3, relu, conv 3x3 with stride 2, relu, dense; images [batch, channels, height, width]


def initial_weights(source: np.random.Generator) -> Weights:
    """He's normal initialisation; https://arxiv.org/abs/1502.01852, equation 10."""
    first, second = CHANNELS
    shapes = {"conv1": (first, 1, 3, 3), "conv2": (second, first, 3, 3), "dense": (CLASSES, second * 4 * 4)}
    weights = {}
    for name, shape in shapes.items():
        spread = np.sqrt(2 / np.prod(shape[1:]))
        weights[f"{name}.weight"] = (source.normal(size=shape) * spread).astype(np.float32)
        weights[f"{name}.bias"] = np.zeros(shape[0], np.float32)
    return weights


def patches(x: np.ndarray, stride: int) -> np.ndarray:
    """The 3x3 surroundings of each output pixel, [batch, rows, columns, channels * 9]; padding is 1."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::stride, ::stride]
    batch, channels, rows, columns = windows.shape[:4]
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(batch, rows, columns, channels * 9)


def convolve(seen: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    weight = weights[f"{name}.weight"]
    y = seen @ weight.reshape(len(weight), -1).T + weights[f"{name}.bias"]
    return np.ascontiguousarray(y.transpose(0, 3, 1, 2))


def spread_gradient(seen: np.ndarray, size: int, stride: int) -> np.ndarray:
    """The adjoint of patches: each value goes back to the pixel that it came from."""
    batch, rows, columns, depth = seen.shape
    taps = seen.reshape(batch, rows, columns, depth // 9, 3, 3).transpose(0, 3, 1, 2, 4, 5)
    padded = np.zeros((batch, depth // 9, size + 2, size + 2), seen.dtype)
    for i in range(3):
        for j in range(3):
            padded[:, :, i : i + rows * stride : stride, j : j + columns * stride : stride] += taps[..., i, j]
    return padded[:, :, 1:-1, 1:-1]


def loss_and_gradients(weights: Weights, x: np.ndarray, y: np.ndarray) -> tuple[float, Weights]:
    """The mean cross-entropy and its gradient, in the weights' own precision."""
    seen1 = patches(x, 1)
    hidden1 = np.maximum(convolve(seen1, weights, "conv1"), 0)
    seen2 = patches(hidden1, 2)
    hidden2 = np.maximum(convolve(seen2, weights, "conv2"), 0)
    flat = hidden2.reshape(len(x), -1)
    logits = (flat @ weights["dense.weight"].T + weights["dense.bias"]).astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)

    loss = -float(np.mean(np.log(probabilities[np.arange(len(x)), y])))
    error = ((probabilities - np.eye(CLASSES)[y]) / len(x)).astype(flat.dtype)
    error2 = (error @ weights["dense.weight"]).reshape(hidden2.shape) * (hidden2 > 0)
    rows2 = error2.transpose(0, 2, 3, 1).reshape(-1, CHANNELS[1])
    back = (rows2 @ weights["conv2.weight"].reshape(CHANNELS[1], -1)).reshape(seen2.shape)
    error1 = spread_gradient(back, 8, 2) * (hidden1 > 0)
    rows1 = error1.transpose(0, 2, 3, 1).reshape(-1, CHANNELS[0])
    return loss, {
        "dense.weight": error.T @ flat,
        "dense.bias": error.sum(axis=0),
        "conv2.weight": (rows2.T @ seen2.reshape(len(rows2), -1)).reshape(weights["conv2.weight"].shape),
        "conv2.bias": rows2.sum(axis=0),
        "conv1.weight": (rows1.T @ seen1.reshape(len(rows1), -1)).reshape(weights["conv1.weight"].shape),
        "conv1.bias": rows1.sum(axis=0),
    }


# training


def moved(x: np.ndarray, source: np.random.Generator) -> np.ndarray:
    """Each image moved by up to one pixel: a net that sees only 1,437 images needs more."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    offsets = source.choice([1, 1, 0, 2], (len(x), 2))
    return np.stack([padded[n, :, i : i + 8, j : j + 8] for n, (i, j) in enumerate(offsets)])


def train(x: np.ndarray, y: np.ndarray, source: np.random.Generator) -> Weights:
    """Adam, its rate falling along a cosine; https://arxiv.org/abs/1412.6980, algorithm 1."""
    weights = initial_weights(source)
    mean = {name: np.zeros_like(value) for name, value in weights.items()}
    square = {name: np.zeros_like(value) for name, value in weights.items()}
    step, steps = 0, EPOCHS * (len(x) // BATCH)
    for _ in range(EPOCHS):
        order = source.permutation(len(x))[: len(x) // BATCH * BATCH]
        for chosen in order.reshape(-1, BATCH):
            step += 1
            rate = LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            _, slopes = loss_and_gradients(weights, moved(x[chosen], source), y[chosen])
            for name, slope in slopes.items():
                mean[name] = 0.9 * mean[name] + 0.1 * slope
                square[name] = 0.999 * square[name] + 0.001 * slope**2
                ahead = mean[name] / (1 - 0.9**step)
                scale = np.sqrt(square[name] / (1 - 0.999**step)) + 1e-8
                weights[name] = (weights[name] - rate * ahead / scale).astype(np.float32)
    return weights


# files


def onnx_model(weights: Weights) -> onnx.ModelProto:
    """Image [1, 1, 8, 8] with ink in 0..1 -> probability of each digit [1, 10]."""
    nodes = [
        helper.make_node("Conv", ["image", "conv1.weight", "conv1.bias"], ["a"], "conv1", pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"], "relu1"),
        helper.make_node(
            "Conv", ["b", "conv2.weight", "conv2.bias"], ["c"], "conv2", pads=[1] * 4, strides=[2, 2]
        ),
        helper.make_node("Relu", ["c"], ["d"], "relu2"),
        helper.make_node("Flatten", ["d"], ["e"], "flatten"),
        helper.make_node("Gemm", ["e", "dense.weight", "dense.bias"], ["f"], "dense", transB=1),
        helper.make_node("Softmax", ["f"], ["probabilities"], "softmax", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, CLASSES])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="s2c demo/train.py"
    )


class Images(CalibrationDataReader):  # type: ignore[misc]
    """A class, because that is how onnxruntime asks for calibration data."""

    def __init__(self, x: np.ndarray) -> None:
        self.rest: Iterator[np.ndarray] = iter(x)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self.rest, None)
        return None if image is None else {"image": image[None]}


def load_split(source: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images [1797, 1, 8, 8], digits [1797], and which of them are for testing and which for training."""
    digits = load_digits()
    x = (digits.images[:, None] / 16).astype(np.float32)
    order = source.permutation(len(x))
    return x, digits.target.astype(np.uint8), order[:TEST_IMAGES], order[TEST_IMAGES:]


def main() -> None:
    source = np.random.default_rng(SEED)
    x, y, test, rest = load_split(source)
    for part, chosen in (("train", rest), ("test", test)):
        np.savez_compressed(HERE / f"digits_{part}.npz", x=x[chosen, None], y=y[chosen])
    weights = train(x[rest], y[rest], source)
    onnx.save(onnx_model(weights), HERE / "digits.onnx")
    quantize_static(
        HERE / "digits.onnx",
        HERE / "digits_int8.onnx",
        Images(x[rest][:CALIBRATION_IMAGES]),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QInt8,
    )


if __name__ == "__main__":
    main()
