"""A compiled folder -> a wheel: the net's library and manifest, and the Python that loads them."""

from __future__ import annotations

import base64
import hashlib
import json
import keyword
import re
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from s2c.errors import error
from s2c.library import find_library
from s2c.program import read_manifest
from s2c.resources import PACKAGE
from s2c.silicon.refusals import refuse_wheel
from s2c.target import load_target

# What the wheel holds of s2c itself, and as what.
MODULES: Mapping[str, str] = {
    "wheel_init.py": "__init__.py",
    "library.py": "library.py",
    "errors.py": "errors.py",
}
MACHINES: Mapping[str, str] = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}
# Modules that a package of the same name would hide, be hidden by, or take the place of.
TAKEN = {*keyword.kwlist, *sys.stdlib_module_names, "numpy", "pip", "s2c", "setuptools"}
EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip file can note
README = """\
# {package}

A neural net, compiled by s2c {version} into a library of fixed shape: no allocation, no dependency.

    import {package}

    {outputs} = {package}.run({inputs})

    net = {package}.open_library()    # copies nothing: inputs and outputs are views of its memory
    net.inputs[0][...] = 0
    net.run()
    net.outputs[0]

{table}
"""


def write_wheel(folder: Path, output: Path) -> Path:
    """Writes the wheel of a compiled folder into the folder `output`; the same net gives the same bytes.

    Raises CompileError where the net is a chip, or has no library, or not the one that its manifest
    describes.
    """
    manifest = read_manifest(folder)
    refuse_wheel(load_target(manifest["target"]))
    library = find_library(folder, manifest)
    package = package_name(manifest["name"])
    distribution = re.sub(r"[-_.]+", "_", package).strip("_").lower()
    version = f"0+d{manifest['library']['sha256'][:12]}"
    tag = f"py3-none-linux_{machine(library)}"
    info = f"{distribution}-{version}.dist-info"
    files = {
        **package_files(folder, manifest, package),
        f"{info}/METADATA": describe(manifest, package, distribution, version).encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: s2c\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(),
    }
    files[f"{info}/RECORD"] = record(files, f"{info}/RECORD").encode()
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{distribution}-{version}-{tag}.whl"
    write_zip(path, files)
    return path


def package_name(name: str) -> str:
    """The net's own name where Python leaves it free."""
    return f"{name}_net" if name in TAKEN else name


def machine(library: Path) -> str:
    """What the platform tag says of the code in a library: only the kind of machine.

    The tag stays linux_, not manylinux: the library needs no libc, but the features of the CPU that it was
    built for, and a manylinux tag promises any CPU of its kind.
    """
    wanted = f"a library for {' or '.join(MACHINES.values())}"
    try:
        with library.open("rb") as file:
            found = ELFFile(file).header.e_machine
    except ELFError as problem:
        raise error(str(library), wanted, str(problem), "compile the model again") from None
    if found not in MACHINES:
        raise error(str(library), wanted, str(found), "install the folder itself: s2c.open_library loads it")
    return MACHINES[found]


def package_files(folder: Path, manifest: Mapping[str, Any], package: str) -> dict[str, bytes]:
    """By path in the wheel. The manifest and the library lie as they lie in the compiled folder."""
    files = {f"{package}/{name}": (PACKAGE / source).read_bytes() for source, name in MODULES.items()}
    for path in (f"{manifest['name']}.json", manifest["library"]["file"]):
        files[f"{package}/{path}"] = (folder / path).read_bytes()
    return files


def describe(manifest: Mapping[str, Any], package: str, distribution: str, version: str) -> str:
    """METADATA, with a description of how to call the net."""
    rows = ["| | name | shape | dtype |", "|---|---|---|---|"]
    names: dict[str, list[str]] = {}
    for role in ("inputs", "outputs"):
        names[role] = [f"{role[:-1]}_{index}" for index in range(len(manifest[role]))]
        for own, each in zip(names[role], manifest[role], strict=True):
            quoted = json.dumps(each["name"]).replace("|", "\\u007c").replace("`", "\\u0060")
            rows.append(f"| {own} | `{quoted}` | {each['shape']} | {each['dtype']} |")
    text = README.format(
        package=package,
        version=manifest["versions"]["s2c"],
        inputs=", ".join(names["inputs"]),
        outputs=", ".join(names["outputs"]),
        table="\n".join(rows),
    )
    head = (
        "Metadata-Version: 2.1",
        f"Name: {distribution.replace('_', '-')}",
        f"Version: {version}",
        f"Summary: The net {manifest['name']}, compiled by s2c",
        "Requires-Python: >=3.10",
        "Requires-Dist: numpy>=1.26",
        "Description-Content-Type: text/markdown",
    )
    return "\n".join(head) + f"\n\n{text}"


def record(files: Mapping[str, bytes], own: str) -> str:
    """A line for each file: path, digest, size; its own without the latter two."""
    lines = []
    for path, data in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(data)}\n")
    return "".join([*lines, f"{own},,\n"])


def write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    """Sorted, and without the time or what zlib of this machine makes of it: equal files give equal bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.create_system = 3  # Unix, whose permissions follow
            is_library = name.endswith(".so")
            entry.external_attr = (0o100755 if is_library else 0o100644) << 16
            archive.writestr(entry, data)
