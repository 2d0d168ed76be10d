"""Home: how everything stands, in one sentence and the lines under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.responses import Response

from syncengine.flows.tell import german
from syncengine.flows.views.runs import happened, summary
from syncengine.flows.views.standing import lines_within
from syncengine.flows.views.standing_text import sentence, verdict
from syncengine.flows.views.upcoming import newest_upcoming
from syncengine.model.case import CaseKind
from syncengine.model.rights import Right
from syncengine.model.standing import Level, Line
from syncengine.web.console.ask import Ask
from syncengine.web.console.screens.connections import calls_left
from syncengine.web.console.templating import say

DAY: Final = 86_400.0
WEEK: Final = 7
SEEN: Final = "seen"
"""The cookie that says when the visit before ended, and when this one was last here."""
PAUSE: Final = 1800.0
"""Seconds after which another visit begins."""
LONGEST: Final = 30 * DAY
SIGNS: Final[Mapping[Level, tuple[str, str, str]]] = {
    Level.FAULT: ("!", "fault", "fault"), Level.ASK: ("?", "ask", "asks for a person"),
    Level.HELD: ("–", "held", "held back"), Level.NOTE: ("i", "note", "note"),
    Level.OK: ("✓", "ok", "in order"),
}  # fmt: skip
"""Level -> sign, class, and the word for whoever hears it."""
_KINDS: Final = {str(kind) for kind in CaseKind}
_PLACES: Final = {
    "question": ("/questions", "Answer", Right.READ), "staged": ("/questions", "Look", Right.READ),
    "observed": ("/plan", "Plan", Right.WATCH), "halted": ("/connections", "Connection", Right.WATCH),
    "failing": ("/connections", "Connection", Right.WATCH), "blind": ("/connections", "Connection", Right.WATCH),
    "let_be": ("/questions", "Look", Right.READ),
    "late": ("/activity", "Activity", Right.WATCH), "paused": ("/connections", "Connection", Right.WATCH),
    "mapping": ("/mappings", "Mappings", Right.WATCH), "off": ("/connections", "Connection", Right.WATCH),
    "unlinked": ("/connections", "Rows", Right.WATCH), "limit": ("/connections", "Connection", Right.WATCH),
    "worker": ("/about#service", "What to do", Right.WATCH), "beat": ("/about#service", "What to do", Right.WATCH),
    "waiting": ("/connections", "Connection", Right.WATCH), "scope": ("/connections", "Connection", Right.WATCH),
    "untold": ("/about", "About", Right.SIGNED_IN), "unread": ("/connections", "Connections", Right.WATCH),
    "moving": ("/activity", "Activity", Right.WATCH),
}  # fmt: skip
"""Code of a line -> where something can be done about it, what the link says, and the right that it needs."""


def show(ask: Ask) -> Response:
    """The verdict, the lines, and the connections at a glance."""
    now = ask.shared.glance.at(ask.engine)
    zone = ZoneInfo(ask.engine.project.timezone)

    def told(line: Line) -> dict[str, Any]:
        if ask.visit.language == "de":
            spoken = {name: say("de")(word) for name, word in line.told.items()}
            text = german.sentence(replace(line, told=spoken), now.at, zone)
        else:
            text = sentence(line, now.at, zone)
        return {"sign": SIGNS[line.level], "text": text, "go": _go(ask, line)}

    before = _visit_before(ask)
    seen = list(lines_within(ask.engine, now.lines, ask.within))
    answer = ask.page(
        "home.html", sign=SIGNS[now.level],
        verdict=(german.verdict if ask.visit.language == "de" else verdict)(now), read=_last_read(ask),
        soon=_soon(ask),
        summary=summary(happened(ask.engine, before or ask.now - DAY, limit=1, within=ask.within)), before=before,
        lines=[told(line) for line in seen if line.level > Level.NOTE],
        notes=[told(line) for line in seen if line.level <= Level.NOTE],
    )  # fmt: skip
    ask.remember(answer, SEEN, f"{before:.0f}~{ask.now:.0f}", int(LONGEST))
    return answer


def _visit_before(ask: Ask) -> float:
    """When the last visit ended (epoch seconds); 0 where none is known, or it is long ago."""
    since, _, latest = ask.visit.cookie(SEEN).partition("~")
    if not (_is_time(since) and _is_time(latest)):
        return 0.0
    before = float(latest) if ask.now - float(latest) > PAUSE else float(since)
    return before if 0 < ask.now - before < LONGEST else 0.0


def _is_time(text: str) -> bool:
    return text.isdecimal() and len(text) < 12


def _soon(ask: Ask) -> list[dict[str, Any]]:
    """What the coming week brings by itself, as far as that was computed."""
    ask.shared.planner.keep_up(ask.engine)
    found = newest_upcoming(ask.engine) if ask.reaches("/upcoming") else None
    days = found.document["upcoming"] if found else []
    return [day for day in days if 0 <= ask.times.days_until(day["day"]) <= WEEK]


def _go(ask: Ask, line: Line) -> tuple[str, str] | None:
    """Where a line leads."""
    path, label, right = _PLACES.get(line.code, ("", "", Right.WATCH))
    if not path or not ask.may(right):
        return None
    about = line.about
    if line.code == "question":
        kind = about.get("kind", "")
        return f"/questions?kind={kind}" if kind in _KINDS else "/questions", label
    if line.code == "let_be":
        return "/questions?closed=1", label
    if line.code == "staged":
        return "/questions?kind=staged", label
    if path == "/connections" and about.get("connection"):
        part = "#nobody" if line.code == "unlinked" else ""
        return f"/connections/{about['connection']}{part}", label
    return path, label


def _last_read(ask: Ask) -> list[dict[str, Any]]:
    """When each connection was read last."""
    found = []
    with ask.engine.ledger.read() as tx:
        for name, declared in ask.engine.project.connections.items():
            if declared.off or not ask.within.has(connection=name):
                continue
            kept = [tx.resource(name, resource) for resource in declared.resources]
            at = max((k.scanned_at for k in kept), default=0.0)
            rows = sum(k.rows for k in kept)
            left = calls_left(ask.engine, tx, name)
            found.append(
                {"name": name, "mode": declared.mode, "at": at, "rows": rows, "left": left}
            )
    return found
