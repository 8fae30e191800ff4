"""What became of a model, as a manifest notes it, to tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group

from s2c.report import make_facts, make_table

WORST_LAYERS = 5


def describe_adaptation(manifest: Mapping[str, Any]) -> tuple[Group, ...]:
    """What pruning, training and quantizing made of the model: step by step, and by group of channels."""
    found = manifest.get("adaptation")
    if found is None:
        return ()
    tables = []
    if "pruned" in found["macs"]:
        before, after = found["macs"]["original"], found["macs"]["pruned"]
        rows = [[each["name"], str(each["before"]), str(each["after"])] for each in found["groups"]]
        title = f"channels: {after:,} of {before:,} MACs ({after / before:.1%})"
        tables.append(make_table(title, ["group", "before", "after"], rows, flexible=(0,)))
    if found["score"]:
        kind = found["kind"]
        rows = [[step, describe_score(kind, score)] for step, score in found["score"].items()]
        tables.append(make_table(f"{kind} on {found['judged']}", ["step", kind], rows))
    if "quantization" in found:
        noisy = [each for each in found["quantization"] if each["alone_db"] is not None]
        worst = sorted(noisy, key=lambda each: float(each["alone_db"]))[:WORST_LAYERS]
        rows = [
            [each["layer"], each["op"], describe_noise(each["snr_db"]), describe_noise(each["alone_db"])]
            for each in worst
        ]
        headers = ["layer", "op", "its SNR, dB", "the net's, dB"]
        tables.append(make_table("int8 layers that alone cost the outputs most", headers, rows))
    drops = found.get("drop", {})
    if drops and list(drops.values())[-1] > drops["wanted"]:
        facts = {
            "lost on data held back": f"{list(drops.values())[-1]:.2f}, more than {drops['wanted']:g}",
            "what to do": "--keep-float a layer above, or give more data",
        }
        tables.append(make_facts("int8 costs more than --max-drop", facts))
    return tuple(tables)


def describe_noise(decibels: float | None) -> str:
    return "exact" if decibels is None else f"{decibels:.1f}"


def describe_score(kind: str, score: float) -> str:
    return f"{score:.6g}" if kind == "error" else f"{score:.2%}"
