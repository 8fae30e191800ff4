"""What is installed only on request: the packages that draw pages."""

from __future__ import annotations

import importlib.util

from s2c.errors import error

PAGE_PACKAGES = ("jinja2", "matplotlib")


def check_packages() -> None:
    """CompileError where what draws the page is not installed."""
    missing = [name for name in PAGE_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        do = "pip install 's2c[report]', or leave -o out"
        raise error("-o", f"the Python modules {', '.join(PAGE_PACKAGES)}", f"no {', '.join(missing)}", do)
