"""Cases: what a person's answer does. Answers are changes like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from syncengine.errors import SetAside
from syncengine.flows.births import bear, new_record, spread
from syncengine.flows.engine import Engine, utc_text
from syncengine.flows.scenes import load_untied, load_world
from syncengine.mapping import Context
from syncengine.model.case import Case, CaseKind
from syncengine.model.change import Change
from syncengine.model.key import KeyKind
from syncengine.model.link import LIVE, Base, Link, LinkState
from syncengine.model.operation import OperationState
from syncengine.model.record import Record, World
from syncengine.planning.identity import inherited, make_record
from syncengine.ports import Transaction


class WrongAnswer(SetAside):
    """The case has no such answer, or is closed already."""


def answer(
    engine: Engine, case_id: str, given: str, reason: str = "", author: str = "admin"
) -> str:
    """Carry an answer out, in one transaction. Returns what was done. Raises WrongAnswer."""
    with engine.ledger.write() as tx:
        found = tx.cases(ids=[case_id], open_only=False)
        if not found:
            raise WrongAnswer(f"there is no case {case_id}: see `syncengine cases list`")
        case = found[0]
        if case.closed_at is not None:
            raise WrongAnswer(f"the case is closed already: {case.answer}")
        if given not in case.answers:
            raise WrongAnswer(f"expected one of {', '.join(case.answers)}; found {given!r}")
        done = _Answer(engine, tx, case, given, reason, author).carry_out()
        closed = replace(case, answer=given, reason=reason, closed_at=engine.clock.now())
        tx.save_cases([closed])
    engine.queue.announce("refresh", [])
    engine.queue.announce("reconcile", [])
    return done


@dataclass(slots=True)
class _Answer:
    engine: Engine
    tx: Transaction
    case: Case
    given: str
    reason: str
    author: str

    def carry_out(self) -> str:
        acts: dict[CaseKind, Callable[[], str]] = {
            CaseKind.IDENTITY: self.identity,
            CaseKind.CONFLICT: self.conflict,
            CaseKind.DRIFT: self.drift,
            CaseKind.MISSING: self.missing,
            CaseKind.STAGED: self.staged,
            CaseKind.UNKNOWN: self.unknown,
            CaseKind.REJECTED: self.rejected,
        }
        act = acts.get(self.case.kind)
        if act is not None:
            return act()
        if self.case.link_id is not None:
            link = self.link()
            self.save(replace(link, need_get=link.external_id is not None, dirty=link.dirty + 1))
        return "it is looked at again"

    def link(self) -> Link:
        """The link that the case is about, locked."""
        links = self.tx.links([self.case.link_id or ""], lock=True)
        if not links:
            raise WrongAnswer("the link of this case is gone; it dissolves by itself")
        return next(iter(links.values()))

    def save(self, link: Link) -> None:
        self.tx.save_links([replace(link, version=link.version + 1)])

    def record(self, record_id: str) -> Record:
        found = self.tx.records([record_id], lock=True)
        if not found or found[record_id].deleted:
            raise WrongAnswer("the record of this case is gone")
        return found[record_id]

    def history(self, record: Record, name: str, old: object, new: object, what: str) -> None:
        at = self.engine.clock.now()
        self.tx.add_history(
            [
                Change(
                    record.id, record.generation, name, old, new, policy=f"answer: {what}",
                    author=self.author, rule=self.reason, at=at,
                )
            ]
        )  # fmt: skip

    def change(self, record: Record, values: dict[str, object], what: str, but: str) -> None:
        """A change of a person: a generation, history, and everyone who has to know."""
        new = replace(record, values={**record.values, **values}, generation=record.generation + 1)
        self.tx.save_records([new])
        for name, value in values.items():
            self.history(new, name, record.values.get(name), value, what)
        world = load_world(self.engine, self.tx, (), {new.id: new})
        spread(self.engine, self.tx, [new], world, [but])

    def delete(self, record: Record, what: str) -> None:
        gone = replace(record, deleted=True, generation=record.generation + 1)
        self.tx.save_records([gone])
        self.history(gone, "", "", "deleted", what)
        spread(self.engine, self.tx, [gone], World(self.engine.today), ())

    # kinds

    def identity(self) -> str:
        if self.case.link_id is None or self.given == "ignore":
            if self.case.link_id is not None:
                self.save(replace(self.link(), state=LinkState.UNLINKED, dirty=0))
            return "it stays as it is"
        link = self.link()
        if link.record_id is not None:
            raise WrongAnswer("the row is linked already")
        if self.given == "new":
            return self.new_record(link)
        record = self.record(self.given.removeprefix("link "))
        for rival in self.tx.links_of([record.id]):
            if (rival.connection, rival.resource) == (link.connection, link.resource):
                self._give_way(rival)
        made = self.tx.creates(link.connection, link.resource, [link.external_id or ""])
        before = made.get(link.external_id or "")
        system = self.engine.project.entities[link.entity].systems[link.connection]
        base = Base() if before is None else inherited(system, before)
        self._tie(replace(link, base=base), record.id)
        self.history(record, "", None, f"linked in {link.connection}", self.given)
        return f"linked with record {record.id}"

    def _give_way(self, rival: Link) -> None:
        if rival.state in LIVE:
            raise WrongAnswer(
                f"that record is linked in {rival.connection} already: split that link first"
            )
        unsettled = self.tx.unsettled([rival.id]).get(rival.id)
        if unsettled is not None and unsettled.state is not OperationState.PENDING:
            raise WrongAnswer("a write for that record is under way: answer again in a minute")
        if unsettled is not None:
            self.tx.save_operations([replace(unsettled, state=OperationState.CANCELLED)])
        if rival.state in (LinkState.CREATING, LinkState.WAITING):
            self.tx.remove_links([rival.id])

    def _tie(self, link: Link, record_id: str) -> None:
        place = f"{link.connection}/{link.resource}/{link.external_id}"
        self.tx.drop_keys(KeyKind.ROW, [link.id])
        self.save(
            replace(
                link, record_id=record_id, state=LinkState.LINKED, wait=None, dirty=link.dirty + 1
            )
        )
        self.tx.dirty_waiting({f"ref:{place}", f"rec:{record_id}@{link.connection}"})

    def new_record(self, link: Link) -> str:
        engine, tx = self.engine, self.tx
        entity = engine.project.entities[link.entity]
        system = entity.systems[link.connection]
        world = load_untied(engine, tx, entity, [link]).world
        context = Context(link.connection, world, row=link.row or {}, seen=utc_text(link.read_at))
        made = make_record(entity, system, link, context)
        if made.record is None:
            lacking = "" if made.link.wait is None else f": {made.link.wait.what} is lacking"
            raise WrongAnswer(f"no record can be made of this row yet{lacking}")
        record = new_record(engine, made.record)
        origin = {record.id: link.connection}
        rule, policy = str(system.position), "answer: new"
        bear(engine, tx, entity, [record], world, origin, rule, policy, shared=True)
        self._tie(link, record.id)
        return f"record {record.id} was made"

    def conflict(self) -> str:
        link = self.link()
        if self.given in ("delete", "keep"):
            return self._delete_or_keep(link)
        system = self.engine.project.entities[link.entity].systems[link.connection]
        canonical, vendor = dict(link.base.canonical), dict(link.base.vendor)
        record = self.record(link.record_id or "")
        for name in self.case.evidence.get("fields", {}):
            if self.given == "record":
                vendor[name] = system.rules[name].look(link.row or {})
                canonical.pop(name, None)
            else:
                canonical[name] = record.values.get(name)
                vendor.pop(name, None)
        base = Base(canonical, vendor, link.base.expected)
        self.save(replace(link, base=base, dirty=link.dirty + 1))
        self.history(record, "", None, f"conflict: {self.given} counts", self.given)
        return f"the value of {self.given} counts"

    def _delete_or_keep(self, link: Link) -> str:
        if self.given == "keep":
            self.save(replace(link, state=LinkState.LEFT))
            return "it stays there"
        system = self.engine.project.entities[link.entity].systems[link.connection]
        seen = {n: rule.look(link.row or {}) for n, rule in system.rules.items()}
        base = Base(link.base.canonical, {**link.base.vendor, **seen}, frozenset())
        self.save(replace(link, base=base, dirty=link.dirty + 1))
        return "it is deleted there"

    def drift(self) -> str:
        link = self.link()
        record = self.record(link.record_id or "")
        system = self.engine.project.entities[link.entity].systems[link.connection]
        names = list(self.case.evidence.get("fields", {}))
        vendor, canonical = dict(link.base.vendor), dict(link.base.canonical)
        for name in names:
            vendor[name] = system.rules[name].look(link.row or {})
        if self.given == "revert":
            for name in names:
                canonical.pop(name, None)
            self.save(
                replace(
                    link, base=Base(canonical, vendor, link.base.expected), dirty=link.dirty + 1
                )
            )
            return "our value is written again"
        values = {n: self.case.evidence["fields"][n][link.connection] for n in names}
        self.change(record, values, "adopt", link.id)
        self.save(
            replace(
                link, base=Base({**canonical, **values}, vendor, link.base.expected),
                dirty=link.dirty + 1,
            )
        )  # fmt: skip
        return f"the value of {link.connection} was taken over"

    def missing(self) -> str:
        link = self.link()
        if self.given == "recreate":
            fresh = replace(link, state=LinkState.CREATING, external_id=None, base=Base(), row=None)
            self.save(replace(fresh, dirty=link.dirty + 1))
            return f"the row is made again in {link.connection}"
        self.save(replace(link, state=LinkState.GONE, dirty=0))
        if self.given == "delete":
            self.delete(self.record(link.record_id or ""), "delete")
            return "the record is deleted"
        return "the record is kept"

    def staged(self) -> str:
        ids = self.case.evidence.get("links", [])
        held = self.tx.links(ids, lock=True)
        if self.given == "reject":
            return f"none of {len(held)} writes is sent"
        self.tx.save_links(
            [
                replace(k, approved=True, wait=None, dirty=k.dirty + 1, version=k.version + 1)
                for k in held.values()
            ]
        )
        return f"{len(held)} writes are sent"

    def unknown(self) -> str:
        operation_id = self.case.operation_id or ""
        held = self.tx.operations([operation_id], lock=True).get(operation_id)
        if held is None or held.state is not OperationState.UNKNOWN:
            return "it was settled meanwhile"
        link = self.link()
        if self.given == "applied":
            self.tx.save_operations([replace(held, state=OperationState.APPLIED)])
            need_get = link.external_id is not None
            state = link.state if need_get else LinkState.GONE
            self.save(replace(link, state=state, need_get=need_get, dirty=link.dirty + 1))
            return "the row is looked for in the next listing"
        self.tx.save_operations([replace(held, state=OperationState.STALE)])
        self.save(replace(link, dirty=link.dirty + 1))
        return "it is planned anew"

    def rejected(self) -> str:
        if self.given == "drop":
            return "it is left"
        link = self.link()
        self.save(replace(link, wait=None, dirty=link.dirty + 1))
        return "it is tried again"
