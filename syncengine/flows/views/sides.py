"""Sides: what a vendor's row shows of a record, in the vendor's words, as whoever looks may see it."""

from __future__ import annotations

from collections.abc import Mapping

from syncengine.flows.core.engine import Engine
from syncengine.flows.naming.masking import Mask, mask
from syncengine.mapping import Rule, System
from syncengine.model.link import Link
from syncengine.model.values import ABSENT, Json, is_empty


def row_values(at: Mask, system: System, row: Mapping[str, Json]) -> dict[str, Json]:
    """What a vendor's row shows of our fields, in the vendor's words, as it may be seen."""
    seen = {name: spoken(rule, row) for name, rule in system.rules.items()}
    return {n: at.raw(system.rules[n], raw) for n, raw in seen.items() if raw is not ABSENT}


def spoken(rule: Rule, row: Mapping[str, Json]) -> Json:
    """A vendor's own value of a field; for a rule with expressions, what these read."""
    raw = rule.extract(row)
    if not (rule.read and rule.written and isinstance(raw, dict)):
        return raw
    found = [value for value in raw.values() if not is_empty(value)]
    return found if len(found) > 1 else next(iter(found), None)


def row_name(engine: Engine, link: Link) -> str:
    """What an untied row is called, after the same fields as a record, or its first identity."""
    entity, system = (
        engine.project.entities.get(link.entity),
        engine.system(link.entity, link.connection),
    )
    if entity is None or system is None or link.row is None:
        return ""
    at = mask(engine, entity)
    shown = row_values(at, system, link.row)
    labelled = at.labels(system, link.row)
    required = [n for n in shown if entity.fields[n].required and not entity.fields[n].is_ref]
    bare = [n for n in labelled if n != "email"]
    chosen = required or bare or [n for rule in entity.identity for n in rule if n in shown][:1]
    found = labelled | shown
    return " ".join(str(found[n]) for n in chosen if not is_empty(found[n]))
