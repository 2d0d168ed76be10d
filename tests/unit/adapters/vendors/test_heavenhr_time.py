"""HeavenHR's time trackings as its connector reads and writes them."""

from __future__ import annotations

from typing import Any

import pytest

from syncengine.adapters.vendors.heavenhr import HEAVENHR
from syncengine.errors import Rejected, Unknown
from syncengine.ports import Item, Window
from tests.unit.adapters.vendors.heavenhr import OWNER, TOKEN, items, page
from tests.unit.adapters.wire import Wire, connector

TRACKED = {
    "id": "_vnU2kfgMtfJlNApQm0uZdw_", "employeeId": OWNER, "projectId": None,
    "requestDate": "2019-09-25", "startTime": "09:50", "endTime": "24:00",
    "totalTimeInMinutes": 790, "breakTimeInMinutes": 60, "comment": "", "status": "APPROVED",
    "categories": [
        {"id": "_xelst4ASGYOfEf30Qr_bMQ_", "name": "new category", "status": "ACTIVE"}
    ],
}  # fmt: skip


TRACKING = f"{OWNER}/{TRACKED['id']}"


def test_time_trackings_are_read_below_their_employee() -> None:
    """Ids are composite, categories are ids, and only the window's days are shown."""
    old = {**TRACKED, "id": "_old_", "requestDate": "2019-01-01"}
    body = {"links": [], "data": [TRACKED, old], "meta": {"page": 0, "pageSize": 200, "count": 1}}
    wire = Wire({**TOKEN, f"GET /employees/{OWNER}/timetracking": body})
    (item,) = items(wire, "time_trackings", parent=OWNER, window=Window("2019-09-01", "2019-09-30"))
    assert item.external_id == TRACKING
    assert item.parent == OWNER
    assert item.row["_parent"] == OWNER
    assert item.row["categories"] == ["_xelst4ASGYOfEf30Qr_bMQ_"]


def test_texts_of_minutes_become_numbers() -> None:
    """The page prints minutes as numbers, as texts and as nothing."""
    row = {**TRACKED, "totalTimeInMinutes": "", "breakTimeInMinutes": "30"}
    wire = Wire({**TOKEN, f"GET /employees/{OWNER}/timetracking/{TRACKED['id']}": row})
    item = connector(HEAVENHR, wire).get("time_trackings", TRACKING)
    assert item is not None
    assert item.row["breakTimeInMinutes"] == 30
    assert item.row["totalTimeInMinutes"] is None


BODY = {
    "employeeId": OWNER, "requestDate": "2019-10-24", "startTime": "09:50", "endTime": "18:55",
    "breakTimeInMinutes": 30, "comment": "on site", "status": "REQUESTED",
}  # fmt: skip


@pytest.mark.parametrize(("end", "last"), [("18:55", "24"), ("24:00", "24"), ("02:00", "25")])
def test_a_time_tracking_is_created_with_dates_and_a_marker(end: str, last: str) -> None:
    """One date becomes two, an end before the start lies on the next day, and the key hides in the comment."""
    shown = {**TRACKED, "comment": "on site [sync:0123456789ab]"}
    wire = Wire({**TOKEN, f"POST /employees/{OWNER}/timetracking": (201, {"timeTracking": shown})})
    written = connector(HEAVENHR, wire).create(
        "time_trackings", {**BODY, "endTime": end}, "0123456789abcdef"
    )
    assert written.external_id == TRACKING
    assert written.row is not None
    assert written.row["comment"] == "on site"
    assert wire.bodies() == [
        {
            "startDate": "2019-10-24", "endDate": f"2019-10-{last}", "startTime": "09:50",
            "endTime": end, "breakTimeInMinutes": "30", "status": "REQUESTED",
            "comment": "on site [sync:0123456789ab]",
        }
    ]  # fmt: skip


def test_a_lost_time_tracking_is_found_by_its_marker() -> None:
    """Of two alike on that day, the one that we made is found, without the marker in its text."""
    twin = {**TRACKED, "id": "_twin_", "comment": "on site"}
    ours = {**TRACKED, "comment": "on site [sync:0123456789ab]"}
    body = {"links": [], "data": [twin, ours], "meta": {}}
    wire = Wire({**TOKEN, f"GET /employees/{OWNER}/timetracking": body})
    live = connector(HEAVENHR, wire)
    (item,) = live.find("time_trackings", BODY, "0123456789abcdef")
    assert item.external_id == TRACKING
    assert item.row["comment"] == "on site"
    assert live.find("time_trackings", BODY, "other-key-altogether") == []
    assert wire.requests[-1].url.params["requestDate"] == "2019-10-24"


ITEM = f"/employees/{OWNER}/timetracking/{TRACKED['id']}"


@pytest.mark.parametrize(
    ("before", "after", "routes"),
    [
        ("REQUESTED", "APPROVED", ["APPROVED"]),
        ("EDITABLE", "REQUESTED", ["REQUESTED"]),
        ("EDITABLE", "REJECTED", ["REQUESTED", "REJECTED"]),
        ("REJECTED", "APPROVED", ["REQUESTED", "APPROVED"]),
        ("APPROVED", "APPROVED", []),
    ],
)
def test_a_status_goes_its_documented_way(before: str, after: str, routes: list[str]) -> None:
    """Each status has a route, and what is not requested is requested first."""
    wire = Wire({**TOKEN, **{f"PATCH {ITEM}/{status}": (200, None) for status in routes}})
    current = {**TRACKED, "status": before}
    connector(HEAVENHR, wire).update("time_trackings", TRACKING, {"status": after}, current, "k")
    assert wire.asked == [f"PATCH {ITEM}/{status}" for status in routes]


def test_nothing_leads_back_to_editable() -> None:
    """What the vendor has no route for is refused before anything is sent."""
    wire = Wire(TOKEN)
    with pytest.raises(Rejected, match="EDITABLE"):
        connector(HEAVENHR, wire).update(
            "time_trackings", TRACKING, {"status": "EDITABLE"}, TRACKED, "k"
        )
    assert wire.requests == []


def test_a_changed_time_brings_its_dates_along() -> None:
    """A PATCH of one time sends both with their dates; a PATCH of the comment sends the comment."""
    wire = Wire({**TOKEN, f"PATCH {ITEM}": (200, None)})
    live = connector(HEAVENHR, wire)
    live.update("time_trackings", TRACKING, {"endTime": "01:30"}, TRACKED, "k")
    live.update("time_trackings", TRACKING, {"comment": "x"}, TRACKED, "k")
    assert wire.bodies() == [
        {
            "startDate": "2019-09-25", "endDate": "2019-09-26",
            "startTime": "09:50", "endTime": "01:30",
        },
        {"comment": "x"},
    ]  # fmt: skip


def test_half_an_update_is_unknown() -> None:
    """When the fields were taken and the status was not, only a look can tell."""
    wire = Wire({**TOKEN, f"PATCH {ITEM}": (200, None), f"PATCH {ITEM}/APPROVED": (400, {})})
    current = {**TRACKED, "status": "REQUESTED"}
    with pytest.raises(Unknown):
        connector(HEAVENHR, wire).update(
            "time_trackings", TRACKING, {"comment": "x", "status": "APPROVED"}, current, "k"
        )


def test_a_time_tracking_stays_with_its_employee() -> None:
    """No route moves a row to another employee."""
    wire = Wire(TOKEN)
    with pytest.raises(Rejected, match="move"):
        connector(HEAVENHR, wire).update(
            "time_trackings", TRACKING, {"employeeId": "_other_"}, TRACKED, "k"
        )
    assert wire.requests == []


@pytest.mark.parametrize("bare", [True, False])
def test_projects_keep_their_own_ids(bare: bool) -> None:
    """A project seen below several employees is one row, in both forms in which the list may come."""
    rows = [{"id": "_t22XLGQkdeRvWb1JK_RTMA_", "name": "testing ", "status": "ACTIVE"}]
    wire = Wire(
        {**TOKEN, f"GET /employees/{OWNER}/timetracking/projects": rows if bare else {"data": rows}}
    )
    (item,) = items(wire, "projects", parent=OWNER)
    assert item == Item("_t22XLGQkdeRvWb1JK_RTMA_", rows[0], OWNER)
    assert "_parent" not in item.row


def test_categories_are_read() -> None:
    """The company's time tracking categories come page by page."""
    row = {"id": "_xelst4ASGYOfEf30Qr_bMQ_", "name": "new category", "status": "ACTIVE"}
    wire = Wire({**TOKEN, "GET /company/timetracking/categories": page(row)})
    assert items(wire, "categories") == [Item(row["id"], row)]


@pytest.mark.parametrize(
    ("body", "before", "calls"),
    [
        ({"comment": "x"}, "REQUESTED", 1),
        ({"status": "APPROVED"}, "REQUESTED", 1),
        ({"comment": "x", "status": "APPROVED"}, "EDITABLE", 3),
        (BODY, None, 1),
        ({**BODY, "status": "APPROVED"}, None, 2),
        ({}, None, 1),
    ],
)
def test_the_calls_of_a_write_are_known_before(
    body: dict[str, Any], before: str | None, calls: int
) -> None:
    """A write takes exactly as many calls as announced."""
    live = connector(HEAVENHR, Wire(TOKEN))
    current = {**TRACKED, "status": before} if before else None
    assert live.calls_of("time_trackings", body, current) == calls
    assert live.token_calls == 1
