"""Two nets under all decisions: at rest, to look at everything again changes nothing; and what a plan says is what
is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import Any

from syncengine.flows.run.sync import observe, sync
from syncengine.flows.views.plan import plan
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.link import Link
from syncengine.model.operation import UNSETTLED, Detail, Operation, OperationState
from syncengine.simulation.acts import ACTS
from syncengine.simulation.bench import Bench
from syncengine.simulation.company import Company, Violation
from syncengine.simulation.setting import Setting

AGAIN = 3
"""Rounds of work after which what was looked at again has come to its end."""


PEOPLE = (
    "enter", "edit", "edit", "edit", "edit", "leave", "email", "remove", "course", "everything",
)  # fmt: skip
"""What happens where nothing goes wrong."""


def undisturbed(seed: int) -> Company:
    """A company in which people did something, and no vendor and no worker failed; the caller closes it."""
    company, chance = Company(Setting(seed)), Random(f"{seed}/undisturbed")
    first = ["enter", "enter", "everything", "everything"]
    for number, kind in enumerate(first + chance.choices(PEOPLE, k=chance.randint(4, 30))):
        ACTS[kind][1](company, Random(f"{seed}/{number}"))
        company.look()
    return company


@dataclass(frozen=True)
class Picture:
    """All that was decided, by id, without how often it was looked at."""

    records: Mapping[str, Any]
    links: Mapping[str, Any]
    operations: Mapping[str, Any]
    questions: Mapping[str, Any]
    history: Mapping[str, Any]


def picture(bench: Bench) -> Picture:
    """What stands in the ledger now."""
    with bench.engine.ledger.read() as tx:
        ids = [i for of in tx.record_ids().values() for i in of]
        lines = [line for i in ids for line in tx.history(i)]
        return Picture(
            {i: (r.generation, dict(r.values)) for i, r in tx.records(ids).items()},
            {link.id: _decided(link) for link in tx.select_links()},
            {o.id: _told(o) for o in tx.select_operations()},
            {c.subject: (c.question, c.evidence, c.answers) for c in tx.cases()},
            {str(line.id): line for line in lines},
        )


def _told(o: Any) -> Any:
    return (o.entity, o.connection, o.action.value, o.state.value, o.leave, dict(o.body))


def _decided(link: Link) -> Any:
    approval = link.approval and (link.approval.kind, link.approval.digest, link.approval.answer)
    wait = link.wait and (link.wait.key, link.wait.what)
    return link.connection, link.external_id, link.record_id, link.state, wait, approval, link.base


def as_planned(company: Company) -> bool:
    """What the next sync writes is what was planned right before: the same rows, in the same way, the same fields.
    False where nothing is compared, since a vendor answered otherwise than it was known, or where an earlier write left
    the window of ``safety`` while vendors were read, so that more was allowed. Raises Violation."""
    bench = company.bench
    for vendor in bench.vendors.values():
        vendor.faults.clear()
    for _ in range(2):  # what a listing lacks is looked at by itself
        bench.clock.sleep(10.0)
        observe(bench.engine)
    planned = {
        (change["record"], change["entity"], change["connection"]): change
        for change in plan(bench.engine)["changes"]
        if change["action"] != "learn" and not (change["held"] or change["observed_only"])
    }
    befell = [v.befell.copy() for v in bench.vendors.values()]
    earlier, began = bench.operations(), bench.clock.now()
    before = {o.id for o in earlier if o.state not in UNSETTLED}
    sync(bench.engine)
    done = [o for o in reversed(bench.operations()) if o.id not in before]
    deaf = {name: vendor.deaf for name, vendor in bench.vendors.items()}
    if any(_otherwise(o) or deaf[o.connection] & o.carried.keys() for o in done):
        return False
    if befell != [v.befell for v in bench.vendors.values()]:
        return False
    written: dict[tuple[str, str, str], list[Operation]] = {}
    for operation in done:
        if operation.state is OperationState.APPLIED:
            row = operation.record_id, operation.entity, operation.connection
            written.setdefault(row, []).append(operation)
    try:
        for row in planned.keys() | written.keys():
            _compare(row, planned.get(row), written.get(row, ()))
    except Violation:
        if any(_left_window(bench, o, began) for o in earlier):
            return False
        raise
    return True


def _left_window(bench: Bench, operation: Operation, since: float) -> bool:
    """Whether safety counts an operation no more that it counted then."""
    window = bench.engine.project.entities[operation.entity].safety.window
    return since <= operation.created_at + window <= bench.clock.now()


def _otherwise(operation: Operation) -> bool:
    """Whether the vendor's row is not, or does not take, what was known of it, or is there already."""
    states = (OperationState.STALE, OperationState.REJECTED, OperationState.UNKNOWN)
    return operation.state in states or operation.detail == Detail.FOUND


def _compare(
    row: tuple[str, str, str], change: Mapping[str, Any] | None, written: Sequence[Operation]
) -> None:
    actions = {"leave" if o.leave else o.action.value for o in written}
    action = next((a for a in ("delete", "leave", "create", "update") if a in actions), None)
    told = None if change is None else change["action"]
    if told != action:
        raise Violation(f"planned {told} of {row[1]} in {row[2]}, written {action}")
    names = {field["field"] for field in change["fields"]} if change else set()
    carried = {name for operation in written for name in operation.carried}
    if not carried <= names:
        raise Violation(f"written but not planned in {row[2]}: {sorted(carried - names)}")


def level(company: Company) -> None:
    """Looking at everything again changes nothing: what is decided follows from what is there, and not from who was
    woken, or in which order. Raises Violation."""
    bench = company.bench
    before = picture(bench)
    with bench.engine.ledger.write() as tx:
        tied = [link.id for link in tx.select_links() if link.record_id is not None]
        tx.write(Changeset(wakes=Wakes(links=tied)))
    for _ in range(AGAIN):
        bench.settle()
        bench.clock.sleep(6.0)
    after = picture(bench)
    for told in fields(Picture):
        old, new = getattr(before, told.name), getattr(after, told.name)
        moved = [i for i in {**old, **new} if old.get(i) != new.get(i)]
        if moved:
            raise Violation(
                f"looked at again, {told.name} change: {old.get(moved[0])} -> {new.get(moved[0])}"
            )
