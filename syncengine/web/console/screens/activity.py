"""Activity: what was written, what changed, and who decided."""

from __future__ import annotations

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.flows.people.members import note
from syncengine.flows.people.undo import undo
from syncengine.flows.views.explain import change_documents
from syncengine.flows.views.queries import operation_documents
from syncengine.flows.views.questions import place_in
from syncengine.model.operation import OperationState
from syncengine.web.console.ask import Ask
from syncengine.web.console.rights import Right

PER_PAGE: Final = 50
SHOWN: Final = ("writes", "changes")


def show(ask: Ask) -> Response:
    """A page of writes, or of changes, the newest first."""
    what = ask.query("show") if ask.query("show") in SHOWN else "writes"
    connection, author = ask.query("connection"), ask.query("author")
    state = ask.query("state")
    words = {"connection": connection, "author": author, "state": state, "show": what}
    lines, after = (_changes if what == "changes" else _writes)(ask, words)
    if not ask.may(Right.READ):
        lines = [_without_people(line) for line in lines]
    return ask.page(
        "activity.html", what=what, lines=lines, next=after,
        words={n: w for n, w in words.items() if w and (n, w) != ("show", "writes")},
        connections=sorted(ask.engine.project.connections),
        states=[s.value for s in OperationState], filters=words,
    )  # fmt: skip


def take_back(ask: Ask) -> Response:
    """Undo a change, by a new one."""
    number = ask.visit.params["id"]
    if not number.isdecimal() or len(number) > 18:
        raise HTTPException(404, "there is no such change")
    try:
        change, _ = undo(ask.engine, int(number), ask.author, ask.given("reason")[:1000])
    finally:
        with ask.engine.ledger.write() as tx:
            note(ask.engine, tx, ask.author, "console", "undo", f"change {number}", "asked",
                 ask.visit.address)  # fmt: skip
    entity = ask.given("entity")
    back = f"/records/{entity}/{change.record_id}" if entity else "/activity"
    return ask.to(back, f"{change.field} has its earlier value again. The next sync carries it on.")


def _writes(ask: Ask, words: dict[str, str]) -> tuple[list[dict[str, Any]], str]:
    asked = {n: words[n] for n in ("connection", "state") if words[n]}
    if words["state"] and words["state"] not in {s.value for s in OperationState}:
        return [], ""
    with ask.engine.ledger.read() as tx:
        found = tx.page_of_operations(place_in(ask.query("after")), PER_PAGE + 1, **asked)
        lines = operation_documents(ask.engine, tx, found[:PER_PAGE])
    last = found[PER_PAGE - 1] if len(found) > PER_PAGE else None
    return lines, f"{last.created_at!r}~{last.id}" if last else ""


def _changes(ask: Ask, words: dict[str, str]) -> tuple[list[dict[str, Any]], str]:
    asked = {n: words[n] for n in ("connection", "author") if words[n]}
    after = ask.query("after")
    before = int(after) if after.isdecimal() and len(after) < 19 else None
    with ask.engine.ledger.read() as tx:
        found = tx.page_of_history(before, PER_PAGE + 1, **asked)
        lines = change_documents(ask.engine, tx, found[:PER_PAGE])
    more = len(found) > PER_PAGE
    return lines, str(found[PER_PAGE - 1].id) if more else ""


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
