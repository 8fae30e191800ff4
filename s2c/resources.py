"""The name of a data tree -> where it lies: inside the package (a wheel) or next to it (a checkout)."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder of the data tree `name`, "kernels" or "targets"."""
    for parent in (PACKAGE, PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise AssertionError(f"the installation is incomplete: no folder {name} in or next to {PACKAGE}")
