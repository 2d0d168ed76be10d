"""HeiaHeia's figures: a history of what the vendor tells only once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from syncengine.flows.core.engine import Engine
from syncengine.flows.run.sync import sync
from syncengine.model.record import Record
from syncengine.sandbox.heiaheia import REPORTS, ROOT
from syncengine.sandbox.process import SandboxProcess
from tests.integration.support import Quick

SANDBOX = {"people": 16}
LEVELS, DATA = f"GET {ROOT}/{{id}}/energy_levels", f"GET {REPORTS}/{{id}}/full_data"


def records(engine: Engine, entity: str) -> list[Record]:
    with engine.ledger.read() as tx:
        return tx.records_of(entity)


def asked(sandbox: SandboxProcess) -> Counter[str]:
    return Counter(sandbox.counters()["heiaheia"]["routes"])


def pass_of(engine: Engine) -> dict[str, Any]:
    return sync(engine, connection="heiaheia")


def test_figures_are_kept_day_by_day_and_months_are_read_once(
    sandbox: SandboxProcess, engine: Engine
) -> None:
    """Two days are two snapshots of each organisation and of each of its companies, each with its own figures; a closed
    month and a viewed report are asked for once, one call at a time; nulls stay nulls."""
    assert pass_of(engine)["converged"]
    first = asked(sandbox)
    levels = [r for e in ("energy_level", "business_energy_level") for r in records(engine, e)]
    assert (first[LEVELS], first[DATA]) == (len(levels), 6)
    sandbox.mutate("heiaheia", "organisations", "update", 123, {"app_use_count": 5000})
    assert isinstance(engine.clock, Quick)
    today = engine.today
    engine.clock.ahead = 86400.0
    assert pass_of(engine)["converged"]
    days = Counter(str(r.values["day"]) for r in records(engine, "usage_snapshot"))
    assert days == {today: 3, engine.today: 3}
    parts = Counter(str(r.values["day"]) for r in records(engine, "business_usage"))
    assert parts == {today: 4, engine.today: 4}
    uses = {
        str(r.values["day"]): r.values["uses"]
        for r in records(engine, "usage_snapshot")
        if r.values["uses"] == 5000
    }
    assert uses == {engine.today: 5000}
    more = asked(sandbox) - first
    if engine.today[:7] == today[:7]:
        assert not more[LEVELS]
    assert not more[DATA]
    few = [r.values for r in records(engine, "energy_level") if r.values["too_few"]]
    assert few
    assert all("average" not in values and values["reason"] == "too_few_results" for values in few)
    assert sandbox.counters()["heiaheia"]["concurrency"] == 1


def test_a_report_that_is_made_anew_is_read_anew(sandbox: SandboxProcess, engine: Engine) -> None:
    """A moved ``generated_at`` is one more download of that report, and no other."""
    pass_of(engine)
    before = asked(sandbox)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    sandbox.mutate("heiaheia", "reports", "update", 708, {"generated_at": now})
    pass_of(engine)
    assert (asked(sandbox) - before)[DATA] == 1


def test_withdrawn_access_keeps_what_is_known(sandbox: SandboxProcess, engine: Engine) -> None:
    """An organisation that may not be seen any more loses no record and raises no question, and the others go on."""
    pass_of(engine)
    entities = ("organisation", "business", "survey_report")
    known = [len(records(engine, entity)) for entity in entities]
    sandbox.mutate("heiaheia", "organisations", "update", 123, {"access": False})
    assert isinstance(engine.clock, Quick)
    for _ in range(2):
        document = pass_of(engine)
        engine.clock.ahead += 120
    assert [len(records(engine, entity)) for entity in entities] == known
    assert not document["cases"]
    assert document["converged"], document["faults"]
    assert len(records(engine, "usage_snapshot")) == 3
    assert len(records(engine, "business_usage")) == 4
