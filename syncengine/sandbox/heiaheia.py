"""HeiaHeia Admin API v1: organisations, stats, energy levels, reports, memberships (docs/vendors.md, "HeiaHeia").

Where the page is silent the sandbox chooses: an organisation that exists and may not be seen is 403
``no_org_access``; energy levels are computed from whoever is a member now; figures of a month come from its
name, so that they stay what they are as long as the members do.
"""

from __future__ import annotations

import hashlib
import time
from datetime import datetime, timedelta
from random import Random
from typing import Any

from syncengine.sandbox.people import Staff
from syncengine.sandbox.table import Row, Table
from syncengine.sandbox.vendor import (
    Call,
    Handler,
    Refused,
    Reply,
    Route,
    Vendor,
    is_date,
    listed,
    pager_of,
)

LOGIN = {
    "grant_type": "magic_token",
    "email": "api@alpenblick.example",
    "magic_token": "sandbox-magic-token",
    "client_id": "sandbox-heiaheia-client",
    "client_secret": "sandbox-heiaheia-secret",
}
FORTNIGHT = 14 * 86400
SIZES = ("20", "50", "10000")
ENOUGH = 7
"""Answers below which energy levels are not told."""
ROOT = "/admin/v1/documents/organisations"
REPORTS = "/reports/v1/documents/reports"


class HeiaHeia(Vendor):
    name = "heiaheia"
    prefix = ""

    def __init__(self, staff: Staff, current: bool) -> None:
        self._current = current
        self._tokens: dict[str, float] = {}
        self.organisations = Table("id")
        self.memberships = Table("id", "organisation_id")
        self.reports = Table("id", "organisation_id")
        self.tables = {
            "organisations": self.organisations,
            "memberships": self.memberships,
            "reports": self.reports,
        }
        self._made = {"organisations": 122, "memberships": 0, "reports": 707}
        self._seed(staff)
        super().__init__()

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/oauth/token", self._token, open=True, reads=True),
            Route("POST", "/oauth/revoke", self._revoke, reads=True),
            Route("GET", ROOT, self._list_organisations),
            Route("GET", f"{ROOT}/{{id}}", self._of(self._one)),
            Route("GET", f"{ROOT}/{{id}}/stats", self._of(self._stats)),
            Route("GET", f"{ROOT}/{{id}}/energy_levels", self._of(self._energy_levels)),
            Route("GET", f"{ROOT}/{{id}}/reports", self._of(self._list_reports)),
            Route("GET", f"{ROOT}/{{id}}/memberships", self._of(self._list_memberships)),
            Route("GET", f"{REPORTS}/{{id}}", self._about_report, open=True),
            Route("GET", f"{REPORTS}/{{id}}/full_data", self._full_data, open=True),
        ]

    # Who asks

    def _token(self, call: Call) -> Reply:
        try:
            body = {**call.query, **(call.parse() if call.body else {})}
        except (ValueError, TypeError) as error:
            raise _refused(400, "invalid_param", "The body is not JSON") from error
        missing = [name for name in LOGIN if not body.get(name)]
        if missing:
            raise _refused(400, "missing_param", f"{missing[0]} is missing")
        if any(body[name] != value for name, value in LOGIN.items()):
            raise _refused(403, "unknown_error", "Bad credentials")
        made = int(time.time())
        token = hashlib.sha256(f"{made}/{len(self._tokens)}".encode()).hexdigest()
        self._tokens[token] = made
        said = {"scope": "read_only_admin_api", "created_at": made, "token_type": "bearer"}
        return Reply(200, {"access_token": token, **said})

    def _revoke(self, call: Call) -> Reply:
        self._tokens.pop(_token_of(call), None)
        return Reply(204)

    def authenticate(self, call: Call) -> None:
        made = self._tokens.get(_token_of(call))
        if made is None or call.denied or made + FORTNIGHT < time.time():
            raise _refused(401, "unknown_error", "The access token is missing or has expired")

    def missing(self, method: str, path_known: bool) -> Reply:
        if path_known and method != "GET":
            return _refused(403, "unknown_error", "This scope may only read").reply
        return _refused(404, "not_found", "There is nothing here").reply

    # Reading

    def _list_organisations(self, call: Call) -> Reply:
        given = call.query.getlist("size_classes")
        sizes = given if self._current else [s for joined in given[:1] for s in joined.split(",")]
        sizes = sizes or list(SIZES)
        if len(given) > 1 and not self._current:
            raise _refused(400, "invalid_param", "size_classes must be given once, as 50,10000")
        if not set(sizes) <= set(SIZES):
            raise _refused(400, "invalid_param", "size_classes must be of 20, 50, 10000")
        seen = [r for r in self.organisations if r["access"] and str(r["size_class"]) in sizes]
        return self._page(call, [self._shown(row) for row in seen])

    def _page(self, call: Call, rows: list[Row]) -> Reply:
        page, size = _number(call, "page", 1, None), _number(call, "per_page", 20, 500)
        size = min(size, call.most)
        total = call.query.get("total_required") == "true"
        shown, count = listed(call, pager_of(rows), len(rows), (page - 1) * size, size)
        return Reply(200, {"total": count if total else None, "items": shown})

    def _shown(self, row: Row) -> Row:
        names = ("id", "name", "size_class", "multi_business_id", "su_access")
        shown = {name: row[name] for name in names}
        if row["multi_business_id"]:
            shown["multi_business_ids"] = row["multi_business_ids"]
        return shown

    def _of(self, answer: Any) -> Handler:
        """A route below an organisation that may be seen."""

        def handle(call: Call) -> Reply:
            key = call.params["id"]
            row = self.organisations.get(int(key)) if key.isdigit() else None
            if row is None:
                raise _refused(404, "not_found", "There is no such organisation")
            if not row["access"]:
                raise _refused(403, "no_org_access", "You have no access to this organisation")
            call.ids["id"] = key
            return (
                Reply(200, payload) if isinstance(payload := answer(call, row), dict) else payload
            )

        return handle

    def _one(self, _: Call, row: Row) -> Row:
        return {**self._shown(row), **self._usage(row, None), "feature_tags": []}

    def _members(self, row: Row, business_id: str | None) -> list[Row]:
        members = self.memberships.find("organisation_id", row["id"])
        return [m for m in members if business_id in (None, m["business_id"])]

    def _usage(self, row: Row, business_id: str | None) -> Row:
        members = self._members(row, business_id)
        accepted = sum(m["hh_core_accepted_at"] is not None for m in members)
        return {
            "total_membership_count": len(members),
            "hh_core_total_membership_count": sum(m["hh_core_enabled"] for m in members),
            "hh_core_accepted_membership_count": accepted,
            "app_use_count": row["app_use_count"],
            "app_monthly_use_count": row["app_monthly_use_count"],
        }

    def _stats(self, call: Call, row: Row) -> Row:
        usage = self._usage(row, call.query.get("business_id"))
        return usage if self._current else {"usage": usage}

    def _energy_levels(self, call: Call, row: Row) -> Row:
        first, last = call.query.get("start_date"), call.query.get("end_date")
        for name, given in (("start_date", first), ("end_date", last)):
            if not given:
                raise _refused(400, "missing_param", f"{name} is missing")
            if not is_date(given):
                raise _refused(400, "invalid_param", f"{name} must be yyyy-mm-dd")
        members = self._members(row, call.query.get("business_id"))
        accepted = [m for m in members if m["hh_core_accepted_at"] is not None]
        random = Random(f"{row['id']}/{first}/{last}")
        answers = sum(random.random() < 0.7 for _ in accepted)
        teams = {str(t["id"]): t["name"] for m in accepted for t in m["team_memberships"]}
        shown = {
            "questions": [_QUESTION],
            "teams": [{"id": int(i), "name": name} for i, name in teams.items()],
            "instances": [
                {
                    "minimum_answer_count": ENOUGH,
                    "global": {"average_points": 3.43, "answer_percentages": [3.43], "breakdown": {"9": [20, 80]}},
                    "organisation": _figures(random, len(accepted), answers),
                    "teams": {i: _figures(random, 6, min(4, answers)) for i in teams},
                }
            ],
        }  # fmt: skip
        return shown if self._current else {"organisation": self._shown(row), **shown}

    def _list_reports(self, call: Call, row: Row) -> Reply:
        rows = self.reports.find("organisation_id", row["id"])
        wanted = call.query.get("viewed")
        if wanted is not None:
            rows = [r for r in rows if r["viewed"] == (wanted == "true")]
        newest = sorted(rows, key=lambda r: (r["generated_at"], r["id"]), reverse=True)
        return self._page(call, [self._report(r) for r in newest])

    def _report(self, row: Row) -> Row:
        shown = {name: value for name, value in row.items() if name not in _HIDDEN}
        instance = {"id": row["key"], "type": "OrganisationSurveyReportDataInstance"}
        return {**shown, "data_instance": instance, "scheduled_survey": row["survey"]}

    def _list_memberships(self, call: Call, row: Row) -> Reply:
        rows = self.memberships.find("organisation_id", row["id"])
        found = call.query.get("search", "").lower()
        return self._page(call, [_without(m, _HIDDEN) for m in rows if found in m["email"].lower()])

    def _viewed(self, call: Call) -> Row:
        for row in self.reports:
            if row["key"] == call.params["id"] and row["viewed"]:
                call.ids["id"] = str(row["id"])
                return row
        raise _refused(404, "not_found", "There is no such report")

    def _about_report(self, call: Call) -> Reply:
        row = self._viewed(call)
        return Reply(
            200, {"id": row["key"], "original": not row["sub_report"], "teams": [], "tags": []}
        )

    def _full_data(self, call: Call) -> Reply:
        row = self._viewed(call)
        random = Random(f"{row['id']}/{row['generated_at']}")
        instance = {
            "generated_at": row["generated_at"],
            "start_time": row["survey"]["started_at"],
            "ends_on": row["survey"]["ends_on"],
            "minimum_answer_count": 5,
            "point_categories": {"minimum": 1, "maximum": 5, "step": 0.5},
            "organisation": _figures(random, 20, 11),
            "teams": {"3790": _figures(random, 6, 4)},
        }
        organisation = self.organisations[row["organisation_id"]]
        return Reply(
            200,
            {
                "title": row["survey"]["title"],
                "sub_report": row["sub_report"],
                "organisation": {**self._shown(organisation), **self._usage(organisation, None)},
                "questions": [_QUESTION],
                "instances": [instance],
                "id": row["key"],
            },
        )

    # The vendor's own screen

    def show(self, resource: str, row: Row) -> Row:
        return self._report(row) if resource == "reports" else row

    def mutate(self, resource: str, action: str, identifier: Any, values: Row) -> Row:
        return super().mutate(resource, action, int(identifier or 0), values)

    def keep(self, resource: str, values: Row) -> Row:
        self._made[resource] += 1
        row = {"id": self._made[resource], **_DEFAULTS[resource], **values}
        if resource == "reports":
            row.setdefault("key", hashlib.sha1(f"{row['id']}".encode()).hexdigest())
        return self.tables[resource].add(row)

    def _seed(self, staff: Staff) -> None:
        random = staff.random("heiaheia")
        size = next((s for s in (20, 50) if len(staff.people) <= s), 10000)
        firms = ["123123-1", "123123-2"]
        several = {"size_class": size, "multi_business_id": True, "multi_business_ids": firms}
        other = {**several, "size_class": 50, "multi_business_ids": ["456456-1", "456456-2"]}
        self._organisation("Alpenblick AG", staff, several, len(staff.people), random)
        self._organisation("Alpenblick Stiftung", staff, {"size_class": 20}, 3, random)
        self._organisation("Bergluft GmbH", staff, other, 14, random)
        withdrawn = {"name": "Talwind GmbH", "size_class": 50, "access": False}
        self.keep("organisations", withdrawn)

    def _organisation(
        self, name: str, staff: Staff, values: Row, members: int, random: Random
    ) -> None:
        uses = {
            "app_use_count": random.randrange(900),
            "app_monthly_use_count": random.randrange(90),
        }
        organisation = self.keep("organisations", {"name": name, **uses, **values})
        firms = values.get("multi_business_ids", [None])
        for person in staff.people[:members]:
            accepted = random.random() < 0.8
            self.keep(
                "memberships",
                {
                    "organisation_id": organisation["id"],
                    "business_id": firms[person.place % len(firms)],
                    "email": person.address,
                    "hh_core_accepted_at": "2019-05-07T11:08:37Z" if accepted else None,
                    "team_memberships": [{"id": 3790 + len(person.department), "name": person.department}],
                    "user": {"id": person.place + 1, "first_name": person.first,
                             "last_name": person.last, "language": "de"},
                },
            )  # fmt: skip
        for number, viewed in enumerate((True, True, False)):
            day = staff.today - timedelta(days=200 - 60 * number)
            at = datetime.fromisoformat(f"{day}T09:00:00+02:00")
            self.keep(
                "reports", {"organisation_id": organisation["id"], "viewed": viewed, **_survey(at)}
            )


_HIDDEN = ("organisation_id", "business_id", "key", "survey")
_DEFAULTS: dict[str, Row] = {
    "organisations": {
        "name": "", "size_class": 20, "multi_business_id": False, "su_access": False,
        "access": True, "app_use_count": 0, "app_monthly_use_count": 0,
    },
    "memberships": {
        "hh_core_enabled": True, "hh_core_accepted_at": None, "primary": True, "tags": [],
        "team_memberships": [], "active_surveys": [], "user": None, "business_id": None,
    },
    "reports": {"viewed": True, "sub_report": False, "first_viewed_at": None},
}  # fmt: skip
_QUESTION = {
    "id": 9, "title": {"en": "Energy", "fi": "Energia"}, "custom": False, "enabled": True,
    "position": 0, "kind": "radio", "global_comparison_type": "mean",
    "options": [
        {"id": "91", "points": 1, "title": {"en": "Low"}},
        {"id": "92", "points": 5, "title": {"en": "High"}},
    ],
}  # fmt: skip


def _survey(at: datetime) -> Row:
    ends = (at + timedelta(days=7)).date().isoformat()
    started = at.isoformat()
    return {
        "generated_at": (at + timedelta(days=8)).isoformat(),
        "first_viewed_at": (at + timedelta(days=9)).isoformat(),
        "survey": {
            "id": 172, "started_at": started, "ends_on": ends, "closed": True,
            "title": f"Working climate {at:%Y}", "survey": {"id": 215, "title": {"en": "Climate"}},
            "enabled_questions": [9], "copy_questions": ["enps"],
        },
    }  # fmt: skip


def _figures(random: Random, participants: int, answers: int) -> Row:
    few = answers < ENOUGH
    points = round(random.uniform(1, 5), 2)
    low = random.randrange(100)
    told = {
        "average_points": points,
        "answer_percentages": [points],
        "breakdown": {"9": [low, 100 - low]},
        "point_categories": [0, 20, 30, 50],
    }
    return {
        **{name: None if few else value for name, value in told.items()},
        "participant_count": participants,
        "answer_count": answers,
        "insufficient_data": few,
        "insufficient_data_reason": "too_few_results" if few else None,
    }


def _without(row: Row, names: tuple[str, ...]) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def _token_of(call: Call) -> str:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else call.query.get("access_token", "")


def _number(call: Call, name: str, default: int, most: int | None) -> int:
    text = call.query.get(name, str(default))
    if not text.isdigit() or int(text) < 1 or (most is not None and int(text) > most):
        raise _refused(400, "invalid_param", f"{name} is invalid")
    return int(text)


def _refused(status: int, error: str, description: str) -> Refused:
    return Refused(status, {"error": error, "error_description": description})
