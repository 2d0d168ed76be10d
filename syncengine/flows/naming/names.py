"""Names: what records are called on screens.

A record goes by its required values that are not sensitive. Where several on a screen would be called alike, the
first of their identity values is added, if it tells them apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from syncengine.flows.core.engine import Engine
from syncengine.flows.naming.masking import mask
from syncengine.ledger import Transaction
from syncengine.mapping import Entity
from syncengine.model.record import Record
from syncengine.model.values import Json, as_list, is_empty

MOST_PARTS = 3
"""Values that make up a name."""
GONE = " (deleted)"
"""Behind the name of a record that is there no more."""


@dataclass(frozen=True, slots=True)
class Names:
    """The records that a screen shows, and what they are called."""

    engine: Engine
    records: Mapping[str, Record]
    _marks: Mapping[tuple[str, str], list[str]] = field(
        default_factory=lambda: defaultdict(list), init=False, repr=False
    )

    def __post_init__(self) -> None:
        for record in self.records.values():
            entity = self.engine.project.entities.get(record.entity)
            if entity is not None and (texts := identity_texts(entity, record)):
                alone = self._plain(entity, record, alone=True)
                self._marks[entity.name, alone].append(texts[0])

    def of(self, record_id: str | None, deep: bool = True, alone: bool = False) -> str:
        """``Anna Meier``, or ``Anna Meier (a.meier@x.example)`` beside another one unless ``alone``; ``Anna Meier, GDPR
        basics`` for what refers to others if ``deep``; the end of the id, if need be."""
        record = self.records.get(record_id or "")
        entity = None if record is None else self.engine.project.entities.get(record.entity)
        if record is None or entity is None:
            return (record_id or "")[-8:]
        name = self._plain(entity, record, deep, alone)
        if alone:
            return name
        marks = self._marks.get((entity.name, self._plain(entity, record, alone=True)), ())
        for mark in identity_texts(entity, record)[:1] if len(marks) > 1 else ():
            name += f" ({mark})" if marks.count(mark) == 1 else ""
        return f"{name}{GONE}" if record.deleted else name

    def _plain(self, entity: Entity, record: Record, deep: bool = True, alone: bool = False) -> str:
        parts: list[str] = []
        for declared in entity.fields.values():
            value = record.values.get(declared.name)
            if not declared.required or declared.sensitive or is_empty(value):
                continue
            if not declared.is_ref:
                parts.append(str(value))
            elif deep:
                parts += [self.of(target, False, alone) for target in as_list(value)]
        glue = ", " if any(f.is_ref and f.required for f in entity.fields.values()) else " "
        return glue.join(parts[:MOST_PARTS]) or title(entity, record) or record.id[-8:]

    def value(self, entity: Entity | None, field: str, value: Json) -> Json:
        """A value to be shown: refs by name, dots for what is sensitive."""
        if is_empty(value):
            return None
        declared = entity.fields.get(field) if entity is not None else None
        if declared is None or mask(self.engine, entity).hides(field):
            return mask(self.engine, entity).value(field, value)
        if declared.is_ref:
            names = [self.of(str(target)) for target in as_list(value)]
            return names if isinstance(value, list) else names[0]
        return value


def identity_texts(entity: Entity, record: Record) -> list[str]:
    """The values that tell a record from all others and may be shown, the surest first."""
    rules = [rule for rule in entity.identity if len(rule) == 1]
    shown = [name for (name,) in rules if not entity.fields[name].sensitive]
    return [str(record.values[name]) for name in shown if not is_empty(record.values.get(name))]


def title(entity: Entity, record: Record) -> str:
    """How people recognise a record that requires nothing: its first texts that are not sensitive, at most two."""
    texts = [
        str(record.values[name])
        for name, declared in entity.fields.items()
        if declared.type in ("string", "text", "date") and not declared.sensitive
        and record.values.get(name)
    ]  # fmt: skip
    return " ".join(texts[:2])


def names(
    engine: Engine, tx: Transaction, ids: Iterable[str | None],
    new_records: Mapping[str, Record] = MappingProxyType({}),
) -> Names:  # fmt: skip
    """Names of these records, and of those that they refer to, two steps far. ``new_records``: records that are only
    planned."""
    known: dict[str, Record] = {}
    due = {i for i in ids if i}
    for _ in range(3):
        asked = due - known.keys()
        more = tx.records(asked) | {i: new_records[i] for i in asked & new_records.keys()}
        known |= more
        due = {target for record in more.values() for target in _targets(engine, record)}
    return Names(engine, known)


def _targets(engine: Engine, record: Record) -> set[str]:
    entity = engine.project.entities.get(record.entity)
    declared = entity.fields.values() if entity is not None else ()
    return {t for f in declared if f.is_ref for t in as_list(record.values.get(f.name))}
