"""Stored plans: what a sync would do, computed once and kept in pages, so that screens show it at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal

from syncengine.flows.core.engine import Engine, new_id
from syncengine.flows.naming.names import Names
from syncengine.flows.views.plan import Preview, preview
from syncengine.ledger import Transaction
from syncengine.mapping import Entity
from syncengine.model.stored_plan import SUMMARIES, SUMMARY, TRIAL, PlanPart

Document = dict[str, Any]
Risk = Literal["high", "middle", "low"]

PER_PAGE = 50
"""Changes of a page."""
KEPT = 3
"""Plans that are kept."""
SHARE = 0.10
"""Part of an entity's rows in a connection from which on changing them at once is a high risk."""
_RISKS: Sequence[Risk] = ("high", "middle", "low")


def store_plan(engine: Engine, author: str, trial: bool = False) -> PlanPart:
    """Compute a plan, keep it, and forget older ones. ``trial``: by files that are not in use yet. Returns its
    summary."""
    with engine.ledger.read() as tx:
        seen = list(tx.newest_ids())
    made = preview(engine)
    plan_id, at = new_id(), engine.clock.now()
    with engine.ledger.read() as tx:
        groups, pages = _groups(engine, tx, made)
    document = {n: value for n, value in made.document.items() if n != "changes"}
    total = len(made.document["changes"])
    summary = {
        **document, "groups": groups, "total": total, "seen": seen, "edition": engine.edition,
    }  # fmt: skip
    digest = str(made.document["digest"])

    def part(name: str, content: Document) -> PlanPart:
        return PlanPart(plan_id, name, author, digest, at, content)

    parts = [
        part(TRIAL if trial else SUMMARY, summary),
        *(part(n, {"changes": c}) for n, c in pages.items()),
    ]
    keep_plan(engine, parts)
    return parts[0]


def keep_plan(engine: Engine, parts: Sequence[PlanPart]) -> None:
    """Keep a plan, whose summary comes first, and forget the older ones of its kind."""
    with engine.ledger.write() as tx:
        keep(tx, parts)


def keep(tx: Transaction, parts: Sequence[PlanPart]) -> None:
    """``keep_plan`` in a transaction."""
    own = parts[0].part
    kept = [plan.id for part in SUMMARIES for plan in tx.plan_summaries(KEPT - (part == own), part)]
    tx.drop_plans(kept or ["none"])
    tx.add_plan(parts)


def refused_trial(edition: str, faults: Sequence[str], author: str, at: float) -> PlanPart:
    """The trial of files that are not valid."""
    told = {
        "edition": edition,
        "faults": list(faults),
        "groups": [],
        "total": 0,
        "unsent": {},
        "waiting": [],
        "let_be": [],
    }
    return PlanPart(new_id(), TRIAL, author, "", at, told)


def newest_plan(engine: Engine, kind: str = SUMMARY) -> PlanPart | None:
    """The summary of the last plan, or trial, its ``moved`` being how much was read or changed since it was
    computed."""
    with engine.ledger.read() as tx:
        found = tx.plan_summaries(1, kind)
        if not found:
            return None
        now = tx.newest_ids()
        event, change = found[0].document.get("seen", now)
    moved = max(0, now[0] - event) + max(0, now[1] - change)
    return PlanPart(
        found[0].id, kind, found[0].author, found[0].digest, found[0].at,
        {**found[0].document, "moved": moved},
    )  # fmt: skip


def page_of_plan(engine: Engine, plan_id: str, group: str, number: int) -> list[Document]:
    """The changes of one page of a group of a plan; none where there is no such page."""
    with engine.ledger.read() as tx:
        found = tx.plan_parts(plan_id, [f"{group}/{number}"])
    return list(found[0].document["changes"]) if found else []


def _groups(
    engine: Engine, tx: Transaction, made: Preview
) -> tuple[list[Document], dict[str, list[Document]]]:
    """The groups of a plan, the riskiest first, and their pages."""

    def key(change: Mapping[str, Any]) -> tuple[str, str, str]:
        return change["entity"], change["connection"], change["action"]

    groups, pages = [], {}
    for (entity, connection, action), found in groupby(
        sorted(made.document["changes"], key=key), key=key
    ):
        changes = [_shown(made.called, engine.project.entities[entity], c) for c in found]
        name = f"{entity}.{connection}.{action}"
        live = tx.live_links(entity, connection) if connection else 0
        first = connection in made.document["first"]
        risk, why = _risk(engine.project.entities[entity], action, changes, live, first)
        held = sorted({c["held"] for c in changes if c["held"]})
        groups.append(
            {
                "name": name, "entity": entity, "connection": connection, "action": action,
                "count": len(changes), "pages": -(-len(changes) // PER_PAGE), "risk": risk, "why": why,
                "held": held, "sent": sum(not c["held"] for c in changes),
                "fields": sorted({f["field"] for c in changes for f in c["fields"]}),
            }
        )  # fmt: skip
        for start in range(0, len(changes), PER_PAGE):
            pages[f"{name}/{start // PER_PAGE}"] = changes[start : start + PER_PAGE]
    groups.sort(key=lambda g: (_RISKS.index(g["risk"]), g["action"] == "learn", g["name"]))
    return groups, pages


def _shown(called: Names, entity: Entity, change: Mapping[str, Any]) -> Document:
    """A change with values as a screen shows them: what refers to others by their names."""
    fields = []
    for item in change["fields"]:
        sides = {
            side: item[side]
            if side in item["vendor_words"]
            else called.value(entity, item["field"], item[side])
            for side in ("old", "new")
        }
        fields.append({"field": item["field"], **sides, "rule": item["rule"]})
    names = [after["name"] for after in change["after"] if after["record"] != change["record"]]
    return {
        "record": change["record"], "name": change["name"], "held": change["held"],
        "why": change["why"], "rule": change["rule"], "made_by": change["made_by"],
        "after": names, "fields": fields,
    }  # fmt: skip


def _risk(
    entity: Entity, action: str, changes: Sequence[Document], live: int, first: bool
) -> tuple[Risk, list[str]]:
    """How much harm a group could do, and why. ``live``: rows of the entity in the connection; ``first``: nothing was
    ever written there."""
    if action == "learn":
        return "low", []
    why = list(_dangers(entity, action, changes, live, first))
    if why:
        return "high", why
    refs = {field.name for field in entity.fields.values() if field.is_ref}
    touched = {item["field"] for change in changes for item in change["fields"]}
    return ("middle" if action == "create" or refs & touched else "low"), []


def _dangers(
    entity: Entity, action: str, changes: Sequence[Document], live: int, first: bool
) -> Iterator[str]:
    """``deletes``: rows are deleted or left; ``empties``: values are taken away; ``identity``: what people are known
    by changes; ``first``: nothing was written there before; ``many``: more than a tenth of all rows."""
    fields = [item for change in changes for item in change["fields"]]
    identity = {name for rule in entity.identity for name in rule}
    if action in ("delete", "leave"):
        yield "deletes"
    if action == "update" and any(f["new"] is None and f["old"] is not None for f in fields):
        yield "empties"
    if action == "update" and any(f["field"] in identity for f in fields):
        yield "identity"
    if first:
        yield "first"
    if action != "create" and len(changes) > max(5, SHARE * live):
        yield "many"
