"""Small scenes on a compiled project, and what the real decisions make of them, in words of the legend."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, Final

from syncengine.mapping import Context
from syncengine.model.link import Base, Link, LinkState
from syncengine.model.operation import Action
from syncengine.model.record import Record
from syncengine.model.resource import FieldSpec
from syncengine.planning.identity import Hits, RowKeys, correlate
from syncengine.planning.plan import decide
from syncengine.planning.plan_input import Plan, PlanInput
from tests.unit.planning.parts import TODAY, a_link, a_record, compiled

OUT: Final = "out"
"""The name of whoever is out of scope here."""
YES: Final = ("yes", "no")
WRITES = {Action.CREATE: "created", Action.UPDATE: "written", Action.DELETE: "deleted here"}
STATES = {
    LinkState.GONE: "tombstone",
    LinkState.LEFT: "left",
    LinkState.SEEN: "told anew",
    LinkState.LINKED: "linked again",
}


def system(rule: str = "job", keys: str = "create: out", flow: str = "both") -> str:
    """How ``lms`` is mapped. ``rule``: of the field ``job``. ``keys``: further keys of the system."""
    return (
        f"{{resource: people, flow: both, {keys}, scope: \"name != '{OUT}'\", fields: "
        f"{{email: email, name: {{field: name, flow: {flow}}}, job: {rule}}}}}"
    )


def fields(job: str = "type: string") -> str:
    """A person's fields. ``job``: what is declared of the field in question."""
    return f"\n  email: {{type: email}}\n  name: {{type: string}}\n  job: {{{job}}}\n"


def plan_input(
    link: Link, record: Record, lms: str | None = None, job: str = "type: string", **about: Any
) -> PlanInput:
    """One link and its surroundings, on a compiled project. ``required``: fields without which the vendor refuses a
    new row."""
    given = {n: about.pop(n) for n in ("abilities",) if n in about}
    entity = compiled(fields=fields(job), lms_system=lms or system(), **given).entities["person"]
    mapped = entity.systems["lms"]
    required = {n: FieldSpec(writable=True, required=True) for n in about.pop("required", ())}
    resource = replace(mapped.resource, fields={**mapped.resource.fields, **required})
    return PlanInput(entity, replace(mapped, resource=resource), link, record, TODAY, **about)


def field_scene(
    ours: Any, here: Any, base: Base, declared: str, rule: str, inside: bool = True,
    seen_last: str = "ours",
) -> PlanInput:  # fmt: skip
    """A linked row and its record, of which everything but the field ``job`` agrees."""
    name = "Anna" if inside else OUT
    known = {"email": "anna@x.de", "name": name}
    link = a_link(
        row={**known, "job": here},
        base=Base({**known, **base.canonical}, {**known, **base.vendor}),
        state=LinkState.LINKED if inside else LinkState.LEFT,
        stamps={"job": 9 if seen_last == "here" else 1},
    )
    record = a_record(values={"name": name, "job": ours}, stamps={"job": 5})
    return plan_input(link, record, system(rule), f"type: {declared}")


def remade(start: PlanInput, changed: str) -> PlanInput:
    """The same scene, whose base values of the field in question were made by another rule."""
    place, _, _ = start.system.rules["job"].fingerprint.partition(".")
    made = f"{place}.another" if changed == "how it spells" else "another.another"
    base = replace(start.link.base, rules={"job": made})
    return replace(start, link=replace(start.link, base=base))


def outcome(start: PlanInput, but: Collection[str] = ()) -> str:
    """What becomes of a scene, followed until there is nothing more to decide. ``but``: fields of which a write is
    none of the question."""
    said: list[str] = []
    now = start
    for _ in range(4):
        plan = decide(now)
        if plan.operation is not None and but and plan.operation.carried.keys() <= set(but):
            plan = replace(plan, operation=None)
        said += [word for word in _told(now, plan) if word not in said]
        now = replace(now, link=replace(plan.link, dirty=1), record=plan.record or now.record)
        if plan.operation or plan.cases or not plan.requeue:
            break
    return "; ".join(said) or ("apart" if _differs(now) else "nothing")


def the_one(outcomes: Iterable[str]) -> str:
    """The outcome that all have. Raises ValueError where they differ."""
    (found,) = set(outcomes)
    return found


def _differs(now: PlanInput) -> bool:
    """Whether the two sides are left with different values of the field in question."""
    row = now.link.row
    return row is not None and (row.get("job") or None) != now.record.values.get("job")


def _told(before: PlanInput, plan: Plan) -> list[str]:
    """One plan in words of the legend."""
    words = []
    learned = plan.record is not None and plan.record.values != before.record.values
    if plan.record is not None and plan.record.deleted:
        words.append("record deleted")
    if plan.operation is not None:
        action = "leave written" if plan.operation.leave else WRITES[plan.operation.action]
        words.append("joined" if learned and action == "written" else action)
    elif learned:
        words.append("learned")
    if any(change.lost is not None for change in plan.changes):
        words.append("other kept")
    words += [f"asked: {case.kind}" for case in plan.cases]
    if plan.link.wait is not None:
        words.append("waits")
    if plan.link.state is not before.link.state and plan.link.state in STATES:
        words.append(STATES[plan.link.state])
    return words


def stranger_outcome(
    link: Link, keys: RowKeys, hits: Hits, create: str, declared: str = "type: string"
) -> str:
    """What becomes of a row that is tied to no record."""
    lms = system(keys=f"create: {create}")
    entity = compiled(fields=fields(declared), lms_system=lms).entities["person"]
    context = Context("lms", TODAY, row=link.row or {})
    made = correlate(entity, entity.systems["lms"], link, keys, hits, context)
    if made.ask is not None:
        return f"asked: {made.ask.kind}"
    if made.record is not None:
        return "record made"
    if made.link.wait is not None:
        return "waits"
    tied = made.link.record_id is not None
    return "linked" if tied else "alone"
