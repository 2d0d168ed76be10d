"""The project that most tests use: people in ``hr``, who get an account in ``lms``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from syncengine.flows.core.limits import Limits
from syncengine.model.resource import ConnectorSpec
from syncengine.simulation.bench import LIMITS, emptied, new_database, project
from syncengine.simulation.clock import ManualClock
from syncengine.simulation.traits import spec
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench

FIELDS = """
  email: {type: email}
  name: {type: string}
  job: {type: string, on_conflict: newest}
"""
MAPPED = "{email: email, name: name, job: job}"
LIMITS_WIDE = replace(LIMITS, batch=500)
COLUMNS = ("id", "email", "name", "job")
HR = f"{{resource: people, flow: both, create: in, fields: {MAPPED}}}"
LMS = f"{{resource: people, flow: both, create: out, fields: {MAPPED}}}"
HR_DELETES = HR.replace("create: in", "create: in, on_missing: delete")
"""Whose row in ``hr`` is gone is deleted."""
LMS_DELETES = LMS.replace("create: out", "create: out, on_leave: delete")
"""Whose record is deleted loses the account."""
LMS_SCOPED = LMS_DELETES.replace("on_leave", "scope: \"job != 'left'\", on_leave")
"""So does who leaves."""
LMS_KEYED = LMS.replace("create: out", "create: out, key: email")
LMS_BOTH = LMS.replace("create: out", "create: both")
LMS_IN = LMS.replace("create: out", "create: in")
LMS_NONE = LMS.replace("create: out", "create: none")


def entity(
    fields: str = FIELDS, more: str = "", identity: str = "[[email]]", **systems: str
) -> str:
    """A person.yaml: connection -> its system in flow style. ``more``: further top keys."""
    lines = "".join(f"  {name}: {text}\n" for name, text in systems.items())
    return (
        f"version: 1\nentity: person\n{more}fields:\n{fields.strip(chr(10))}\n"
        f"identity: {identity}\nsystems:\n{lines}"
    )


@cache
def _database() -> Any:
    return new_database()


def bench(
    *vendors: FakeVendor, files: tuple[str, ...], modes: Mapping[str, str] | None = None,
    limits: Limits = LIMITS,
) -> Bench:  # fmt: skip
    """An engine on these vendors, which share one clock, and an empty store."""
    clock = vendors[0].clock
    assert isinstance(clock, ManualClock)
    made = project(vendors, *files, modes=modes)
    return Bench.on(vendors, made, emptied(_database()), clock, limits)


def vendor(name: str, clock: ManualClock, **given: Any) -> FakeVendor:
    """A vendor of people; what is no trait of ``FakeVendor`` is an ability of its resource."""
    traits = {
        n: given.pop(n)
        for n in ("answers", "shape", "unique", "late", "stamps", "deaf")
        if n in given
    }
    columns = given.pop("columns", COLUMNS)
    return FakeVendor(spec(name, *columns, **given), clock, **traits)


def duo(
    hr: Mapping[str, Any] | None = None, lms: Mapping[str, Any] | None = None,
    hr_system: str = HR, lms_system: str = LMS, fields: str = FIELDS, more: str = "",
    modes: Mapping[str, str] | None = None, limits: Limits = LIMITS, rules: tuple[str, ...] = (),
    identity: str = "[[email]]",
) -> Bench:  # fmt: skip
    """People in ``hr`` and their accounts in ``lms``; server ids, found again by email."""
    clock = ManualClock()
    both = (
        vendor("hr", clock, **(hr or {})),
        vendor("lms", clock, **{"search": ("email",), **(lms or {})}),
    )
    text = entity(fields, more, identity, hr=hr_system, lms=lms_system)
    return bench(*both, files=(text, *rules), modes=modes, limits=limits)


def together(*specs: ConnectorSpec) -> ConnectorSpec:
    """One vendor that has the resources of all."""
    return replace(specs[0], resources={n: r for s in specs for n, r in s.resources.items()})


def remap(made: Bench, text: str, modes: Mapping[str, str] | None = None) -> None:
    """The project is changed, and the engine started anew."""
    made.engine.project = project(list(made.vendors.values()), text, modes=modes)


def row(**changes: Any) -> dict[str, Any]:
    """What Anna's row shows."""
    return {"email": "anna@x.de", "name": "Anna", "job": "dev", **changes}


def crowd(made: Bench, size: int = 12) -> list[str]:
    """Enter many people in ``hr``; their ids there."""
    hr = made.vendors["hr"]
    return [hr.add(email=f"p{n}@x.de", name=f"P{n}", job="dev") for n in range(size)]


def anna(made: Bench, **values: Any) -> tuple[str, str]:
    """Enter Anna in ``hr`` and sync; her ids in ``hr`` and in ``lms``."""
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    mine = hr.add(**row(**values))
    made.sync()
    (theirs,) = lms.rows()
    return mine, theirs


def lead(made: Bench, job: str = "lead") -> tuple[str, str]:
    """Anna became lead in ``hr``, and the write to ``lms`` is planned."""
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job=job)
    made.scan("hr")
    made.think()
    return mine, theirs
