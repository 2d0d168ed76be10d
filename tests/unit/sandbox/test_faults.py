from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from syncengine.sandbox.faults import HUGE, KINDS, SMALL
from syncengine.sandbox.heiaheia import ROOT
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


LISTS = {
    "heavenhr": ("/employees", "data"),
    "haekka": ("/employees", ""),
    "hakuna": ("/time_entries?start_date=2000-01-01&end_date=2100-01-01", ""),
    "heiaheia": (ROOT, "items"),
    "weekly10": ("/users/", "results"),
}
"""A listing of each vendor, and the member of the answer that holds its rows."""
every = pytest.mark.parametrize("vendor", LISTS)


def rows_of(answer: httpx.Response, vendor: str) -> list[Any]:
    member = LISTS[vendor][1]
    rows: list[Any] = answer.json()[member] if member else answer.json()
    return rows


def differing(left: Any, right: Any) -> int:
    """In how many places two answers differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        names = left.keys() | right.keys()
        return sum(differing(left.get(name, ...), right.get(name, ...)) for name in names)
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return sum(map(differing, left, right))
    return int(left != right)


@every
@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_strikes_every_vendor_once(
    sandbox: SandboxProcess, request: pytest.FixtureRequest, vendor: str, kind: str
) -> None:
    """The kind is what the client sees of it, and the next answer is good again."""
    api: Api = request.getfixturevalue(vendor)
    path = LISTS[vendor][0]
    good = api("GET", path)
    sandbox.fault(vendor, kind, count=1, delay=0.2)
    if kind in ("refuse", "drop_before", "drop_after", "late"):
        with pytest.raises(httpx.TransportError):
            api("GET", path)
    else:
        begun = time.monotonic()
        answer = api("GET", path)
        seen(vendor, kind, good, answer, time.monotonic() - begun)
    after = api("GET", path)
    if kind == "expire_tokens" and vendor in ("heavenhr", "weekly10"):
        assert after.status_code == 401
    else:
        assert after.json() == good.json()


def seen(
    vendor: str, kind: str, good: httpx.Response, answer: httpx.Response, seconds: float
) -> None:
    """What a client sees of a fault that leaves an answer."""
    statuses = {
        "status_429": 429, "status_429_bare": 429, "status_500": 500, "status_503": 503,
        "expire_tokens": 401, "redirect": 302,
    }  # fmt: skip
    if kind == "empty_list" and vendor == "heavenhr":
        statuses[kind] = 404
    assert answer.status_code == statuses.get(kind, 200)
    rows = len(rows_of(good, vendor))
    if kind in statuses:
        assert ("Retry-After" in answer.headers) == (kind == "status_429")
    elif kind in ("truncate", "html"):
        with pytest.raises(json.JSONDecodeError):
            answer.json()
    elif kind in ("wrong_type", "missing_id", "unknown_enum", "half_text"):
        assert differing(good.json(), answer.json()) == 1
    elif kind in ("repeat_row", "shrink", "empty_list"):
        assert len(rows_of(answer, vendor)) == {"repeat_row": rows + 1, "shrink": rows - 1}.get(
            kind, 0
        )
    elif kind == "small_pages" and vendor in ("heavenhr", "heiaheia", "weekly10"):
        assert rows_of(answer, vendor) == rows_of(good, vendor)[:SMALL]
    else:
        assert answer.json() == good.json()
        assert (len(answer.content) > HUGE) == (kind == "huge")
        assert seconds >= (0.2 if kind in ("slow", "slow_head", "slow_body") else 0)


def test_what_stands_before_a_vendor(sandbox: SandboxProcess, weekly10: Api) -> None:
    """A page with any status, a redirect, any Retry-After: nothing is written."""
    path = "/training/record/"
    for kind, more, status in (
        ("html", {"status": 403}, 403),
        ("html", {"status": 503, "retry_after": "-3"}, 503),
        ("redirect", {"status": 307}, 307),
        ("status_503", {"retry_after": "600"}, 503),
        ("status_429", {"retry_after": "0.5"}, 429),
    ):
        sandbox.fault("weekly10", kind, method="POST", route="/training/record", count=1, **more)
        answer = weekly10("POST", path, RECORD)
        assert answer.status_code == status
        assert answer.headers.get("Retry-After") == more.get("retry_after")
        assert ("html" in answer.headers.get("content-type", "")) == (kind == "html")
    assert "new" not in records(sandbox)


def test_a_vendor_may_say_gone(sandbox: SandboxProcess, weekly10: Api) -> None:
    """410 where it would say 404, and nowhere else."""
    sandbox.fault("weekly10", "gone")
    assert weekly10("GET", "/users/nobody/").status_code == 410
    assert weekly10("DELETE", "/users/nobody/").status_code == 410
    assert weekly10("GET", "/users/").status_code == 200


def test_small_pages_lead_to_all_rows(sandbox: SandboxProcess, weekly10: Api) -> None:
    """Fewer rows a page than asked for, and an address that goes on after them."""
    everybody = rows_of(weekly10("GET", "/users/"), "weekly10")
    sandbox.fault("weekly10", "small_pages")
    page = weekly10("GET", "/users/?limit=500").json()
    found = page["results"]
    while page["next"]:
        page = httpx.get(page["next"], headers=weekly10.headers).json()
        found += page["results"]
    assert found == everybody


def test_what_is_spoiled_can_be_named(sandbox: SandboxProcess, heavenhr: Api) -> None:
    """A fault spoils the first row that has such a member, or the member that it names; refusals stay as they are."""
    good = heavenhr.get("/employees")["data"][0]
    said = {"wrong_type": 12345, "unknown_enum": "UNHEARD_OF", "missing_id": None}
    for kind, value in said.items():
        sandbox.fault("heavenhr", kind, count=1, field="lastName")
        row = heavenhr.get("/employees")["data"][0]
        assert {**good, "lastName": value} == {"lastName": None, **row}
    sandbox.fault("heavenhr", "wrong_type", count=1)
    assert heavenhr("GET", "/employees/_no_").json() == {"message": "Employee not found"}


def test_a_slow_body_begins_at_once(sandbox: SandboxProcess, haekka: Api) -> None:
    """The head of the answer does not wait for its body."""
    sandbox.fault("haekka", "slow_body", count=1, delay=0.6)
    begun = time.monotonic()
    with haekka.client.stream("GET", f"{haekka.base}/employees", headers=haekka.headers) as answer:
        head = time.monotonic() - begun
        answer.read()
    assert head < 0.4
    assert time.monotonic() - begun >= 0.6


@pytest.mark.parametrize(
    ("vendor", "path", "member"),
    [
        ("heavenhr", "/employees?page={page}&pageSize=5", "data"),
        ("weekly10", "/users/?limit=5&offset={offset}", "results"),
        ("heiaheia", ROOT + "/123/memberships?page={number}&per_page=5", "items"),
    ],
)
def test_untrue_pages(
    sandbox: SandboxProcess, request: pytest.FixtureRequest, vendor: str, path: str, member: str
) -> None:
    """A row comes on two pages, or none, while the rows themselves are untouched."""
    api: Api = request.getfixturevalue(vendor)

    def ids() -> list[str]:
        pages = [path.format(page=n, offset=n * 5, number=n + 1) for n in range(2)]
        rows = [row for page in pages for row in api("GET", page).json()[member]]
        return [str(row.get("id", row.get("api_id"))) for row in rows]

    true = ids()
    sandbox.fault(vendor, "repeat_row", count=1, skip=1)
    twice = ids()
    assert len(twice) == len(true) + 1
    assert set(twice) == set(true)
    sandbox.fault(vendor, "shrink", count=1, skip=1)
    assert set(true) - set(ids())
    assert ids() == true


def test_lists_without_pages_are_untrue_too(sandbox: SandboxProcess, heavenhr: Api) -> None:
    """The tree of organizations loses a branch, shows one twice, or is empty."""

    def units() -> list[str]:
        tree = heavenhr.get("/company/organizations")["data"]
        return [unit["id"] for root in tree for unit in (root, *root["children"])]

    true = units()
    for kind, count in (
        ("repeat_row", len(true) + 1),
        ("shrink", len(true) - 1),
        ("empty_list", 0),
    ):
        sandbox.fault("heavenhr", kind, count=1)
        assert len(units()) == count
    assert units() == true


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


NOT_DONE_ANSWERS = {
    "ignore": lambda answer: answer.json()["email"] != "new@x.de",
    "ignore_stamp": lambda answer: answer.json()["email"] != "new@x.de",
    "ignore_error": lambda answer: answer.json() == {"error": "This could not be saved."},
    "ignore_empty": lambda answer: (answer.status_code, answer.content) == (204, b""),
}


@pytest.mark.parametrize("kind", NOT_DONE_ANSWERS)
def test_a_write_may_be_accepted_and_not_done(
    sandbox: SandboxProcess, weekly10: Api, kind: str
) -> None:
    """The answer is a 2xx, the row stays as it was, and the ledger says that nothing was applied."""
    before = weekly10.get("/users/1002/")
    sandbox.fault("weekly10", kind, method="PATCH", count=1)
    answer = weekly10("PATCH", "/users/1002/", {"email": "new@x.de"})
    assert answer.is_success
    assert NOT_DONE_ANSWERS[kind](answer)
    assert weekly10.get("/users/1002/") == before
    assert not [r for r in sandbox.requests() if r["method"] == "PATCH" and r["applied"]]


def test_a_stamp_moves_though_nothing_was_done(sandbox: SandboxProcess, heavenhr: Api) -> None:
    """A row may say that it was changed while it was not."""
    row = heavenhr.get("/employees")["data"][0]
    sandbox.fault("heavenhr", "ignore_stamp", method="PATCH", count=1)
    assert heavenhr("PATCH", f"/employees/{row['id']}", {"lastName": "Neu"}).is_success
    after = next(r for r in heavenhr.get("/employees")["data"] if r["id"] == row["id"])
    assert after["lastName"] == row["lastName"]
    assert after["updatedAt"] > row["updatedAt"]


@pytest.mark.parametrize(
    ("kind", "shown"), [("answer_empty", None), ("answer_list", list), ("answer_null_id", dict)]
)
def test_a_create_may_be_done_without_naming_its_row(
    sandbox: SandboxProcess, weekly10: Api, kind: str, shown: type | None
) -> None:
    """The row is there, and the answer is nothing, a list, or has no id."""
    sandbox.fault("weekly10", kind, method="POST", route="/training/record", count=1)
    answer = weekly10("POST", "/training/record/", RECORD)
    assert answer.status_code == 201
    assert "new" in records(sandbox)
    if shown is None:
        assert answer.content == b""
        return
    payload = answer.json()
    assert isinstance(payload, shown)
    assert isinstance(payload, list) or payload["api_id"] is None
