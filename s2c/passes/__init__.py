"""PIPELINE: the passes, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from s2c.ir import Graph
from s2c.passes.cancel_transposes import cancel_transposes
from s2c.passes.eliminate_dead_channels import eliminate_dead_channels
from s2c.passes.expand_broadcasts import expand_broadcasts
from s2c.passes.fold_batchnorm import fold_batchnorm
from s2c.passes.fold_constants import fold_constants
from s2c.passes.fuse_clamp import fuse_clamp
from s2c.passes.fuse_gelu import fuse_gelu
from s2c.passes.fuse_qdq import fuse_qdq
from s2c.passes.lower import HasKernel, lower
from s2c.passes.order_addends import order_addends
from s2c.passes.sink_reshapes import sink_reshapes
from s2c.passes.tabulate_functions import tabulate_functions
from s2c.passes.trim_windows import trim_windows

# Each takes a Graph; those after LOWER see core ops and the source ops that the target has kernels for.
SOURCE_PASSES: tuple[Callable[[Graph], Graph], ...] = (
    fold_constants,
    cancel_transposes,
    sink_reshapes,
    fuse_gelu,
    fold_batchnorm,
    fuse_qdq,
    tabulate_functions,
    fuse_clamp,
    trim_windows,
    eliminate_dead_channels,
)
CORE_PASSES: tuple[Callable[[Graph], Graph], ...] = (fold_constants, expand_broadcasts, order_addends)


def stages(graph: Graph, has_kernel: HasKernel) -> Iterator[tuple[str, Graph]]:
    """Each pass's name with the Graph that it leaves."""
    for rewrite in SOURCE_PASSES:
        graph = rewrite(graph)
        yield rewrite.__name__, graph
    graph = lower(graph, has_kernel)
    yield "lower", graph
    for rewrite in CORE_PASSES:
        graph = rewrite(graph)
        yield rewrite.__name__, graph
