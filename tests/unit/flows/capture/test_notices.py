"""What becomes of a notice about a row that nobody has seen."""

from __future__ import annotations

import pytest

from syncengine.flows.capture.notices import notice
from syncengine.model.values import Json
from tests.support.bench import Bench
from tests.support.people import duo


def noticed(made: Bench, external_id: str = "nobody") -> None:
    """A signed notice names a row of ``hr``, and everything settles."""
    assert notice(made.engine, "hr", "people", external_id, f"event-{external_id}")
    made.settle()


def calls(made: Bench) -> list[str]:
    return [verb for verb, _ in made.vendors["hr"].calls if verb == "get"]


@pytest.mark.parametrize("fault", ["", "fail", "down"])
def test_an_id_that_does_not_exist_ends_quietly(fault: str) -> None:
    """One read, no question, no row; the event stays on record."""
    made = duo()
    if fault:
        made.vendors["hr"].fault("get", fault)
    noticed(made)
    assert calls(made) == ["get"]
    assert not made.cases()
    assert not made.links()
    events = made.read(lambda tx: tx.select_events("hr"))
    assert [e.external_id for e in events if e.source == "webhook"] == ["nobody"]
    made.sync()
    assert made.sync()["converged"]


def test_where_there_is_no_single_read_the_next_listing_tells() -> None:
    """No call is made for a row that only a listing can show; one that is there comes with it."""
    made = duo(hr={"single_get": False})
    row: dict[str, Json] = {"email": "anna@x.de", "name": "Anna", "job": "dev"}
    mine = made.vendors["hr"].add(**row)
    noticed(made, "nobody")
    noticed(made, mine)
    assert not calls(made)
    assert not made.links()
    made.sync()
    assert made.record().values["email"] == "anna@x.de"


def test_a_new_row_is_read_at_once() -> None:
    """A notice about a row that is there brings it in before any listing."""
    made = duo()
    mine = made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    noticed(made, mine)
    assert made.record().values["email"] == "anna@x.de"
