"""A company of a thousand at all five vendors: from empty to converged, and again while a tenth of all calls fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from syncengine.bootstrap import open_engine
from syncengine.flows.sync import sync
from syncengine.sandbox.faults import KINDS
from syncengine.sandbox.process import Row, SandboxProcess
from syncengine.settings import read_settings
from tests.integration.support import MAPPINGS, QUICK

VENDORS = ("heavenhr", "haekka", "hakuna", "heiaheia", "weekly10")
SHARE = 0.1
"""Of all calls, how many are struck by a fault."""
TOKENS = ("heavenhr", "heiaheia", "weekly10")
"""Whose tokens can expire. A key that is refused is wrong until a person gives another one, and stops its connection;
that is no fault which passes by itself."""
PASSES = 12
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
    """How a run ended. ``rows``: what the vendors have in the end; ``share``: of the calls that a fault hit."""

    rows: dict[str, list[str]]
    cases: dict[str, int]
    counters: dict[str, Row]
    limited: int
    share: float
    passes: int


@contextmanager
def faults(sandbox: SandboxProcess, share: float) -> Iterator[None]:
    """Every kind of fault at every vendor, each as often, so that ``share`` of the calls is struck."""
    for vendor in VENDORS if share else ():
        kinds = [kind for kind in KINDS if kind != "expire_tokens" or vendor in TOKENS]
        for seed, kind in enumerate(kinds):
            sandbox.fault(vendor, kind, probability=share / len(kinds), seed=seed, delay=0.5)
    yield
    sandbox.clear_faults()


def run(folder: Path, people: int, share: float, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Sync from an empty database until nothing is left to do, with faults and then without."""
    folder.mkdir()
    with SandboxProcess(people=people) as sandbox:
        for name, value in sandbox.env.items():
            monkeypatch.setenv(name, value)
        about = {"SYNCENGINE_DATABASE_URL": f"sqlite:///{folder}/engine.db"}
        settings = read_settings({**QUICK, **about, "SYNCENGINE_PROJECT": str(MAPPINGS)})
        with open_engine(settings) as engine:
            passes = 0
            with faults(sandbox, share):
                document: dict[str, Any] = {"converged": False}
                while not document["converged"]:
                    assert passes < PASSES, document["faults"]
                    document = sync(engine)
                    passes += 1
                asked = sandbox.requests()
            document = sync(engine)
            assert document["converged"], document["faults"]
            assert passes == 1 or share
            if share:
                document = sync(engine)
            assert not sum(document["operations"].values())
        return Outcome(
            rows={place: final(sandbox, place) for place in OWN},
            cases=document["cases"],
            counters=sandbox.counters(),
            limited=sum(r["status"] == 429 and not r["fault"] for r in asked),
            share=sum(bool(r["fault"]) for r in asked) / len(asked),
            passes=passes,
        )


def final(sandbox: SandboxProcess, place: str) -> list[str]:
    """The rows of a resource, as texts in order, without what is another each time."""
    vendor, _, resource = place.partition("/")
    texts = []
    for row in sandbox.state(vendor, resource):
        kept = {name: value for name, value in row.items() if name not in OWN[place]}
        if (
            "date_completed" in kept
        ):  # where a vendor only says that it is done, the time is that of our look
            kept["date_completed"] = kept["date_completed"] is not None
        texts.append(re.sub(r" ?\[sync:[^\]]*\]", "", json.dumps(kept, sort_keys=True)))
    return sorted(texts)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("people", [pytest.param(60, marks=pytest.mark.ci), 1000])
def test_faults_leave_no_trace(
    people: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a tenth of all calls struck by every kind of fault the vendors end with the very rows that they have
    without; nothing is made twice, HeiaHeia is never asked two things at once, hakuna never over its limit."""
    quiet = run(tmp_path / "quiet", people, 0, monkeypatch)
    struck = run(tmp_path / "struck", people, SHARE, monkeypatch)
    assert SHARE / 2 < struck.share < SHARE * 1.5
    for outcome in (quiet, struck):
        assert {v: c["duplicates"] for v, c in outcome.counters.items()} == dict.fromkeys(
            VENDORS, 0
        )
        assert outcome.counters["heiaheia"]["concurrency"] == 1
        assert outcome.limited == 0
    assert struck.rows == quiet.rows
    assert struck.cases == quiet.cases
    assert sum(c["applied"] for c in quiet.counters.values()) > people
