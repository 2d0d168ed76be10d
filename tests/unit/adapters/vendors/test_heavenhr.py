from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from syncengine.adapters.vendors.heavenhr import HEAVENHR
from syncengine.errors import Bug, Exists, Rejected, Unknown, VendorDown
from syncengine.ports import Item, Window
from tests.unit.adapters.wire import FrozenClock, Wire, connector

MAX = "_CNr_06hxMX3DXdrkbY4FQw_"
OWNER = "_3PSTCjfM7B2qg5Az6wuRVg_"
TOKEN = {"GET /oauth2/token": {"access_token": "t", "token_type": "bearer", "expires_in": 3600}}

SIMPLE = {
    "id": MAX, "firstName": "aaaaa First Name", "lastName": "aaaaa last Name", "employeeNumber": 1,
    "jobStatus": "CREATED_EXISTING", "updatedAt": "2018-09-25T12:17:26.522", "departmentName": "IT",
    "departmentId": None, "email": "",
}  # fmt: skip
OTHER = {
    "id": "_QU3zYEuk2WPclWSMv7vJQw_", "firstName": "bbbb First Name", "lastName": "last Name",
    "employeeNumber": 3, "jobStatus": "HIRED", "updatedAt": "2018-09-25T12:18:17.059",
    "departmentName": "Sales", "departmentId": None, "email": "",
}  # fmt: skip
FULL: dict[str, Any] = {
    "startDate": "2017-04-13", "endOfContract": "2022-04-13", "professionalEmail": "",
    "jobTitle": "Head of Sales", "permanentOrTemporary": "PERMANENT",
    "streetPersonal": "Griefwalderstrasse", "streetNumberPersonal": 219,
    "locationId": "_bE1Zi2WRANH76y0vDbdEdA_", "employeeNumber": 716, "gender": "MALE",
    "nationality": "DE", "occupation": "Manager", "firstName": "Max", "lastName": "Musterman",
    "jobStatus": "CREATED_EXISTING", "mobileWork": 63121, "phonePersonal": 4921348182,
    "departmentId": "_EaH3L12VPSVhuSDPqkKIdg_", "sendOnboardingEmail": True, "id": MAX,
    "customAttributes": [
        {"id": "_Aeqew@adq3dsfADRaqw", "name": "Customer attribute Name", "value": "I am superman"}
    ],
    "contract": {"grossSalary": 80000, "settlementPeriodSalary": "perYear", "holidaysPerYear": 24},
}  # fmt: skip
TRACKED = {
    "id": "_vnU2kfgMtfJlNApQm0uZdw_", "employeeId": OWNER, "projectId": None,
    "requestDate": "2019-09-25", "startTime": "09:50", "endTime": "24:00",
    "totalTimeInMinutes": 790, "breakTimeInMinutes": 60, "comment": "", "status": "APPROVED",
    "categories": [
        {"id": "_xelst4ASGYOfEf30Qr_bMQ_", "name": "new category", "status": "ACTIVE"}
    ],
}  # fmt: skip
TRACKING = f"{OWNER}/{TRACKED['id']}"


def page(*rows: Any, total: int | None = None) -> dict[str, Any]:
    """Envelope A."""
    count = len(rows) if total is None else total
    about = {"page": 0, "pageSize": 200, "totalItems": count, "totalPages": -(-count // 200)}
    return {**about, "data": list(rows)}


def items(wire: Wire, resource: str, **scope: Any) -> list[Item]:
    return [i for p in connector(HEAVENHR, wire).scan(resource, **scope) for i in p.items]


def test_the_listing_of_employees_is_read() -> None:
    """Numbers that the page prints become the texts that its tables promise, stamps become UTC."""
    wire = Wire({**TOKEN, "GET /employees": page(SIMPLE, OTHER)})
    first, second = items(wire, "employees")
    assert (first.external_id, second.external_id) == (SIMPLE["id"], OTHER["id"])
    assert first.row["employeeNumber"] == "1"
    assert first.row["updatedAt"] == "2018-09-25T12:17:26.522000Z"
    assert wire.asked == ["GET /employees?page=0&pageSize=200"]


def test_a_listing_that_shows_less_than_it_counts_is_refused() -> None:
    """The page's own example counts 23 employees and shows two: that is no complete listing."""
    wire = Wire({**TOKEN, "GET /employees": page(SIMPLE, OTHER, total=23)})
    with pytest.raises(VendorDown, match="less than"):
        items(wire, "employees")


def test_no_employees_are_a_404_and_an_empty_listing() -> None:
    """ "No employees found (for this page)" is an answer, a web page with that status is none."""
    assert items(Wire({**TOKEN, "GET /employees": (404, {})}), "employees") == []
    html = httpx.Response(404, html="<html>nginx</html>")
    with pytest.raises(VendorDown):
        items(Wire({**TOKEN, "GET /employees": html}), "employees")


def test_one_employee_is_read_in_full() -> None:
    """The single GET brings what the listing lacks; a 404 alone says that nobody is there."""
    wire = Wire({**TOKEN, f"GET /employees/{MAX}": FULL, "GET /employees/_b_": (400, {})})
    live = connector(HEAVENHR, wire)
    item = live.get("employees", MAX)
    assert item is not None
    assert item.row["phonePersonal"] == "4921348182"
    assert item.row["contract"]["grossSalary"] == 80000
    assert live.get("employees", "_gone_") is None
    with pytest.raises(VendorDown):
        live.get("employees", "_b_")


def test_the_other_spelling_of_custom_attributes_is_read() -> None:
    """Rows always carry the name that is written."""
    row = {"id": MAX, "customerAttributes": [{"name": "a", "value": "b"}]}
    item = connector(HEAVENHR, Wire({**TOKEN, f"GET /employees/{MAX}": row})).get("employees", MAX)
    assert item is not None
    assert item.row["customAttributes"] == [{"name": "a", "value": "b"}]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_a_poll_looks_back_far_enough_whatever_the_stamps_mean(zone: str) -> None:
    """The cursor is never ahead of a stamp read as UTC or as local time, and five minutes are overlapped."""
    wire = Wire({**TOKEN, "GET /employees": page(SIMPLE, OTHER)})
    live = connector(HEAVENHR, wire, zone=zone)
    *_, last = live.poll("employees", None)
    assert last.cursor is not None
    assert last.cursor <= "2018-09-25T12:18:17.059+00:00"
    list(live.poll("employees", last.cursor))
    asked = wire.requests[-1].url.params["updatedAt"]
    assert asked <= "2018-09-25T12:13:17.059+00:00"
    assert "%2B00%3A00" in str(wire.requests[-1].url.query)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize(
    "day", ["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-25", "2026-11-01"]
)
@pytest.mark.parametrize("hour", ["01:35", "02:35", "03:35"])
def test_no_change_falls_between_two_polls_when_clocks_change(
    zone: str, day: str, hour: str
) -> None:
    """A stamp of an hour that is there twice, or not at all, may mean what it will: the next poll asks from before the
    last one began."""
    text = f"{day}T{hour}:00.000"
    naive, there = datetime.fromisoformat(text), ZoneInfo(zone)
    meant = [naive.replace(tzinfo=UTC), *(naive.replace(tzinfo=there, fold=f) for f in (0, 1))]
    for moment in meant:
        began = moment.timestamp() + 60
        wire = Wire({**TOKEN, "GET /employees": page({**SIMPLE, "updatedAt": text})})
        live = connector(HEAVENHR, wire, FrozenClock(began), zone)
        *_, last = live.poll("employees", None)
        list(live.poll("employees", last.cursor))
        asked = datetime.fromisoformat(wire.requests[-1].url.params["updatedAt"])
        assert asked.timestamp() <= began - 300


def test_a_cursor_moves_only_with_the_last_page() -> None:
    """Rows come in no promised order: whoever stops half way asks again from where he was."""
    rows = [{**SIMPLE, "id": f"_{number}_"} for number in range(201)]
    first, second = page(*rows), page(*rows)
    first["data"], second["data"] = rows[:200], rows[200:]
    wire = Wire(
        {
            **TOKEN,
            "GET /employees": lambda r: httpx.Response(
                200, json=second if r.url.params["page"] == "1" else first
            ),
        }
    )
    start = "2018-09-20T00:00:00.000+00:00"
    pages = list(connector(HEAVENHR, wire).poll("employees", start))
    assert [len(p.items) for p in pages] == [200, 1]
    assert [p.cursor for p in pages] == [start, "2018-09-25T12:17:26.522+00:00"]


def test_a_poll_that_brings_nothing_stays_where_it_is() -> None:
    """No rows are one page, and the cursor is kept."""
    live = connector(HEAVENHR, Wire({**TOKEN, "GET /employees": (404, {})}))
    assert [(p.items, p.cursor) for p in live.poll("employees", None)] == [((), None)]
    start = "2018-09-20T00:00:00.000+00:00"
    assert [(p.items, p.cursor) for p in live.poll("employees", start)] == [((), start)]


def test_a_stamp_from_the_future_does_not_blind_a_poll() -> None:
    """The cursor never passes the time at which the poll began."""
    ahead = {**SIMPLE, "updatedAt": "2099-01-01T00:00:00.000"}
    wire = Wire({**TOKEN, "GET /employees": page(ahead)})
    clock = FrozenClock()
    *_, last = connector(HEAVENHR, wire, clock).poll("employees", None)
    assert last.cursor == "2027-01-15T08:00:00.000+00:00"
    assert clock.now() == 1_800_000_000.0


def test_an_employee_is_created_as_documented() -> None:
    """The answer wraps the new employee."""
    made = (201, {"errors": [], "employee": {"id": MAX, "email": "max@example.org"}})
    wire = Wire({**TOKEN, "POST /employees/": made})
    body = {"firstName": "Max", "contract.grossSalary": 80000, "employeeNumber": "716"}
    written = connector(HEAVENHR, wire).create("employees", body, "k")
    assert written.external_id == MAX
    assert wire.bodies() == [
        {"firstName": "Max", "contract": {"grossSalary": 80000}, "employeeNumber": "716"}
    ]


REFUSED = (400, {"errors": [{"field": "employeeNumber", "message": "unique"}], "employee": None})


def test_a_taken_employee_number_says_exists_only_if_the_row_is_found() -> None:
    """A refusal that names the number is looked into before it is called a twin."""
    body = {"firstName": "Max", "employeeNumber": "1"}
    number = "GET /employees?employeeNumber=1&page=0&pageSize=200"
    wire = Wire({**TOKEN, "POST /employees/": REFUSED, number: page(SIMPLE)})
    with pytest.raises(Exists):
        connector(HEAVENHR, wire).create("employees", body, "k")
    with pytest.raises(Rejected):
        connector(HEAVENHR, Wire({**TOKEN, "POST /employees/": REFUSED})).create(
            "employees", body, "k"
        )


def test_a_create_whose_answer_names_nobody_is_unknown() -> None:
    """Accepted without an id, an employee has to be looked for."""
    wire = Wire({**TOKEN, "POST /employees/": (201, {"errors": [], "employee": None})})
    with pytest.raises(Unknown):
        connector(HEAVENHR, wire).create("employees", {"firstName": "Max"}, "k")


def test_an_employee_is_found_by_number_else_by_email() -> None:
    """The number is the natural key; without one the whole listing is searched for the private email."""
    known = {**SIMPLE, "email": "A@Example.org"}
    number = "GET /employees?employeeNumber=1&page=0&pageSize=200"
    wire = Wire({**TOKEN, number: page(known), "GET /employees": page(OTHER, known)})
    live = connector(HEAVENHR, wire)
    assert [i.external_id for i in live.find("employees", {"employeeNumber": "1"}, "k")] == [MAX]
    found = live.find("employees", {"employeeNumber": None, "email": "a@example.org "}, "k")
    assert [i.external_id for i in found] == [MAX]
    with pytest.raises(Bug):
        live.find("employees", {"firstName": "Max"}, "k")


def test_a_change_inside_an_object_sends_the_whole_object() -> None:
    """What is nested is taken from the row just read, changed, and written; the rest stays away."""
    wire = Wire({**TOKEN, f"PATCH /employees/{MAX}": (204, None)})
    body = {"customAttributes[name='Customer attribute Name'].value": "hero", "jobTitle": "CEO"}
    written = connector(HEAVENHR, wire).update("employees", MAX, body, FULL, "k")
    assert written.row is None
    attribute = {"id": "_Aeqew@adq3dsfADRaqw", "name": "Customer attribute Name", "value": "hero"}
    assert wire.bodies() == [{"customAttributes": [attribute], "jobTitle": "CEO"}]
    assert FULL["customAttributes"][0]["value"] == "I am superman"


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


def test_health_is_one_call() -> None:
    """The health check carries the token."""
    wire = Wire({**TOKEN, "GET /health/check": {"message": "OK"}})
    connector(HEAVENHR, wire).health()
    assert wire.requests[-1].headers["Authorization"] == "Bearer t"


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


def test_a_custom_attribute_is_written_with_its_id() -> None:
    """An attribute that the row does not show yet gets its id from the company, which is asked once."""
    known = {"id": "_9X8_", "name": "Shirt size", "type": "STRING", "category": "PERSON_BASIC_DATA"}
    company = {"links": [], "data": [{"id": "_X_", "name": "HR", "customAttributes": [known]}]}
    wire = Wire({**TOKEN, "GET /company": company, f"PATCH /employees/{MAX}": (204, None)})
    live = connector(HEAVENHR, wire)
    for size in "ML":
        body = {"customAttributes[name='Shirt size'].value": size}
        live.update("employees", MAX, body, {"customAttributes": []}, "k")
    assert wire.bodies() == [
        {"customAttributes": [{"name": "Shirt size", "value": size, "id": "_9X8_"}]}
        for size in "ML"
    ]
    assert wire.asked.count("GET /company") == 1
    with pytest.raises(Rejected, match="make it there"):
        live.update("employees", MAX, {"customAttributes[name='Shoe'].value": "1"}, {}, "k")


def test_an_attribute_that_was_made_since_is_found() -> None:
    """A name that the company did not know when it was asked is asked for again, not refused until a restart."""
    attributes: list[dict[str, str]] = [{"id": "_9X8_", "name": "Shirt size"}]
    company = {"links": [], "data": [{"id": "_X_", "customAttributes": attributes}]}
    wire = Wire(
        {
            **TOKEN,
            "GET /company": lambda _: httpx.Response(200, json=company),
            f"PATCH /employees/{MAX}": (204, None),
        }
    )
    live = connector(HEAVENHR, wire)
    shoe = {"customAttributes[name='Shoe'].value": "41"}
    with pytest.raises(Rejected, match="make it there"):
        live.update("employees", MAX, shoe, {}, "k")
    attributes.append({"id": "_7_", "name": "Shoe"})
    live.update("employees", MAX, shoe, {}, "k")
    assert wire.bodies() == [{"customAttributes": [{"name": "Shoe", "value": "41", "id": "_7_"}]}]


@pytest.mark.parametrize("stamp", [12345, None, "yesterday", "2018-09-25"])
def test_a_stamp_that_is_none_does_not_stop_a_poll(stamp: Any) -> None:
    """A row with an odd stamp is yielded and does not move the cursor."""
    wire = Wire({**TOKEN, "GET /employees": page({**SIMPLE, "updatedAt": stamp}, OTHER)})
    (shown,) = connector(HEAVENHR, wire).poll("employees", None)
    assert len(shown.items) == 2
    assert shown.cursor == "2018-09-25T12:18:17.059+00:00"
