"""Hostile and broken files: a clear error, exit code 2, bounded memory, and nothing of theirs is run."""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import hostile_models as models
import numpy as np
import onnx
import pytest
from fuzz.attempt import attempt
from onnx_models import one_op
from test_cli import assert_refused, s2c

from s2c import CompileError, oracle
from s2c.readers import load_model, self_contained

ADDRESS_SPACE = 4 << 30
RESIDENT = 3 << 20  # KiB, of a process that has tried all files
SECONDS = 20  # of the processor, for one file
LONGEST = 20_000  # letters of an error

Result = dict[str, object]


def try_files(folder: Path, cases: Iterable[models.Case], verb: str = "inspect") -> dict[str, Result]:
    """What s2c says of each file, in one process with bounded memory. verb: inspect, or read for speed."""
    names = []
    for name, content in cases:
        (folder / name).write_bytes(content)
        names.append(name)
    command = [sys.executable, __file__, str(folder), verb]
    child = subprocess.run(command, input=json.dumps(names), capture_output=True, text=True, timeout=600)
    assert child.returncode == 0, child.stderr[-2000:]
    return {each["name"]: each for each in map(json.loads, child.stdout.splitlines())}


def read(path: Path) -> Result:
    """What inspect does, without what it shows."""
    outcome = attempt(path)
    codes = {"compiled": 0, "refused": 2, "found": 1}
    said = "error: " if outcome.kind == "refused" else ""
    return {"code": codes[outcome.kind], "exception": outcome.trace, "stdout": "", "stderr": said}


def inspect(path: Path) -> Result:
    result = s2c("inspect", path)
    exception = "" if isinstance(result.exception, SystemExit | None) else repr(result.exception)
    texts = {"stdout": result.stdout, "stderr": result.stderr}
    return {"code": result.exit_code, "exception": exception, **texts}


def peak_resident() -> int:
    """KiB, of this process's own memory: getrusage starts at the peak of the parent, from which it forked."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def child(folder: Path, verb: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    for name in json.load(sys.stdin):
        start = time.process_time()
        result = {"inspect": inspect, "read": read}[verb](folder / name)
        document = {
            "name": name,
            **result,
            "seconds": time.process_time() - start,
            "resident": peak_resident(),
        }
        print(json.dumps(document), flush=True)


def assert_clean(results: dict[str, Result], codes: tuple[int, ...]) -> None:
    """No traceback, no escape, no flood, no long wait, little memory, no file that a payload makes."""
    wrong = {name: each["exception"] for name, each in results.items() if each["code"] not in codes}
    assert not wrong
    for name, each in results.items():
        text = f"{each['stdout']}{each['stderr']}"
        assert all(letter.isprintable() or letter == "\n" for letter in text), (name, text)
        assert len(text) < LONGEST, (name, len(text))
        assert each["code"] == 0 or str(each["stderr"]).startswith("error: "), (name, text)
        assert float(str(each["seconds"])) < SECONDS, (name, each["seconds"])
    assert max(int(str(each["resident"])) for each in results.values()) < RESIDENT
    assert not models.MARKER.exists()


@pytest.mark.build
def test_refused_files(tmp_path: Path) -> None:
    results = try_files(tmp_path, models.refused_cases())
    assert len(results) > 80
    assert_clean(results, (2,))


@pytest.mark.build
def test_names_in_errors(tmp_path: Path) -> None:
    results = try_files(tmp_path, models.unknown_names())
    assert_clean(results, (2,))


@pytest.mark.build
def test_strange_files_that_are_right(tmp_path: Path) -> None:
    assert_clean(try_files(tmp_path, models.compiled_cases()), (0,))


@pytest.mark.build
@pytest.mark.parametrize("name", ["digits.onnx", "digits_int8.onnx"])
def test_truncated_onnx(tmp_path: Path, name: str) -> None:
    """A cut between two fields of a message can leave a whole model."""
    results = try_files(tmp_path, models.truncations((models.DEMO / name).read_bytes(), ".onnx"), "read")
    assert_clean(results, (0, 2))
    assert sum(each["code"] == 0 for each in results.values()) <= 10


@pytest.mark.build
def test_truncated_tflite(tmp_path: Path) -> None:
    results = try_files(tmp_path, models.truncations(models.small_tflite(), ".tflite"), "read")
    assert_clean(results, (0, 2))
    assert sum(each["code"] == 0 for each in results.values()) <= 10


@pytest.mark.build
def test_tables_that_overlap(tmp_path: Path) -> None:
    results = try_files(tmp_path, models.patched_words(models.small_tflite(), ".tflite"), "read")
    assert_clean(results, (0, 2))
    assert sum(each["code"] == 2 for each in results.values()) > len(results) // 4


# external data


def addend(path: Path) -> list[float]:
    graph = load_model(path, {}, {})
    return oracle.run(graph, np.zeros((1, 4), np.float32))[0].ravel().tolist()


def refusal(path: Path) -> str:
    with pytest.raises(CompileError) as caught:
        load_model(path, {}, {})
    return str(caught.value)


def test_external_data(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    weights = models.with_external_data(path, "sub/weights.bin", offset=8, length=16)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/weights.bin").write_bytes(bytes(8) + weights.tobytes() + b"more")
    assert addend(path) == weights.tolist()
    whole = onnx.ModelProto.FromString(self_contained(path))
    assert whole.graph.initializer[0].raw_data == weights.tobytes()
    assert not whole.graph.initializer[0].external_data
    (tmp_path / "whole.onnx").write_bytes(self_contained(path))
    (tmp_path / "sub/weights.bin").unlink()
    assert addend(tmp_path / "whole.onnx") == weights.tolist()
    assert self_contained(tmp_path / "whole.onnx") == (tmp_path / "whole.onnx").read_bytes()


@pytest.mark.parametrize(
    "location",
    ["../weights.bin", "a/../../weights.bin", "/etc/passwd", "", ".", "..", "weights.bin/..", "a\0b"],
)
def test_external_data_outside_the_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    (tmp_path / "net").mkdir()
    models.with_external_data(tmp_path / "net/net.onnx", location)
    assert refusal(tmp_path / "net/net.onnx") == (
        f"c0: wanted external data in a file inside the model's folder, found {location!r}; move the file "
        "beside the model and name it so"
    )


def test_external_data_behind_links(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "net").mkdir(parents=True)
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    path = real / "net/net.onnx"
    (real / "net/link.bin").symlink_to(tmp_path / "weights.bin")
    (real / "net/folder").symlink_to(tmp_path)
    (real / "net/loop").symlink_to("loop")
    do = "export the model into one file, or with its data beside it"
    for location, found in (
        ("link.bin", "Too many levels of symbolic links"),
        ("folder/weights.bin", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
        ("missing", "No such file or directory"),
        ("net.onnx/x", "Not a directory"),
        ("x" * 5000, "File name too long"),
    ):
        models.with_external_data(path, location)
        wanted = f"external data in the file {location}, which is no link"
        assert refusal(path) == f"c0: wanted {wanted}, found {found}; {do}"
    (tmp_path / "shortcut").symlink_to(real)  # the user's own way to the model may hold links
    models.with_external_data(path, "weights.bin")
    (real / "net/weights.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    assert addend(tmp_path / "shortcut/net/net.onnx") == [0, 1, 2, 3]


def test_external_data_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        models.with_external_data(tmp_path / "net.onnx", name)
        assert refusal(tmp_path / "net.onnx") == (
            f"c0: wanted external data in the file {name}, found no ordinary file; export the model into one "
            "file, or with its data beside it"
        )


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"offset": 1}, "at least 17 bytes in weights.bin, found 16 bytes"),
        ({"offset": 1 << 59}, f"at least {(1 << 59) + 16} bytes in weights.bin, found 16 bytes"),
        ({"length": 8}, "16 bytes of external data, found 8 bytes"),
        ({"length": 1 << 59}, f"16 bytes of external data, found {1 << 59} bytes"),
        ({"offset": -1}, "a number of bytes as offset of external data, found '-1'"),
        ({"offset": "1e3"}, "a number of bytes as offset of external data, found '1e3'"),
        ({"length": "٤"}, "a number of bytes as length of external data, found '٤'"),
        ({"offset": "9" * 5000}, f"a number of bytes as offset of external data, found {'9' * 40!r}"),
    ],
)
def test_external_data_outside_the_file(tmp_path: Path, entries: dict[str, object], message: str) -> None:
    models.with_external_data(tmp_path / "net.onnx", **entries)
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    do = "export the model into one file, or with its data beside it"
    assert refusal(tmp_path / "net.onnx") == f"c0: wanted {message}; {do}"


def test_external_data_that_is_huge(tmp_path: Path) -> None:
    """A sparse file holds every byte that a shape asks for."""
    data = models.external(one_op("Add", (1, 4), np.ones(4, np.float32)), "weights.bin")
    model = onnx.ModelProto.FromString(data)
    model.graph.initializer[0].dims[:] = [1 << 40]
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(1 << 42)
    assert refusal(tmp_path / "net.onnx") == (
        "c0: wanted at most 268435456 bytes of external data, found 4398046511104 bytes up to this tensor; "
        "compile a smaller model"
    )
    model.graph.initializer[0].dims[:] = [1 << 62] * 40
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    assert "a shape of up to 32 axes" in refusal(tmp_path / "net.onnx")


def test_external_data_of_another_type(tmp_path: Path) -> None:
    data = models.external(one_op("Add", (1, 4), np.ones(4, np.float32)), "weights.bin")
    model = onnx.ModelProto.FromString(data)
    model.graph.initializer[0].data_type = onnx.TensorProto.STRING
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    assert refusal(tmp_path / "net.onnx") == (
        "c0: wanted external data of a numeric type, found element type 8; convert the tensor to float32"
    )


@pytest.mark.build
def test_artifact_holds_external_data(tmp_path: Path) -> None:
    models.with_external_data(tmp_path / "net.onnx")
    (tmp_path / "weights.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    result = s2c("compile", tmp_path / "net.onnx", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    (tmp_path / "weights.bin").unlink()
    result = s2c("verify", tmp_path / "out", "--inputs", 2)
    assert result.exit_code == 0, result.output


# paths and arrays


def test_torch_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else find(name, *rest)
    )
    for suffix in (".pt2", ".pt", ".pth"):
        path = tmp_path / f"net{suffix}"
        path.write_bytes(b"text")
        wanted = f"wanted torch, which reads {suffix} files, found it is not installed"
        assert_refused(s2c("inspect", path), f"net{suffix}: {wanted}; pip install 's2c[torch]'")


def test_paths_that_are_no_model(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "loop.onnx").symlink_to("loop.onnx")
    (tmp_path / "empty.onnx").touch()
    with (tmp_path / "sparse.onnx").open("wb") as file:
        file.truncate(1 << 40)
    cases = {
        "pipe.onnx": "wanted a model file, found no ordinary file; check the path",
        "loop.onnx": "wanted a readable file, found Too many levels of symbolic links; check the path",
        "empty.onnx": "wanted a model file, found an empty one; export or download the file again",
        "missing.onnx": "wanted a model file, found none; check the path",
        "sparse.onnx": f"wanted at most {1 << 31} bytes, found {1 << 40} bytes; compile a smaller model",
    }
    for name, message in cases.items():
        assert_refused(s2c("inspect", tmp_path / name), f"{tmp_path / name}: {message}")
    do = "wanted a model file, found no ordinary file; check the path"
    assert_refused(s2c("inspect", "/dev/zero"), f"/dev/zero: {do}")
    assert_refused(s2c("compile", tmp_path, "-o", tmp_path / "o"), f"{tmp_path}: {do}")


@pytest.mark.build
def test_arrays_that_are_none(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(one_op("Add", (1, 4), np.ones(4, np.float32)))
    path = tmp_path / "x.npy"
    header = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s,), }"
    contents = {
        "huge": header + (text % (1 << 40)).ljust(117).encode() + b"\n",
        "overflow": header + (text % f"{1 << 62}, {1 << 62}").ljust(117).encode() + b"\n",
        "negative": header + (text % "-4").ljust(117).encode() + b"\n" + bytes(64),
        "code": header + "__import__('os').system('true')".ljust(117).encode() + b"\n",
        "short": header[:9],
        "broken archive": b"PK\x03\x04" + bytes(100),
        "text": b"text",
        "nothing": b"",
    }
    wanted = "wanted an array that numpy.save wrote, without objects"
    for content in contents.values():
        path.write_bytes(content)
        result = s2c("inspect", model, "--const", f"x={path}")
        assert_refused(
            result, f"--const x: {wanted}, found {path}: another kind of file; save the array again"
        )
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros(1 << 24, np.float32))
    path = tmp_path / "bomb.npz"
    assert_refused(
        s2c("inspect", model, "--const", f"x={path}"),
        f"--const x: {wanted}, found {path}: an archive of arrays; save each as a .npy file",
    )


if __name__ == "__main__":
    child(Path(sys.argv[1]), sys.argv[2])
