"""rules.yaml: when these records are so, ensure that record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncengine.mapping.draft import Draft, RecordsScope, truth
from syncengine.mapping.entities import digest
from syncengine.mapping.expressions import Expression
from syncengine.mapping.project import Derivation
from syncengine.mapping.schema import DeriveFile, DerivePart
from syncengine.mapping.source import Document, Loc, near


def compile_derivations(
    draft: Draft, document: Document, part: DeriveFile, names: dict[str, str]
) -> list[Derivation]:
    """Of one file; ``names``: the rules' names already taken, with their place."""
    written: list[Any] = document.data["derive"]
    numbers = {id(item): n for n, item in enumerate(written)}
    valid = [item for item in written if isinstance(item, Mapping)]
    made: list[Derivation] = []
    for rule in part.derive:
        same = [item for item in valid if item.get("name") == rule.name]
        number = numbers[id(same[0])]
        loc: Loc = ("derive", number)
        if rule.name in names:
            other = document.data["derive"].index(same[-1])
            text = f"{rule.name!r} stands at {names[rule.name]} already, choose another name"
            document.fault(("derive", other, "name"), text, value=True)
            continue
        names[rule.name] = str(document.position(loc))
        found = _derivation(draft, document, loc, rule)
        if found is not None:
            made.append(found)
    return made


def _derivation(draft: Draft, document: Document, loc: Loc, part: DerivePart) -> Derivation | None:
    sources = _sources(draft, document, loc, part)
    values = _values(draft, document, loc, part)
    if part.ensure not in draft.entity_names:
        hint = near(part.ensure, draft.entity_names)
        document.fault((*loc, "ensure"), f"no entity {part.ensure!r}, {hint}", value=True)
    if len(sources) < len(part.sources) or len(values) < len(part.values):
        return None
    return Derivation(
        name=part.name,
        sources=sources,
        ensure=part.ensure,
        values=values,
        on_leave=part.on_leave,
        position=document.position(loc),
        uses_today=any(e.uses_today for e in (*sources.values(), *values.values())),
        digest=digest(part.model_dump(mode="json", by_alias=True), str(draft.zone)),
    )


def _sources(draft: Draft, document: Document, loc: Loc, part: DerivePart) -> dict[str, Expression]:
    made: dict[str, Expression] = {}
    earlier: tuple[str, ...] = ()
    for entity, source in part.sources.items():
        at = (*loc, "for", entity)
        earlier = (*earlier, entity)
        if entity not in draft.entity_names:
            document.fault(at, f"no entity {entity!r}, {near(entity, draft.entity_names)}")
            continue
        found = draft.expression(document, at, source, RecordsScope(draft, earlier), truth)
        if found is not None:
            made[entity] = found
    return made


def _values(draft: Draft, document: Document, loc: Loc, part: DerivePart) -> dict[str, Expression]:
    own = draft.entities.get(part.ensure)
    made: dict[str, Expression] = {}
    for name, source in part.values.items():
        at = (*loc, "with", name)
        field = own.part.fields.get(name) if own else None
        if own and field is None:
            known = own.document.names("fields")
            if name not in known:
                document.fault(at, f"{part.ensure} has no field {name!r}, {near(name, known)}")
            continue
        if field and field.formula is not None:
            document.fault(at, f"{name!r} is a formula, remove it")
            continue
        if field and source in part.sources and field.to != source:
            document.fault(at, f"{name!r} is no {source}, write one of its fields", value=True)
        scope = RecordsScope(draft, tuple(part.sources))
        finish = draft.canonical(field) if field else None
        found = draft.expression(document, at, source, scope, finish)
        if found is not None:
            made[name] = found
    return made
