"""Settling: what becomes of an operation after its call, or after a read that looked whether it took effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from syncengine.errors import Rejected
from syncengine.flows.capture.returns import IN_THE_WAY, is_erased
from syncengine.flows.capture.rows import Look, Read, store
from syncengine.flows.core.engine import new_id, stubborn
from syncengine.flows.core.places import gives_way, holds, still_shows
from syncengine.flows.core.world import load_world
from syncengine.flows.send.outcomes import PROBE_STEP, Outcomes, pending
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.link import Base, Link, LinkState, Wait
from syncengine.model.operation import (
    THERE,
    Operation,
    OperationState,
    Written,
)
from syncengine.planning.questions import unprovable
from syncengine.planning.settle import inherited
from syncengine.ports import Item


class Settle(Outcomes):
    """All that can become of an operation: the outcomes of calls, and what reads prove or leave open."""

    # creates that find their row

    @stubborn
    def adopted(self, operation: Operation, items: Sequence[Item], look: Look) -> str:
        """As ``adopt``, in a transaction of its own."""
        with self.engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True).get(operation.link_id)
            system = self.engine.system(operation.entity, operation.connection)
            if link is None or system is None:
                return "stale"
            return self.adopt(tx, system, link, operation, items, look)

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
        if item is None and holder is not None and self._lags(tx, system, holder, operation):
            again = self.engine.clock.now() + system.resource.list_lag
            tx.save_operations([pending(held, again, "what a search showed has moved on")])
            return "not_sent"
        if item is not None and is_erased(tx, link, item.external_id):
            self._ask_again(tx, link, held, Rejected(IN_THE_WAY), sent=False)
            return "rejected"
        self._save(tx, held, OperationState.CANCELLED, THERE)
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
            read_at=max(link.read_at, former.read_at), row=former.row, stamps=former.stamps,
        )  # fmt: skip
        self._save_link(tx, self._make_room(tx, tied))
        self._show(tx, system, link, item, look)
        self._wake(tx, tied, operation)
        return "stale"

    def _lags(self, tx: Transaction, system: System, holder: Link, operation: Operation) -> bool:
        """Whether a search showed another record's row as it was before it came to show somebody else."""
        record = tx.records([operation.record_id]).get(operation.record_id)
        if record is None or not system.resource.list_lag:
            return False
        world = load_world(self.engine, tx, [holder], {record.id: record})
        return not still_shows(self.engine, holder, record, world)

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
        if not holds(tx, rival):
            return False
        held = self._ours(tx, operation)
        if held is not None:
            self._save(tx, held, OperationState.CANCELLED, "another row has its place")
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
            if holder is None or holder.id == link.id or gives_way(tx, holder):
                return item, None
        return None, held[items[0].external_id]

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
