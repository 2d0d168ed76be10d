"""What stands before a vendor: pages, redirects and pauses say nothing of a row."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from syncengine.adapters.vendors.weekly10 import WEEKLY10
from syncengine.errors import Astray, RateLimited, Rejected, Unknown, VendorDown
from tests.unit.adapters.vendors.answers import LOGIN
from tests.unit.adapters.wire import FrozenClock, Wire, connector

PAGE = {"headers": {"Content-Type": "text/html"}, "text": "<html><h1>Down for repair</h1></html>"}
ROW = {"api_id": "7", "first_name": "Ida", "last_name": "Berg"}


def answering(method: str, status: int, **more: Any) -> Wire:
    """A vendor that answers so to one method for the user 7, and to the listing."""
    answer = httpx.Response(status, **more)
    return Wire({**LOGIN, f"{method} /users/7/": answer, f"{method} /users/": answer})


def test_a_row_that_is_gone_for_good_is_gone() -> None:
    """A 410 says what a 404 says: to a read, to a delete, to an update."""
    assert (
        connector(WEEKLY10, answering("GET", 410, json={"detail": "gone"})).get("users", "7")
        is None
    )
    connector(WEEKLY10, answering("DELETE", 410)).delete("users", "7", "key")
    with pytest.raises(Rejected) as caught:
        connector(WEEKLY10, answering("PATCH", 410)).update("users", "7", {"email": "x"}, ROW, "k")
    assert caught.value.status == 410


def test_a_listing_that_is_gone_for_good_is_not_empty() -> None:
    """A 410 for a whole listing is an address that the vendor gave up, not a company without people."""
    with pytest.raises(VendorDown):
        list(connector(WEEKLY10, answering("GET", 410)).scan("users"))


@pytest.mark.parametrize("status", [200, 302, 307, 403, 404, 405, 410])
def test_a_web_page_concludes_nothing_about_a_row(status: int) -> None:
    """Neither that it is gone nor that it does not fit."""
    for more in (
        PAGE,
        {"headers": {"Location": "https://login.example/"}} if status < 400 else PAGE,
    ):
        if status == 200 and more is not PAGE:
            continue
        with pytest.raises(Astray):
            connector(WEEKLY10, answering("GET", status, **more)).get("users", "7")
        with pytest.raises(VendorDown):
            list(connector(WEEKLY10, answering("GET", status, **more)).scan("users"))


@pytest.mark.parametrize("status", [200, 302, 307, 403, 404])
def test_a_read_that_went_astray_once_is_repeated(status: int) -> None:
    """A login or a notice of repair that stands before the vendor for a moment costs a read no more than that."""
    more: dict[str, Any] = {"headers": {"Location": "/login"}} if 300 <= status < 400 else PAGE
    answers = iter([httpx.Response(status, **more), httpx.Response(200, json=ROW)])
    wire = Wire({**LOGIN, "GET /users/7/": lambda _: next(answers)})
    assert connector(WEEKLY10, wire).get("users", "7") is not None


@pytest.mark.parametrize(
    ("status", "error"),
    [(200, Unknown), (302, Unknown), (307, Astray), (403, Astray), (404, Astray), (405, Astray),
     (410, Astray), (502, Unknown)],
)  # fmt: skip
def test_a_web_page_refuses_no_write(status: int, error: type[Exception]) -> None:
    """A write is not sent or unknown, never refused: it is no question about this row."""
    with pytest.raises(error):
        connector(WEEKLY10, answering("POST", status, **PAGE)).create("users", ROW, "key")
    with pytest.raises(error):
        connector(WEEKLY10, answering("PATCH", status, **PAGE)).update(
            "users", "7", {"email": "x"}, ROW, "k"
        )
    with pytest.raises(error):
        connector(WEEKLY10, answering("DELETE", status, **PAGE)).delete("users", "7", "key")


def test_a_pause_after_a_write_that_is_unknown_is_kept() -> None:
    """After a 503 with Retry-After nothing is asked before that time is over."""
    wire = answering("PATCH", 503, headers={"Retry-After": "600"})
    wire.routes = {**wire.routes, "GET /users/7/": ROW}
    clock = FrozenClock()
    live = connector(WEEKLY10, wire, clock)
    began = clock.now()
    with pytest.raises(Unknown):
        live.update("users", "7", {"email": "x"}, ROW, "k")
    with pytest.raises(RateLimited) as caught:
        live.get("users", "7")
    assert caught.value.until == began + 600
    clock.time += 600
    assert live.get("users", "7") is not None


def test_a_vendor_that_asks_for_no_pause_is_not_pressed() -> None:
    """A 429 that says Retry-After: 0 again and again is asked ever more slowly."""
    clock = FrozenClock()
    live = connector(WEEKLY10, answering("GET", 429, headers={"Retry-After": "0"}), clock)
    waits = []
    for _ in range(4):
        with pytest.raises(RateLimited) as caught:
            live.get("users", "7")
        waits.append(caught.value.until - clock.now())
        clock.time = caught.value.until
    assert waits[0] >= 1
    assert waits == sorted(waits)
    assert waits[-1] > waits[0]


def test_a_clock_that_was_ahead_leaves_no_endless_pause() -> None:
    """A pause that was noted two hours ahead of the clock counts no more."""
    clock = FrozenClock()
    wire = answering("PATCH", 503, headers={"Retry-After": "60"})
    wire.routes = {**wire.routes, "GET /users/7/": ROW}
    live = connector(WEEKLY10, wire, clock)
    with pytest.raises(Unknown):
        live.update("users", "7", {"email": "x"}, ROW, "k")
    clock.time -= 7200
    assert live.get("users", "7") is not None
