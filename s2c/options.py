"""The command line's options and arguments, each with its help; a verb of s2c.cli takes some of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# what is compiled

Model = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="A .tflite, .onnx, .pt2, .h5, .nam, RTNeural .json or .s2c file."),
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that s2c compile wrote.")]
Dims = Annotated[
    list[str] | None,
    typer.Option("--dim", metavar="N=V", help="Set an unknown dimension, e.g. batch=1. Repeatable."),
]
Consts = Annotated[
    list[str] | None,
    typer.Option("--const", metavar="INPUT=FILE.npy", help="Bind an input to an array. Repeatable."),
]
States = Annotated[
    list[str] | None,
    typer.Option(
        "--state", metavar="IN=OUT", help="Keep an input between calls: OUT is its next value. Repeatable."
    ),
]
LastStates = Annotated[
    int, typer.Option("--states", metavar="N", min=0, help="The same for the last N inputs and outputs.")
]
Reproducible = Annotated[
    bool,
    typer.Option(
        "--reproducible", help="Floats give the same bits on every x86-64 and 64-bit Arm processor."
    ),
]
Precision = Annotated[
    str,
    typer.Option(metavar="P", help="Of what large contractions multiply: f32, or bf16, with sums in f32."),
]
Tune = Annotated[
    bool, typer.Option("--tune", help="Time kernels and tiles on this machine, and take the fastest.")
]
Threads = Annotated[
    int,
    typer.Option(metavar="N", min=1, max=64, help="Threads that share the calls which are large enough."),
]
ChipStyle = Annotated[
    str | None,
    typer.Option(
        "--style",
        metavar="S",
        help="Of a chip: datapath, by default, which all layers share, or stream, a pipeline of layers.",
    ),
]
ChipLanes = Annotated[
    int | None,
    typer.Option(
        "--lanes",
        metavar="P",
        help="Of a chip: products at once, a power of two, default 8; of a stream, at most, default 64.",
    ),
]
Megahertz = Annotated[
    float | None, typer.Option("--mhz", metavar="F", help="A chip's clock, to turn cycles into microseconds.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

# how far a net is pruned

Width = Annotated[
    float | None, typer.Option(metavar="W", help="Keep this share of every group of channels, and retrain.")
]
Macs = Annotated[
    float | None, typer.Option(metavar="M", help="Prune to a share of the MACs, or to their number.")
]
Latency = Annotated[
    str | None,
    typer.Option(
        metavar="T", help="Prune to a latency on this machine, e.g. 40us; a chip: choose --lanes for it."
    ),
]
Instructions = Annotated[
    float | None, typer.Option(metavar="N", help="Prune to a number of instructions, e.g. 5e6.")
]
Importance = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What makes a channel worth keeping: l1, l2, batchnorm, taylor, contribution or reconstruction.",
    ),
]

# how it is trained

Data = Annotated[
    list[Path] | None,
    typer.Option(
        "--data",
        metavar="FILE.npz",
        help="Training data: x, and y where there is one. Repeatable, all are used.",
    ),
]
Test = Annotated[
    list[Path] | None,
    typer.Option(
        "--test", metavar="FILE.npz", help="What scores are reported on. Default: a part of --data."
    ),
]
SweepTest = Annotated[
    list[Path] | None,
    typer.Option(
        "--test",
        metavar="FILE.npz",
        help="Required: x and y that each net is measured on. Repeatable, all are used.",
    ),
]
Task = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What is learnt: y (classification, regression), x (autoencoder), the model's own outputs "
        "(distillation), or auto: y where there is one.",
    ),
]
Epochs = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Times to train over the data; 0: not at all.")
]
Minutes = Annotated[float | None, typer.Option(metavar="M", help="Train no longer than this.")]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Of everything random in training.")]
Augment = Annotated[
    str | None,
    typer.Option(metavar="LIST", help="How training inputs vary: flip, shift, cutmix, noise, with commas."),
]

# how it is quantized

Int8 = Annotated[bool, typer.Option("--int8", help="Quantize to int8 by --calibration or --data.")]
Calibration = Annotated[
    list[Path] | None,
    typer.Option("--calibration", metavar="FILE.npz", help="Typical inputs x. Default: --data. Repeatable."),
]
MaxDrop = Annotated[
    float | None, typer.Option(metavar="POINTS", help="Train in int8 where quantizing costs more than this.")
]
KeepFloat = Annotated[
    list[str] | None, typer.Option("--keep-float", metavar="LAYER", help="Not quantized. Repeatable.")
]
FloatIo = Annotated[
    bool, typer.Option("--float-io", help="Leave a quantized net's inputs and outputs in float.")
]

# what a sweep is made of

Widths = Annotated[str, typer.Option("--width", metavar="LIST", help="Shares of channels to keep.")]
MacsShares = Annotated[
    str, typer.Option("--macs", metavar="LIST", help="Shares of the MACs to keep, besides.")
]
Precisions = Annotated[str, typer.Option("--precision", metavar="LIST", help="Element types: f32, int8.")]
Targets = Annotated[
    str, typer.Option("--target", metavar="LIST", help="What to compile for; `s2c targets` lists them.")
]
Classes = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Names of the classes, one a line, in UTF-8.")
]
Jobs = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Processes at the same time. Default: the cores.")
]
Ray = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Run on a Ray cluster: HOST:PORT, or auto.")]

# what a chip's lanes are chosen for

ChipDevice = Annotated[
    str | None,
    typer.Option("--device", metavar="NAME", help="Choose --lanes so that a chip fits ecp5-25k or ecp5-85k."),
]
ChipInterval = Annotated[
    str | None,
    typer.Option("--interval", metavar="T", help="Choose --lanes so that a stream gives a result so often."),
]
ChipClock = Annotated[
    float | None,
    typer.Option("--mhz", metavar="F", help="A chip's clock for --latency, --interval. Default: 100."),
]

# what a chip is synthesised for

Device = Annotated[
    str,
    typer.Option("--device", metavar="NAME", help="ecp5-25k, ecp5-85k, ice40-up5k, or generic: none at all."),
]
Mhz = Annotated[float | None, typer.Option("--mhz", metavar="F", help="What to strive for. Default: 100.")]
Liberty = Annotated[
    Path | None, typer.Option("--liberty", metavar="FILE", help="Cells to map to, with --device generic.")
]
SynthFolder = Annotated[
    Path | None, typer.Option("-o", metavar="OUT", help="The folder to write. Default: in DIR.")
]
