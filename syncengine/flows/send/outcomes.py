"""Outcomes: what the end of a call does to the operation, its link and the links that wait for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from syncengine.errors import Again, RateLimited, Rejected, SyncengineError
from syncengine.flows.core.engine import new_id, retry_on_lost_race
from syncengine.flows.core.places import gives_way
from syncengine.flows.send.applied import Applied, Done
from syncengine.flows.send.traceless import REST, TRIES, lost_before
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.link import Link
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
from syncengine.model.values import as_list
from syncengine.planning.approvals import body_digest
from syncengine.planning.questions import not_taken, refused, unmade

MOVING = "refused while a row that it refers to was changing"
PROBE_STEP = 1.0
"""Seconds between probes until the vendor's time to commit is over."""
_ANSWERS = {UNNAMED: "the answer named no row", ANOTHERS: "the answer named another row"}


def pending(operation: Operation, until: float, why: str) -> Operation:
    """The operation as not sent, to be tried again at ``until``."""
    return replace(operation, state=OperationState.PENDING, token=None, next_at=until, detail=why)


class Outcomes(Applied):
    """Stores outcomes; every method ignores an operation that is settled already."""

    @retry_on_lost_race
    def written(self, answers: Sequence[tuple[Operation, Written | None, float]]) -> list[str]:
        """The vendor confirmed these writes of different links: what it answered, and when. Returns their outcomes. A
        create whose answer names a row that it cannot have made is not settled: a read proves what happened."""
        with self.engine.ledger.write() as tx:
            links = tx.links([operation.link_id for operation, _, _ in answers], lock=True)
            created = [
                (links[o.link_id], answer)
                for o, answer, _ in answers
                if o.action is Action.CREATE and answer is not None and o.link_id in links
            ]
            holders = self.holders_of(tx, created)
            if len(answers) == 1 or not holders:
                return self._confirmed(tx, answers, links, holders)
        # Making room for one link may make another one dirty, which would be written over here.
        return [outcome for one in answers for outcome in self.written([one])]

    def _confirmed(
        self, tx: Transaction, answers: Sequence[tuple[Operation, Written | None, float]],
        links: Mapping[str, Link], holders: Mapping[str, Link],
    ) -> list[str]:  # fmt: skip
        outcomes, done = [], list[Done]()
        for operation, answer, received in answers:
            link = links.get(operation.link_id)
            system = self.engine.system(operation.entity, operation.connection)
            holder = holders.get(operation.link_id)
            outcomes.append("applied")
            if link is None or system is None:
                continue
            if holder is not None and _names_another(tx, system, operation, holder):
                self._in_doubt(tx, operation, ANOTHERS)
                outcomes[-1] = "unknown"
            else:
                done.append(Done(system, link, operation, answer, received, holder=holder))
        self.applied_all(tx, done)
        return outcomes

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


def _names_another(tx: Transaction, system: System, operation: Operation, holder: Link) -> bool:
    """Whether a create was answered with the id of another record's row, or of an untied row that was seen before.
    The latter may be the very row it created, so it is doubted only where a read can tell."""
    if holder.record_id is None:
        return holder.row is not None and system.resource.proves(operation.body)
    return not gives_way(tx, holder)
