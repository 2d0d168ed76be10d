"""A vendor's rows as items, and the hidden marker of a create."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import tzinfo
from typing import Any, Final
from urllib.parse import quote

from syncengine.adapters.rest.stamps import to_utc
from syncengine.adapters.vendors.declare import Resource
from syncengine.model.values import Json
from syncengine.ports import Item

_MARKER: Final = re.compile(r" ?\[sync:[^\]\s]{1,12}\]")


def marker(key: str) -> str:
    """What a create with this idempotency key leaves in a text of its row."""
    return f"[sync:{key[:12]}]"


class Rows:
    """Decodes the rows of one resource. ``zone``: of stamps that name none."""

    def __init__(self, resource: Resource, zone: tzinfo) -> None:
        self._resource = resource
        self._zone = zone
        fields = resource.spec.fields.items()
        self._stamps = tuple(name for name, spec in fields if spec.type == "datetime")

    def items(self, rows: Iterable[Any], parent: str | None, holding: str = "") -> list[Item]:
        """Items in order. ``holding``: only rows whose marker field holds this text."""
        return [self.item(row, parent) for row in rows if not holding or self._holds(row, holding)]

    def item(self, row: Any, parent: str | None) -> Item:
        """One item; the row is changed in place. What has no usable id becomes one with a fault."""
        if not isinstance(row, dict):
            kind = type(row).__name__
            return Item("", {"_value": row}, parent, f"the row is no object but {kind}")
        own = self._resource.only or row.get(self._resource.id)
        if not isinstance(own, str | int) or isinstance(own, bool) or own == "":
            return Item("", row, parent, f"the row has no id in {self._resource.id!r}")
        self._reshape(row)
        if self._resource.holds_parent:
            parent = parent or _text(row.get(self._resource.holds_parent))
            if parent is None:
                fault = f"the row names no parent in {self._resource.holds_parent!r}"
                return Item("", row, None, fault)
            row["_parent"] = parent
            return Item(f"{parent}/{own}", row, parent)
        return Item(str(own), row, parent)

    def _reshape(self, row: dict[str, Json]) -> None:
        self._resource.shape(row)
        for name in self._stamps:
            value = row.get(name)
            if isinstance(value, str):
                row[name] = to_utc(value, self._zone)
        hidden = self._resource.spec.marker
        if hidden and isinstance(row.get(hidden), str) and "[sync:" in row[hidden]:
            row[hidden] = _MARKER.sub("", row[hidden])

    def _holds(self, row: Any, text: str) -> bool:
        field = self._resource.spec.marker
        return isinstance(row, dict) and text in str(row.get(field))


class Address:
    """Where a row stands: below a base URL, addressed by its external id."""

    def __init__(self, base_url: str, resource: Resource) -> None:
        self._base = base_url
        self._resource = resource

    def listing(self, parent: str | None) -> str:
        """Of the rows (of a parent)."""
        return self._base + self._resource.path.format(parent=_quoted(parent))

    def creation(self, parent: str | None) -> str:
        """Where a row is created."""
        path = self._resource.post or self._resource.path
        return self._base + path.format(parent=_quoted(parent))

    def row(self, external_id: str) -> str:
        """Of one row."""
        parent, own = self.split(external_id)
        path = self.item_path
        return self._base + path.format(parent=_quoted(parent), id=_quoted(own))

    def split(self, external_id: str) -> tuple[str | None, str]:
        """Parent and the vendor's own id."""
        if not self._resource.holds_parent:
            return None, external_id
        parent, _, own = external_id.partition("/")
        return parent, own

    def query(self, parent: str | None) -> dict[str, str]:
        """The parameters that name the parent in each request but a create."""
        return {self._resource.acts_for: parent} if self._resource.acts_for and parent else {}

    @property
    def item_path(self) -> str:
        """The route of one row."""
        return self._resource.item or f"{self._resource.path.rstrip('/')}/{{id}}"


def _quoted(text: str | None) -> str:
    return quote(text or "", safe="")


def _text(value: Json) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None
