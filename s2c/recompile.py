"""An artifact's folder compared with what s2c makes of the model and flags in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from s2c.artifact import (
    CONSTS,
    GOLDEN,
    emit_files,
    golden_arrays,
    has_library,
    make_goldens,
    make_manifest,
    note_processor,
    version,
)
from s2c.claims import Claim, make_claim
from s2c.driver import Compilation, compile_model, make_request
from s2c.errors import CompileError, error
from s2c.image import Facts
from s2c.target import load_target
from s2c.tune import read_choices

NOTED = frozenset({"adaptation", "library", "versions"})  # of a manifest: what model and image do not tell


def recompile(folder: Path, manifest: Mapping[str, Any]) -> Compilation:
    """The Compilation of the model, flags and bound inputs that lie in the folder."""
    flags = manifest["flags"]
    target = load_target(manifest["target"])
    if flags["processor"] != note_processor(target):
        wanted = f"a processor as that which compiled it: {describe_processor(flags['processor'])}"
        found = describe_processor(note_processor(target))
        raise error(str(folder), wanted, found, "verify it there, or compile the model again")
    consts = {}
    if flags["consts"]:
        with np.load(folder / CONSTS) as arrays:
            consts = {name: arrays[name] for name in arrays.files}
    model = folder / manifest["model"]["file"]
    request = make_request(
        model,
        manifest["target"],
        manifest["name"],
        flags["dims"],
        consts,
        flags["cc"],
        flags["states"],
        flags["last_states"],
        flags["reproducible"],
        flags["threads"],
        flags["precision"],
        read_choices(flags["choices"]),
        lanes=flags.get("lanes"),
        style=flags.get("style"),
    )
    return compile_model(request)


def describe_processor(noted: Mapping[str, Any]) -> str:
    features = ", ".join(noted["features"]) or "no features"
    return f"{features}; vectors of {noted['vectors']['bytes']} bytes"


def refused(problem: CompileError) -> Claim:
    evidence = "the model and flags in the folder no longer compile"
    return make_claim("artifact", "failed", evidence, [str(each) for each in problem.problems])


def artifact_claim(
    folder: Path, manifest: Mapping[str, Any], compilation: Compilation, facts: Facts
) -> Claim:
    """Whether the folder is what s2c makes of its model: sources and golden vectors to the byte, figures."""
    compiled_by = manifest["versions"]["s2c"]
    if compiled_by != version():
        reason = f"artifact: s2c {compiled_by} wrote it, and this is {version()}"
        return make_claim("artifact", "unproved", "another version's", unproved=[reason])
    goldens = make_goldens(compilation)
    files = emit_files(compilation, goldens)
    altered = [path for path, text in files.items() if not has_text(folder / path, text)]
    if not has_arrays(folder / GOLDEN, golden_arrays(goldens)):
        altered.append(GOLDEN)
    if not has_library(folder, manifest):
        altered.append(manifest["library"]["file"])
    figures = json.loads(json.dumps(make_manifest(compilation, facts)))
    wrong = [key for key in sorted({*figures, *manifest} - NOTED) if figures.get(key) != manifest.get(key)]
    failures = [f"{path} is not what s2c emits for {manifest['model']['file']}" for path in altered]
    failures += [f"{manifest['name']}.json: {key} is not what model and image give" for key in wrong]
    checked = f"{len(files) + 1} files and {len(figures) - 1} figures"
    evidence = f"{len(failures)} of {checked} differ" if failures else f"{checked}, all as s2c makes them"
    noted = ["adaptation: its scores are as training noted them; there are no data here to measure them with"]
    unproved = noted if "adaptation" in manifest else []
    return make_claim("artifact", "proved", evidence, failures, unproved)


def has_text(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def has_arrays(path: Path, wanted: Mapping[str, np.ndarray]) -> bool:
    try:
        with np.load(path) as found:
            return sorted(found.files) == sorted(wanted) and all(
                found[name].tobytes() == wanted[name].tobytes() for name in wanted
            )
    except (OSError, ValueError):
        return False
