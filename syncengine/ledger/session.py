"""The base of all parts of a transaction: a connection, a vault, and a few operations on tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import time
from typing import Any

import sqlalchemy as sa

from syncengine.errors import LostRace
from syncengine.ledger import statements
from syncengine.ledger.columns import hash_of
from syncengine.ledger.encryption import Vault
from syncengine.ledger.statements import Columns, Condition, Shape, shape_of
from syncengine.ledger.stored import Mark, Stored, T, Values, at, hashed
from syncengine.ledger.tables import metadata
from syncengine.model.values import Json

_FOUND = {
    table.name: {
        name + compare: hash_of(name) + compare
        for name, column in table.c.items()
        if "found" in column.info
        for compare in ("", "__ne", "__not")
    }
    for table in metadata.sorted_tables
}
"""Table -> how something is asked for that is found by its hash -> how that is asked for."""


class Session:
    """One database transaction. Conditions are given by column name, as ``statements`` describes. ``added``: how many
    rows it has inserted or put."""

    def __init__(
        self, connection: sa.Connection, vault: Vault, clock: Callable[[], float] = time,
        run: str | None = None,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._vault = vault
        self._clock = clock
        self._in_run = run
        self._postgresql = connection.dialect.name == "postgresql"
        self.added = 0

    def _run(self, statement: sa.Executable, rows: Sequence[Values] | Values | None = None) -> int:
        """Run a statement; returns how many rows were changed."""
        return self._connection.execute(statement, rows).rowcount

    def _mark(self) -> Mark:
        return Mark(self._clock(), self._in_run)

    def _asked(self, table: sa.Table, asked: Mapping[str, Any]) -> tuple[Shape, dict[str, Any]]:
        """``shape_of``, where encrypted columns are looked up by their hash."""
        found = _FOUND[table.name]
        if found.keys().isdisjoint(asked):
            return shape_of(asked)
        told: dict[str, Any] = {}
        for name, value in asked.items():
            hashes = found.get(name)
            if value is None or hashes is None:
                told[name] = value
            elif isinstance(value, str):
                told[hashes] = hashed(self._vault, value)
            else:
                told[hashes] = [hashed(self._vault, v) for v in value]
        return shape_of(told)

    def _open(self, column: sa.Column[Any], text: str | None, *row: Any) -> Any:
        """Decrypt one column of the row with this key. Raises Unreadable."""
        return self._vault.open(text, f"{column.table.name}.{column.name}/{at(row)}")

    def _sealed(self, column: sa.Column[Any], value: Json, *row: Any) -> str | None:
        """Encrypt a value for ``_open``."""
        return self._vault.seal(value, f"{column.table.name}.{column.name}/{at(row)}")

    def _rows(
        self, table: sa.Table, columns: Columns, *where: Condition, order: Columns = (),
        lock: bool = False, skip: bool = False, limit: int = 0, counted: bool = False, **asked: Any,
    ) -> Sequence[Sequence[Any]]:  # fmt: skip
        """SELECT, see ``statements.find``; at most ``limit`` rows, 0 is no limit."""
        shape, given = self._asked(table, asked)
        if [] in given.values():
            return []
        found = statements.find(table, columns, where, shape, order, lock, skip, limit > 0, counted)
        return self._connection.execute(found, {**given, "given_limit": limit}).all()

    def _found(self, stored: Stored[T], *where: Condition, **asked: Any) -> list[T]:
        rows = self._rows(stored.table, stored.columns, *where, **asked)
        return [stored.value(row, self._vault) for row in rows]

    def _counted(
        self, table: sa.Table, columns: Columns, *where: Condition, **asked: Any
    ) -> dict[Any, int]:
        """Number of rows for each combination of the columns."""
        rows = self._rows(table, columns, *where, counted=True, **asked)
        return {tuple(combination): count for *combination, count in rows}

    def _count(self, table: sa.Table, *where: Condition, **asked: Any) -> int:
        return sum(self._counted(table, (), *where, **asked).values())

    def _add(self, stored: Stored[T], values: Sequence[T]) -> None:
        if values:
            mark = self._mark()
            self.added += len(values)
            self._run(stored.insert, [stored.row(value, self._vault, mark) for value in values])

    def _save(self, stored: Stored[T], values: Sequence[T]) -> None:
        """Update rows by ``id``. Raises LostRace where one no longer exists."""
        if not values:
            return
        mark = self._mark()
        rows = [stored.changed(value, self._vault, mark) for value in values]
        lost = len(rows) - self._run(stored.update, rows)
        if lost:
            raise LostRace(f"{lost} of {len(rows)} {stored.table.name} are gone; read again")

    def _put(self, table: sa.Table, rows: Sequence[Values], *changed: str, **by: Any) -> None:
        """Insert; in rows that exist already, write the ``changed`` columns, or nothing."""
        if rows:
            self.added += len(rows)
            self._run(statements.put(self._postgresql, table, changed, **by), rows)

    def _change(
        self, table: sa.Table, values: Mapping[str, Any], *where: Condition, **asked: Any
    ) -> int:
        """Update column name -> value or expression; returns how many rows were changed."""
        shape, given = self._asked(table, asked)
        if [] in given.values():
            return 0
        to = {n: v if isinstance(v, sa.ColumnElement) else None for n, v in values.items()}
        given |= {f"given_to_{name}": values[name] for name in to if to[name] is None}
        return self._run(statements.change(table, tuple(to.items()), where, shape), given)

    def _drop(self, table: sa.Table, *where: Condition, **asked: Any) -> int:
        """Delete rows; returns how many."""
        shape, given = self._asked(table, asked)
        return 0 if [] in given.values() else self._run(statements.drop(table, where, shape), given)
