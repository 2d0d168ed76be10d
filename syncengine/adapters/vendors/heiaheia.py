"""HeiaHeia Admin API v1: figures of organisations, read only (docs/vendors.md, "HeiaHeia")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any, Final

from syncengine.adapters.rest.auth import MagicToken
from syncengine.adapters.rest.paging import Numbered
from syncengine.adapters.vendors.declare import Look, Resource, reads, segment, vendor
from syncengine.model.resource import ResourceSpec
from syncengine.model.values import Json, Row
from syncengine.ports import Window

_ROOT: Final = "/admin/v1/documents/organisations"
_REPORTS: Final = "/reports/v1/documents/reports"
_SIZE: Final = 500
_PAGES: Final = Numbered(
    _SIZE, counted=True, first=1, names=("page", "per_page"), rows="items", total="total",
    more={"total_required": "true"},
)  # fmt: skip

FEWEST: Final = 5
"""Accepted members below which an organisation has no energy levels (docs/vendors.md, "HeiaHeia: schedule")."""

_FIGURES: Final = (
    "participant_count", "answer_count", "average_points", "answer_percentages", "breakdown",
    "point_categories", "insufficient_data", "insufficient_data_reason",
)  # fmt: skip


def stats(row: dict[str, Json]) -> None:
    """The figures stand in ``usage`` in one document and bare in the other."""
    row |= row.pop("usage", None) or {}


def by_business(row: Any) -> Iterator[Any]:
    """The companies of an organisation that has several."""
    if row.get("multi_business_id"):
        for name in row.get("multi_business_ids") or ():
            yield {"organisation_id": row["id"], "organisation": row["name"], "business_id": name}


def _asked(parent: str) -> tuple[str, dict[str, str]]:
    """Address and query of an organisation, or of one of its companies."""
    organisation, _, business = parent.partition(",")
    return f"{_ROOT}/{segment(organisation)}", {"business_id": business} if business else {}


def business_stats(look: Look, parent: str, _: Window, __: date) -> list[Any]:
    """The figures of one company."""
    address, query = _asked(parent)
    answer = look(f"{address}/stats", query)
    return [] if answer is None else [answer]


def closed_months(look: Look, parent: str, window: Window, today: date) -> list[Any]:
    """The months within the window that are over: their figures are read once, since past ones change later when
    members leave (docs/vendors.md, "HeiaHeia: schedule")."""
    address, query = _asked(parent)
    answer = look(f"{address}/stats", query)
    if answer is None:
        return []
    figures = {**answer}
    stats(figures)
    if int(figures.get("hh_core_accepted_membership_count") or 0) < FEWEST:
        return []
    months, first = [], date.fromisoformat(window.start).replace(day=1)
    while (after := (first + timedelta(days=31)).replace(day=1)) <= today:
        if first.isoformat() >= window.start:
            months.append(_month(first.isoformat()[:7]))
        first = after
    return months


def _month(name: str) -> dict[str, Any]:
    first = date.fromisoformat(f"{name}-01")
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return {"id": name, "start_date": first.isoformat(), "end_date": last.isoformat()}


def energy_level(look: Look, parent: str, own: str, _: Row | None) -> dict[str, Any] | None:
    """The figures of one month. Where too few answered they are null, and stay so."""
    month = _month(own)
    address, query = _asked(parent)
    query |= {name: month[name] for name in ("start_date", "end_date")}
    answer = look(f"{address}/energy_levels", query)
    if answer is None:
        return None
    instances = answer.get("instances") or [{}]
    figures = instances[0].get("organisation") or {}
    teams = {"teams": answer.get("teams"), "team_results": instances[0].get("teams")}
    return {**month, **{name: figures.get(name) for name in _FIGURES}, **teams}


def report(row: dict[str, Json]) -> None:
    """What a mapping may know of a report; the id of its data is as good as a password and goes no further
    (docs/vendors.md, "HeiaHeia: rows")."""
    row.pop("data_instance", None)
    survey = row.pop("scheduled_survey", None)
    if survey is not None:
        row |= {name: survey.get(name) for name in ("title", "started_at", "ends_on", "closed")}


def below_report(
    member: str, suffix: str, look: Look, parent: str, own: str, listed: Row | None
) -> dict[str, Any] | None:
    """A report, and as ``member`` what its key opens. One that was listed by another process is looked for in the
    listing first."""
    if listed is None:
        before: list[Any] = []
        for rows, _ in _PAGES.walk(look, f"{_ROOT}/{segment(parent)}/reports", {"viewed": "true"}):
            listed = next((r for r in rows if str(r["id"]) == own), None)
            if listed is not None or rows == before:
                break
            before = rows
    if listed is None:
        return None
    data = look(f"{_REPORTS}/{segment(listed['data_instance']['id'])}{suffix}", {})
    if not isinstance(data, dict):
        raise TypeError("the data of this report are no object")
    data.pop("id", None)
    return {**listed, member: data}


def _below(name: str, **more: Any) -> ResourceSpec:
    return ResourceSpec(name=name, parent="organisations", **more)


ORGANISATIONS: Final = Resource(
    ResourceSpec(
        name="organisations",
        single_get=False,
        fields={
            **reads("integer", "id", "size_class"),
            **reads("string", "name"),
            **reads("boolean", "multi_business_id", "su_access"),
            **reads("list", "multi_business_ids"),
        },
    ),
    path=_ROOT,
    paging=_PAGES,
    given={"size_classes": "size_classes"},
    repeated="size_classes_as",
)
"""Whether one is there is told by the listings alone: where access was withdrawn a single read is refused."""

BUSINESSES: Final = replace(
    ORGANISATIONS,
    spec=ResourceSpec(
        name="businesses",
        single_get=False,
        fields={
            **reads("integer", "organisation_id"),
            **reads("string", "organisation", "business_id"),
        },
    ),
    id="organisation_id business_id",
    unfold=by_business,
)
"""The companies of organisations that have several, as the same listing shows them."""

_COUNTS: Final = reads(
    "integer", "total_membership_count", "hh_core_total_membership_count",
    "hh_core_accepted_membership_count", "app_use_count", "app_monthly_use_count",
)  # fmt: skip

DETAILS: Final = Resource(
    _below(
        "organisation_details",
        single_get=False,
        fields={**ORGANISATIONS.spec.fields, **_COUNTS, **reads("list", "feature_tags")},
    ),
    path=f"{_ROOT}/{{parent}}",
    only="details",
    holds_parent="organisation_id",
)

STATS: Final = Resource(
    _below("stats", single_get=False, fields=_COUNTS),
    path=f"{_ROOT}/{{parent}}/stats",
    only="stats",
    holds_parent="organisation_id",
    shape=stats,
)

BUSINESS_STATS: Final = replace(
    STATS,
    spec=replace(STATS.spec, name="business_stats", parent="businesses"),
    listing=business_stats,
)

ENERGY_LEVELS: Final = Resource(
    _below(
        "energy_levels",
        dated=True,
        archive=True,
        fields={
            **reads("string", "id"),
            **reads("date", "start_date", "end_date"),
            **reads("integer", "participant_count", "answer_count", listed=False),
            **reads("number", "average_points", listed=False),
            **reads("boolean", "insufficient_data", listed=False),
            **reads("string", "insufficient_data_reason", listed=False),
            **reads("list", "answer_percentages", "point_categories", "teams", listed=False),
            **reads("object", "breakdown", "team_results", listed=False),
        },
    ),
    path=f"{_ROOT}/{{parent}}/stats",
    item=f"{_ROOT}/{{parent}}/energy_levels",
    holds_parent="organisation_id",
    listing=closed_months,
    single=energy_level,
)

BUSINESS_LEVELS: Final = replace(
    ENERGY_LEVELS,
    spec=replace(ENERGY_LEVELS.spec, name="business_energy_levels", parent="businesses"),
)

_REPORT: Final = {
    **reads("integer", "id"),
    **reads("boolean", "viewed", "sub_report", "closed"),
    **reads("string", "sub_report_business_id", "title"),
    **reads("datetime", "first_viewed_at", "generated_at", "started_at"),
    **reads("date", "ends_on"),
}


def _reports(name: str, member: str, suffix: str = "") -> Resource:
    """Reports with one thing more."""
    fields = {**_REPORT, **reads("object", member, listed=False)}
    return Resource(
        _below(name, archive=True, fields=fields),
        path=f"{_ROOT}/{{parent}}/reports",
        item=f"{_REPORTS}/{{id}}{suffix}",
        holds_parent="organisation_id",
        fixed={"viewed": "true"},
        paging=_PAGES,
        shape=report,
        single=partial(below_report, member, suffix),
    )


REPORTS: Final = _reports("reports", "full_data", "/full_data")

REPORT_DETAILS: Final = _reports("report_details", "about")

MEMBERSHIPS: Final = Resource(
    _below(
        "memberships",
        single_get=False,
        fields={
            **reads("integer", "id"),
            **reads("email", "email"),
            **reads("datetime", "hh_core_accepted_at"),
            **reads("boolean", "hh_core_enabled", "primary"),
            **reads("list", "tags", "team_memberships", "active_surveys"),
            **reads("object", "user"),
        },
    ),
    path=f"{_ROOT}/{{parent}}/memberships",
    holds_parent="organisation_id",
    paging=_PAGES,
)

HEIAHEIA: Final = vendor(
    "heiaheia",
    (
        ORGANISATIONS, DETAILS, BUSINESSES, STATS, BUSINESS_STATS, ENERGY_LEVELS, BUSINESS_LEVELS,
        REPORTS, REPORT_DETAILS, MEMBERSHIPS,
    ),
    credentials=("email", "magic_token", "client_id", "client_secret"),
    health=_ROOT,
    login=MagicToken,
    concurrency=1,
    options={
        "size_classes": "only organisations of these sizes, as 50,10000",
        "size_classes_as": "joined or repeated: how these are asked for; joined",
        "token_in": "header or query: where the token goes; header",
    },
    choices={"size_classes_as": ("joined", "repeated"), "token_in": ("header", "query")},
)  # fmt: skip
"""One call at a time: the vendor asks for it (docs/vendors.md, "HeiaHeia: access")."""
