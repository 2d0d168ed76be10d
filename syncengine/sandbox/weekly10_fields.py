"""Serializer fields of weekly10, with the messages of Django REST framework."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from syncengine.sandbox.table import Row, Table

# Another zone than UTC, so that a client which compares texts of moments is found out.
ZONE = ZoneInfo("Europe/Copenhagen")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
FORMATS = "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]"

Kind = Literal["text", "email", "flag", "choice", "datetime", "ref", "refs", "properties"]


class Wrong(Exception):
    """A value does not fit; the message is the vendor's."""


@dataclass(frozen=True, slots=True)
class Field:
    """``given``: the value of a new row; ``table``: where a ref points; ``choices``: values or names."""

    kind: Kind
    required: bool = False
    given: Any = None
    table: Table | None = None
    choices: tuple[str, ...] = ()

    def default(self) -> Any:
        if self.kind == "properties":
            return dict.fromkeys(self.choices)
        return list(self.given) if self.kind == "refs" else self.given

    def read(self, value: Any) -> Any:
        """The value to keep. Raises Wrong."""
        if value is None:
            if self.required or self.kind in ("flag", "choice", "refs", "properties"):
                raise Wrong("This field may not be null.")
            return None
        if self.kind in ("text", "email"):
            return self._text(value)
        if self.kind == "flag":
            if not isinstance(value, bool):
                raise Wrong("Must be a valid boolean.")
            return value
        if self.kind == "choice":
            if value not in self.choices:
                raise Wrong(f'"{value}" is not a valid choice.')
            return value
        if self.kind == "datetime":
            return _moment(value)
        if self.kind == "ref":
            return self._ref(value)
        if self.kind == "refs":
            if not isinstance(value, list):
                raise Wrong(f'Expected a list of items but got type "{type(value).__name__}".')
            return [self._ref(item) for item in value]
        if not isinstance(value, dict):
            raise Wrong(f'Expected a dictionary of items but got type "{type(value).__name__}".')
        return {**dict.fromkeys(self.choices), **value}

    def _text(self, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Wrong("Not a valid string.")
        text = str(value).strip()
        if not text and self.required:
            raise Wrong("This field may not be blank.")
        if self.kind == "email" and not EMAIL.fullmatch(text):
            raise Wrong("Enter a valid email address.")
        return text

    def _ref(self, value: Any) -> str:
        if self.table is None or not isinstance(value, str) or value not in self.table:
            raise Wrong(f"Object with api_id={value} does not exist.")
        return value


def clean(
    fields: Mapping[str, Field], body: Row, partial: bool
) -> tuple[Row, dict[str, list[str]]]:
    """The values of a body, and messages by field; unknown and read-only names are passed over."""
    values: Row = {}
    faults: dict[str, list[str]] = {}
    for name, field in fields.items():
        if name not in body:
            if field.required and not partial:
                faults[name] = ["This field is required."]
            continue
        if name == "api_id" and body[name] in (None, ""):
            continue
        try:
            values[name] = field.read(body[name])
        except Wrong as wrong:
            faults[name] = [str(wrong)]
    return values, faults


def _moment(value: Any) -> datetime:
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        raise Wrong(f"Datetime has wrong format. Use one of these formats instead: {FORMATS}.")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        text = f"Datetime has wrong format. Use one of these formats instead: {FORMATS}."
        raise Wrong(text) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZONE)
    return moment.astimezone(UTC)
