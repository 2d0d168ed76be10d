"""Why: for a record and each connection, the first reason why they do not agree there, or that they do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from syncengine.errors import RowInvalid
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.staging import group_of
from syncengine.ledger import Transaction
from syncengine.mapping import Entity, System
from syncengine.model.case import Case, CaseKind
from syncengine.model.condition import Approved, InScope, WrittenTo
from syncengine.model.connection import ConnectionState
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import UNSETTLED, Operation, OperationState
from syncengine.model.record import Record
from syncengine.planning.observation import counts


@dataclass(frozen=True, slots=True)
class Reason:
    """How a record stands in a connection. ``code``: the first that fits of ``off``, ``refused``, ``staged``, ``asked``
    (what a person can decide is hidden by no vendor that does not answer), ``halted``, ``failing``, ``never_made``,
    ``let_be``, ``scope``, ``waits``, ``paused``, ``observed``, ``sending``, ``proving``, ``looked_at``, ``not_taken``,
    ``gone``, ``left``, ``agrees``. ``told``: what is waited for, or why, as people are told
    it. ``case``: the question that is open about it. ``since``: when it was read last (epoch seconds). ``agreeing``:
    fields of which both sides are as when they were last compared, and found the same."""

    connection: str
    code: str
    told: str = ""
    case: str = ""
    external_id: str | None = None
    since: float = 0.0
    agreeing: frozenset[str] = frozenset()

    @property
    def is_well(self) -> bool:
        """Whether nothing is to be done or waited for."""
        return self.code in ("agrees", "left", "gone", "never_made")


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a record in one connection, for ``reason_of``."""

    record: Record
    system: System
    off: str
    mode: str
    state: ConnectionState
    link: Link | None
    case: Case | None
    operation: Operation | None


def whys(engine: Engine, record_id: str) -> list[Reason]:
    """A reason for each connection that knows the record's entity. Raises KeyError for an unknown record."""
    with engine.ledger.read() as tx:
        record = tx.records([record_id])[record_id]
        entity = engine.project.entities[record.entity]
        return [reason_of(seen) for seen in _all_seen(engine, tx, record, entity)]


def _all_seen(engine: Engine, tx: Transaction, record: Record, entity: Entity) -> Iterator[Seen]:
    links = tx.links_of([record.id])
    held = {group.subject for k in links if (group := group_of(k)) is not None}
    cases = tx.cases_of([record.id], [link.id for link in links])
    staged = {case.subject: case for case in tx.cases(subjects=sorted(held))} if held else {}
    operations = tx.unsettled([link.id for link in links])
    states = {s.name: s for s in tx.connections(list(entity.systems))}
    whose = _asked_whose(tx, record)
    for name, system in entity.systems.items():
        declared = engine.project.connections[name]
        mine = sorted((k for k in links if k.connection == name), key=_rank)
        link = mine[0] if mine else None
        case = next((c for c in cases if link is not None and c.link_id == link.id), None)
        if case is None and link is not None and link.wait is not None:
            case = staged.get(link.wait.key)
        if case is None and (link is None or link.state is LinkState.GONE):
            case = whose.get(name)
        operation = operations.get(link.id) if link is not None else None
        yield Seen(record, system, declared.off, declared.mode, states[name], link, case, operation)


def _asked_whose(tx: Transaction, record: Record) -> dict[str, Case]:
    """Connection -> the question whether a row there that shows an identity of the record is the record's."""
    near = tx.sharers([record.id])
    asked = [case for case in tx.cases_of([], near) if case.kind is CaseKind.IDENTITY]
    links = tx.links([case.link_id for case in asked if case.link_id]) if asked else {}
    return {links[c.link_id].connection: c for c in asked if c.link_id in links}


_RANKS: Sequence[LinkState] = (
    LinkState.LINKED, LinkState.MISSING, LinkState.CREATING, LinkState.WAITING, LinkState.LEFT,
)  # fmt: skip


def _rank(link: Link) -> int:
    return _RANKS.index(link.state) if link.state in _RANKS else len(_RANKS)


def reason_of(seen: Seen) -> Reason:
    """The first reason that fits. Pure."""
    link, name = seen.link, seen.system.connection
    code, told = _code(seen)
    case = seen.case.id if seen.case is not None else ""
    at = link.read_at if link is not None else 0.0
    external_id = link.external_id if link is not None else None
    return Reason(name, code, told, case, external_id, at, _agreeing(seen))


def _agreeing(seen: Seen) -> frozenset[str]:
    link = seen.link
    if link is None or link.row is None:
        return frozenset()
    return frozenset(
        name
        for name, rule in seen.system.rules.items()
        if name in link.base.canonical
        and name in link.base.vendor
        and link.base.canonical[name] == seen.record.values.get(name)
        and link.base.vendor[name] == rule.extract(link.row)
    )


def _code(seen: Seen) -> tuple[str, str]:
    link, state = seen.link, seen.state
    if seen.off:
        return "off", seen.off
    if seen.case is not None:
        return _ASKED.get(seen.case.kind, "asked"), seen.case.question
    if state.halted:
        return "halted", state.halted
    if state.failures:
        return "failing", state.why
    if link is None:
        return "never_made", ""
    if link.wait is not None:
        return _waiting(seen, link)
    if link.approval is not None and link.approval.refuses:
        why = f": {link.approval.reason}" if link.approval.reason else ""
        return "let_be", f"{link.approval.summary}{why}"
    return _under_way(seen, link)


_ASKED: Mapping[CaseKind, str] = {CaseKind.STAGED: "staged", CaseKind.REJECTED: "refused"}


def _unsent(seen: Seen, link: Link) -> str:
    """The fields that a row would be written, where its connection is only observed; empty of a whole row."""
    if seen.operation is not None:
        return ", ".join(sorted(seen.operation.carried))
    if link.row is None:
        return ""
    wanted = [
        name
        for name, rule in seen.system.rules.items()
        if rule.writes and link.base.canonical.get(name) != seen.record.values.get(name)
    ]
    return ", ".join(wanted)


def _waiting(seen: Seen, link: Link) -> tuple[str, str]:
    on, what = (link.wait.on, link.wait.what) if link.wait is not None else (None, "")
    if link.approval is not None and link.approval.refuses:
        return "let_be", link.approval.summary
    if isinstance(on, InScope):
        return "scope", what
    if isinstance(on, WrittenTo):
        return "observed", _unsent(seen, link)
    return ("staged" if isinstance(on, Approved) else "waits"), what


def _under_way(seen: Seen, link: Link) -> tuple[str, str]:
    operation = seen.operation
    if operation is not None and operation.state in UNSETTLED:
        if seen.state.paused:
            return "paused", seen.state.paused
        if operation.state is OperationState.UNKNOWN:
            return "proving", operation.detail
        return ("observed", _unsent(seen, link)) if seen.mode != "write" else ("sending", "")
    if link.dirty or link.need_get:
        return "looked_at", ""
    if link.state is LinkState.CREATING:
        return "waits", "its row there"
    where = seen.system.where
    if where is not None and _is_not_taken(seen.system, link):
        return "not_taken", where.source
    if link.state is LinkState.LEFT:
        return "left", ""
    return ("gone", "") if link.state is LinkState.GONE else ("agrees", "")


def _is_not_taken(system: System, link: Link) -> bool:
    """Whether ``where`` keeps a row out; one of which that cannot be told is not said to be."""
    try:
        return link.row is not None and not counts(system, link.row, "list")
    except RowInvalid:
        return False
