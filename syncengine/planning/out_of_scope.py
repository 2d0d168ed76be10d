"""Why a record is out of scope of a system, in plain words, and until which day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from syncengine.mapping import Entity
from syncengine.model.condition import InScope
from syncengine.model.link import Wait
from syncengine.model.values import Json
from syncengine.planning.plan_input import PlanInput


def why_out_of_scope(plan_input: PlanInput) -> Wait:
    """What a link waits for whose record is out of scope: ``active is no, until 2026-12-01``. Of sensitive fields, and
    of fields that are neither yes nor no, only the name is shown."""
    scope = plan_input.system.scope
    named = {} if scope is None else scope.named(plan_input.record, plan_input.world)
    what = told_of(plan_input.entity, named)
    until = _until(plan_input)
    return Wait(InScope(), f"{what}, until {until}" if until else what)


def told_of(entity: Entity, named: Mapping[str, Json]) -> str:
    """``active is no``, of what a scope reads of a record of an entity."""
    hidden = {name for name, declared in entity.fields.items() if declared.sensitive}
    told = [
        f"{name} is {'yes' if value else 'no'}"
        for name, value in named.items()
        if isinstance(value, bool) and name.partition(".")[0] not in hidden
    ]
    return ", ".join(told) or f"out of scope by {', '.join(named) or 'the mapping'}"


def _until(plan_input: PlanInput) -> str:
    """The first day on which the record will be in scope, among the dates that it holds and the days after these."""
    scope, today = plan_input.system.scope, plan_input.world.today
    if scope is None or not scope.uses_today:
        return ""
    shown = [
        str(plan_input.record.values[name])
        for name, declared in plan_input.entity.fields.items()
        if declared.type == "date" and not declared.sensitive and plan_input.record.values.get(name)
    ]
    after = [(date.fromisoformat(day) + timedelta(days=1)).isoformat() for day in shown]
    for day in sorted({*shown, *after}):
        if day > today and scope.on_record(plan_input.record, replace(plan_input.world, today=day)):
            return day
    return ""
