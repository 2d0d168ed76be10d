"""The shipped project against a vendor that accepts what it does not do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncengine.flows.core.engine import Engine
from syncengine.flows.run.sync import sync
from syncengine.flows.views.questions import select_cases
from syncengine.sandbox.process import Row, SandboxProcess
from tests.integration.support import Quick, opened

SANDBOX = {"seed": 5, "hakuna_calls": 6000}
WAYS = ("ignore", "ignore_error", "ignore_empty")


@pytest.fixture
def engine(sandbox: SandboxProcess, tmp_path: Path) -> Iterator[Engine]:
    """The shipped project on it, all read and written once."""
    sandbox.reset()
    with opened(sandbox, tmp_path, Quick()) as made:
        passes(made, 2)
        yield made


def passes(engine: Engine, count: int) -> dict[str, Any]:
    """Some passes, later than any vendor commits."""
    document: dict[str, Any] = {}
    for _ in range(count):
        engine.clock.sleep(30.0)
        document = sync(engine)
    return document


def patches(sandbox: SandboxProcess, method: str = "PATCH") -> list[str]:
    """The writes to weekly10's people."""
    return [
        r["path"]
        for r in sandbox.requests()
        if r["vendor"] == "weekly10" and r["method"] == method and "/users/" in r["path"]
    ]


def someone(sandbox: SandboxProcess) -> tuple[Row, Row]:
    """An employee whose number is that of a weekly10 account."""
    users = {row["api_id"]: row for row in sandbox.state("weekly10", "users")}
    return next(
        (row, users[str(row["employeeNumber"])])
        for row in sandbox.state("heavenhr", "employees")
        if str(row.get("employeeNumber")) in users and row.get("professionalEmail")
    )


@pytest.mark.long
@pytest.mark.ci
@pytest.mark.parametrize("way", WAYS)
def test_what_a_vendor_accepts_and_does_not_do_changes_nobody(
    sandbox: SandboxProcess, engine: Engine, way: str
) -> None:
    """A new work address and a new last name that weekly10 accepts and keeps to itself: HeavenHR keeps its own, each
    is sent once, nothing is said to be put aside, and a person is asked."""
    employee, user = someone(sandbox)
    new = {"professionalEmail": "new.address@alpenblick.example", "lastName": "Neumann"}
    sandbox.mutate("heavenhr", "employees", "update", employee["id"], new)
    sandbox.fault("weekly10", way, method="PATCH", route="/users/*")
    before = len(patches(sandbox))
    passes(engine, 4)
    now, _ = next(
        (r, 0) for r in sandbox.state("heavenhr", "employees") if r["id"] == employee["id"]
    )
    assert {name: now[name] for name in new} == new
    assert len(patches(sandbox)) == before + 1
    asked = [c for c in select_cases(engine, "rejected") if "did not do it" in c["question"]]
    assert len(asked) == 1
    assert asked[0]["connection"] == "weekly10"
    with engine.ledger.read() as tx:
        assert not [
            change for change in tx.select_history(lost=True)
            if change.lost in (user["email"], user["last_name"])
        ]  # fmt: skip
