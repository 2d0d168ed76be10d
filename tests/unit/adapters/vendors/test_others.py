from __future__ import annotations

from functools import partial
from typing import Any

import httpx
import pytest

from syncengine.adapters.rest import transport
from syncengine.adapters.vendors.haekka import HAEKKA
from syncengine.adapters.vendors.hakuna import HAKUNA
from syncengine.adapters.vendors.weekly10 import WEEKLY10
from syncengine.errors import (
    Astray,
    Bug,
    Exists,
    RateLimited,
    Rejected,
    RowInvalid,
    Unknown,
    VendorDown,
)
from syncengine.ports import Window
from tests.unit.adapters.wire import BASE, FrozenClock, Wire, connector

DONE = {
    "id": "etr_1", "employee_id": "emp_1", "training_id": "trn_1",
    "completion_status": True, "completion_rate": 100,
}  # fmt: skip
ENTRY = {
    "id": 7043, "date": "2016-10-11", "start_time": "12:00", "end_time": "14:00",
    "duration": "02:00", "duration_in_seconds": 7200,
    "note": "This is a long text explaining what I did.",
    "user": {"id": 1, "name": "Ursula Schneider", "teams": ["Administration"]},
    "task": {"id": 1, "name": "Entwicklung", "archived": False},
    "project": {"id": 3, "name": "HR", "archived": False},
}  # fmt: skip
RECORD = {
    "api_id": "hv-716-gdpr-2026", "person_api_id": "716", "package_api_id": "gdpr-2026",
    "package_desc": "GDPR basics 2026", "date_assigned": "2026-11-01T02:00:00-06:00",
    "date_started": "2026-11-03T09:00:00.250+00:00", "date_completed": None,
}  # fmt: skip
LOGIN = {"POST /obtainauthtoken/": {"token": "t"}}
OCTOBER = Window("2016-10-01", "2016-10-31")


def envelope(*rows: Any, count: int | None = None, next: str | None = None) -> dict[str, Any]:
    total = len(rows) if count is None else count
    return {"count": total, "next": next, "previous": None, "results": list(rows)}


# Haekka


@pytest.mark.parametrize("form", [lambda rows: rows, lambda rows: {"employee_trainings": rows}])
def test_haekka_lists_arrive_bare_or_wrapped(form: Any) -> None:
    """Both shapes of an undocumented answer are read, with the key as bearer."""
    wire = Wire({"GET /employee_trainings": form([DONE])})
    (page,) = connector(HAEKKA, wire).scan("employee_trainings")
    assert [(i.external_id, i.row) for i in page.items] == [("etr_1", DONE)]
    assert wire.requests[0].headers["Authorization"] == "Bearer api_key-value"


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"completion_rate": 40}, [{"completion_rate": 40}]),
        ({"completion_status": True, "completion_rate": 40}, [{"completion_status": True}]),
        (
            {"completion_rate": 40, "completion_status": False},
            [{"completion_status": False}, {"completion_rate": 40}],
        ),
    ],
)
def test_haekka_gets_one_field_a_call(body: dict[str, Any], sent: list[Any]) -> None:
    """Two fields in one PATCH would override each other, so each has its own, the rate last."""
    wire = Wire({"PATCH /employee_trainings/etr_1": DONE})
    written = connector(HAEKKA, wire).update("employee_trainings", "etr_1", body, DONE, "k")
    assert written.row == DONE
    assert wire.bodies() == sent


def test_a_second_haekka_call_that_fails_leaves_the_update_unknown() -> None:
    """Nobody may call refused what was half accepted."""
    answers = iter([(200, DONE), (429, {})])
    wire = Wire({"PATCH /employee_trainings/etr_1": lambda _: _response(next(answers))})
    with pytest.raises(Unknown):
        connector(HAEKKA, wire).update(
            "employee_trainings", "etr_1",
            {"completion_rate": 40, "completion_status": False}, DONE, "k",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "unread"),
    [((204, None), True), ({"id": "etr_1", "completion_rate": 100}, True), (DONE, False)],
)
def test_a_rate_of_100_is_read_back_where_the_answer_leaves_it_open(
    answer: Any, unread: bool
) -> None:
    """Whether a rate of 100 completes a training is open: unless the answer shows it, the row is to be read."""
    wire = Wire({"PATCH /employee_trainings/etr_1": answer})
    live = connector(HAEKKA, wire)
    written = live.update("employee_trainings", "etr_1", {"completion_rate": 100}, DONE, "k")
    assert written.unread is unread


def test_an_assignment_is_looked_for_and_both_reads_are_foretold() -> None:
    """The answer to an assignment tells no row, whatever it holds: the row is found by person and training."""
    whom = {"employee_id": "emp_1", "training_id": "trn_1"}
    wire = Wire({"POST /trainings/assign": {"id": "assigned"}, "GET /employee_trainings": [DONE]})
    live = connector(HAEKKA, wire)
    written = live.create("employee_trainings", {**whom, "alert_employees": False}, "k")
    assert written.external_id == "etr_1"
    assert wire.bodies() == [
        {"training_id": "trn_1", "employee_ids": ["emp_1"], "alert_employees": False}
    ]
    assert len(wire.requests) == live.calls_of("employee_trainings", whom) == 2


def _response(answer: tuple[int, Any]) -> httpx.Response:
    return httpx.Response(answer[0], json=answer[1])


# hakuna


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


# weekly10


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
    wire = Wire({**LOGIN, "GET /training/record/": lambda _: _response((200, next(answers)))})
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


# All


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>maintenance</html>"),
        httpx.Response(200, text='[{"id": "etr_1"}, {"id'),
        httpx.Response(200, json={"error": "later"}),
        httpx.Response(200, json=None),
        httpx.Response(200),
        httpx.Response(404, json={}),
        httpx.Response(500),
    ],
)
def test_a_broken_listing_is_no_listing(answer: httpx.Response) -> None:
    """Whatever is not the whole listing raises instead of yielding less."""
    wire = Wire({"GET /employee_trainings": answer})
    with pytest.raises(VendorDown):
        list(connector(HAEKKA, wire).scan("employee_trainings"))


def test_a_read_that_hiccups_is_repeated_and_a_write_never() -> None:
    """Three quick repeats help a read over, and a fourth is not made; a write is sent once."""
    clock, answers = FrozenClock(), iter([503, 502, 500, 200, 503, 503, 503, 503])
    wire = Wire({"GET /employee_trainings": lambda _: _response((next(answers), [DONE]))})
    live = connector(HAEKKA, wire, clock)
    (page,) = live.scan("employee_trainings")
    assert len(page.items) == 1
    assert (live.tally.reads, live.tally.retries, len(clock.slept)) == (4, 3, 3)
    with pytest.raises(VendorDown):
        list(live.scan("employee_trainings"))
    assert next(answers, None) is None
    wire.routes = {"PATCH /employee_trainings/etr_1": (503, {})}
    with pytest.raises(Unknown):
        live.update("employee_trainings", "etr_1", {"completion_rate": 1}, DONE, "k")
    assert live.tally.writes == 1


def test_an_answer_that_is_too_large_may_be_better_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is read up to the limit, given up, and asked for again."""
    monkeypatch.setattr(transport, "LARGEST_ANSWER", 1000)
    page = b'{"results": [], "next": null}'
    answers = iter([b" " * 1001 + page, page])
    wire = Wire({**LOGIN, "GET /users/": lambda _: httpx.Response(200, content=next(answers))})
    list(connector(WEEKLY10, wire).scan("users"))
    assert len(wire.asked) == 2


def test_a_vendor_that_fails_slowly_is_not_asked_again_and_again() -> None:
    """No repeat of a read begins later than some seconds after the first failure, for it holds a slot."""
    clock = FrozenClock()

    def slowly(_: httpx.Request) -> httpx.Response:
        clock.time += 6
        return httpx.Response(503)

    wire = Wire({"GET /employee_trainings": slowly})
    with pytest.raises(VendorDown):
        list(connector(HAEKKA, wire, clock).scan("employee_trainings"))
    assert len(wire.requests) == 2


def _asks_for_a_pause(seconds: str = "") -> httpx.Response:
    return httpx.Response(429, headers={"Retry-After": seconds} if seconds else {})


def test_a_read_waits_for_a_short_pause_and_is_repeated() -> None:
    """A read does as the vendor asks and is sent again; a write meanwhile, and a long pause, are put off."""
    clock, answers = FrozenClock(), iter([_asks_for_a_pause("2"), _response((200, [DONE]))])
    wire = Wire({"GET /employee_trainings": lambda _: next(answers)})
    live = connector(HAEKKA, wire, clock)
    list(live.scan("employee_trainings"))
    assert clock.slept == [2]
    clock.time -= 1
    with pytest.raises(RateLimited) as put_off:
        live.update("employee_trainings", "etr_1", {"completion_rate": 1}, DONE, "k")
    assert put_off.value.until == clock.now() + 1
    clock.time += 1
    answers = iter([_asks_for_a_pause("6")])
    with pytest.raises(RateLimited) as put_off:
        list(live.scan("employee_trainings"))
    assert put_off.value.until == clock.now() + 6
    assert clock.slept == [2]
    assert live.tally.writes == 0


def test_pauses_grow_while_a_vendor_does_not_say_how_long() -> None:
    """Without Retry-After a pause is a second, and doubles up to a minute until the vendor answers again."""
    clock = FrozenClock()
    wire = Wire({"GET /employee_trainings": lambda _: _asks_for_a_pause()})
    live, waited = connector(HAEKKA, wire, clock), list[float]()
    for _ in range(6):
        with pytest.raises(RateLimited) as put_off:
            list(live.scan("employee_trainings"))
        waited.append(put_off.value.until - clock.now())
        clock.time = put_off.value.until
    assert clock.slept == [1, 2]
    assert waited == [4, 8, 16, 32, 60, 60]
    wire.routes = {"GET /employee_trainings": [DONE]}
    list(live.scan("employee_trainings"))
    wire.routes = {"PATCH /employee_trainings/etr_1": lambda _: _asks_for_a_pause()}
    with pytest.raises(RateLimited) as put_off:
        live.update("employee_trainings", "etr_1", {"completion_rate": 1}, DONE, "k")
    assert put_off.value.until == clock.now() + 1


def test_refusals_of_one_moment_ask_for_one_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of calls that were under way when a pause began, none makes it longer."""
    clock, answers = FrozenClock(), iter([*[_asks_for_a_pause()] * 3, _response((200, [DONE]))])
    monkeypatch.setattr(clock, "sleep", clock.slept.append)
    wire = Wire({"GET /employee_trainings": lambda _: next(answers)})
    list(connector(HAEKKA, wire, clock).scan("employee_trainings"))
    assert clock.slept == [1, 1, 1]


def test_an_accepted_write_with_a_broken_answer_is_unknown() -> None:
    """A web page with status 200 proves nothing about a write."""
    wire = Wire({"PATCH /employee_trainings/etr_1": httpx.Response(200, html="<html>")})
    with pytest.raises(Unknown):
        connector(HAEKKA, wire).update(
            "employee_trainings", "etr_1", {"completion_rate": 1}, DONE, "k"
        )


def test_messages_name_routes_and_no_values() -> None:
    """An error may be logged, so it holds no id, number or name."""
    wire = Wire({**LOGIN, "PATCH /users/anna-716/": (400, {"first_name": ["Anna is too long"]})})
    with pytest.raises(Rejected) as refused:
        connector(WEEKLY10, wire).update("users", "anna-716", {"first_name": "Anna"}, {}, "k")
    assert "nna" not in str(refused.value)
    assert "PATCH /users/{id}/" in str(refused.value)


def test_a_gateway_that_knows_no_page_has_deleted_nothing() -> None:
    """A 404 counts as gone only if the vendor itself says it."""
    html = httpx.Response(404, html="<html>nginx</html>")
    wire = Wire({**LOGIN, "DELETE /users/1/": html, "GET /users/1/": html})
    live = connector(WEEKLY10, wire)
    with pytest.raises(Astray):
        live.delete("users", "1", "k")
    with pytest.raises(Astray):
        live.get("users", "1")


def test_what_a_vendor_cannot_do_is_not_tried() -> None:
    """A write or read that is not declared is our own mistake, and nothing is sent."""
    wire = Wire({})
    live = connector(HAEKKA, wire)
    for call in (
        lambda: live.create("trainings", {}, "k"),
        lambda: live.update("trainings", "1", {}, {}, "k"),
        lambda: live.delete("employees", "1", "k"),
        lambda: list(live.poll("employees", None)),
        lambda: live.find("employee_trainings", {}, "k"),
        lambda: live.pages("unheard", 1),
    ):
        with pytest.raises(Bug):
            call()
    assert wire.requests == []


def test_a_value_that_does_not_fit_its_place_is_refused() -> None:
    """A path through something that is no object is rejected before anything is sent."""
    wire = Wire({})
    with pytest.raises(Rejected, match="an object"):
        connector(WEEKLY10, wire).update(
            "users", "1", {"properties['Desk']": "4"}, {"properties": "none"}, "k"
        )
    assert wire.requests == []
