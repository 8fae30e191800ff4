"""Which budgets a net cannot be pruned to: found before any work."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s2c.budget import keep_count, levels
from s2c.channels import Channels, find_channels
from s2c.errors import Problem
from s2c.ir import Graph


def budget_problems(budgets: Sequence[tuple[str, float]], graph: Graph, lanes: int) -> list[Problem]:
    """Of a sweep's shares. graph: as it is pruned. lanes: those to which kept channels are rounded."""
    pruned = [each for each in budgets if each[1] < 1]
    if not pruned:
        return []
    channels = find_channels(graph)
    if not channels.groups:
        return [no_channels("MODEL", "sweep it with --width 1")]
    return [
        problem
        for kind, share in pruned
        for problem in (
            width_problems(channels, share, lanes)
            if kind == "width"
            else macs_problems(channels, f"--macs {share:g}", share * channels.macs({}), lanes)
        )
    ]


def no_channels(where: str, do: str) -> Problem:
    found = "none: every channel reaches an output or an op that needs all of them"
    return Problem(where, "channels that can be taken away", found, do)


def width_problems(channels: Channels, width: float, lanes: int) -> list[Problem]:
    if width == 1 or any(keep_count(group, width, lanes) < group.units for group in channels.groups):
        return []
    wanted, found = "a width that leaves out some channels", f"{width:g}, which rounds to all of them"
    return [Problem("--width", wanted, found, "give a smaller one")]


def macs_problems(channels: Channels, flag: str, macs: float, lanes: int) -> list[Problem]:
    """macs: how many there may be."""
    if channels.graph.states:
        return [keeps_states("--macs")]
    least = channels.macs(
        {index: np.arange(levels(group, lanes)[-1]) for index, group in enumerate(channels.groups)}
    )
    return [unreachable(flag, f"{macs:.0f} MACs", f"{least}")] if least > macs else []


def keeps_states(flag: str) -> Problem:
    return Problem(flag, "a net without states", "one that keeps some", "give --width")


def unreachable(flag: str, wanted: str, least: str) -> Problem:
    found = f"{least} with the least channels"
    return Problem(flag, wanted, found, "allow more, or start from a smaller net")
