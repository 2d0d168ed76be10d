"""The cases that plans open: question, evidence, and what each answer will do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from syncengine.model.case import Case, CaseKind
from syncengine.model.operation import Operation
from syncengine.model.values import Json

if TYPE_CHECKING:
    from syncengine.planning.scene import Scene

Values = Mapping[str, tuple[Json, Json]]
"""Field -> (our value, the vendor's value, both canonical)."""


LONGEST = 10_000
"""Characters of evidence."""


def digest(value: Json) -> str:
    """A short digest of a JSON value."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def shown(value: Json) -> Json:
    """What a vendor showed, as evidence; of what is long, the beginning as text."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def one(noun: str) -> str:
    """``a person``, ``an absence``."""
    return f"{'an' if noun.startswith(('a', 'e', 'i', 'o', 'up')) else 'a'} {noun}"


def sentence(text: str) -> str:
    """With a capital in front."""
    return text[:1].upper() + text[1:]


def subjects(scene: Scene, refused: bool) -> set[str]:
    """Subjects of the questions that a merge of this link asks, or asked before; that of a refused write only
    where there is nothing to write any more (not ``refused``)."""
    link = scene.link
    kinds = ["conflict", "drift", "missing", "quarantined"] + ([] if refused else ["rejected"])
    return {f"{kind}:{link.id}" for kind in kinds}


def _case(
    scene: Scene, kind: CaseKind, question: str, evidence: dict[str, Json], answers: dict[str, str]
) -> Case:
    return Case(
        id="",
        kind=kind,
        subject=f"{kind}:{scene.link.id}",
        question=question,
        evidence=evidence,
        answers=answers,
        entity=scene.entity.name,
        record_id=scene.record.id,
        link_id=scene.link.id,
    )


def _sides(scene: Scene, values: Values) -> dict[str, Json]:
    here = scene.link.connection
    return {name: {"record": ours, here: theirs} for name, (ours, theirs) in values.items()}


def conflict(scene: Scene, values: Values) -> Case:
    """Both sides changed, and no rule says who wins."""
    here = scene.link.connection
    written = any(scene.system.rules[name].writes for name in values)
    ours = f"our value counts; {here} gets it" if written else "our value counts"
    return _case(
        scene,
        CaseKind.CONFLICT,
        f"{', '.join(values)} of {one(scene.entity.name)} changed in {here} and elsewhere: which counts?",
        {"fields": _sides(scene, values)},
        {here: f"the value of {here} counts", "record": ours},
    )


def drift(scene: Scene, values: Values) -> Case:
    """Somebody changed a field that another system owns."""
    here = scene.link.connection
    return _case(
        scene,
        CaseKind.DRIFT,
        f"{', '.join(values)} of {one(scene.entity.name)} was changed in {here}, which does not own it.",
        {"fields": _sides(scene, values)},
        {"revert": f"write our value to {here} again", "adopt": f"take the value of {here} over"},
    )


def missing(scene: Scene, unsent: bool) -> Case:
    """A row is proved gone, and the mapping wants a person to decide."""
    link = scene.link
    answers = {"keep": "keep our record; this row stays gone", "delete": "delete our record too"}
    if scene.system.creates_out:
        answers["recreate"] = f"make the row in {link.connection} again"
    more = "; a change of ours never reached it" if unsent else ""
    question = f"A row is gone from {link.connection} {link.resource}{more}. What now?"
    return _case(scene, CaseKind.MISSING, question, {"external_id": link.external_id}, answers)


def emptied_subject(connection: str, resource: str) -> str:
    """What makes the question of ``emptied`` one question."""
    return f"emptied:{connection}/{resource}"


def emptied(connection: str, resource: str, rows: int) -> Case:
    """A complete listing shows nothing where there was something: another account, a filter, or a mass delete."""
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


def unseen_change(scene: Scene, values: Values) -> Case:
    """A delete would run over a vendor's change that nobody has seen, or over a row that was never agreed on."""
    here, name = scene.link.connection, scene.entity.name
    differ = {n: (ours, theirs) for n, (ours, theirs) in values.items() if ours != theirs}
    strange = "where somebody else made its row"
    why = "but was changed there since" if scene.link.base.vendor else strange
    return _case(
        scene,
        CaseKind.CONFLICT,
        f"The {name} is to be deleted in {here}, {why}.",
        {"external_id": scene.link.external_id, "fields": _sides(scene, differ or values)},
        {"delete": "delete it there anyway", "keep": f"leave it in {here}"},
    )


def refused(operation: Operation, answer: str, body: str, sent: bool = True) -> Case:
    """The vendor refused a write for good, or what it shows keeps the write from being ``sent``."""
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


def unprovable(operation: Operation) -> Case:
    """Nothing can prove whether a write took effect."""
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


STAGED = "staged:"
"""How the subject of a staged case begins, and the wait of a link that is held by it."""


def staged_subject(entity: str, connection: str, kind: str) -> str:
    """Subject of the question about a plan that writes too much; links that wait for it bear it as their wait."""
    return f"{STAGED}{entity}:{connection}:{kind}"


def staged(
    entity: str, connection: str, kind: str, links: list[str], allowed: int, gone: int = 0
) -> Case:
    """A plan writes more than ``safety`` allows. ``gone``: how many of the deletes are of records whose row there
    is gone."""
    count = len(links)
    question = f"{count} {kind}s of {entity} in {connection} wait"
    answers = {"approve": "send them all", "reject": "send none of them"}
    if gone:
        question += f", {'all' if gone == count else gone} for a row there that is gone"
        records = "records whose row is gone"
        answers["approve"] += f"; {records} are deleted, and leave the other systems"
        answers["reject"] += f"; {records} are kept"
    return Case(
        id="",
        kind=CaseKind.STAGED,
        subject=staged_subject(entity, connection, kind),
        question=f"{question}: safety allows {allowed} at a time.",
        evidence={"links": links, "allowed": allowed},
        answers=answers,
        entity=entity,
    )
