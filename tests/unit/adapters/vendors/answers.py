"""Answers of vendors, as their pages show them."""

from __future__ import annotations

from typing import Any

import httpx

DONE = {
    "id": "etr_1", "employee_id": "emp_1", "training_id": "trn_1",
    "completion_status": True, "completion_rate": 100,
}  # fmt: skip
ENTRY = {
    "id": 7043, "date": "2016-10-11", "start_time": "12:00", "end_time": "14:00",
    "duration": "02:00", "duration_in_seconds": 7200,
    "note": "This is a long text explaining what I did.",
    "user": {"id": 1, "name": "Ursula Schneider", "teams": ["Administration"]},
    "task": {"id": 1, "name": "Entwicklung", "archived": False},
    "project": {"id": 3, "name": "HR", "archived": False},
}  # fmt: skip
RECORD = {
    "api_id": "hv-716-gdpr-2026", "person_api_id": "716", "package_api_id": "gdpr-2026",
    "package_desc": "GDPR basics 2026", "date_assigned": "2026-11-01T02:00:00-06:00",
    "date_started": "2026-11-03T09:00:00.250+00:00", "date_completed": None,
}  # fmt: skip
LOGIN = {"POST /obtainauthtoken/": {"token": "t"}}


def envelope(*rows: Any, count: int | None = None, next: str | None = None) -> dict[str, Any]:
    total = len(rows) if count is None else count
    return {"count": total, "next": next, "previous": None, "results": list(rows)}


def response(answer: tuple[int, Any]) -> httpx.Response:
    return httpx.Response(answer[0], json=answer[1])
