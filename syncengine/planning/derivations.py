"""Derivations: for which combinations of records another record is to exist, and with which values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from syncengine.mapping import Derivation, Entity
from syncengine.model.record import Record, World
from syncengine.planning.identity import lacking, with_defaults

Ids = tuple[str, ...]
"""The records of one combination, in the order of the rule's sources."""
Inputs = dict[str, Record]
"""Entity -> record, of one combination."""


def combinations(
    rule: Derivation, records: Sequence[Record], everyone: Mapping[str, Sequence[Record]],
    world: World,
) -> tuple[dict[Ids, Inputs], set[Ids]]:  # fmt: skip
    """Among the combinations that include one of ``records``: those that should have a record, and those that should no
    longer have one (if the rule deletes). ``everyone``: the records of the other sources."""
    wanted: dict[Ids, Inputs] = {}
    ended: set[Ids] = set()
    for record in records:
        if record.entity in rule.sources:
            for inputs, holds in _around(rule, record, everyone, world):
                ids = tuple(inputs[name].id for name in rule.sources)
                if holds:
                    wanted[ids] = inputs
                else:
                    ended.add(ids)
    return wanted, ended - wanted.keys() if rule.on_leave == "delete" else set()


def _around(
    rule: Derivation, record: Record, everyone: Mapping[str, Sequence[Record]], world: World
) -> Iterator[tuple[Inputs, bool]]:
    """Every combination that holds this record, and whether its conditions do."""
    partial: list[tuple[Inputs, bool]] = [({}, not record.deleted)]
    for name, condition in rule.sources.items():
        pool = [record] if name == record.entity else everyone.get(name, ())
        grown = []
        for inputs, holds in partial:
            for candidate in pool:
                now = {**inputs, name: candidate}
                so = holds and bool(condition.on_records(now, world))
                if so or rule.on_leave == "delete":
                    grown.append((now, so))
        partial = grown
    return iter(partial)


def derived(rule: Derivation, entity: Entity, inputs: Inputs, world: World) -> Record | None:
    """The record, still without an id, for a combination; None while a required value is missing."""
    given = {name: value.on_records(inputs, world) for name, value in rule.values.items()}
    values = with_defaults(entity, given)
    return None if lacking(entity, values) else Record("", entity.name, values)
