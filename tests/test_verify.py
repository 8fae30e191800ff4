"""verify accepts what s2c makes, and names what was altered or depends on data."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from typer.testing import CliRunner

from s2c import kernel
from s2c.artifact import save_artifact
from s2c.cli import app
from s2c.compare import compare
from s2c.driver import compile_model, make_request
from s2c.emit import c_family
from s2c.errors import CompileError
from s2c.image import Facts
from s2c.program import save_arrays
from s2c.recompile import recompile
from s2c.resources import folder as data_folder
from s2c.rounding import round_again
from s2c.verify import Run, conclude, image_claims, instructions_claim, outputs_claim, verify
from tests.onnx_models import model_of

DEMO = Path(__file__).parents[1] / "demo"
INT8 = DEMO / "digits_int8.onnx"
FLOAT = DEMO / "digits.onnx"
INPUTS = 4

FACTS = Facts(
    rom_bytes=100,
    writable_bytes=0,
    image_bytes=200,
    stack_bytes=16,
    calls=("net_run", "net_matmul"),
    outside=(),
    recursive=(),
    undefined_symbols=(),
    variable_latency=(),
    unproved=(),
)


def run(name: str, wanted: object, found: object, is_ordinary: bool = True, **counters: object) -> Run:
    arrays = [np.array(each, np.int8 if isinstance(each, int) else np.float32) for each in (wanted, found)]
    return Run(name, is_ordinary, (compare(arrays[0], arrays[1]),), counters)


# the claims


def test_integers_must_be_equal() -> None:
    claim = outputs_claim([run("a", 1, 1), run("b", -128, 127)])
    assert (claim.status, claim.failures) == ("failed", ("input 'b', output 0: the largest error is 255",))


def test_floats_may_differ_in_the_last_digits() -> None:
    claim = outputs_claim([run("a", 1.0, 1.000005), run("b", [100.0, 0.0], [100.0, 0.0009])])
    assert (claim.status, claim.evidence) == ("tested", "2 inputs, largest error 9e-06")
    claim = outputs_claim([run("a", [1.0, 0.0], [1.0, 2e-5])])
    assert claim.failures == ("input 'a', output 0: the largest error is 2e-05",)


def test_an_output_near_zero_is_held_to_its_usual_magnitude() -> None:
    runs = [run("a", 1.0, 1.0), run("b", -1.0, -1.0), run("c", 1e-4, 1.01e-4)]
    assert outputs_claim(runs).status == "tested"
    assert outputs_claim(runs[2:]).status == "failed"


def test_an_amplified_rounding_is_told() -> None:
    amplified = run("a", [1.0, 0.0], [1.0, 2e-5])
    amplified = replace(amplified, comparisons=(replace(amplified.comparisons[0], sensitivity=8e-6),))
    claim = outputs_claim([amplified])
    assert (claim.status, claim.failures) == ("tested", ())
    text = "outputs: input 'a', output 0: an error of 2e-05, which rounding alone may cause here"
    assert claim.unproved == (text,)


def test_rounding_again_moves_floats_by_one_step() -> None:
    moved = round_again(np.ones(100, np.float32), np.random.default_rng(0))
    assert set(moved.view(np.int32) - np.float32(1).view(np.int32)) == {-1, 1}


def test_subnormal_outputs_may_be_flushed() -> None:
    assert outputs_claim([run("a", 1e-40, 0.0)]).status == "tested"
    assert outputs_claim([run("a", 0.0, 1e-20)]).status == "failed"


def test_classes_may_differ_only_where_an_extreme_input_overflows() -> None:
    text = "input 'a', output 0: 1 NaN or infinite values are not the oracle's"
    for found, is_ordinary, overflows in [(np.nan, True, True), (3e38, False, False), (-np.inf, True, True)]:
        one = replace(run("a", [1.0, np.inf], [1.0, found], is_ordinary), overflows=overflows)
        assert outputs_claim([one]).failures == (text,)
    one = replace(run("a", [1.0, np.inf], [1.0, np.nan], is_ordinary=False), overflows=True)
    claim = outputs_claim([one])
    told = f"outputs: {text}; the net overflows, and the order of its sums decides"
    assert (claim.status, claim.failures, claim.unproved) == ("tested", (), (told,))


def test_equal_non_finite_values_are_exact() -> None:
    assert run("a", [np.nan, np.inf, 0.0], [-np.nan, np.inf, 0.0]).comparisons[0].is_exact
    assert not run("a", 0.0, -0.0).comparisons[0].is_exact


def test_the_layer_that_varies_is_named() -> None:
    manifest = {
        "target": "cortex-m4",
        "calls": [{"layer": "conv", "kernel": "k"}, {"layer": "dense", "kernel": "k"}],
    }
    runs = [
        run("a", 1, 1, instructions=30, calls=[10, 20]),
        run("b", 1, 1, instructions=30, calls=[10, 20]),
        run("c", 1, 1, instructions=31, calls=[10, 21]),
    ]
    claim = instructions_claim(manifest, runs, is_emulated=True)
    assert claim.failures == ("dense (k): 20 on input 'a', 21 on input 'c'",)
    assert claim.evidence == "30 to 31 on 3 inputs"
    assert instructions_claim(manifest, runs[:2], is_emulated=True).evidence == "30 on 2 inputs"


def test_a_net_that_allocates_is_not_accepted() -> None:
    facts = replace(FACTS, undefined_symbols=("malloc",))
    manifest = {"arena_bytes": 0, "rom_bytes": 0}
    result = conclude(manifest, facts, [], image_claims(facts, []))
    assert (result.ok, result.mallocs) == (False, None)
    assert result.failures == ("no malloc: mallocs: the net's object refers to malloc",)


def test_no_count_without_an_emulator() -> None:
    claim = instructions_claim(
        {"target": "host", "calls": []}, [run("a", 1, 1, stack_bytes=8)], is_emulated=False
    )
    reason = "instruction count: host runs without an emulator, so nothing counts them"
    assert (claim.status, claim.unproved) == ("unproved", (reason,))


def test_facts_of_the_image() -> None:
    def found(facts: Facts) -> dict[str, tuple[str, ...]]:
        claims = image_claims(facts, [run("a", 1, 1, stack_bytes=16)])
        return {claim.name: (claim.status, *claim.failures, *claim.unproved) for claim in claims}

    assert {status for status, *_ in found(FACTS).values()} == {"proved"}
    assert found(replace(FACTS, stack_bytes=12))["stack bound"] == ("failed", "16 bytes were painted")
    assert found(replace(FACTS, recursive=("f",)))["no recursion"] == ("failed", "f")
    assert found(replace(FACTS, outside=(".plt+0x10",)))["no call out of the image"] == (
        "failed",
        ".plt+0x10",
    )
    assert found(replace(FACTS, variable_latency=("f: udiv",)))["no slow instruction"] == (
        "failed",
        "f: udiv",
    )
    static = found(replace(FACTS, writable_bytes=8))["no memory but arena and stack"]
    assert static == ("failed", "8 bytes of static variables")
    malloc = found(replace(FACTS, undefined_symbols=("malloc",)))["no malloc"]
    assert malloc == ("failed", "mallocs: the net's object refers to malloc")
    helper = found(replace(FACTS, undefined_symbols=("memcpy",)))["no malloc"]
    assert helper == ("unproved", "mallocs: the net's object refers to memcpy")
    unread = found(replace(FACTS, stack_bytes=None, unproved=("f: a jump that is not followed",)))
    assert unread["stack bound"] == unread["no recursion"] == ("unproved", "f: a jump that is not followed")


# whole artifacts


def save(model: Path, target: str, folder: Path) -> Path:
    save_artifact(compile_model(make_request(model, target)), folder)
    return folder


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An int8 net for the Cortex-M4."""
    return save(INT8, "cortex-m4", tmp_path_factory.mktemp("verify") / "out")


@pytest.fixture
def altered(artifact: Path, tmp_path: Path) -> Path:
    """A copy of it for a test to damage."""
    return Path(shutil.copytree(artifact, tmp_path / "out"))


@pytest.mark.build
@pytest.mark.parametrize("target", ["host", "cortex-m4"])
@pytest.mark.parametrize("model", [INT8, FLOAT], ids=lambda path: path.stem)
def test_what_s2c_makes_is_accepted(model: Path, target: str, tmp_path: Path) -> None:
    result = verify(save(model, target, tmp_path / "out"), INPUTS)
    assert (result.ok, result.failures, result.mallocs) == (True, (), 0)
    assert result.bit_exact == (model == INT8)
    assert result.max_error <= 1e-5
    is_counted = target != "host"
    assert (result.instructions is not None) == is_counted
    assert any(text.startswith("instruction count") for text in result.unproved) != is_counted
    if result.instructions is not None:
        assert result.instructions["min"] == result.instructions["max"]


WEIGHT = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
NETS = {
    "bigavg": model_of([helper.make_node("GlobalAveragePool", ["x"], ["y"])], {"x": [1, 3, 70, 80]}),
    "column": model_of([helper.make_node("ReduceMean", ["x"], ["y"], axes=[1])], {"x": [1, 5600, 3]}),
    "row": model_of([helper.make_node("GlobalAveragePool", ["x"], ["y"])], {"x": [1, 3, 5600]}),
    "div": model_of([helper.make_node("Div", ["x", "d"], ["y"])], {"x": [1, 8], "d": [1, 8]}),
    "div3": model_of(
        [helper.make_node("Div", ["c", "x"], ["y"])], {"x": [1, 8]}, {"c": np.array([3], np.float32)}
    ),
    "pow3": model_of(
        [helper.make_node("Pow", ["x", "c"], ["y"])], {"x": [1, 8]}, {"c": np.array(0.5, np.float32)}
    ),
    "sqrtexp": model_of(
        [helper.make_node("Sqrt", ["x"], ["a"]), helper.make_node("Exp", ["a"], ["y"])], {"x": [1, 8]}
    ),
    "conv": model_of(
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], {"x": [1, 3, 8, 8]}, {"w": WEIGHT}
    ),
}


@pytest.mark.build
@pytest.mark.parametrize("target", ["host", "cortex-m4"])
@pytest.mark.parametrize("name", NETS)
def test_floats_at_their_limits(name: str, target: str, tmp_path: Path) -> None:
    model = tmp_path / f"{name}.onnx"
    model.write_bytes(NETS[name])
    result = verify(save(model, target, tmp_path / "out"), 8)
    assert (result.ok, result.failures) == (True, ())
    assert not [text for text in result.unproved if text.startswith("outputs")]


@pytest.mark.build
def test_command_line(artifact: Path, altered: Path) -> None:
    arguments = ["verify", "--inputs", "1", "--json"]
    result = CliRunner().invoke(app, [*arguments, str(artifact)])
    document = json.loads(result.stdout)
    assert (result.exit_code, document["ok"]) == (0, True)
    keys = "ok bit_exact max_error inputs instructions arena_bytes stack_bytes rom_bytes mallocs unproved"
    assert set(keys.split()) < set(document)
    (altered / "main.c").write_text("int main(void) { return 0; }\n")
    result = CliRunner().invoke(app, [*arguments, str(altered)])
    assert (result.exit_code, json.loads(result.stdout)["ok"]) == (1, False)


@pytest.mark.build
def test_other_sources_are_found(altered: Path) -> None:
    for name in ("digits_int8.c", "build/net.h"):
        path = altered / name
        path.write_text(path.read_text() + "\n")
    goldens = dict(np.load(altered / "golden.npz"))
    goldens["output_0"] += 1
    save_arrays(altered / "golden.npz", goldens)
    result = verify(altered, 0)
    assert result.bit_exact
    assert result.failures == (
        "artifact: digits_int8.c is not what s2c emits for digits_int8.onnx",
        "artifact: build/net.h is not what s2c emits for digits_int8.onnx",
        "artifact: golden.npz is not what s2c emits for digits_int8.onnx",
    )


@pytest.mark.build
def test_other_figures_are_found(altered: Path) -> None:
    path = altered / "digits_int8.json"
    manifest = json.loads(path.read_text())
    manifest["macs"] -= 1
    manifest["certificate"]["accumulators"][0]["bound"] = 0
    path.write_text(json.dumps(manifest))
    assert verify(altered, 0).failures == (
        "artifact: digits_int8.json: certificate is not what model and image give",
        "artifact: digits_int8.json: macs is not what model and image give",
    )


@pytest.mark.build
def test_another_model_is_found(altered: Path) -> None:
    shutil.copyfile(FLOAT, altered / "digits_int8.onnx")
    failures = verify(altered, 0).failures
    assert "artifact: digits_int8.json: model is not what model and image give" in failures
    (altered / "digits_int8.onnx").write_bytes(b"damaged")
    result = verify(altered, 0)
    assert (result.ok, result.bit_exact, result.inputs) == (False, False, 0)
    assert result.failures[0].startswith("artifact: digits_int8.onnx: wanted a whole ONNX file")


@pytest.mark.build
@pytest.mark.parametrize(("suffix", "package", "extra"), [("pt2", "torch", "torch"), ("h5", "h5py", "keras")])
def test_a_reader_that_is_not_installed_is_no_failure(
    suffix: str, package: str, extra: str, altered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = altered / "digits_int8.json"
    manifest = json.loads(path.read_text())
    manifest["model"]["file"] = f"net.{suffix}"
    path.write_text(json.dumps(manifest))
    (altered / f"net.{suffix}").write_bytes(b"model")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == package else find(name, *rest)
    )
    wanted = (
        f"net.{suffix}: wanted {package}, which reads .{suffix} files, found it is not installed; "
        f"pip install 's2c[{extra}]'"
    )
    with pytest.raises(CompileError) as caught:
        verify(altered, 0)
    assert str(caught.value) == wanted
    result = CliRunner().invoke(app, ["verify", str(altered)])
    assert (result.exit_code, result.stderr) == (2, f"error: {wanted}\n")


@pytest.mark.build
def test_another_weight_in_the_image_is_found(altered: Path) -> None:
    plan = compile_model(make_request(INT8, "cortex-m4")).plan
    dense = next(call for call in plan.calls if call.kernel.name.startswith("matmul_i8"))
    weights = dense.consts["weight"].tobytes()
    path = altered / "build" / "digits_int8.elf"
    image = bytearray(path.read_bytes())
    image[image.index(weights) + len(weights) // 2] ^= 0x40
    path.write_bytes(image)
    result = verify(altered, INPUTS)
    assert (result.ok, result.bit_exact) == (False, False)
    assert result.failures[0].startswith(
        "outputs equal the oracle: input 'random 0', output 0: the largest error is"
    )


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of kernels/ for a test to alter."""
    copy = Path(shutil.copytree(data_folder("kernels"), tmp_path / "kernels"))
    for module in (kernel, c_family):
        monkeypatch.setattr(module, "folder", lambda name: copy if name == "kernels" else data_folder(name))
    kernel.list_kernels.cache_clear()
    yield copy
    kernel.list_kernels.cache_clear()


@pytest.mark.build
def test_a_kernel_that_depends_on_data_is_found(kernels: Path, tmp_path: Path) -> None:
    path = kernels / "c" / "matmul_i8.row.c"
    line = "    (void)rows;\n"
    loop = "    for (volatile int32_t turn = 0; turn < input[0] + 128; turn++) {\n    }\n"
    assert path.read_text().count(line) == 1
    path.write_text(path.read_text().replace(line, line + loop))
    result = verify(save(INT8, "cortex-m4", tmp_path / "out"), INPUTS)
    assert (result.ok, result.bit_exact) == (False, True)
    assert result.instructions is not None
    assert result.instructions["min"] < result.instructions["max"]
    assert all(text.startswith("one instruction count: dense (matmul_i8.row): ") for text in result.failures)


def test_a_folder_of_another_processor_is_refused_as_such(tmp_path: Path) -> None:
    flags = {"processor": {"features": ["nothing"], "vectors": {"bytes": 8, "registers": 0}}}
    with pytest.raises(CompileError) as caught:
        recompile(tmp_path, {"flags": flags, "target": "cortex-m4"})
    assert str(caught.value) == (
        f"{tmp_path}: wanted a processor as that which compiled it: nothing; vectors of 8 bytes, "
        "found dsp; vectors of 4 bytes; verify it there, or compile the model again"
    )
