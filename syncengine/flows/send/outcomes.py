"""Outcomes: what the end of a call does to the operation, its link and the links that wait for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncengine.errors import Again, RateLimited, Rejected, SyncengineError
from syncengine.flows.core.engine import Engine, new_id, retry_on_lost_race
from syncengine.flows.core.places import gives_way
from syncengine.flows.core.staging import review
from syncengine.flows.send.applied import Done, applied, holders_of, is_ours
from syncengine.flows.send.traceless import REST, TRIES, lost_before
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.changeset import Changeset
from syncengine.model.link import Link
from syncengine.model.operation import Action, Detail, Operation, OperationState, Written
from syncengine.model.values import as_list
from syncengine.planning.approvals import body_digest
from syncengine.planning.conclude import conclude
from syncengine.planning.questions import not_taken, refused, unmade

MOVING = "refused while a row that it refers to was changing"
PROBE_STEP = 1.0
"""Seconds between probes until the vendor's time to commit is over."""


@dataclass(slots=True)
class Outcomes:
    """Stores outcomes; every method ignores an operation that is settled already. ``dirty``: links that are to be
    planned again."""

    engine: Engine
    dirty: list[str] = field(default_factory=list)

    def announce(self) -> None:
        """Announce the links that became dirty, after the commits of a round."""
        self.engine.announce("reconcile", self.dirty)
        self.dirty.clear()

    def commit(self, tx: Transaction, change: Changeset, freed: Iterable[Link] = ()) -> None:
        """Write what was decided. ``freed``: links that hold their row no longer, if they are removed."""
        tx.write(change)
        review(self.engine, tx, [link for link in freed if link.id in change.removed])
        self.dirty += [*(link.id for link in change.links if link.dirty), *change.wakes.links]

    def ours(self, tx: Transaction, operation: Operation) -> Operation | None:
        """The operation as it is stored, locked; None where it is settled, or claimed by somebody else."""
        held = tx.operations([operation.id], lock=True)
        return held[operation.id] if is_ours(operation, held) else None

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
            holders = holders_of(tx, created)
            if len(answers) == 1 or not holders:
                return self._confirmed(tx, answers, links, holders)
        # Of two creates that are answered with one row, or with rows that others hold, each stands alone.
        return [outcome for one in answers for outcome in self.written([one])]

    def _confirmed(
        self, tx: Transaction, answers: Sequence[tuple[Operation, Written | None, float]],
        links: Mapping[str, Link], holders: Mapping[str, Link],
    ) -> list[str]:  # fmt: skip
        outcomes, done, change = [], list[Done](), Changeset()
        for operation, answer, received in answers:
            link = links.get(operation.link_id)
            system = self.engine.system(operation.entity, operation.connection)
            holder = holders.get(operation.link_id)
            outcomes.append("applied")
            if link is None or system is None:
                continue
            if holder is not None and _names_another(tx, system, operation, holder):
                change += self._in_doubt(self.ours(tx, operation), Detail.OTHER_ROW_NAMED)
                outcomes[-1] = "unknown"
            else:
                done.append(Done(system, link, operation, answer, received, holder=holder))
        self.commit(tx, change + applied(self.engine, tx, done), holders.values())
        return outcomes

    @retry_on_lost_race
    def vanished(self, operation: Operation) -> None:
        """The row disappeared or cannot be read: nothing was written, and a fresh read decides."""
        with self.engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True).get(operation.link_id)
            if link is None:
                return
            held, unread = self.ours(tx, operation), link.to_read()
            change = Changeset(links=[unread])
            self.commit(tx, change if held is None else change + stale(held, unread, self.now))

    @retry_on_lost_race
    def rejected(self, operation: Operation, error: Rejected, sent: bool = True) -> None:
        """The vendor refused the write for good, or it cannot be sent: ask a person, and do not repeat it unless
        something changes."""
        with self.engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True).get(operation.link_id)
            held = self.ours(tx, operation)
            if held is None or link is None:
                return
            if self._on_moving_ground(tx, link, operation):
                change = conclude(held, OperationState.STALE, MOVING, self.now)
            else:
                change = refusal(held, link, error, self.now, sent)
            self.commit(tx, change)

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

    @property
    def now(self) -> float:
        """The time, in epoch seconds."""
        return self.engine.clock.now()

    @retry_on_lost_race
    def unknown(self, operation: Operation, detail: str) -> None:
        """The write was sent and its outcome is unknown: probe soon, and until the vendor's time to commit is over."""
        with self.engine.ledger.write() as tx:
            self.commit(tx, self._in_doubt(self.ours(tx, operation), detail))

    def _in_doubt(self, held: Operation | None, detail: str) -> Changeset:
        if held is None:
            return Changeset()
        now = self.now
        return conclude(held, OperationState.UNKNOWN, detail, now, next_at=now + PROBE_STEP / 2)

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
            tokens, change = {o.id: o.token for o in operations}, Changeset()
            for o in held.values():
                if o.state is OperationState.CLAIMED and o.token == tokens[o.id]:
                    tries = replace(o, attempts=o.attempts - (not tried))
                    change += conclude(tries, OperationState.PENDING, why, self.now, next_at=until)
            self.commit(tx, change)


def stale(held: Operation, link: Link, now: float) -> Changeset:
    """The vendor's row has changed, or the write surely did not happen: plan again."""
    sent = held.state is OperationState.UNKNOWN
    calm = link.mirrored(foreign_values={}).woken() if link.foreign_values else None
    return conclude(held, OperationState.STALE, Detail.NEVER_SHOWN * sent, now, link=calm)


def refusal(
    held: Operation, link: Link, error: Rejected, now: float, sent: bool = True
) -> Changeset:
    """The vendor refused the write for good, or it cannot be sent: ask a person."""
    said = f"status {error.status}" + f": {error.answer}" * bool(error.answer)
    case = refused(held, error.answer or str(error), body_digest(held), sent)
    return conclude(
        held, OperationState.REJECTED, said if sent else str(error), now,
        link=link.tied(wait=link.wait or not_taken(link.connection)),
        case=replace(case, id=new_id(), opened_at=now),
    )  # fmt: skip


def untaken(held: Operation, link: Link, now: float, times: int = 0) -> Changeset:
    """No read shows a write that the vendor accepted, or that was sent so many ``times``: ask a person, as if it had
    been refused."""
    case = unmade(held, body_digest(held), times)
    return conclude(
        held, OperationState.REJECTED, Detail.NEVER_SHOWN if times else Detail.NOT_MADE, now,
        link=link.mirrored(foreign_values={}).tied(wait=link.wait or not_taken(link.connection)),
        case=replace(case, id=new_id(), opened_at=now),
    )  # fmt: skip


def traceless(
    tx: Transaction, held: Operation, link: Link, now: float
) -> tuple[str, Changeset]:  # fmt: skip
    """The write was never answered and surely did not happen: plan again, the second time after a while. If a vendor
    never takes it, ask a person. Returns the outcome and what is to be written."""
    lost = lost_before(tx, held)
    if lost + 1 >= TRIES:
        return "rejected", untaken(held, link, now, times=lost + 1)
    if lost + 2 < TRIES or held.detail == Detail.LAST_TRY:
        return "stale", stale(held, link, now)
    rests = conclude(held, OperationState.UNKNOWN, Detail.LAST_TRY, now, next_at=now + REST)
    return "unknown", rests


def _names_another(tx: Transaction, system: System, operation: Operation, holder: Link) -> bool:
    """Whether a create was answered with the id of another record's row, or of an untied row that was seen before.
    The latter may be the very row it created, so it is doubted only where a read can tell."""
    if holder.record_id is None:
        return holder.row is not None and system.resource.proves(operation.body)
    return not gives_way(tx, holder)
