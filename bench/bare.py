"""Bare clients: what the same calls cost by httpx and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from bench.company import company
from bench.processes import measured

CALLS_AT_ONCE = 4
"""What the connectors declare of the vendors."""


def logins(env: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Vendor -> headers with which its calls are made."""
    granted = httpx.get(
        f"{env['HEAVENHR_BASE_URL']}/oauth2/token",
        params={"grant_type": "client_credentials", "scope": "all"},
        auth=(env["HEAVENHR_CLIENT_ID"], env["HEAVENHR_CLIENT_SECRET"]),
    ).json()
    login = {"username": env["WEEKLY10_USERNAME"], "password": env["WEEKLY10_PASSWORD"]}
    given = httpx.post(f"{env['WEEKLY10_BASE_URL']}/obtainauthtoken/", json=login).json()
    return {
        "heavenhr": {"Authorization": f"Bearer {granted['access_token']}"},
        "haekka": {"Authorization": f"Bearer {env['HAEKKA_API_KEY']}"},
        "hakuna": {"X-Auth-Token": env["HAKUNA_TOKEN"]},
        "weekly10": {"Authorization": f"Token {given['token']}"},
    }


class BareScript:
    """The calls that changed people cost, made by a script against vendors of its own. ``lists_both``: it reads the
    whole listing of both vendors first, as a pass does."""

    def __init__(self, people: int, lists_both: bool = False) -> None:
        self._undo, self._people, self._lists_both = ExitStack(), people, lists_both

    def __enter__(self) -> BareScript:
        self._folder = Path(self._undo.enter_context(TemporaryDirectory()))
        self._made = self._undo.enter_context(company("sqlite-embedded", self._people))
        self._made.first_pass()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def seconds(self, count: int, mark: str, at_once: int = CALLS_AT_ONCE) -> dict[str, Any]:
        """One round: ``seconds`` and ``cpu`` of all, and how long ``each`` change took."""
        made = self._made
        names = made.rename(count, mark)
        accounts = {row["id"]: row["account"] for row in made.people}
        told = {
            "width": at_once,
            "headers": logins(made.sandbox.env),
            "lists_both": self._lists_both,
            "changes": [{"employee": e, "account": accounts[e]} for e in names],
        }
        file = self._folder / "changes.json"
        file.write_text(json.dumps(told), "utf-8")
        figures = measured(made.environment, "changes", str(file))
        if made.arrived(names) != count:
            raise RuntimeError("the bare script did not get through")
        return figures


def first_calls(environment: Mapping[str, str]) -> dict[str, Any]:
    """``seconds`` and ``cpu`` of a script that reads everybody and makes the accounts that are missing."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "first.json"
        told = {"width": CALLS_AT_ONCE, "headers": logins(environment)}
        file.write_text(json.dumps(told), "utf-8")
        return measured(environment, "first", str(file))
