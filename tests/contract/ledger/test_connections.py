"""States of connections, and what their processes share."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from syncengine.ledger import Ledger
from syncengine.model.changeset import Changeset
from syncengine.model.connection import ConnectionState, ResourceState
from tests.contract.ledger.samples import NOW


@dataclass(frozen=True)
class NewerState(ConnectionState):
    """What a later version of us may keep."""

    mood: str = ""


def test_states_are_fresh_until_saved(ledger: Ledger) -> None:
    """An unknown connection or resource starts from its defaults; the last save counts."""
    state = ConnectionState("hakuna", paused="moving house", blocked_until=NOW, failures=2)
    cursor = ResourceState("hakuna", "users", cursor="c", polled_at=NOW, fault="503")
    with ledger.write() as tx:
        assert tx.connection("hakuna", lock=True) == ConnectionState("hakuna")
        assert tx.resource("hakuna", "users") == ResourceState("hakuna", "users")
        tx.write(Changeset(connections=[ConnectionState("hakuna")]))
        tx.write(Changeset(connections=[state]))
        tx.write(Changeset(resources=[cursor]))
    with ledger.read() as tx:
        assert tx.connection("hakuna") == state
        assert tx.resource("hakuna", "users") == cursor
        assert tx.connection("haekka") == ConnectionState("haekka")
        assert tx.connections(["haekka", "hakuna"]) == [ConnectionState("haekka"), state]


def test_the_state_of_a_newer_version_is_read(ledger: Ledger) -> None:
    """What another version keeps besides is left out; going back to an older version stops at nothing."""
    with ledger.write() as tx:
        tx.write(Changeset(connections=[NewerState("hakuna", failures=2, mood="sunny")]))
    with ledger.read() as tx:
        assert tx.connection("hakuna") == ConnectionState("hakuna", failures=2)


def test_slots_are_held_renewed_and_given_back(ledger: Ledger) -> None:
    """There are as many as the connection has; a holder that dies loses them when its time is over."""
    with ledger.write() as tx:
        assert tx.take_slots("hakuna", 2, 3, "one", NOW, NOW + 20) == 2
        assert tx.take_slots("hakuna", 2, 3, "two", NOW, NOW + 20) == 1
        assert tx.take_slots("hakuna", 1, 3, "three", NOW, NOW + 20) == 0
        assert tx.take_slots("haekka", 1, 1, "three", NOW, NOW + 20) == 1
        tx.free_slots("two")
        assert tx.take_slots("hakuna", 9, 3, "three", NOW, NOW + 20) == 1
        tx.renew_slots("one", NOW + 40)
        assert tx.take_slots("hakuna", 9, 3, "four", NOW + 21, NOW + 40) == 1
        assert tx.take_slots("hakuna", 9, 3, "five", NOW + 41, NOW + 60) == 3


def test_calls_are_spread_over_the_period(ledger: Ledger) -> None:
    """A tenth may come at once, then it is told when to come back; connections do not share."""
    with ledger.write() as tx:
        assert tx.take_calls("hakuna", 50, 100, 60.0, NOW)[0] == 10
        granted, at = tx.take_calls("hakuna", 1, 100, 60.0, NOW)
        assert granted == 0
        assert at == pytest.approx(NOW + 60 / 90, abs=1e-3)
        assert tx.take_calls("haekka", 1, 100, 60.0, NOW)[0] == 1
        assert tx.take_calls("hakuna", 5, 100, 60.0, at)[0] == 1
        left = [tx.calls_left(n, 100, 60.0, NOW) for n in ("hakuna", "haekka", "weekly10")]
        assert left == [89, 99, 100]


def test_what_is_remembered_is_forgotten_in_time(ledger: Ledger) -> None:
    """Whoever is first keeps it until its time is over; nothing else is mixed up with it."""
    with ledger.write() as tx:
        assert tx.remember("seal", ["a"], NOW, NOW + 10, "one") == "one"
        assert tx.remember("seal", ["a"], NOW + 9, NOW + 99, "two") == "one"
        assert tx.remember("row", ["a"], NOW, NOW + 10) == ""
    with ledger.read() as tx:
        assert tx.remembered("seal", ["a"], NOW + 9) == NOW + 10
        assert tx.remembered("seal", ["a"], NOW + 10) == 0
        assert tx.remembered("seal", ["b"], NOW) == 0
    with ledger.write() as tx:
        assert tx.remember("seal", ["a"], NOW + 10, NOW + 20, "two") == "two"


def test_a_mark_is_taken_over_given_back_and_lapses(ledger: Ledger) -> None:
    """Whoever is last holds it, until its time is over."""
    with ledger.write() as tx:
        for which, whose in (("a", "one"), ("b", "two"), ("a", "two")):
            tx.take_mark("question", [which], NOW, NOW + 10, whose)
        assert tx.marks("question", ["a", "b", "c"], NOW + 9) == {
            "a": ("two", NOW + 10),
            "b": ("two", NOW + 10),
        }
        assert tx.marks("seal", ["a"], NOW) == {}
        assert tx.marks("question", [], NOW) == {}
    with ledger.write() as tx:
        tx.drop_mark("question", ["b"])
        assert list(tx.marks("question", ["a", "b"], NOW + 9)) == ["a"]
        assert tx.marks("question", ["a"], NOW + 10) == {}
