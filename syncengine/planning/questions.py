"""The cases that planning opens: question, evidence, and what each answer does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from syncengine.model.case import Case, CaseKind
from syncengine.model.condition import Approved
from syncengine.model.link import Wait
from syncengine.model.operation import Operation
from syncengine.model.values import Json

if TYPE_CHECKING:
    from syncengine.planning.plan_input import PlanInput

Values = Mapping[str, tuple[Json, Json]]
"""Field -> (our value, the vendor's value, both canonical)."""


LONGEST = 10_000
"""Characters of evidence."""
LONG = 1000
"""Characters of one text in it, where it is too long."""


def shown(value: Json) -> Json:
    """A vendor's value as evidence in a case; long ones are cut."""
    for form in (value, _shortened(value)):
        text = json.dumps(form, ensure_ascii=False, default=str)
        if len(text) <= LONGEST:
            return form
    return f"{text[:LONGEST]} ..."


def _shortened(value: Json) -> Json:
    """The same, each long text cut, so that one of them hides no other."""
    if isinstance(value, dict):
        return {name[:LONG]: _shortened(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_shortened(part) for part in value]
    return f"{value[:LONG]} ..." if isinstance(value, str) and len(value) > LONG else value


def one(noun: str) -> str:
    """``a person``, ``an absence``."""
    return f"{'an' if noun.startswith(('a', 'e', 'i', 'o', 'up')) else 'a'} {noun}"


def sentence(text: str) -> str:
    """With a capital in front."""
    return text[:1].upper() + text[1:]


def subjects(plan_input: PlanInput, refused: bool) -> set[str]:
    """Subjects of the cases that planning this link may open or have open; that of a refused write only where no write
    is wanted any more (not ``refused``)."""
    link = plan_input.link
    kinds = ["conflict", "drift", "missing", "quarantined"] + ([] if refused else ["rejected"])
    return {f"{kind}:{link.id}" for kind in kinds} | {undone_subject(link.id)}


def _case(
    plan_input: PlanInput,
    kind: CaseKind,
    question: str,
    evidence: dict[str, Json],
    answers: dict[str, str],
) -> Case:
    return Case(
        id="",
        kind=kind,
        subject=f"{kind}:{plan_input.link.id}",
        question=question,
        evidence=evidence,
        answers=answers,
        entity=plan_input.entity.name,
        record_id=plan_input.record.id,
        link_id=plan_input.link.id,
    )


def _sides(plan_input: PlanInput, values: Values) -> dict[str, Json]:
    here = plan_input.link.connection
    return {name: {"record": ours, here: theirs} for name, (ours, theirs) in values.items()}


def _showing(plan_input: PlanInput, values: Values) -> list[str]:
    """The other systems that show one of these fields of the record."""
    systems = plan_input.entity.systems
    near = {
        s.connection for s in plan_input.siblings if s.row is not None and s.connection in systems
    }
    return sorted(
        name
        for name in near - {plan_input.link.connection}
        if systems[name].rules.keys() & values.keys()
    )


def conflict(plan_input: PlanInput, values: Values) -> Case:
    """The case that both sides changed a field and no rule decides."""
    here = plan_input.link.connection
    written = any(plan_input.system.rules[name].writes for name in values)
    ours = f"our value counts; {here} gets it" if written else "our value counts"
    names, what = ", ".join(values), one(plan_input.entity.name)
    question = f"{names} of {what} changed in {here} and elsewhere: which counts?"
    if all(name in plan_input.entity.compared for name in values):
        others = ", ".join(_showing(plan_input, values)) or "our record"
        question = f"{names} of {what} differs between {here} and {others}, which are only read: which counts?"
    return _case(
        plan_input,
        CaseKind.CONFLICT,
        question,
        {"fields": _sides(plan_input, values)},
        {here: f"the value of {here} counts", "record": ours},
    )


def drift(plan_input: PlanInput, values: Values) -> Case:
    """The case that a field was changed where it is not owned."""
    here = plan_input.link.connection
    return _case(
        plan_input,
        CaseKind.DRIFT,
        f"{', '.join(values)} of {one(plan_input.entity.name)} was changed in {here}, which does not own it.",
        {"fields": _sides(plan_input, values)},
        {"revert": f"write our value to {here} again", "adopt": f"take the value of {here} over"},
    )


def missing(plan_input: PlanInput, unsent: bool) -> Case:
    """The case that a row is proved gone and the mapping leaves the decision to a person."""
    link = plan_input.link
    answers = {"keep": "keep our record; this row stays gone", "delete": "delete our record too"}
    if plan_input.system.creates_out:
        answers["recreate"] = f"make the row in {link.connection} again"
    more = "; a change of ours never reached it" if unsent else ""
    question = f"A row is gone from {link.connection} {link.resource}{more}. What now?"
    return _case(plan_input, CaseKind.MISSING, question, {"external_id": link.external_id}, answers)


def emptied_subject(connection: str, resource: str) -> str:
    """Subject of the case ``emptied``."""
    return f"emptied:{connection}/{resource}"


def emptied(connection: str, resource: str, rows: int) -> Case:
    """The case that a complete listing is empty where there were rows: another account, a filter, or a mass delete."""
    return Case(
        id="",
        kind=CaseKind.MISSING,
        subject=emptied_subject(connection, resource),
        question=f"{connection} shows no {resource} any more; there were {rows}. Are they really gone?",
        evidence={"connection": connection, "resource": resource, "rows": rows},
        answers={
            "gone": "they are gone; go on as the mapping says of rows that are missing",
            "wait": "nothing is concluded; the question ends once rows are listed again",
        },
    )


def unseen_change(plan_input: PlanInput, values: Values) -> Case:
    """The case that a delete would overwrite a vendor's change that we never took over, or a row that was never in
    agreement."""
    here, name = plan_input.link.connection, plan_input.entity.name
    differ = {n: (ours, theirs) for n, (ours, theirs) in values.items() if ours != theirs}
    strange = "where somebody else made its row"
    why = "but was changed there since" if plan_input.link.base.vendor else strange
    return _case(
        plan_input,
        CaseKind.CONFLICT,
        f"The {name} is to be deleted in {here}, {why}.",
        {
            "external_id": plan_input.link.external_id,
            "fields": _sides(plan_input, differ or values),
        },
        {"delete": "delete it there anyway", "keep": f"leave it in {here}"},
    )


def refused(operation: Operation, answer: str, body: str, sent: bool = True) -> Case:
    """The case that the vendor refused a write for good, or that a row keeps the write from being ``sent``."""
    what = f"{one(operation.action)} of {operation.resource}"
    refusal = f"{operation.connection} refused {what}."
    return Case(
        id="",
        kind=CaseKind.REJECTED,
        subject=f"rejected:{operation.link_id}",
        question=refusal if sent else f"{sentence(what)} cannot be sent to {operation.connection}.",
        evidence={"answer": answer, "body": dict(operation.body), "digest": body},
        answers={
            "retry": "try the same write again",
            "drop": "leave it; ask again when it changes",
        },
        entity=operation.entity,
        record_id=operation.record_id,
        link_id=operation.link_id,
        operation_id=operation.id,
    )


def about(link_id: str) -> set[str]:
    """Subjects of all cases that may be open about one link."""
    return {f"{kind}:{link_id}" for kind in CaseKind} | {undone_subject(link_id)}


def undone_subject(link_id: str) -> str:
    """Subject of the case ``not_done``."""
    return f"undone:{link_id}"


def not_done(plan_input: PlanInput, kind: str, body: str, values: Values) -> Case:
    """The case that the vendor accepted a write and its row still shows the values from before."""
    link, here, noun = plan_input.link, plan_input.link.connection, one(plan_input.entity.name)
    still, what = "its row still shows what stood there before", ", ".join(values)
    if kind == "update":
        asks, again = f"{here} accepted our {what} of {noun}", "write it again"
    elif values:
        asks, again = f"{here} accepted that {noun} leaves ({what})", "write it again"
    else:
        asks, again = f"{here} accepted that {noun} is deleted", "delete it again"
        still = "its row is still there as it was"
    evidence: dict[str, Json] = {"external_id": link.external_id, "kind": kind, "digest": body}
    fields = {"fields": _sides(plan_input, values)} if values else {}
    answers = {"retry": again, "drop": "leave it as it is there; ask again when it changes"}
    case = _case(plan_input, CaseKind.REJECTED, f"{asks}, and did not do it: {still}.",
                 {**evidence, **fields}, answers)  # fmt: skip
    return replace(case, subject=undone_subject(link.id))


def unmade(operation: Operation, body: str, times: int = 0) -> Case:
    """The case that the vendor accepted a create, or never answered a write that was sent so many ``times``, and no
    read shows it."""
    what, here = f"{one(operation.action)} of {operation.resource}", operation.connection
    question = f"{here} accepted {what}, and did not do it: no read shows such a row."
    if times:
        question = f"{here} does not take {what}: sent {times} times, never answered, and no read shows it."
    return replace(refused(operation, "", body), question=question)


def not_taken(connection: str) -> Wait:
    """The wait of a link whose write was refused, cannot be sent, or was accepted and not done."""
    return Wait(None, f"an answer: {connection} did not take this write")


def unprovable(operation: Operation) -> Case:
    """The case that no read can prove whether a write took effect."""
    return Case(
        id="",
        kind=CaseKind.UNKNOWN,
        subject=f"unknown:{operation.id}",
        question=f"{operation.connection} never answered our {operation.action} of {operation.resource}, and no "
        "reading can prove it. Look there: did it take effect?",
        evidence={"body": dict(operation.body), "external_id": operation.external_id},
        answers={
            "applied": "it did; look for the row in the next listing",
            "not_applied": "it did not; plan it anew",
        },
        entity=operation.entity,
        record_id=operation.record_id,
        link_id=operation.link_id,
        operation_id=operation.id,
    )


def staged(
    entity: str, connection: str, kind: str, links: list[str], allowed: int | None, gone: int = 0,
    said: str = "", leaving: Mapping[str, Json] = MappingProxyType({}), others: Sequence[str] = (),
) -> Case:  # fmt: skip
    """The case that a plan writes more than ``safety`` allows, or did when it was opened. ``allowed``: None where the
    mapping sets no limit any more. ``gone``: how many of the deletes are of records whose row there is gone.
    ``said``: what they are called otherwise than their kind (``safety.said_of``), and ``leaving``: what the rows of
    those that leave are set to, nothing where they are deleted; ``others``: the systems that a deleted record leaves,
    too."""
    count = len(links)
    leave = bool(said) and said != kind and gone < count
    noun, waits = said if leave else kind, "waits" if count == 1 else "wait"
    question = f"{count} {noun}{'s' * (count != 1)} of {entity} in {connection} {waits}"
    limit = f"safety allows {allowed} at a time"
    if allowed is None:
        limit = "they were too many when they were planned, and safety sets no limit since"
    answers = {
        "approve": "send them",
        "reject": "send none of them; approving them later is possible",
    }
    if leave:
        sets = ", ".join(f"{path} = {json.dumps(value)}" for path, value in leaving.items())
        answers["approve"] += f"; each row stays there, set to {sets}"
    elif kind == "delete" and gone < count:
        answers["approve"] += "; each row is deleted there"
    if gone:
        question += f", {'all' if gone == count else gone} for a row there that is gone"
        records = "records whose row is gone"
        leave_too = f", and leave {', '.join(others)}" if others else ""
        answers["approve"] += f"; {records} are deleted{leave_too}"
        answers["reject"] += f"; {records} are kept"
    return Case(
        id="",
        kind=CaseKind.STAGED,
        subject=str(Approved(entity, connection, kind)),
        question=f"{question}: {limit}.",
        evidence={"links": links, "allowed": allowed},
        answers=answers,
        entity=entity,
    )
