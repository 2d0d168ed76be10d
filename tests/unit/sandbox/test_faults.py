from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from syncengine.sandbox.faults import KINDS
from syncengine.sandbox.process import SandboxProcess
from tests.unit.sandbox.conftest import Api

RECORD = {"api_id": "new", "person_api_id": "1002", "package_api_id": "secure-passwords"}
ENTRY = {"date": "2016-10-10", "start_time": "08:00", "end_time": "09:00", "task_id": 1}


def records(sandbox: SandboxProcess) -> set[str]:
    return {row["api_id"] for row in sandbox.state("weekly10", "training_records")}


@pytest.mark.parametrize(
    ("kind", "applied"), [("refuse", False), ("drop_before", False), ("drop_after", True)]
)
def test_closed_connections(
    sandbox: SandboxProcess, weekly10: Api, kind: str, applied: bool
) -> None:
    """The client gets no answer, and the write is applied only where the fault says so."""
    sandbox.fault("weekly10", kind, method="POST", route="/training/record", count=1)
    with pytest.raises(httpx.TransportError):
        weekly10("POST", "/training/record/", RECORD)
    assert ("new" in records(sandbox)) is applied
    entry = sandbox.requests()[-1]
    assert (entry["status"], entry["write"], entry["applied"]) == (0, True, applied)
    assert weekly10("POST", "/training/record/", RECORD).status_code == (400 if applied else 201)


def test_late_commit(sandbox: SandboxProcess, weekly10: Api) -> None:
    """The answer is lost at once, the write takes effect after the delay."""
    sandbox.fault("weekly10", "late", method="POST", delay=0.3, count=1)
    with pytest.raises(httpx.TransportError):
        weekly10("POST", "/training/record/", RECORD)
    assert "new" not in records(sandbox)
    deadline = time.monotonic() + 5
    while "new" not in records(sandbox):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert sandbox.requests()[-1]["applied"]


@pytest.mark.parametrize(
    ("kind", "status", "wait"),
    [
        ("status_429", 429, "7"),
        ("status_429_bare", 429, None),
        ("status_500", 500, None),
        ("status_503", 503, None),
    ],
)
def test_statuses(
    sandbox: SandboxProcess, hakuna: Api, kind: str, status: int, wait: str | None
) -> None:
    """The status is answered without applying the write."""
    sandbox.fault("hakuna", kind, count=1, delay=7)
    answer = hakuna("POST", "/time_entries", ENTRY)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, wait)
    assert sandbox.counters()["hakuna"]["applied"] == 0
    assert hakuna("POST", "/time_entries", ENTRY).status_code == 201


@pytest.mark.parametrize(
    ("vendor", "path", "again"),
    [
        ("heavenhr", "/employees", 401),
        ("weekly10", "/users/", 401),
        ("haekka", "/employees", 200),
        ("hakuna", "/users", 200),
    ],
)
def test_expired_tokens(
    sandbox: SandboxProcess, request: pytest.FixtureRequest, vendor: str, path: str, again: int
) -> None:
    """Tokens that were given out stay invalid; a key of the vendor's screen fails once."""
    api: Api = request.getfixturevalue(vendor)
    sandbox.fault(vendor, "expire_tokens", count=1)
    assert api("GET", path).status_code == 401
    assert api("GET", path).status_code == again


def test_broken_answers(sandbox: SandboxProcess, haekka: Api) -> None:
    """Truncated JSON cannot be parsed, HTML is no JSON, and a wrong type is a number for a text."""
    for kind in ("truncate", "html"):
        sandbox.fault("haekka", kind, count=1)
        answer = haekka("GET", "/employees")
        assert answer.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            answer.json()
    sandbox.fault("haekka", "wrong_type", count=1)
    assert haekka.get("/employees")[0]["email"] == 12345
    assert haekka.get("/employees")[0]["email"] != 12345


@pytest.mark.parametrize(
    ("vendor", "path", "kind", "paged"),
    [
        ("heavenhr", "/employees?page={page}&pageSize=5", "data", True),
        ("weekly10", "/users/?limit=5&offset={offset}", "results", True),
        ("hakuna", "/users", "", False),
        ("haekka", "/employees", "", False),
    ],
)
def test_untrue_lists(
    sandbox: SandboxProcess,
    request: pytest.FixtureRequest,
    vendor: str,
    path: str,
    kind: str,
    paged: bool,
) -> None:
    """A row comes twice, or is missing, or the list is empty; the rows themselves are untouched."""
    api: Api = request.getfixturevalue(vendor)

    def ids() -> list[str]:
        found: list[str] = []
        for page in range(2 if paged else 1):
            answer = api("GET", path.format(page=page, offset=page * 5)).json()
            rows = answer[kind] if kind else answer
            found += [str(row.get("id", row.get("api_id"))) for row in rows]
        return found

    true = ids()
    sandbox.fault(vendor, "repeat_row", count=1, skip=int(paged))
    twice = ids()
    assert len(twice) == len(true) + 1
    assert set(twice) == set(true)
    sandbox.fault(vendor, "shrink", count=1, skip=int(paged))
    shrunk = ids()
    assert set(true) - set(shrunk)
    sandbox.fault(vendor, "empty_list", count=1)
    empty = api("GET", path.format(page=0, offset=0))
    assert empty.status_code == (404 if vendor == "heavenhr" else 200)
    assert ids() == true


def test_slow_answers_overlap(sandbox: SandboxProcess, hakuna: Api) -> None:
    """A slow answer comes after its delay, and calls meanwhile count as concurrent."""
    sandbox.fault("hakuna", "slow", delay=0.3)
    begun = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: hakuna("GET", "/ping").status_code, range(4)))
    assert answers == [200] * 4
    assert time.monotonic() - begun >= 0.3
    assert sandbox.counters()["hakuna"]["concurrency"] == 4


def test_selection(sandbox: SandboxProcess, hakuna: Api) -> None:
    """A fault strikes by method, route or path, after its skips, as often as counted."""
    sandbox.fault("hakuna", "status_500", method="GET", route="/time_entries/*", skip=1, count=2)
    statuses = [hakuna("GET", "/time_entries/1").status_code for _ in range(5)]
    assert statuses == [200, 500, 500, 200, 200]
    assert hakuna("GET", "/users").status_code == 200


def test_probability_is_seeded(sandbox: SandboxProcess, hakuna: Api) -> None:
    """The same seed strikes the same requests; another seed others."""

    def run(seed: int) -> list[int]:
        sandbox.clear_faults()
        sandbox.fault("hakuna", "status_503", probability=0.5, seed=seed)
        return [hakuna("GET", "/ping").status_code for _ in range(24)]

    first = run(1)
    assert set(first) == {200, 503}
    assert run(1) == first != run(2)


def test_cleared_and_wrong_faults(sandbox: SandboxProcess, hakuna: Api) -> None:
    """A cleared fault strikes no more; an unknown kind, vendor or key is refused."""
    sandbox.fault("hakuna", "status_500")
    sandbox.clear_faults()
    assert hakuna("GET", "/ping").status_code == 200
    for wrong in ({"kind": "x"}, {"vendor": "x"}, {"often": 1}):
        body = {"vendor": "hakuna", "kind": KINDS[0]} | wrong
        with pytest.raises(httpx.HTTPStatusError):
            sandbox.fault(**body)
