"""Entity files: fields, owners, identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from syncengine.mapping.draft import SPECIAL, Draft, EntityDraft, RecordScope, ordered
from syncengine.mapping.expressions import RESERVED, Expression
from syncengine.mapping.project import Entity, Safety
from syncengine.mapping.rule import Field
from syncengine.mapping.schema import EntityFile, FieldPart
from syncengine.mapping.source import Document, Loc, near
from syncengine.mapping.systems import compile_systems
from syncengine.model.spelling import VERSION
from syncengine.model.values import Json

_WORDS = RESERVED | set(SPECIAL) | {"row", "anyone"}
_POLICIES = ("flag", "newest", "max", "min")


def digest(*parts: Any) -> str:
    """A short hash of plain data."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def compile_entity(draft: Draft, name: str, ensured: bool) -> Entity:
    """One entity; ``ensured``: a derivation makes its records. Faults go to its file."""
    own = draft.entities[name]
    document, part = own.document, own.part
    fields = {
        field: _field(draft, own, field, spec)
        for field, spec in part.fields.items()
        if _check_field(draft, document, field, spec)
    }
    identity = tuple(tuple(rule) for rule in part.identity)
    _check_identity(document, part.identity, part.fields)
    systems = compile_systems(draft, name, fields)
    whole = len(systems) == len(document.names("systems"))
    if (
        whole
        and not ensured
        and all(system.create in ("none", "out") for system in systems.values())
    ):
        text = "nobody creates its records, write create: in for a system, or a derive rule"
        document.fault(("entity",), text)
    order, circle = ordered(
        [field for field, item in fields.items() if item.formula is None],
        {field: _read_by(fields, item.owner) for field, item in fields.items()},
    )
    if circle:
        text = f"the owners read each other ({' -> '.join(circle)}), let one be constant"
        document.fault(("fields", circle[0], "owner"), text)
    entity = Entity(
        name=name,
        fields=fields,
        identity=identity,
        systems=systems,
        safety=Safety(**part.safety.model_dump()),
        position=document.position(("entity",)),
        merge_order=tuple(order),
        formulas=tuple(field for field, item in fields.items() if item.formula is not None),
        depth=0,
        uses_today=False,
        uses_systems=False,
        digest=digest(_decides(part), str(draft.zone), VERSION),
        people=part.people or "",
    )
    return _summed(entity)


def _decides(part: EntityFile) -> dict[str, Any]:
    """An entity file without what no decision rests on."""
    told = part.model_dump(mode="json", by_alias=True, exclude={"people"})
    for field in told["fields"].values():
        field["sensitive"] = bool(field["sensitive"])
    return told


def _summed(entity: Entity) -> Entity:
    found = list(expressions(entity))
    return Entity(
        **{
            **{name: getattr(entity, name) for name in Entity.__slots__},
            "depth": max((e.depth for _, e in found), default=0),
            "uses_today": any(e.uses_today for _, e in found),
            "uses_systems": any(
                name.rpartition(".")[2] == "systems" for _, e in found for name in e.names
            ),
            "compared": frozenset(name for name in entity.fields if _compares(entity, name)),
        }
    )


def _compares(entity: Entity, name: str) -> bool:
    rules = [s.rules[name] for s in entity.systems.values() if name in s.rules]
    return sum(rule.reads for rule in rules) > 1 and not any(rule.writes for rule in rules)


def expressions(entity: Entity) -> Iterator[tuple[str, Expression]]:
    """Every expression of an entity with what it is evaluated on: record or row of a connection."""
    for field in entity.fields.values():
        for expression in (field.formula, field.owner):
            if expression is not None:
                yield "record", expression
    for system in entity.systems.values():
        if system.where is not None:
            yield system.connection, system.where
        for expression in (system.scope, system.key):
            if expression is not None:
                yield "record", expression
        for rule in system.rules.values():
            if rule.read is not None:
                yield system.connection, rule.read
            for written in rule.written:
                yield "record", written.value


def _check_field(draft: Draft, document: Document, name: str, part: FieldPart) -> bool:
    """Whether the field can be compiled; all that is wrong with it is reported."""
    loc: Loc = ("fields", name)
    if name in _WORDS:
        document.fault(loc, f"{name!r} is a word of the expression language, choose another name")
    kinds = {part.type, part.of}
    for key, wanted, written in (
        ("choices", "enum" in kinds, part.choices is not None),
        ("to", "ref" in kinds, part.to is not None),
        ("of", part.type in {"list", "set"}, part.of is not None),
    ):
        if wanted and not written:
            document.fault(loc, f"{part.type} needs {key!r}, add it")
        elif written and not wanted:
            document.fault((*loc, key), f"does not go with type {part.type}, remove it")
    if part.of in {"list", "set"}:
        document.fault((*loc, "of"), "lists do not nest, write a simple type", value=True)
    if part.to is not None and part.to not in draft.entity_names:
        hint = near(part.to, draft.entity_names)
        document.fault((*loc, "to"), f"no entity {part.to!r}, {hint}", value=True)
    if part.formula is not None:
        for key, written in (
            ("owner", part.owner is not None),
            ("default", part.default is not None),
            ("required", part.required),
        ):
            if written:
                document.fault((*loc, key), "does not go with formula, remove one of them")
    if part.clear and part.required:
        document.fault((*loc, "clear"), "does not go with required, remove one of them")
    return (part.type not in {"list", "set"} or part.of not in {None, "list", "set"}) and not (
        "enum" in kinds and part.choices is None
    )


def _field(draft: Draft, own: EntityDraft, name: str, part: FieldPart) -> Field:
    document, loc = own.document, ("fields", name)
    owner = None
    formula = draft.formula(own.part.entity, name)
    if part.formula is None:
        owner = _owner(draft, own, name, part)
        _check_policies(document, name, part, owner, tuple(own.document.names("systems")))
    return Field(
        name=name,
        type=part.type,
        choices=tuple(part.choices or ()),
        to=part.to,
        of=part.of,
        required=part.required,
        default=_default(draft, document, (*loc, "default"), part),
        formula=formula,
        owner=owner,
        on_conflict=part.on_conflict or "flag",
        on_drift=part.on_drift or "revert",
        clear=part.clear,
        sensitive=_is_sensitive(draft, own.part.entity, name),
        position=document.position(loc),
    )


def _is_sensitive(draft: Draft, entity: str, name: str) -> bool:
    """Whether a field says that it is, or is computed from one that is and says nothing."""
    own = draft.entities.get(entity)
    part = own.part.fields.get(name) if own is not None else None
    if part is None or part.sensitive is not None or part.formula is None:
        return bool(part and part.sensitive)
    formula = draft.formula(entity, name)
    return formula is not None and any(
        _is_sensitive(draft, *place)
        for dotted in formula.names
        for place in _opened(draft, entity, dotted.split("."))
    )


def _opened(draft: Draft, entity: str, steps: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Entity and field of each step of a dotted name."""
    for step in steps:
        yield entity, step
        own = draft.entities.get(entity)
        part = own.part.fields.get(step) if own is not None else None
        if part is None or part.to is None:
            return
        entity = part.to


def _owner(draft: Draft, own: EntityDraft, name: str, part: FieldPart) -> Expression | None:
    loc: Loc = ("fields", name, "owner") if part.owner is not None else ("owner",)
    source = part.owner if part.owner is not None else own.part.owner
    if source.strip() == "anyone":
        return None
    systems = frozenset(own.document.names("systems"))
    owners = systems | {"anyone"}

    def finish(value: Json) -> str:
        if value is not None and value not in owners:
            raise ValueError("a system or anyone")
        return str(value or "anyone")

    scope = RecordScope(draft, own.part.entity, owners)
    return draft.expression(own.document, loc, source, scope, finish)


def _check_policies(
    document: Document,
    name: str,
    part: FieldPart,
    owner: Expression | None,
    systems: tuple[str, ...],
) -> None:
    loc: Loc = ("fields", name)
    owned = (part.owner or "") != "anyone" if part.owner else owner is not None
    if part.on_conflict is not None:
        if part.on_conflict not in {*_POLICIES, *systems}:
            hint = near(part.on_conflict, {*_POLICIES, *systems})
            document.fault((*loc, "on_conflict"), f"not known here, {hint}", value=True)
        if owner is not None and owner.constant:
            text = "does not go with a constant owner, who always wins; remove one of them"
            document.fault((*loc, "on_conflict"), text)
    if part.on_drift is not None and not owned:
        document.fault((*loc, "on_drift"), "needs an owner, add one or remove it")


def _default(draft: Draft, document: Document, loc: Loc, part: FieldPart) -> Json:
    if part.default is None:
        return None
    try:
        return draft.canonical(part)(part.default)
    except (ValueError, TypeError):
        document.fault(loc, f"is no {part.type}, write one", value=True)
        return None


def _check_identity(
    document: Document, identity: list[list[str]], fields: Mapping[str, FieldPart]
) -> None:
    written = document.data["identity"] if identity else []
    for number, rule in enumerate(written):
        for place, name in enumerate(rule if rule in identity else []):
            loc = ("identity", number, place)
            if name in fields and fields[name].formula is not None:
                document.fault(loc, f"{name!r} is a formula, write a stored field")
            elif name not in document.names("fields"):
                hint = near(name, document.names("fields"))
                document.fault(loc, f"no field {name!r}, {hint}")


def _read_by(fields: Mapping[str, Field], expression: Expression | None) -> list[str]:
    """Stored fields of the same record that an expression reads, formulas followed."""
    found: dict[str, None] = {}
    due = sorted(expression.names) if expression else []
    seen: set[str] = set()
    while due:
        name = due.pop(0).split(".")[0]
        field = fields.get(name)
        if field is None or name in seen:
            continue
        seen.add(name)
        if field.formula is None:
            found[name] = None
        else:
            due += sorted(field.formula.names)
    return list(found)
