"""What all parts of a transaction stand on: a connection, a vault, and a few verbs over tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from syncengine.adapters.sql import statements
from syncengine.adapters.sql.encryption import Vault
from syncengine.adapters.sql.statements import Columns, Condition, shape_of
from syncengine.adapters.sql.stored import Stored, T, Values
from syncengine.errors import LostRace


class Session:
    """One database transaction. What is ``asked`` for is told by name, as ``statements`` says."""

    def __init__(self, connection: sa.Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault
        self._postgresql = connection.dialect.name == "postgresql"

    def _run(self, statement: sa.Executable, rows: Sequence[Values] | Values | None = None) -> int:
        """How many rows were touched."""
        return self._connection.execute(statement, rows).rowcount

    def _rows(
        self, table: sa.Table, columns: Columns, *where: Condition, order: Columns = (),
        lock: bool = False, skip: bool = False, limit: int = 0, counted: bool = False, **asked: Any,
    ) -> Sequence[Sequence[Any]]:  # fmt: skip
        """As ``statements.find`` says; at most ``limit`` rows, 0 is no limit."""
        shape, given = shape_of(asked)
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
        """How many rows there are of each combination of the columns."""
        rows = self._rows(table, columns, *where, counted=True, **asked)
        return {tuple(combination): count for *combination, count in rows}

    def _count(self, table: sa.Table, *where: Condition, **asked: Any) -> int:
        return sum(self._counted(table, (), *where, **asked).values())

    def _add(self, stored: Stored[T], values: Sequence[T]) -> None:
        if values:
            self._run(stored.insert, [stored.row(value, self._vault) for value in values])

    def _save(self, stored: Stored[T], values: Sequence[T]) -> None:
        """Write rows by ``id``. Raises LostRace where one is not there any more."""
        if not values:
            return
        rows = [stored.row(value, self._vault) for value in values]
        lost = len(rows) - self._run(
            stored.update, [{"same_id": row.pop("id"), **row} for row in rows]
        )
        if lost:
            raise LostRace(f"{lost} of {len(rows)} {stored.table.name} are gone; read again")

    def _put(self, table: sa.Table, rows: Sequence[Values], *changed: str, **by: Any) -> None:
        """Insert; of rows that are there already write what is ``changed``, or nothing."""
        if rows:
            self._run(statements.put(self._postgresql, table, changed, **by), rows)

    def _change(
        self, table: sa.Table, values: Mapping[str, Any], *where: Condition, **asked: Any
    ) -> int:
        """Write column name -> value or expression; how many rows were touched."""
        shape, given = shape_of(asked)
        if [] in given.values():
            return 0
        to = {n: v if isinstance(v, sa.ColumnElement) else None for n, v in values.items()}
        given |= {f"given_to_{name}": values[name] for name in to if to[name] is None}
        return self._run(statements.change(table, tuple(to.items()), where, shape), given)

    def _drop(self, table: sa.Table, **asked: Any) -> None:
        shape, given = shape_of(asked)
        if [] not in given.values():
            self._run(statements.drop(table, shape), given)
