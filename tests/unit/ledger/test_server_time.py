"""Machines that share a database tell the time by its clock, whatever their own says."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from syncengine.errors import DatabaseDown
from syncengine.ledger import server_time as module
from syncengine.ledger.engine import make_engine
from syncengine.ledger.server_time import ServerTime, server_time
from tests.support.databases import postgres_database


class Clocks:
    """The clocks of a machine: its own, which may be set, and the monotonic one, which may be let run ahead."""

    def __init__(self) -> None:
        self.wrong = self.passed = 0.0

    def time(self) -> float:
        return time.time() + self.wrong + self.passed

    def monotonic(self) -> float:
        return time.monotonic() + self.passed


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    made = Clocks()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture(scope="module")
def database() -> Iterator[Engine]:
    with postgres_database() as url:
        made = make_engine(url)
        yield made
        made.dispose()


@pytest.mark.parametrize("wrong", [-7200.0, 0.0, 7200.0])
def test_the_clock_of_the_database_counts(database: Engine, clocks: Clocks, wrong: float) -> None:
    """A machine whose clock is wrong by two hours tells the right time, and says that its clock is wrong."""
    clocks.wrong = wrong
    with capture_logs() as said:
        assert server_time(database)() == pytest.approx(time.time(), abs=0.5)
    assert [entry["ahead_s"] for entry in said] == ([round(wrong)] if wrong else [])


def test_a_clock_that_is_set_meanwhile_changes_nothing(database: Engine, clocks: Clocks) -> None:
    """Neither ahead nor back, and also where the database cannot be asked just then."""
    now = server_time(database)
    for clocks.wrong in (3600.0, -3600.0, 0.0):
        assert now() == pytest.approx(time.time(), abs=0.5)


def test_the_database_is_asked_now_and_then(
    database: Engine, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at each look; after half a minute once, and at once where the machine slept."""
    asked: list[float] = []
    really = ServerTime._asked

    def ask(self: ServerTime) -> module._Look:
        asked.append(time.monotonic())
        return really(self)

    monkeypatch.setattr(ServerTime, "_asked", ask)
    now = server_time(database)
    for _ in range(100):
        now()
    assert len(asked) == 1
    clocks.passed += module.EVERY
    for _ in range(100):
        now()
    assert len(asked) == 2
    clocks.wrong += 10
    for _ in range(100):
        now()
    assert len(asked) == 3


def test_time_goes_on_while_the_database_is_away(
    database: Engine, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it said last counts, and what has passed since; it is not asked at each look."""
    now, tried = server_time(database), [0]

    def away(_self: ServerTime) -> module._Look:
        tried[0] += 1
        raise DatabaseDown("it is away", "wait")

    monkeypatch.setattr(ServerTime, "_asked", away)
    began = now()
    clocks.passed += 100
    clocks.wrong += 7200
    for _ in range(100):
        now()
    assert now() - began == pytest.approx(100, abs=0.5)
    assert tried == [1]


def test_a_file_is_of_one_machine() -> None:
    """On SQLite the machine's own clock counts."""
    assert server_time(make_engine("sqlite://")) is time.time
