"""Whatever a vendor answers, a connector says of it what the port says, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncengine.adapters.rest import transport
from syncengine.adapters.vendors.base import RestConnector
from syncengine.adapters.vendors.bound import marker
from syncengine.adapters.vendors.declare import Vendor
from syncengine.adapters.vendors.haekka import HAEKKA
from syncengine.adapters.vendors.hakuna import HAKUNA
from syncengine.adapters.vendors.heavenhr import HEAVENHR
from syncengine.adapters.vendors.heiaheia import HEIAHEIA
from syncengine.adapters.vendors.weekly10 import WEEKLY10
from syncengine.errors import Halt, Retry, RowInvalid, SetAside, Unknown, Unnamed, VendorDown
from syncengine.model.values import Json
from syncengine.ports import Item, Window
from tests.unit.adapters.wire import BASE, connector

VENDORS = {v.spec.name: v for v in (HEAVENHR, HAEKKA, HAKUNA, HEIAHEIA, WEEKLY10)}
PLACES = [(vendor, name) for vendor, made in VENDORS.items() for name in made.resources]
WINDOW = Window("2026-01-05", "2026-02-20")
MOST_CALLS = 60
NAMES = (
    "id", "api_id", "typeId", "employeeId", "user", "task", "project", "absence_type", "data",
    "results", "items", "next", "count", "page", "pageSize", "totalPages", "totalItems", "meta",
    "children", "salary", "categories", "customAttributes", "customerAttributes", "name", "status",
    "usage", "scheduled_survey", "data_instance", "instances", "organisation", "teams", "date",
    "hh_core_accepted_membership_count", "start_date", "end_date", "startTime", "endTime",
    "requestDate", "updatedAt", "totalTimeInMinutes", "employeeNumber", "is_recurring", "comment",
    "weekly_repeat_interval", "startDate", "endDate", "absenceType", "note", "generated_at",
)  # fmt: skip
SCALARS: tuple[Json, ...] = (
    None, True, False, -2, 0, 1, 7, 700, 1.5, float("inf"), "", "7", "many", "12:70", "08:00", "\0",
    "2026-01-06", "2026-02-10", "2026-99-99", "0001-01-01T00:00:00+14:00", "?offset=2", "http://[",
    "9999-12-31T23:59:59-14:00", "2026-01-06T08:00:00Z", "APPROVED", "2026-01", "x" * 600,
)  # fmt: skip
scalars = st.sampled_from(SCALARS)
names = st.sampled_from(NAMES)
parts = scalars | st.lists(scalars, max_size=2) | st.dictionaries(names, scalars, max_size=3)
rows = st.dictionaries(names, parts | st.lists(parts, max_size=2), max_size=9) | parts
about = st.dictionaries(names, scalars, max_size=3)
lists = st.lists(rows, max_size=3)
members = st.sampled_from(["data", "results", "items", "instances", "employee"])
envelopes = rows | lists | st.builds(lambda n, v, more: {**more, n: v}, members, lists, about)


def at(vendor: Vendor, answer: Callable[[], httpx.Response]) -> RestConnector:
    """A connector whose vendor gives this answer to everything but the question for a token."""
    calls = count()

    def wire(request: httpx.Request) -> httpx.Response:
        assert next(calls) < MOST_CALLS, "it asks and asks"
        if "token" in request.url.path:
            return httpx.Response(200, json={"access_token": "t", "token": "t"})
        return answer()

    return connector(vendor, wire)


def asked(live: RestConnector, name: str, current: Json) -> Iterator[Callable[[], Any]]:
    """All that can be asked of a resource."""
    spec = live.spec.resources[name]
    body = {
        **({"_parent": "7"} if spec.parent else {}), "api_id": "1", "employeeNumber": "2", "requestDate": "2026-01-06",
        "date": "2026-01-06", "employee_id": "3", "training_id": "4",
        "customAttributes[name='Shirt size'].value": "L",
    }  # fmt: skip
    row = current if isinstance(current, dict) else {}
    if spec.scan:
        parent, window = "7" if spec.parent else None, WINDOW if spec.dated else None
        yield lambda: [i for page in live.scan(name, parent, window) for i in page.items]
    if spec.poll:
        yield lambda: [i for page in live.poll(name, None) for i in page.items]
    if spec.single_get:
        yield lambda: [live.get(name, "7/2026-01")]
        yield lambda: [live.get(name, "2026-01")]
    if spec.provable:
        yield lambda: live.find(name, body, "key")
    if spec.create:
        yield lambda: live.create(name, body, "key")
    if spec.update:
        change = {"status": "APPROVED", "startTime": "08:00"}
        yield lambda: live.update(name, "7/1", change, row, "key")
        yield lambda: live.calls_of(name, change, row)
    if spec.delete:
        yield lambda: live.delete(name, "7/1", "key")


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), st.lists(envelopes, min_size=1, max_size=2), rows)
def test_no_answer_gets_past_the_port(
    place: tuple[str, str], shown: list[Json], current: Json
) -> None:
    """Any JSON: items are whole or have a fault, everything else is an error of the port, and no question is asked
    for ever."""
    vendor, name = VENDORS[place[0]], place[1]
    turn, texts = count(), [json.dumps(answer).replace("Infinity", "1e999") for answer in shown]
    live = at(vendor, lambda: httpx.Response(200, text=texts[next(turn) % len(texts)]))
    found: list[Any] = []
    for ask in asked(live, name, current):
        with suppress(Retry, SetAside, Halt, Unknown):
            answer = ask()
            found += answer if isinstance(answer, list) else []
    for item in found:
        if isinstance(item, Item):
            assert isinstance(item.row, dict)
            assert item.fault or (item.external_id and item.external_id.isprintable())


ABSENCE = {
    "id": 5, "is_recurring": True, "weekly_repeat_interval": 1, "start_date": "2026-01-05",
    "end_date": "2026-01-19", "user": {"id": 7}, "absence_type": {"id": 1},
}  # fmt: skip


@pytest.mark.parametrize(
    ("place", "good", "wrong", "why"),
    [
        ("hakuna absences", ABSENCE, {"start_date": "2026-99-99"}, "month must be"),
        ("hakuna absences", ABSENCE, {"end_date": None}, "another type"),
        ("hakuna absences", ABSENCE, {"weekly_repeat_interval": "2"}, "another type"),
        ("hakuna absences", ABSENCE, {"weekly_repeat_interval": -1}, "every -1 weeks"),
        ("hakuna absences", ABSENCE, {"end_date": "9000-01-01"}, "to 9000-01-01"),
        ("hakuna absences", ABSENCE, {"id": None}, "it recurs"),
        ("hakuna absences", ABSENCE | {"is_recurring": False}, {"user": "Jo"}, "another type"),
        ("hakuna organization_status", {"user": {"id": 7}}, {"user": None}, "another type"),
        ("heavenhr organizations", {"id": "_a_"}, {"children": 5}, "no object but int"),
        ("heavenhr organizations", {"id": "_a_"}, {"id": ["_a_"]}, "no usable id"),
        ("heavenhr employees", {"id": "_a_"}, {"updatedAt": "0001-01-01T00:00:00+14:00"}, "range"),
        ("weekly10 users", {"api_id": "a"}, {"api_id": "a\0b"}, "no usable id"),
        ("weekly10 users", {"api_id": "a"}, {"api_id": "a" * 501}, "no usable id"),
        ("heiaheia stats", {"usage": {"app_use_count": 1}}, {"usage": 5}, "another type"),
        ("haekka employees", {"id": "emp_1"}, {"id": None}, "no usable id"),
    ],
)
def test_a_row_that_does_not_fit_is_set_aside_and_the_others_come(
    place: str, good: dict[str, Json], wrong: dict[str, Json], why: str
) -> None:
    """Such a row is an item with a fault and with what the vendor showed, beside the good ones."""
    vendor, name = place.split()
    shown = [good, {**good, **wrong}] if name != "stats" else {**good, **wrong}
    spec = VENDORS[vendor].resources[name].spec
    member = {"weekly10": "results", "heavenhr": "data"}.get(vendor)
    live = at(
        VENDORS[vendor], lambda: httpx.Response(200, json={member: shown} if member else shown)
    )
    window = WINDOW if spec.dated else None
    items = [i for p in live.scan(name, "7" if spec.parent else None, window) for i in p.items]
    (bad,) = [item for item in items if item.fault]
    assert why in str(bad.fault)
    assert bad.row
    assert name == "stats" or any(not item.fault for item in items)


REPORT = {"id": 7, "viewed": True}
YEAR = Window("2026-01-01", "2026-03-31")


@pytest.mark.parametrize(
    ("name", "external_id", "answer"),
    [
        ("heavenhr employees", "_a_", {"id": "_b_"}),
        ("heavenhr employees", "_a_", []),
        ("heavenhr shifts", "_a_,x", ["x"]),
        ("heavenhr vacancies", "_a_", {"data": [None]}),
        ("hakuna time_entries", "7/1", {"id": 1, "task": "Sales"}),
        ("heiaheia energy_levels", "7/2026-01", {"instances": [None]}),
        ("heiaheia energy_levels", "7/2026-01", ["x"]),
        ("heiaheia energy_levels", "7/many", {"instances": []}),
        ("heiaheia reports", "7/7", {"items": [REPORT]}),
        ("heiaheia reports", "7/7", {"items": [None]}),
        ("weekly10 users", "a", "a"),
    ],
)
def test_a_single_read_that_does_not_fit_says_so(name: str, external_id: str, answer: Json) -> None:
    """It is that row's fault, shown as it came, and never a row that is gone."""
    vendor, resource = name.split()
    live = at(VENDORS[vendor], lambda: httpx.Response(200, json=answer))
    with pytest.raises(RowInvalid):
        live.get(resource, external_id)


def test_another_row_than_the_one_asked_for_is_not_kept() -> None:
    """It may be anybody's, and an erasure of whoever it is would not look for it in a question about this one."""
    live = at(HEAVENHR, lambda: httpx.Response(200, json={"id": "_b_", "firstName": "Anna"}))
    with pytest.raises(RowInvalid, match="another row") as single:
        live.get("employees", "_a_")
    assert single.value.evidence is None


@pytest.mark.parametrize("kind", ["text", "cut", "huge"])
def test_an_answer_that_is_none_is_told_without_a_word_of_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text, half a JSON and an answer that is too large are the row's fault in a single read and no listing; what
    they were like is said, and nothing of them is kept."""
    monkeypatch.setattr(transport, "LARGEST_ANSWER", 10_000)
    text = {"text": "upstream timed out", "cut": '{"id": "_a_', "huge": '["' + "x" * 20_000}[kind]
    live = at(HEAVENHR, lambda: httpx.Response(200, text=text))
    with pytest.raises(RowInvalid) as single:
        live.get("employees", "_a_")
    told = {
        "text": "no JSON (18 bytes of text/plain, wrong at character 1)",
        "cut": "no JSON (11 bytes of text/plain, wrong at character 8)",
        "huge": "larger than 10,000 bytes",
    }
    assert str(single.value).endswith(told[kind])
    assert single.value.evidence is None
    with pytest.raises(VendorDown):
        list(live.scan("employees"))


@pytest.mark.parametrize(
    ("place", "answer"),
    [
        ("heiaheia energy_levels", {"hh_core_accepted_membership_count": "many"}),
        ("heiaheia energy_levels", {"usage": "many"}),
        ("weekly10 users", {"results": [{"api_id": "a"}], "next": "http://["}),
        ("weekly10 users", {"results": [{"api_id": "a"}], "next": 5}),
        ("weekly10 users", {"results": [], "next": "?offset=2"}),
        ("weekly10 users", {"count": 1}),
        ("haekka employees", {"a": [], "b": []}),
    ],
)
def test_a_listing_that_is_none_is_no_empty_one(place: str, answer: Json) -> None:
    """Where no row is to blame the listing fails as a whole, and concludes nothing."""
    vendor, name = place.split()
    live = at(VENDORS[vendor], lambda: httpx.Response(200, json=answer))
    spec = live.spec.resources[name]
    with pytest.raises(VendorDown):
        list(live.scan(name, "7" if spec.parent else None, YEAR if spec.dated else None))


def test_a_write_on_an_unreadable_ground_is_not_sent() -> None:
    """Where a write builds on what the vendor shows and that does not fit, nothing goes out."""
    live = at(HEAVENHR, lambda: httpx.Response(200, json={"data": [None]}))
    named = {"customAttributes[name='Shirt size'].value": "L"}
    with pytest.raises(VendorDown):
        live.update("employees", "_a_", named, {"id": "_a_"}, "key")
    broken = {"requestDate": "soon", "endTime": "17:00"}
    with pytest.raises(RowInvalid):
        live.update("time_trackings", "_a_/_b_", {"startTime": "08:00"}, broken, "key")
    assert live.tally.writes == 0


@pytest.mark.parametrize("way", ["marker", "key"])
def test_a_row_that_may_be_ours_and_does_not_fit_is_no_row_that_is_missing(way: str) -> None:
    """What a create looks for is neither found nor absent while the row that has its marker or key is broken."""
    if way == "marker":
        shown: Json = {"data": [{"comment": f"x {marker('key')}", "requestDate": "2026-01-06"}]}
        live, name = at(HEAVENHR, lambda: httpx.Response(200, json=shown)), "time_trackings"
        body = {"_parent": "_a_", "requestDate": "2026-01-06"}
    else:
        shown = [{"employee_id": "3", "training_id": "4"}]
        live, name = at(HAEKKA, lambda: httpx.Response(200, json=shown)), "employee_trainings"
        body = {"employee_id": "3", "training_id": "4"}
    with pytest.raises(RowInvalid, match="may be ours"):
        live.find(name, body, "key")


NO_ROW = [
    {"error": "licence limit reached"},
    None,
    [],
    [{"api_id": "p1"}],
    {"api_id": None},
    "ok",
    {},
]


@pytest.mark.parametrize("answer", NO_ROW)
def test_a_create_is_done_when_an_id_is_seen(answer: Json) -> None:
    """Rule 20: an answer without the row's id proves nothing, also where the id is one that we chose."""
    live = at(WEEKLY10, lambda: httpx.Response(200, json=answer))
    with pytest.raises(Unnamed):
        live.create("users", {"api_id": "p1", "email": "ida@x.de"}, "key")


def test_an_answer_without_a_body_proves_no_create() -> None:
    """Rule 20: the same for 201 and 204 with nothing in them."""
    live = at(WEEKLY10, lambda: httpx.Response(204))
    with pytest.raises(Unnamed):
        live.create("users", {"api_id": "p1", "email": "ida@x.de"}, "key")


OTHER_ROW = {"api_id": "p2", "email": "bert@x.de"}


@pytest.mark.parametrize(
    ("answer", "unread"), [({"error": "no"}, True), ({"api_id": "p1"}, False), (OTHER_ROW, True)]
)
def test_an_answer_that_shows_no_row_has_the_row_read(answer: Json, unread: bool) -> None:
    """Rule 19: an error inside a 200, or another row, shows nothing of the row, which is therefore read at once."""
    live = at(WEEKLY10, lambda: httpx.Response(200, json=answer))
    written = live.update("users", "p1", {"email": "ida@x.de"}, {}, "key")
    assert written.unread is unread
    assert "email" not in (written.row or {})


@pytest.mark.parametrize("name", ["weekly10", "haekka", "hakuna"])
def test_rows_of_one_answer_that_share_an_id_and_differ_are_set_aside(name: str) -> None:
    """Nobody becomes somebody else because a listing shows two people under one id; a row that merely comes twice does
    no harm."""
    resource = "employees" if name == "haekka" else "users"
    key = "api_id" if name == "weekly10" else "id"
    people = [(1, "ida"), (2, "bert"), (1, "cleo"), (2, "bert")]
    rows = [{key: str(n), "email": f"{who}@x.de"} for n, who in people]
    answer = {"results": rows, "next": None} if name == "weekly10" else rows
    live = at(VENDORS[name], lambda: httpx.Response(200, json=answer))
    faults = {(i.external_id, i.fault) for page in live.scan(resource) for i in page.items}
    assert faults == {("1", "another row of the same answer has its id"), ("2", None)}


HALF = '"\\ud83d"'
SPOILED = [HALF, "NaN", "1e999", "9" * 5000, "[" * 400 + "]" * 400]


def raw(text: str, name: str) -> RestConnector:
    """A connector whose vendor answers with this text, byte for byte."""
    return at(VENDORS[name], lambda: httpx.Response(200, content=text.encode()))


@pytest.mark.parametrize("spoiled", SPOILED)
@pytest.mark.parametrize(
    ("place", "listing"),
    [
        ("weekly10 users", '{"results": [ROWS], "next": null, "count": 3}'),
        ("haekka employees", "[ROWS]"),
        ("haekka employees", '{"employees": [ROWS]}'),
        ("hakuna users", "[ROWS]"),
        ("heavenhr employees", '{"data": [ROWS], "totalPages": 1, "totalItems": 3}'),
        ("heiaheia organisations", '{"items": [ROWS]}'),
    ],
)
def test_one_bad_text_sets_aside_one_row(place: str, listing: str, spoiled: str) -> None:
    """Half an emoji, or what is no number, is that row's fault: its id is known, and the others come."""
    name, resource = place.split()
    key = "api_id" if name == "weekly10" else "id"
    rows = ", ".join(f'{{"{key}": "{n}", "x": {spoiled if n == 2 else 5}}}' for n in (1, 2, 3))
    items = [i for p in raw(listing.replace("ROWS", rows), name).scan(resource) for i in p.items]
    assert [bool(i.fault) for i in items] == [False, True, False]
    assert items[1].external_id == ("" if spoiled.startswith("[") else "2")
    json.dumps(dict(items[1].row), allow_nan=False, ensure_ascii=False).encode()


def test_a_bad_text_below_sets_aside_its_row_of_a_tree() -> None:
    """A unit with half an emoji in its name hides none of those beside or below it."""
    below = f'[{{"id": "b", "name": {HALF}, "children": [{{"id": "c", "name": "C"}}]}}, {{"id": "d", "name": "D"}}]'
    tree = f'{{"data": [{{"id": "a", "name": "A", "children": {below}}}]}}'
    items = [i for p in raw(tree, "heavenhr").scan("organizations") for i in p.items]
    assert {i.external_id: bool(i.fault) for i in items} == {
        "a": False,
        "b": True,
        "c": False,
        "d": False,
    }


def test_a_bad_text_in_an_answer_hides_no_id() -> None:
    """A row is told unreadable by its own id; a create that answers with one is done."""
    live = raw(f'{{"api_id": "7", "first_name": {HALF}}}', "weekly10")
    with pytest.raises(RowInvalid, match="half a character") as caught:
        live.get("users", "7")
    json.dumps(caught.value.evidence, ensure_ascii=False).encode()
    written = live.create("users", {"api_id": "7"}, "key")
    assert (written.external_id, written.row) == ("7", None)
    written = live.update("users", "7", {"first_name": "x"}, {"api_id": "7"}, "key")
    assert (written.external_id, written.row) == ("7", None)


def test_a_listing_that_never_ends_breaks_off() -> None:
    """Where each page has a new row and leads on to another, it ends at the answers that the connection allows, in
    words that say so and what to do."""
    pages = count(1)

    def endless(request: httpx.Request) -> httpx.Response:
        if "token" in request.url.path:
            return httpx.Response(200, json={"access_token": "t", "token": "t"})
        page = next(pages)
        assert page <= 100, "it asks and asks"
        answer = {"count": None, "next": f"{BASE}/users/?after={page}", "results": [{"id": page}]}
        return httpx.Response(200, json=answer)

    live = connector(WEEKLY10, endless, longest=40)
    with pytest.raises(VendorDown, match=r"does not end, 40 answers came.*longest_listing"):
        list(live.scan("users"))
    assert next(pages) == 41
