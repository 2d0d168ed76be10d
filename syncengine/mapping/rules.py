"""Field rules: paths, codecs, values and expressions of one field in one system."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final
from zoneinfo import ZoneInfo

from syncengine.mapping.canonical import parser
from syncengine.mapping.codecs import Lens, alone, coded, tabled, typed
from syncengine.mapping.draft import PSEUDO, Draft, RecordScope, RowScope
from syncengine.mapping.expressions import Expression
from syncengine.mapping.paths import parse, root
from syncengine.mapping.project import Connection
from syncengine.mapping.rule import Field, Rule, Target, Written
from syncengine.mapping.schema import RulePart, SystemPart
from syncengine.mapping.source import Document, Loc, near
from syncengine.mapping.words import Flow
from syncengine.model.resource import ResourceSpec
from syncengine.model.values import TypeName

FLOWS: Mapping[str, frozenset[str]] = {
    "in": frozenset({"in"}),
    "out": frozenset({"out"}),
    "both": frozenset({"in", "out"}),
    "match": frozenset(),
    "none": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a system stands while it is compiled."""

    draft: Draft
    document: Document
    entity: str
    fields: Mapping[str, Field]
    connection: Connection
    resource: ResourceSpec
    part: SystemPart
    loc: Loc

    @property
    def zone(self) -> ZoneInfo:
        """Of the connection's stamps without one."""
        return ZoneInfo(self.connection.timezone)

    def fault(self, key: str, text: str, value: bool = False) -> None:
        """A fault of one key of the system."""
        self.document.fault((*self.loc, *key.split(".")), text, value)


_MANY: Final = frozenset({"list", "set", "object"})


def compile_rule(place: Place, name: str, part: RulePart) -> Rule | None:
    """One rule; None where it cannot be understood, which is reported."""
    loc: Loc = (*place.loc, "fields", name)
    field = place.fields.get(name)
    if field is None:
        known = place.document.names("fields")
        if name not in known:
            place.document.fault(loc, f"{place.entity} has no field {name!r}, {near(name, known)}")
        return None
    if not _check_form(place, loc, part):
        return None
    paths = (part.field,) if part.field else tuple(part.write or ())
    roots = _roots(place, loc, part)
    if roots is None:
        return None
    flow = _flow(place, loc, part, field, roots)
    read = _read(place, loc, part)
    written = _written(place, loc, part)
    lens = _lens(place, loc, part, field, writes=flow in ("out", "both"))
    if flow is None or lens is None or (part.read and read is None) or written is None:
        return None
    if read is not None:
        roots |= read.row_fields
    return Rule(
        field=field,
        position=place.document.position(loc),
        flow=flow,
        apply=part.apply,
        paths=paths or tuple(sorted(roots)),
        roots=roots,
        fingerprint=_fingerprint(place, part, field, flow, roots),
        lens=lens,
        target=_target(place, loc, field),
        read=read,
        written=written,
        steps=parse(part.field) if part.field else (),
    )


def _fingerprint(
    place: Place, part: RulePart, field: Field, flow: Flow, roots: frozenset[str]
) -> str:
    """What a base value is known by: raw values of two rules compare only if they come from the same place."""
    where = part.field or (sorted(roots) if part.write else part.read)
    how = (
        flow, field.type, field.of, field.to, field.choices, str(place.zone),
        part.model_dump(mode="json"),
    )  # fmt: skip
    texts = (json.dumps(said, sort_keys=True, default=str) for said in (where, how))
    return ".".join(blake2b(text.encode(), digest_size=3).hexdigest() for text in texts)


def _check_form(place: Place, loc: Loc, part: RulePart) -> bool:
    fault = place.document.fault
    if part.field is None and part.read is None and part.write is None:
        fault(loc, "says nothing, write field, or read and write")
        return False
    if part.field is not None:
        for key, written in (("read", part.read), ("write", part.write)):
            if written is not None:
                fault((*loc, key), "does not go with field, remove one of them")
                return False
    if part.codec is not None and part.field is None:
        fault((*loc, "codec"), "goes with field only, remove it")
    if part.codec is not None and part.values is not None:
        fault((*loc, "codec"), "does not go with values, remove one of them")
    return True


def _roots(place: Place, loc: Loc, part: RulePart) -> frozenset[str] | None:
    """Top names of the paths; None where one of them is wrong."""
    if part.field is not None:
        at = (*loc, "field") if "field" in place.document.names(*loc) else loc
        name = vendor_root(place, at, part.field, value=True)
        return None if name is None else frozenset({name})
    names = [vendor_root(place, (*loc, "write", path), path) for path in part.write or ()]
    return None if None in names else frozenset(name for name in names if name)


def _flow(
    place: Place, loc: Loc, part: RulePart, field: Field, roots: frozenset[str]
) -> Flow | None:
    """The flow of a rule: what is said, else the system's as far as the rule can."""
    system = FLOWS[place.part.flow]
    able, why = {"in", "out"}, ""
    if part.read is not None and part.write is None:
        able, why = {"in"}, "read alone flows in"
    elif part.write is not None and part.read is None:
        able, why = {"out"}, "write alone flows out"
    stiff = sorted(name for name in roots if not writable(place.resource, name))
    if stiff and "out" in able and part.field is not None:
        able, why = able - {"out"}, f"{place.connection.connector} does not take {stiff[0]}"
    elif stiff and part.write is not None:
        text = f"{place.connection.connector} does not take {stiff[0]}, remove it"
        place.document.fault((*loc, "write"), text)
    if field.formula is not None:
        able, why = able - {"in"}, why or "a formula flows out only"
    wanted = FLOWS[part.flow] if part.flow else system & able
    if not wanted <= system:
        text = f"is wider than flow: {place.part.flow} of the system, narrow it"
        place.document.fault((*loc, "flow"), text, value=True)
        return None
    if not wanted <= able:
        place.document.fault((*loc, "flow"), f"{why}, so it cannot be {part.flow}", value=True)
        return None
    if (system and not wanted and part.flow is None) or (field.formula and not wanted):
        text = f"flows nowhere: {why}, and the system flows {place.part.flow}; remove it"
        place.document.fault(loc, text)
        return None
    names: dict[frozenset[str], Flow] = {
        frozenset({"in", "out"}): "both", frozenset({"in"}): "in",
        frozenset({"out"}): "out", frozenset(): "match",
    }  # fmt: skip
    return names[frozenset(wanted)]


def _read(place: Place, loc: Loc, part: RulePart) -> Expression | None:
    if part.read is None:
        return None
    scope = RowScope(place.draft, place.resource, place.zone)
    at = (*loc, "read")
    read = place.draft.expression(place.document, at, part.read, scope, zone=place.zone)
    warn_of_guesses(place, at, read.row_fields if read else ())
    return read


def _written(place: Place, loc: Loc, part: RulePart) -> tuple[Written, ...] | None:
    made: list[Written] = []
    scope = RecordScope(place.draft, place.entity)
    for path, source in (part.write or {}).items():
        at = (*loc, "write", path)
        value = place.draft.expression(place.document, at, source, scope)
        if value is None:
            return None
        lens = typed(_theirs(place, path) or "string", place.zone, None, None)
        made.append(Written(path, parse(path), value, lens))
    return tuple(made)


def _theirs(place: Place, path: str | None) -> TypeName | None:
    """The type that the connector declares for a whole field; None for what stands deeper."""
    spec = place.resource.fields.get(path or "")
    return spec.type if spec else None


def _lens(place: Place, loc: Loc, part: RulePart, field: Field, writes: bool) -> Lens | None:
    theirs = _theirs(place, part.field)
    if part.codec is not None:
        kind, lens = coded(part.codec, place.zone, theirs)
        if kind == field.type or part.values is not None:
            return lens
        text = f"{part.codec} is for {kind} fields, and {field.name} is of type {field.type}"
        place.document.fault((*loc, "codec"), text, value=True)
        return None
    if part.values is not None:
        return _values(place, loc, part.values, field, writes)
    if field.type == "enum":
        if part.field is not None:
            text = "an enum needs values, add values: {ours: [theirs]}"
            place.document.fault(loc, text)
            return None
        return tabled({choice: [choice] for choice in field.choices}, str).lens()
    if field.is_ref and field.type in _MANY:
        many = parser(field.type, place.zone, "ref")
        return Lens(lambda raw, _old, _seen: many(raw), lambda external: external, many, empty=[])
    declared = place.resource.fields.get(part.field or "")
    longest = declared.longest if declared else None
    lens = typed(field.type, place.zone, field.of, theirs, longest)
    return alone(lens) if theirs in {"list", "set"} and field.type not in _MANY else lens


def _values(
    place: Place, loc: Loc, values: Mapping[str, list[object]], field: Field, writes: bool
) -> Lens | None:
    fault, sound = place.document.fault, True
    parse_ours = parser(field.type, place.zone, field.of)
    taken: dict[str, str] = {}
    for ours, theirs in values.items():
        at = (*loc, "values", ours)
        if field.type == "enum":
            if ours not in field.choices:
                fault(at, f"{ours!r} is no choice, {near(ours, field.choices)}")
                sound = False
        else:
            try:
                parse_ours(ours)
            except (ValueError, TypeError):
                fault(at, f"{ours!r} is no {field.type}")
                sound = False
        if writes and all(raw == "*" for raw in theirs):
            fault(at, 'has only "*", which cannot be written; add a value, or flow: in')
            sound = False
        for raw in theirs:
            if isinstance(raw, dict | list):
                fault(at, "theirs are simple values, write [a, b]")
                return None
            if taken.setdefault(str(raw), ours) != ours:
                fault(at, f"{raw!r} stands for {taken[str(raw)]!r} already, remove one of them")
                sound = False
    return tabled(values, parse_ours).lens() if sound else None


def _target(place: Place, loc: Loc, field: Field) -> Target | None:
    if not field.is_ref or field.to is None:
        return None
    own = place.draft.entities.get(field.to)
    if own is None:
        return None
    name = place.connection.name
    system = own.part.systems.get(name)
    if system is not None:
        return Target(field.to, name, system.resource)
    if name not in own.document.names("systems"):
        text = f"{name} does not carry {field.to}, add it to the systems of {field.to}"
        place.document.fault(loc, text)
    return None


def vendor_root(place: Place, loc: Loc, path: str, value: bool = False) -> str | None:
    """The top name of a path; a fault and None where it is no path or no field of the resource."""
    try:
        name = root(path)
    except ValueError as error:
        place.document.fault(loc, str(error), value)
        return None
    if name in place.resource.fields or name in PSEUDO:
        return name
    if place.resource.open:
        warn_of_guesses(place, loc, [name])
        return name
    hint = near(name, place.resource.fields)
    place.document.fault(loc, f"{place.resource.name} has no field {name!r}, {hint}", value)
    return None


def writable(resource: ResourceSpec, name: str) -> bool:
    """Whether the vendor takes a field; the parent of a row is given when it is created."""
    if name in PSEUDO:
        return name == "_parent" and resource.parent is not None and resource.create
    return name in resource.fields and resource.fields[name].writable


def warn_of_guesses(place: Place, loc: Loc, names: Iterable[str]) -> None:
    """A warning for each name that an open resource may show or not."""
    for name in sorted({*names} - place.resource.fields.keys() - PSEUDO):
        text = (
            f"{place.connection.connector} does not document the rows of {place.resource.name}, so nobody knows "
            f"whether they show {name!r}; after the first listing see with `syncengine explain` whether it has values"
        )
        place.document.warn(loc, text)
