"""Ids that a vendor has for names, for list items that a path made by name."""

from __future__ import annotations

from typing import Any

from syncengine.adapters.rest.paging import rows_of
from syncengine.adapters.rest.session import Session
from syncengine.adapters.rest.verdicts import fitting
from syncengine.adapters.vendors.declare import Resource
from syncengine.errors import Rejected


class NamedIds:
    """What is known of one connection. It is asked for once, and anew for a name that was not among what is known."""

    def __init__(self, session: Session, base_url: str) -> None:
        self._session = session
        self._base_url = base_url
        self._known: dict[str, str] = {}

    def given(self, declared: Resource, sent: dict[str, Any]) -> dict[str, Any]:
        """The body of a write, its items with their ids. Raises Rejected for a name that the vendor does not know."""
        for name, path in declared.ids_by_name.items():
            lacking = [i for i in sent.get(name) or () if isinstance(i, dict) and not i.get("id")]
            if not {str(item.get("name")) for item in lacking} <= self._known.keys():
                self._known = self._read(name, path)
            for item in lacking:
                item["id"] = self._known.get(str(item.get("name")))
                if item["id"] is None:
                    raise Rejected(f"{name}: the vendor has none of that name; make it there first")
        return sent

    def _read(self, name: str, path: str) -> dict[str, str]:
        what = f"GET {path}"
        answer = self._session.read(self._base_url + path, what, {})
        with fitting(what):
            rows = [row for about in rows_of(answer, "data") for row in about.get(name) or ()]
            return {str(row.get("name")): row["id"] for row in rows if row.get("id")}
