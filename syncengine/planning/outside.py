"""Outside: in plain words, why a system is not to hold a record, and until when that is known to be so."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from syncengine.model.link import SCOPE, Wait
from syncengine.planning.scene import Scene


def outside(scene: Scene) -> Wait:
    """What a link that is out of scope waits for: ``active is no, until 2026-12-01``. Of fields that are neither yes
    nor no, and of sensitive ones, the name alone is told."""
    scope, fields = scene.system.scope, scene.entity.fields
    named = {} if scope is None else scope.named(scene.record, scene.world)
    hidden = {name for name, declared in fields.items() if declared.sensitive}
    told = [
        f"{name} is {'yes' if value else 'no'}"
        for name, value in named.items()
        if isinstance(value, bool) and name.partition(".")[0] not in hidden
    ]
    what = ", ".join(told) or f"out of scope by {', '.join(named) or 'the mapping'}"
    until = _until(scene)
    return Wait(SCOPE, f"{what}, until {until}" if until else what)


def _until(scene: Scene) -> str:
    """The first day, of those that the record names and the days after these, on which it is in scope."""
    scope, today = scene.system.scope, scene.world.today
    if scope is None or not scope.uses_today:
        return ""
    shown = [
        str(scene.record.values[name])
        for name, declared in scene.entity.fields.items()
        if declared.type == "date" and not declared.sensitive and scene.record.values.get(name)
    ]
    after = [(date.fromisoformat(day) + timedelta(days=1)).isoformat() for day in shown]
    for day in sorted({*shown, *after}):
        if day > today and scope.on_record(scene.record, replace(scene.world, today=day)):
            return day
    return ""
