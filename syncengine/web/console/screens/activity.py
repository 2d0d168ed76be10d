"""Activity: what was written, what changed, and who decided."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.flows.people.members import note
from syncengine.flows.people.undo import undo
from syncengine.flows.views.explain import change_documents
from syncengine.flows.views.queries import operation_documents
from syncengine.flows.views.questions import place_in
from syncengine.flows.views.runs import document as run_document
from syncengine.flows.views.runs import happened, runs_within, summary
from syncengine.model.operation import OperationState
from syncengine.model.rights import Right
from syncengine.model.run import OUTCOMES
from syncengine.web.console.ask import Ask
from syncengine.web.console.exports import MOST, export, wanted
from syncengine.web.console.periods import period

PER_PAGE: Final = 50
SHOWN: Final = ("writes", "changes", "runs")
_COLUMNS: Final = {
    "writes": (
        "id", "created_at", "entity", "record", "name", "connection", "resource", "external_id", "action",
        "fields", "state", "attempts", "detail",
    ),
    "changes": (
        "change", "at", "entity", "record", "name", "field", "old", "new", "lost", "lost_by", "from",
        "policy", "rule", "author", "reason",
    ),
}  # fmt: skip
_RUNS: Final = (
    "id", "kind", "author", "connection", "resource", "started_at", "ended_at", "outcome", "fault", "counts",
)  # fmt: skip
SPANS: Final = {"night": "last night", "day": "the last 24 hours", "week": "the last 7 days"}
"""Word of the address -> the time of which runs are shown."""
EVENING, MORNING = 18, 8
"""Hours between which a night lies, in the project's zone."""


def show(ask: Ask) -> Response:
    """A page of writes, or of changes, the newest first."""
    what = ask.query("show") if ask.query("show") in SHOWN else "writes"
    if what == "runs":
        return _runs(ask)
    connection, author = ask.query("connection"), ask.query("author")
    state, days = ask.query("state"), period(ask)
    words = {"connection": connection, "author": author, "state": state, "show": what}
    words |= {"person": ask.query("person") if ask.may(Right.READ) else "", **days.words}
    lines, after = (_changes if what == "changes" else _writes)(ask, words)
    if not ask.may(Right.READ):
        lines = [_without_people(line) for line in lines]
    if wanted(ask):
        return export(ask, what, _COLUMNS[what], lines)
    return ask.page(
        "activity.html", what=what, lines=lines, next=after,
        words={n: w for n, w in words.items() if w and (n, w) != ("show", "writes")},
        connections=_connections(ask),
        states=[s.value for s in OperationState], filters=words,
    )  # fmt: skip


def _runs(ask: Ask) -> Response:
    """What ran in a time, and the sums of all that happened then."""
    span = ask.query("span") if ask.query("span") in SPANS else "day"
    since, until = times_of(span, ask.now, ZoneInfo(ask.engine.project.timezone))
    days = period(ask)
    if days.words:
        span, since, until = "", days.since or 0.0, days.before
    connection, author = ask.query("connection"), ask.query("author")
    outcome = ask.query("outcome") if ask.query("outcome") in OUTCOMES else ""
    filters = {"connection": connection, "author": author, "outcome": outcome}
    words = {"show": "runs", "span": span, **filters, **days.words}
    words = {name: word for name, word in words.items() if word}
    before, most = ask.query("before"), _limit(ask)
    end = float(before) if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", before) else until
    with ask.engine.ledger.read() as tx:
        found = runs_within(
            tx, ask.within, since, end, connection=connection, limit=most + 1, author=author or None,
            outcome=outcome or None, now=ask.now,
        )  # fmt: skip
    lines = [run_document(run, ask.now) for run in found[:most]]
    if wanted(ask):
        return export(ask, "runs", _RUNS, lines)
    document = happened(ask.engine, since, until, limit=1, within=ask.within)
    return ask.page(
        "runs.html", span=span, spans=SPANS, document=document, summary=summary(document), runs=lines, words=words,
        connections=_connections(ask), filters=filters,
        next=f"{found[most - 1].started_at!r}" if len(found) > most else "",
    )  # fmt: skip


def _connections(ask: Ask) -> list[str]:
    return [n for n in sorted(ask.engine.project.connections) if ask.within.has(connection=n)]


def times_of(span: str, now: float, zone: ZoneInfo) -> tuple[float, float | None]:
    """From when until when (epoch seconds; None: now) a span of the address is."""
    if span != "night":
        return now - (7 if span == "week" else 1) * 86_400.0, None
    today = datetime.fromtimestamp(now, zone)
    end = today.replace(hour=MORNING, minute=0, second=0, microsecond=0)
    evening = end.replace(hour=EVENING) - timedelta(days=1)
    if today < end:
        return evening.timestamp(), None
    return evening.timestamp(), end.timestamp()


def take_back(ask: Ask) -> Response:
    """Undo a change, by a new one."""
    number = ask.visit.params["id"]
    if not number.isdecimal() or len(number) > 18:
        raise HTTPException(404, "there is no such change")
    entities = ask.within.entities
    with ask.engine.ledger.read() as tx:
        if not tx.page_of_history(None, 1, entities, id=int(number)):
            raise HTTPException(404, "there is no such change")
    try:
        change, _ = undo(ask.engine, int(number), ask.author, ask.reason)
    finally:
        with ask.engine.ledger.write() as tx:
            note(ask.engine, tx, ask.author, "console", "undo", f"change {number}", "asked",
                 ask.visit.address)  # fmt: skip
    entity = ask.given("entity")
    told = f"{change.field} has its earlier value again. The next sync carries it on."
    if entity:
        return ask.to(f"/records/{entity}/{change.record_id}", told)
    return ask.to("/activity", told, show="changes")


def _limits(ask: Ask, connection: str) -> dict[str, list[str]]:
    """The conditions that the limits of whoever asks add; ``connection``: for which they ask."""
    within, found = ask.within, dict[str, list[str]]()
    if within.entities:
        found["entity"] = list(within.entities)
    if within.connections:
        found["connection"] = [n for n in within.connections if connection in ("", n)]
    return found


def _of_person(ask: Ask, text: str) -> dict[str, list[str]]:
    """The condition that it is about somebody of this name, or a part of it."""
    if not text:
        return {}
    entities = ask.engine.project.entities.values()
    people = [e.name for e in entities if e.people] or [e.name for e in entities]
    found = [
        line.id
        for entity in people
        if ask.within.has(entity)
        for line in ask.shared.directory.find(ask.engine, entity, text, "", PER_PAGE).lines
    ]
    return {"record_id": found}


def _limit(ask: Ask) -> int:
    return MOST if wanted(ask) else PER_PAGE


def _writes(ask: Ask, words: dict[str, str]) -> tuple[list[dict[str, Any]], str]:
    asked: dict[str, Any] = {n: words[n] for n in ("connection", "state") if words[n]}
    asked |= _limits(ask, words["connection"]) | _of_person(ask, words["person"])
    days = period(ask)
    asked |= {"created_at__ge": days.since, "created_at__lt": days.before}
    if words["state"] and words["state"] not in {s.value for s in OperationState}:
        return [], ""
    with ask.engine.ledger.read() as tx:
        found = tx.page_of_operations(place_in(ask.query("after")), _limit(ask) + 1, **asked)
        lines = operation_documents(ask.engine, tx, found[: _limit(ask)])
    last = found[_limit(ask) - 1] if len(found) > _limit(ask) else None
    return lines, f"{last.created_at!r}~{last.id}" if last else ""


def _changes(ask: Ask, words: dict[str, str]) -> tuple[list[dict[str, Any]], str]:
    asked: dict[str, Any] = {n: words[n] for n in ("connection", "author") if words[n]}
    asked |= _limits(ask, words["connection"]) | _of_person(ask, words["person"])
    days = period(ask)
    asked |= {"at__ge": days.since, "at__lt": days.before}
    entities = asked.pop("entity", ())
    after = ask.query("after")
    before = int(after) if after.isdecimal() and len(after) < 19 else None
    with ask.engine.ledger.read() as tx:
        found = tx.page_of_history(before, _limit(ask) + 1, entities, **asked)
        lines = change_documents(ask.engine, tx, found[: _limit(ask)])
    more = len(found) > _limit(ask)
    return lines, str(found[_limit(ask) - 1].id) if more else ""


def _without_people(line: dict[str, Any]) -> dict[str, Any]:
    """A line for whoever sees neither names nor values."""
    covered = {
        "name": "",
        "old": None,
        "new": None,
        "lost": None,
        "detail": "",
        "reason": "",
        "external_id": None,
    }
    return {**line, **{n: v for n, v in covered.items() if n in line}, "covered": True}
