from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from syncengine.adapters.rest import verdicts
from syncengine.adapters.rest.verdicts import Kind, fitting
from syncengine.errors import (
    Astray,
    Exists,
    RateLimited,
    Rejected,
    Unauthorized,
    Unknown,
    Unusable,
    VendorDown,
)

NOW = 1_800_000_000.0

TABLE = [
    (200, None, None, None),
    (202, None, VendorDown, None),
    (204, None, None, None),
    (206, None, VendorDown, None),
    (302, Astray, Astray, Unknown),
    (303, Astray, Astray, Unknown),
    (307, Astray, Astray, Astray),
    (308, Astray, Astray, Astray),
    (400, Unauthorized, VendorDown, Rejected),
    (401, Unauthorized, Unauthorized, Unauthorized),
    (403, Unauthorized, VendorDown, Rejected),
    (404, VendorDown, VendorDown, Rejected),
    (405, VendorDown, VendorDown, Rejected),
    (408, VendorDown, VendorDown, VendorDown),
    (422, VendorDown, VendorDown, Rejected),
    (425, VendorDown, VendorDown, VendorDown),
    (429, RateLimited, RateLimited, RateLimited),
    (500, VendorDown, VendorDown, Unknown),
    (503, VendorDown, VendorDown, Unknown),
]


@pytest.mark.parametrize(("status", "token", "read", "write"), TABLE)
def test_a_status_has_one_meaning_for_each_kind_of_request(
    status: int, token: type | None, read: type | None, write: type | None
) -> None:
    """Only a write can be unknown or rejected, and only what surely was not done may be tried again."""
    expected = {Kind.TOKEN: token, Kind.READ: read, Kind.CHANGE: write, Kind.DELETE: write}
    for kind, error in expected.items():
        verdict = verdicts.answered(httpx.Response(status), kind, "GET /x", NOW)
        assert isinstance(verdict, error) if error else verdict is None


def test_a_taken_id_exists_only_for_a_create() -> None:
    """A 409 tells a create to look, and any other write that it is refused."""
    taken = httpx.Response(409)
    assert isinstance(verdicts.answered(taken, Kind.CREATE, "POST /x", NOW), Exists)
    assert isinstance(verdicts.answered(taken, Kind.CHANGE, "PATCH /x", NOW), Rejected)


LOST = [
    (httpx.ConnectError, VendorDown, VendorDown),
    (httpx.ConnectTimeout, VendorDown, VendorDown),
    (httpx.PoolTimeout, VendorDown, VendorDown),
    (httpx.ReadTimeout, VendorDown, Unknown),
    (httpx.WriteTimeout, VendorDown, Unknown),
    (httpx.ReadError, VendorDown, Unknown),
    (httpx.WriteError, VendorDown, Unknown),
    (httpx.RemoteProtocolError, VendorDown, Unknown),
    (httpx.DecodingError, VendorDown, Unknown),
]


@pytest.mark.parametrize(("error", "read", "write"), LOST)
def test_a_write_without_an_answer_is_unknown_unless_it_was_never_sent(
    error: type[httpx.RequestError], read: type, write: type
) -> None:
    """What may have reached the vendor is never called not done."""
    for kind in Kind:
        verdict = verdicts.unanswered(error("lost"), kind, "GET /x")
        assert isinstance(verdict, write if kind.writes else read)


PAUSES = [
    ({"Retry-After": "7"}, 7),
    ({"Retry-After": "1.5"}, 1.5),
    ({"Retry-After": "600"}, 600),
    ({"Retry-After": formatdate(NOW + 90, usegmt=True)}, 90),
    ({"Retry-After": formatdate(NOW - 90, usegmt=True)}, verdicts.PAUSE),
    ({"Retry-After": "0"}, verdicts.PAUSE),
    ({"Retry-After": "0.2"}, verdicts.PAUSE),
    ({"Retry-After": "-20"}, verdicts.PAUSE),
    ({"Retry-After": ""}, verdicts.PAUSE),
    ({"Retry-After": "soon"}, verdicts.PAUSE),
    ({"Retry-After": "Infinity"}, verdicts.PAUSE),
    ({"Retry-After": "99999999"}, verdicts.LONGEST_PAUSE),
    ({"Retry-After": "9" * 400}, verdicts.LONGEST_PAUSE),
    ({"Retry-After": formatdate(NOW + 90_000, usegmt=True)}, verdicts.LONGEST_PAUSE),
    ({"Retry-After": str(int(NOW + 40))}, 40),
    ({"X-RateLimit-Reset": "12"}, 12),
    ({"X-RateLimit-Reset": str(int(NOW + 12))}, 12),
    ({"X-RateLimit-Reset": "0"}, verdicts.PAUSE),
    ({}, verdicts.PAUSE),
]


@pytest.mark.parametrize(("headers", "seconds"), PAUSES)
def test_a_pause_is_what_the_vendor_asks_for(headers: dict[str, str], seconds: float) -> None:
    """Retry-After counts as seconds or as a date, for at least a second and at most an hour, and has a default."""
    verdict = verdicts.answered(httpx.Response(429, headers=headers), Kind.READ, "GET /x", NOW)
    assert isinstance(verdict, RateLimited)
    assert verdict.until == NOW + seconds


@pytest.mark.parametrize("status", [403, 408, 413, 423, 425, 429, 500, 502, 503, 504])
def test_a_pause_is_asked_for_with_any_refusal(status: int) -> None:
    """Retry-After is read beside every status; only what may have been done is still unknown."""
    refused = httpx.Response(status, headers={"Retry-After": "30"})
    read = verdicts.answered(refused, Kind.READ, "GET /x", NOW)
    assert isinstance(read, RateLimited)
    assert read.until == NOW + 30
    write = verdicts.answered(refused, Kind.CHANGE, "PATCH /x", NOW)
    assert isinstance(write, Unknown if status >= 500 else RateLimited)


PAGES = [
    {"headers": {"Content-Type": "text/html; charset=utf-8"}, "text": "<p>Sorry"},
    {"headers": {"Content-Type": "application/json"}, "text": "\n<!DOCTYPE html><title>Sign in"},
    {"text": "<HTML><body>Access denied"},
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 410, 418, 451])
def test_a_web_page_refuses_nothing(status: int, page: dict[str, Any]) -> None:
    """A firewall or a gateway refuses in HTML: the row was not written, and nobody is to be asked about it."""
    answer = httpx.Response(status, **page)
    for kind in Kind:
        assert isinstance(verdicts.answered(answer, kind, "GET /x", NOW), Astray)


@pytest.mark.parametrize("page", PAGES)
def test_a_web_page_may_follow_a_write_that_was_done(page: dict[str, Any]) -> None:
    """Behind a gateway's 502 or a redirect after a form the write may have taken effect."""
    for status in (301, 302, 303, 500, 502, 503):
        verdict = verdicts.answered(httpx.Response(status, **page), Kind.CREATE, "POST /x", NOW)
        assert isinstance(verdict, Unknown)


def test_a_refusal_keeps_the_answer_out_of_its_message() -> None:
    """What a vendor says about a row may name a person: it is evidence, not message."""
    refused = httpx.Response(422, json={"message": "Anna Example is taken"})
    verdict = verdicts.answered(refused, Kind.CHANGE, "PATCH /users/{id}", NOW)
    assert isinstance(verdict, Rejected)
    assert verdict.status == 422
    assert "Anna" in verdict.answer
    assert "Anna" not in str(verdict)


@pytest.mark.parametrize(
    "trip", [lambda: date.fromisoformat("Anna"), lambda: float("Anna"), lambda: Decimal("Anna")]
)
def test_an_answer_that_does_not_fit_is_told_without_its_values(trip: Callable[[], object]) -> None:
    """What goes to the log and into ``status`` names the route and the kind of misfit, never a name."""
    with pytest.raises(Unusable, match=r"GET /x: .*does not fit") as caught, fitting("GET /x"):
        trip()
    assert "Anna" not in str(caught.value)
