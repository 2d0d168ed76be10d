from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncengine.web import bodies
from tests.unit.web.conftest import Side, notice, signed


def _events(side: Side) -> list[tuple[str, str, str]]:
    with side.engine.ledger.read() as tx:
        return [(e.connection, e.external_id, e.event_id) for e in tx.select_events()]


def _post(side: Side, body: str | bytes, headers: dict[str, str], to: str = "hr") -> Any:
    answer = side.client.post(f"/events/{to}", content=body, headers=headers)
    if answer.status_code != 202:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
        assert _events(side) == []
    return answer


def test_a_notice_is_stored_and_then_taken(side: Side) -> None:
    """A signed notice becomes an event and a read of the row, and is answered with 202."""
    answer = _post(side, notice(), signed(notice()))
    assert (answer.status_code, answer.json()) == (202, {"new": True})
    assert [event[:2] for event in _events(side)] == [("hr", "7")]
    assert side.queue.sent == [("refresh", 1)]


def test_a_repeated_notice_is_one_event(side: Side) -> None:
    """A sender that repeats itself gets the same answer and makes no second event."""
    for _ in range(3):
        assert _post(side, notice(), signed(notice())).status_code == 202
    assert len(_events(side)) == 1
    assert side.queue.sent == [("refresh", 1)]


def test_a_forged_body_is_refused(side: Side) -> None:
    """A signature counts for the body that it was made of and for no other."""
    assert _post(side, notice(external_id="8"), signed(notice())).status_code == 401


@pytest.mark.parametrize("age", [-3600, 3600])
def test_a_stale_notice_is_refused(side: Side, age: int) -> None:
    """A notice from long ago, or from the future, is refused, so that none can be replayed later."""
    assert _post(side, notice(), signed(notice(), at=time.time() + age)).status_code == 401


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, "", "v1", "v1,x y", "v1,\xff", "nan", "v1,=,"])
def test_broken_headers_are_refused(side: Side, name: str, value: str | None) -> None:
    """A notice without a whole signature is refused, and nothing breaks on it."""
    headers: dict[Any, Any] = dict(signed(notice()))
    del headers[name]
    if value is not None:
        headers[name] = value.encode("latin-1")
    assert _post(side, notice(), headers).status_code == 401


def test_an_unknown_connection_is_told_to_who_may_know(side: Side) -> None:
    """404 for a connection that the project does not have, 401 for who does not hold the secret."""
    assert _post(side, notice(), signed(notice()), to="nobody").status_code == 404
    assert _post(side, notice(), {}, to="nobody").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '{"resource": "people"}',
        '{"resource": "people", "id": 7}',
        '{"resource": "people", "id": ""}',
        '{"resource": "people", "id": "a\\u0000b"}',
        '{"resource": "people", "id": "."}',
        '{"resource": "people", "id": ".."}',
        '{"resource": "people", "id": "/"}',
        '{"resource": "people", "id": "1/../2"}',
        '{"resource": "people", "id": "7", "name": "Anna"}',
        '{"resource": "salaries", "id": "7"}',
        b'{"resource": "people", "id": "\xc3"}',
        "[" * 5000,
    ],
)
def test_a_malformed_notice_is_refused(side: Side, body: str | bytes) -> None:
    """A signed body that is not a notice of a mapped resource is refused as malformed, without quoting it."""
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    answer = _post(side, body, signed(text))
    assert answer.status_code in ({400} if isinstance(body, str) else {400, 401})
    assert "Anna" not in answer.text


@pytest.mark.parametrize("declared", [True, False])
def test_a_notice_that_is_too_large_is_not_read(side: Side, declared: bool) -> None:
    """What is longer than the bound is refused, whether or not its length was announced."""
    body = b"x" * (bodies.LARGEST + 1)
    content = body if declared else iter([body])
    answer = side.client.post("/events/hr", content=content, headers=signed(body))
    assert answer.status_code == 413


def test_a_notice_at_the_bound_is_read(side: Side) -> None:
    """The bound is the last length that is read: the body is then judged by its content."""
    body = notice().ljust(bodies.LARGEST)
    assert _post(side, body, signed(body)).status_code == 202


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    body=st.binary(max_size=300), ours=st.booleans(), to=st.sampled_from(["hr", "x", "%00", "é"])
)
def test_nothing_that_is_sent_breaks_the_intake(
    side: Side, body: bytes, ours: bool, to: str
) -> None:
    """Whatever arrives is answered with a problem and leaves no event, unless it is a notice."""
    headers = signed(body.decode("utf-8", "ignore")) if ours else {}
    assert _post(side, body, headers, to).status_code in {400, 401, 404}


def test_other_methods_are_refused(side: Side) -> None:
    """Only POST is taken."""
    answer = side.client.get("/events/hr")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_database_that_is_down_takes_nothing(side: Side) -> None:
    """A notice that could not be stored is not acknowledged, so that its sender comes again."""
    with side.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO elsewhere")
    answer = side.client.post("/events/hr", content=notice(), headers=signed(notice()))
    assert answer.status_code == 503
    assert side.queue.sent == []
