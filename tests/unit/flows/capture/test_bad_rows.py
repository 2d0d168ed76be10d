"""One row or one answer that does not fit, while everything else goes on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from syncengine.errors import Astray, RowInvalid, SyncengineError, VendorDown
from syncengine.flows.capture.notices import notice
from syncengine.flows.capture.refresh import refresh
from syncengine.flows.people.cases import answer
from syncengine.flows.run.sweep import sweep
from syncengine.model.case import CaseKind
from syncengine.ports import Item
from syncengine.simulation.traits import as_it_is
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.people import anna, crowd, duo

PART = {"unlisted": ("job",)}
"""A listing that shows less than the mapping needs, so that each new row is read by itself."""
Break = Callable[..., dict[str, SyncengineError]]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Break:
    """``broken(vendor)``: a dict of external id -> what a single read of it raises."""

    def of(vendor: FakeVendor) -> dict[str, SyncengineError]:
        good, errors = vendor.get, dict[str, SyncengineError]()

        def get(resource: str, external_id: str) -> Item | None:
            item = good(resource, external_id)
            if external_id in errors:
                raise errors[external_id]
            return item

        monkeypatch.setattr(vendor, "get", get)
        return errors

    return of


def unfit() -> RowInvalid:
    return RowInvalid("GET /people/{id}: the answer is no JSON", {"answer": "<html>"})


def accounts(made: Bench) -> set[Any]:
    return {row["name"] for row in made.vendors["lms"].rows().values()}


@pytest.mark.parametrize("error", [unfit(), VendorDown("GET /people/{id}: HTTP 500")])
def test_one_row_that_cannot_be_read_is_a_case_and_the_others_go_on(
    broken: Break, error: SyncengineError
) -> None:
    """The row is set aside with its evidence, costs one read for each listing, does not stop the connection, and is
    synced, its case closed, once the vendor answers well."""
    made = duo(hr=PART)
    bad, *_ = crowd(made, 3)
    errors = broken(made.vendors["hr"])
    errors[bad] = error
    made.sync()
    assert accounts(made) == {"P1", "P2"}
    case = made.case()
    assert case.kind is CaseKind.QUARANTINED
    assert case.evidence["external_id"] == bad
    assert ("<html>" in str(case.evidence)) == isinstance(error, RowInvalid)
    state = made.read(lambda tx: tx.connection("hr"))
    assert (state.failures, state.blocked_until) == (0, 0.0)
    for _ in range(2):
        before = made.vendors["hr"].calls.count(("get", bad))
        assert made.sync()["converged"]
        assert made.vendors["hr"].calls.count(("get", bad)) == before + 1
        assert made.case().id == case.id
    errors.clear()
    assert made.sync()["converged"]
    assert accounts(made) == {"P0", "P1", "P2"}
    assert not made.cases()


def test_a_row_that_fails_is_tried_again_less_and_less_before_a_person_is_asked(
    broken: Break,
) -> None:
    """A server's error about one row passes by itself if it passes soon; nobody is asked about it."""
    made = duo(hr=PART)
    bad, *_ = crowd(made, 3)
    errors = broken(made.vendors["hr"])
    errors[bad] = VendorDown("HTTP 500")
    made.scan("hr")
    pauses = []
    for _ in range(made.engine.limits.tries - 1):
        made.think()
        assert not refresh(made.engine)
        began = made.clock.now()
        while not refresh(made.engine):
            made.clock.sleep(0.25)
        pauses.append(made.clock.now() - began)
        if len(pauses) == 3:
            errors.clear()
            break
    assert pauses[0] < pauses[1] < pauses[2]
    made.sync()
    assert accounts(made) == {"P0", "P1", "P2"}
    assert not made.cases()


def test_a_web_page_in_place_of_a_row_asks_nobody(broken: Break) -> None:
    """What something before the vendor answers is no fault of a row, however long it goes on."""
    made = duo(hr=PART)
    bad, *_ = crowd(made, 3)
    errors = broken(made.vendors["hr"])
    errors[bad] = Astray("GET /people/{id}: a web page")
    made.scan("hr")
    for _ in range(12):
        refresh(made.engine)
        assert not made.cases()
        made.clock.sleep(61)
    errors.clear()
    made.sync()
    assert accounts(made) == {"P0", "P1", "P2"}


def test_a_vendor_that_is_down_is_no_fault_of_its_rows(broken: Break) -> None:
    """Where nothing can be read and the vendor's cheapest call fails too, the connection pauses and no row is set
    aside; it goes on when the vendor is back."""
    made = duo(hr=PART)
    hr = made.vendors["hr"]
    errors = broken(hr)
    errors |= dict.fromkeys(crowd(made, 3), unfit())
    made.scan("hr")
    hr.fault("health", "down")
    made.think()
    state = made.read(lambda tx: tx.connection("hr"))
    assert state.failures == 1
    assert state.blocked_until > made.clock.now()
    assert not made.cases()
    errors.clear()
    made.clock.sleep(2)
    made.sync()
    assert accounts(made) == {"P0", "P1", "P2"}


@pytest.mark.parametrize("how", ["notice", "answer", "listing"])
def test_a_row_that_was_set_aside_is_read_again_when_it_shows_itself(
    broken: Break, how: str
) -> None:
    """A notice, the answer of a person and the next listing each lead to one read."""
    made = duo(hr=PART)
    mine, _ = anna(made)
    errors = broken(made.vendors["hr"])
    errors[mine] = unfit()
    made.vendors["hr"].edit(mine, name="Ann")
    made.sync()
    errors.clear()
    calls = len(made.vendors["hr"].calls)
    made.think()
    assert len(made.vendors["hr"].calls) == calls
    if how == "notice":
        notice(made.engine, "hr", "people", mine, "event")
    elif how == "answer":
        answer(made.engine, made.case().id, "retry")
    else:
        made.scan("hr")
    made.settle()
    assert not made.cases()
    assert accounts(made) == {"Ann"}


def read_at(made: Bench, row: str, hours: float) -> list[float]:
    """When a row was read by itself in so many hours of a service that is told nothing by a listing."""
    hr, at = made.vendors["hr"], list[float]()
    for _ in range(int(hours * 12)):
        made.clock.sleep(300)
        before = hr.calls.count(("get", row))
        sweep(made.engine)
        made.settle()
        if hr.calls.count(("get", row)) > before:
            at.append(made.clock.now())
    return at


@pytest.mark.parametrize("how", ["refused", "mistyped", "failing"])
def test_a_row_that_does_not_fit_heals_by_itself(broken: Break, how: str) -> None:
    """Where no listing shows it anew it is read again by itself, ever more rarely, as long as it does not fit; once it
    does its question ends."""
    made = duo(hr=PART)
    mine, _ = anna(made)
    hr = made.vendors["hr"]
    errors = broken(hr)
    hr.edit(mine, name="Ann")
    if how == "mistyped":  # where only the single read shows it
        hr.shape = lambda row: row.update(job=[5])
        hr.edit(mine, name="Ann")
        hr.shape = as_it_is
    else:
        errors[mine] = unfit() if how == "refused" else VendorDown("HTTP 500")
    made.sync()
    case = made.case()
    assert case.kind is CaseKind.QUARANTINED
    gaps = [later - earlier for earlier, later in pairwise(read_at(made, mine, 20))]
    assert gaps == sorted(gaps)
    assert len(gaps) in range(7, 13)
    assert gaps[-1] > 2 * gaps[0]
    assert gaps[-1] < 3 * 3600
    assert made.case().id == case.id
    errors.clear()
    hr.tables["people"].rows[mine]["job"] = "dev"
    read_at(made, mine, 3)
    assert not made.cases()
    assert accounts(made) == {"Ann"}


def test_nothing_is_decided_on_a_row_that_cannot_be_read(broken: Break) -> None:
    """What others change meanwhile waits, by name, and reaches the row once it can be read; the vendor's own change
    is not lost."""
    made = duo()
    mine, theirs = anna(made)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    errors = broken(hr)
    errors[mine] = unfit()
    notice(made.engine, "hr", "people", mine, "event")
    lms.edit(theirs, name="Ann")
    made.sync()
    assert made.record().values["name"] == "Ann"
    assert hr.row(mine)["name"] == "Anna"
    assert not made.unsettled()
    assert "can be read" in str(made.link("hr").wait)
    hr.edit(mine, job="lead")
    errors.clear()
    made.sync()
    made.sync()
    assert (hr.row(mine)["name"], lms.row(theirs)["job"]) == ("Ann", "lead")
    assert made.link("hr").wait is None
    assert not made.cases()


@pytest.mark.parametrize("error", [unfit(), VendorDown("HTTP 500")])
def test_a_row_that_cannot_be_read_before_a_write_keeps_no_other_from_being_written(
    broken: Break, error: SyncengineError
) -> None:
    """Its write is given up and its row asked about; the other writes go out in the same round."""
    made = duo()
    first, second = crowd(made, 2)
    made.sync()
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    ids = {row["name"]: name for name, row in lms.rows().items()}
    errors = broken(lms)
    errors[ids["P0"]] = error
    hr.edit(first, job="lead")
    hr.edit(second, job="lead")
    made.scan("hr")
    made.think()
    assert made.send() == {"stale": 1, "applied": 1}
    made.sync()
    assert lms.row(ids["P1"])["job"] == "lead"
    assert lms.row(ids["P0"])["job"] == "dev"
    assert made.case().kind is CaseKind.QUARANTINED
    errors.clear()
    made.sync()
    assert lms.row(ids["P0"])["job"] == "lead"
    assert not made.cases()


def test_a_create_that_cannot_be_looked_up_asks_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a create is looked for by does not fit: nothing is sent, a person is asked after some tries, and the
    answer sends it."""
    made = duo()
    crowd(made, 1)
    lms = made.vendors["lms"]
    good = lms.find

    def find(*_: Any) -> None:
        raise unfit()

    monkeypatch.setattr(lms, "find", find)
    made.sync()
    case = made.case()
    assert case.kind is CaseKind.REJECTED
    assert case.question == "A create of people cannot be sent to lms."
    assert not lms.wrote()
    monkeypatch.setattr(lms, "find", good)
    made.answer("retry")
    made.sync()
    assert accounts(made) == {"P0"}
    assert not made.cases()


def test_a_write_that_no_read_can_prove_asks_and_is_proved_later(broken: Break) -> None:
    """An unknown write whose row cannot be read becomes a question, which ends when a read proves it."""
    made = duo()
    mine, theirs = anna(made)
    lms = made.vendors["lms"]
    lms.fault("update", "drop")
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    made.think()
    assert made.send() == {"unknown": 1}
    errors = broken(lms)
    errors[theirs] = unfit()
    made.clock.sleep(60)
    made.prove()
    assert not made.cases()
    made.clock.sleep(60)
    made.prove()
    assert made.case().kind is CaseKind.UNKNOWN
    assert made.read(lambda tx: tx.connection("lms")).failures == 0
    errors.clear()
    made.clock.sleep(3600)
    assert made.prove() == {"applied": 1}
    assert not made.cases()
