"""A document of measure.py to what the terminal and the page show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group

from s2c.determinism.measure import EMPTY
from s2c.determinism.probe import COUNTERS
from s2c.report import make_facts, make_table

TIMES = {
    "minimum": "min",
    "p50": "p50",
    "p99": "p99",
    "p99_9": "p99.9",
    "p99_99": "p99.99",
    "maximum": "max",
}
TITLES = {
    "page_faults": "page faults",
    "syscalls": "system calls",
    "instructions": "instructions",
    "mallocs": "mallocs",
}
assert TITLES.keys() == COUNTERS.keys(), (TITLES, COUNTERS)

Document = Mapping[str, Any]


def time_rows(document: Document) -> list[tuple[str, ...]]:
    """Microseconds of each entry, and p99.9 over p50."""
    return [
        (each["name"], *(microseconds(each[key]) for key in TIMES), f"{each['ratio']:.2f}")
        for each in document["entries"]
    ]


def microseconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"


def time_headers() -> tuple[str, ...]:
    return ("µs", *TIMES.values(), "p99.9/p50")


def count_rows(document: Document) -> list[tuple[str, ...]]:
    """Of one call, by runtime; "-" where it could not be counted."""
    return [
        (each["name"], *(count_text(each[key]) for key in TITLES))
        for each in document["entries"]
        if "mallocs" in each
    ]


def count_headers() -> tuple[str, ...]:
    return ("in one call", *TITLES.values())


def count_text(count: Mapping[str, Any]) -> str:
    value = count["of_a_call"]
    return "-" if value is None else f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"


def facts(document: Document) -> dict[str, str]:
    """How it was measured, what was not permitted, and what could not be counted."""
    granted: Mapping[str, Mapping[str, str]] = document["granted"]
    all_names = dict.fromkeys(name for each in granted.values() for name in each)
    refused = {
        name: reasons
        for name in all_names
        if (reasons := {runtime: each[name] for runtime, each in granted.items() if each.get(name)})
    }
    result = {
        "timed": f"{document['calls']:,} calls of each, in turns of {document['turn']} in random order, each "
        f"runtime in a process of its own on core {document['core']} of {document['cores']}; the first "
        f"{document['skipped']} calls of a turn are not timed",
        "permitted": ", ".join(name for name in all_names if name not in refused) or "nothing",
    }
    if document["tick"]:
        period, length = document["tick"]["period"] / 1e6, document["tick"]["length"] / 1e3
        result["timer ticks"] = (
            f"every {period:.3g} ms, over within {length:.0f} µs: each call begins behind one, in time "
            "to end before the next"
        )
    if refused:
        result["not permitted"] = "; ".join(
            f"{name} ({', '.join(f'{runtime}: {why}' for runtime, why in reasons.items())})"
            for name, reasons in refused.items()
        )
    result["floats of s2c"] = document["float_mode"]
    result["noise"] = noise_text(document["entries"])
    result["delay"] = delay_text(document["entries"])
    result["counted"] = (
        f"{document['counted_calls']} calls; mallocs of all threads by the slots of loaded libraries' offset "
        "tables, pointed to functions that count; page faults of the process; system calls and instructions "
        "of the calling thread, with Python's own few for a call"
    )
    missing = {
        TITLES[key]: each[key]["why_not"]
        for each in document["entries"]
        for key in TITLES
        if key in each and each[key]["why_not"]
    }
    for title, why in missing.items():
        result[f"no {title}"] = why
    result["valgrind"] = valgrind_text(document["valgrind"])
    return result


def noise_text(entries: Sequence[Mapping[str, Any]]) -> str:
    """What the empty loop says of the ratios."""
    floor = next(each["ratio"] for each in entries if each["name"] == EMPTY)
    above = [each["name"] for each in entries if each["ratio"] > floor]
    text = (
        f"the machine alone gives the empty loop a p99.9/p50 of {floor:.2f}; an interrupt weighs more on a "
    )
    text += "short call; "
    if not above:
        return text + "no ratio is above it, so what differs between them may be noise"
    return text + f"above it: {'; '.join(above)}"


def delay_text(entries: Sequence[Mapping[str, Any]]) -> str:
    """What the ratios hide of calls that differ in length, by runtime."""
    delays = ", ".join(
        f"{each['name']} {microseconds(each['p99_9'] - each['p50'])}" for each in entries if "mallocs" in each
    )
    return f"p99.9 less p50, in µs: {delays}; a long call is interrupted more often"


def valgrind_text(counts: Mapping[str, Any]) -> str:
    """One number where every input takes as many instructions."""
    if "why_not" in counts:
        return str(counts["why_not"])
    if len(set(counts.values())) == 1:
        return f"{next(iter(counts.values())):,.0f} instructions, for {', '.join(counts)} inputs alike"
    return ", ".join(f"{name}: {value:,.0f}" for name, value in counts.items()) + " instructions"


def versions_text(document: Document) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    return f"{document['date']}, {versions}; {document['machine']}"


def describe_determinism(document: Document) -> list[Group]:
    return [
        make_table(
            f"{document['net']}: {versions_text(document)}", time_headers(), time_rows(document), (0,)
        ),
        make_table("", count_headers(), count_rows(document), (0,)),
        make_facts("", facts(document)),
    ]
