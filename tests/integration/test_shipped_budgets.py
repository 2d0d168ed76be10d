"""The shipped project on the budgets that it ships: slow, and complete."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncengine.flows.core.engine import Engine
from syncengine.flows.run.sync import sync
from syncengine.sandbox.process import SandboxProcess
from tests.integration.support import Quick, opened

PEOPLE = 6
SANDBOX = {"people": PEOPLE, "seed": 3, "hakuna_calls": 100_000}
"""Vendors that keep to real time themselves, while the engine's is shortened; so they set no limit."""


@pytest.fixture
def engine(sandbox: SandboxProcess, tmp_path: Path) -> Iterator[Engine]:
    sandbox.env.pop("HAKUNA_CALLS", None)
    with opened(sandbox, tmp_path, Quick()) as made:
        yield made


def in_step(sandbox: SandboxProcess, engine: Engine, told: list[str]) -> dict[str, Any]:
    """One pass, and that it kept to hakuna's budget: a tenth of it at once, and then one call after the other."""
    before, began = (
        sum(sandbox.counters()["hakuna"][n] for n in ("reads", "writes")),
        engine.clock.now(),
    )
    document = sync(engine, tell=told.append)
    after = sum(sandbox.counters()["hakuna"][n] for n in ("reads", "writes"))
    minutes = (engine.clock.now() - began) / 60
    assert after - before <= 60 * minutes + 6
    return document


@pytest.mark.long
@pytest.mark.ci
def test_the_shipped_project_converges_on_the_budgets_that_it_ships(
    sandbox: SandboxProcess, engine: Engine
) -> None:
    """With 60 calls of hakuna a minute all is read and written; so is one corrected time entry, and a new hire, and
    the pass needs no more calls than it says."""
    assert engine.project.connections["hakuna"].budget.calls == 60
    told: list[str] = []
    first = in_step(sandbox, engine, told)
    assert not first["faults"]
    assert first["converged"]
    engine.clock.sleep(30.0)
    request = next(r for r in sandbox.state("heavenhr", "time_trackings") if r["endTime"] < "20")
    sandbox.mutate(
        "heavenhr", "time_trackings", "update", request["id"],
        {"endTime": "20:15", "status": "APPROVED"},
    )  # fmt: skip
    second = in_step(sandbox, engine, told)
    assert second["converged"], second["faults"]
    assert second["connections"]["hakuna"]["calls"]["writes"] == 1
    assert [e for e in sandbox.state("hakuna", "time_entries") if e["end_time"] == "20:15"]
    for name, connection in first["connections"].items():
        calls = connection["calls"]
        assert calls["lower_bound"] == calls["reads"] + calls["writes"], name


def test_the_lower_bound_counts_the_pages_that_come(
    sandbox: SandboxProcess, engine: Engine
) -> None:
    """A vendor that serves fewer rows a page than it is asked for needs more calls, and the bound says so."""
    sandbox.fault("weekly10", "small_pages", method="GET", route="/users/")
    try:
        calls = sync(engine, connection="weekly10")["connections"]["weekly10"]["calls"]
    finally:
        sandbox.clear_faults()
    assert calls["lower_bound"] == calls["reads"] + calls["writes"]
