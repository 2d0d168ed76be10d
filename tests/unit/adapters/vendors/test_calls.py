"""What holds of calls to each vendor: what is repeated, what is waited for, and what an answer proves."""

from __future__ import annotations

import httpx
import pytest

from syncengine.adapters.rest import transport
from syncengine.adapters.vendors.haekka import HAEKKA
from syncengine.adapters.vendors.weekly10 import WEEKLY10
from syncengine.errors import Astray, Bug, RateLimited, Rejected, Unknown, VendorDown
from tests.unit.adapters.vendors.answers import DONE, LOGIN, response
from tests.unit.adapters.wire import FrozenClock, Wire, connector


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
    wire = Wire({"GET /employee_trainings": lambda _: response((next(answers), [DONE]))})
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
    clock, answers = FrozenClock(), iter([_asks_for_a_pause("2"), response((200, [DONE]))])
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
    clock, answers = FrozenClock(), iter([*[_asks_for_a_pause()] * 3, response((200, [DONE]))])
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
