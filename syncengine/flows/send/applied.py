"""Writes that took effect: what becomes of them, of their links and of the links that wait for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.places import gives_way
from syncengine.flows.reconcile.records import derivable, referring, retied
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.condition import Condition, OperationSettled
from syncengine.model.event import Event
from syncengine.model.link import Link
from syncengine.model.operation import Action, Detail, Operation, OperationState, Written
from syncengine.model.values import Row
from syncengine.planning.doubts import Claim
from syncengine.planning.identity import (
    AT_VENDOR,
    conditions_met,
    identity_subject,
    place_free,
    renames,
    waits_for,
)
from syncengine.planning.observation import stamped
from syncengine.planning.settle import Settled, answered, leaves_open, settle_applied

_ANSWERS: Mapping[str, str] = {
    Detail.NO_ROW_NAMED: "the answer named no row",
    Detail.OTHER_ROW_NAMED: "the answer named another row",
}


@dataclass(frozen=True, slots=True)
class Done:
    """A write that took effect.

    ``link``: as locked. ``answer``: None where the vendor's answer, or the read that proves the write, shows nothing of
    it. ``received``: when that came (epoch seconds). ``said``: how we know, if not by the vendor's answer. ``holder``:
    the link that holds the row of a create already."""

    system: System
    link: Link
    operation: Operation
    answer: Written | None
    received: float
    said: str = ""
    holder: Link | None = None


@dataclass(frozen=True, slots=True)
class _Conclusion:
    """What one of them comes to. ``held``: the operation as it was stored. ``again``: the link is planned again.
    ``room``: what becomes of the holder of the row."""

    done: Done
    held: Operation
    settled: Settled
    link: Link
    again: bool
    room: Changeset


def holders_of(tx: Transaction, made: Sequence[tuple[Link, Written]]) -> dict[str, Link]:
    """Link of a create -> the link that holds the row with which it was answered; locked."""
    places: dict[tuple[str, str, str], dict[str, str]] = {}
    for link, answer in made:
        place = link.entity, link.connection, link.resource
        places.setdefault(place, {})[answer.external_id] = link.id
    return {
        asked[external_id]: found
        for place, asked in places.items()
        for external_id, found in tx.links_at(*place, list(asked), lock=True).items()
        if found.id != asked[external_id]
    }


def applied(engine: Engine, tx: Transaction, writes: Sequence[Done]) -> Changeset:
    """Writes of different links took effect: set the bases from what they carried, store the external ids, wake the
    links that waited. An operation that is settled already is ignored."""
    stored = tx.operations([d.operation.id for d in writes], lock=True)
    now = engine.clock.now()
    made = [
        _conclude(engine, tx, d, stored[d.operation.id])
        for d in writes
        if is_ours(d.operation, stored)
    ]
    stamps = tx.add_events([_event(c, now) for c in made])
    stamp = {c.link.id: at or 0 for c, at in zip(made, stamps, strict=True)}
    links = {c.link.id: stamped(c.link, c.settled.moved, stamp[c.link.id]) for c in made}
    # What the vendor refused before is no question any more; else the next plan says so.
    over = {f"rejected:{c.link.id}" for c in made if not c.again}
    over |= {f"unknown:{c.held.id}" for c in made if c.held.state is OperationState.UNKNOWN}
    change = Changeset(
        links=list(links.values()),
        operations=[_applied(c) for c in made],
        history=[
            replace(line, at=now, stamp=stamp[c.link.id])
            for c in made
            for line in c.settled.changes
        ],
        dissolved=dict.fromkeys(over, now),
    )
    for conclusion in made:
        change += conclusion.room
    return change + followed(engine, [(links[c.link.id], c.done.operation) for c in made])


def _conclude(engine: Engine, tx: Transaction, done: Done, held: Operation) -> _Conclusion:
    system, before, operation, answer = done.system, done.link, done.operation, done.answer
    external_id = operation.external_id if answer is None else answer.external_id
    row: Row | None = None if answer is None else answer.row
    claim = _claim(engine, held, done.received, by_vendor=not done.said)
    settled = settle_applied(system, before, operation, external_id, row, done.received, claim)
    unread = settled.link.need_get or (answer is not None and answer.unread)
    entity = engine.project.entities[operation.entity]
    again = unread or bool(done.said) or leaves_open(entity, before, operation, settled)
    link, room = settled.link.mirrored(need_get=unread).woken(again), Changeset()
    if done.holder is not None and link.external_id != before.external_id:
        link, room = made_room(engine, tx, link, done.holder)
    return _Conclusion(done, held, settled, link, again, room)


def _claim(engine: Engine, held: Operation, received: float, by_vendor: bool) -> Claim:
    """Who confirms that a write took effect, and from when on a read may refute it."""
    spec = engine.project.connections[held.connection].spec
    until = received + spec.settle_time + spec.resources[held.resource].read_lag
    return Claim(until, by_vendor and held.state is OperationState.CLAIMED)


def followed(engine: Engine, settled: Sequence[tuple[Link, Operation]]) -> Changeset:
    """Whoever depends on these links and on their writes, which took effect, becomes dirty."""
    turned = [(k, o) for k, o in settled if o.action is not Action.UPDATE or o.leave]
    created = [(k, o) for k, o in settled if o.action is Action.CREATE]
    deleted = [k for k, o in settled if o.action is Action.DELETE]
    entities, but = engine.project.entities, frozenset(k.id for k, _ in turned)
    awaited: set[Condition] = {
        place_free(link)
        for link, o in settled
        if o.action is Action.DELETE or renames(entities[o.entity], o.carried)
    }
    awaited |= {key for k, o in created for key in (OperationSettled(o.id), *conditions_met(k))}
    wakes = Wakes(siblings={o.record_id: but for _, o in turned}, waiting=awaited)
    wakes += retied(engine, [k for k, _ in created], deleted)
    for link, _ in created:
        if link.row_version > 1:
            wakes += referring(engine, link)
    due = derivable(engine, [(o.entity, o.record_id) for _, o in created])
    return Changeset(wakes=wakes, derivations=due)


def made_room(engine: Engine, tx: Transaction, link: Link, holder: Link) -> tuple[Link, Changeset]:
    """Merge the link of a row that a scan saw before we knew that it is ours, or that a leaver left, into this link;
    returns it, and what becomes of the other one. Where that stays, this one waits."""
    if not (holder.record_id is None or gives_way(tx, holder)):
        return behind(link, holder), Changeset()
    wakes = Wakes(sharers={holder.id})
    wakes += retied(engine, went=[holder] if holder.state in AT_VENDOR else ())
    over = {identity_subject(holder): engine.clock.now()}
    return link, Changeset(removed={holder.id}, dissolved=over, wakes=wakes)


def behind(link: Link, holder: Link) -> Link:
    """The link, waiting for the holder to give up the row."""
    return waits_for(link.at_rest().mirrored(external_id=None, row=None), holder)


def is_ours(operation: Operation, stored: Mapping[str, Operation]) -> bool:
    """Whether an operation is not settled yet, and claimed by whoever settles it."""
    held = stored.get(operation.id)
    unsettled = (OperationState.CLAIMED, OperationState.UNKNOWN)
    return held is not None and held.token == operation.token and held.state in unsettled


def _event(of: _Conclusion, now: float) -> Event:
    link, name = of.link, f"write:{of.done.operation.id}"
    return Event(link.connection, link.resource, link.external_id or "", name, "write", now)


def _applied(of: _Conclusion) -> Operation:
    """The operation as it is stored from now on."""
    done, operation = of.done, of.done.operation
    said = done.said
    if of.held.state is OperationState.UNKNOWN:
        said = f"{_ANSWERS.get(of.held.detail, 'no answer came')}; a later read shows it"
    answer = done.answer
    said = said or answered(done.system, operation, None if answer is None else answer.row)
    external_id = operation.external_id if answer is None else answer.external_id
    return replace(
        of.held, state=OperationState.APPLIED, detail=said, next_at=0.0,
        external_id=external_id or of.held.external_id,
    )  # fmt: skip
