"""Rows and records that come and go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from syncengine.model.condition import condition
from syncengine.model.link import Base, LinkState, Wait
from syncengine.model.operation import Action, OperationState
from syncengine.planning.approvals import body_digest
from syncengine.planning.identity import Hits, RowKeys
from syncengine.planning.plan import decide
from tests.situations.fields import OWNERS
from tests.situations.scenes import OUT, outcome, plan_input, stranger_outcome, system
from tests.situations.tables import Given
from tests.unit.planning.parts import a_link, a_record, an_operation

RECORDS: Final[Mapping[str, dict[str, Any]]] = {
    "in scope": {},
    "out of scope": {"values": {"name": OUT}},
    "deleted": {"deleted": True},
}
LINKS: Final = {
    "linked": LinkState.LINKED, "left": LinkState.LEFT, "missing": LinkState.MISSING,
}  # fmt: skip
OWNERS_ROW: Final[Mapping[str, dict[str, Any] | None]] = {
    "yes": {},
    "yes, its row is in question": {"row": None, "state": LinkState.MISSING},
    "yes, its row is gone": {"row": None, "state": LinkState.GONE},
    "no": None,
}
"""Whether there is an owner, and what of its link."""
LEAVES: Final = {
    "`keep`, no `set.leave`": "create: out",
    "`keep`, `set.leave` to be written": "create: out, set: {leave: {job: gone}}",
    "`keep`, `set.leave` is so already": "create: out, set: {leave: {job: dev}}",
    "`delete`": "create: out, on_leave: delete",
}


def _shown(record: str) -> dict[str, Any]:
    """A row that agrees with one of ``RECORDS``."""
    return {"email": "anna@x.de", "name": OUT if record == "out of scope" else "Anna", "job": "dev"}


def row_gone(given: Given) -> str:
    """The row is proved gone."""
    shown, about = _shown(given["the record"]), RECORDS[given["the record"]]
    unsent = {"job": "lead"} if given["a change of ours never arrived"] == "yes" else {}
    link = a_link(row=None, base=Base(shown, shown), state=LINKS[given["the link"]])
    record = a_record(**{**about, "values": {**about.get("values", {}), **unsent}})
    owner = OWNERS_ROW[given["another system owns a field"]]
    owned = "type: string" if owner is None else "type: string, owner: hr"
    keys = f"create: out, on_missing: {given['`on_missing`'].strip('`')}"
    others = [a_link(id="k2", connection="hr", **(owner or {}))]
    return outcome(plan_input(link, record, system(keys=keys), owned, siblings=others))


def leaving(given: Given) -> str:
    """The row is there; its record left the scope or was deleted."""
    shown = _shown(given["the record"])
    changed = {"a field of `set.leave`": {"job": "boss"}, "another field": {"email": "anne@x.de"}}
    link = a_link(
        row={**shown, **changed.get(given["changed here"], {})},
        base=Base(shown, shown), state=LINKS[given["the link"]],
    )  # fmt: skip
    keys = LEAVES[given["`on_leave`"]]
    return outcome(plan_input(link, a_record(**RECORDS[given["the record"]]), system(keys=keys)))


def back_in_scope(given: Given) -> str:
    """A record leaves the scope, something happens there, and it comes back."""
    leave = ", set: {leave: {job: gone}}" if given["`set.leave` wrote the field"] == "yes" else ""
    declared = f"type: string, {OWNERS[given['owner']]}"
    shown = _shown("out of scope")
    row = {**shown, "job": "gone"} if leave else dict(shown)
    base = Base({n: v for n, v in shown.items() if n != "job" or not leave}, row)
    if given["changed here meanwhile"] == "yes":
        row = {**row, "job": "boss"}
    link = a_link(row=row, base=base, state=LinkState.LEFT)
    away = plan_input(
        link, a_record(values={"name": OUT}), system(keys=f"create: out{leave}"), declared
    )
    gone = decide(away)
    back = gone.record or away.record
    back = replace(back, values={**back.values, "name": "Anna"})
    return outcome(replace(away, link=replace(gone.link, dirty=1), record=back), but={"name"})


def returning(given: Given) -> str:
    """A row that was gone, or a record that was out of scope, comes back."""
    shown = _shown(given["the record"])
    back = given["the row"] == "is there again"
    ours = given["it went"] == "otherwise"
    base = Base() if ours else Base(shown, shown)
    link = a_link(row=shown if back else None, base=base, state=LinkState.GONE)
    others = (
        [a_link(id="k2", external_id="x2")] if given["another row has its place"] == "yes" else []
    )
    keys = f"create: {given['`create`'].strip('`')}, on_leave: delete"
    record = a_record(**RECORDS[given["the record"]])
    return outcome(plan_input(link, record, system(keys=keys), siblings=others))


# rows that are not there yet

LACKS: Final[Mapping[str, tuple[dict[str, Any], tuple[str, ...]]]] = {
    "nothing": ({}, ()),
    "the id that we choose": ({"email": None}, ()),
    "a value that the vendor requires": ({}, ("job",)),
    "the row of whom it refers to, required": ({"job": "r7"}, ("job",)),
    "the row of whom it refers to, not required": ({"job": "r7"}, ()),
}
"""Values of the record, and fields that the vendor requires; ``job`` is a ref here."""


def creating(given: Given) -> str:
    """A record that has no row here yet."""
    waits = given["the link"] == "waiting"
    link = a_link(
        state=LinkState.WAITING if waits else LinkState.CREATING, external_id=None, row=None,
        base=Base(), wait=Wait(condition("free:lms/people/x9"), "a row") if waits else None,
    )  # fmt: skip
    about, (values, required) = RECORDS[given["the record"]], LACKS[given["it lacks"]]
    record = a_record(**{**about, "values": {"job": None, **about.get("values", {}), **values}})
    start = plan_input(
        link, record, system(keys="create: out, key: email"), "type: ref, to: person",
        ready=given["the listing here"] == "is complete", required=required,
        abilities=(("chosen_id", "id"), ("search", ())),
        holder=a_link(id="k9", external_id="x9", record_id="r9") if waits else None,
    )  # fmt: skip
    if given["the vendor refused it before"] == "yes":
        plan = decide(replace(start, ready=True, link=replace(link, state=LinkState.CREATING)))
        if plan.operation is not None:
            start = replace(start, refused=body_digest(plan.operation))
    return outcome(start)


# rows that belong to nobody

PLACES: Final = {
    "one record, free here": None,
    "one record, our create there not sent": LinkState.CREATING,
    "one record, our create there under way": LinkState.CREATING,
    "one record, whose row here is missing": LinkState.MISSING,
    "one record, whose row here is gone": LinkState.GONE,
    "one record, that has a row here": LinkState.LINKED,
    "one record, that has left here": LinkState.LEFT,
}
SCOPE: Final = "person:0"


def stranger(given: Given) -> str:
    """A row that is tied to no record."""
    fits = given["it fits"]
    keys = RowKeys({SCOPE: ("anna@x.de",)})
    hits = Hits()
    if fits == "nobody, a ref of its identity is not linked":
        keys = RowKeys({}, Wait(condition("ref:lms/people/x7"), "a person"))
    elif fits == "nobody, but another new row does":
        hits = Hits(rows={SCOPE: ["k8"]})
    elif fits == "one record, and another new row too":
        hits = Hits(records={SCOPE: ["r1"]}, rows={SCOPE: ["k8"]})
    elif fits == "several records":
        hits = Hits(records={SCOPE: ["r1", "r2"]})
    elif fits in PLACES:
        hits = _one(fits)
    under_way = given["a create of ours may have made it"] == "yes"
    made = an_operation(action=Action.CREATE, state=OperationState.UNKNOWN) if under_way else None
    row = ROWS[given["the row"]]
    link = a_link(record_id=None, state=LinkState.SEEN, base=Base(), row=row)
    create = given["`create`"].strip("`")
    return stranger_outcome(
        link, keys, replace(hits, made=made), create, "type: integer, required: true"
    )


def _one(fits: str) -> Hits:
    state = PLACES[fits]
    if state is None:
        return Hits(records={SCOPE: ["r1"]})
    rival = a_link(id="k9", external_id=None, state=state, row=None)
    sent = OperationState.CLAIMED if fits.endswith("under way") else OperationState.PENDING
    create = an_operation(id="o9", link_id="k9", action=Action.CREATE, state=sent)
    operations = {"k9": create} if state is LinkState.CREATING else {}
    return Hits({SCOPE: ["r1"]}, {}, {"r1": [rival]}, operations)


ROWS: Final = {
    "whole": {"email": "anna@x.de", "name": "Anna", "job": 7},
    "lacks a required value": {"email": "anna@x.de", "name": "Anna", "job": None},
    "has a value that does not fit": {"email": "anna@x.de", "name": "Anna", "job": "seven"},
}
