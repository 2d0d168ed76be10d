"""How values stand in rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from enum import EnumType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_type_hints

from sqlalchemy import Table, bindparam, insert, update

from syncengine.adapters.sql.encryption import Vault, dump

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
Values = dict[str, Any]
"""Column name -> value of one row."""


class Stored(Generic[T]):
    """How the values of a frozen class stand in a table: a column holds the attribute of its name.

    A JSON column is NULL where its attribute is what it is by default. Columns with a default of the server's are
    no part of the value, and a serial id is read only. ``split`` tells columns that are no attribute, ``join``
    makes the value of all columns by name, those that are NULL in place of JSON left out.
    """

    def __init__(
        self,
        table: Table,
        kind: type[T],
        split: Callable[[T], Values] = lambda _: {},
        join: Callable[..., T] | None = None,
    ) -> None:
        self.table = table
        self.columns = tuple(c for c in table.c if c.server_default is None)
        self.insert = insert(table)
        self.update = update(table).where(table.c.id == bindparam("same_id"))
        names = [column.name for column in self.columns]
        written = [c.name for c in self.columns if c.autoincrement is not True]
        hints = get_type_hints(kind)
        defaults = {
            f.name: f.default if f.default_factory is MISSING else f.default_factory()
            for f in fields(kind)
        }
        self._names = names
        self._attributes = [name for name in written if name in defaults]
        self._enums = {name: hints[name] for name in names if isinstance(hints.get(name), EnumType)}
        self._json = [
            (c.name, c.info["sealed"], defaults.get(c.name)) for c in self.columns if c.info
        ]
        self._split, self._join = split, join or kind

    def row(self, value: T, vault: Vault) -> Values:
        """To be inserted."""
        row = {name: getattr(value, name) for name in self._attributes} | self._split(value)
        for name, sealed, default in self._json:
            found = row[name]
            if found is not None:
                same = found == default
                row[name] = None if same else vault.seal(found) if sealed else dump(found)
        return row

    def value(self, row: Sequence[Any], vault: Vault) -> T:
        """Of a row of ``columns``."""
        values = dict(zip(self._names, row, strict=True))
        for name, kind in self._enums.items():
            values[name] = kind(values[name])
        for name, _, _ in self._json:
            text = values.pop(name)
            if text is not None:
                values[name] = vault.open(text)
        return self._join(**values)
