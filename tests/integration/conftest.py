"""A company that most of these tests agree on; a module that needs another one has its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.flows.core.engine import Engine
from syncengine.sandbox.process import SandboxProcess
from tests.integration.support import Quick, opened


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    """A company of twelve."""
    with SandboxProcess(people=12) as running:
        yield running


@pytest.fixture
def engine(sandbox: SandboxProcess, tmp_path: Path) -> Iterator[Engine]:
    """The shipped project on it, nothing of which is read yet."""
    sandbox.reset()
    with opened(sandbox, tmp_path, Quick()) as running:
        yield running
