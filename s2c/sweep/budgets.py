"""Which budgets of a sweep a net cannot be pruned to: found before any work."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s2c.adapt.shrink import unreachable
from s2c.budget import keep_count, levels
from s2c.channels import Channels, find_channels
from s2c.errors import Problem
from s2c.ir import Graph
from s2c.sweep.recipe import Budget


def budget_problems(budgets: Sequence[Budget], graph: Graph, lanes: int) -> list[Problem]:
    """graph: as it is pruned. lanes: those to which kept channels are rounded."""
    pruned = [each for each in budgets if each[1] < 1]
    if not pruned:
        return []
    channels = find_channels(graph)
    if not channels.groups:
        wanted = "channels that can be taken away"
        found = "none: every channel reaches an output or an op that needs all of them"
        return [Problem("MODEL", wanted, found, "sweep it with --width 1")]
    return [
        problem
        for kind, share in pruned
        for problem in (width_problems if kind == "width" else macs_problems)(channels, share, lanes)
    ]


def width_problems(channels: Channels, width: float, lanes: int) -> list[Problem]:
    if any(keep_count(group, width, lanes) < group.units for group in channels.groups):
        return []
    wanted, found = "a width that leaves out some channels", f"{width:g}, which rounds to all of them"
    return [Problem("--width", wanted, found, "give a smaller one")]


def macs_problems(channels: Channels, share: float, lanes: int) -> list[Problem]:
    if channels.graph.states:
        return [Problem("--macs", "a net without states", "one that keeps some", "give --width")]
    wanted = share * channels.macs({})
    least = channels.macs(
        {index: np.arange(levels(group, lanes)[-1]) for index, group in enumerate(channels.groups)}
    )
    if least <= wanted:
        return []
    found = f"{least} with the least channels"
    return list(unreachable(f"--macs {share:g}", f"{wanted:.0f} MACs", found).problems)
