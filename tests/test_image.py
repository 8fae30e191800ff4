"""Facts about hand-written code: exact where they can be, and never a bound that is too small."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from small_nets import OUTPUT_BYTES, build_small, inputs

from s2c.build import Image
from s2c.frames import Frame
from s2c.image import Facts, analyse, stack_bound
from s2c.process import Process
from s2c.target import Target, list_targets

pytestmark = pytest.mark.build

# The levels of x86-64 have the machine code of `native`.
BUILDS = [(target, None) for target in list_targets() if target.arch in ("native", "thumb")]
BUILDS += [(target, "gcc") for target in list_targets() if target.arch == "native"]
# This compiler comes without a libc.
BUILDS += [
    (target, "arm-none-eabi-gcc -DWITHOUT_MEMCPY") for target in list_targets() if target.arch == "thumb"
]


@pytest.fixture(
    scope="module", params=BUILDS, ids=lambda build: f"{build[0].name}-{(build[1] or 'zig').split()[0]}"
)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Target, Image]:
    target, cc = request.param
    program = (cc or sys.executable).split()[0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    return target, build_small(target, tmp_path_factory.mktemp(target.name), cc)


def facts(built: tuple[Target, Image], entry: str) -> Facts:
    target, image = built
    return analyse(image.path, image.object, entry, target.arch)


def reasons(found: Facts) -> str:
    return "\n".join(found.unproved)


STACK_CASES = ("chain", "deep", "very_deep", "aligned", "branch", "divide", "loop_first", "tail")


@pytest.fixture(scope="module")
def painted(built: tuple[Target, Image]) -> dict[str, int]:
    """The stack bytes that running a case touched, those of small_run included."""
    with Process.start(*built) as process:
        runs = {
            case: process.run(inputs(case, 1, 2, 3, 4), OUTPUT_BYTES) for case in ("nothing", *STACK_CASES)
        }
    return {case: counters["stack_bytes"] for case, (_, counters) in runs.items()}


@pytest.mark.parametrize("case", STACK_CASES)
def test_painted_stack_is_within_the_bound(
    built: tuple[Target, Image], painted: dict[str, int], case: str
) -> None:
    nothing, found = facts(built, "nothing"), facts(built, case)
    assert found.unproved == () and found.stack_bytes is not None and nothing.stack_bytes is not None
    bound = painted["nothing"] - nothing.stack_bytes + found.stack_bytes
    # The end of a frame may be padding; an alignment and x86-64's red zone are bounded by their worst case.
    slack = 16 + (64 if case == "aligned" else 0) + (128 if built[0].arch == "native" else 0)
    assert 0 <= bound - painted[case] <= slack


def test_bound_of_a_chain_is_exact(built: tuple[Target, Image], painted: dict[str, int]) -> None:
    """Every frame of the chain is written down to its last word, so the paint shows its whole depth."""
    chain, tail = facts(built, "chain").stack_bytes, facts(built, "tail").stack_bytes
    assert chain is not None and tail is not None
    assert painted["chain"] - painted["tail"] == chain - tail


def test_calls(built: tuple[Target, Image]) -> None:
    assert facts(built, "chain").calls == ("chain", "chain_inner", "chain_middle")
    assert facts(built, "tail").calls == ("tail", "chain_inner")


def test_recursion(built: tuple[Target, Image]) -> None:
    found = facts(built, "recursion")
    assert found.recursive == ("recursion",)
    assert found.stack_bytes is None
    assert found.unproved == ("stack: recursion is on a cycle of calls",)


def test_call_through_a_pointer(built: tuple[Target, Image]) -> None:
    found = facts(built, "pointer")
    assert found.stack_bytes is None
    assert "pointer+" in reasons(found) and "calls through a pointer" in reasons(found)


def test_memcpy(built: tuple[Target, Image]) -> None:
    target, _ = built
    found = facts(built, "copy")
    if found.undefined_symbols == ():
        pytest.skip("built without libc's memcpy")
    assert any("memcpy" in name for name in found.undefined_symbols)
    if not target.emulated:
        assert len(found.outside) == 1 and found.stack_bytes is None


def test_jump_table(built: tuple[Target, Image]) -> None:
    """tbb and tbh are followed; a table of addresses is refused."""
    target, _ = built
    found = facts(built, "table")
    if found.stack_bytes is None:
        assert "jumps through a pointer" in reasons(found)
    assert target.arch == "native" or found.unproved == ()


def test_variable_latency(built: tuple[Target, Image]) -> None:
    assert facts(built, "divide").variable_latency != ()
    assert facts(built, "root").variable_latency != ()
    assert facts(built, "chain").variable_latency == ()


def test_sections(built: tuple[Target, Image]) -> None:
    found = facts(built, "nothing")
    assert found.writable_bytes == 4  # `runs`
    assert found.image_bytes > found.rom_bytes > 300


def test_image_of_another_format(built: tuple[Target, Image], tmp_path: Path) -> None:
    other = tmp_path / "small.exe"
    other.write_bytes(b"MZ")
    found = analyse(other, built[1].object, "small_run", "native")
    assert found.stack_bytes is None
    assert found.unproved == ("the image is no ELF file (native)",)


def test_stack_bound_is_in_whole_words() -> None:
    """A byte that x86-64 spills into its red zone ended the bound of a real net at 309 bytes, where paint
    shows 312.
    """
    frames = {0: Frame(depth=80, calls={1: 80}), 1: Frame(depth=229)}
    assert stack_bound(frames, 0) == 312
