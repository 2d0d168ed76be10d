"""A company that most of these tests agree on; a module that needs another one has its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncengine.sandbox.process import SandboxProcess


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    """A company of eight."""
    with SandboxProcess(people=8) as running:
        yield running
