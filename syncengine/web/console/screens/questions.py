"""Questions: what is asked, and the answers to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.flows.core.staging import Group
from syncengine.flows.people import cases
from syncengine.flows.people.approving import Answered
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.members import folded, note
from syncengine.flows.people.taking import Taking
from syncengine.flows.views import queries
from syncengine.flows.views.advice import advice
from syncengine.flows.views.questions import (
    next_question,
    page_of_questions,
    place_of,
    question_within,
)
from syncengine.ledger.pages import Asked
from syncengine.model.case import Case, CaseKind
from syncengine.model.member import Outcome
from syncengine.planning.safety import said_of
from syncengine.web.console.ask import Ask
from syncengine.web.console.beside import beside
from syncengine.web.console.exports import MOST, export, wanted
from syncengine.web.console.periods import period
from syncengine.web.console.proof import asked_again
from syncengine.web.console.words import short_id

AGES: Final = {"1h": 3600.0, "1d": 86_400.0, "7d": 7 * 86_400.0, "30d": 30 * 86_400.0}
MANY: Final = 20
"""Answers at once from which on the number is typed."""
ONLY: Final = "link the only one"
"""The answer for many that each of them belongs to the one record that it may belong to."""
THEIRS: Final = "theirs"
"""The answer for many that the value of the vendor counts, whichever vendor that is."""
_COLUMNS: Final = (
    "id", "kind", "entity", "about", "connection", "external_id", "question", "opened_at", "closed_at",
    "answer", "author", "reason",
)  # fmt: skip
OTHERS: Final = "others"
"""Stands for all held writes that the page does not show."""
WRITES: Final = 200
"""Held writes that it shows."""
_SINGLY: Final = {CaseKind.STAGED}
"""Kinds of which each is looked at by itself."""


def show_list(ask: Ask) -> Response:
    """Open questions as asked in the address."""
    asked = _asked(ask)
    if wanted(ask):
        every = page_of_questions(ask.engine, asked, ask.query("after"), MOST)
        return export(ask, "questions", _COLUMNS, every.lines)
    page = page_of_questions(ask.engine, asked, ask.query("after"))
    return ask.page(
        "questions.html", page=page, asked=asked, words=_words(ask), ages=AGES,
        connections=_within(ask.within.connections, sorted(ask.engine.project.connections)),
        kinds=_within(ask.within.kinds, [str(k) for k in CaseKind]),
        bulk=_bulk(asked, page.lines), many=MANY,
    )  # fmt: skip


def show_one(ask: Ask) -> Response:
    """One question, with what stands beside each other and what follows from each answer."""
    case, document = _case(ask), queries.case(ask.engine, _id(ask))
    told = None if case.closed_at else advice(ask.engine, document)
    answers = [
        {"given": given, "label": answer_label(given, document), "does": does}
        for given, does in document["answers"].items()
    ]
    record = case.record_id or next(
        (w["record"] for w in document["writes"] if len(document["writes"]) == 1), None
    )
    if case.author and case.link_id and not record:
        with ask.engine.ledger.read() as tx:
            record = next((k.record_id for k in tx.links([case.link_id]).values()), None)
    return ask.page(
        "question.html", case=document, beside=beside(document, told), answers=answers, record=record,
        advice=told, names=_names(ask, case.entity),
        words=_words(ask), asked=_asked(ask), writes=document["writes"][:WRITES], others=OTHERS,
    )  # fmt: skip


def _names(ask: Ask, entity: str) -> list[str]:
    """The fields of an entity, so that sentences name them as people do."""
    found = ask.engine.project.entities.get(entity)
    return list(found.fields) if found else []


def take(ask: Ask) -> Response:
    """Say that one looks at a question, or does no longer."""
    case = _case(ask)
    if case.closed_at is not None:
        raise HTTPException(409, _who_was_first(ask, case.id))
    if ask.given("back"):
        Taking(ask.engine).give_back(case.id)
    else:
        Taking(ask.engine).take(case.id, ask.author)
    words = {name: ask.given(name) for name in ("kind", "connection", "age")}
    return ask.to(f"/questions/{case.id}", **words)


def answer_one(ask: Ask) -> Response:
    """Answer a question, and go on to the next one of the list that it was opened from."""
    case, given = _case(ask), ask.given("answer")
    if not given:
        raise HTTPException(422, "no answer was chosen")
    seen = ask.given("digest") or None if case.kind is not CaseKind.STAGED else ask.given("digest")
    only = _ticked(ask, case) if case.kind is CaseKind.STAGED and case.closed_at is None else None
    if _deletes(case, given) and (page := _asked_again(ask, case, only)):
        return page
    done = _give(ask, case.id, given, seen, only)
    words = {name: ask.given(name) for name in ("kind", "connection", "age")}
    after = next_question(ask.engine, _wanted(ask, words), place_of(case))
    told = done.told
    if done.more or done.rest:
        return ask.to(f"/questions/{case.id}", told, **words)
    return ask.to(f"/questions/{after}" if after else "/questions", told, **words)


def _ticked(ask: Ask, case: Case) -> list[str] | None:
    """The held writes that are ticked, by their links; None for all. Raises HTTPException where none is."""
    ticked = ask.all_given("link")
    if not ticked and not ask.given("shown"):
        return None
    shown = ask.given("shown").split()
    with ask.engine.ledger.read() as tx:
        held = [k.id for k in tx.waiting_links(key=case.subject)]
    rest = [i for i in held if i not in shown] if OTHERS in ticked else []
    only = [*(i for i in ticked if i != OTHERS), *rest]
    if not only:
        raise HTTPException(422, "no write is ticked")
    return None if set(only) == set(held) else only


def _deletes(case: Case, given: str) -> bool:
    """Whether an answer lets held deletes go, before which one says again who one is."""
    return case.kind is CaseKind.STAGED and given == "approve" and case.subject.endswith(":delete")


def _asked_again(ask: Ask, case: Case, only: Collection[str] | None) -> Response | None:
    """The page that asks who one is, with the deletes that go and no others; None where one has just said so."""
    if ask.proved:
        return None
    held = queries.case(ask.engine, case.id)["writes"]
    named = [write["name"] for write in held if only is None or write["id"] in only]
    group = Group.of(case.subject)
    said = f"{said_of(ask.engine.system(group.entity, group.connection), group.kind)}s"
    are = "is" if len(named) == 1 else "are"
    doing = f"{len(named)} of {len(held)} held {said} in {group.connection} {are} approved."
    return asked_again(ask, doing, named)


def answer_many(ask: Ask) -> Response:
    """Answer several questions of one kind alike, each in a transaction of its own."""
    ids = list(dict.fromkeys(ask.all_given("case")))[:500]
    given, reason = ask.given("answer"), ask.reason
    words = {name: ask.given(name) for name in ("kind", "connection", "age")}
    if not ids or not given:
        what = "no answer was chosen" if ids else "no question was ticked"
        return ask.to("/questions", f"Nothing was done: {what}.", **words)
    if len(ids) > MANY and ask.given("count") != str(len(ids)):
        tried = bool(ask.given("count"))
        return ask.page(
            "confirm.html", 422 if tried else 200, ids=ids, given=given, label=spoken(given),
            reason=reason, words=words, error="That is another number." if tried else "",
        )  # fmt: skip
    failed = []
    for id_ in ids:
        try:
            _must_be_of_many(ask, id_)
            _give(ask, id_, _meant(ask, id_, given))
        except HTTPException as why:
            failed.append({"id": id_, "why": why.detail})
    if not failed:
        return ask.to("/questions", f"{len(ids)} answered. The next sync carries them on.", **words)
    return ask.page("answered.html", done=len(ids) - len(failed), failed=failed, words=words)


def _give(
    ask: Ask, case_id: str, given: str, seen: str | None = None, only: list[str] | None = None
) -> Answered:
    """Carry out one answer, and put it into the audit. ``seen``: the digest of the writes that were looked at. Raises
    HTTPException where somebody was first, or where it fits no longer."""
    reason = ask.reason
    try:
        done = cases.answer(ask.engine, case_id, given, reason, ask.author, seen, only)
    except NotPossible as why:
        _note(ask, case_id, given, "refused")
        first = _who_was_first(ask, case_id) if isinstance(why, cases.Closed) else ""
        raise HTTPException(409, first or f"{why}") from None
    _note(ask, case_id, given, "approved, more have to" if done.more else "done")
    return done


def _note(ask: Ask, case_id: str, given: str, outcome: Outcome) -> None:
    with ask.engine.ledger.write() as tx:
        note(
            ask.engine, tx, ask.author, "console", "answer", f"case {case_id}"[:100], outcome,
            ask.visit.address, answer=given[:100],
        )  # fmt: skip


def _who_was_first(ask: Ask, case_id: str) -> str:
    case = question_within(ask.engine, case_id, ask.within)
    if case is None or case.closed_at is None:
        return ""
    if not case.author:
        return f"what it asked about is no longer so, since {ask.times.short(case.closed_at)}"
    return f"{case.author} answered this at {ask.times.short(case.closed_at)}: {case.answer}"


def _must_be_of_many(ask: Ask, case_id: str) -> None:
    """Raises HTTPException for a question that is looked at by itself."""
    found = question_within(ask.engine, case_id, ask.within)
    if found is None:
        raise HTTPException(404, "there is no such question")
    if found.kind in _SINGLY:
        raise HTTPException(409, "held writes are looked at one by one")


def _meant(ask: Ask, case_id: str, given: str) -> str:
    """The answer of one question that an answer for many means. Raises HTTPException where it means none."""
    if given not in (ONLY, THEIRS):
        return given
    try:
        answers: Mapping[str, str] = queries.case(ask.engine, case_id)["answers"]
    except KeyError:
        raise HTTPException(404, "there is no such question") from None
    wanted = [a for a in answers if _general(a, answers) == given]
    if len(wanted) != 1:
        some = f"{len(wanted)} records" if wanted else "no record"
        raise HTTPException(409, f"it may belong to {some}: look at it by itself")
    return wanted[0]


def _bulk(asked: Asked, lines: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The answers that may be given to many of a kind, and how they are called."""
    if asked.kind is None or asked.kind in _SINGLY or asked.closed:
        return {}
    found = [_general(given, line["answers"]) for line in lines for given in line["answers"]]
    return {given: spoken(given) for given in dict.fromkeys(found) if given}


def _general(given: str, answers: Mapping[str, str]) -> str:
    """An answer as it may be given to many; empty where it names one thing."""
    if given.startswith("link "):
        return ONLY
    if " " in given:
        return ""
    return THEIRS if "record" in answers and given != "record" else given


_SPOKEN: Final[Mapping[str, str]] = {
    ONLY: "The only record it may be", THEIRS: "The vendor's value", "record": "Our value",
    "new": "Someone new", "ignore": "Leave alone", "keep_out": "Keep out", "revert": "Write ours again",
    "adopt": "Take theirs over", "keep": "Keep", "delete": "Delete", "recreate": "Make it again",
    "gone": "They are gone", "wait": "Conclude nothing", "approve": "Send the ticked ones",
    "reject": "Send none of the ticked ones", "retry": "Try again", "drop": "Leave it", "applied": "It was done",
    "stale": "It was not done",
}  # fmt: skip


def spoken(given: str) -> str:
    """An answer that may be given to many, as its button says it."""
    return _SPOKEN.get(given, given)


def answer_label(given: str, document: Mapping[str, Any]) -> str:
    """An answer of one question, as its button says it."""
    verb, _, record = given.partition(" ")
    if verb == "link":
        return f"Record {short_id(record)}"
    if verb == "replace":
        return f"Record {short_id(record)}, in place of its row there"
    if "record" in document["answers"] and given not in _SPOKEN:
        return f"The value of {given}"
    return spoken(given)


def _within(limits: Sequence[str], words: list[str]) -> list[str]:
    """Those of the words to which somebody is limited; all of them without a limit."""
    return [word for word in words if not limits or word in limits]


def _asked(ask: Ask) -> Asked:
    """The questions that the address asks for; by day and person where they are answered."""
    found = _wanted(
        ask, {name: ask.query(name) for name in ("kind", "connection", "age", "closed")}
    )
    if not found.closed:
        return found
    days, author = period(ask), ask.query("author")
    authors = tuple(dict.fromkeys((author, folded(author)))) if author else ()
    return replace(found, since=days.since, before=days.before, authors=authors)


def _wanted(ask: Ask, words: Mapping[str, str]) -> Asked:
    kind, connection = words.get("kind", ""), words.get("connection", "")
    age = AGES.get(words.get("age", ""))
    return Asked(
        kind if kind in {str(k) for k in CaseKind} else None,
        connection if connection in ask.engine.project.connections else None,
        before=None if age is None else ask.now - age,
        closed=bool(words.get("closed")),
        within=ask.within,
    )


def _words(ask: Ask) -> dict[str, str]:
    """The filters of the address, to be kept in links."""
    closed = bool(ask.query("closed"))
    names = ("kind", "connection", "closed", "author" if closed else "age")
    found = {name: word for name in names if (word := ask.query(name))}
    return found | (period(ask).words if closed else {})


def _id(ask: Ask) -> str:
    return ask.visit.params["id"]


def _case(ask: Ask) -> Case:
    """The question of the address. Raises HTTPException."""
    found = question_within(ask.engine, _id(ask), ask.within)
    if found is None:
        raise HTTPException(404, "there is no such question; it may have been kept long enough")
    return found
