"""Runs ONNX's own backend tests (node, simple, pytorch-converted, pytorch-operator) through compiled host C.

    .venv/bin/python tests/onnx_suite.py                      all 2,024 cases: what failed, then a table
    .venv/bin/python tests/onnx_suite.py --filter 'softmax'   those whose name the regular expression finds
    .venv/bin/python tests/onnx_suite.py --filter lstm -v     a line for each case, with the whole message
    .venv/bin/python tests/onnx_suite.py --json out.json      all results as JSON

A case has passed, is bound (passed with some inputs as --const, at least one input that the net reads being
left), is refused (a CompileError) or has failed: a wrong result, a crash, a hang, any other exception. The
exit status is 1 where a case failed. Results are compared as onnx's runner does, by the case's tolerances.
One that differs from the case's data has disproved them where onnx's reference, given float64, is as far
from the data, and the result is within the tolerances of that: the noise of some float32 algorithm.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import multiprocessing
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from types import FrameType

import numpy as np
from onnx.reference import ReferenceEvaluator
from onnx_cases import Case, DataSet, Refusal, compile_bound, dims_of, load_cases
from plan_batch import Outputs, run_plans

from s2c.driver import Compilation, Request, compile_model
from s2c.errors import Problem
from s2c.plan import Plan
from s2c.target import Target, load_target

GROUP = 60  # nets an executable
PROCESSES = 2
COMPILE_SECONDS = 30
RUN_SECONDS = 10
FRAMES = 3  # of an internal error
LONGEST_REASON = 60
CONSTANT = "nothing left to compute at run time"
STATUSES = ("passed", "bound", "disproved", "refused", "failed")
DISPROVED = "its data differ from the result in float64: "

# The first pattern that any problem's "wanted, found" holds gives the reason of a refusal.
REASONS = (
    (r"string", "strings"),
    (r"sequence|optional|no tensor|\bmap\b", "sequences, optionals and maps"),
    (r"(float8|float4|bfloat16|\bu?int4|\bu?int2)", r"\1"),
    (r"float64|double", "float64"),
    (r"control flow", "control flow"),
    (r"random", "random numbers"),
    (r"training", "training"),
    (r"found ai\.onnx\.ml\.(\w+)", "ops of ai.onnx.ml"),
    (r"own domain", "ops of another domain"),
    (r"an ONNX op that s2c reads, found (\w+)", r"op \1"),
)


@dataclass(frozen=True)
class Result:
    """reason: of a refusal, in few words. detail: the whole message. bound: inputs given by --const."""

    name: str
    kind: str
    status: str
    reason: str = ""
    detail: str = ""
    bound: tuple[str, ...] = ()


@dataclass(frozen=True)
class Net:
    """One data set of a case, compiled."""

    case: Case
    data: DataSet
    plan: Plan
    bound: tuple[str, ...]

    def arrays(self) -> list[np.ndarray]:
        """Its inputs in the plan's order."""
        return [np.asarray(self.data.inputs[node.layer], order="C") for node in self.plan.graph.inputs]

    def wrong_input(self) -> str:
        """Which input the net declares otherwise than the case holds it, "" if none."""
        for node, array in zip(self.plan.graph.inputs, self.arrays(), strict=True):
            if (array.shape, array.dtype) != (node.type.shape, node.type.numpy):
                return f"input {node.layer} is {node.type}, and {array.dtype}{list(array.shape)} in the data"
        return ""


def reason_of(problems: Sequence[Problem]) -> str:
    """A row of REASONS, else what was wanted: first of a problem that no binding would help."""
    for pattern, label in REASONS:
        for problem in problems:
            match = re.search(pattern, f"{problem.wanted}, found {problem.found}")
            if match is not None:
                return match.expand(label)
    hard = (each for each in problems if "--const" not in each.do)
    wanted = re.sub(r"\[.*\]|'[^']*'|\b\d+\b", "N", next(hard, problems[0]).wanted)
    return "not " + shorten(wanted, LONGEST_REASON, placeholder=" ...")


# a group of cases


def run_group(cases: Sequence[Case], target: Target) -> list[Result]:
    """One result for each case."""
    results: dict[str, Result] = {}
    nets: list[Net] = []
    with tempfile.TemporaryDirectory(prefix="s2c-onnx-") as folder:
        for case in cases:
            found = compile_case(case, target, Path(folder))
            if isinstance(found, Result):
                results[case.name] = found
            else:
                nets += found
        verdicts = run_nets(nets, target, Path(folder))
    for net, wrong in zip(nets, verdicts, strict=True):
        case = net.case
        status = status_of(net, wrong)
        if results.get(case.name, Result(case.name, case.kind, "")).status != "failed":
            results[case.name] = Result(case.name, case.kind, status, "", wrong, net.bound)
    return [results[case.name] for case in cases]


def status_of(net: Net, wrong: str) -> str:
    if wrong.startswith(DISPROVED):
        return "disproved"
    return "failed" if wrong else "bound" if net.bound else "passed"


def compile_case(case: Case, target: Target, folder: Path) -> Result | list[Net]:
    path = folder / "model.onnx"
    path.write_bytes(case.model.SerializeToString())
    nets = []
    try:
        with time_limit(COMPILE_SECONDS):
            for data in case.data_sets:

                def compile_with(consts: Mapping[str, np.ndarray], data: DataSet = data) -> Compilation:
                    return compile_model(Request(path, target, "net", dims_of(case, data), consts, None))

                found = compile_bound(data, compile_with)
                if isinstance(found, Refusal):
                    return refused(case, found)
                compilation, bound = found
                nets.append(Net(case, data, compilation.plan, bound))
    except (Exception, Hang):
        trace = traceback.format_exc(limit=-FRAMES)
        return Result(case.name, case.kind, "failed", "", f"internal error: {trace}")
    return nets


def refused(case: Case, refusal: Refusal) -> Result:
    reason = CONSTANT if refusal.is_constant else reason_of(refusal.error.problems)
    given = f"with {', '.join(refusal.bound)} by --const:\n" if refusal.bound else ""
    return Result(case.name, case.kind, "refused", reason, given + str(refusal.error))


class Hang(BaseException):
    """No Exception, which a reader takes for the fault of a damaged file."""


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Hang in the block after so many seconds of processor time; in a process's main thread only."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang(f"still compiles after {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


# compiled nets


def run_nets(nets: Sequence[Net], target: Target, folder: Path) -> list[str]:
    """What is wrong with each net, "" where nothing is."""
    names = [f"net{index}" for index in range(len(nets))]
    found: dict[str, Outputs | str] = {}
    runnable = {}
    for name, net in zip(names, nets, strict=True):
        wrong = net.wrong_input()
        if wrong:
            found[name] = wrong
        else:
            runnable[name] = net
    plans = {name: net.plan for name, net in runnable.items()}
    inputs = {name: net.arrays() for name, net in runnable.items()}
    if plans:
        found |= run_plans(target, folder, plans, inputs, RUN_SECONDS)
    return [verdict(net, found[name]) for name, net in zip(names, nets, strict=True)]


def verdict(net: Net, found: Outputs | str) -> str:
    if isinstance(found, str):
        return found
    wrong = differences(net.case, found, net.data.outputs)
    if wrong and net.case.model.graph.input and not differences(net.case, found, float64_outputs(net)):
        return DISPROVED + wrong
    return wrong


def float64_outputs(net: Net) -> list[np.ndarray]:
    """What onnx's reference computes from float inputs in float64, in the dtypes of the case's data; the
    data themselves where it can't."""
    wide = {
        name: array.astype(np.float64) if array.dtype == np.float32 else array
        for name, array in net.data.inputs.items()
    }
    try:
        results = ReferenceEvaluator(net.case.model).run(None, wide)
        return [
            np.reshape(a, b.shape).astype(b.dtype) for a, b in zip(results, net.data.outputs, strict=True)
        ]
    except Exception:  # the reference has its own limits: the data stand
        return list(net.data.outputs)


def differences(case: Case, outputs: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> str:
    if len(outputs) != len(expected):
        return f"{len(outputs)} outputs, wanted {len(expected)}"
    pairs = enumerate(zip(outputs, expected, strict=True))
    texts = (difference(case, index, found, wanted) for index, (found, wanted) in pairs)
    return "; ".join(text for text in texts if text)


def difference(case: Case, index: int, found: np.ndarray, wanted: np.ndarray) -> str:
    """As in onnx.backend.test.runner: shape, dtype, and values by the case's tolerances."""
    if (found.shape, found.dtype) != (np.shape(wanted), wanted.dtype):
        return (
            f"output {index} is {found.dtype}{list(found.shape)}, wanted {wanted.dtype}{list(wanted.shape)}"
        )
    near = np.isclose(found, wanted, rtol=case.rtol, atol=case.atol, equal_nan=True)
    if near.all():
        return ""
    at = tuple(int(each) for each in np.argwhere(~near)[0])
    return (
        f"output {index} differs in {np.count_nonzero(~near)} of {near.size} values, "
        f"first at {list(at)}: {found[at]}, wanted {wanted[at]}"
    )


# the whole suite


def groups(cases: Sequence[Case]) -> Iterator[Sequence[Case]]:
    """Neighbours are alike: each group takes cases from everywhere, so that all take the same time."""
    count = -(-len(cases) // GROUP)
    return (cases[first::count] for first in range(count))


def run_share(pattern: str, share: int, shares: int) -> list[Result]:
    """Every so many groups of the cases that the pattern finds."""
    target = load_target("host")
    chosen = list(groups(load_cases(pattern)))[share::shares]
    return [result for group in chosen for result in run_group(group, target)]


def run_suite(pattern: str = "") -> list[Result]:
    """All results by name. Each process loads the cases by itself, which costs less than to send them."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        shares = [pool.submit(run_share, pattern, share, PROCESSES) for share in range(PROCESSES)]
        results = [result for share in shares for result in share.result()]
    return sorted(results, key=lambda result: (result.kind, result.name))


# text


def counts_of(results: Iterable[Result]) -> dict[str, int]:
    counts = collections.Counter(result.status for result in results)
    return {status: counts[status] for status in STATUSES}


def refusals_of(results: Iterable[Result]) -> list[tuple[str, int]]:
    """Reasons with their number of cases, the most frequent first."""
    counts = collections.Counter(result.reason for result in results if result.status == "refused")
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def describe(result: Result) -> str:
    bound = f" ({', '.join(result.bound)} by --const)" if result.bound else ""
    reason = f" ({result.reason})" if result.reason else ""
    detail = "".join(f"\n    {line}" for line in result.detail.splitlines())
    return f"{result.status}: {result.name}{bound}{reason}{detail}"


def summary(results: Sequence[Result]) -> str:
    lines = [f"{count:5d} {status}" for status, count in counts_of(results).items()]
    lines += [f"{count:5d} refused: {reason}" for reason, count in refusals_of(results)]
    return "\n".join(lines)


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--filter", default="", metavar="REGEX", help="run the cases whose name it finds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results there")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every case, not only failures")
    arguments = parser.parse_args()
    results = run_suite(arguments.filter)
    for result in results:
        if arguments.verbose or result.status == "failed":
            print(describe(result))
    print(summary(results))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([dataclasses.asdict(each) for each in results], indent=1) + "\n")
    sys.exit(any(each.status == "failed" for each in results))


if __name__ == "__main__":
    main()
