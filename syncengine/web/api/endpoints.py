"""The endpoints of the API: each hands on a document of the same views that screens and commands show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from starlette.exceptions import HTTPException

from syncengine.flows.people import pausing
from syncengine.flows.people.cases import answer as give
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.undo import undo
from syncengine.flows.run.sync import look_again
from syncengine.flows.views import queries
from syncengine.flows.views import standing as standings
from syncengine.flows.views.advice import advice
from syncengine.flows.views.explain import change_documents, explain
from syncengine.flows.views.export import export as exported
from syncengine.flows.views.export import readable
from syncengine.flows.views.questions import page_of_questions, place_in, question_within
from syncengine.flows.views.runs import happened
from syncengine.flows.views.status import connection_document
from syncengine.flows.views.stored_plan import newest_plan
from syncengine.flows.views.upcoming import newest_upcoming, pages_of_upcoming
from syncengine.flows.views.why import whys
from syncengine.ledger.pages import Asked
from syncengine.model.case import Case, CaseKind
from syncengine.model.operation import OperationState
from syncengine.model.run import OUTCOMES
from syncengine.web.api import models
from syncengine.web.api.call import Call, Document

NIGHT: Final = 86_400.0
"""Seconds of which runs are told where nothing else is asked for."""


def standing(call: Call) -> Document:
    """How everything stands"""
    now = standings.standing(call.engine)
    lines = tuple(standings.lines_within(call.engine, now.lines, call.within))
    return standings.document(call.engine, replace(now, lines=lines))


def questions(call: Call) -> Document:
    """Questions, the oldest first"""
    kinds = [str(kind) for kind in CaseKind]
    connections = list(call.engine.project.connections)
    asked = Asked(
        kind=call.one_of("kind", kinds), connection=call.one_of("connection", connections),
        closed=bool(call.asked("closed")), within=call.within, since=call.time("since"), before=call.time("until"),
        authors=tuple(filter(None, [call.asked("author")])),
    )  # fmt: skip
    page = page_of_questions(call.engine, asked, call.asked("after"), call.limit)
    return {"cases": page.lines, "next": page.next}


def question(call: Call) -> Document:
    """One question with its evidence"""
    case = queries.case(call.engine, _question(call, call.params["id"]).id)
    case["advice"] = None if case["closed_at"] else advice(call.engine, case)
    return case


def answer(call: Call) -> Document:
    """Answer a question"""
    sent = call.sent(models.AnswerGiven)
    return _answer(call, call.params["id"], sent.answer, sent.reason, sent.digest)


def _answer(call: Call, id_: str, given: str, reason: str, digest: str | None) -> Document:
    case = _question(call, id_)
    approves = case.kind is CaseKind.STAGED and given == "approve"
    if approves and case.subject.endswith(":delete"):
        raise HTTPException(
            403, "deletes are approved in the console, by somebody who says there who they are"
        )
    seen = (digest or "") if approves else digest
    try:
        done = give(call.engine, id_, given, reason, call.author, seen)
    except NotPossible:
        call.note("answer", f"case {id_}", "refused", answer=given)
        raise
    call.note(
        "answer", f"case {id_}", "approved, more have to" if done.more else "done", answer=given
    )
    return {
        "case": id_, "answer": given, "done": done.done, "more_approvals": done.more, "rest": done.rest,
        "approvals": queries.case(call.engine, id_)["approvals"],
    }  # fmt: skip


def records(call: Call) -> Document:
    """Records of an entity, by name"""
    entity = _entity(call)
    found = call.shared.directory.find(
        call.engine, entity, call.asked("q"), call.asked("after"), call.limit
    )
    lines = [{"entity": entity, "record": k.id, "name": k.name} for k in found.lines]
    return {"records": lines, "next": found.next}


def record(call: Call) -> Document:
    """All that is known of a record"""
    return explain(call.engine, _record(call))


def why(call: Call) -> Document:
    """How a record stands in each connection, and why it does not agree"""
    reasons = [asdict(reason) for reason in whys(call.engine, _record(call))]
    return {"reasons": [{**r, "agreeing": sorted(r["agreeing"])} for r in reasons]}


def sync(call: Call) -> Document:
    """Have a record read again, and written where it differs"""
    id_ = _record(call)
    links = look_again(call.engine, id_)
    call.engine.queue.announce("refresh", links)
    call.note("sync record", f"record {id_}")
    return {"done": f"{len(links)} rows are read again as soon as a worker is free"}


def export(call: Call) -> Document:
    """All that is held of a person, uncovered"""
    id_ = _record(call)
    found = exported(call.engine, id_, call.author)
    call.note("export record", f"record {id_}")
    document = readable(found)
    return document if isinstance(document, dict) else {}


def changes(call: Call) -> Document:
    """Changes of records, the newest first"""
    asked: dict[str, Any] = {}
    if author := call.asked("author"):
        asked["author"] = author
    asked |= _places(call)
    with call.engine.ledger.read() as tx:
        found = tx.page_of_history(
            call.number("after"), call.limit + 1, call.within.entities, **asked
        )
        lines = change_documents(call.engine, tx, found[: call.limit])
    more = len(found) > call.limit
    return {"history": lines, "next": str(found[call.limit - 1].id) if more else ""}


def take_back(call: Call) -> Document:
    """Undo a change, by a new one"""
    number = call.params["id"]
    there = number.isascii() and number.isdecimal() and len(number) < 18
    with call.engine.ledger.read() as tx:
        if not there or not tx.page_of_history(None, 1, call.within.entities, id=int(number)):
            raise HTTPException(404, "there is no such change")
    change, value = undo(call.engine, int(number), call.author, call.sent(models.Reasoned).reason)
    call.note("undo", f"change {number}")
    return {"done": f"{change.field} has its earlier value again", "value": value}


def runs(call: Call) -> Document:
    """What ran, and the sums of what happened then"""
    until = call.time("until")
    since = call.time("since")
    begin = (until or call.engine.clock.now()) - NIGHT if since is None else since
    outcome, every = call.one_of("outcome", OUTCOMES), bool(call.asked("all"))
    found = happened(call.engine, begin, until, every, call.limit, outcome, call.within)
    return {**found, "zone": call.engine.project.timezone}


def operations(call: Call) -> Document:
    """Writes, the newest first"""
    states = [state.value for state in OperationState]
    asked: dict[str, Any] = {"state": call.one_of("state", states), **_places(call)}
    if call.within.entities:
        asked["entity"] = list(call.within.entities)
    asked = {name: value for name, value in asked.items() if value is not None}
    with call.engine.ledger.read() as tx:
        found = tx.page_of_operations(place_in(call.asked("after")), call.limit + 1, **asked)
        lines = queries.operation_documents(call.engine, tx, found[: call.limit])
    last = found[call.limit - 1] if len(found) > call.limit else None
    return {"operations": lines, "next": f"{last.created_at!r}~{last.id}" if last else ""}


def plans(call: Call) -> Document:
    """The plan that is kept"""
    found = _plan(call)
    return {"plans": [found] if found else []}


def renew(call: Call) -> Document:
    """Have a plan computed"""
    begun = call.shared.planner.start(call.author)
    call.note("compute plan", "plan", "asked")
    return {"done": "a plan is being computed" if begun else "a plan is being computed already"}


def plan(call: Call) -> Document:
    """What a sync would do, group by group"""
    found = _plan(call)
    if found is None or found["id"] != call.params["id"]:
        raise HTTPException(404, "there is no such plan; it was computed anew")
    return found


def vote(call: Call) -> Document:
    """Approve or reject what a plan holds back"""
    plan(call)
    sent = call.sent(models.Vote)
    if _question(call, sent.question).kind is not CaseKind.STAGED:
        raise HTTPException(409, "that question is not about held writes")
    return _answer(call, sent.question, sent.answer, sent.reason, sent.digest)


def _plan(call: Call) -> Document | None:
    found = newest_plan(call.engine)
    if found is None:
        return None
    groups: Sequence[Any] = [
        g for g in found.document["groups"] if call.within.has(g["entity"] or "", g["connection"] or "")
    ]  # fmt: skip
    told = {n: v for n, v in found.document.items() if n in ("total", "moved")}
    if call.within:
        told["total"] = sum(group["count"] for group in groups)
    return {
        "id": found.id, "at": found.at, "author": found.author, "digest": found.digest, "groups": groups, **told,
    }  # fmt: skip


def connections(call: Call) -> Document:
    """How each connection stands"""
    with call.engine.ledger.read() as tx:
        found = [
            {"name": name, **connection_document(call.engine, tx, name)}
            for name in call.engine.project.connections
            if call.within.has(connection=name)
        ]
    return {"connections": found}


def connection(call: Call) -> Document:
    """How a connection stands"""
    name = _connection(call)
    with call.engine.ledger.read() as tx:
        return {"name": name, **connection_document(call.engine, tx, name)}


def pause(call: Call) -> Document:
    """Write nothing to a connection until it is resumed"""
    name = _connection(call)
    paused = pausing.pause(call.engine, name, call.sent(models.Reasoned).reason, call.author)
    call.note("pause connection", name)
    return {"paused": paused}


def resume(call: Call) -> Document:
    """Write to a connection again"""
    name = _connection(call)
    resumed = pausing.resume(call.engine, name)
    call.note("resume connection", name)
    return {"resumed": resumed}


def upcoming(call: Call) -> Document:
    """What the coming days bring by themselves"""
    found = newest_upcoming(call.engine)
    if found is None:
        raise HTTPException(404, "nothing was computed yet of what is to come")
    days = []
    for day in found.document["upcoming"]:
        pages = [f"{day['day']}/{number}" for number in range(day["pages"])]
        told = pages_of_upcoming(call.engine, found.id, pages)
        days.append({**day, "records": [line for page in pages for line in told.get(page, [])]})
    return {**found.document, "at": found.at, "upcoming": days}


def audit(call: Call) -> Document:
    """What members did, the newest first"""
    with call.engine.ledger.read() as tx:
        found = tx.select_audit(call.number("after"), call.asked("author") or None, call.limit + 1)
    lines = [asdict(line) for line in found[: call.limit]]
    return {"audit": lines, "next": lines[-1]["id"] if len(found) > call.limit else None}


def _question(call: Call, id_: str) -> Case:
    found = question_within(call.engine, id_, call.within)
    if found is None:
        raise HTTPException(404, "there is no such question")
    return found


def _entity(call: Call) -> str:
    if call.params["entity"] not in call.engine.project.entities:
        raise HTTPException(404, "the project has no such records")
    return call.params["entity"]


def _record(call: Call) -> str:
    """The id of the record of the address, which may be deleted. Raises HTTPException."""
    entity, id_ = _entity(call), call.params["id"]
    with call.engine.ledger.read() as tx:
        found = tx.records([id_]).get(id_)
    if found is None or found.entity != entity:
        raise HTTPException(404, "there is no such record; it may have been erased")
    return id_


def _connection(call: Call) -> str:
    if call.params["name"] not in call.engine.project.connections:
        raise HTTPException(404, "the project has no such connection")
    return call.params["name"]


def _places(call: Call) -> dict[str, Any]:
    """The connections that are asked for, as far as the limits of the member reach."""
    asked = call.one_of("connection", list(call.engine.project.connections))
    within = call.within.connections
    if within:
        return {"connection": [n for n in within if asked in (None, n)]}
    return {"connection": asked} if asked else {}
