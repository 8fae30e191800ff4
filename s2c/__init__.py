"""s2c: a trained net in, one program of fixed shape out."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2c.errors import CompileError, Problem

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from s2c.library import Instance
    from s2c.program import Program

__all__ = ["CompileError", "compile", "load", "open_library"]


def compile(
    model: str | Path | nn.Module,
    target: str = "host",
    dims: Mapping[str, int] | None = None,
    consts: Mapping[str, np.ndarray] | None = None,
    name: str | None = None,
    cc: str | None = None,
    states: Mapping[str, str] | None = None,
    example_inputs: Sequence[Any] | None = None,
    reproducible: bool = False,
    threads: int = 1,
    precision: str = "f32",
    tune: bool = False,
    style: str | None = None,
    lanes: int | None = None,
    device: str | None = None,
    interval: str | None = None,
    mhz: float | None = None,
    **adaptation: Any,
) -> Program:
    """The program of a model for a target; raises CompileError with all that is wrong.

    model is a file (.onnx, .tflite, .pt2, .h5, ..) or a torch module, which is exported with example_inputs.
    dims sets unknown dimensions by name, consts binds inputs by name, name is the prefix of every symbol (by
    default the file's name), cc a C compiler instead of the bundled one. states names inputs that are caches,
    each with the output that holds its value for the next call: the program keeps them. reproducible: floats
    give the same bits on every processor. threads: that share what is large enough.
    precision: f32, or bf16 for the operands of large contractions. tune: time kernels on this machine.
    style: of a chip, datapath or stream, which is a pipeline of its layers. lanes: of a chip, products in a
    cycle; or chosen for a device that it has to fit, a latency or, of a stream, an interval, at mhz.

    adaptation, as on the command line: width, macs, latency or instructions, with data (a path or several) to
    prune and retrain; test, task, epochs, minutes, seed, augment, importance; int8, calibration, max_drop,
    keep_float and float_io to quantize.
    """
    from s2c.adapt import write_adapted
    from s2c.adapt.recipe import make_recipe
    from s2c.driver import make_request
    from s2c.program import Program
    from s2c.silicon.choice import take_goal

    refuse_arguments(model, example_inputs, {} if dims is None else dims, {} if consts is None else consts)
    refuse_goals(lanes, {"interval": interval, "latency": adaptation.get("latency")})
    sizes = {key: int(size) for key, size in (dims or {}).items()}
    latency = adaptation.pop("latency", None)
    goal, latency = take_goal(target, lanes, latency, mhz, device, interval, style)
    with model_path(model, example_inputs) as path:
        request = make_request(
            *(path, target, name, sizes, consts, cc, states),
            reproducible=reproducible,
            threads=threads,
            precision=precision,
            tune=tune,
            lanes=lanes,
            goal=goal,
            style=style,
        )
        recipe = make_recipe(request, latency=latency, **adaptation)
        temporary = tempfile.TemporaryDirectory(prefix="s2c-")
        write_adapted(recipe, Path(temporary.name))
    return Program(Path(temporary.name), temporary)


def is_module(model: object) -> bool:
    """Whether it is a torch.nn.Module; where torch was never imported, nothing is."""
    return "torch" in sys.modules and isinstance(model, sys.modules["torch"].nn.Module)


@contextmanager
def model_path(model: Any, example_inputs: Sequence[Any] | None) -> Iterator[str | Path]:
    """A file as it is; a torch module as a temporary .pt2 file named after its class."""
    if not is_module(model):
        yield model
        return
    from s2c.readers.torch import write_module

    with tempfile.TemporaryDirectory(prefix="s2c-") as folder:
        yield write_module(model, tuple(example_inputs or ()), Path(folder))


def refuse_arguments(model: object, example_inputs: object, dims: object, consts: object) -> None:
    """What Python does not check: the types of compile's arguments. Raises CompileError with all problems."""
    import numpy as np

    problems = []
    if is_module(model):
        if not isinstance(example_inputs, (tuple, list)):
            found = "none" if example_inputs is None else type(example_inputs).__name__
            do = "give a tuple of tensors"
            problems.append(Problem("example_inputs", "inputs of the module", found, do))
    elif not isinstance(model, (str, Path)):
        found, wanted = type(model).__name__, "the path of a file, or a torch module"
        problems.append(Problem("model", wanted, found, "write the model to a file"))
    elif example_inputs is not None:
        wanted, do = "none for a file, which has its own", "leave them out"
        problems.append(Problem("example_inputs", wanted, type(example_inputs).__name__, do))
    for what, value in (("dims", dims), ("consts", consts)):
        if not isinstance(value, Mapping):
            problems.append(Problem(what, "a dict by name", repr(value), f'write {what}={{"name": value}}'))
    for name, size in dims.items() if isinstance(dims, Mapping) else ():
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            do = 'give an integer, as in dims={"batch": 1}'
            problems.append(Problem(f"dims {name}", "a size of at least 1", repr(size), do))
    for name, array in consts.items() if isinstance(consts, Mapping) else ():
        if not isinstance(array, np.ndarray):
            found = type(array).__name__
            problems.append(Problem(f"consts {name}", "a numpy array", found, "convert it with numpy.array"))
    if problems:
        raise CompileError(tuple(problems))


def refuse_goals(lanes: object, times: Mapping[str, object]) -> None:
    """The same for how a chip is chosen."""
    problems = [
        Problem(what, "a time with its unit", repr(time), f'write {what}="40us"')
        for what, time in times.items()
        if time is not None and not isinstance(time, str)
    ]
    if lanes is not None and (not isinstance(lanes, int) or isinstance(lanes, bool)):
        problems.append(Problem("lanes", "an integer", repr(lanes), "write lanes=8"))
    if problems:
        raise CompileError(tuple(problems))


def load(folder: str | Path) -> Program:
    """The program in a folder that s2c compile or Program.save wrote."""
    from s2c.program import Program

    return Program(Path(folder))


def open_library(folder: str | Path) -> Instance:
    """The net in a folder that s2c compile wrote, loaded into this process, where its run copies nothing.

    Raises CompileError where the net's target has no shared libraries, and where the library is missing or
    not the one that the folder's manifest describes.
    """
    from s2c.library import Instance, load_library
    from s2c.program import read_manifest

    return Instance(load_library(Path(folder), read_manifest(Path(folder))))
