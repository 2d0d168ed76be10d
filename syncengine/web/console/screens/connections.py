"""Connections: how each stands, and what an operator does about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.gate import CallGate
from syncengine.flows.people import pausing
from syncengine.flows.people.members import note
from syncengine.flows.run.sweep import ask_listings
from syncengine.flows.views.queries import UNLINKED, select_links
from syncengine.flows.views.status import connection_document
from syncengine.ledger import Transaction
from syncengine.model.member import AuditWord
from syncengine.model.rights import Right
from syncengine.web.console.ask import Ask

NOBODYS: Final = 50
"""Rows of nobody that are shown."""


def show_list(ask: Ask) -> Response:
    """All connections."""
    with ask.engine.ledger.read() as tx:
        found = [
            _told(ask, name, connection_document(ask.engine, tx, name))
            for name in ask.engine.project.connections
            if ask.within.has(connection=name)
        ]
    return ask.page("connections.html", connections=found)


def show_one(ask: Ask) -> Response:
    """One connection: its listings, what it waits for, and who belongs to nobody there."""
    name = _name(ask)
    declared = ask.engine.project.connections[name]
    with ask.engine.ledger.read() as tx:
        document = connection_document(ask.engine, tx, name)
        state = tx.connection(name)
        writes = tx.count_outbox(name)
        links = tx.count_links_in(name)
        left = calls_left(ask.engine, tx, name)
    rows = []
    if ask.may(Right.READ):
        rows = select_links(ask.engine, None, name, UNLINKED, NOBODYS)
        rows = [row for row in rows if ask.within.has(row["entity"])]
    return ask.page(
        "connection.html", c=_told(ask, name, document), state=state, writes=writes, links=links,
        declared=declared, nobodys=rows, most=NOBODYS, left=left,
    )  # fmt: skip


DOES: Final[Mapping[str, AuditWord]] = {
    "pause": "pause connection", "resume": "resume connection", "list": "list connection",
}  # fmt: skip
"""What can be done -> what the audit says of it."""


def act(ask: Ask) -> Response:
    """Pause, resume, or list now."""
    name, what = _name(ask), ask.given("do")
    reason = ask.reason
    if what == "pause":
        pausing.pause(ask.engine, name, reason, ask.author)
        told = f"{name} is paused: nothing is written there until somebody resumes it."
    elif what == "resume":
        pausing.resume(ask.engine, name)
        told = f"{name} is resumed."
    elif what == "list":
        if ask.engine.project.connections[name].off:
            raise HTTPException(409, f"{name} is off: {ask.engine.project.connections[name].off}")
        ask_listings(ask.engine, name)
        told = f"{name} is listed as soon as a worker is free."
    else:
        raise HTTPException(422, "expected pause, resume or list")
    with ask.engine.ledger.write() as tx:
        note(
            ask.engine, tx, ask.author, "console", DOES[what], name,
            address=ask.visit.address,
        )  # fmt: skip
    return ask.to(f"/connections/{name}", told)


def calls_left(engine: Engine, tx: Transaction, name: str) -> tuple[int, int] | None:
    """How many calls are left of the budget of a connection, and how many it has; None without one."""
    gate = engine.gates.get(name)
    return gate.calls_left(tx) if isinstance(gate, CallGate) else None


def _name(ask: Ask) -> str:
    name = ask.visit.params["name"]
    if name not in ask.engine.project.connections:
        raise HTTPException(404, f"the project has no connection {name[:60]}")
    return name


def _told(ask: Ask, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """A connection with the one word for how it stands: ``off``, ``halted``, ``paused``, ``failing``, ``limit``,
    ``observed`` or ``well``."""
    word = "well" if document["mode"] == "write" else "observed"
    until = document["blocked_until"] or 0
    if until > ask.now:
        word = "limit"
    for code in ("failures", "paused", "halted", "off"):
        if document[code]:
            word = "failing" if code == "failures" else code
    return {**document, "name": name, "word": word}
