"""Settling after reads: what a search, a probe or a person's answer makes of an operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from syncengine.errors import Rejected
from syncengine.flows.capture.erased_rows import IN_THE_WAY, is_erased
from syncengine.flows.capture.rows import PreflightRead, Read, store
from syncengine.flows.core.engine import new_id, retry_on_lost_race
from syncengine.flows.core.places import gives_way, still_shows
from syncengine.flows.core.world import load_world
from syncengine.flows.send.applied import Done, applied, behind, followed, holders_of, made_room
from syncengine.flows.send.outcomes import PROBE_STEP, Outcomes, refusal
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.changeset import Changeset
from syncengine.model.condition import PlaceFree
from syncengine.model.link import Base, Link, LinkState, Wait
from syncengine.model.operation import Detail, Operation, OperationState, Written
from syncengine.model.ref import Ref
from syncengine.planning.conclude import conclude
from syncengine.planning.questions import unprovable
from syncengine.planning.settle import inherited_base
from syncengine.ports import Item


class Settle(Outcomes):
    """All outcomes of an operation: of its call, and of reads that prove something or leave it open."""

    # creates that find their row

    @retry_on_lost_race
    def adopted(self, operation: Operation, items: Sequence[Item], preflight: PreflightRead) -> str:
        """``adopt`` in a transaction of its own."""
        with self.engine.ledger.write() as tx:
            return self.adopt(tx, operation, items, preflight)

    def adopt(
        self, tx: Transaction, operation: Operation, items: Sequence[Item],
        preflight: PreflightRead,
    ) -> str:  # fmt: skip
        """Adopt a row that exists before we create it, instead of creating it twice. Its base comes from an earlier
        create of ours, if there was one; else it is merged as a first link."""
        link = tx.links([operation.link_id], lock=True).get(operation.link_id)
        system = self.engine.system(operation.entity, operation.connection)
        held = self.ours(tx, operation)
        if link is None or system is None or held is None:
            return "stale"
        outcome, change, found = self._adopted(tx, system, link, held, items)
        self.commit(tx, change, [former for _, former in found])
        for item, _ in found:
            self._show(tx, system, link, item, preflight)
        return outcome

    def _adopted(
        self, tx: Transaction, system: System, link: Link, held: Operation, items: Sequence[Item]
    ) -> tuple[str, Changeset, list[tuple[Item, Link]]]:
        """The outcome of a create whose row is there, what is to be written, and the row that is adopted, if one is,
        with the link that held it."""
        item, holder = self._free(tx, link, items)
        now, cancelled = self.now, OperationState.CANCELLED
        if item is None and holder is not None and self._lags(tx, system, holder, held):
            again, why = now + system.resource.list_lag, "what a search showed has moved on"
            later = conclude(held, OperationState.PENDING, why, now, next_at=again)
            return "not_sent", later, []
        if item is not None and is_erased(tx, link, item.external_id):
            return "rejected", refusal(held, link, Rejected(IN_THE_WAY), now, sent=False), []
        if item is None or len(items) > 1:
            waits = link if holder is None else behind(link, holder)
            waits = _waits_among(link, items[0]) if len(items) > 1 else waits
            return "stale", conclude(held, cancelled, Detail.FOUND, now, link=waits), []
        at = tx.links_at(link.entity, link.connection, link.resource, [item.external_id], lock=True)
        former = at.get(item.external_id, link)
        base = self._inherited_base(tx, system, link, former, item)
        shown = link.mirrored(
            external_id=item.external_id, parent=item.parent, row=former.row, stamps=former.stamps,
            read_at=max(link.read_at, former.read_at),
        )  # fmt: skip
        tied = shown.tied(state=LinkState.LINKED, base=base, wait=None).woken()
        alone = former.id == link.id
        stored, room = (tied, Changeset()) if alone else made_room(self.engine, tx, tied, former)
        change = conclude(held, cancelled, Detail.FOUND, now, link=stored) + room
        return "stale", change + followed(self.engine, [(tied, held)]), [(item, former)]

    def _lags(self, tx: Transaction, system: System, holder: Link, operation: Operation) -> bool:
        """Whether a search showed another record's row as it was before that row changed its identity."""
        record = tx.records([operation.record_id]).get(operation.record_id)
        if record is None or not system.resource.list_lag:
            return False
        world = load_world(self.engine, tx, [holder], {record.id: record})
        return not still_shows(self.engine, holder, record, world)

    def prove_create(
        self, tx: Transaction, system: System, link: Link, held: Operation,
        items: Sequence[Item], preflight: PreflightRead,
    ) -> str:  # fmt: skip
        """A probe found the row of a create: it took effect, and its base comes from the body."""
        item, holder = self._free(tx, link, items)
        change, freed = Changeset(), list[Link]()
        if item is not None:
            answer = Written(item.external_id, None)
            found = holders_of(tx, [(link, answer)])
            done = Done(system, link, held, answer, preflight.started, holder=found.get(link.id))
            change, freed = applied(self.engine, tx, [done]), list(found.values())
        elif holder is not None:
            why, waits = "another record holds the row", behind(link, holder)
            change = conclude(held, OperationState.STALE, why, self.now, link=waits)
        self.commit(tx, change, freed)
        if item is None:
            return "stale"
        self._show(tx, system, link, item, preflight)
        return "applied"

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

    def _inherited_base(
        self, tx: Transaction, system: System, link: Link, former: Link, item: Item
    ) -> Base:
        """The base of an adopted row, as of our last write: from the link of a leaver, or from a create of ours."""
        if former.state in (LinkState.LEFT, LinkState.LINKED):
            return former.base
        made = tx.creates(link.connection, link.resource, [item.external_id])
        before = made.get(item.external_id)
        return link.base if before is None else inherited_base(system, before)

    def _show(
        self, tx: Transaction, system: System, link: Link, item: Item, preflight: PreflightRead
    ) -> None:
        """Store a row that a search found; it may lag as a listing does."""
        read = Read(item.external_id, item.row, item.parent, preflight.started, preflight.received)
        entity, resource = self.engine.project.entities[link.entity], system.resource
        lags = resource.list_lag and not resource.chosen_id
        store(self.engine, tx, entity, system, "list" if lags else "get", [read])

    # probes that concluded nothing

    def waits(self, held: Operation, horizon: float) -> Changeset:
        """Probe again later, at the latest right after the vendor's time to commit is over."""
        now = self.now
        next_at = min(now + PROBE_STEP, max(now, horizon) + 0.05)
        return conclude(held, OperationState.UNKNOWN, held.detail, now, next_at=next_at)

    @retry_on_lost_race
    def unseen(self, operations: Sequence[Operation]) -> None:
        """Put the probes first for which there was no time."""
        if not operations:
            return
        with self.engine.ledger.write() as tx:
            held = tx.operations([o.id for o in operations], lock=True).values()
            waiting = [o for o in held if o.state is OperationState.UNKNOWN]
            self.commit(tx, Changeset(operations=[replace(o, next_at=self.now) for o in waiting]))

    @retry_on_lost_race
    def ask(self, operations: Sequence[Operation]) -> None:
        """Ask a person about operations that nothing can prove."""
        if not operations:
            return
        now = self.engine.clock.now()
        with self.engine.ledger.write() as tx:
            held = tx.operations([o.id for o in operations], lock=True).values()
            unsure = [o for o in held if o.state is OperationState.UNKNOWN]
            change = Changeset(
                operations=[replace(o, next_at=now + 3600) for o in unsure],
                raised=[replace(unprovable(o), id=new_id(), opened_at=now) for o in unsure],
            )
            self.commit(tx, change)


def _waits_among(link: Link, item: Item) -> Link:
    """Several rows fit what was to be made: the next listing shows them, and a person is asked."""
    row = Ref(link.connection, link.resource, item.external_id)
    wait = Wait(PlaceFree(row), f"several rows of {link.connection} to be told apart")
    return link.at_rest().tied(state=LinkState.WAITING, wait=wait)
