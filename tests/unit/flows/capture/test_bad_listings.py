"""Listings of which a part does not fit or cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncengine.errors import RowInvalid, SyncengineError, Unusable, VendorDown
from syncengine.flows.capture.capture import LACKING
from syncengine.flows.capture.refresh import _unreadable
from syncengine.flows.run.sweep import sweep
from syncengine.model.case import CaseKind
from syncengine.model.link import LinkState
from syncengine.ports import Item, Page
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.notes import noted
from tests.support.people import HR, crowd, duo


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Item]]:
    """``listing(vendor)``: a dict of external id -> the item that listings show instead."""

    def of(vendor: FakeVendor) -> dict[str, Item]:
        good, instead = vendor.scan, dict[str, Item]()

        def scan(*asked: Any) -> Iterator[Page]:
            for page in good(*asked):
                yield Page([instead.get(i.external_id, i) for i in page.items], page.cursor)

        monkeypatch.setattr(vendor, "scan", scan)
        return instead

    return of


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_a_listed_row_that_does_not_fit_concludes_nothing_about_itself(
    listing: Callable[..., dict[str, Item]], named: bool, single: bool
) -> None:
    """It is one case with the row, however often it is listed so; it is not gone, and neither is any other that a
    single read does not prove gone; the case ends when the row is listed well."""
    made = duo(
        hr={"single_get": single},
        hr_system=HR.replace("flow: both", "flow: in, on_missing: delete"),
    )
    bad, other = crowd(made, 2)
    made.sync()
    instead = listing(made.vendors["hr"])
    instead[bad] = Item(bad if named else "", {"name": 5}, fault="it has no usable id in 'id'")
    for _ in range(3):
        made.sync()
        assert "'name': 5" in str(made.case().evidence)
        assert len(made.records()) == 2
        assert {k.state for k in made.links("hr")} == {LinkState.LINKED}
    made.vendors["hr"].remove(other)
    for _ in range(3):
        made.sync()
    told = named or single
    assert len(made.records()) == (1 if told else 2)
    instead.clear()
    made.sync()
    made.sync()
    assert not [case for case in made.cases() if case.kind is CaseKind.QUARANTINED]
    assert [record.values["name"] for record in made.records()] == ["P0"]


def test_of_a_row_that_does_not_fit_no_more_is_kept_than_of_others(
    listing: Callable[..., dict[str, Item]],
) -> None:
    """What no mapping looks at is not in the question either, whether the row was listed or read by itself."""
    made = duo()
    bad, _ = crowd(made, 2)
    row = {"name": "P0", "email": 5, "pay": 68000, "born": "1987-09-25"}
    listing(made.vendors["hr"])[bad] = Item(bad, row, fault="it has no usable id in 'id'")
    made.sync()
    assert made.case().evidence["row"] == {"name": "P0", "email": 5}
    whole = RowInvalid("GET /people/{id}: it is another row", {"row": row})
    found = _unreadable(made.engine, made.links("hr")[0], whole).evidence["found"]
    assert found == {"row": {"name": "P0", "email": 5}}


def test_a_listing_of_nothing_but_unfit_rows_is_not_empty(
    listing: Callable[..., dict[str, Item]],
) -> None:
    """Nobody is asked whether everything is gone when rows are there that cannot be read."""
    made = duo()
    instead = listing(made.vendors["hr"])
    instead |= {name: Item("", {"name": name}, fault="no id") for name in crowd(made, 3)}
    for _ in range(2):
        made.sync()
        assert [case.kind for case in made.cases()] == [CaseKind.QUARANTINED] * 3


@pytest.fixture
def below(monkeypatch: pytest.MonkeyPatch) -> tuple[Bench, list[str], dict[str, SyncengineError]]:
    """Three people with a note each, their ids, and id -> what the listing of that person's notes raises."""
    made = noted(3)
    vendor = made.vendors["hr"]
    errors: dict[str, SyncengineError] = {}
    good = vendor.scan

    def scan(resource: str, parent: str | None = None, window: Any = None) -> Iterator[Page]:
        if parent in errors:
            raise errors[parent]
        return good(resource, parent, window)

    monkeypatch.setattr(vendor, "scan", scan)
    return made, list(vendor.rows()), errors


def texts(made: Bench) -> set[Any]:
    return {record.values["text"] for record in made.records("note")}


@pytest.mark.parametrize(
    "error", [Unusable("GET /notes: the answer is no JSON"), VendorDown("HTTP 500")]
)
def test_one_parent_s_listing_that_fails_keeps_the_others_and_concludes_nothing(
    below: tuple[Bench, list[str], dict[str, SyncengineError]], error: SyncengineError
) -> None:
    """What came is kept, the pass says that the listing lacks something, nothing is gone; an answer that does not fit
    is a case with the parent alone, and ends when all could be read."""
    made, names, errors = below
    errors[names[1]] = error
    document = made.sync()
    assert texts(made) == {f"of {names[0]}", f"of {names[2]}"}
    assert "lacks 1 parts" in document["faults"][0]
    assert made.read(lambda tx: tx.connection("hr")).failures == 0
    asked = [c.evidence for c in made.cases()]
    assert asked == ([{"parent": names[1]}] if isinstance(error, Unusable) else [])
    hr = made.vendors["hr"]
    (note,) = [n for n, row in hr.rows("notes").items() if row["_parent"] == names[0]]
    hr.remove(note, "notes")
    made.sync()
    assert texts(made) == {f"of {names[0]}", f"of {names[2]}"}
    errors.clear()
    assert not made.sync()["faults"]
    assert texts(made) == {f"of {names[1]}", f"of {names[2]}"}
    assert not made.cases()


def test_a_listing_that_lacks_something_is_read_again_after_a_while(
    below: tuple[Bench, list[str], dict[str, SyncengineError]],
) -> None:
    """It is not announced with every sweep for the sake of one parent."""
    made, names, errors = below
    errors[names[1]] = VendorDown("HTTP 500")
    made.scan("hr")
    made.think()
    made.clock.sleep(1)
    assert made.scan("hr", "notes").fault
    made.queue.sent.clear()
    sweep(made.engine)
    assert "capture" not in dict(made.queue.sent)
    made.clock.sleep(LACKING + 3 * made.engine.limits.lease)
    sweep(made.engine)
    assert ("capture", ["hr", "notes", "scan"]) in made.queue.sent


def test_a_vendor_that_is_down_ends_the_listing_below_parents(
    below: tuple[Bench, list[str], dict[str, SyncengineError]],
) -> None:
    """Where nothing can be read below any parent, and the vendor answers nothing else, the listing breaks off."""
    made, names, errors = below
    errors |= dict.fromkeys(names, VendorDown("HTTP 500"))
    made.vendors["hr"].fault("health", "down", "down")
    document = made.sync()
    assert "broke off" in document["faults"][0]
    assert not texts(made)
