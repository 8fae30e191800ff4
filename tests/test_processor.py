"""What a processor can do, and images that refuse one which lacks their instructions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from graphs import planned, random_arrays, random_graph, seeded
from native import check_call, need

from s2c import processor
from s2c.artifact import write_artifact
from s2c.build import Image
from s2c.driver import Compilation, Request
from s2c.ir import Graph
from s2c.process import Process, ProcessError
from s2c.target import Target, load_target, read_settings
from s2c.tiles import Vectors

REFUSAL = (
    "the image ended with status 3: this processor lacks instructions that the net was compiled for: "
    "compile it here for the target host, or for an older processor"
)
# What QEMU can be: a processor with nothing beyond x86-64-v2, and one without the dot product.
OLD = {"x86_64": ("qemu-x86_64", "-cpu", "Nehalem"), "aarch64": ("qemu-aarch64", "-cpu", "cortex-a53")}
NEHALEM = "sse sse2 pni ssse3 sse4_1 sse4_2 popcnt cx16"


# features


def with_flags(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(processor, "processor_flags", lambda: frozenset(text.split()))


def test_every_feature_of_the_host_is_known() -> None:
    """With what this processor lacks, which the target of this machine leaves out."""
    settings, _ = read_settings("host")
    assert set(settings["features"]) == set(processor.FEATURES)


def test_features_need_all_their_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    with_flags(monkeypatch, NEHALEM)
    assert processor.has_feature("vector") and not processor.has_feature("avx2")
    with_flags(monkeypatch, "avx2 avx512f avx512bw avx512dq avx512_vnni")
    assert processor.has_feature("avx2") and not processor.has_feature("vnni")


@pytest.mark.parametrize(
    ("flags", "machine", "wanted"),
    [
        (NEHALEM, "x86_64", Vectors(16, 16)),
        ("avx avx2 fma", "x86_64", Vectors(32, 16)),
        ("avx avx2 fma avx512f", "x86_64", Vectors(64, 32)),
        ("asimd asimddp", "aarch64", Vectors(16, 32)),
    ],
)
def test_vectors(flags: str, machine: str, wanted: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    with_flags(monkeypatch, flags)
    monkeypatch.setattr(processor.platform, "machine", lambda: machine)
    assert processor.vectors() == wanted


def test_levels_have_the_vectors_of_their_processors() -> None:
    found = {name: load_target(name).vectors for name in ("x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64")}
    assert found == {
        "x86-64-v2": Vectors(16, 16),
        "x86-64-v3": Vectors(32, 16),
        "x86-64-v4": Vectors(64, 32),
        "aarch64": Vectors(16, 32),
    }


# refusals


def some_net() -> Graph:
    return random_graph(seeded(8), "i8", 4)


def compiled(target: Target, folder: Path, cc: str | None = None) -> Image:
    """The artifact of a net in folder / "out", and its image."""
    model = folder / "model.bin"
    model.write_bytes(b"a model")
    (folder / "out").mkdir()
    graph = some_net()
    request = Request(model, target, "net", {}, {}, cc)
    write_artifact(Compilation(request, graph, graph, planned(graph), ()), folder / "out")
    build = folder / "out" / "build"
    return Image(build / "net.elf", build / "net.o", "")


def under(target: Target, command: Sequence[str]) -> Target:
    return replace(target, run=(*command, "{image}"), needs=())


def net_outputs(target: Target, image: Image) -> bytes:
    graph = some_net()
    data = b"".join(array.tobytes() for array in random_arrays(graph))
    with Process.start(target, image) as process:
        return process.run(data, sum(node.type.bytes for node in graph.outputs))[0]


@pytest.mark.build
@pytest.mark.parametrize(
    ("name", "cc"),
    [("x86-64-v3", None), ("x86-64-v4", None), ("x86-64-v3", "gcc"), ("x86-64-v4", "gcc"), ("aarch64", None)],
)
def test_image_refuses_an_older_processor(name: str, cc: str | None, tmp_path: Path) -> None:
    target = load_target(name)
    old = OLD[target.arch]
    need(old[0])
    need(cc or sys.executable)
    with pytest.raises(ProcessError) as raised:
        net_outputs(under(target, old), compiled(target, tmp_path, cc))
    assert str(raised.value) == REFUSAL


@pytest.mark.build
def test_image_runs_where_its_level_is_there(tmp_path: Path) -> None:
    """QEMU's largest processor has AVX2, its Nehalem what x86-64-v2 asks for."""
    need("qemu-x86_64")
    results = set()
    for name, model in (("x86-64-v2", "Nehalem"), ("x86-64-v2", "max"), ("x86-64-v3", "max")):
        folder = tmp_path / f"{name}-{model}"
        folder.mkdir()
        target = load_target(name)
        results.add(net_outputs(under(target, ("qemu-x86_64", "-cpu", model)), compiled(target, folder)))
    assert len(results) == 1


@pytest.mark.build
def test_main_returns_2_on_an_older_processor(tmp_path: Path) -> None:
    """main.c, in a build by hand that raises the level of the net alone."""
    need("qemu-x86_64")
    gcc = need("gcc")
    compiled(load_target("x86-64-v3"), tmp_path)
    out = tmp_path / "out"
    check_call([gcc, "-O2", "-march=x86-64-v3", "-c", str(out / "net.c"), "-o", str(tmp_path / "net.o")])
    check = str(tmp_path / "check")
    check_call([gcc, "-static", str(out / "main.c"), str(tmp_path / "net.o"), "-o", check])
    status = [subprocess.run(["qemu-x86_64", "-cpu", cpu, check]).returncode for cpu in ("Nehalem", "max")]
    assert status == [2, 0]


@pytest.mark.build
def test_every_hosted_net_can_be_asked(tmp_path: Path) -> None:
    """The header declares it, so the library exports it; a bare microcontroller's net has none."""
    compiled(load_target("host"), tmp_path)
    header = (tmp_path / "out" / "net.h").read_text()
    assert "int32_t net_supported(void);" in header
    (tmp_path / "m4").mkdir()
    compiled(load_target("cortex-m4"), tmp_path / "m4")
    assert "supported" not in (tmp_path / "m4" / "out" / "net.c").read_text()
