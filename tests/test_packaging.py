"""kernels/ and targets/ are found from a wheel, an sdist, an editable install and a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.build

ROOT = Path(__file__).resolve().parent.parent

BUILD = """\
import sys
import hatchling.build
print(getattr(hatchling.build, "build_" + sys.argv[1])(sys.argv[2]))
"""

WHERE = """\
import s2c, s2c.resources
print(s2c.__file__)
print(s2c.resources.folder("kernels"))
print(s2c.resources.folder("targets"))
"""

COMPILE = """\
import sys
import numpy as np
import s2c
with s2c.compile(sys.argv[1], target=sys.argv[2]) as program:
    print(program(np.zeros((1, 1, 8, 8), np.float32)).shape)
"""


def run_python(code: str, *arguments: str, cwd: Path, path: Path | None = None) -> list[str]:
    """The lines that it prints; path comes before all else that is importable."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def build(kind: str, source: Path, folder: Path) -> Path:
    """kind: wheel, sdist or editable."""
    return folder / run_python(BUILD, kind, str(folder), cwd=source)[-1]


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as file:
        return {name: file.read(name) for name in sorted(file.namelist())}


def data_files() -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for tree in ("kernels", "targets")
        for path in (ROOT / tree).rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked_sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    path = build("sdist", ROOT, folder)
    with tarfile.open(path) as file:
        file.extractall(folder)
    return folder / path.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel alone; what it depends on comes from this environment."""
    folder = tmp_path_factory.mktemp("installed")
    command = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(folder),
        str(wheel),
    ]
    subprocess.run([sys.executable, *command], check=True, cwd=folder)
    return folder


def test_wheel_holds_the_data_trees(wheel: Path) -> None:
    names = contents(wheel).keys()
    assert data_files() <= {name.removeprefix("s2c/") for name in names}
    assert not [name for name in names if not name.startswith(("s2c/", "s2c-"))]


def test_wheel_finds_its_own_trees(installed: Path, tmp_path: Path) -> None:
    module, kernels, targets = map(Path, run_python(WHERE, cwd=tmp_path, path=installed))
    assert module == installed / "s2c" / "__init__.py"
    assert kernels == installed / "s2c" / "kernels"
    assert targets == installed / "s2c" / "targets"


@pytest.mark.parametrize("target", ["host", "cortex-m4"])
def test_wheel_compiles_elsewhere(installed: Path, tmp_path: Path, target: str) -> None:
    model = ROOT / "demo" / "digits_int8.onnx"
    assert run_python(COMPILE, str(model), target, cwd=tmp_path, path=installed) == ["(1, 10)"]


def test_sdist_holds_everything(unpacked_sdist: Path) -> None:
    wanted = data_files() | {
        ".ci/run",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "RATIONALE.md",
        "bench/peers.toml",
        "constraints.txt",
        "demo/LICENSE.digits.txt",
        "demo/demo.py",
        "demo/digits.onnx",
        "demo/digits_int8.onnx",
        "demo/digits_test.npz",
        "demo/digits_train.npz",
        "demo/train.py",
        "pyproject.toml",
        "tests/test_packaging.py",
    }
    assert not [name for name in sorted(wanted) if not (unpacked_sdist / name).is_file()]
    assert not (unpacked_sdist / "demo" / "out").exists()


def test_sdist_builds_the_same_wheel(unpacked_sdist: Path, wheel: Path, tmp_path: Path) -> None:
    assert contents(build("wheel", unpacked_sdist, tmp_path)) == contents(wheel)


def test_checkout_finds_its_trees(tmp_path: Path) -> None:
    found = run_python(WHERE, cwd=tmp_path, path=ROOT)
    assert found == [str(ROOT / "s2c" / "__init__.py"), str(ROOT / "kernels"), str(ROOT / "targets")]


def test_editable_install_has_no_copies(tmp_path: Path) -> None:
    """Copies would go stale; the path that it adds is the checkout, so that all is found as above."""
    files = contents(build("editable", ROOT, tmp_path))
    (link,) = [name for name in files if not name.startswith("s2c-")]
    assert Path(files[link].decode().strip()) == ROOT
