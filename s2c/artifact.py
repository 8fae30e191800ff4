"""A Compilation to a folder: sources, manifest, golden vectors, and the built image with what it measures."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from s2c import cost, oracle
from s2c.build import Image, build
from s2c.driver import (
    Compilation,
    Request,
    analyse_model,
    compile_model,
    dump_folder,
    stage_text,
    staged_folder,
    too_large,
    write_dump,
)
from s2c.emit.c_family import emit_source, specialisations
from s2c.emit.c_header import emit_header
from s2c.emit.cpp import emit_cpp
from s2c.emit.hardware import emit_chip
from s2c.emit.project import Golden, emit_cmake, emit_main, emit_net_header, emit_team
from s2c.emit.rust import emit_rust
from s2c.emit.silicon_model import emit_model
from s2c.emit.stream_model import emit_stream_model, plan_with_rings
from s2c.emit.text import comment_text
from s2c.errors import error
from s2c.image import Facts, analyse
from s2c.inputs import random_inputs
from s2c.ir import Node
from s2c.plan import Plan
from s2c.program import BUILD, MANIFEST_VERSION, save_arrays
from s2c.readers import self_contained
from s2c.silicon.figures import note_chip, note_chip_calls
from s2c.target import Target
from s2c.tune import note_choices

GOLDEN = "golden.npz"
CONSTS = "consts.npz"
FIXED_NAMES = ("main.c", "CMakeLists.txt", GOLDEN, CONSTS, BUILD)  # the others are <name>.*
GOLDEN_SEED = 1
GOLDEN_COUNT = 4
GOLDEN_BYTES = 65536


def save_artifact(
    compilation: Compilation, folder: Path, adaptation: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Writes a new folder, or takes the place of an older artifact; where it raises, nothing has changed."""
    refuse_foreign(folder)
    with staged_folder(folder.resolve()) as staged:
        return write_artifact(compilation, staged, adaptation)


def write_artifact(
    compilation: Compilation, folder: Path, adaptation: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Fills an empty folder; returns the manifest. adaptation: what became of the user's model before.

    CompileError where memory is too small.
    """
    request = compilation.request
    name = request.name
    goldens = make_goldens(compilation)
    build_folder = folder / BUILD
    build_folder.mkdir()
    files = emit_files(compilation, goldens)
    dump_files(files)
    for path, text in files.items():
        write(folder / path, text)
    save_arrays(folder / GOLDEN, golden_arrays(goldens))
    keep_model(request, folder)
    image = build(request.target, folder, name, build_folder, request.cc)
    facts = analyse(image.path, image.object, entry(name, request.target), request.target.arch)
    refuse_overflow(request, caller_plan(compilation).arena_bytes, facts)
    tidy(build_folder, image)
    manifest = make_manifest(compilation, facts)
    if image.library is not None:
        manifest["library"] = describe_library(image.library)
    if adaptation is not None:
        manifest["adaptation"] = dict(adaptation)
    write(folder / f"{name}.json", json.dumps(manifest, indent=1) + "\n")
    return manifest


def emit_files(compilation: Compilation, goldens: Sequence[Golden]) -> dict[str, str]:
    """The text of every source file, by its path in the artifact."""
    request, plan = compilation.request, caller_plan(compilation)
    name = request.name
    checked = request.target.checks_processor
    title = comment_text(f"{name}: compiled by s2c {version()} from {model_file(request)}")
    chip = compilation.schedule or compilation.stream
    counts = (chip is not None, compilation.stream is not None)
    return {
        f"{name}.h": emit_header(plan, name, title, checked, *counts),
        f"{name}.c": emit_net(compilation, title),
        f"{name}.hpp": emit_cpp(plan, name, title, checked),
        f"{name}.rs": emit_rust(plan, name, title, checked),
        "main.c": emit_main(plan, name, goldens, checked),
        "CMakeLists.txt": emit_cmake(name, bool(plan.stages), processor_flags(request)),
        f"{BUILD}/net.h": emit_net_header(plan, name, checked, *counts),
        **({} if chip is None else emit_chip(chip, name, title)),
        **(emit_team(name) if plan.stages else {}),
    }


def emit_net(compilation: Compilation, title: str) -> str:
    """<name>.c: the net, or the model of a chip."""
    request = compilation.request
    if compilation.schedule is not None:
        return emit_model(compilation.schedule, request.name, title)
    if compilation.stream is not None:
        return emit_stream_model(compilation.stream, request.name, title)
    checked, language = request.target.checks_processor, request.target.language
    return emit_source(compilation.plan, request.name, title, language, checked, request.reproducible)


def caller_plan(compilation: Compilation) -> Plan:
    """With the arena that a caller gives: in it, the model of a pipeline has its rings, too."""
    return compilation.plan if compilation.stream is None else plan_with_rings(compilation.stream)


def entry(name: str, target: Target) -> str:
    """The function that the harness calls."""
    return f"{name}_cycles" if target.is_chip else f"{name}_run"


def note_processor(target: Target) -> dict[str, Any]:
    """What kernels and tiles were chosen for: of the target host, the processor that compiled."""
    return {"features": list(target.features), "vectors": asdict(target.vectors)}


def processor_flags(request: Request) -> tuple[str, ...]:
    """What a compiler is told of a processor that the net asks about; cross compilers come with theirs."""
    return request.target.compilers["other"].processor if request.target.checks_processor else ()


def dump_files(files: Mapping[str, str]) -> None:
    """What emit_files gives, into S2C_DUMP."""
    dump = dump_folder()
    for path, text in files.items():
        if dump is not None:
            (dump / path).parent.mkdir(exist_ok=True)
        write_dump(dump, path, text)


def dump_until(request: Request, last: str) -> None:
    """What S2C_DUMP gets of a compilation that stops after a stage."""
    dump = dump_folder()
    if dump is None:
        return
    if last in ("schedule", "emit"):
        compilation = compile_model(request)  # which writes every stage
        if last == "emit":
            dump_files(emit_files(compilation, make_goldens(compilation)))
        return
    for index, (stage, graph) in enumerate(analyse_model(request)):
        write_dump(dump, f"{index:02d}_{stage}.txt", str(graph))
        if stage == last:
            return
    write_dump(dump, "90_plan.txt", stage_text(request, last))


def refuse_foreign(folder: Path, asked_by: str = "-o") -> None:
    """Only a folder that holds nothing but an artifact is replaced."""
    if folder.is_dir():
        found = ["the working directory"] if folder.resolve() == Path.cwd() else strangers(folder)
    else:
        found = ["a file of that name"] if folder.exists() else []
    if found:
        raise error(
            f"{asked_by} {folder}",
            "a new folder, or one with nothing but what s2c compile wrote",
            ", ".join(found[:3]) + (" .." if len(found) > 3 else ""),
            "name another folder",
        )


def strangers(folder: Path) -> list[str]:
    """Names in a folder that belong to no artifact. An artifact has a <name>.json beside a <name>.c."""
    names = sorted(path.name for path in folder.iterdir())
    stems = [name[:-5] for name in names if name.endswith(".json") and f"{name[:-5]}.c" in names]
    if len(stems) != 1:
        return names
    return [name for name in names if name not in FIXED_NAMES and not name.startswith(f"{stems[0]}.")]


def version() -> str:
    return metadata.version("s2c")


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def tidy(build_folder: Path, image: Image) -> None:
    """The image and the net's object stay, for run and verify, and the library, for who loads it."""
    for path in sorted(build_folder.iterdir()):
        if path.is_dir():
            shutil.rmtree(path)
        elif path not in (image.path, image.object, image.library) and path.name != "net.h":
            path.unlink()


def model_file(request: Request) -> str:
    """What the model is called in the artifact, where <name>.json is the manifest."""
    suffix = request.model.suffix
    return f"{request.name}.model{suffix}" if suffix == ".json" else f"{request.name}{suffix}"


def keep_model(request: Request, folder: Path) -> None:
    """The model and the bound inputs travel along, so that verify starts from what the user gave."""
    (folder / model_file(request)).write_bytes(self_contained(request.model))
    if request.consts:
        save_arrays(folder / CONSTS, dict(sorted(request.consts.items())))


def make_goldens(compilation: Compilation) -> list[Golden]:
    """Random inputs from a fixed seed, with the oracle's results of one call after the other; fewer where
    they are large.
    """
    graph = compilation.reference
    size = sum(node.type.bytes for node in (*graph.inputs, *graph.outputs))
    count = max(1, min(GOLDEN_COUNT, GOLDEN_BYTES // max(size, 1)))
    source = np.random.default_rng(GOLDEN_SEED)
    inputs = [random_inputs(graph, source) for _ in range(count)]
    return [Golden(*each) for each in zip(inputs, oracle.run_sequence(graph, inputs), strict=True)]


def golden_arrays(goldens: Sequence[Golden]) -> dict[str, np.ndarray]:
    """input_0 .. and output_0 .., each with the golden vectors along a new first axis."""
    return {
        f"{role}_{index}": np.stack([getattr(golden, f"{role}s")[index] for golden in goldens])
        for role in ("input", "output")
        for index in range(len(getattr(goldens[0], f"{role}s")))
    }


def refuse_overflow(request: Request, arena_bytes: int, facts: Facts) -> None:
    flash, ram = request.target.memory("flash"), request.target.memory("ram")
    used = arena_bytes + (facts.stack_bytes or 0)
    if ram is not None and used > ram.size:
        raise too_large(request, "RAM", ram.size, used, "arena and stack")
    if flash is not None and facts.image_bytes > flash.size:
        raise too_large(request, "flash", flash.size, facts.image_bytes, "code and constants")


# the manifest


def make_manifest(compilation: Compilation, facts: Facts) -> dict[str, Any]:
    request, plan = compilation.request, compilation.plan
    chip = compilation.schedule or compilation.stream
    return {
        "manifest_version": MANIFEST_VERSION,
        "name": request.name,
        "target": request.target.name,
        "model": {
            "file": model_file(request),
            "sha256": hashlib.sha256(self_contained(request.model)).hexdigest(),
        },
        "flags": {
            "dims": dict(sorted(request.dims.items())),
            "consts": sorted(request.consts),
            "cc": request.cc,
            "states": dict(sorted(request.states.items())),
            "last_states": request.last_states,
            "reproducible": request.reproducible,
            "threads": request.threads,
            "precision": request.precision,
            "choices": note_choices(request.choices),
            **{flag: each for flag in ("style", "lanes") if (each := getattr(request, flag)) is not None},
            "processor": note_processor(request.target),
            "sha256": request.digest(),
        },
        "versions": versions(request),
        "inputs": [
            tensor(node.layer, node, offset)
            for node, offset in zip(plan.graph.inputs, plan.inputs, strict=True)
        ],
        "outputs": [
            tensor(name, node, offset)
            for name, node, offset in zip(
                plan.graph.output_names, plan.graph.outputs, plan.outputs, strict=True
            )
        ],
        "states": [
            tensor(each.node.layer, each.node, offset)
            for each, offset in zip(plan.graph.states, plan.states, strict=True)
        ],
        "ops": cost.count_ops(compilation.source),
        "macs": cost.plan_macs(plan),
        "source_macs": cost.macs(compilation.source),
        "matmul_share": cost.matmul_share(plan.graph),
        "parameters": cost.parameters(plan.graph.nodes()),
        "threads": plan.threads,
        "arena_bytes": caller_plan(compilation).arena_bytes,
        "arena_lower_bound": plan.lower_bound,
        "stack_bytes": facts.stack_bytes,
        "rom_bytes": facts.rom_bytes,
        "image_bytes": facts.image_bytes,
        "float_mode": float_mode(compilation),
        "kernels": sorted({call.kernel.name for call in plan.calls}),
        **({} if chip is None else note_chip(chip)),
        "calls": note_calls(compilation),
        "certificate": certificate(compilation, facts),
    }


def note_calls(compilation: Compilation) -> list[dict[str, Any]]:
    """What each call costs: with the name of its function, or, on a chip, with its cycles."""
    plan, chip = compilation.plan, compilation.schedule or compilation.stream
    costs = [asdict(cost.call_cost(call)) for call in plan.calls]
    if chip is not None:
        return [{**each, **figures} for each, figures in zip(costs, note_chip_calls(chip), strict=True)]
    specials = specialisations(plan, compilation.request.name)  # those of resets follow
    return [{**each, "function": special.function} for each, special in zip(costs, specials, strict=False)]


def describe_library(path: Path) -> dict[str, str]:
    """Its place in the artifact, and the digest of its bytes."""
    return {"file": f"{BUILD}/{path.name}", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def has_library(folder: Path, manifest: Mapping[str, Any]) -> bool:
    """Whether the library in the folder is the one of the manifest, or there is to be none."""
    noted = manifest.get("library")
    return noted is None or (
        (folder / noted["file"]).is_file() and describe_library(folder / noted["file"]) == noted
    )


def float_mode(compilation: Compilation) -> str:
    nodes = [node for call in compilation.plan.calls for node in call.nodes]
    return "subnormals count as zero" if any(node.type.dtype == "f32" for node in nodes) else "no floats"


def versions(request: Request) -> Mapping[str, str]:
    """Of what decides the bytes: s2c, and the compiler that builds the image."""
    result = {"s2c": version(), "python": platform.python_version(), "numpy": metadata.version("numpy")}
    if request.cc is None:
        result["ziglang"] = metadata.version("ziglang")
    return result


def tensor(name: str, node: Node, offset: int) -> dict[str, Any]:
    quant = node.type.quant
    return {
        "name": name,
        "shape": list(node.type.shape),
        "dtype": node.type.dtype,
        "bytes": node.type.bytes,
        "offset": offset,
        "scale": quant.scale[0] if quant else None,
        "zero": quant.zero if quant else None,
    }


def certificate(compilation: Compilation, facts: Facts) -> dict[str, Any]:
    """What was shown without running the net."""
    return {
        "accumulators": [asdict(bound) for bound in compilation.bounds],
        "recursive": list(facts.recursive),
        "outside_calls": list(facts.outside),
        "undefined_symbols": list(facts.undefined_symbols),
        "writable_bytes": facts.writable_bytes,
        "variable_latency": list(facts.variable_latency),
        "unproved": list(facts.unproved),
    }
