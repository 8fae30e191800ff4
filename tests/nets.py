"""The nets that are too large for the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("S2C_DATA", Path(__file__).parents[1] / "../shared/data"))


def data(path: str) -> Path:
    """A file of the data folder (S2C_DATA); the test is skipped where it is missing."""
    found = ROOT / path
    if not found.exists():
        pytest.skip(f"missing {path}: set S2C_DATA to the folder that holds it")
    return found
