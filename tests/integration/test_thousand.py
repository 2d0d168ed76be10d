"""A company of a thousand at all five vendors: from empty to converged, and again while a tenth of all calls fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncengine.bootstrap import open_engine
from syncengine.flows.core.engine import Engine
from syncengine.flows.people.cases import answer
from syncengine.flows.run.sync import sync
from syncengine.model.case import CaseKind
from syncengine.sandbox.faults import KINDS
from syncengine.sandbox.process import Row, SandboxProcess
from syncengine.settings import read_settings
from tests.integration.support import QUICK
from tests.support.faults import strike
from tests.support.places import MAPPINGS

VENDORS = ("heavenhr", "haekka", "hakuna", "heiaheia", "weekly10")
SHARE = 0.1
"""Of all calls, how many are struck by a fault."""
HAKUNA_CALLS = 2400
"""A minute, at the vendor and as our budget: passes that follow each other need more, at a thousand people."""
PASSES = 5
"""Syncs after which one that has not converged is given up."""
OWN = {
    "heavenhr/employees": ("updatedAt",),
    "heavenhr/time_trackings": ("id",),
    "haekka/employee_trainings": ("id",),
    "weekly10/departments": (),
    "weekly10/users": (),
    "weekly10/training_packages": (),
    "weekly10/training_records": ("api_id", "date_assigned"),
    "hakuna/time_entries": (),
}
"""What is written to, and the fields whose values are another each time."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended. ``rows``: what the vendors have in the end; ``asked``: all calls that they got; ``struck``: how
    many of those made while faults were on, and of how many."""

    rows: dict[str, list[str]]
    cases: dict[str, int]
    counters: dict[str, Row]
    asked: list[Row]
    struck: tuple[int, int]


@contextmanager
def faults(sandbox: SandboxProcess, share: float) -> Iterator[None]:
    """Every kind of fault at every vendor, for a while."""
    strike(sandbox, VENDORS, share)
    yield
    sandbox.clear_faults()


def run(folder: Path, people: int, share: float, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Sync from an empty database until nothing is left to do, with faults and then without."""
    with SandboxProcess(people=people, hakuna_calls=HAKUNA_CALLS) as sandbox:
        for name, value in sandbox.env.items():
            monkeypatch.setenv(name, value)
        about = {
            "SYNCENGINE_DATABASE_URL": f"sqlite:///{folder}/{share:g}.db",
            "SYNCENGINE_PROJECT": str(MAPPINGS),
        }
        with open_engine(read_settings({**QUICK, **about})) as engine:
            with faults(sandbox, share):
                for _ in range(PASSES if share else 1):
                    document = sync(engine)
                    if document["converged"]:
                        break
                asked = sandbox.requests()
            assert document["converged"], document["faults"]
            if share:
                tell_to_retry(engine)
                document = sync(engine)
                assert document["converged"], document["faults"]
            document = sync(engine)
            assert document["converged"], document["faults"]
            assert not sum(document["operations"].values())
        return Outcome(
            rows={place: final(sandbox, place) for place in OWN},
            cases=document["cases"],
            counters=sandbox.counters(),
            asked=sandbox.requests(),
            struck=(sum(bool(r["fault"]) for r in asked), len(asked)),
        )


def tell_to_retry(engine: Engine) -> None:
    """What a vendor accepted and did not do is asked, and answered here: once it works again, it is sent again."""
    with engine.ledger.read() as tx:
        asked = tx.cases(kind=CaseKind.REJECTED)
    assert all("accepted" in case.question for case in asked)
    for case in asked:
        answer(engine, case.id, "retry")


def final(sandbox: SandboxProcess, place: str) -> list[str]:
    """The rows of a resource, as texts in order, without what is another each time."""
    vendor, _, resource = place.partition("/")
    texts = []
    for row in sandbox.state(vendor, resource):
        kept = {name: value for name, value in row.items() if name not in OWN[place]}
        if (
            "date_completed" in kept
        ):  # of a vendor that only says "done", the time is that of our look
            kept["date_completed"] = kept["date_completed"] is not None
        texts.append(re.sub(r" ?\[sync:[^\]]*\]", "", json.dumps(kept, sort_keys=True)))
    return sorted(texts)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("people", [pytest.param(50, marks=pytest.mark.ci), 1000])
def test_faults_leave_no_trace(
    people: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a tenth of all calls struck by every kind of fault the vendors end with the very rows that they have
    without, once what they pretended to do is tried again; nothing is made twice, HeiaHeia is never asked two things
    at once, hakuna never over its limit."""
    quiet = run(tmp_path, people, 0, monkeypatch)
    struck = run(tmp_path, people, SHARE, monkeypatch)
    hits, calls = struck.struck
    assert SHARE / 2 < hits / calls < SHARE * 1.5
    assert people < 1000 or {r["fault"] for r in struck.asked} == {*KINDS, None}
    for outcome in (quiet, struck):
        counts = outcome.counters
        assert {v: counts[v]["duplicates"] for v in VENDORS} == dict.fromkeys(VENDORS, 0)
        assert counts["heiaheia"]["concurrency"] == 1
        assert not [r for r in outcome.asked if r["status"] == 429 and not r["fault"]]
    assert struck.rows == quiet.rows
    assert struck.cases == quiet.cases
    assert sum(c["applied"] for c in quiet.counters.values()) > people
