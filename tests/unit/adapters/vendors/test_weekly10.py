"""weekly10's connector against answers written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from syncengine.adapters.vendors.weekly10 import WEEKLY10
from syncengine.errors import Exists, Rejected, VendorDown
from tests.unit.adapters.vendors.answers import LOGIN, RECORD, envelope, response
from tests.unit.adapters.wire import BASE, Wire, connector


def test_weekly10_records_are_read_with_utc_stamps() -> None:
    """The server's own offset is translated, fractions of seconds are kept."""
    wire = Wire({**LOGIN, "GET /training/record/": envelope(RECORD)})
    (page,) = connector(WEEKLY10, wire).scan("training_records")
    row = page.items[0].row
    assert row["date_assigned"] == "2026-11-01T08:00:00Z"
    assert row["date_started"] == "2026-11-03T09:00:00.250000Z"
    assert wire.requests[-1].headers["Authorization"] == "Token t"


def test_a_moving_count_makes_the_listing_be_read_again() -> None:
    """Rows shift when one is removed while pages are read: the listing starts over and shows what it lacked."""
    onward = f"{BASE}/training/record/?limit=500&offset=500"
    shown = [
        envelope(RECORD, count=3, next=onward),
        envelope({"api_id": "c"}, count=2),
        envelope(RECORD, count=2, next=onward),
        envelope({"api_id": "b"}, count=2),
    ]
    answers = iter(shown)
    wire = Wire({**LOGIN, "GET /training/record/": lambda _: response((200, next(answers)))})
    pages = list(connector(WEEKLY10, wire).scan("training_records"))
    assert [i.external_id for p in pages for i in p.items] == [
        RECORD["api_id"],
        "c",
        "b",
    ]
    assert len(wire.asked) == 4


def test_a_page_that_repeats_ends_in_an_error() -> None:
    """A vendor that always shows the same page does not keep us for ever."""
    loop = envelope(RECORD, count=9, next=f"{BASE}/training/record/?offset=1")
    wire = Wire({**LOGIN, "GET /training/record/": loop})
    with pytest.raises(VendorDown, match="moves"):
        list(connector(WEEKLY10, wire).scan("training_records"))


@pytest.mark.parametrize("row", [None, 7, {}, {"api_id": None}, {"api_id": ""}, {"api_id": True}])
def test_a_row_without_an_id_is_set_aside(row: Any) -> None:
    """One bad row is marked and the others come through."""
    wire = Wire({**LOGIN, "GET /training/record/": envelope(row, RECORD)})
    (page,) = connector(WEEKLY10, wire).scan("training_records")
    bad, good = page.items
    assert bad.fault
    assert good.fault is None


def test_a_chosen_id_is_proved_by_one_read() -> None:
    """The id travels in the path, whatever characters it has."""
    wire = Wire({**LOGIN, "GET /training/record/a%2Fb%20%C3%A4/": {**RECORD, "api_id": "a/b ä"}})
    live = connector(WEEKLY10, wire)
    assert [i.external_id for i in live.find("training_records", {"api_id": "a/b ä"}, "k")] == [
        "a/b ä"
    ]
    assert live.find("training_records", {"api_id": "none"}, "k") == []


TAKEN = (400, {"api_id": ["training record with this api id already exists."]})


def test_a_taken_chosen_id_exists() -> None:
    """The duplicate answer is told from a refusal by its key and by a look."""
    wire = Wire(
        {**LOGIN, "POST /training/record/": TAKEN, "GET /training/record/hv/": {"api_id": "hv"}}
    )
    live = connector(WEEKLY10, wire)
    with pytest.raises(Exists):
        live.create("training_records", {"api_id": "hv"}, "k")
    with pytest.raises(Rejected) as refused:
        live.create("training_records", {"api_id": "other"}, "k")
    assert refused.value.status == 400


def test_properties_are_written_whole() -> None:
    """One changed property keeps the others."""
    wire = Wire({**LOGIN, "PATCH /users/716/": {"api_id": "716"}})
    current = {"api_id": "716", "properties": {"Shirt size": "M", "Desk": "4"}}
    connector(WEEKLY10, wire).update(
        "users", "716", {"properties['Shirt size']": "L", "email": None}, current, "k"
    )
    assert wire.bodies() == [{"properties": {"Shirt size": "L", "Desk": "4"}, "email": None}]
