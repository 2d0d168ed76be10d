"""What a connection may ask of its vendor, whoever asks: counted by the vendor, not by us."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from syncengine.adapters.vendors import CATALOG
from syncengine.bootstrap import open_engine
from syncengine.flows.core.engine import failed
from syncengine.ledger.engine import make_engine
from syncengine.settings import Settings, read_settings
from tests.contract.peers import VENDORS, World
from tests.support.databases import POSTGRES_LONG, migrated

WORKERS = 3
MOST = 3
"""Calls at once that the project allows; some vendors bear fewer."""
pytestmark = pytest.mark.parametrize("url", ["sqlite", POSTGRES_LONG], indirect=True)


def project(folder: Path, budget: str) -> Path:
    """All vendors with one budget, and nothing to keep in agreement."""
    lines = ["version: 1", "connections:"]
    for vendor in VENDORS:
        upper = vendor.upper()
        names = [f'{n}: "${{{upper}_{n.upper()}}}"' for n in CATALOG[vendor].credentials]
        lines += [
            f"  {vendor}:",
            f"    connector: {vendor}",
            f"    base_url: ${{{upper}_BASE_URL}}",
            f"    credentials: {{{', '.join(names)}}}",
            f"    budget: {{{budget}}}",
        ]
    folder.mkdir()
    (folder / "connections.yaml").write_text("\n".join(lines), "utf-8")
    return folder


def work(settings: Settings, calls: int) -> None:
    """One worker: takes slots of all vendors, makes a call for each, and so on."""
    with open_engine(settings) as engine:
        left = dict.fromkeys(engine.connectors, calls)
        while any(left.values()):
            with ExitStack() as held:
                jobs = []
                for name, wanted in left.items():
                    free = held.enter_context(engine.slots(name, writing=wanted % 2 == 0))
                    jobs += [(name, engine.connectors[name].health)] * min(free, wanted)
                for name, result in engine.call_all(jobs, len(jobs)):
                    error = failed(result)
                    if error is not None:
                        raise error
                    left[name] -= 1
            time.sleep(0.01)


@pytest.fixture
def at_work(
    world: World, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, int], None]:
    """(budget, calls): let workers that share nothing but the store make so many calls each of every vendor."""
    for name, value in world.sandbox.env.items():
        monkeypatch.setenv(name, value)

    migrated(make_engine(url)).dispose()

    def run(budget: str, calls: int) -> None:
        folder = project(tmp_path / "project", budget)
        about = {"SYNCENGINE_PROJECT": str(folder), "SYNCENGINE_DATABASE_URL": url}
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(work, [read_settings(about)] * WORKERS, [calls] * WORKERS))

    return run


def test_slots_hold_by_the_vendor_s_own_count(
    world: World, at_work: Callable[[str, int], None]
) -> None:
    """A vendor is never asked more at once than the project allows or it bears, and the slots are used."""
    for vendor in VENDORS:
        world.sandbox.fault(vendor, "slow", delay=0.1)
    at_work(f"concurrency: {MOST}", 6)
    for vendor, counters in world.sandbox.counters().items():
        assert counters["reads"] >= WORKERS * 6
        assert counters["concurrency"] == min(MOST, CATALOG[vendor].concurrency)


@pytest.mark.long
@pytest.mark.ci
def test_budgets_hold_by_the_vendor_s_own_count(
    world: World, at_work: Callable[[str, int], None]
) -> None:
    """In no window of the budget's length does a vendor count more calls than the budget has."""
    calls, per = 12, 3
    at_work(f"calls: {calls}, per: {per}s", calls // 2)
    for vendor in VENDORS:
        asked = [r["at"] for r in world.sandbox.requests() if r["vendor"] == vendor]
        assert len(asked) >= WORKERS * calls // 2
        fullest = max(sum(start <= at < start + per for at in asked) for start in asked)
        assert fullest <= calls
        assert max(asked) - min(asked) > per
