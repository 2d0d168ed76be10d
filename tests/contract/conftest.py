"""The sandbox, as every test of a connector finds it: as it was seeded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncengine.sandbox.process import SandboxProcess
from tests.contract.peers import CROWD, PEOPLE, World, anew


@pytest.fixture(scope="module")
def small() -> Iterator[SandboxProcess]:
    with SandboxProcess(people=PEOPLE) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def large() -> Iterator[SandboxProcess]:
    with SandboxProcess(people=CROWD) as sandbox:
        yield sandbox


@pytest.fixture
def world(small: SandboxProcess) -> Iterator[World]:
    with anew(small) as world:
        yield world


@pytest.fixture
def crowd(large: SandboxProcess) -> Iterator[World]:
    with anew(large) as world:
        yield world
