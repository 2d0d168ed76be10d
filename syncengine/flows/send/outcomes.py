"""Outcomes: what the end of a call does to the operation, its link and the links that wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from syncengine.errors import Again, RateLimited, Rejected, SyncengineError
from syncengine.flows.core.engine import Engine, new_id, retry_on_lost_race
from syncengine.flows.core.places import gives_way
from syncengine.flows.core.staging import review
from syncengine.flows.reconcile.records import invalidate_by_links, invalidate_references
from syncengine.flows.send.traceless import REST, TRIES, lost_before
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.event import Event
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import (
    ANOTHERS,
    UNMADE,
    UNNAMED,
    UNSHOWN,
    UNTAKEN,
    Action,
    Operation,
    OperationState,
    Written,
)
from syncengine.model.values import Row, as_list
from syncengine.planning.approvals import body_digest
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
from syncengine.planning.questions import not_taken, refused, unmade
from syncengine.planning.settle import answered, leaves_open, settle_applied

MOVING = "refused while a row that it refers to was changing"
PROBE_STEP = 1.0
"""Seconds between probes until the vendor's time to commit is over."""
_ANSWERS = {UNNAMED: "the answer named no row", ANOTHERS: "the answer named another row"}


def pending(operation: Operation, until: float, why: str) -> Operation:
    """The operation as not sent, to be tried again at ``until``."""
    return replace(operation, state=OperationState.PENDING, token=None, next_at=until, detail=why)


@dataclass(slots=True)
class Outcomes:
    """Stores outcomes; every method ignores an operation that is settled already."""

    engine: Engine
    dirty: list[str] = field(default_factory=list)

    def announce(self) -> None:
        """Announce the links that became dirty, after the commits of a round."""
        self.engine.announce("reconcile", self.dirty)
        self.dirty.clear()

    def _ours(self, tx: Transaction, operation: Operation) -> Operation | None:
        held = tx.operations([operation.id], lock=True).get(operation.id)
        if held is None or held.token != operation.token:
            return None
        return held if held.state in (OperationState.CLAIMED, OperationState.UNKNOWN) else None

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
        tx.save_links([link])
        if link.dirty:
            self.dirty.append(link.id)

    # outcomes that came with the answer, each in a transaction of its own

    @retry_on_lost_race
    def written(self, operation: Operation, answer: Written | None, received: float) -> str:
        """The vendor confirmed the write. A create whose answer names a row that it cannot have made is not settled: a
        read proves what happened."""
        with self.engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True).get(operation.link_id)
            system = self.engine.system(operation.entity, operation.connection)
            if link is None or system is None:
                return "applied"
            if answer is not None and self._names_another(tx, system, link, operation, answer):
                self._in_doubt(tx, operation, ANOTHERS)
                return "unknown"
            self.applied(tx, system, link, operation, answer, received)
        return "applied"

    def _names_another(
        self, tx: Transaction, system: System, link: Link, operation: Operation, answer: Written
    ) -> bool:
        """Whether a create was answered with the id of another record's row, or of an untied row that was seen before.
        The latter may be the very row it created, so it is doubted only where a read can tell."""
        if operation.action is not Action.CREATE:
            return False
        at = tx.links_at(link.entity, link.connection, link.resource, [answer.external_id])
        found = at.get(answer.external_id)
        if found is None or found.id == link.id:
            return False
        if found.record_id is None:
            return found.row is not None and system.resource.proves(operation.body)
        return not gives_way(tx, found)

    def applied(
        self, tx: Transaction, system: System, link: Link, operation: Operation,
        answer: Written | None, received: float, said: str = "",
    ) -> None:  # fmt: skip
        """The write took effect: set the base from what it carried, store the external id, wake the links that waited.
        ``said``: how we know, if not by the vendor's answer."""
        held = self._ours(tx, operation)
        if held is None:
            return
        external_id = operation.external_id if answer is None else answer.external_id
        row: Row | None = None if answer is None else answer.row
        claim = self._claim(held, received, by_vendor=not said)
        settled = settle_applied(system, link, operation, external_id, row, received, claim)
        unread = settled.link.need_get or (answer is not None and answer.unread)
        entity = self.engine.project.entities[operation.entity]
        again = unread or bool(said) or leaves_open(entity, link, operation, settled)
        is_there = settled.link.external_id == link.external_id
        dirty = link.dirty + again
        link = replace(settled.link, need_get=unread, dirty=dirty)
        link = link if is_there else self._make_room(tx, link)
        now = self.engine.clock.now()
        event = Event(
            link.connection, link.resource, link.external_id or "", f"write:{operation.id}",
            "write", now,
        )  # fmt: skip
        stamp = tx.add_events([event])[0] or 0
        self._save_link(tx, stamped(link, settled.moved, stamp))
        if not again:
            tx.dissolve_cases({f"rejected:{link.id}"}, now)
        if held.state is OperationState.UNKNOWN:
            said = _ANSWERS.get(held.detail, "no answer came")
            said += "; a later read shows it"
        said = said or answered(system, operation, row)
        self._save(tx, held, OperationState.APPLIED, said, external_id=external_id)
        tx.add_history([replace(c, at=now, stamp=stamp) for c in settled.changes])
        if held.state is OperationState.UNKNOWN:
            tx.dissolve_cases({f"unknown:{operation.id}"}, now)
        self._wake(tx, link, operation)

    def _claim(self, held: Operation, received: float, by_vendor: bool) -> Claim:
        """Who confirms that a write took effect, and from when on a read may refute it."""
        spec = self.engine.project.connections[held.connection].spec
        until = received + spec.settle_time + spec.resources[held.resource].read_lag
        return Claim(until, by_vendor and held.state is OperationState.CLAIMED)

    def _wake(self, tx: Transaction, link: Link, operation: Operation) -> None:
        if operation.action is not Action.UPDATE or operation.leave:
            tx.dirty_siblings([operation.record_id], [link.id])
        if operation.action is Action.CREATE:
            invalidate_by_links(self.engine, tx, came=[link])
        if operation.action is Action.DELETE:
            invalidate_by_links(self.engine, tx, went=[link])
        entity = self.engine.project.entities[operation.entity]
        awaited = set[str]()
        if operation.action is Action.DELETE or renames(entity, operation.carried):
            awaited.add(place_free(link))
        if operation.action is Action.CREATE:
            if link.row_version > 1:
                invalidate_references(self.engine, tx, link)
            awaited |= {f"op:{operation.id}", *known_by(link)}
        tx.dirty_waiting(awaited)
        sources = {entity for d in self.engine.project.derivations for entity in d.sources}
        if operation.action is Action.CREATE and operation.entity in sources:
            tx.derive_due([operation.record_id])

    def _make_room(self, tx: Transaction, link: Link) -> Link:
        """Merge the link of a row that a scan saw before we knew that it is ours, or that a leaver left, into this
        link."""
        if link.external_id is None or link.state is LinkState.GONE:
            return link
        found = tx.links_at(
            link.entity, link.connection, link.resource, [link.external_id], lock=True
        ).get(link.external_id)
        if found is None or found.id == link.id:
            return link
        if found.record_id is None or gives_way(tx, found):
            tx.dirty_sharers([found.id])
            tx.remove_links([found.id])
            invalidate_by_links(self.engine, tx, went=[found] if found.state in AT_VENDOR else ())
            tx.dissolve_cases([identity_subject(found)], self.engine.clock.now())
            review(self.engine, tx, [found])
            return link
        return self._waits_for(link, found)

    def _waits_for(self, link: Link, holder: Link) -> Link:
        none = replace(link, external_id=None, row=None, dirty=0)
        return waits_for(none, holder)

    def stale(self, tx: Transaction, link: Link, operation: Operation) -> None:
        """The vendor's row has changed, or the write surely did not happen: plan again."""
        held = self._ours(tx, operation)
        if held is not None:
            if sent := held.state is OperationState.UNKNOWN:
                tx.dissolve_cases({f"unknown:{operation.id}"}, self.engine.clock.now())
            self._save(tx, held, OperationState.STALE, UNSHOWN * sent)
            if link.foreign_values:
                tx.save_links([replace(link, foreign_values={})])
            self._dirty(tx, link, operation)

    def traceless(self, tx: Transaction, link: Link, operation: Operation) -> str:
        """The write was never answered and surely did not happen: plan again, the second time after a while. If a
        vendor never takes it, ask a person."""
        lost = lost_before(tx, operation)
        if lost + 1 >= TRIES:
            self.unmade(tx, link, operation, times=lost + 1)
            return "rejected"
        if lost + 2 < TRIES or operation.detail == UNTAKEN:
            self.stale(tx, link, operation)
            return "stale"
        held, again = self._ours(tx, operation), self.engine.clock.now() + REST
        if held is not None:
            self._save(tx, held, OperationState.UNKNOWN, UNTAKEN, next_at=again)
        return "unknown"

    def unmade(
        self, tx: Transaction, link: Link, operation: Operation, times: int = 0
    ) -> None:  # fmt: skip
        """No read shows a write that the vendor accepted, or that was sent so many ``times``: ask a person, as if it
        had been refused."""
        held = self._ours(tx, operation)
        if held is None:
            return
        now = self.engine.clock.now()
        self._save(tx, held, OperationState.REJECTED, UNSHOWN if times else UNMADE)
        case = unmade(operation, body_digest(operation), times)
        tx.raise_cases([replace(case, id=new_id(), opened_at=now)])
        tx.dissolve_cases({f"unknown:{operation.id}"}, now)
        wait = link.wait or not_taken(link.connection)
        tx.save_links([replace(link, wait=wait, foreign_values={})])
        tx.dirty_waiting({f"op:{operation.id}"})

    def cancel(self, tx: Transaction, operation: Operation, link: Link | None) -> None:
        """The operation is no longer wanted and was never sent."""
        held = self._ours(tx, operation)
        if held is not None:
            self._save(tx, held, OperationState.CANCELLED)
            if link is not None:
                self._dirty(tx, link, operation)

    def _dirty(self, tx: Transaction, link: Link, operation: Operation) -> None:
        tx.dirty_waiting({f"op:{operation.id}"})
        tx.dirty_links([link.id])
        self.dirty.append(link.id)

    @retry_on_lost_race
    def vanished(self, operation: Operation) -> None:
        """The row disappeared or cannot be read: nothing was written, and a fresh read decides."""
        with self.engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True).get(operation.link_id)
            if link is not None:
                tx.save_links([replace(link, need_get=True)])
                self.stale(tx, link, operation)

    @retry_on_lost_race
    def rejected(self, operation: Operation, error: Rejected, sent: bool = True) -> None:
        """The vendor refused the write for good, or it cannot be sent: ask a person, and do not repeat it unless
        something changes."""
        with self.engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True).get(operation.link_id)
            held = self._ours(tx, operation)
            if held is None or link is None:
                return
            if self._on_moving_ground(tx, link, operation):
                self._save(tx, held, OperationState.STALE, MOVING)
                self._dirty(tx, link, operation)
                return
            self._ask_again(tx, link, held, error, sent)

    def _ask_again(
        self, tx: Transaction, link: Link, held: Operation, error: Rejected, sent: bool
    ) -> None:
        said = f"status {error.status}" + f": {error.answer}" * bool(error.answer)
        self._save(tx, held, OperationState.REJECTED, said if sent else str(error))
        case = refused(held, error.answer or str(error), body_digest(held), sent)
        tx.raise_cases([replace(case, id=new_id(), opened_at=self.engine.clock.now())])
        tx.save_links([replace(link, wait=link.wait or not_taken(link.connection))])
        tx.dirty_waiting({f"op:{held.id}"})

    def _on_moving_ground(self, tx: Transaction, link: Link, operation: Operation) -> bool:
        """Whether a row that the write refers to is itself about to change there; then it is planned again, once."""
        before = tx.select_operations(link_id=link.id, limit=2)
        if any(o.detail == MOVING for o in before if o.id != operation.id):
            return False
        record = tx.records([operation.record_id]).get(operation.record_id)
        entity = self.engine.project.entities[operation.entity]
        targets = {
            target
            for name, declared in entity.fields.items()
            if declared.is_ref and record is not None
            for target in as_list(record.values.get(name))
        }
        links = [k for k in tx.links_of(targets) if k.connection == link.connection]
        busy = tx.unsettled([k.id for k in links])
        return any(k.id in busy or k.need_get or k.dirty or k.row is None for k in links)

    @retry_on_lost_race
    def unknown(self, operation: Operation, detail: str) -> None:
        """The write was sent and its outcome is unknown: probe soon, and until the vendor's time to commit is over."""
        with self.engine.ledger.write() as tx:
            self._in_doubt(tx, operation, detail)

    def _in_doubt(self, tx: Transaction, operation: Operation, detail: str) -> None:
        held = self._ours(tx, operation)
        if held is not None:
            next_at = self.engine.clock.now() + PROBE_STEP / 2
            self._save(tx, held, OperationState.UNKNOWN, detail, next_at=next_at)

    def unknown_all(self, tx: Transaction, operations: Sequence[Operation]) -> None:
        """The leases of these claimed operations have expired."""
        tx.save_operations(
            [replace(o, state=OperationState.UNKNOWN, detail="the lease ended") for o in operations]
        )

    def not_sent(self, operation: Operation, error: SyncengineError) -> None:
        """The write surely did not happen: send the same operation again; at once if only our own lease was too short,
        else later."""
        now = self.engine.clock.now()
        later = now + self.engine.limits.pause(operation.attempts)
        if isinstance(error, RateLimited):
            later = max(now, error.until)
        if isinstance(error, Again):
            later = now
        self.put_off([operation], later, tried=True, why=str(error))

    @retry_on_lost_race
    def put_off(
        self, operations: Sequence[Operation], until: float, tried: bool = False, why: str = ""
    ) -> None:
        """Set operations that were surely not sent back to pending, not before ``until``. If not even ``tried``, no
        attempt is counted."""
        if not operations:
            return
        with self.engine.ledger.write() as tx:
            held = tx.operations([o.id for o in operations], lock=True)
            tokens = {o.id: o.token for o in operations}
            tx.save_operations(
                [
                    replace(pending(o, until, why), attempts=o.attempts - (not tried))
                    for o in held.values()
                    if o.state is OperationState.CLAIMED and o.token == tokens[o.id]
                ]
            )  # fmt: skip
