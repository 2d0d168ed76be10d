from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from email.utils import formatdate

import httpx
import pytest

from syncengine.adapters.rest import verdicts
from syncengine.adapters.rest.verdicts import Kind, fitting
from syncengine.errors import (
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
    (204, None, None, None),
    (302, VendorDown, VendorDown, Rejected),
    (400, Unauthorized, VendorDown, Rejected),
    (401, Unauthorized, Unauthorized, Unauthorized),
    (403, Unauthorized, VendorDown, Rejected),
    (404, VendorDown, VendorDown, Rejected),
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


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": formatdate(NOW + 90, usegmt=True)}, 90),
        ({"Retry-After": formatdate(NOW - 90, usegmt=True)}, 0),
        ({"Retry-After": "99999999"}, verdicts.LONGEST_PAUSE),
        ({"Retry-After": "soon"}, verdicts.PAUSE),
        ({"X-RateLimit-Reset": "12"}, 12),
        ({}, verdicts.PAUSE),
    ],
)
def test_a_pause_is_what_the_vendor_asks_for(headers: dict[str, str], seconds: float) -> None:
    """Retry-After counts as seconds or as a date, within bounds, and has a default."""
    verdict = verdicts.answered(httpx.Response(429, headers=headers), Kind.READ, "GET /x", NOW)
    assert isinstance(verdict, RateLimited)
    assert verdict.until == NOW + seconds


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
