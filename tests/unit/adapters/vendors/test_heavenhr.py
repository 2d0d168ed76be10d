from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from syncengine.adapters.vendors.heavenhr import HEAVENHR
from syncengine.errors import Bug, Exists, Rejected, Unknown, VendorDown
from tests.unit.adapters.vendors.heavenhr import TOKEN, items, page
from tests.unit.adapters.wire import FrozenClock, Wire, connector

MAX = "_CNr_06hxMX3DXdrkbY4FQw_"

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


def test_health_is_one_call() -> None:
    """The health check carries the token."""
    wire = Wire({**TOKEN, "GET /health/check": {"message": "OK"}})
    connector(HEAVENHR, wire).health()
    assert wire.requests[-1].headers["Authorization"] == "Bearer t"


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
