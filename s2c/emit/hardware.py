"""A chip in either style -> Verilog."""

from __future__ import annotations

from s2c.emit.verilog import emit_verilog
from s2c.emit.verilog_stream import emit_stream
from s2c.silicon.schedule import Schedule
from s2c.silicon.stream import Stream


def emit_chip(chip: Schedule | Stream, name: str, title: str) -> dict[str, str]:
    """The text of each file of hardware, by its name."""
    return emit_stream(chip, name, title) if isinstance(chip, Stream) else emit_verilog(chip, name, title)
