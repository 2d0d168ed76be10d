"""What most of these tests begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.flows.core.engine import Engine
from syncengine.sandbox.process import SandboxProcess
from tests.integration.support import Quick, opened
from tests.support.cli import Cli, cli_in


@pytest.fixture
def engine(sandbox: SandboxProcess, tmp_path: Path) -> Iterator[Engine]:
    """The shipped project on it, nothing of which is read yet."""
    sandbox.reset()
    with opened(sandbox, tmp_path, Quick()) as running:
        yield running


def _cli(sandbox: SandboxProcess, folder: Path) -> Cli:
    sandbox.reset()
    return cli_in(folder, sandbox.env)


@pytest.fixture
def cli(sandbox: SandboxProcess, tmp_path: Path) -> Cli:
    """An empty database, and the vendors as in the beginning."""
    return _cli(sandbox, tmp_path)


@pytest.fixture(scope="module")
def synced(sandbox: SandboxProcess, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A database after its first sync, to look at. The vendors may have moved on since."""
    made = _cli(sandbox, tmp_path_factory.mktemp("synced"))
    made.first = made.json("sync", code=4)
    return made
