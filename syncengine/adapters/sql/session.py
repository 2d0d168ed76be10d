"""What all parts of a transaction stand on: the connection, the vault, and statements for batches of any size."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Executable,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from syncengine.adapters.sql.encryption import Vault, dump
from syncengine.errors import LostRace

Values = dict[str, Any]
"""Column name -> value of one row to be stored."""


def pack(mapping: Mapping[str, Any]) -> str | None:
    """Plain JSON of a mapping without personal data; NULL where it is empty."""
    return dump(mapping) if mapping else None


def unpack(text: str | None) -> dict[str, Any]:
    """What ``pack`` made."""
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def at_most(statement: Select[Any], limit: int) -> Select[Any]:
    """0 is no limit."""
    return statement.limit(limit) if limit else statement


class Session:
    """One database transaction."""

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault
        self._postgresql = connection.dialect.name == "postgresql"

    def _in(self, column: ColumnElement[str], values: Iterable[str]) -> ColumnElement[bool]:
        """``column IN (values)`` with one bound parameter, whatever their number."""
        listed = [str(value) for value in values]
        if self._postgresql:
            return column == any_(literal(listed, ARRAY(Text())))
        each = func.json_each(dump(listed)).table_valued("value")
        return column.in_(select(each.c.value))

    def _rows(self, statement: Executable) -> Sequence[Sequence[Any]]:
        return self._connection.execute(statement).all()

    def _asked(
        self, statement: Select[Any], equal: Mapping[Column[str], str | None], limit: int
    ) -> Select[Any]:
        """Narrowed by what was asked for; None asks for nothing, and 0 is no limit."""
        wanted = [column == value for column, value in equal.items() if value is not None]
        return at_most(statement.where(*wanted), limit)

    def _counted(self, *columns: Column[str]) -> dict[tuple[str, str, str], int]:
        """How many rows there are of each combination of three columns."""
        rows = self._rows(select(*columns, func.count()).group_by(*columns))
        return {(a, b, c): count for a, b, c, count in rows}

    def _run(self, statement: Executable, rows: Sequence[Values] | None = None) -> int:
        """How many rows were touched."""
        return self._connection.execute(statement, rows).rowcount

    def _locking(self, statement: Select[Any], table: Table, lock: bool) -> Select[Any]:
        """Locks rows in the order of their ids, so that two transactions never wait for each other."""
        return statement.order_by(table.c.id).with_for_update() if lock else statement

    def _insert(self, table: Table, rows: Sequence[Values]) -> None:
        if rows:
            self._run(insert(table), rows)

    def _update(self, table: Table, rows: Sequence[Values]) -> None:
        """Write rows by ``id``. Raises LostRace where one is not there any more."""
        if not rows:
            return
        changed: Values = {name: bindparam(f"new_{name}") for name in rows[0] if name != "id"}
        statement = update(table).where(table.c.id == bindparam("old_id")).values(changed)
        written = self._run(
            statement,
            [
                {("old_id" if name == "id" else f"new_{name}"): row[name] for name in row}
                for row in rows
            ],
        )
        if written != len(rows):
            raise LostRace(
                f"{len(rows) - written} of {len(rows)} {table.name} are gone; read again"
            )

    def _update_where(
        self, table: Table, where: Sequence[ColumnElement[bool]], values: Mapping[str, Any]
    ) -> int:
        """Write the rows that meet ``where``, locked in the order of their ids."""
        found = select(table.c.id).where(*where).order_by(table.c.id).with_for_update()
        return self._run(update(table).where(table.c.id.in_(found)).values(values))

    def _upsert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """An INSERT to which ON CONFLICT can be said."""
        return postgresql.insert(table) if self._postgresql else sqlite.insert(table)
