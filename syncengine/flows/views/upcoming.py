"""Upcoming: what the coming days bring by themselves, who starts and leaves, day by day, as a document; and the stored
one, which screens show at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from syncengine.flows.core.engine import Engine, new_id
from syncengine.flows.naming.masking import mask
from syncengine.flows.naming.names import Names, names
from syncengine.flows.run.ahead import DAYS, Day, foresee
from syncengine.flows.run.turns import Turn
from syncengine.flows.views.plan import changes_of, mentioned
from syncengine.flows.views.stored_plan import keep_plan
from syncengine.model.stored_plan import UPCOMING, PlanPart
from syncengine.model.values import digest

Document = dict[str, Any]

PER_PAGE: Final = 50
"""Records of a page of one day."""
KINDS: Final = ("starts", "leaves", "changes", "made", "ends", "written")
"""What becomes of a record on a day, in the order of screens. The first three are about people: a row is made, one is
deleted or left, something else. ``made``, ``ends``, ``written``: the same of other records."""
_KIND: Final = {"create": 0, "delete": 1, "leave": 1}


def upcoming(engine: Engine, days: int = DAYS) -> Document:
    """The document of ``upcoming --json``: each day on which something changes, with the records that it is about."""
    found = [_day(engine, day) for day in foresee(engine, days)]
    return {
        "from": engine.today,
        "days": days,
        "zone": engine.project.timezone,
        "upcoming": [day for day in found if day["records"]],
    }


def store_upcoming(engine: Engine, author: str) -> PlanPart:
    """Compute what is upcoming and keep it. Returns its summary: the days with their counts, and on how many pages the
    records of each are."""
    document = upcoming(engine)
    plan_id, at = new_id(), engine.clock.now()
    mark = digest(document["upcoming"])
    days, parts = [], []
    for day in document["upcoming"]:
        records = day["records"]
        pages = [records[i : i + PER_PAGE] for i in range(0, len(records), PER_PAGE)]
        parts += [
            PlanPart(plan_id, f"{day['day']}/{n}", author, mark, at, {"records": page})
            for n, page in enumerate(pages)
        ]
        counted = {n: value for n, value in day.items() if n != "records"}
        days.append({**counted, "total": len(records), "pages": len(pages)})
    summary = PlanPart(plan_id, UPCOMING, author, mark, at, {**document, "upcoming": days})
    keep_plan(engine, [summary, *parts])
    return summary


def newest_upcoming(engine: Engine) -> PlanPart | None:
    """The summary of what was computed last."""
    with engine.ledger.read() as tx:
        return next(iter(tx.plan_summaries(1, UPCOMING)), None)


def pages_of_upcoming(engine: Engine, plan_id: str, pages: Sequence[str]) -> dict[str, list[Any]]:
    """Records of these pages (``2026-12-01/0``), by page; none where there is no such page."""
    with engine.ledger.read() as tx:
        found = tx.plan_parts(plan_id, pages) if pages else []
    return {part.part: list(part.document["records"]) for part in found}


def _day(engine: Engine, day: Day) -> Document:
    with engine.ledger.read() as tx:
        asked = mentioned(engine, day.planned) | {t.record.id for t in day.turns} | {*day.made}
        called = names(engine, tx, asked, day.planned.new_records)
    lines: dict[str, Document] = {}
    for record in day.made:
        entity = day.planned.records[record].entity
        lines[record] = _line(entity, record, called) | {"born": True}
    for turn in day.turns:
        entity, record = turn.record.entity, turn.record.id
        line = lines.setdefault(record, _line(entity, record, called))
        line["turns"].append(_turn(engine, called, turn))
    for change in changes_of(engine, called, day.planned):
        line = lines.setdefault(change["record"], _line(change["entity"], change["record"], called))
        line["writes"].append(_write(called, engine, change))
    for line in lines.values():
        line["what"] = _what(engine, line)
        line.pop("born")
    people = {e.name for e in engine.project.entities.values() if e.people}
    records = sorted(
        lines.values(),
        key=lambda d: (d["entity"] not in people, KINDS.index(d["what"]), d["entity"], d["name"]),
    )
    counts = Counter((d["entity"], d["what"]) for d in records)
    return {
        "day": day.day,
        "counts": [{"entity": e, "what": w, "count": n} for (e, w), n in counts.items()],
        "records": records,
        "unfinished": day.planned.unfinished,
    }


def _line(entity: str, record: str, called: Names) -> Document:
    return {
        "entity": entity, "record": record, "name": called.of(record), "what": "", "turns": [],
        "writes": [], "born": False,
    }  # fmt: skip


def _turn(engine: Engine, called: Names, turn: Turn) -> Document:
    entity = engine.project.entities[turn.record.entity]
    sides = {
        side: called.value(entity, turn.field, value)
        for side, value in (("old", turn.old), ("new", turn.new))
    }
    if mask(engine, entity).hides(turn.field):
        sides = dict.fromkeys(sides, mask(engine, entity).value(turn.field, "x"))
    return {"field": turn.field, **sides}


def _write(called: Names, engine: Engine, change: Mapping[str, Any]) -> Document:
    entity = engine.project.entities[change["entity"]]

    def told(item: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        yield "field", item["field"]
        for side in ("old", "new"):
            raw = side in item["vendor_words"]
            yield side, item[side] if raw else called.value(entity, item["field"], item[side])

    return {
        "connection": change["connection"], "action": change["action"], "held": change["held"],
        "why": change["why"], "rule": change["rule"] or change["made_by"],
        "fields": [dict(told(item)) for item in change["fields"]],
    }  # fmt: skip


def _what(engine: Engine, line: Mapping[str, Any]) -> str:
    kind = min(
        (_KIND.get(w["action"], 2) for w in line["writes"]), default=0 if line["born"] else 2
    )
    return KINDS[kind + (0 if engine.project.entities[line["entity"]].people else 3)]
