"""A form that was sent when the session was over: kept, and shown to whoever sent it once they have signed in again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from syncengine.flows.core.staging import Group
from syncengine.flows.people.kept_forms import KeptForm, keep_form, kept_form
from syncengine.flows.views import queries
from syncengine.flows.views.questions import question_within
from syncengine.model.case import CaseKind
from syncengine.web.console.ask import VISIT, Ask
from syncengine.web.console.proof import NAMED, carried
from syncengine.web.console.screens.door import next_page
from syncengine.web.console.screens.questions import OTHERS, answer_label, spoken

PATH: Final = "/kept"
_QUESTIONS: Final = "/questions"
_FILTERS: Final = ("kind", "connection", "age")


def keep(ask: Ask, token: str) -> bool:
    """Keep the form of a request whose session is over, if it answers questions: many ticks are much work to do again.
    ``token``: the secret of that session."""
    path, form = ask.visit.path, ask.visit.form
    ticked = path == _QUESTIONS and form.get("case")
    one = path.startswith(f"{_QUESTIONS}/") and path.count("/") == 2
    if not (ticked or one) or not ask.given("answer"):
        return False
    fields: dict[str, list[str]] = {}
    for name, word in carried(form):
        fields.setdefault(name, []).append(word)
    return keep_form(ask.engine, token, ask.secret, path, fields)


def show(ask: Ask) -> Response:
    """What somebody had chosen when their session was over; the button sends it once more."""
    form = kept_form(ask.engine, ask.visit.cookie(VISIT), ask.member)
    told = _told(ask, form) if form else None
    if form is None or told is None:
        return ask.to(next_page("", ask))
    words = {n: form.fields[n][0] for n in _FILTERS if form.fields.get(n, [""])[0]}
    return ask.page(
        "kept.html", **told, until=form.until, path=form.path, kept=carried(form.fields), words=words,
        reason=form.fields.get("reason", [""])[0].strip(),
    )  # fmt: skip


def _told(ask: Ask, form: KeptForm) -> dict[str, Any] | None:
    """What sending it would do, the answer, and whom it is about; None where there is no such question any more."""
    given = form.fields["answer"][0]
    if form.path == _QUESTIONS:
        ids = list(dict.fromkeys(form.fields["case"]))
        names = [_name(ask, id_) for id_ in ids[:NAMED]]
        return _telling("", spoken(given), names, len(ids))
    id_ = form.path.rpartition("/")[2]
    case = question_within(ask.engine, id_, ask.within)
    if case is None:
        return None
    document = queries.case(ask.engine, id_)
    label = answer_label(given, document)
    if case.kind is not CaseKind.STAGED:
        return _telling(document["question"], label, [document["about"]])
    names, held = _ticked(document["writes"], form), len(document["writes"])
    where = Group.of(case.subject).connection
    return _telling(
        f"The answer is for {len(names)} of {held} held writes in {where}.", label, names
    )


def _telling(doing: str, label: str, names: Sequence[str], count: int = 0) -> dict[str, Any]:
    """What the page is given. ``count``: of questions, where it is about many."""
    more = max(0, (count or len(names)) - NAMED)
    named = [name for name in names[:NAMED] if name]
    return {"doing": doing, "label": label, "named": named, "more": more, "count": count}


def _ticked(writes: Sequence[dict[str, Any]], form: KeptForm) -> list[str]:
    """The names of the held writes that were ticked."""
    links, shown = form.fields.get("link", []), form.fields.get("shown", [""])[0].split()
    every = not links and not shown
    rest = OTHERS in links
    return [
        w["name"] for w in writes if every or w["id"] in links or (rest and w["id"] not in shown)
    ]


def _name(ask: Ask, id_: str) -> str:
    case = question_within(ask.engine, id_, ask.within)
    return "" if case is None else queries.case(ask.engine, id_)["about"] or id_[-8:]
