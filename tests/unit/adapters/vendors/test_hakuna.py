"""hakuna's connector against answers written by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx
import pytest

from syncengine.adapters.vendors.hakuna import HAKUNA
from syncengine.errors import Bug, RateLimited, RowInvalid
from syncengine.ports import Window
from tests.unit.adapters.vendors.answers import ENTRY
from tests.unit.adapters.wire import FrozenClock, Wire, connector

OCTOBER = Window("2016-10-01", "2016-10-31")


def test_hakuna_entries_are_read_for_a_user_in_a_window() -> None:
    """Rows carry the ids that are written beside the objects that are read."""
    alone = {k: v for k, v in ENTRY.items() if k != "project"} | {
        "id": 7044,
        "end_time": "23:30:00",
    }
    wire = Wire({"GET /time_entries": [ENTRY, alone]})
    (page,) = connector(HAKUNA, wire).scan("time_entries", "1", OCTOBER)
    first, second = page.items
    assert first.external_id == "1/7043"
    assert first.row["_parent"] == "1"
    assert (first.row["user_id"], first.row["task_id"], first.row["project_id"]) == (1, 1, 3)
    assert second.row["project_id"] is None
    assert second.row["end_time"] == "23:30"
    assert dict(wire.requests[0].url.params) == {
        "start_date": "2016-10-01", "end_date": "2016-10-31", "user_id": "1",
    }  # fmt: skip
    assert wire.requests[0].headers["X-Auth-Token"] == "token-value"


def test_hakuna_entries_need_a_user_and_a_window() -> None:
    """A listing that would show the wrong days or the wrong person is not asked for."""
    live = connector(HAKUNA, Wire({}))
    with pytest.raises(Bug):
        list(live.scan("time_entries", None, OCTOBER))
    with pytest.raises(Bug):
        list(live.scan("time_entries", "1"))


def test_a_hakuna_entry_is_created_for_its_user() -> None:
    """The user goes into the body, references become numbers, the key hides in the note."""
    made = {**ENTRY, "note": "on site [sync:0123456789ab]"}
    wire = Wire({"POST /time_entries": (201, made)})
    body = {
        "_parent": "1", "date": "2016-10-10", "start_time": "22:00", "end_time": "23:00",
        "task_id": "1", "note": "on site",
    }  # fmt: skip
    written = connector(HAKUNA, wire).create("time_entries", body, "0123456789abcdef")
    assert written.external_id == "1/7043"
    assert written.row is not None
    assert written.row["note"] == "on site"
    assert wire.bodies() == [
        {
            "date": "2016-10-10", "start_time": "22:00", "end_time": "23:00", "task_id": 1,
            "user_id": 1, "note": "on site [sync:0123456789ab]",
        }
    ]  # fmt: skip


def test_a_lost_hakuna_entry_is_found_on_its_day() -> None:
    """The proof query asks for one day of one user and looks for the marker."""
    ours = {**ENTRY, "note": "[sync:0123456789ab]"}
    wire = Wire({"GET /time_entries": [{**ENTRY, "id": 1}, ours]})
    (item,) = connector(HAKUNA, wire).find(
        "time_entries", {"date": "2016-10-11", "user_id": 1}, "0123456789abcdef"
    )
    assert item.external_id == "1/7043"
    assert item.row["note"] == ""
    assert dict(wire.requests[0].url.params) == {
        "start_date": "2016-10-11", "end_date": "2016-10-11", "user_id": "1",
    }  # fmt: skip


BODY = {
    "date": "2016-10-11",
    "user_id": 1,
    "start_time": "22:00",
    "end_time": "23:00",
    "task_id": 1,
}


@pytest.mark.parametrize(
    ("note", "marked"),
    [(None, True), ("", True), ("x" * 235, True), ("x" * 236, False), ("x" * 248, False), ("😀" * 118, False)],
)  # fmt: skip
def test_a_marker_makes_no_note_too_long(note: str | None, marked: bool) -> None:
    """It stands where there is room for it in 255 characters; elsewhere the note goes as it is, and such a create
    cannot be proved by it."""
    wire = Wire({"POST /time_entries": {**ENTRY, "note": note}})
    live = connector(HAKUNA, wire)
    live.create("time_entries", {**BODY, "note": note}, "0123456789abcdef")
    sent = wire.bodies()[0].get("note")
    assert sent == (f"{note or ''} [sync:0123456789ab]".strip() if marked else note)
    assert len(sent or "") <= 255
    assert live.spec.resources["time_entries"].proves({**BODY, "note": note}) == marked


@pytest.mark.parametrize(
    ("shown", "note"),
    [
        ("on site [sync:0123456789ab]", "on site"),
        ("on site [sync:0123456789ab] and more", "on site and more"),
        ("[sync:0123456789ab]", ""),
        ("on site [sync:0123456789ab", "on site"),
        ("on site [sync:0123", "on site"),
        ("on site [sync:", "on site"),
        ("on site [sync", "on site"),
        ("on site [syn", "on site"),
        ("on site [sync:0123456 and more", "on site and more"),
        ("on site [sic]", "on site [sic]"),
        ("see [synonym] here", "see [synonym] here"),
    ],
)
def test_no_part_of_a_marker_is_shown_to_anybody(shown: str, note: str) -> None:
    """Whole, cut by the vendor or torn by an edit: it is our sign and no part of the text."""
    wire = Wire({"GET /time_entries/7043": {**ENTRY, "note": shown}})
    item = connector(HAKUNA, wire).get("time_entries", "1/7043")
    assert item is not None
    assert item.row["note"] == note


@pytest.mark.parametrize("kept", range(1, 20))
def test_a_marker_that_was_cut_is_ours_or_nobody_knows(kept: int) -> None:
    """A row that a vendor cut is not made twice: with enough of the marker it is found, with less a person is asked,
    and only without any is it another."""
    cut = f"x {'[sync:0123456789ab]'[:kept]}"
    other = {**ENTRY, "id": 1, "note": "y [sync:ffffffffffff]"}
    live = connector(HAKUNA, Wire({"GET /time_entries": [other, {**ENTRY, "note": cut}]}))
    ask = partial(live.find, "time_entries", BODY, "0123456789abcdef")
    if 4 <= kept < 10:
        with pytest.raises(RowInvalid, match="may be ours"):
            ask()
        return
    assert [i.external_id for i in ask()] == (["1/7043"] if kept >= 10 else [])


def test_a_hakuna_entry_is_changed_and_deleted_for_its_user() -> None:
    """Single calls name the user too; what is gone already counts as deleted."""
    wire = Wire({"PATCH /time_entries/7043": ENTRY, "DELETE /time_entries/7043": (204, None)})
    live = connector(HAKUNA, wire)
    live.update("time_entries", "1/7043", {"end_time": "23:30"}, ENTRY, "k")
    live.delete("time_entries", "1/7043", "k")
    live.delete("time_entries", "1/7", "k")
    assert wire.asked == [
        "PATCH /time_entries/7043?user_id=1",
        "DELETE /time_entries/7043?user_id=1",
        "DELETE /time_entries/7?user_id=1",
    ]
    assert wire.bodies() == [{"end_time": "23:30"}]


def _limited(remaining: int, reset: int) -> Any:
    headers = {"X-RateLimit-Remaining": str(remaining), "X-RateLimit-Reset": str(reset)}
    return lambda _: httpx.Response(200, json=[], headers=headers)


def test_no_call_is_made_when_the_vendor_has_said_that_none_is_left() -> None:
    """After the last call of the limit a read waits for the reset if that is near, and else is put off like a write;
    a call is never refused by the vendor."""
    clock, wire = FrozenClock(), Wire({"GET /users": _limited(0, 7), "GET /tasks": _limited(0, 60)})
    live = connector(HAKUNA, wire, clock)
    list(live.scan("users"))
    with pytest.raises(RateLimited) as put_off:
        live.create("time_entries", {"_parent": "1", "date": "2026-11-20"}, "k")
    assert put_off.value.until == clock.now() + 7
    list(live.scan("tasks"))
    assert clock.slept == [7]
    with pytest.raises(RateLimited) as put_off:
        list(live.scan("users"))
    assert put_off.value.until == clock.now() + 60
    assert len(wire.requests) == 2


def test_calls_go_on_while_some_are_left() -> None:
    """A limit that is not used up, or whose reset is over, holds nothing up."""
    clock, wire = (
        FrozenClock(),
        Wire({"GET /users": _limited(1, 60), "GET /tasks": _limited(0, 60)}),
    )
    live = connector(HAKUNA, wire, clock)
    list(live.scan("users"))
    list(live.scan("tasks"))
    clock.time += 60
    list(live.scan("users"))
    assert clock.slept == []


def test_the_company_is_one_row() -> None:
    """A resource that is one object is listed and read as one row."""
    row = {"company_name": "hakuna AG", "projects_enabled": False}
    live = connector(HAKUNA, Wire({"GET /company": row}))
    (page,) = live.scan("company")
    assert [(i.external_id, i.row) for i in page.items] == [("company", row)]
    assert live.get("company", "company") == page.items[0]


def test_hakuna_users_have_no_single_read() -> None:
    """What cannot be proved by one read is not pretended to be."""
    with pytest.raises(Bug):
        connector(HAKUNA, Wire({})).get("users", "1")
