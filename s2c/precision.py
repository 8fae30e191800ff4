"""--precision: who offers it, and which contractions gain by it."""

from __future__ import annotations

from s2c.errors import error
from s2c.ir import Node
from s2c.kernel import first_fitting
from s2c.ops import OPS
from s2c.steps import Kernels, chain_keys, chain_params
from s2c.target import Target

PRECISIONS = ("f32", "bf16")
LEAST_ROUNDED = 10_000  # MACs of a contraction that gains more than rounding its input costs
MOST_FILTERED = 1 << 18  # weights of a convolution by Winograd's filtering, which reads four times as many


def refuse_precision(target: Target, precision: str) -> None:
    if precision not in PRECISIONS:
        raise error("--precision", f"one of {', '.join(PRECISIONS)}", precision, "name one of these")
    if precision != "f32" and precision not in target.features:
        wanted = f"a target with {precision} instructions"
        do = "leave it out, or compile for host on a processor with AVX512-BF16"
        raise error("--precision", wanted, f"{target.name}, which has none here", do)


def gains_by_bf16(node: Node, kernels: Kernels) -> bool:
    """Whether there is a kernel for a contraction, in its chain, and no better one for floats: Winograd's
    filtering saves more, unless its weights are so many that reading them takes longer."""
    if OPS[node.op].macs(node) < LEAST_ROUNDED:
        return False
    before = node.inputs[0]
    chain = (before, node) if before.op == "window" and node.op == "matmul" else (node,)
    half = (*chain[:-1], node.with_attrs(precision="bf16"))
    params = chain_params(chain)
    plain, found = (first_fitting(kernels, chain_keys(each)[0], params) for each in (chain, half))
    packed = plain.packs.get("weight") if plain is not None else None
    is_filtered = packed is not None and packed.name == "winograd"
    return found is not None and not (is_filtered and node.attrs["weight"].size <= MOST_FILTERED)
