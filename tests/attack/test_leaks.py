"""The attacker reads what operators see: logs, faults, what commands print for machines, metrics. Vendors fail in each
way that the sandbox knows, and nothing of its people, and nothing that lets us in, stands there."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from syncengine.flows.capture.capture import capture
from syncengine.flows.core.engine import Engine
from syncengine.flows.run.sync import sync
from syncengine.flows.views.status import status
from syncengine.sandbox.claims import NOT_DONE, UNNAMED
from syncengine.sandbox.faults import KINDS
from syncengine.sandbox.process import SandboxProcess
from syncengine.web.watch import LedgerCollector
from tests.integration.support import VENDORS, Quick, opened
from tests.support.leaks import found_in, seeded

TELLING = (
    ("heavenhr", "employees"), ("heavenhr", "absences"), ("hakuna", "users"), ("hakuna", "absences"),
    ("haekka", "employees"), ("heiaheia", "organisations"), ("weekly10", "users"),
)  # fmt: skip
"""Listings whose rows speak."""
SLOW = ("late", "huge", "slow", "slow_head", "slow_body")
READS = [kind for kind in KINDS if kind not in (*NOT_DONE, *UNNAMED)]
QUICK = {"delay": 0.05}


@dataclass
class Said:
    """What operators have seen so far."""

    logs: io.StringIO
    documents: list[Any] = field(default_factory=list)

    def take(self) -> str:
        """All of it since the last time."""
        text = self.logs.getvalue() + json.dumps(self.documents, default=str)
        self.logs.truncate(self.logs.seek(0))
        self.documents.clear()
        return text


@pytest.fixture
def said(logged: io.StringIO) -> Said:
    """Logs, and nothing else yet."""
    return Said(logged)


def shown(engine: Engine) -> list[Any]:
    """What ``status`` and ``/metrics`` say."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(engine))
    return [status(engine), generate_latest(registry).decode()]


@pytest.mark.parametrize(
    "places",
    [2, pytest.param(len(TELLING), marks=pytest.mark.long)],
    ids=["each at some vendor", "each at each vendor"],
)
def test_a_listing_that_fails_tells_no_value(
    sandbox: SandboxProcess, tmp_path: Path, said: Said, places: int
) -> None:
    """Each way in which a listing can fail."""
    sandbox.reset()
    wanted, told = seeded(sandbox), 0
    with opened(sandbox, tmp_path, Quick()) as engine:
        for number, kind in enumerate(READS):
            if kind in SLOW and places == 2:
                continue
            for n in range(places):
                vendor, resource = TELLING[(number + 3 * n) % len(TELLING)]
                sandbox.fault(vendor, kind, **QUICK)
                said.documents.append(capture(engine, vendor, resource, "scan").fault)
                told += bool(said.documents[-1])
                sandbox.clear_faults()
                engine.note_success(vendor)
            said.documents += shown(engine)
            assert found_in(said.take(), wanted) == set(), kind
    assert {row["fault"] for row in sandbox.requests()} >= {*READS} - {*SLOW}
    assert told > len(READS) / 2, "there was something to be told"


ROUNDS = range(len(KINDS))


@pytest.mark.long
@pytest.mark.parametrize("number", ROUNDS)
def test_a_pass_among_failures_tells_no_value(
    sandbox: SandboxProcess, tmp_path: Path, said: Said, number: int
) -> None:
    """A whole pass, in which each vendor fails in another way, at some reads and at the first writes."""
    sandbox.reset()
    wanted = seeded(sandbox)
    kinds = {vendor: KINDS[(number + 7 * n) % len(KINDS)] for n, vendor in enumerate(VENDORS)}
    for vendor, kind in kinds.items():
        for method, skip in (("GET", 0), ("GET", 5), ("POST", 0), ("PATCH", 0), ("PUT", 0)):
            sandbox.fault(vendor, kind, method=method, count=2, skip=skip, **QUICK)
    with opened(sandbox, tmp_path, Quick()) as engine:
        said.documents += [sync(engine), *shown(engine)]
    assert found_in(said.take(), wanted) == set()
