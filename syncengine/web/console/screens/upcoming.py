"""Upcoming: what the next thirty days bring by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.flows.run.ahead import DAYS
from syncengine.flows.views.upcoming import newest_upcoming, pages_of_upcoming
from syncengine.model.rights import Right
from syncengine.model.stored_plan import UPCOMING, PlanPart
from syncengine.web.console.ask import Ask

EACH: Final = 8
"""Records that are shown of a day where all days are."""
MOST: Final = 80
"""Records that are shown of all days together."""


def show(ask: Ask) -> Response:
    """All days that bring something; or one of them, where the address names it."""
    ask.shared.planner.keep_up(ask.engine)
    found, job = newest_upcoming(ask.engine), ask.shared.planner.jobs[UPCOMING]
    days = [*found.document["upcoming"]] if found else []
    days = [day for day in days if ask.times.days_until(day["day"]) >= 0]
    name, number = ask.query("day"), _number(ask.query("page"))
    day = next((d for d in days if d["day"] == name), None)
    if name and (day is None or not ask.may(Right.READ)):
        raise HTTPException(404, "nothing is known of this day; it was computed anew, or is over")
    if day is not None and found is not None:
        records = pages_of_upcoming(ask.engine, found.id, [f"{name}/{number}"])
        shown = {name: records.get(f"{name}/{number}", [])}
    else:
        shown = _first(ask, found, days)
    return ask.page(
        "upcoming.html", found=found, days=days if day is None else [day], day=day, records=shown, number=number,
        job=job, span=DAYS,
    )  # fmt: skip


def renew(ask: Ask) -> Response:
    """Have it computed anew, beside all requests."""
    ask.shared.planner.start(ask.author, UPCOMING)
    return ask.to("/upcoming")


def _first(
    ask: Ask, found: PlanPart | None, days: Sequence[Mapping[str, Any]]
) -> dict[str, list[Any]]:
    """Day -> the first of its records, as many as there is place for."""
    if found is None or not ask.may(Right.READ):
        return {}
    pages = pages_of_upcoming(ask.engine, found.id, [f"{d['day']}/0" for d in days])
    shown, left = {}, MOST
    for day in days:
        some = pages.get(f"{day['day']}/0", [])[: min(EACH, left)]
        shown[day["day"]] = some
        left -= len(some)
    return shown


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 7 else 0
