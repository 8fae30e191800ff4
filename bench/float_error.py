"""A kernel of a float function -> its maximal error over float32 inputs, or random pairs, against float64.

Subnormal inputs are left out: they count as zero while a float target runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from s2c.ops.functions import FUNCTIONS
from s2c.ops.zips import ZIPS
from s2c.resources import folder

PAIRS = sorted(name for name, row in ZIPS.items() if "f32" in row.dtypes and not row.compares)
HERE = Path(__file__).resolve().parent
# C's name of the reference where it is not that of the function.
REFERENCES = {"abs": "fabs", "round": "rint"}
# Results smaller than this count by their absolute error.
SMALLEST = {"gelu_tanh": 1e-6, "mish": 1e-35, "silu": 1e-35}


def kernel_file(name: str, variant: str) -> Path:
    """variant: the word behind the kernel's dtype, or "" for the portable kernel."""
    return folder("kernels") / "c" / (f"{name}_f32.{variant}.c" if variant else f"{name}_f32.c")


def measure(name: str, variant: str, step: int, scratch: Path) -> str:
    program, path = scratch / name, kernel_file(name, variant)
    subprocess.run(
        [
            *(sys.executable, "-m", "ziglang", "cc", "-O3", "-march=native", "-ffp-contract=off"),
            *("-fno-sanitize=undefined", f"-I{path.parent}"),
            *(f"-DKERNEL={path.stem.replace('.', '_')}", f'-DKERNEL_FILE="{path.name}"'),
            f"-DREFERENCE={REFERENCES.get(name, name)}",
            *(["-DPAIRS"] if name in PAIRS else []),
            *(str(HERE / "float_error.c"), "-lm", "-o", str(program)),
        ],
        check=True,
    )
    command = [str(program), str(step), str(SMALLEST.get(name, 0.0))]
    text = subprocess.run(command, capture_output=True, text=True).stdout
    ulp, relative, absolute, worst, wrong, wrong_input = text.split()
    line = f"{name:11} {ulp:>6} ulp  {relative} relative, the worst at {worst}"
    if name in SMALLEST:
        line += f"; below {SMALLEST[name]:g}: {absolute} absolute"
    return line if wrong == "0" else f"{line}; WRONG special values: {wrong}, one at {wrong_input}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", type=int, default=1, help="take every step-th bit pattern")
    parser.add_argument("--variant", default="", help="of the kernels, such as vector")
    parser.add_argument("functions", nargs="*", help="all that have such a kernel")
    options = parser.parse_args()
    names = options.functions or [
        each for each in (*sorted(FUNCTIONS), *PAIRS) if kernel_file(each, options.variant).exists()
    ]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:

        def measured(name: str) -> str:
            return measure(name, options.variant, options.step, Path(scratch))

        for line in pool.map(measured, names):
            print(line, flush=True)


if __name__ == "__main__":
    main()
