"""Questions, a page at a time, as a screen shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.staging import Group
from syncengine.flows.views.queries import Document, case_documents, record_of
from syncengine.ledger.pages import Asked, Place
from syncengine.model.case import Case, CaseKind
from syncengine.model.link import Link
from syncengine.model.member import Scope
from syncengine.model.operation import Action
from syncengine.planning.questions import emptied_subject

PER_PAGE = 50
"""Lines of a page."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of questions. ``kinds``: kind -> how many there are with the other conditions; ``total``: how many with
    all of them; ``next``: where the next page begins, ``""`` at the end."""

    lines: list[Document]
    kinds: dict[str, int]
    total: int
    next: str


def select_cases(
    engine: Engine, kind: str | None = None, closed: bool = False, record: str | None = None,
    connection: str | None = None, by: str | None = None,
    since: float | None = None, until: float | None = None,
) -> list[Document]:  # fmt: skip
    """Cases, the oldest first, each with what it is about; ``case`` shows one with its evidence. ``closed``: closed
    ones, too. ``by``: who answered. ``since``, ``until``: when they were opened, or closed where they are."""
    with engine.ledger.read() as tx:
        found = [
            c
            for c in tx.cases(kind=kind, open_only=not closed)
            for at in (c.opened_at if c.closed_at is None else c.closed_at,)
            if by in (None, c.author) and (since or at) <= at and (until is None or at < until)
        ]
        if record is not None or connection is not None:
            links = tx.links({c.link_id for c in found if c.link_id})
            subjects = _subjects_in(engine, connection) if connection else ()
            found = [
                c
                for c in found
                if (record in (None, c.record_id) or record == record_of(links, c))
                and (connection is None or _is_in(connection, links, c) or c.subject in subjects)
            ]
        return case_documents(engine, tx, found)


def _is_in(connection: str, links: Mapping[str, Link], case: Case) -> bool:
    link = links.get(case.link_id or "")
    return link is not None and link.connection == connection


def page_of_questions(
    engine: Engine, asked: Asked, behind: str = "", limit: int = PER_PAGE
) -> Page:
    """Questions as asked, behind the one at this place."""
    asked = _with_subjects(engine, asked)
    with engine.ledger.read() as tx:
        kinds = tx.count_asked(asked)
        found = tx.page_of_cases(asked, place_in(behind), limit + 1)
        lines = case_documents(engine, tx, found[:limit])
    total = kinds.get(asked.kind, 0) if asked.kind else sum(kinds.values())
    more = len(found) > limit
    return Page(lines, kinds, total, place_of(found[limit - 1], asked.closed) if more else "")


def next_question(engine: Engine, asked: Asked, behind: str) -> str | None:
    """The id of the question after a place; of the first one, where there is none."""
    asked = _with_subjects(engine, asked)
    with engine.ledger.read() as tx:
        found = tx.page_of_cases(asked, place_in(behind), 1) or tx.page_of_cases(asked, None, 1)
    return found[0].id if found else None


def place_of(case: Case, closed: bool = False) -> str:
    """Where a question stands in a list, as text for an address."""
    at = case.closed_at if closed else case.opened_at
    return f"{at or 0.0!r}~{case.id}"


def place_in(text: str) -> Place | None:
    """The place that an address names; None where it names none."""
    at, _, id_ = text.partition("~")
    try:
        return (float(at), id_) if id_ else None
    except ValueError:
        return None


def count_questions(engine: Engine, within: Scope) -> dict[str, int]:
    """Kind -> open questions within a limit."""
    with engine.ledger.read() as tx:
        return tx.count_asked(_with_subjects(engine, Asked(within=within)))


def held_questions(engine: Engine, within: Scope, limit: int) -> list[Case]:
    """Open questions about held writes within a limit, the oldest first."""
    asked = _with_subjects(engine, Asked(kind=CaseKind.STAGED, within=within))
    with engine.ledger.read() as tx:
        return tx.page_of_cases(asked, None, limit)


def question_within(engine: Engine, id_: str, within: Scope) -> Case | None:
    """A question, open or closed; None where there is none, or none within a limit."""
    with engine.ledger.read() as tx:
        return tx.case_within(id_, _with_subjects(engine, Asked(within=within)))


def _with_subjects(engine: Engine, asked: Asked) -> Asked:
    """With the questions about connections that are about no row there."""
    within = {s for name in asked.within.connections for s in _subjects_in(engine, name)}
    own = _subjects_in(engine, asked.connection or "")
    return replace(asked, subjects=tuple(sorted(own)), within_subjects=tuple(sorted(within)))


def _subjects_in(engine: Engine, name: str) -> set[str]:
    """Of the questions about a connection that are about no row of it: held writes, listings that came empty."""
    systems = [(e, s) for e, s in engine.places() if s.connection == name]
    subjects = {emptied_subject(name, s.resource.name) for _, s in systems}
    return subjects | {
        Group(e.name, name, kind.value).subject for e, _ in systems for kind in Action
    }
