"""What most of these tests begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.flows.core.engine import Engine
from syncengine.sandbox.process import SandboxProcess
from tests.integration.support import Quick, opened


@pytest.fixture
def engine(sandbox: SandboxProcess, tmp_path: Path) -> Iterator[Engine]:
    """The shipped project on it, nothing of which is read yet."""
    sandbox.reset()
    with opened(sandbox, tmp_path, Quick()) as running:
        yield running
