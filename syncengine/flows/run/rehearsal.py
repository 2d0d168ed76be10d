"""Rehearsal: what a pass would do. The engine itself runs on a copy of the ledger, with vendors that take each write as
done. No vendor is called, and nothing of it is kept.

It plays twice. First everything as it is: what is sent there would be sent. Then what kept writes back is lifted,
connections that are only observed and pauses, and each group that waits for a person is approved: what is sent only now
is wanted and held. What no rehearsal knows is how vendors will answer: their own spellings, defaults, refusals.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.gate import CallGate
from syncengine.flows.core.staging import Group, room
from syncengine.flows.people.cases import answer
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.reconcile.derive import derive
from syncengine.flows.reconcile.follow import follow_project
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.flows.run.mirror import AtOnce, Mirror, Nobody, SkippingClock
from syncengine.flows.run.planned import Planned, Sent, Staged, Telling
from syncengine.flows.send.dispatch import dispatch
from syncengine.ledger import Ledger, Transaction
from syncengine.mapping import Approvals, Budget, Derivation, Project
from syncengine.model.case import CaseKind
from syncengine.model.change import Change
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.condition import Approved, InScope, WrittenTo
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import UNSETTLED, Operation, OperationState
from syncengine.planning.approvals import RECORD
from syncengine.planning.derivations import Ids

BATCH: Final = 500
"""Records that are decided together, and writes that are answered together."""

ROUNDS: Final = 12
"""How many writes to one row, one after the other, are foreseen."""

APPROVAL: Final = "waits for approval"


def rehearse(engine: Engine) -> Planned:
    """Rehearse a pass from what the ledger knows now."""
    with engine.ledger.copy() as ledger:
        return played(engine, ledger).outcome()


def played(engine: Engine, ledger: Ledger) -> Stage:
    """A stage on which both plays are over: all that can be done was done."""
    stage = Stage(engine, ledger)
    stage.prepare()
    follow_project(stage.as_it_is)
    stage.play(stage.as_it_is)
    stage.note_staged()
    stage.lift()
    stage.play(stage.lifted)
    return stage


@dataclass(slots=True)
class Stage:
    """A copy of the ledger on which the engine plays. ``as_it_is``, ``lifted``: before and after what keeps writes back
    is lifted. ``held``: link or record id -> why its writes are kept back."""

    real: Engine
    ledger: Ledger
    as_it_is: Engine = field(init=False)
    lifted: Engine = field(init=False)
    clock: SkippingClock = field(init=False)
    mirrors: dict[str, Mirror] = field(init=False)
    outbox: dict[str, Operation] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    learned: dict[tuple[str, str], Change] = field(default_factory=dict)
    made: dict[str, tuple[Derivation, Ids]] = field(default_factory=dict)
    born: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    staged: list[Staged] = field(default_factory=list)
    unread: int = 0
    unsorted: int = 0
    unfinished: bool = False
    closed: dict[str, str] = field(default_factory=dict)
    _asked: Collection[str] = ()
    _line: int = 0
    _earlier: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        open_project = _opened(self.real.project)
        self.mirrors = {
            c.name: Mirror(c, open_project, self.ledger, self.outbox)
            for c in open_project.connections.values()
        }
        clock = self.clock = SkippingClock(self.real.clock.now())
        used = {name: self.mirrors[name] for name in self.real.connectors}
        self.as_it_is = self._engine(_widened(self.real.project), used, clock)
        self.lifted = self._engine(open_project, self.mirrors, clock)

    def _engine(
        self, project: Project, mirrors: Mapping[str, Mirror], clock: SkippingClock
    ) -> Engine:
        limits = replace(self.real.limits, batch=BATCH, round=BATCH)
        gates = {
            name: CallGate(c, self.ledger, clock, limits.request_timeout)
            for name, c in project.connections.items()
        }
        return Engine(
            project, self.ledger, mirrors, gates, Nobody(), clock, limits, self.real.edition,
            pool=AtOnce(),
        )  # fmt: skip

    # before

    def prepare(self) -> None:
        """Whatever somebody works at, waits for or still has to read is planned on what is known of it."""
        with self.ledger.write() as tx:
            self._line = tx.newest_ids()[1]
            self._asked = {case.subject for case in tx.cases()}
            self.closed = self._closed(tx)
            unread = tx.claim_links("refresh", self.as_it_is.clock.now(), 0.0, 10**9)
            self.unread = sum(link.record_id is not None for link in unread)
            self.unsorted = len(unread) - self.unread
            tx.write(
                Changeset(
                    connections=[
                        replace(state, blocked_until=0.0, halted="", failures=0)
                        for state in tx.connections(self.real.project.connections)
                    ],
                    operations=[_unclaimed(o) for o in tx.select_operations(UNSETTLED)],
                    links=[_as_known(link) for link in unread],
                )
            )

    # the play

    def play(self, engine: Engine) -> None:
        """Decide and send until nothing is due, or as far as is foreseen."""
        for _ in range(ROUNDS):
            self._think(engine)
            if not self._send(engine):
                return
        self.unfinished = True

    def _think(self, engine: Engine) -> None:
        while True:
            while reconcile(engine) + derive(engine, self.made):
                pass
            self._note_changes()
            if engine is not self.lifted or not self._approve():
                return

    def _send(self, engine: Engine) -> int:
        """Send what is in the outbox; returns how much was sent."""
        with self.ledger.read() as tx:
            pending = {o.id: o for o in tx.select_operations([OperationState.PENDING])}
        self.outbox.clear()
        self.outbox |= {o.key: o for o in pending.values()}
        dispatch(engine)
        with self.ledger.read() as tx:
            done = tx.operations(list(pending))
        sent = [done[i] for i in pending if done[i].state is OperationState.APPLIED]
        for operation in sent:
            before = self.mirrors[operation.connection].replaced.get(operation.key, {})
            why = self._why(operation) if engine is self.lifted else ""
            self.sent.append(Sent(operation, before, engine is self.lifted, why))
        return len(sent)

    def _note_changes(self) -> None:
        """What our records have learned since it was last looked, and which have come. What a record takes from the
        echo of a write is no news."""
        written = {(s.operation.record_id, s.operation.connection) for s in self.sent}
        with self.ledger.read() as tx:
            newest = tx.newest_ids()[1]
            lines = tx.changes(range(self._line + 1, newest + 1))
        self._line = newest
        for line in lines:
            if line.field == "" and line.new == "made":
                self.born[line.record_id] = line.connection
            elif _is_news(line) and (line.record_id, line.connection) not in written:
                before = self.learned.get((line.record_id, line.field), line)
                self.learned[line.record_id, line.field] = replace(line, old=before.old)

    # what keeps writes back

    def note_staged(self) -> None:
        """The groups about which a person would be asked."""
        with self.ledger.read() as tx:
            for case in tx.cases(kind=CaseKind.STAGED):
                if case.subject not in self._asked:
                    group = Group.of(case.subject)
                    count = len(tx.waiting_links(key=case.subject))
                    self.staged.append(Staged(group, count, *room(self.as_it_is, tx, group)))

    def lift(self) -> None:
        """Connections that are only observed, off or paused are written to from here on."""
        with self.ledger.write() as tx:
            states = tx.connections(self.real.project.connections)
            dropped = [
                w.link_id
                for w in tx.waits()
                if isinstance(w.on, WrittenTo)
                or (w.connection in self.closed and not isinstance(w.on, InScope | Approved))
            ]
            tx.write(
                Changeset(
                    connections=[replace(state, paused="") for state in states],
                    wakes=Wakes(links=dropped),
                )
            )

    def _closed(self, tx: Transaction) -> dict[str, str]:
        """Connection -> why nothing is written there."""
        closed = {}
        for name, declared in self.real.project.connections.items():
            paused = tx.connection(name).paused
            why = f"paused: {paused}" if paused else ""
            why = f"off: {declared.off}" if declared.off else why
            closed[name] = "only observed" if declared.mode != "write" else why
        return {name: why for name, why in closed.items() if why}

    def _why(self, operation: Operation) -> str:
        """What keeps a write back, as far as its connection, its row or its record says so."""
        held = (self.held.get(i, "") for i in (operation.link_id, operation.record_id))
        return self.closed.get(operation.connection) or next(filter(None, held), "")

    def _approve(self) -> int:
        """Approve each group that waits for a person; returns how many did."""
        with self.ledger.read() as tx:
            cases = tx.cases(kind=CaseKind.STAGED)
            links = [k for case in cases for k in tx.waiting_links(key=case.subject)]
        for link in links:
            self.held[link.id] = APPROVAL
            if link.approval is not None and link.approval.digest == RECORD:
                self.held[link.record_id or ""] = APPROVAL
        return sum(self._approved(case.id) for case in cases)

    def _approved(self, case_id: str) -> bool:
        try:
            answer(self.lifted, case_id, "approve")
        except NotPossible:
            return False
        return True

    # later

    def begin_day(self, at: float, wakes: Changeset) -> None:
        """It is that time (epoch seconds), with nothing done since but that these are looked at again."""
        self.clock.at = max(at, self.clock.at)
        self.sent, self.learned, self.unfinished = [], {}, False
        self._earlier = frozenset(self.born)
        with self.ledger.write() as tx:
            tx.write(wakes)

    def told(self) -> tuple[Planned, frozenset[str]]:
        """What was done since the day began, and which records were made then."""
        with self.ledger.read() as tx:
            telling = Telling(self.lifted, tx, self.sent, self.made, self.born, for_sure=False)
            planned = telling.tell(self.learned.values())
        planned.engine = self.real
        return planned, frozenset(map(telling.named, self.born.keys() - self._earlier))

    # after

    def outcome(self) -> Planned:
        """What was done, what is asked and what waits in the end."""
        with self.ledger.read() as tx:
            planned = Telling(self.lifted, tx, self.sent, self.made, self.born).tell(
                self.learned.values()
            )
            planned.asked = {c.subject: c.kind for c in tx.cases() if c.kind is not CaseKind.STAGED}
            waits = [w for w in tx.waits() if not isinstance(w.on, InScope | Approved | WrittenTo)]
            links = tx.links([w.link_id for w in waits])
            planned.waits = [w for w in waits if not _is_let_be(links[w.link_id])]
            left = sum(
                tx.uncorrelated_links(entity.name, system.connection, system.resource.name)
                for entity, system in self.real.places()
            )
        planned.staged, planned.unread = self.staged, self.unread
        planned.unsorted, planned.unfinished = self.unsorted + left, self.unfinished
        planned.engine = self.real
        return planned


def _unclaimed(operation: Operation) -> Operation:
    """A write that is under way, or of which nobody knows whether it took effect, is taken for one that is still to be
    sent."""
    pending = OperationState.PENDING
    return replace(operation, state=pending, token=None, lease_until=0.0, next_at=0.0)


def _as_known(link: Link) -> Link:
    """A link is planned on the row that is known, though it should be read first. One that belongs to nobody yet is
    left alone: part of a row may tell another person."""
    if link.record_id is not None:
        return replace(link, need_get=False, failures=0)
    alone = LinkState.UNLINKED if link.state is LinkState.SEEN else link.state
    return replace(link, need_get=False, dirty=0, state=alone)


def _is_let_be(link: Link) -> bool:
    """Whether a person has decided that its write is not sent."""
    return link.approval is not None and link.approval.refuses


def _is_news(line: Change) -> bool:
    """Whether a record learned something; not what a person was told, or what a write replaces."""
    ended = line.field == "" and line.new == "deleted"
    return ended or (line.field != "" and line.old != line.new)


def _widened(project: Project) -> Project:
    """The project with connections that answer many calls at once and have no budget."""
    connections = {
        name: replace(c, budget=Budget(), spec=replace(c.spec, concurrency=BATCH))
        for name, c in project.connections.items()
    }
    return replace(project, connections=connections)


def _opened(project: Project) -> Project:
    """The same, where all connections are written to and one approval is enough."""
    wide = _widened(project)
    connections = {name: replace(c, mode="write", off="") for name, c in wide.connections.items()}
    return replace(wide, connections=connections, approvals=Approvals())
