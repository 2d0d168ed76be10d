"""Writes that took effect: what becomes of the operations, their links and the links that wait for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.places import gives_way
from syncengine.flows.core.staging import review
from syncengine.flows.reconcile.records import derivable, referring, retied
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.changeset import Changeset
from syncengine.model.event import Event
from syncengine.model.link import Link
from syncengine.model.operation import (
    ANOTHERS,
    UNNAMED,
    Action,
    Operation,
    OperationState,
    Written,
)
from syncengine.model.values import Row
from syncengine.planning.doubts import Claim
from syncengine.planning.identity import (
    AT_VENDOR,
    identity_subject,
    known_by,
    place_free,
    renames,
    waits_for,
)
from syncengine.planning.observation import stamped
from syncengine.planning.settle import Settled, answered, leaves_open, settle_applied

_ANSWERS = {UNNAMED: "the answer named no row", ANOTHERS: "the answer named another row"}


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
    """What one of them comes to. ``held``: the operation as it was stored. ``again``: the link is planned again."""

    done: Done
    held: Operation
    settled: Settled
    link: Link
    again: bool


@dataclass(slots=True)
class Applied:
    """Stores writes that took effect; an operation that is settled already is ignored. ``dirty``: links that are to be
    planned again."""

    engine: Engine
    dirty: list[str] = field(default_factory=list)

    def announce(self) -> None:
        """Announce the links that became dirty, after the commits of a round."""
        self.engine.announce("reconcile", self.dirty)
        self.dirty.clear()

    def _ours(self, tx: Transaction, operation: Operation) -> Operation | None:
        held = tx.operations([operation.id], lock=True)
        return held[operation.id] if _is_ours(operation, held) else None

    def _save(
        self, tx: Transaction, held: Operation, state: OperationState, detail: str = "",
        external_id: str | None = None, next_at: float = 0.0,
    ) -> None:  # fmt: skip
        tx.save_operations(
            [
                replace(
                    held, state=state, detail=detail, next_at=next_at,
                    external_id=external_id or held.external_id,
                )
            ]
        )  # fmt: skip

    def _save_link(self, tx: Transaction, link: Link) -> None:
        self._save_links(tx, [link])

    def _save_links(self, tx: Transaction, links: Sequence[Link]) -> None:
        tx.save_links(links)
        self.dirty += [link.id for link in links if link.dirty]

    def applied(
        self, tx: Transaction, system: System, link: Link, operation: Operation,
        answer: Written | None, received: float, said: str = "",
    ) -> None:  # fmt: skip
        """One write took effect; as ``Done`` says."""
        holder = None
        if operation.action is Action.CREATE and answer is not None:
            holder = self.holders_of(tx, [(link, answer)]).get(link.id)
        self.applied_all(tx, [Done(system, link, operation, answer, received, said, holder)])

    def holders_of(self, tx: Transaction, made: Sequence[tuple[Link, Written]]) -> dict[str, Link]:
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

    def applied_all(self, tx: Transaction, writes: Sequence[Done]) -> None:
        """Writes of different links took effect: set the bases from what they carried, store the external ids, wake the
        links that waited."""
        stored = tx.operations([d.operation.id for d in writes], lock=True)
        now = self.engine.clock.now()
        made = [
            self._conclude(tx, d, stored[d.operation.id])
            for d in writes
            if _is_ours(d.operation, stored)
        ]
        stamps = tx.add_events([_event(c, now) for c in made])
        links = {
            c.link.id: stamped(c.link, c.settled.moved, stamp or 0)
            for c, stamp in zip(made, stamps, strict=True)
        }
        self._save_links(tx, list(links.values()))
        tx.save_operations([_applied(c) for c in made])
        tx.add_history(
            [
                replace(change, at=now, stamp=stamp or 0)
                for c, stamp in zip(made, stamps, strict=True)
                for change in c.settled.changes
            ]
        )
        # What the vendor refused before is no question any more; else the next plan says so.
        over = {f"rejected:{c.link.id}" for c in made if not c.again}
        over |= {f"unknown:{c.held.id}" for c in made if c.held.state is OperationState.UNKNOWN}
        tx.dissolve_cases(over, now)
        self._wake(tx, [(links[c.link.id], c.done.operation) for c in made])

    def _conclude(self, tx: Transaction, done: Done, held: Operation) -> _Conclusion:
        system, before, operation, answer = done.system, done.link, done.operation, done.answer
        external_id = operation.external_id if answer is None else answer.external_id
        row: Row | None = None if answer is None else answer.row
        claim = self._claim(held, done.received, by_vendor=not done.said)
        settled = settle_applied(system, before, operation, external_id, row, done.received, claim)
        unread = settled.link.need_get or (answer is not None and answer.unread)
        entity = self.engine.project.entities[operation.entity]
        again = unread or bool(done.said) or leaves_open(entity, before, operation, settled)
        link = replace(settled.link, need_get=unread, dirty=before.dirty + again)
        if done.holder is not None and link.external_id != before.external_id:
            link = self._make_room(tx, link, done.holder)
        return _Conclusion(done, held, settled, link, again)

    def _claim(self, held: Operation, received: float, by_vendor: bool) -> Claim:
        """Who confirms that a write took effect, and from when on a read may refute it."""
        spec = self.engine.project.connections[held.connection].spec
        until = received + spec.settle_time + spec.resources[held.resource].read_lag
        return Claim(until, by_vendor and held.state is OperationState.CLAIMED)

    def _wake(self, tx: Transaction, settled: Sequence[tuple[Link, Operation]]) -> None:
        """Make dirty whoever depends on these links and their writes."""
        turned = [(k, o) for k, o in settled if o.action is not Action.UPDATE or o.leave]
        tx.dirty_siblings({o.record_id for _, o in turned}, [k.id for k, _ in turned])
        created = [(k, o) for k, o in settled if o.action is Action.CREATE]
        deleted = [k for k, o in settled if o.action is Action.DELETE]
        if created or deleted:
            tx.write(Changeset(wakes=retied(self.engine, [k for k, _ in created], deleted)))
        for link, _ in created:
            if link.row_version > 1:
                tx.write(Changeset(wakes=referring(self.engine, link)))
        entities = self.engine.project.entities
        awaited = {
            place_free(link)
            for link, o in settled
            if o.action is Action.DELETE or renames(entities[o.entity], o.carried)
        }
        awaited |= {key for k, o in created for key in (f"op:{o.id}", *known_by(k))}
        tx.dirty_waiting(awaited)
        due = derivable(self.engine, [(o.entity, o.record_id) for _, o in created])
        tx.write(Changeset(derivations=due))

    def _make_room(self, tx: Transaction, link: Link, holder: Link) -> Link:
        """Merge the link of a row that a scan saw before we knew that it is ours, or that a leaver left, into this
        link."""
        if holder.record_id is None or gives_way(tx, holder):
            tx.dirty_sharers([holder.id])
            tx.remove_links([holder.id])
            went = [holder] if holder.state in AT_VENDOR else ()
            tx.write(Changeset(wakes=retied(self.engine, went=went)))
            tx.dissolve_cases([identity_subject(holder)], self.engine.clock.now())
            review(self.engine, tx, [holder])
            return link
        return self._waits_for(link, holder)

    def _waits_for(self, link: Link, holder: Link) -> Link:
        none = replace(link, external_id=None, row=None, dirty=0)
        return waits_for(none, holder)


def _is_ours(operation: Operation, stored: Mapping[str, Operation]) -> bool:
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
