"""One flag: renew the golden files. And an order: no long test comes last, to keep one process busy alone."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew", action="store_true", help="write the golden files anew")


# Modules with the longest tests.
FIRST = ("test_onnx_backend.py", "test_kernels.py", "test_mlperf_tiny.py", "test_verilog.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules stay whole: their fixtures are made once."""
    order = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
