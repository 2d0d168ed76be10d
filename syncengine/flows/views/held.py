"""Held: which of the writes that are to come would not go out, judged in the order in which they would be planned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from functools import reduce

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.staging import Group, approved, group_of, room
from syncengine.flows.reconcile.forecast import Forecast
from syncengine.flows.views.queries import Document
from syncengine.ledger import Transaction
from syncengine.model.operation import Action
from syncengine.planning.approvals import RECORD, body_digest, same_write
from syncengine.planning.safety import kind_of, waits
from syncengine.planning.writes import Write

APPROVAL = "waits for approval"


@dataclass(slots=True)
class Held:
    """What keeps planned writes from being sent. ``staged``: groups that exceed what ``safety`` allows and about which
    no case is open yet. ``reasons``: by connection."""

    engine: Engine
    tx: Transaction
    made: Forecast
    open_cases: Collection[str]
    staged: list[Document] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    _over: set[Group] = field(default_factory=set)
    _sent: Counter[Group] = field(default_factory=Counter)
    _gone: Counter[str] = field(default_factory=Counter)
    _why: dict[str, str] = field(default_factory=dict)
    _ends: dict[str, Group] = field(default_factory=dict)
    _approved: set[str] = field(default_factory=set)
    _makers: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, declared in self.engine.project.connections.items():
            paused = self.tx.connection(name).paused
            reason = f"paused: {paused}" if paused else ""
            reason = f"off: {declared.off}" if declared.off else reason
            self.reasons[name] = "only observed" if declared.mode != "write" else reason
        for (record_id, name), change in self.made.learned.items():
            if not name and change.connection:
                entity = self.made.records[record_id].entity
                self._ends[record_id] = Group(entity, change.connection, "delete")
        delete = Action.DELETE.value
        self._approved |= {
            link.record_id or ""
            for link in self.made.links.values()
            if link.record_id in self._ends
            and approved(self.made.approvals.get(link.id), delete, RECORD)
        }
        for link_id, write in self.made.writes.items():
            if "create" in write.actions:
                self._makers[write.operation.record_id, write.operation.connection] = link_id
            if reason := self.reasons[write.operation.connection]:
                self._why[link_id] = reason
        self._call_off()
        self._go_out()

    def parts(self, link_id: str) -> Iterator[tuple[Write, str]]:
        """Which operations of a write will be sent, and which will not, with the reason."""
        steps, gone = self.made.writes[link_id].steps, self._gone[link_id]
        for some, why in ((steps[:gone], ""), (steps[gone:], self._reason(link_id))):
            if some:
                yield reduce(Write.then, some), why

    def _call_off(self) -> None:
        """What is in the outbox and is planned in another way by now counts as written no more."""
        since = self.engine.clock.now()
        for link_id, operation in self.made.pending.items():
            window = self.engine.project.entities[operation.entity].safety.window
            write = self.made.writes.get(link_id)
            stays = write is not None and same_write(write.operation, operation)
            if not stays and operation.created_at >= since - window:
                group = Group(operation.entity, operation.connection, operation.kind)
                self._sent[group] -= 1

    def _go_out(self) -> None:
        """Send in waves: first the writes that depend on nothing, then those that depend on these, and so on."""
        asked: dict[Group, list[str]] = {}
        for record_id, group in self._ends.items():
            if record_id not in self._approved:
                asked.setdefault(group, []).append(record_id)
        while True:
            ready = {i: step for i in self.made.writes for step in self._next(i)}
            for link_id, step in ready.items():
                if self._is_asked(link_id, step):
                    asked.setdefault(self._group(step), []).append(link_id)
            for group, wanting in sorted(asked.items()):
                self._limit(group, wanting)
            asked.clear()
            for link_id, step in ready.items():
                self._send(link_id, step)
            if not ready:
                return

    def _next(self, link_id: str) -> Iterator[Write]:
        """The next operation of a link, if all that it rests on is gone out."""
        write, gone = self.made.writes[link_id], self._gone[link_id]
        if gone < len(write.steps) and link_id not in self._why:
            step = write.steps[gone]
            if all(self._gone[maker] for maker in self._named(link_id, step)):
                yield step

    def _named(self, link_id: str, step: Write) -> Iterator[str]:
        """The links whose rows are to be made before an operation can name them."""
        for row in step.after:
            if self._makers.get(row, link_id) != link_id:
                yield self._makers[row]

    def _group(self, step: Write) -> Group:
        operation = step.operation
        system = self.engine.project.entities[operation.entity].systems[operation.connection]
        return Group(operation.entity, operation.connection, kind_of(system, operation))

    def _is_asked(self, link_id: str, step: Write) -> bool:
        """Whether an operation is judged with its group: it is neither in the outbox yet nor approved, and not held
        already with the end of its record."""
        held = self._ends.get(step.operation.record_id) in self._over
        return not (held or self._is_approved(link_id, step) or self._is_there(link_id, step))

    def _is_approved(self, link_id: str, step: Write) -> bool:
        """Who approved that a record is deleted approved that it leaves the other systems."""
        if step.operation.record_id in self._approved:
            return True
        kind, digest = self._group(step).kind, body_digest(step.operation)
        return approved(self.made.approvals.get(link_id), kind, digest)

    def _is_there(self, link_id: str, step: Write) -> bool:
        """Whether an operation is in the outbox already, just like that."""
        pending = None if self._gone[link_id] else self.made.pending.get(link_id)
        same = pending is not None and same_write(step.operation, pending)
        return bool(step.operation.id) or same

    def _limit(self, group: Group, wanting: Collection[str]) -> None:
        """``wanting``: links that want a write of the group, and records that end."""
        allowed, written = room(self.engine, self.tx, group)
        written += self._sent[group]
        mine = [k for k in self.made.staged.values() if group_of(k) == group]
        held = not {i for k in mine for i in (k.id, k.record_id)}.isdisjoint(wanting)
        if group in self._over or not waits(allowed, written, len(wanting), held):
            return
        self._over.add(group)
        if group.subject not in self.open_cases:
            told = {"count": len(wanting), "allowed": allowed, "written": written}
            self.staged.append({**asdict(group), **told})

    def _send(self, link_id: str, step: Write) -> None:
        """What is in the outbox is called back with its group."""
        group = self._group(step)
        end = self._ends.get(step.operation.record_id)
        free = self._is_approved(link_id, step) or bool(step.operation.id)
        if end in self._over or (group in self._over and not free):
            self._why[link_id] = APPROVAL
            return
        self._sent[group] += not self._is_there(link_id, step)
        self._gone[link_id] += 1

    def _reason(self, link_id: str) -> str:
        """Why a write does not go out. One that has to name a row which is to be made first waits as long as that one
        does."""
        ahead = [link_id]
        for link in ahead:  # grows meanwhile
            if link in self._why:
                return self._why[link]
            write, gone = self.made.writes[link], self._gone[link]
            for step in write.steps[gone : gone + 1]:
                ahead += [i for i in self._named(link, step) if i not in ahead]
        return ""
