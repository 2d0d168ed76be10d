"""Many people in two systems, most of whom leave at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Engine as Database

from syncengine.simulation.bench import LIMITS
from tests.support.bench import Bench
from tests.support.people import HR, LMS, LMS_SCOPED, duo

SAFETY = "safety: {deletes: 10%, floor: 6, window: 1h}\n"
LEAVES = LMS.replace(
    "create: out", "create: out, scope: \"job != 'left'\", set: {leave: {name: gone}}"
)
ANSWERS = ("approve", "reject")


def crowd(
    size: int = 12, batch: int = 100, lms: str = LMS_SCOPED, hr: str = HR, more: str = SAFETY,
    database: Database | None = None,
) -> Bench:  # fmt: skip
    """Many people, linked in both."""
    made = duo(hr_system=hr, lms_system=lms, more=more, limits=replace(LIMITS, batch=batch))
    if database is not None:
        engine, vendors = made.engine, list(made.vendors.values())
        made = Bench.on(vendors, engine.project, database, made.clock, engine.limits)
    for n in range(size):
        made.vendors["hr"].add(email=f"p{n:02}@x.de", name=f"P{n}", job="dev")
    made.sync()
    assert len(made.vendors["lms"].rows()) == size
    return made


def people(made: Bench) -> list[str]:
    """Their ids in ``hr``."""
    return sorted(made.vendors["hr"].rows())


def edit(made: Bench, some: Sequence[str], **values: str) -> None:
    """People are changed in ``hr``."""
    for name in some:
        made.vendors["hr"].edit(name, **values)


def deletes(made: Bench) -> int:
    """How many deletes arrived in ``lms``."""
    return [verb for verb, _ in made.vendors["lms"].wrote()].count("delete")


def staged() -> Bench:
    """Ten of twelve leave, and the plan waits."""
    made = crowd()
    edit(made, people(made)[:10], job="left")
    made.sync()
    assert len(made.case().evidence["links"]) == 10
    return made
