"""The systems of an entity: what flows, who creates, and how each field is spelled there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncengine.mapping.draft import Draft, RecordScope, RowScope, chosen_key, truth
from syncengine.mapping.project import System
from syncengine.mapping.rule import Field, Rule
from syncengine.mapping.rules import (
    FLOWS,
    Place,
    compile_rule,
    vendor_root,
    warn_of_guesses,
    writable,
)
from syncengine.mapping.source import Loc, near


def compile_systems(draft: Draft, entity: str, fields: Mapping[str, Field]) -> dict[str, System]:
    """By connection; what cannot be understood is reported and left out."""
    own = draft.entities[entity]
    made: dict[str, System] = {}
    for name, part in own.part.systems.items():
        loc: Loc = ("systems", name)
        connection = draft.connections.get(name)
        if connection is None:
            if name not in draft.declared:
                hint = near(name, draft.declared)
                own.document.fault(loc, f"no connection {name!r}, {hint}")
            continue
        resource = connection.spec.resources.get(part.resource)
        if resource is None:
            hint = near(part.resource, connection.spec.resources)
            text = f"{connection.connector} has no resource {part.resource!r}, {hint}"
            own.document.fault((*loc, "resource"), text, value=True)
            continue
        made[name] = _system(
            Place(draft, own.document, entity, fields, connection, resource, part, loc)
        )
    return made


def _system(place: Place) -> System:
    part = place.part
    _check_create(place)
    _check_leaving(place)
    _check_set(place)
    rules: dict[str, Rule] = {}
    for name, item in part.fields.items():
        rule = compile_rule(place, name, item)
        if rule is not None:
            rules[name] = rule
    _check_shared(place, rules)
    _check_complete(place, rules)
    draft, document, loc = place.draft, place.document, place.loc
    record = RecordScope(draft, place.entity)
    row = RowScope(draft, place.resource, place.zone)
    where = scope = key = None
    if part.where is not None:
        where = draft.expression(document, (*loc, "where"), part.where, row, truth, place.zone)
        warn_of_guesses(place, (*loc, "where"), where.row_fields if where else ())
    if part.scope is not None:
        scope = draft.expression(document, (*loc, "scope"), part.scope, record, truth)
    if part.key is not None:
        key = draft.expression(document, (*loc, "key"), part.key, record, chosen_key)
    return System(
        connection=place.connection.name,
        resource=place.resource,
        flow=part.flow,
        where=where,
        scope=scope,
        key=key,
        create=part.create,
        on_missing=part.on_missing,
        on_leave=part.on_leave,
        set_create=dict(part.set.create),
        set_leave=dict(part.set.leave),
        rules=rules,
        position=document.position(loc),
        at={".".join(key): document.position((*loc, *key)) for key in _keys(place)},
    )


def _keys(place: Place) -> Iterator[tuple[str, ...]]:
    """What is said of a system, constants one by one."""
    document, loc = place.document, place.loc
    yield from ((key,) for key in document.names(*loc))
    for kind in ("create", "leave"):
        yield from (("set", kind, path) for path in document.names(*loc, "set", kind))


def _check_create(place: Place) -> None:
    part, resource = place.part, place.resource
    if not FLOWS[part.create] <= FLOWS[part.flow]:
        place.fault("create", f"is wider than flow: {part.flow}, narrow it", value=True)
    elif "out" in FLOWS[part.create] and not resource.create:
        place.fault("create", f"{resource.name} cannot be created there, write in or none", True)
    if part.key is not None:
        if "out" not in FLOWS[part.create]:
            place.fault("key", "is used at creation only, write create: out or both, or remove it")
        elif resource.chosen_id is None:
            place.fault("key", f"the vendor chooses the id of {resource.name}, remove it")
    if "out" in FLOWS[part.flow] and not (resource.create or resource.update):
        place.fault("flow", f"{resource.name} cannot be written, write in or match", value=True)


def _check_leaving(place: Place) -> None:
    part, resource = place.part, place.resource
    written = "out" in FLOWS[part.flow]
    if part.scope is not None and not written:
        place.fault("scope", "says what is written, and nothing is; remove it or use where")
    if part.on_missing == "recreate" and not (written and resource.create):
        place.fault(
            "on_missing", "nothing is created there, write keep, flag or delete", value=True
        )
    if part.on_leave == "delete":
        if not resource.delete:
            text = f"{resource.name} cannot be deleted there, use keep and set.leave"
            place.fault("on_leave", text, value=True)
        if part.set.leave:
            place.fault("set.leave", "does not go with on_leave: delete, remove one of them")


def _check_set(place: Place) -> None:
    for key, constants in (("create", place.part.set.create), ("leave", place.part.set.leave)):
        for path in constants:
            loc = (*place.loc, "set", key, path)
            if "out" not in FLOWS[place.part.flow]:
                place.document.fault(loc, "nothing is written there, remove it")
            elif (name := vendor_root(place, loc, path)) and not writable(place.resource, name):
                place.document.fault(
                    loc, f"{place.connection.connector} does not take it, remove it"
                )


def _check_shared(place: Place, rules: Mapping[str, Rule]) -> None:
    """Two rules that write one path would undo each other's writes for ever."""
    writers: dict[str, str] = {}
    for name, rule in rules.items():
        for path in rule.paths if rule.writes else ():
            if writers.setdefault(path, name) != name:
                text = f"{writers[path]} writes {path} already, let one of them flow: in"
                place.document.fault((*place.loc, "fields", name), text)


def _check_complete(place: Place, rules: Mapping[str, Rule]) -> None:
    """Warnings: what is allowed but hardly meant."""
    part, resource = place.part, place.resource
    filled = {name for rule in rules.values() if rule.writes for name in rule.roots}
    constants: dict[str, Any] = {**part.set.create}
    filled |= {name.split(".")[0].split("[")[0] for name in constants}
    if part.key is not None and resource.chosen_id:
        filled.add(resource.chosen_id)
    if "out" in FLOWS[part.create]:
        missing = [n for n, f in resource.fields.items() if f.required and n not in filled]
        if missing:
            text = f"a new row is refused without {', '.join(missing)}, add a rule or set.create"
            place.document.warn(place.loc, text)
    for path in part.set.leave:
        if path.split(".")[0].split("[")[0] not in filled:
            text = "no rule writes it, so nothing undoes it when the record comes back"
            place.document.warn((*place.loc, "set", "leave", path), text)
    schedule = place.connection.resources.get(resource.name)
    if schedule is None or (schedule.poll is None and schedule.scan is None):
        text = f"{resource.name} is never read, give it poll or scan in connections"
        place.document.warn(place.loc, text)
