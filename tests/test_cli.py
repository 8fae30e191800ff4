"""The command line: messages, exit codes, JSON, and what it leaves on the disk."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from graphs import QUANT, relu, single, tensor
from nets import data
from onnx import helper
from onnx_models import model_of
from typer.testing import CliRunner, Result

from s2c.cli import app
from s2c.driver import CHIP_STAGES, STAGES, compile_model, make_request
from s2c.program import MANIFEST_VERSION
from s2c.readers.graph_file import write_graph
from s2c.report import shorten, to_json
from s2c.silicon.schedule import make_schedule

WANTED_DIM = "--dim: wanted NAME=SIZE with a size of at least 1, each name once"
NAMED_STAGES = ", ".join(each for each in dict.fromkeys(STAGES) if each not in CHIP_STAGES)
HOSTILE = "*/ int main(void) { return 1; } /* \x1b[31m"


def s2c(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], prog_name="s2c")


def dense(path: Path, shape: tuple[int | str, int] = (1, 8), columns: int = 4, name: str = "layer") -> Path:
    source = np.random.default_rng(0)
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], name=name, transB=1)
    weight = source.normal(size=(columns, shape[1])).astype(np.float32)
    path.write_bytes(model_of([node], {"x": shape}, {"w": weight, "b": weight[:, 0].copy()}))
    return path


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense net for the host."""
    folder = tmp_path_factory.mktemp("compiled")
    result = s2c("compile", dense(folder / "dense.onnx"), "-o", folder / "out")
    assert result.exit_code == 0, result.output
    return folder / "out"


def assert_refused(result: Result, *lines: str) -> None:
    """Exit code 2, these lines on stderr, nothing on stdout."""
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "".join(f"error: {line}\n" for line in lines)


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# without a compiler


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, s2c.cli; print(*{'numpy', 'rich', 'onnx', 'unicorn', 'capstone'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "\n"


def test_help_names_every_verb() -> None:
    text = s2c("--help").stdout
    assert all(
        f"\n  {verb} " in text for verb in ("compile", "run", "verify", "inspect", "bench", "ops", "targets")
    )


def test_version() -> None:
    assert s2c("--version").stdout == f"s2c {importlib.metadata.version('s2c')}\n"


def test_truncated_file(tmp_path: Path) -> None:
    model = dense(tmp_path / "net.onnx")
    model.write_bytes(model.read_bytes()[:100])
    found = (
        "wanted a whole ONNX file, found bytes that do not decode as one; export or download the file again"
    )
    assert_refused(s2c("compile", model, "-o", tmp_path / "out"), f"net.onnx: {found}")
    assert entries(tmp_path) == ["net.onnx"]


def test_all_unknown_ops_at_once(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Foo", ["x"], ["z"], name="first"),
        helper.make_node("Bar", ["z"], ["y"], name="second"),
    ]
    model = tmp_path / "net.onnx"
    model.write_bytes(model_of(nodes, {"x": (1, 8)}))
    result = s2c("compile", model, "-o", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (2, "")
    assert [re.split(r"  +", line.rstrip()) for line in result.stderr.splitlines()] == [
        ["error: 2 problems"],
        ["layer", "wanted", "found", "do"],
        [result.stderr.splitlines()[2]],
        ["first", "an ONNX op that s2c reads", "Foo", "write it with ops that s2c reads"],
        ["second", "an ONNX op that s2c reads", "Bar", "write it with ops that s2c reads"],
    ]
    assert entries(tmp_path) == ["net.onnx"]


def test_equal_problems_are_one_row(tmp_path: Path) -> None:
    names = [f"block{index}{HOSTILE}" for index in range(5)]
    nodes = [helper.make_node("Foo", ["x"], [f"y{index}"], name=name) for index, name in enumerate(names)]
    model = tmp_path / "net.onnx"
    outputs = [f"y{index}" for index in range(5)]
    model.write_bytes(model_of(nodes, {"x": (1, 8)}, outputs=outputs))
    said = [name.replace("\x1b", "?") for name in names]
    do = "wanted an ONNX op that s2c reads, found Foo; write it with ops that s2c reads"
    assert_refused(s2c("inspect", model), f"{', '.join(said[:3])} and 2 more: {do}")
    document = json.loads(s2c("inspect", model, "--json").stdout)
    assert [each["layer"] for each in document["error"]] == names


def test_dynamic_dimension(tmp_path: Path) -> None:
    model = dense(tmp_path / "net.onnx", ("batch", 8))
    assert_refused(
        s2c("compile", model, "-o", tmp_path / "out"),
        "x: wanted a fixed shape, found axis 0 of unknown extent (batch); set it with --dim batch=N",
    )
    assert s2c("compile", model, "--dim", "batch=2", "--stop-after", "load").exit_code == 0
    assert entries(tmp_path) == ["net.onnx"]


def test_errors_as_json(tmp_path: Path) -> None:
    result = s2c("compile", dense(tmp_path / "net.onnx", ("batch", 8)), "-o", tmp_path / "out", "--json")
    assert (result.exit_code, result.stderr) == (2, "")
    problem = {
        "layer": "x",
        "wanted": "a fixed shape",
        "found": "axis 0 of unknown extent (batch)",
        "do": "set it with --dim batch=N",
    }
    assert json.loads(result.stdout) == {"error": [problem]}


def test_net_too_big_for_its_target(tmp_path: Path) -> None:
    model = dense(tmp_path / "net.onnx", (1, 1024), 1024)
    assert_refused(
        s2c("compile", model, "--target", "cortex-m4", "-o", tmp_path / "deep" / "out"),
        "net: wanted at most 2097152 bytes of flash, which cortex-m4 has, found 4198400 bytes of constants; "
        "choose a target with more memory, or a smaller net",
    )
    assert entries(tmp_path) == ["net.onnx"]


def test_missing_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = dense(tmp_path / "net.onnx")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "ziglang" else find(name, *rest)
    )
    assert_refused(
        s2c("compile", model, "-o", tmp_path / "out"),
        "target host: wanted all its tools, found ziglang is not installed: pip install ziglang; "
        "install what is missing",
    )
    assert entries(tmp_path) == ["net.onnx"]
    assert s2c("targets").stdout.endswith("missing\nziglang is not installed: pip install ziglang\n")


def test_missing_compiler(tmp_path: Path) -> None:
    assert_refused(
        s2c("compile", dense(tmp_path / "net.onnx"), "-o", tmp_path / "out", "--cc", "no-such-cc"),
        "target host: wanted all its tools, found no-such-cc (--cc) is not on the path: install it, or leave "
        "--cc out; install what is missing",
    )
    assert entries(tmp_path) == ["net.onnx"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--dim", "batch"),
            f"{WANTED_DIM}, found batch; e.g. --dim batch=1",
        ),
        (
            ("--dim", "n=0"),
            f"{WANTED_DIM}, found n=0; e.g. --dim batch=1",
        ),
        (
            ("--dim", "n=1", "--dim", "n=2"),
            f"{WANTED_DIM}, found n twice; e.g. --dim batch=1",
        ),
        (("--dim", "n=1"), "net.onnx: wanted a name that --dim can set (none), found 'n'; correct --dim n"),
        (
            ("--const", "x"),
            "--const: wanted INPUT=FILE.npy, each input once, found x; e.g. --const axes=axes.npy",
        ),
        (
            ("--stop-after", "nothing"),
            f"--stop-after: wanted one of {NAMED_STAGES}, found nothing; name one of these",
        ),
        (
            ("--target", "abacus"),
            "--target: wanted one of aarch64, asic, cortex-m33, cortex-m4, cortex-m7, host, x86-64-v2, "
            "x86-64-v3, x86-64-v4, found abacus; name one of these",
        ),
        (
            ("--name", "a b"),
            "--name: wanted a C identifier of at most 40 letters, digits and underscores that no language or "
            "tool reserves, found 'a b'; choose another, such as my_net",
        ),
    ],
)
def test_wrong_values(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = s2c("compile", dense(tmp_path / "net.onnx"), "-o", tmp_path / "out", *arguments)
    assert_refused(result, message)
    assert entries(tmp_path) == ["net.onnx"]


def chip_net(path: Path) -> Path:
    """An int8 net that a chip can compute."""
    write_graph(path, single(relu(tensor("x", 1, 8, quant=QUANT), "y")))
    return path


@pytest.fixture
def chip_manifest(tmp_path: Path) -> Path:
    """A folder that is a chip as far as its manifest goes."""
    folder = tmp_path / "chip"
    folder.mkdir()
    (folder / "net.c").touch()
    manifest = {"manifest_version": MANIFEST_VERSION, "name": "net", "target": "asic", "cycles": 9}
    (folder / "net.json").write_text(json.dumps(manifest))
    return folder


def test_a_chip_shows_its_schedule_and_verilog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = chip_net(tmp_path / "net.s2c")
    asked = ("compile", model, "--target", "asic", "--lanes", "4", "--stop-after")
    schedule = s2c(*asked, "schedule").stdout
    cycles = make_schedule(compile_model(make_request(model, "asic")).plan, 4).cycles
    assert schedule.splitlines()[0] == f"lanes 4, cycles {cycles}"
    line = r"^2: most wait=0 cycles=\d+ tile=1 loops=\d+ gap=\d+ rounding=none  # 'y'$"
    assert re.search(line, schedule, re.M)
    verilog = s2c(*asked, "emit").stdout
    assert "module net (" in verilog
    for stage, last in (("plan", "90_plan.txt"), ("schedule", "91_schedule.txt"), ("emit", "net.v")):
        monkeypatch.setenv("S2C_DUMP", str(tmp_path / stage))
        assert s2c(*asked, stage).exit_code == 0
        assert last in entries(tmp_path / stage)
    assert entries(tmp_path / "plan")[-1] == "90_plan.txt"
    assert entries(tmp_path / "schedule")[-1] == "91_schedule.txt"
    assert (tmp_path / "schedule" / "91_schedule.txt").read_text() == schedule


@pytest.mark.parametrize("value", ["0", "-5", "nan", "inf"])
def test_clocks_that_tell_no_time(tmp_path: Path, chip_manifest: Path, value: str) -> None:
    """Every verb that takes a clock refuses it in the same words."""
    model = chip_net(tmp_path / "net.s2c")
    for arguments in (
        ("compile", model, "--target", "asic", "--latency", "100us", "-o", tmp_path / "out"),
        ("lanes", model),
        ("inspect", chip_manifest),
        ("bench", chip_manifest),
        ("synth", chip_manifest, "--device", "ecp5-25k"),
    ):
        assert_refused(
            s2c(*arguments, "--mhz", value),
            f"--mhz: wanted a clock above 0 MHz, and finite, found {value}; give the chip's clock",
        )
    assert entries(tmp_path) == ["chip", "net.s2c"]


def test_lanes_without_what_draws_pages(tmp_path: Path) -> None:
    """The tables need no extra; -o says which one is missing, before anything is computed."""
    code = (
        "import sys; sys.modules.update(jinja2=None, markupsafe=None, matplotlib=None); "
        "from s2c.cli import main; main()"
    )

    def lanes(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, "lanes", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    found = lanes(chip_net(tmp_path / "net.s2c"))
    assert (found.returncode, found.stderr) == (0, "")
    assert "lanes to choose from" in found.stdout
    found = lanes(tmp_path / "none.s2c", "-o", tmp_path / "out")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "error: -o: wanted the Python modules jinja2, matplotlib, found no jinja2, matplotlib; "
        "pip install 's2c[report]', or leave -o out\n"
    )
    assert entries(tmp_path) == ["net.s2c"]


def test_output_folder_is_needed(tmp_path: Path) -> None:
    assert_refused(
        s2c("compile", dense(tmp_path / "net.onnx")), "-o: wanted the folder to write, found none; add -o DIR"
    )


def test_unknown_option() -> None:
    result = s2c("compile", "--frobnicate")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such option: --frobnicate" in result.stderr


def test_foreign_folders_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = dense(tmp_path / "net.onnx")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    wanted = "wanted a new folder, or one with nothing but what s2c compile wrote"
    do = "name another folder"
    assert_refused(s2c("compile", model, "-o", mine), f"-o {mine}: {wanted}, found thesis.tex; {do}")
    assert_refused(
        s2c("compile", model, "-o", model), f"-o {model}: {wanted}, found a file of that name; {do}"
    )
    monkeypatch.chdir(mine)
    assert_refused(
        s2c("compile", model, "-o", mine), f"-o {mine}: {wanted}, found the working directory; {do}"
    )
    assert (mine / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    ("stage", "text"), [("load", "dense("), ("lower", "matmul("), ("plan", "arena "), ("emit", "void")]
)
def test_stop_after(tmp_path: Path, stage: str, text: str) -> None:
    model = dense(tmp_path / "net.onnx")
    result = s2c("compile", model, "--stop-after", stage)
    assert result.exit_code == 0
    assert text in result.stdout
    document = json.loads(s2c("compile", model, "--stop-after", stage, "--json").stdout)
    assert (document["stage"], document["text"].rstrip("\n")) == (stage, result.stdout.rstrip("\n"))


def test_dump_ends_where_the_compilation_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = dense(tmp_path / "net.onnx")
    monkeypatch.setenv("S2C_DUMP", str(tmp_path / "load"))
    assert s2c("compile", model, "--stop-after", "load").exit_code == 0
    assert entries(tmp_path / "load") == ["00_load.txt"]
    monkeypatch.setenv("S2C_DUMP", str(tmp_path / "plan"))
    assert s2c("compile", model, "--stop-after", "plan").exit_code == 0
    assert entries(tmp_path / "plan")[-1] == "90_plan.txt"
    monkeypatch.setenv("S2C_DUMP", str(tmp_path / "emit"))
    assert s2c("compile", model, "--stop-after", "emit").exit_code == 0
    emitted = ["CMakeLists.txt", "build", "main.c", "net.c", "net.h", "net.hpp", "net.rs"]
    assert sorted({*entries(tmp_path / "emit")} - {*entries(tmp_path / "plan")}) == emitted


def test_targets() -> None:
    rows = {row["name"]: row for row in json.loads(s2c("targets", "--json").stdout)["targets"]}
    arm, levels = ["cortex-m33", "cortex-m4", "cortex-m7"], ["x86-64-v2", "x86-64-v3", "x86-64-v4"]
    assert list(rows) == ["aarch64", "asic", *arm, "host", *levels]
    assert rows["cortex-m4"]["flash_bytes"] == 2 << 20
    assert rows["host"]["ram_bytes"] is None


def test_shorten() -> None:
    assert [shorten("abcdefgh", width) for width in (8, 7, 4)] == ["abcdefgh", "abc…fgh", "a…gh"]


def test_json_is_standard() -> None:
    text = to_json({"a": np.array([np.nan, np.inf, -np.inf, 1], np.float32)})
    assert text == '{"a": ["NaN", "Infinity", "-Infinity", 1.0]}'


# with a compiler


@pytest.mark.build
def test_compile_then_run(compiled: Path, tmp_path: Path) -> None:
    source = np.random.default_rng(1)
    several = source.normal(size=(3, 1, 8)).astype(np.float32)
    np.save(tmp_path / "one.npy", several[0])
    np.save(tmp_path / "several.npy", several)
    one = json.loads(s2c("run", compiled, tmp_path / "one.npy", "--json").stdout)
    assert one["outputs"][0]["shape"] == [1, 4]
    assert s2c("run", compiled, tmp_path / "several.npy", "-o", tmp_path / "all.npz").exit_code == 0
    with np.load(tmp_path / "all.npz") as arrays:
        assert arrays["output_0"].shape == (3, 1, 4)
        assert arrays["output_0"][0].tolist() == one["outputs"][0]["data"]


@pytest.mark.build
def test_wrong_inputs(compiled: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((1, 8)))
    do = "reshape or convert the array"
    assert_refused(s2c("run", compiled, path), f"input x: wanted f32[1, 8], found float64[1, 8]; {do}")
    np.save(path, np.zeros((1, 9), np.float32))
    assert_refused(s2c("run", compiled, path), f"input x: wanted f32[1, 8], found float32[1, 9]; {do}")
    wanted = "wanted 1 arrays, found 2; give one array for each input, in order"
    assert_refused(s2c("run", compiled, path, path), f"inputs: {wanted}")
    wanted = "wanted an array that numpy.save wrote, without objects"
    np.save(path, np.array([{}], object), allow_pickle=True)
    assert_refused(
        s2c("run", compiled, path),
        f"{path}: {wanted}, found {path}: another kind of file; save the array again",
    )
    path.write_text("text")
    assert_refused(
        s2c("run", compiled, path),
        f"{path}: {wanted}, found {path}: another kind of file; save the array again",
    )
    path.unlink()
    found = (
        "wanted a path that can be used, found No such file or directory; check the path and its permissions"
    )
    assert_refused(s2c("run", compiled, path), f"{path}: {found}")
    found = "wanted a folder that s2c compile wrote, found no manifest in it; compile a model into it"
    assert_refused(s2c("verify", tmp_path), f"{tmp_path}: {found}")


@pytest.mark.build
def test_artifact_is_replaced_unless_it_holds_more(compiled: Path, tmp_path: Path) -> None:
    model = dense(tmp_path / "dense.onnx")
    assert s2c("compile", model, "-o", tmp_path / "out").exit_code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert s2c("compile", model, "-o", tmp_path / "out").exit_code == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()} == before
    (tmp_path / "out" / "firmware.c").touch()
    assert s2c("compile", model, "-o", tmp_path / "out").exit_code == 2
    assert (tmp_path / "out" / "firmware.c").exists()
    assert entries(tmp_path) == ["dense.onnx", "out"]


@pytest.mark.build
def test_layer_named_like_code(tmp_path: Path) -> None:
    model = dense(tmp_path / "net.onnx", name=HOSTILE)
    assert s2c("compile", model, "-o", tmp_path / "out").exit_code == 0
    text = (tmp_path / "out" / "net.c").read_text()
    assert "/* _/ int main(void) _ return 1; _ /_ _[31m */" in text
    assert HOSTILE[:5] not in text


@pytest.mark.build
def test_interrupt_leaves_nothing(tmp_path: Path) -> None:
    """The compiler is interrupted while a child of its own still wants to write."""
    compiler = tmp_path / "cc"
    compiler.write_text(
        '#!/bin/sh\nfor last; do :; done\ntouch "$0.started"\n(sleep 20; echo late > "$last")\n'
    )
    compiler.chmod(0o755)
    model = dense(tmp_path / "net.onnx")
    command = [
        sys.executable,
        "-c",
        "from s2c.cli import main; main()",
        "compile",
        model,
        "-o",
        tmp_path / "a/out",
    ]
    child = subprocess.Popen(
        [*command, "--cc", compiler],
        stderr=subprocess.PIPE,
        text=True,
        # Whoever starts the tests in the background of a script has the signal ignored, and its children too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while not (tmp_path / "cc.started").exists():
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGINT)
    assert child.communicate()[1] == "interrupted\n"
    assert child.returncode == 130
    assert entries(tmp_path) == ["cc", "cc.started", "net.onnx"]


@pytest.mark.build
def test_killed_image(compiled: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(compiled, tmp_path / "copy"))
    (folder / "build" / "dense.elf").write_text("#!/bin/sh\necho no luck >&2\nkill -9 $$\n")
    np.save(tmp_path / "x.npy", np.zeros((1, 8), np.float32))
    result = s2c("run", folder, tmp_path / "x.npy")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: image: wanted outputs for every input, found the image ended with status -9: no luck; "
        "s2c verify finds the input; or compile again\n"
    )


@pytest.mark.build
def test_bench_host(compiled: Path) -> None:
    result = json.loads(s2c("bench", compiled, "--calls", 100, "--json").stdout)
    times = [result[f"{key}_microseconds"] for key in ("minimum", "median", "p99", "p99_9", "max")]
    assert result["calls"] == 100
    assert times == sorted(times)


@pytest.mark.build
def test_bench_emulated(tmp_path: Path) -> None:
    model = data("tflite_micro/hello_world_int8.tflite")
    manifest = json.loads(
        s2c("compile", model, "--target", "cortex-m4", "-o", tmp_path / "out", "--json").stdout
    )
    result = json.loads(s2c("bench", tmp_path / "out", "--json").stdout)
    assert result["instructions"] == result["entry"] + sum(each["instructions"] for each in result["layers"])
    assert [each["layer"] for each in result["layers"]] == [call["layer"] for call in manifest["calls"]]
    assert "before the first layer" in s2c("bench", tmp_path / "out").stdout
    assert json.loads(s2c("inspect", tmp_path / "out", "--json").stdout)["macs"] == manifest["macs"]


@pytest.mark.build
def test_dump_holds_the_emitted_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2C_DUMP", str(tmp_path / "dump"))
    assert s2c("compile", dense(tmp_path / "net.onnx"), "-o", tmp_path / "out").exit_code == 0
    for name in ("net.c", "net.h", "net.hpp", "net.rs", "main.c", "build/net.h"):
        assert (tmp_path / "dump" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


@pytest.mark.build
def test_inspect_a_folder(compiled: Path) -> None:
    document = json.loads(s2c("inspect", compiled, "--json").stdout)
    assert (document["ops"], document["matmul_share"]) == ({"dense": 1}, 1.0)
    assert document["calls"][0]["output_bytes"] == 16
    text = s2c("inspect", compiled).stdout
    assert "ops         1 dense" in text
    assert "in matmul   100.0% of the MACs" in text
    assert text.splitlines()[0].split() == [
        *("layer", "kernel", "output", "MACs", "parameters", "constants", "arena")
    ]


@pytest.mark.build
def test_net_without_calls(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(model_of([helper.make_node("Identity", ["x"], ["y"])], {"x": (1, 8)}))
    for target in ("host", "cortex-m4"):
        assert s2c("compile", model, "--target", target, "-o", tmp_path / target).exit_code == 0
        assert s2c("verify", tmp_path / target, "--inputs", 2).exit_code == 0
        assert s2c("bench", tmp_path / target).exit_code == 0
    result = json.loads(s2c("bench", tmp_path / "cortex-m4", "--json").stdout)
    assert (result["layers"], result["macs"], result["entry"]) == ([], 0, result["instructions"])


@pytest.mark.build
def test_net_without_inputs(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((1, 8), np.float32))
    model = dense(tmp_path / "net.onnx")
    bound = ("--const", f"x={tmp_path / 'x.npy'}")
    result = s2c("compile", model, *bound, "-o", tmp_path / "out")
    assert result.stdout.endswith(f"s2c run {tmp_path / 'out'}\n")
    document = json.loads(s2c("run", tmp_path / "out", "--json").stdout)
    assert document["outputs"][0]["shape"] == [1, 4]
    assert s2c("verify", tmp_path / "out", "--inputs", 2).exit_code == 0
    assert s2c("bench", tmp_path / "out").exit_code == 0


@pytest.mark.build
def test_image_that_cannot_start(compiled: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(compiled, tmp_path / "copy"))
    np.save(tmp_path / "x.npy", np.zeros((1, 8), np.float32))
    image = folder / "build" / "dense.elf"
    message = f"{image}: wanted an image that runs on host, found {{}}; compile the model again"
    image.write_bytes(b"junk")
    assert_refused(s2c("run", folder, tmp_path / "x.npy"), message.format("Exec format error"))
    image.unlink()
    assert_refused(s2c("run", folder, tmp_path / "x.npy"), message.format("No such file or directory"))
