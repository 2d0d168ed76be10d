"""Who is who: the rows of a record, each of which may be split off or pointed at another record; and joining two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.flows.naming.masking import mask
from syncengine.flows.naming.names import names
from syncengine.flows.people import links
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.members import note
from syncengine.flows.views.directory import Line
from syncengine.mapping import System
from syncengine.model.link import LIVE, Link
from syncengine.model.member import AuditWord, Outcome
from syncengine.model.record import Record
from syncengine.web.console.ask import Ask
from syncengine.web.console.screens.records import known

MOST: Final = 20
"""Records of which one is chosen."""
DOES: Final[Mapping[str, AuditWord]] = {
    "alone": "alone link", "own": "own link", "point": "point link", "join": "join link",
}  # fmt: skip
"""What can be done -> what the audit says of it."""


def show(ask: Ask) -> Response:
    """The rows of a record, and what can be done with each."""
    return _page(ask, known(ask))


def act(ask: Ask) -> Response:
    """Split, point or join; whoever names another record chooses it from those that are meant."""
    record, do = known(ask), ask.given("do")
    if do not in DOES:
        return _page(ask, record, 422, error="Choose what is to be done.")
    if do in ("point", "join"):
        other = ask.given("other")
        if other not in (line.id for line in _meant(ask, record, other)):
            return _choose(ask, record, other)
    try:
        done, after = _done(ask, record, do)
    except NotPossible as why:
        _note(ask, do, record, "refused")
        raise HTTPException(409, f"{why}") from None
    _note(ask, do, record)
    return ask.to(
        f"/records/{record.entity}/{after}", f"Done: {done}. The next sync carries it on."
    )


def _done(ask: Ask, record: Record, do: str) -> tuple[str, str]:
    """What was done, and on which record one looks next. Raises NotPossible."""
    reason, author, other = ask.reason, ask.author, ask.given("other")
    if do == "join":
        kept, gone = (record.id, other) if ask.given("keep") != "other" else (other, record.id)
        return links.join(ask.engine, kept, gone, author, reason), kept
    link = ask.given("link")
    if link not in (k.id for k in _rows(ask, record)):
        raise NotPossible("the row is not of this record any more")
    if do == "point":
        return links.point(ask.engine, link, other, author, reason), other
    return links.split(ask.engine, link, do == "own", author, reason), record.id


def _meant(ask: Ask, record: Record, text: str) -> list[Line]:
    """Other records of its kind that a text may mean."""
    found = ask.shared.directory.find(ask.engine, record.entity, text, limit=MOST + 1)
    return [line for line in found.lines if line.id != record.id]


def _choose(ask: Ask, record: Record, text: str) -> Response:
    found = _meant(ask, record, text) if text else []
    if not found:
        return _page(ask, record, 422, error="No other record is known by that.")
    given = {name: ask.given(name) for name in ("do", "link", "keep", "reason")}
    return ask.page(
        "choose.html", record=record, name=_name(ask, record), found=found[:MOST], given=given,
        more=len(found) > MOST,
    )  # fmt: skip


def _page(ask: Ask, record: Record, status: int = 200, error: str = "") -> Response:
    entity = ask.engine.project.entities[record.entity]
    shown = mask(ask.engine, entity)

    def told(link: Link) -> dict[str, Any]:
        system: System | None = ask.engine.system(link.entity, link.connection)
        rules = system.rules if system is not None else {}
        read = {n: shown.raw(rule, rule.extract(link.row or {})) for n, rule in rules.items()}
        values = {n: v for n, v in read.items() if v not in (None, "")}
        return {"link": link, "values": dict(list(values.items())[:6])}

    return ask.page(
        "links.html", status, record=record, name=_name(ask, record),
        rows=[told(link) for link in _rows(ask, record)], error=error,
    )  # fmt: skip


def _rows(ask: Ask, record: Record) -> list[Link]:
    with ask.engine.ledger.read() as tx:
        found = tx.links_of([record.id])
    return [k for k in found if k.state in LIVE and k.row is not None and k.external_id is not None]


def _name(ask: Ask, record: Record) -> str:
    with ask.engine.ledger.read() as tx:
        return names(ask.engine, tx, [record.id]).of(record.id)


def _note(ask: Ask, do: str, record: Record, outcome: Outcome = "done") -> None:
    with ask.engine.ledger.write() as tx:
        note(
            ask.engine, tx, ask.author, "console", DOES[do], f"record {record.id}", outcome,
            ask.visit.address, other=ask.given("other")[:100],
        )  # fmt: skip
