"""What stands in for the vendors, as every test of a connector finds it: as it was seeded.

``server`` says which: the sandbox as the vendors' pages document them, or as they seem to be today, or a real app of
Django REST framework. A test runs with each that its vendor differs in (``peers.SERVERS``): by a parameter of its own,
or because its module is about one ``VENDOR``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from syncengine.sandbox.process import SandboxProcess
from tests.contract.peers import PEOPLE, SERVERS, Server, World, anew


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    vendor = getattr(metafunc.module, "VENDOR", None)
    if vendor and "server" in metafunc.fixturenames:
        metafunc.parametrize("server", SERVERS[vendor])


@pytest.fixture(scope="session")
def started() -> Iterator[Callable[[str], Server]]:
    """A server by its name, started when it is first wanted."""
    with ExitStack() as undo:

        @cache
        def start(name: str) -> Server:
            if name != "django":
                return undo.enter_context(SandboxProcess(people=PEOPLE, profile=name))
            from tests.support.drf.server import Django  # it sets Django up for the whole process

            server = Django(PEOPLE)
            undo.callback(server.stop)
            return server

        yield start


@pytest.fixture
def server() -> str:
    return "documented"


@pytest.fixture
def world(started: Callable[[str], Server], server: str) -> Iterator[World]:
    with anew(started(server)) as world:
        yield world
