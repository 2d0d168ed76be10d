"""In what order tests run, and what all their processes share."""

from __future__ import annotations

import os
import sys

import pytest


def pytest_configure() -> None:
    """Code is compiled once, not at each start of the many processes of a test run."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker is left alone with it in the end."""
    items.sort(key=lambda item: "integration" not in item.path.parts)
