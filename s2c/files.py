"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

DRAFT = ".draft"


def write_whole(path: Path, data: bytes) -> None:
    """Another process sees the old file or the new one, be the power cut."""
    draft = path.with_name(f".{path.name}{DRAFT}")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
