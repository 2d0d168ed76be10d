"""Which records a row may be said to belong to, by the present records and links rather than those at the time of the
question."""

from __future__ import annotations

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.loading import links_by_record, load_untied
from syncengine.flows.core.world import load_world
from syncengine.flows.people.decisions import record_of
from syncengine.ledger import Transaction
from syncengine.mapping import Entity
from syncengine.model.case import Case
from syncengine.model.link import Link
from syncengine.model.record import Record, World
from syncengine.model.values import Json
from syncengine.planning.identity import answers_of, record_keys
from syncengine.planning.likeness import record_likes


def offered(engine: Engine, tx: Transaction, case: Case) -> dict[str, str]:
    """The answers about which record a row belongs to that are possible now."""
    link = tx.links([case.link_id or ""]).get(case.link_id or "")
    if link is None or link.record_id is not None or link.entity not in engine.project.entities:
        return {"ignore": "the row is told already; close the question"}
    fitting, makes = _fitting(engine, tx, case, link)
    return answers_of(link, fitting, links_by_record(tx, fitting), makes)


def _fitting(engine: Engine, tx: Transaction, case: Case, link: Link) -> tuple[list[str], bool]:
    """The records in question that still exist and still share their identity with the row, and whether a new record
    can be made of it."""
    entity = engine.project.entities[link.entity]
    found = load_untied(engine, tx, entity, [link])
    made = record_of(engine, link, found.world).record
    live = {i: r for i, r in tx.records(case.evidence.get("records", ())).items() if not r.deleted}
    world = load_world(engine, tx, (), live if made is None else {**live, made.id: made})
    keys = found.keys[link.id]
    shown = {*keys.parts.values(), *(p for of in keys.likes.values() for p in of)}
    shown |= _borne(entity, made, world)
    shared = {tuple(p) for p in (case.evidence.get("shared", ()), *case.evidence.get("alike", ()))}
    fitting = [i for i, r in live.items() if shared & shown & _borne(entity, r, world)]
    return fitting, made is not None


def _borne(entity: Entity, record: Record | None, world: World) -> set[tuple[Json, ...]]:
    """The identity keys of a record."""
    if record is None:
        return set()
    return {k.parts for k in (*record_keys(entity, record, world), *record_likes(entity, record))}


def outdated(engine: Engine, tx: Transaction, case: Case, given: str) -> str:
    """What has changed since an answer was offered; empty where it never was, or is still possible."""
    verb, _, record_id = given.partition(" ")
    link = tx.links([case.link_id or ""]).get(case.link_id or "")
    if given not in case.answers:
        return ""
    if link is None or link.record_id is not None:
        return "the row is told already" if link else "the row is gone"
    if verb == "new":
        return "the row lacks what a record needs"
    record = tx.records([record_id]).get(record_id)
    if record is None or record.deleted:
        return "that record is deleted"
    if record_id in _fitting(engine, tx, case, link)[0]:
        has = "has" if verb == "link" else "has no"
        return f"that record {has} row in {link.connection} by now"
    return "that record and the row no longer share what they shared"
