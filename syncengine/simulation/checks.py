"""What must hold when all is quiet, whatever happened before."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass

from syncengine.mapping import Context, Rule, System, Unresolved, paths
from syncengine.model.condition import InScope, Listed, OperationSettled, PlaceFree, RecordAt
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import UNSETTLED, Action, Operation, OperationState
from syncengine.model.record import Record
from syncengine.model.values import ABSENT, Json, Row, is_empty
from syncengine.planning.observation import sent_raw
from syncengine.simulation.company import Company, Violation
from syncengine.simulation.entries import Entries
from syncengine.simulation.rest import Rest, same

STEPS = ("made", "deleted")


def check(company: Company) -> None:
    """All promises. Raises Violation."""
    quiet(company)
    Checks(company).check()
    Entries(company).check()


def quiet(company: Company) -> None:
    """Another pass writes nothing."""
    before = company.sent()
    company.list_all()
    company.bench.settle()
    if company.sent() != before:
        raise Violation(f"another pass writes again: {dict(company.sent() - before)}")


def _named(link: Link) -> str:
    wait = "" if link.wait is None else f", waits for {link.wait.key}"
    return f"{link.entity} {link.connection} {link.external_id} ({link.state.value}{wait})"


def _told(operation: Operation) -> str:
    place = f"{operation.entity} {operation.connection} {operation.external_id}"
    return f"{operation.action.value} of {place}, {operation.state.value}: {dict(operation.body)}"


def _one_row(first: Operation, second: Operation) -> bool:
    """Whether a write is of the row of an earlier one: who is entered anew gets what the row before had got."""
    return second.action is Action.CREATE or first.external_id == second.external_id


@dataclass
class Checks(Rest):
    """A company at rest, and what was written on the way there."""

    def check(self) -> None:
        """All promises at rest."""
        self.outcomes()
        self.single()
        self.nothing_by_accident()
        for link in self.links:
            self.agreement(link)
            self.waits(link)
        self.generations()
        self.derived_once()
        self.causes()

    def outcomes(self) -> None:
        """What has no outcome yet is a question."""
        asked = {case.operation_id for case in self.open}
        for operation in self.operations:
            if operation.state in UNSETTLED and operation.id not in asked:
                raise Violation(f"without an outcome: {_told(operation)}")

    def single(self) -> None:
        """No write took effect twice, and no record has two rows of our making in one place."""
        made_by = {o.key: o.record_id for o in self.operations}
        for name, vendor in self.company.bench.vendors.items():
            twice = [key for key, count in vendor.made.items() if count > 1]
            if twice:
                raise Violation(f"a create took effect twice in {name}")
            living = Counter(
                (resource, made_by[key])
                for resource, table in vendor.tables.items()
                for row in table.rows
                if (key := vendor.maker.get((resource, row))) in made_by
            )
            double = [place for place, count in living.items() if count > 1]
            if double and not self.company.ruled:
                raise Violation(f"a record has two rows of ours in {name} {double[0][0]}")
            if vendor.twins and not self.company.ruled:
                raise Violation(f"a row in {name} got a twin: {vendor.twins[0]}")

    def nothing_by_accident(self) -> None:
        """What is taken for gone is gone."""
        for link in self.links:
            system, row = self.system(link), self.row(link)
            gone = link.state in (LinkState.MISSING, LinkState.GONE) and link.row is None
            if system is None or row is None or not gone:
                continue
            if system.where is None or system.where.on_row(row):
                raise Violation(f"taken for gone, and it is there: {_named(link)}")

    def agreement(self, link: Link) -> None:
        """Linked rows in scope show what their record holds, or somebody is asked."""
        system, record, row = (
            self.system(link),
            self.records.get(link.record_id or ""),
            self.row(link),
        )
        if system is None or record is None or self.asked(link):
            return
        at_vendor = link.state in (LinkState.LINKED, LinkState.LEFT)
        if at_vendor and not self.counts(link, system, row):
            raise Violation(f"linked to nothing: {_named(link)}")
        if not at_vendor or link.wait is not None or row is None:
            return
        if (link.state is LinkState.LINKED) != self.in_scope(system, record):
            raise Violation(f"not as its scope says: {_named(link)}")
        self.left(link, system, row)
        for name, rule in system.rules.items():
            if link.state is LinkState.LINKED and rule.writes and not self.asked(link, name):
                self.field(link, record, row, name, rule)

    def left(self, link: Link, system: System, row: Row) -> None:
        """A leaver whose row was kept is not active there: it shows what our leaving write said, or what somebody has
        entered since."""
        done = OperationState.APPLIED
        told = any(o.leave and o.state is done for o in self.operations if o.link_id == link.id)
        wanted = system.set_leave.get("state")
        active = wanted is not None and row.get("state") != wanted
        if link.state is LinkState.LEFT and told and active:
            raise Violation(f"a leaver who stays active, and nobody is asked: {_named(link)}")

    def field(self, link: Link, record: Record, row: Row, name: str, rule: Rule) -> None:
        """One field of a row against its record, up to the vendor's own spelling."""
        values = self.entity(record).values(record, self.world)
        value, theirs = values.get(name), rule.extract(row)
        try:
            ours = rule.encode(value, Context(link.connection, self.world, record, row, value))
        except Unresolved:
            return
        vendor = self.company.vendor(link.connection)
        if theirs is ABSENT and not rule.reads and vendor.pretended:
            ok = True  # nothing tells a field that is never shown from one that was not changed
        elif theirs is ABSENT or is_empty(theirs):
            ok = is_empty(value) or rule.apply == "create"
        elif rule.apply != "always" or (is_empty(value) and not rule.field.clear):
            ok = True
        else:
            wanted = deepcopy(dict(row))
            for path, raw in rule.body(ours).items():
                paths.put(wanted, path, raw)
            vendor.shape(wanted)
            ok = rule.same(theirs, rule.extract(wanted)) or rule.same(theirs, ours)
        if not ok:
            raise Violation(
                f"{link.connection} {link.external_id} {name}: {theirs!r} at the vendor, "
                f"{value!r} in the record"
            )

    def waits(self, link: Link) -> None:
        """Who waits waits for something that is so; who waits for nothing is not left lying."""
        on = None if link.wait is None else link.wait.on
        if isinstance(on, Listed):
            raise Violation(f"waits for a listing that came: {_named(link)}")
        under_way = {o.id for o in self.operations if o.state in UNSETTLED}
        if isinstance(on, OperationSettled) and on.operation_id not in under_way:
            raise Violation(f"waits for what is over: {_named(link)}")
        if isinstance(on, PlaceFree):
            self.place(link, on.row.external_id)
        # A link whose write has no outcome is decided on only once somebody has answered.
        there = isinstance(on, RecordAt) and (on.record_id, on.connection) in self.world.externals
        if there and not self.asked(link):
            raise Violation(f"waits for a row that is there: {_named(link)}")
        record, system = self.records.get(link.record_id or ""), self.system(link)
        outside = link.wait is None or isinstance(on, InScope)
        idle = link.state is LinkState.CREATING and outside and not self.asked(link)
        if record is not None and system is not None and idle and self.in_scope(system, record):
            raise Violation(f"in scope, without a row, and nobody knows why: {_named(link)}")

    def place(self, link: Link, external_id: str) -> None:
        """Who waits for a place waits for a row that is there, or for an answer to whether it is gone, or to what
        becomes of the one who had it."""
        here = (link.connection, link.resource, external_id)
        asked = any(
            self.asked(k) for k in self.links if (k.connection, k.resource, k.external_id) == here
        )
        there = external_id in self.company.vendor(link.connection).rows(link.resource)
        if not (there or asked or self.all_gone(link)):
            raise Violation(f"waits for a row that is gone: {_named(link)}")

    def generations(self) -> None:
        """Each generation of a record has its lines in the history, and there is none beyond."""
        found: dict[str, set[int]] = {}
        for change in self.history:
            if change.old != change.new or change.new in STEPS:
                found.setdefault(change.record_id, set()).add(change.generation)
        for record in self.records.values():
            if found.get(record.id, set()) != set(range(1, record.generation + 1)):
                raise Violation(
                    f"record {record.id} is at generation {record.generation}, its history "
                    f"tells of {sorted(found.get(record.id, set()))}"
                )

    def derived_once(self) -> None:
        """A rule has made one record for a person, ever."""
        made = Counter(
            str(self.records[c.record_id].values.get("person"))
            for c in self.history
            if c.policy.startswith("derive ") and c.new == "made"
        )
        if any(count > 1 for count in made.values()) and not self.company.ruled:
            raise Violation("a record was derived twice for one person")

    def causes(self) -> None:
        """Each write has a cause, and none is repeated without a new one."""
        last: dict[tuple[str, str], tuple[Operation, Json]] = {}
        for operation in self.operations:
            system = self.company.bench.engine.system(operation.entity, operation.connection)
            record = self.records.get(operation.record_id)
            if system is None or record is None:
                continue
            if operation.action is Action.UPDATE and not operation.leave:
                self.cause(system, operation)
            elif operation.action is not Action.CREATE and self.always_in(system, record):
                raise Violation(f"taken away without a cause: {_told(operation)}")
            for name in operation.carried if operation.state is OperationState.APPLIED else ():
                before, raw = last.get((operation.link_id, name)), sent_raw(system, operation, name)
                if before is not None and same(before[1], raw) and _one_row(before[0], operation):
                    self.repeated(before[0], operation, name)
                last[(operation.link_id, name)] = (operation, raw)

    def always_in(self, system: System, record: Record) -> bool:
        """Whether there was never a reason to take a record's row away."""
        return system.scope is None and not record.deleted

    def cause(self, system: System, operation: Operation) -> None:
        """An update carries fields that its rules want, and changes something."""
        changed = [
            name for name in operation.carried
            if name in system.rules and not system.rules[name].same(
                operation.expected.get(name, ABSENT), sent_raw(system, operation, name)
            )
        ]  # fmt: skip
        if not changed or operation.carried.keys() - operation.causes.keys():
            raise Violation(f"a write without a cause: {_told(operation)}")

    def repeated(self, first: Operation, second: Operation, name: str) -> None:
        """The same value was written twice: somebody has changed it in between, at either side."""
        since = first.created_at
        ours = any(
            c.field in (name, "") and c.record_id == second.record_id and c.at >= since
            for c in self.history
            if c.old != c.new and c.new != "made"
        )
        again = any(
            c.link_id == second.link_id and c.answer == "retry" and (c.closed_at or 0.0) >= since
            for c in self.cases
        )
        theirs = any(
            e.connection == second.connection and e.field == name and e.at >= since
            for e in self.company.edits
        )
        vendor, setting = self.company.vendor(second.connection), self.company.setting
        # Of a write that only a read has shown, what the row lacks is simply written again.
        lacks = first.action is Action.CREATE or name in vendor.deaf
        unsaid = lacks and not first.detail.startswith("accepted")
        # What a vendor makes of a value, and shows only later, counts as its edit once.
        hidden = {f"{v} {f}" for v in ("create", "update") for f in ("later", "mute")}
        spelled = setting.spelling(second.connection, name).lossy and vendor.befell.keys() & hidden
        place = (second.connection, second.resource, second.external_id)
        anew = place in self.company.removed  # it may have been made again under the same id
        known = ours or theirs or again or unsaid or spelled or anew
        if not (known or second.action is Action.CREATE or self.company.ruled):
            raise Violation(f"{name} was written twice for nothing: {_told(second)}")
