"""Plan: what a sync would do, the riskiest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.flows.views.questions import held_questions
from syncengine.flows.views.stored_plan import newest_plan, page_of_plan
from syncengine.model.rights import Right
from syncengine.model.stored_plan import SUMMARY, TRIAL
from syncengine.web.console.ask import Ask
from syncengine.web.console.planner import PLANNED


def show(ask: Ask) -> Response:
    """The last plan, and one group of it where the address names it."""
    return _page(ask, SUMMARY, PLANNED)


def show_trial(ask: Ask) -> Response:
    """What the files as they stand would do; nothing of them is in use by that."""
    return _page(ask, TRIAL, TRIAL)


def _page(ask: Ask, part: str, kind: str) -> Response:
    plan = newest_plan(ask.engine, part)
    document = _within(ask, plan.document) if plan else {}
    groups = document.get("groups", [])
    name, page = ask.query("group"), _number(ask.query("page"))
    group = next((g for g in groups if g["name"] == name), None)
    if name and (group is None or not ask.may(Right.READ)):
        raise HTTPException(404, "the plan has no such changes any more; it was computed anew")
    changes = page_of_plan(ask.engine, plan.id, name, page) if plan and group else []
    staged = held_questions(ask.engine, ask.within, 20) if kind == PLANNED else []
    return ask.page(
        "plan.html" if kind == PLANNED else "trial.html", plan=plan, doc=document, groups=groups, group=group,
        changes=changes, number=page, staged=staged, planner=ask.shared.planner.jobs[kind],
        here=ask.visit.path, edition=ask.engine.edition,
    )  # fmt: skip


def _within(ask: Ask, document: Mapping[str, Any]) -> dict[str, Any]:
    """What of a plan is within the limits of whoever asks."""
    if not ask.within:
        return dict(document)

    def seen(lines: Iterable[Any]) -> list[Any]:
        return [
            x for x in lines if ask.within.has(x.get("entity") or "", x.get("connection") or "")
        ]

    groups = seen(document["groups"])
    return {
        **document,
        "groups": groups,
        "total": sum(group["count"] for group in groups),
        "waiting": seen(document["waiting"]),
        "let_be": seen(document["let_be"]),
        "unsent": {n: c for n, c in document["unsent"].items() if ask.within.has(connection=n)},
    }


def renew(ask: Ask) -> Response:
    """Have a plan computed, beside all requests."""
    ask.shared.planner.start(ask.author)
    return ask.to("/plan")


def try_files(ask: Ask) -> Response:
    """Have it computed what the files would do."""
    ask.shared.planner.start(ask.author, TRIAL)
    return ask.to("/trial")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 7 else 0
