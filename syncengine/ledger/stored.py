"""How frozen dataclasses are stored in tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from enum import EnumType
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, get_type_hints

import sqlalchemy as sa

from syncengine.ledger.columns import hash_of
from syncengine.ledger.encryption import Vault, dump, load
from syncengine.model.values import Json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


class Mark(NamedTuple):
    """When something is written (epoch seconds), and in which run, if in one."""

    at: float = 0.0
    run: str | None = None


UNMARKED = Mark()
Values = dict[str, Any]
"""Column name -> value of one row."""


class Stored(Generic[T]):
    """How the values of a frozen class stand in a table: a column holds the attribute of its name, or
    the one that ``columns`` (attribute -> column) says.

    A JSON column is NULL where its attribute is what it is by default; ``words``: attribute -> how it is put into
    JSON, and taken from it. Columns with a default of the server's are no part of the value, and a serial id is read
    only. An attribute without a column comes last: ``split`` tells its columns, and ``join`` makes the value of all
    attributes before it and of these columns. ``bound``: columns that tell the row, by which what is sealed is bound to
    its place. ``beside``: makes, of a value and the mark, columns that are written with it and are no part of it.
    ``kept``: of these -> what an update makes of it, of what is there and of what ``beside`` made (``fresh``).
    """

    def __init__(
        self, table: sa.Table, kind: type[T], split: Callable[[T], Values] = lambda _: {},
        join: Callable[..., T] | None = None, bound: tuple[str, ...] = ("id",),
        columns: Mapping[str, str] = MappingProxyType({}),
        beside: Callable[[T, Vault, Mark], Values] = lambda *_: {},
        kept: Mapping[str, sa.ColumnElement[Any]] = MappingProxyType({}),
        **words: tuple[Callable[[Any], Json], Callable[[Any], Any]],
    ) -> None:  # fmt: skip
        made = {columns.get(field.name, field.name): field for field in fields(kind)}
        own = {c.name: c for c in table.c if c.server_default is None and not _is_beside(c)}
        names = [n for n in made if n in own] + [n for n in own if n not in made]
        hints = get_type_hints(kind)
        self.table = table
        self.insert = sa.insert(table)
        self.update = sa.update(table).where(table.c.id == sa.bindparam("same_id"))
        self.update = self.update.values(dict(kept)) if kept else self.update
        self._kept = tuple(kept)
        self.columns = tuple(own[name] for name in names)
        self._written = [
            (n, made[n].name) for n in names if n in made and own[n].autoincrement is not True
        ]
        self._enums = [
            (i, hints[n]) for i, n in enumerate(names) if isinstance(hints.get(n), EnumType)
        ]
        self._json = [
            (i, n, _place(own[n]), _default(made.get(n)), *words.get(n, (_same, _same)))
            for i, n in enumerate(names)
            if "sealed" in own[n].info
        ]
        self._found = [n for n in names if "found" in own[n].info]
        self._bound = [(name, names.index(name)) for name in bound]
        self._split, self._join, self._beside = split, join or kind, beside

    def row(self, value: T, vault: Vault, mark: Mark = UNMARKED) -> Values:
        """The value as a row to insert."""
        row = {column: getattr(value, name) for column, name in self._written} | self._split(value)
        hashes = {hash_of(name): hashed(vault, row[name]) for name in self._found}
        where = at([row[name] for name, _ in self._bound])
        for _, name, place, default, told, _ in self._json:
            found = row[name]
            if found is None or found == default():
                row[name] = None
            elif place:
                row[name] = vault.seal(told(found), place + where)
            else:
                row[name] = dump(told(found))
        return row | hashes | self._beside(value, vault, mark)

    def changed(self, value: T, vault: Vault, mark: Mark) -> Values:
        """The value as parameters of ``update``."""
        row = self.row(value, vault, mark)
        beside = self._beside(value, vault, mark) if self._kept else {}
        made = {f"fresh_{name}": row[name] for name in beside}
        for name in self._kept:
            del row[name]
        return {"same_id": row.pop("id"), **row, **made}

    def value(self, row: Sequence[Any], vault: Vault) -> T:
        """Of a row of ``columns``. Raises Unreadable."""
        values = list(row)
        where = at([row[i] for _, i in self._bound])
        for i, kind in self._enums:
            values[i] = kind(values[i])
        for i, _, place, default, _, meant in self._json:
            text = values[i]
            if text is None:
                values[i] = default()
            elif place:
                values[i] = meant(vault.open(text, place + where))
            else:
                values[i] = meant(load(text))
        return self._join(*values)


def fresh(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """What ``beside`` made for a column, within an update."""
    return sa.cast(sa.bindparam(f"fresh_{column.name}"), column.type)


def _is_beside(column: sa.Column[Any]) -> bool:
    return not column.info.keys().isdisjoint(("hash", "kept"))


def at(parts: Sequence[Any]) -> str:
    """The key of a row within its table, for the place that an encrypted value is bound to."""
    return str(parts[0]) if len(parts) == 1 else "/".join(map(str, parts))


def _place(column: sa.Column[Any]) -> str:
    """Prefix of the places of an encrypted column; "" for a plain one."""
    return f"{column.table.name}.{column.name}/" if column.info["sealed"] else ""


def hashed(vault: Vault, value: str | None) -> str | None:
    """The hash by which a value of kind ``found`` is looked up; the same in each table."""
    return None if value is None else vault.hash_of_text(value)


def _same(value: Any) -> Any:
    return value


def _default(field: Field[Any] | None) -> Callable[[], Any]:
    """Makes what an attribute is by default; without a default MISSING, which nothing is equal to. What is no attribute
    is None by default."""
    if field is None:
        return lambda: None
    if field.default_factory is not MISSING:
        return field.default_factory
    return lambda: field.default
