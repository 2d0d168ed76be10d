"""Settling a write: how its outcome changes the link. Base values come from what was sent, never from a later read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from syncengine.mapping import Entity, System, paths
from syncengine.model.change import Change
from syncengine.model.link import WHOLE, Base, Doubt, Link, LinkState
from syncengine.model.operation import Action, Operation
from syncengine.model.record import Record
from syncengine.model.values import ABSENT, Json, Row
from syncengine.planning.doubts import PLAIN, Claim, compare_with_write, leaving, row_hashes
from syncengine.planning.observation import (
    body_row,
    listed_part,
    mapped,
    roots,
    sent_raw,
    still_listed,
    unforeseen,
)

RUN_OVER: Final = "seen while our write was under way"
AS_SHOWN: Final = frozenset({RUN_OVER, "set.leave"})
"""Policies of lost values that stand in the history as the vendor spells them."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of settling a write. ``link``: after the write. ``moved``: fields that somebody else changed, as the
    answer shows. ``changes``: history entries for foreign values that the write overwrote."""

    link: Link
    moved: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()


def settle_applied(
    system: System, link: Link, operation: Operation, external_id: str | None, answer: Row | None,
    received: float, claim: Claim = PLAIN,
) -> Settled:  # fmt: skip
    """The link after a write that took effect, as ``claim`` says. ``answer``: the row as shown by the write's own
    response (None: it showed none)."""
    if operation.action is Action.DELETE:
        held = claim.by_vendor and link.row is not None
        doubts = {WHOLE: claim.doubt(row_hashes(system, link.row or {}), False)} if held else {}
        gone = link.mirrored(
            row=None, row_version=link.row_version + 1, read_at=received, need_get=False,
            foreign_values={},
        )  # fmt: skip
        gone = gone.tied(state=LinkState.GONE, base=Base(doubts=doubts), approval=None)
        return Settled(gone)
    shown = None if answer is None else mapped({"_id": external_id, **answer}, roots(system))
    row = body_row(operation.body, link.row)
    row = mapped(row, roots(system)) if shown is None else {**row, **shown}
    moved = _moved_by_others(system, link, operation, row)
    state = LinkState.LEFT if operation.leave else LinkState.LINKED
    base = _base_after_write(system, link, operation, shown, claim)
    settled = link.mirrored(
        external_id=link.external_id or external_id,
        parent=link.parent or row.get("_parent"),
        row=row,
        row_version=link.row_version + 1,
        listed_hash=still_listed(link, listed_part(system, row)),
        read_at=received,
        suspected_at=None,
        need_get=link.need_get or base.unproved,
        foreign_values={},
    ).tied(state=state, base=base, approval=None)
    return Settled(settled, moved, _overwritten(system, link, operation))


def leaves_open(entity: Entity, before: Link, operation: Operation, settled: Settled) -> bool:
    """Whether a link has to be planned again after its write. It need not where the plan that made the operation still
    holds in all else: nothing else moved, nothing is waited for, nobody decided about the write. ``before``: the link
    as it was when its write was answered."""
    link = settled.link
    if before.wait is not None or before.approval is not None or link.need_get or settled.moved:
        return True
    if operation.action is Action.UPDATE:
        return operation.leave
    if operation.action is not Action.CREATE or entity.uses_systems or before.row_version:
        return True
    rules, row = entity.systems[operation.connection].rules, link.row or {}
    return any(
        name not in operation.carried and rule.extract(row) is not ABSENT
        for name, rule in rules.items()
    )


def answered(system: System, operation: Operation, answer: Row | None) -> str:
    """For people: what a vendor answered to an accepted write, and which values it stores differently from what was
    sent, sensitive fields left out. ``answer``: the row as shown, None where nothing is."""
    if answer is None:
        return "accepted" if operation.action is Action.DELETE else "accepted, without showing it"
    kept = []
    for name in operation.carried:
        rule = system.rules.get(name)
        shown = ABSENT if rule is None else rule.extract(answer)
        if rule is None or shown is ABSENT or rule.field.sensitive:
            continue
        if shown != sent_raw(system, operation, name):
            kept.append(f"{name} as {shown!r}")
    return f"accepted; it keeps {', '.join(kept)}" if kept else "accepted"


def _base_after_write(
    system: System, link: Link, operation: Operation, answer: Row | None, claim: Claim
) -> Base:
    base = link.base
    canonical, vendor, doubts = dict(base.canonical), dict(base.vendor), dict(base.doubts)
    expected, rules = set(base.expected), dict(base.rules)
    written = body_row(operation.body)

    def set_base_value(name: str, sent: Json) -> None:
        """What the answer shows; else what was sent, with what stood there before beside it."""
        rule, before = system.rules[name], operation.expected.get(name)
        shown = ABSENT if answer is None else rule.extract(answer)
        said = compare_with_write(rule, shown, sent, before)
        vendor[name] = sent if said in ("", "before") else shown
        if said in ("", "before"):
            expected.add(name)
            doubts[name] = claim.doubt(before, said == "before")
        else:
            expected.discard(name)
            doubts.pop(name, None)

    for name, value in operation.carried.items():
        rule = system.rules.get(name)
        if rule is None:
            continue
        sent = rule.extract(written)
        canonical[name] = value
        if name in operation.rules:
            rules[name] = operation.rules[name]
        # A rule that was moved to another path since does not find what was sent; such a base value counts no more.
        set_base_value(name, None if sent is ABSENT else sent)
    if operation.leave:
        # What we wrote on leaving is no wish of the vendor, and no agreement: coming back undoes it.
        for name in [n for n in system.rules if sent_raw(system, operation, n) is not ABSENT]:
            set_base_value(name, sent_raw(system, operation, name))
            canonical.pop(name, None)
        doubts |= leaving(operation, link.row or {}, answer, claim)
    return Base(canonical, vendor, frozenset(expected), rules, doubts)


def _moved_by_others(system: System, link: Link, operation: Operation, row: Row) -> frozenset[str]:
    if link.row is None:
        return frozenset()
    return frozenset(
        name
        for name, rule in system.rules.items()
        if name not in operation.carried and rule.extract(link.row) != rule.extract(row)
    )


def _overwritten(system: System, link: Link, operation: Operation) -> tuple[Change, ...]:
    return tuple(
        Change(
            record_id=operation.record_id,
            generation=operation.generation,
            field=name,
            old=operation.carried[name],
            new=operation.carried[name],
            lost=raw,
            lost_by=link.connection,
            connection=link.connection,
            rule=operation.causes.get(name, ""),
            policy=RUN_OVER,
        )
        for name, raw in link.foreign_values.items()
        if name in operation.carried and name in system.rules
    )


def inherited_base(system: System, operation: Operation) -> Base:
    """The base of an adopted row, from our own earlier create, so that our old values are not taken for the vendor's
    changes. Nothing proves that the whole create took effect; empty fields are simply written again."""
    carried = {
        name: value
        for name, value in operation.carried.items()
        if sent_raw(system, operation, name) is not ABSENT
    }
    vendor = {name: sent_raw(system, operation, name) for name in carried}
    rules = {name: operation.rules[name] for name in carried if name in operation.rules}
    doubts = {name: Doubt(None, claimed=False) for name in carried}
    return Base(carried, vendor, frozenset(carried), rules, doubts)


def overwritten_change(record: Record, link: Link, name: str, raw: Json, at: float) -> Change:
    """The history entry for a foreign value that our write overwrote."""
    ours = record.values.get(name)
    return Change(
        record.id, record.generation, name, ours, ours, lost=raw, lost_by=link.connection,
        connection=link.connection, policy=RUN_OVER, at=at,
    )  # fmt: skip


def outdated(link: Link, record: Record, operation: Operation) -> bool:
    """Whether a create or delete has to be planned again: its record, or the record's row elsewhere, has changed since
    it was planned."""
    if operation.action is Action.UPDATE and not operation.leave:
        return False
    made = operation.action is Action.CREATE
    return link.dirty > 0 or (made and record.generation != operation.generation)


def moved_since(system: System, operation: Operation, row: Row | None) -> bool:
    """Whether the vendor's row has changed since an update or delete was planned on it."""
    if row is None:
        return True
    return any(
        name in operation.expected
        if found is ABSENT
        else unforeseen(system, operation, name, found)
        for name, found in ((name, rule.extract(row)) for name, rule in system.rules.items())
    )


def shows(system: System, operation: Operation, row: Row) -> bool:
    """Whether a row shows what the operation writes, codecs considered. A field that the row hides proves nothing, and
    neither does a row that hides all of them."""
    seen = False
    for name in operation.carried:
        rule = system.rules.get(name)
        if rule is None:
            continue
        found, sent = rule.extract(row), sent_raw(system, operation, name)
        if found is ABSENT or sent is ABSENT:
            continue
        if not rule.same(found, sent):
            return False
        seen = True
    if operation.leave:
        found = {path: paths.get(row, path) for path in operation.body}
        shown = {path: raw for path, raw in found.items() if raw is not ABSENT}
        return bool(shown) and all(raw == operation.body[path] for path, raw in shown.items())
    return seen
