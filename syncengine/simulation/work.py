"""What workers do in a step: one flow or all work, two of them at once, and one that dies on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from syncengine.flows.capture.capture import capture
from syncengine.flows.capture.refresh import refresh
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.limits import Limits
from syncengine.flows.reconcile.derive import derive
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.flows.run.sweep import sweep
from syncengine.flows.send.dispatch import dispatch
from syncengine.flows.send.probe import probe
from syncengine.simulation.company import Company

Flow = Callable[[Engine], Any]


class Crash(Exception):
    """A worker dies."""


def scan(company: Company, chance: Random) -> str:
    """The complete listings of a vendor."""
    name = chance.choice(company.setting.names)
    return f"{name} is listed, rows that moved: {scanned(company.bench.engine, name)}"


def scanned(engine: Engine, name: str) -> list[int]:
    """The complete listings of a vendor, read now; of each how many rows moved."""
    resources = sorted(engine.connectors[name].spec.resources, reverse=True)
    return [capture(engine, name, resource, "scan").moved for resource in resources]


def poll(company: Company, chance: Random) -> str:
    """The change feed of a vendor."""
    name = chance.choice(company.setting.names)
    moved = capture(company.bench.engine, name, "people", "poll").moved
    return f"{name} is polled, rows that moved: {moved}"


def chosen(chance: Random, *flows: Flow) -> Flow:
    """One of these flows."""
    return chance.choice(flows)


def work(company: Company, chance: Random) -> str:
    """One flow, once."""
    flow = chosen(chance, refresh, reconcile, reconcile, derive, dispatch, dispatch, probe, sweep)
    done = flow(company.bench.engine)
    return f"{flow.__name__}: {dict(done) if isinstance(done, dict) else done}"


def settle(company: Company, _: Random) -> str:
    """All work that is there."""
    company.bench.settle()
    return "all work that is there is done"


def everything(company: Company, _: Random) -> str:
    """All listings, and all work."""
    company.bench.clock.sleep(5)
    company.list_all()
    company.bench.settle()
    return "everything is listed, and all work done"


def crash(company: Company, chance: Random) -> str:
    """A worker dies right before a transaction."""
    flow = chosen(chance, refresh, reconcile, derive, dispatch, dispatch, probe)
    at = chance.randint(1, 6)

    def die() -> None:
        raise Crash

    try:
        with company.bench.between(at, die):
            flow(company.bench.engine)
    except Crash:
        return f"{flow.__name__} dies before transaction {at}"
    return f"{flow.__name__} is over before it dies"


def _hand(limits: Limits, chance: Random) -> Limits:
    """A worker that takes one thing at a time, so that another one takes the next; or one that takes all."""
    return replace(limits, batch=chance.choice([1, limits.batch]))


def both(company: Company, chance: Random) -> str:
    """Another worker does something between two transactions of this one."""
    engine, late = company.bench.engine, chance.choice([0, 0, 7])
    name, at = chance.choice(company.setting.names), chance.randint(1, 5)

    def listing(engine: Engine) -> list[int]:
        return scanned(engine, name)

    flow = chosen(chance, reconcile, dispatch, derive, probe, listing)
    second = chosen(chance, refresh, reconcile, dispatch, derive, probe, listing)

    limits, engine.limits = engine.limits, _hand(engine.limits, chance)

    def happen() -> None:
        engine.limits = limits
        company.bench.clock.sleep(late)
        second(engine)

    try:
        with company.bench.between(at, happen):
            flow(engine)
    finally:
        engine.limits = limits
    names = [f"{f.__name__} of {name}" if f is listing else f.__name__ for f in (flow, second)]
    return f"{names[0]}, and before its transaction {at} (late by {late} s) {names[1]}"
