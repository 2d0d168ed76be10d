"""The world around records: whom they and their rows refer to, loaded before anything is decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from syncengine.flows.core.engine import Engine
from syncengine.ledger import Transaction
from syncengine.mapping import Context
from syncengine.model.link import Link, LinkState
from syncengine.model.record import Record, World
from syncengine.model.ref import Ref
from syncengine.model.values import ABSENT, as_list, utc_text


def load_world(
    engine: Engine, tx: Transaction, links: Iterable[Link], records: Mapping[str, Record]
) -> World:
    """Load all records and links that the refs of these rows and records point at, as deep as expressions follow
    them."""
    pairs: set[tuple[str, Ref]] = set()
    for link in links:
        system = engine.system(link.entity, link.connection)
        for rule in system.rules.values() if system is not None and link.row is not None else ():
            raw = rule.extract(link.row or {})
            if raw is not ABSENT:
                pairs |= set(rule.refs(raw))
    asked = {(entity, r.connection, r.resource, r.external_id): (entity, r) for entity, r in pairs}
    found = tx.ties(list(asked)) if asked else {}
    tied = {asked[key]: record_id for key, record_id in found.items()}
    known = dict(records)
    depth = max((e.depth for e in engine.project.entities.values()), default=0)
    referred = _targets(engine, known.values()) | set(tied.values())
    for _ in range(depth):
        missing = referred - known.keys()
        if not missing:
            break
        more = tx.records(missing)
        known |= more
        referred = _targets(engine, more.values())
    everyone = known.keys() | referred | set(tied.values())
    externals = tx.externals(everyone) if everyone else {}
    return World(engine.today, known, tied, externals)


def seen_rows(engine: Engine, most: int = 200) -> dict[tuple[str, str], list[Context]]:
    """(entity, connection) -> rows that are linked there, with their records; a sample, where there are many."""
    found: dict[tuple[str, str], list[Context]] = {}
    with engine.ledger.read() as tx:
        for entity in engine.project.entities.values():
            for name in entity.systems:
                states = (LinkState.LINKED, LinkState.LEFT)
                links = tx.select_links(entity.name, name, states, limit=most)
                records = tx.records({link.record_id for link in links if link.record_id})
                world = load_world(engine, tx, links, records)
                found[entity.name, name] = [
                    Context(
                        name, world, records.get(k.record_id or ""), k.row, seen=utc_text(k.read_at)
                    )
                    for k in links
                    if k.row is not None
                ]
    return found


def _targets(engine: Engine, records: Iterable[Record]) -> set[str]:
    found: set[str] = set()
    for record in records:
        entity = engine.project.entities.get(record.entity)
        for name, declared in entity.fields.items() if entity is not None else ():
            if declared.is_ref:
                found |= set(as_list(record.values.get(name)))
    return found
