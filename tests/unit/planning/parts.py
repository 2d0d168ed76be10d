"""Compiled entities and small values for tests of what is pure."""

from __future__ import annotations

from functools import cache
from typing import Any

from syncengine.mapping import Entity, Project, System
from syncengine.model.link import Base, Link, LinkState
from syncengine.model.operation import Action, Operation
from syncengine.model.record import Record, World
from syncengine.planning.plan import decide
from syncengine.planning.plan_input import Plan, PlanInput
from syncengine.simulation.bench import project
from syncengine.simulation.clock import ManualClock
from tests.support.people import FIELDS, HR, LMS, entity, vendor

TODAY = World("2026-11-22")
ROW = {"email": "anna@x.de", "name": "Anna", "job": "dev"}


@cache
def compiled(
    fields: str = FIELDS, lms_system: str = LMS, hr_system: str = HR,
    abilities: tuple[tuple[str, Any], ...] = (), identity: str = "[[email]]",
) -> Project:  # fmt: skip
    """A project of ``hr`` and ``lms``; ``abilities``: of the resource of ``lms``."""
    clock = ManualClock()
    both = (vendor("hr", clock), vendor("lms", clock, **dict(abilities)))
    return project(both, entity(fields, identity=identity, hr=hr_system, lms=lms_system))


def person(**given: Any) -> Entity:
    """The entity."""
    return compiled(**given).entities["person"]


def lms(**given: Any) -> System:
    """How it stands in ``lms``."""
    return person(**given).systems["lms"]


def agreed(**given: Any) -> Base:
    """What both sides hold, by the rules that there are."""
    return Base(ROW, ROW, rules={n: rule.fingerprint for n, rule in lms(**given).rules.items()})


def a_link(**given: Any) -> Link:
    """A linked row that both sides agree on."""
    known: dict[str, Any] = {
        "id": "k1", "entity": "person", "connection": "lms", "resource": "people",
        "external_id": "x1", "record_id": "r1", "state": LinkState.LINKED, "row": ROW,
        "base": agreed(), "read_at": 100.0, "row_version": 3,
    }  # fmt: skip
    return Link(**{**known, **given})


def a_record(**given: Any) -> Record:
    """Anna."""
    values = {**ROW, **given.pop("values", {})}
    return Record(**{"id": "r1", "entity": "person", "values": values, **given})


def an_operation(**given: Any) -> Operation:
    """A write of a new job."""
    known: dict[str, Any] = {
        "id": "o1", "link_id": "k1", "record_id": "r1", "entity": "person", "connection": "lms",
        "resource": "people", "action": Action.UPDATE, "body": {"job": "lead"},
        "carried": {"job": "lead"}, "expected": {"job": "dev"}, "external_id": "x1",
    }  # fmt: skip
    return Operation(**{**known, **given})


def plan_input(link: Link | None = None, record: Record | None = None, **given: Any) -> PlanInput:
    """One link and its surroundings."""
    about = {
        n: given.pop(n) for n in ("siblings", "ready", "refused", "world", "holder") if n in given
    }
    made = person(**given)
    return PlanInput(
        made, made.systems["lms"], link or a_link(), record or a_record(),
        about.pop("world", TODAY), **about,
    )  # fmt: skip


FRESH: dict[str, Any] = {
    "state": LinkState.CREATING, "external_id": None, "row": None, "base": Base(), "dirty": 1,
}  # fmt: skip


SCOPED = LMS.replace("create: out", "create: out, scope: \"job != 'left'\"")


LEAVES = SCOPED.replace("flow: both", "flow: both, set: {leave: {name: gone}}")


DELETES = SCOPED.replace("flow: both", "flow: both, on_leave: delete")


LEFT = {"values": {"job": "left"}}


def missing(policy: str) -> str:
    return LMS.replace("create: out", f"create: out, on_missing: {policy}")


def plan(link: Any = None, record: Any = None, **about: Any) -> Plan:
    return decide(plan_input(a_link(**(link or {})), a_record(**(record or {})), **about))
