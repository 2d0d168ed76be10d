"""For what a pass waits, what it says meanwhile, and that it ends."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from syncengine.errors import RateLimited, SyncengineError, Unknown, VendorDown
from syncengine.ports import Item, Page
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.notes import noted
from tests.support.people import LMS, anna, duo

LONG = 900.0
"""Seconds within which a pass ends that does not get on."""


def limited(vendor: FakeVendor, verb: str, free: int, pause: float) -> list[float]:
    """A vendor that takes so many calls of a verb in a row, and then asks for a pause, calls within which it refuses as
    well. Returns when it was called within one."""
    clock, left, until, early = vendor.clock, [free], [0.0], list[float]()
    begin = vendor._begin

    def limit(asked: str, what: str, write: bool) -> Any:
        if asked == verb:
            if clock.now() < until[0]:
                early.append(clock.now())
            if not left[0]:
                left[0], until[0] = free, clock.now() + pause
                raise RateLimited("HTTP 429", until[0])
            left[0] -= 1
        return begin(asked, what, write)

    vendor._begin = limit  # type: ignore[method-assign]
    return early


@pytest.mark.parametrize("pause", [7.0, 600.0])
def test_a_listing_goes_on_after_each_pause_that_its_vendor_asks_for(pause: float) -> None:
    """With more parents than calls in a row, each parent is read once, the pass waits and says so, and it converges."""
    made, told = noted(11, lms=LMS), list[str]()
    early = limited(made.vendors["hr"], "scan", 4, pause)
    document = made.sync(tell=told.append)
    assert document["converged"], document["faults"]
    assert not early
    assert made.vendors["hr"].calls.count(("scan", "notes")) == 11
    assert len(made.records("note")) == 11
    waits = [line for line in told if not line.startswith("reads hr notes: ")]
    assert waits
    assert all(line.startswith("waits for hr, until ") and "429" in line for line in waits), told


def test_a_pass_that_is_only_told_to_wait_ends() -> None:
    """A vendor that answers nothing but requests for a pause is waited for once, and then named."""
    made = noted(3, lms=LMS)
    limited(made.vendors["hr"], "scan", 0, 30.0)
    began = made.clock.now()
    document = made.sync()
    assert made.clock.now() - began < LONG
    assert any("hr" in fault and "429" in fault for fault in document["faults"])


def test_a_listing_that_a_limit_stopped_is_gone_on_with_by_the_next_pass() -> None:
    """A pass that is given up half-way leaves its part to the next one, which reads the rest."""
    made = noted(8, lms=LMS)
    made.scan("hr")
    made.think()
    limited(made.vendors["hr"], "scan", 5, 20.0)
    assert "429" in made.scan("hr", "notes").fault
    made.clock.sleep(60)
    assert made.scan("hr", "notes").complete
    assert made.vendors["hr"].calls.count(("scan", "notes")) == 8


def broken(
    made: Bench, monkeypatch: pytest.MonkeyPatch, verbs: tuple[str, ...], error: SyncengineError
) -> None:
    """From now on ``lms`` answers these verbs with an error."""
    lms = made.vendors["lms"]

    def fail(*_: Any, **__: Any) -> Any:
        lms.clock.sleep(0.5)
        raise error

    for verb in verbs:
        monkeypatch.setattr(lms, verb, fail)


@pytest.mark.parametrize(
    ("verbs", "error"),
    [
        (("get", "find", "health"), VendorDown("GET /people: HTTP 500")),
        (("update",), Unknown("PATCH /people: HTTP 500")),
        (("get", "health"), VendorDown("GET /people: HTTP 500")),
    ],
)
def test_a_vendor_that_fails_does_not_keep_a_pass_for_ever(
    monkeypatch: pytest.MonkeyPatch, verbs: tuple[str, ...], error: SyncengineError
) -> None:
    """A write that is due while its vendor fails is tried again for a while; then the pass ends, names the connection,
    and is not done."""
    made, told = duo(), list[str]()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    broken(made, monkeypatch, verbs, error)
    began = made.clock.now()
    document = made.sync(tell=told.append)
    assert made.clock.now() - began < LONG
    assert not document["converged"]
    assert any(fault.startswith("lms: ") for fault in document["faults"])
    assert told


def test_a_long_listing_says_how_far_it_is(logged: io.StringIO) -> None:
    """About every half minute, to whoever runs the pass, also below one parent; in the service it is a line of the log
    with counts alone."""
    for resource in ("people", "notes"):
        made, lines = noted(1, lms=LMS), list[str]()
        slow(made.vendors["hr"], resource, pages=100)
        made.sync(tell=lines.append)
        told = [line for line in lines if line.startswith(f"reads hr {resource}: ")]
        assert len(told) == 3
        assert told[-1] == f"reads hr {resource}: 90 rows in 90 answers so far"
        logged.seek(0)
        logged.truncate()
        made.scan("hr", resource)
        events = [json.loads(line) for line in logged.getvalue().splitlines()]
        counts = [e["rows"] for e in events if e["event"] == "a listing goes on"]
        assert counts == [30, 60, 90]


def slow(vendor: FakeVendor, slowly: str, pages: int) -> None:
    """A vendor whose listing of a resource has so many pages of one row, each of which takes a second."""
    scan = vendor.scan

    def paged(resource: str, parent: str | None = None, window: Any = None) -> Iterator[Page]:
        if resource != slowly:
            yield from scan(resource, parent, window)
            return
        for number in range(pages):
            vendor.clock.sleep(1.0)
            row = {"id": f"x{number}", "email": f"x{number}@x.de", "_parent": parent}
            yield Page([Item(f"x{number}", row, parent)])

    vendor.scan = paged  # type: ignore[method-assign]
