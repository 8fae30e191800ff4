"""resnet8 and kws in int8, made from their float nets -> README.md's table: accuracy of the built programs.

Calibration: resnet8 by CIFAR-10's first 10,000 training images (512 of them are used), kws by recordings of
spoken digits (spoken.py), which none of its test inputs is among. --train: resnet8 is also trained in int8.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from recognisers import DATA, ROOT
from spoken import COUNT, load

import s2c
from s2c.program import Program, run_batch

sys.path.append(str(ROOT / "bench"))

from readme_tables import machine, markdown, write_readme

CIFAR = DATA / "cifar10"
TRAIN, TEST = CIFAR / "cifar10_train_00000_09999.npz", CIFAR / "cifar10_test_0000_0999.npz"
RESNET8 = DATA / "mlperf_tiny" / "pretrainedResnet.tflite"
KWS = DATA / "bench_nets" / "kws.onnx"
KWS_INPUTS = DATA / "kws01_inputs" / "kws01.npz"
KWS_SCALE, KWS_ZERO = np.float32(0.5847029), 83  # of the stored inputs
HEADER = ("net", "float", "s2c int8", "trained in int8", "LiteRT's int8 net", "M4 instructions")
# The int8 nets of MLPerf Tiny, which TensorFlow Lite's converter made of the same float nets.
CONVERTED = {
    "resnet8": DATA / "mlperf_tiny" / "pretrainedResnet_quant.tflite",
    "kws": DATA / "mlperf_tiny" / "kws_ref_model.tflite",
}


def kws_samples() -> tuple[np.ndarray, np.ndarray]:
    with np.load(KWS_INPUTS) as stored:
        x = (stored["x"].astype(np.float32) - KWS_ZERO) * KWS_SCALE
        return x[..., np.newaxis], stored["y"].astype(np.int64)


def cifar_samples() -> tuple[np.ndarray, np.ndarray]:
    with np.load(TEST) as stored:
        return stored["x"].astype(np.float32), stored["y"].astype(np.int64)


def accuracy(program: Program, x: np.ndarray, y: np.ndarray) -> float:
    """x in the float net's units; an int8 program gets the nearest steps."""
    kind = program.manifest["inputs"][0]
    if kind["dtype"] == "i8":
        x = stored(x, kind["scale"], kind["zero"])
    outputs, _ = run_batch(program, [x.reshape(len(x), *kind["shape"])])
    return float((outputs[0].reshape(len(x), -1).argmax(1) == y).mean())


def stored(x: np.ndarray, scale: float, zero: int) -> np.ndarray:
    return np.asarray(np.clip(np.rint(x / np.float32(scale)) + zero, -128, 127).astype(np.int8))


def litert_accuracy(path: Path, x: np.ndarray, y: np.ndarray) -> float:
    """Of an int8 .tflite, by LiteRT's default kernels."""
    net = Interpreter(model_path=str(path))
    net.allocate_tensors()
    source, result = net.get_input_details()[0], net.get_output_details()[0]
    right = 0
    for sample, label in zip(stored(x, *source["quantization"]), y, strict=True):
        net.set_tensor(source["index"], sample.reshape(source["shape"]))
        net.invoke()
        right += int(net.get_tensor(result["index"]).argmax() == label)
    return right / len(y)


def instructions(path: Path, flags: dict[str, Any]) -> int:
    with s2c.compile(path, target="cortex-m4", **flags) as program:
        program(np.zeros(program.manifest["inputs"][0]["shape"], np.int8))
        return int(program.counters["instructions"])


def row(name: str, path: Path, flags: dict[str, Any], x: np.ndarray, y: np.ndarray, train: bool) -> list[str]:
    with s2c.compile(path) as program:
        before = accuracy(program, x, y)
    with s2c.compile(path, int8=True, **flags) as program:
        after = accuracy(program, x, y)
    trained = "-"
    if train:
        with s2c.compile(path, int8=True, **flags, max_drop=-100.0, augment="flip") as program:
            trained = f"{accuracy(program, x, y):.1%}"
    count = instructions(path, {"int8": True, **flags})
    return [
        name,
        f"{before:.1%}",
        f"{after:.1%}",
        trained,
        f"{litert_accuracy(CONVERTED[name], x, y):.1%}",
        f"{count:,}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", action="store_true", help="train resnet8 in int8, too: minutes")
    parser.add_argument("--readme", action="store_true", help="write it into README.md, too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        spoken = Path(temporary) / "spoken.npz"
        np.savez(spoken, x=load(COUNT))
        rows = [
            row("resnet8", RESNET8, {"data": TRAIN}, *cifar_samples(), given.train),
            row("kws", KWS, {"calibration": spoken}, *kws_samples(), False),
        ]
    text = markdown(HEADER, rows) + (
        "\nOn 1,000 test inputs each, by the built programs; calibrated on 512 training images of CIFAR-10, "
        "and on 512 recordings of spoken digits of another data set. Measured on "
        f"{date.today().isoformat()} by `bench/agility/int8.py`; machine: {machine()}.\n"
    )
    print(text)
    if given.readme:
        write_readme({"int8": text})


if __name__ == "__main__":
    main()
