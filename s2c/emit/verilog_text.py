"""Instances and wires of Verilog as text"""

from __future__ import annotations

from collections.abc import Mapping

from s2c.silicon.fields import Field

Parameters = Mapping[str, int | str]
CLOCKED = {"clock": "clock", "reset": "reset"}


def instance(module: str, name: str, parameters: Parameters, ports: Mapping[str, str]) -> list[str]:
    sizes = ", ".join(f".{each}({value})" for each, value in parameters.items())
    wires = [f"        .{port}({wire})" for port, wire in ports.items()]
    head = f"s2c_{module} #({sizes}) {name} (" if sizes else f"s2c_{module} {name} ("
    return [f"    {head}", ",\n".join(wires), "    );"]


def together(fields: Mapping[str, Field], prefix: str, name: str, count: int) -> str:
    """The fields NAME_0, NAME_1 and so on, the first lowest."""
    assert f"{name}_0" in fields, name
    return "{" + ", ".join(f"{prefix}_{name}_{each}" for each in reversed(range(count))) + "}"


def delay(width: int, cycles: int, source: str, target: str, reset: str = "reset") -> list[str]:
    parameters = {"WIDTH": width, "CYCLES": cycles}
    ports = {"clock": "clock", "reset": reset, "early": source, "late": target}
    return [wire(width, target), *instance("delay", f"delay_{target}", parameters, ports)]


def wire(width: int, *names: str) -> str:
    return f"    wire [{width - 1}:0] {', '.join(names)};" if width > 1 else f"    wire {', '.join(names)};"


def literal(width: int, value: int) -> str:
    return f"{width}'d{value}"


def part(name: str, width: int, wanted: int) -> str:
    """The lowest bits."""
    assert wanted <= width, (name, width, wanted)
    return name if wanted == width else f"{name}[{wanted - 1}:0]"
