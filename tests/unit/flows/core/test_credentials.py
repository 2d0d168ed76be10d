"""Refused credentials stop their connection alone, and are not hammered."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from syncengine.errors import RateLimited, Unauthorized, VendorDown
from syncengine.flows.core.engine import LOCKED_OUT
from syncengine.flows.people.pausing import resume
from syncengine.flows.views.status import status
from tests.support.people import anna, crowd, duo


def test_refused_credentials_stop_their_connection_alone_and_are_not_hammered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One refusal ends the calls of a round; status says so; the others go on; the next tries come after minutes,
    fewer and fewer."""
    made = duo(hr={"unlisted": ("job",)})
    hr = made.vendors["hr"]
    crowd(made, 40)
    made.scan("hr")
    good, calls = hr.get, []

    def get(*asked: str) -> None:
        calls.append(asked)
        raise Unauthorized("GET /people/{id}: HTTP 401")

    monkeypatch.setattr(hr, "get", get)
    made.think()
    assert len(calls) == 1
    assert "401" in status(made.engine)["connections"]["hr"]["halted"]
    assert not status(made.engine)["connections"]["lms"]["halted"]
    made.vendors["lms"].add(email="l@x.de", name="L", job="dev")
    made.sync()
    assert made.links("lms")
    assert len(calls) == 1
    tried = []
    for _ in range(60 * 12):
        made.clock.sleep(60)
        before = len(calls)
        made.think()
        tried += [made.clock.now()] * (len(calls) - before)
    spans = [later - earlier for earlier, later in pairwise(tried)]
    assert min(spans) >= 2 * LOCKED_OUT
    assert sorted(spans) == spans
    assert len(tried) <= 12
    monkeypatch.setattr(hr, "get", good)
    made.clock.sleep(16 * LOCKED_OUT)
    made.sync()
    assert not status(made.engine)["connections"]["hr"]["halted"]
    assert len(made.records()) == 40


def test_refused_credentials_end_the_writes_of_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many writes that wait, one meets the refusal; the others are put off unsent, and are sent later."""
    made = duo()
    crowd(made, 40)
    made.scan_all()
    made.think()
    lms, calls = made.vendors["lms"], []
    good = lms.find

    def find(*asked: Any) -> Any:
        calls.append(asked)
        raise Unauthorized("POST /people: HTTP 401")

    monkeypatch.setattr(lms, "find", find)
    assert made.send() == {"not_sent": 32}
    assert len(calls) == 1
    assert made.send() == {}
    monkeypatch.setattr(lms, "find", good)
    resume(made.engine, "lms")
    made.sync()
    assert len({row["name"] for row in lms.rows().values()}) == 40


def test_refused_credentials_halt_a_connection() -> None:
    """A vendor that refuses the credentials is left alone until a person has acted."""
    made = duo()
    anna(made)
    made.vendors["hr"].fault("scan", "locked_out")
    made.sync()
    assert made.read(lambda tx: tx.connection("hr")).halted
    calls = len(made.vendors["hr"].calls)
    made.scan("hr")
    assert len(made.vendors["hr"].calls) == calls
    resume(made.engine, "hr")
    assert made.sync()["converged"]


def test_a_halt_is_said_as_long_as_it_lasts() -> None:
    """A call that was under way when the credentials were refused, and fails in another way, takes nothing back."""
    made = duo()
    made.engine.note_failure("hr", Unauthorized("HTTP 401"))
    until = made.read(lambda tx: tx.connection("hr")).blocked_until
    made.engine.note_failure("hr", VendorDown("HTTP 500"))
    made.engine.note_failure("hr", RateLimited("HTTP 429", made.clock.now() + 1))
    state = made.read(lambda tx: tx.connection("hr"))
    assert (state.halted, state.blocked_until, state.failures) == ("HTTP 401", until, 1)
