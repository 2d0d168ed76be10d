"""Settling: what an operation's outcome does to the operation, its link and whoever waited for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from syncengine.errors import Again, RateLimited, Rejected, SyncengineError
from syncengine.flows.births import renamed
from syncengine.flows.engine import Engine, new_id, stubborn
from syncengine.flows.rows import Read, store
from syncengine.flows.scenes import as_list
from syncengine.flows.staging import group_of, review
from syncengine.mapping import System
from syncengine.model.event import Event
from syncengine.model.link import Base, Link, LinkState, Wait
from syncengine.model.operation import UNSHOWN, Action, Operation, OperationState, Written
from syncengine.model.values import Row
from syncengine.planning.identity import identity_subject, inherited
from syncengine.planning.questions import refused, unprovable
from syncengine.planning.scene import body_digest
from syncengine.planning.settle import answered, settle_applied
from syncengine.planning.sight import stamped
from syncengine.ports import Item, Transaction

if TYPE_CHECKING:
    from syncengine.flows.dispatch import Look

MOVING = "refused while a row that it refers to was changing"
PROBE_STEP = 1.0
"""Seconds between probes until the vendor's time to commit is over."""


@dataclass(slots=True)
class Settle:
    """Writes outcomes; every method ignores an operation that is settled already."""

    engine: Engine
    dirty: list[str] = field(default_factory=list)

    def announce(self) -> None:
        """Tell the queue which links are to be reconciled, after the commit."""
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
        self.dirty.append(link.id)

    # outcomes that came with the answer, each in a transaction of its own

    @stubborn
    def written(self, operation: Operation, answer: Written | None, received: float) -> None:
        """The vendor answered that it did it."""
        with self.engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True).get(operation.link_id)
            system = self.engine.system(operation.entity, operation.connection)
            if link is not None and system is not None:
                self.applied(tx, system, link, operation, answer, received)
        self.announce()

    def applied(
        self, tx: Transaction, system: System, link: Link, operation: Operation,
        answer: Written | None, received: float, said: str = "",
    ) -> None:  # fmt: skip
        """The write took effect: faces from what it carried, the external id, whoever waited. ``said``: how we know,
        if not by the vendor's answer."""
        held = self._ours(tx, operation)
        if held is None:
            return
        external_id = operation.external_id if answer is None else answer.external_id
        row: Row | None = None if answer is None else answer.row
        settled = settle_applied(system, link, operation, external_id, row, received)
        unread = settled.link.need_get or (answer is not None and answer.unread)
        link = self._make_room(tx, replace(settled.link, need_get=unread))
        now = self.engine.clock.now()
        event = Event(
            link.connection, link.resource, link.external_id or "", f"write:{operation.id}",
            "write", now,
        )  # fmt: skip
        stamp = tx.add_events([event])[0] or 0
        self._save_link(tx, stamped(link, settled.moved, stamp))
        if held.state is OperationState.UNKNOWN:
            said = "no answer came; a later read shows it"
        said = said or answered(system, operation, row)
        self._save(tx, held, OperationState.APPLIED, said, external_id=external_id)
        tx.add_history([replace(c, at=now, stamp=stamp) for c in settled.changes])
        if held.state is OperationState.UNKNOWN:
            tx.dissolve_cases({f"unknown:{operation.id}"}, now)
        self._wake(tx, link, operation)

    def _wake(self, tx: Transaction, link: Link, operation: Operation) -> None:
        place = f"{link.connection}/{link.resource}/{link.external_id}"
        if operation.action is Action.DELETE:
            tx.dirty_waiting({f"free:{place}"})
        elif operation.action is Action.CREATE:
            if link.row_version > 1:
                renamed(self.engine, tx, link)
            known = f"rec:{link.record_id}@{link.connection}"
            tx.dirty_waiting({f"op:{operation.id}", f"ref:{place}", known})
            if any(operation.entity in d.sources for d in self.engine.project.derivations):
                tx.derive_due([operation.record_id])

    def _make_room(self, tx: Transaction, link: Link) -> Link:
        """A row that a scan saw before we learned that it is ours, or that a leaver left: one link goes into the
        other."""
        if link.external_id is None or link.state is LinkState.GONE:
            return link
        found = tx.links_at(
            link.entity, link.connection, link.resource, [link.external_id], lock=True
        ).get(link.external_id)
        if found is None or found.id == link.id:
            return link
        if found.record_id is None or self._gives_way(tx, found):
            tx.remove_links([found.id])
            tx.dissolve_cases([identity_subject(found)], self.engine.clock.now())
            review(self.engine, tx, [found])
            return link
        return self._waits_for(link, found)

    def _waits_for(self, link: Link, holder: Link) -> Link:
        place = f"{holder.connection}/{holder.resource}/{holder.external_id}"
        wait = Wait(f"free:{place}", f"a row of {holder.connection} that another record holds")
        return replace(
            link, state=LinkState.WAITING, external_id=None, row=None, wait=wait, dirty=0
        )

    def stale(self, tx: Transaction, link: Link, operation: Operation) -> None:
        """The vendor's row has moved, or the write surely did not happen: planned anew."""
        held = self._ours(tx, operation)
        if held is not None:
            if sent := held.state is OperationState.UNKNOWN:
                tx.dissolve_cases({f"unknown:{operation.id}"}, self.engine.clock.now())
            self._save(tx, held, OperationState.STALE, UNSHOWN * sent)
            if link.noted:
                tx.save_links([replace(link, noted={})])
            self._dirty(tx, link, operation)

    def cancel(self, tx: Transaction, operation: Operation, link: Link | None) -> None:
        """It is not wanted any more and was never sent."""
        held = self._ours(tx, operation)
        if held is not None:
            self._save(tx, held, OperationState.CANCELLED)
            if link is not None:
                self._dirty(tx, link, operation)

    def _dirty(self, tx: Transaction, link: Link, operation: Operation) -> None:
        tx.dirty_waiting({f"op:{operation.id}"})
        tx.dirty_links([link.id])
        self.dirty.append(link.id)

    @stubborn
    def vanished(self, operation: Operation) -> None:
        """The row went away, or cannot be read: nothing was written, a fresh read decides."""
        with self.engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True).get(operation.link_id)
            if link is not None:
                tx.save_links([replace(link, need_get=True)])
                self.stale(tx, link, operation)
        self.announce()

    @stubborn
    def rejected(self, operation: Operation, error: Rejected, sent: bool = True) -> None:
        """Refused for good, or it cannot be sent: a question, and no repetition before something changes."""
        with self.engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True).get(operation.link_id)
            held = self._ours(tx, operation)
            if held is None or link is None:
                return
            if self._on_moving_ground(tx, link, operation):
                self._save(tx, held, OperationState.STALE, MOVING)
                self._dirty(tx, link, operation)
                return
            said = f"status {error.status}" + f": {error.answer}" * bool(error.answer)
            self._save(tx, held, OperationState.REJECTED, said if sent else str(error))
            case = refused(operation, error.answer or str(error), body_digest(operation), sent)
            tx.raise_cases([replace(case, id=new_id(), opened_at=self.engine.clock.now())])
            why = "refused this write" if sent else "lets this write not be sent"
            wait = Wait("", f"an answer: {link.connection} {why}")
            tx.save_links([replace(link, wait=wait)])
            tx.dirty_waiting({f"op:{operation.id}"})

    def _on_moving_ground(self, tx: Transaction, link: Link, operation: Operation) -> bool:
        """Whether a row that the write refers to is itself about to change there: planned anew, once."""
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

    @stubborn
    def unknown(self, operation: Operation, detail: str) -> None:
        """Sent, and nobody knows: probed soon, and until the vendor's time to commit is over."""
        with self.engine.ledger.write() as tx:
            held = self._ours(tx, operation)
            if held is not None:
                next_at = self.engine.clock.now() + PROBE_STEP / 2
                self._save(tx, held, OperationState.UNKNOWN, detail, next_at=next_at)

    def unknown_all(self, tx: Transaction, operations: Sequence[Operation]) -> None:
        """Claims whose lease is over."""
        tx.save_operations(
            [replace(o, state=OperationState.UNKNOWN, detail="the lease ended") for o in operations]
        )

    def not_sent(self, operation: Operation, error: SyncengineError) -> None:
        """Surely not done: the same operation again; at once if only our own lease was too short, else later."""
        now, limits = self.engine.clock.now(), self.engine.limits
        later = now + min(60.0, limits.backoff * 2 ** min(operation.attempts - 1, 6))
        if isinstance(error, RateLimited):
            later = max(now, error.until)
        if isinstance(error, Again):
            later = now
        self.put_off([operation], later, tried=True)

    @stubborn
    def put_off(self, operations: Sequence[Operation], until: float, tried: bool = False) -> None:
        """Back to pending, not before ``until``; only what was surely not sent. What was not even tried counts as no
        attempt."""
        if not operations:
            return
        with self.engine.ledger.write() as tx:
            held = tx.operations([o.id for o in operations], lock=True)
            tokens = {o.id: o.token for o in operations}
            tx.save_operations(
                [
                    replace(
                        o, state=OperationState.PENDING, token=None, next_at=until,
                        attempts=o.attempts - (not tried),
                    )
                    for o in held.values()
                    if o.state is OperationState.CLAIMED and o.token == tokens[o.id]
                ]
            )  # fmt: skip

    # creates that find their row

    @stubborn
    def adopted(self, operation: Operation, items: Sequence[Item], look: Look) -> str:
        """As ``adopt``, in a transaction of its own."""
        with self.engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True).get(operation.link_id)
            system = self.engine.system(operation.entity, operation.connection)
            if link is None or system is None:
                return "stale"
            outcome = self.adopt(tx, system, link, operation, items, look)
        self.announce()
        return outcome

    def adopt(
        self, tx: Transaction, system: System, link: Link, operation: Operation,
        items: Sequence[Item], look: Look,
    ) -> str:  # fmt: skip
        """The row is there before we made it: it is taken over, not made twice. Faces come from an earlier
        create of ours, if there was one; else it is a first link."""
        held = self._ours(tx, operation)
        if held is None:
            return "stale"
        item, holder = self._free(tx, link, items)
        self._save(tx, held, OperationState.CANCELLED, "the row was there")
        if len(items) > 1:
            self._save_link(tx, _waits_among(link, items[0]))
            tx.dirty_waiting({f"op:{operation.id}"})
            return "stale"
        if item is None:
            self._save_link(tx, link if holder is None else self._waits_for(link, holder))
            tx.dirty_waiting({f"op:{operation.id}"})
            return "stale"
        at = tx.links_at(link.entity, link.connection, link.resource, [item.external_id])
        former = at.get(item.external_id, link)
        tied = replace(
            link, state=LinkState.LINKED, external_id=item.external_id, parent=item.parent,
            base=self._faces_of(tx, system, link, former, item), dirty=link.dirty + 1, wait=None,
            read_at=max(link.read_at, former.read_at),
        )  # fmt: skip
        self._save_link(tx, self._make_room(tx, tied))
        self._show(tx, system, link, item, look)
        self._wake(tx, tied, operation)
        return "stale"

    def prove_create(
        self, tx: Transaction, system: System, link: Link, operation: Operation,
        items: Sequence[Item], look: Look,
    ) -> str:  # fmt: skip
        """A probe found the row of a create: it took effect, faces from its body."""
        item, holder = self._free(tx, link, items)
        if item is None:
            held = self._ours(tx, operation)
            if held is not None and holder is not None:
                self._save(tx, held, OperationState.STALE, "another record holds the row")
                self._save_link(tx, self._waits_for(link, holder))
                tx.dirty_waiting({f"op:{operation.id}"})
            return "stale"
        answer = Written(item.external_id, None)
        self.applied(tx, system, link, operation, answer, look.started)
        self._show(tx, system, link, item, look)
        return "applied"

    def held_back(self, tx: Transaction, link: Link, operation: Operation, rival: Link) -> bool:
        """What a create would make is there, as the local rows say: it waits until that is told apart, unless the
        rival gives the place up."""
        if rival.state is not LinkState.SEEN and self._gives_way(tx, rival):
            return False
        held = self._ours(tx, operation)
        if held is not None:
            self._save(tx, held, OperationState.CANCELLED, "the row was there")
            self._save_link(tx, self._waits_for(link, rival))
        return True

    def _free(
        self, tx: Transaction, link: Link, items: Sequence[Item]
    ) -> tuple[Item | None, Link | None]:
        held = tx.links_at(
            link.entity, link.connection, link.resource, [i.external_id for i in items], lock=True
        )
        for item in items:
            holder = held.get(item.external_id)
            if holder is None or holder.id == link.id or self._gives_way(tx, holder):
                return item, None
        return None, held[items[0].external_id]

    def _gives_way(self, tx: Transaction, holder: Link) -> bool:
        """Whether another record may take a link's row: nobody is asked about it, or its own record is gone and the
        row was kept, or is held until a person has decided."""
        if holder.state is LinkState.SEEN:
            return not tx.cases(subjects=[identity_subject(holder)])
        if holder.state is LinkState.LEFT or group_of(holder) is not None:
            record_id = holder.record_id or ""
            return tx.records([record_id])[record_id].deleted
        return holder.state is LinkState.GONE or (holder.record_id is None and holder.row is None)

    def _faces_of(
        self, tx: Transaction, system: System, link: Link, former: Link, item: Item
    ) -> Base:
        """What an adopted row held when one of us last wrote it: as a leaver's row, or at a create of ours."""
        if former.state in (LinkState.LEFT, LinkState.LINKED):
            return former.base
        made = tx.creates(link.connection, link.resource, [item.external_id])
        before = made.get(item.external_id)
        return link.base if before is None else inherited(system, before)

    def _show(self, tx: Transaction, system: System, link: Link, item: Item, look: Look) -> None:
        """A row that a search found may lag as a list does."""
        read = Read(item.external_id, item.row, item.parent, look.started, look.received)
        entity, resource = self.engine.project.entities[link.entity], system.resource
        lags = resource.list_lag and not resource.chosen_id
        store(self.engine, tx, entity, system, "list" if lags else "get", [read])

    # probes that concluded nothing

    def wait(self, tx: Transaction, operation: Operation, horizon: float) -> None:
        """Probe again, at the latest right after the vendor's time to commit is over."""
        held = self._ours(tx, operation)
        if held is not None:
            now = self.engine.clock.now()
            next_at = min(now + PROBE_STEP, max(now, horizon) + 0.05)
            self._save(tx, held, OperationState.UNKNOWN, held.detail, next_at=next_at)

    @stubborn
    def unseen(self, operations: Sequence[Operation]) -> None:
        """The probes that no time was left for come next."""
        if not operations:
            return
        with self.engine.ledger.write() as tx:
            held = tx.operations([o.id for o in operations], lock=True).values()
            now = self.engine.clock.now()
            waiting = [o for o in held if o.state is OperationState.UNKNOWN]
            tx.save_operations([replace(o, next_at=now) for o in waiting])
        self.engine.queue.announce("probe", [])

    @stubborn
    def ask(self, operations: Sequence[Operation]) -> None:
        """Nothing can prove it: a person decides."""
        if not operations:
            return
        now = self.engine.clock.now()
        with self.engine.ledger.write() as tx:
            held = tx.operations([o.id for o in operations], lock=True).values()
            unsure = [o for o in held if o.state is OperationState.UNKNOWN]
            tx.save_operations([replace(o, next_at=now + 3600) for o in unsure])
            tx.raise_cases([replace(unprovable(o), id=new_id(), opened_at=now) for o in unsure])


def _waits_among(link: Link, item: Item) -> Link:
    """Several rows fit what was to be made: the next listing shows them, and a person is asked."""
    place = f"{link.connection}/{link.resource}/{item.external_id}"
    wait = Wait(f"free:{place}", f"several rows of {link.connection} to be told apart")
    return replace(link, state=LinkState.WAITING, wait=wait, dirty=0)
