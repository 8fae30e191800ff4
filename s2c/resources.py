"""Where things lie: data trees, inside the package (a wheel) or next to it (a checkout), and the cache."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder of the data tree `name`, "kernels" or "targets"."""
    for parent in (PACKAGE, PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise AssertionError(f"the installation is incomplete: no folder {name} in or next to {PACKAGE}")


def cache_folder() -> Path:
    """Holds s2c/. The user's own; where that cannot be written, one among the temporary files."""
    with suppress(OSError, RuntimeError):  # RuntimeError: there is no home
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        (cache / "s2c").mkdir(parents=True, exist_ok=True)
        if all(os.access(each, os.W_OK | os.X_OK) for each in (cache, cache / "s2c")):
            return cache
    shared = Path(tempfile.gettempdir()) / f"s2c-{os.getuid()}"
    with suppress(FileExistsError):
        shared.mkdir(mode=0o700)
    # Whoever else may write there could have us load their code.
    status = shared.lstat()
    is_ours = status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    cache = shared if stat.S_ISDIR(status.st_mode) and is_ours else Path(tempfile.mkdtemp(prefix="s2c-"))
    (cache / "s2c").mkdir(exist_ok=True)
    return cache


def zig_environment() -> dict[str, str]:
    """Ours, and where zig may keep what it builds: by itself it fails without a cache that it can write."""
    return {"ZIG_GLOBAL_CACHE_DIR": str(cache_folder() / "zig"), **os.environ}
