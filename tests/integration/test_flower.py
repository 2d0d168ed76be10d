"""Flower on a real worker: whose tasks these are, and whether they did their work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.support import Stack, stack


def tasks(stack: Stack) -> list[dict[str, Any]]:
    """All tasks that Flower has seen."""
    url, login = f"{stack.service.flower_url}/api/tasks?limit=100000", stack.service.flower_login
    try:
        answer = httpx.get(url, auth=login, timeout=10).raise_for_status()
    except httpx.TransportError:
        return []  # it is starting
    return [*answer.json().values()]


@pytest.mark.long
@pytest.mark.ci
@pytest.mark.timeout(240)
def test_a_task_whose_vendor_failed_is_no_success_in_flower(tmp_path: Path) -> None:
    """Listings of a vendor that is down are failures that name it and nothing else; those of the others are
    successes. All tasks are in our namespace."""
    with stack(
        tmp_path, {"scan: 15m": "scan: 2s", "scan: 30m": "scan: 2s"}, more=("flower",)
    ) as made:
        made.sandbox.fault("hakuna", "status_500", count=100_000)

        def failed() -> list[dict[str, Any]]:
            return [t for t in tasks(made) if t["state"] == "FAILURE"]

        made.until(lambda: bool(failed()), "a task fails", 90, 1.0)
        seen = tasks(made)
        assert all(t["name"].startswith("syncengine.") for t in seen if t["name"])
        told = {t["exception"] for t in failed()}
        assert all(re.fullmatch(r"VendorFailed\('hakuna: \w+'\)", text) for text in told)
        done = [t for t in seen if t["state"] == "SUCCESS"]
        assert any(t["name"] == "syncengine.capture" and "heavenhr" in t["args"] for t in done)
        assert not [t for t in done if t["name"] == "syncengine.capture" and "hakuna" in t["args"]]
