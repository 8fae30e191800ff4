"""A compiled net as a wheel: the same bytes every time, and pip installs what then runs alone."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import numpy as np
import pytest
from graphs import raises
from native import check_call, need
from typer.testing import CliRunner

import s2c
from s2c.cli import app
from s2c.wheel import machine, package_name, record, write_wheel

ROOT = Path(__file__).resolve().parent.parent

CODE = """
import sys
import numpy as np
import digits
import digits.library
golden = np.load(sys.argv[1])
for given, wanted in zip(golden["input_0"], golden["output_0"]):
    assert digits.run(given).tobytes() == wanted.tobytes()
    net = digits.open_library()
    net.inputs[0][...] = given
    net.run()
    assert net.outputs[0].tobytes() == wanted.tobytes()
digits.reset()
try:
    digits.run(np.zeros(3, np.float32))
except digits.CompileError as problem:
    print(problem)
assert "s2c" not in sys.modules and digits.manifest()["name"] == "digits"
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with s2c.compile(ROOT / "demo" / "digits_int8.onnx", name="digits") as program:
        return program.save(tmp_path_factory.mktemp("wheel") / "digits")


@pytest.fixture(scope="module")
def wheel(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wheel(compiled, tmp_path_factory.mktemp("wheels"))


@pytest.mark.build
def test_same_bytes_from_another_folder(compiled: Path, wheel: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(compiled, tmp_path / "copy"))
    for path in copy.rglob("*"):
        path.touch()
    again = write_wheel(copy, tmp_path / "new" / "folder")
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


@pytest.mark.build
def test_names_and_record(compiled: Path, wheel: Path) -> None:
    digest = hashlib.sha256((compiled / "build" / "libdigits.so").read_bytes()).hexdigest()
    assert wheel.name.startswith(f"digits-0+d{digest[:12]}-py3-none-linux_")
    info = f"digits-0+d{digest[:12]}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert sorted(files) == sorted(
        [f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL")]
        + [f"digits/{name}" for name in ("__init__.py", "errors.py", "library.py")]
        + ["digits/digits.json", "digits/build/libdigits.so"]
    )
    rows = list(csv.reader(files[f"{info}/RECORD"].decode().splitlines()))
    assert sorted(path for path, *_ in rows) == sorted(files)
    for path, noted, size in rows:
        found = base64.urlsafe_b64encode(hashlib.sha256(files[path]).digest()).decode().rstrip("=")
        own = path.endswith("/RECORD")
        assert (noted, size) == (("", "") if own else (f"sha256={found}", str(len(files[path])))), path
    metadata = message_from_bytes(files[f"{info}/METADATA"])
    assert (metadata["Name"], metadata["Requires-Dist"]) == ("digits", "numpy>=1.26")
    assert '| input_0 | `"image"` | [1, 1, 8, 8] | f32 |' in metadata.get_payload()


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python in a fresh environment with the wheel, and with what numpy comes from within reach."""
    folder = tmp_path_factory.mktemp("environment")
    check_call([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "numpy.pth").write_text(f"{Path(np.__file__).parent.parent}\n")
    check_call([sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", str(wheel)])
    assert (packages / "digits" / "build" / "libdigits.so").is_file()
    return python


@pytest.mark.build
def test_an_installed_wheel_runs_alone(compiled: Path, environment: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [environment, "-I", "-c", CODE, compiled / "golden.npz"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    wanted = "input image: wanted float32[1, 1, 8, 8], found float32[3]; reshape or convert the array\n"
    assert (done.returncode, done.stderr, done.stdout) == (0, "", wanted)


@pytest.mark.build
def test_command_line(compiled: Path, wheel: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["wheel", str(compiled), "-o", str(tmp_path), "--json"])
    assert result.exit_code == 0
    assert Path(json.loads(result.stdout)["wheel"]).read_bytes() == wheel.read_bytes()
    result = CliRunner().invoke(app, ["wheel", str(compiled), "-o", str(tmp_path / "other")])
    path = tmp_path / "other" / wheel.name
    assert result.stdout.split() == f"Written to {path}. Next: pip install {path}".split()


@pytest.mark.build
def test_a_net_without_a_library_has_no_wheel(tmp_path: Path) -> None:
    with s2c.compile(ROOT / "demo" / "digits_int8.onnx", target="cortex-m4") as program:
        folder = program.folder
        assert raises(lambda: write_wheel(folder, tmp_path / "out")) == (
            f"{folder}: wanted a net with a shared library, found digits_int8 for cortex-m4, without one; "
            "compile the model for a target that has libraries, such as host"
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.build
def test_wheel_for_another_machine(tmp_path: Path) -> None:
    """It needs no machine of the kind to be written, and no other loads it."""
    other = "x86_64" if platform.machine() == "aarch64" else "aarch64"
    target = {"aarch64": "aarch64", "x86_64": "x86-64-v2"}[other]
    if other == "aarch64":
        need("qemu-aarch64")  # of which the target makes sure
    with s2c.compile(ROOT / "demo" / "digits_int8.onnx", target=target, name="digits") as program:
        folder = program.folder
        assert write_wheel(folder, tmp_path).name.endswith(f"-py3-none-linux_{other}.whl")
        path = folder / "build" / "libdigits.so"
        wanted = f"{path}: wanted a library that this machine can load, found one for {target}: "
        assert raises(lambda: s2c.open_library(folder)).startswith(wanted)


def test_package_names_are_free() -> None:
    names = ["kws", "lambda", "json", "numpy", "MyNet"]
    assert [package_name(name) for name in names] == [
        "kws",
        "lambda_net",
        "json_net",
        "numpy_net",
        "MyNet",
    ]


def test_machine_of_a_file(tmp_path: Path) -> None:
    assert machine(elf(tmp_path, 62)) == "x86_64"
    assert machine(elf(tmp_path, 183)) == "aarch64"
    path = elf(tmp_path, 40)
    assert raises(lambda: machine(path)) == (
        f"{path}: wanted a library for x86_64 or aarch64, found EM_ARM; "
        "install the folder itself: s2c.open_library loads it"
    )
    path.write_bytes(b"junk")
    assert raises(lambda: machine(path)) == (
        f"{path}: wanted a library for x86_64 or aarch64, found Magic number does not match; "
        "compile the model again"
    )


def elf(folder: Path, number: int) -> Path:
    """The header of a 64-bit shared library for a machine."""
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + (3).to_bytes(2, "little") + number.to_bytes(2, "little")
    path = folder / "library.so"
    path.write_bytes(head.ljust(64, b"\0"))
    return path


def test_record_of_an_empty_file() -> None:
    """The digest of nothing is a known one."""
    assert record({"a/b.py": b""}, "RECORD") == (
        "a/b.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\nRECORD,,\n"
    )
