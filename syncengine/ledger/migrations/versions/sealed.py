"""Ids of vendors, and what links wait for, are sealed and found by a hash; so is the hash of a listed row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from syncengine.ledger.encryption import Vault
from syncengine.ledger.keyring import Keyring

revision = "sealed"
down_revision = "erasures"

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SLICE = 1000
_FOUND = {
    "links": ("external_id", "parent", "wait_key"),
    "operations": ("external_id",),
    "events": ("external_id",),
    "cases": ("subject",),
}
"""What is sealed now, and found by its hash."""
_SEALED = {"links": ("listed_hash", "wait_what")}
"""What is sealed now."""
_BOUND = {"events": ("connection", "event_id")}
"""By what the place of a value is told, where that is not the id."""


def upgrade() -> None:
    for name in (
        "links_ref",
        "links_wait",
        "links_waiting",
        "operations_creates",
        "cases_open",
        "cases_subject",
    ):
        op.drop_index(name)
    connection = op.get_bind()
    for table, columns in _FOUND.items():
        renamed = (*columns, *_SEALED.get(table, ()))
        for column in renamed:
            op.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO plain_{column}")
            op.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT")
        for column in columns:
            op.add_column(table, sa.Column(f"{column}_hash", _NAME))
        _seal(connection, table, columns, renamed)
        for column in renamed:
            op.execute(f"ALTER TABLE {table} DROP COLUMN plain_{column}")
    _index()


def _seal(
    connection: sa.Connection, table: str, found: Sequence[str], columns: Sequence[str]
) -> None:
    vault: Vault = context.config.attributes["vault"]
    bound = _BOUND.get(table, ("id",))
    plain = ", ".join(f"plain_{column}" for column in columns)
    query = sa.text(
        f"SELECT id, {', '.join(bound)}, {plain} FROM {table} WHERE id > :after ORDER BY id LIMIT {_SLICE}"
    )
    told = [f"{c} = :{c}" for c in columns] + [f"{c}_hash = :{c}_hash" for c in found]
    update = sa.text(f"UPDATE {table} SET {', '.join(told)} WHERE id = :of")
    after: Any = 0 if table == "events" else ""
    while rows := connection.execute(query, {"after": after}).all():
        if not after:
            Keyring(connection, vault).follow_keyring(writing=True)
        connection.execute(
            update, [_row(vault, table, row, len(bound), columns, found) for row in rows]
        )
        after = rows[-1][0]


def _row(
    vault: Vault,
    table: str,
    row: Sequence[Any],
    bound: int,
    columns: Sequence[str],
    found: Sequence[str],
) -> dict[str, Any]:
    place = "/".join(str(part) for part in row[1 : 1 + bound])
    values = dict(zip(columns, row[1 + bound :], strict=True))
    if values.get("listed_hash") == "":
        values["listed_hash"] = None
    sealed = {n: vault.seal(value, f"{table}.{n}/{place}") for n, value in values.items()}
    hashes = {f"{n}_hash": None if values[n] is None else vault.hash([values[n]]) for n in found}
    return {"of": row[0], **sealed, **hashes}


def _index() -> None:
    there = sa.text("external_id_hash IS NOT NULL")
    _make("links_ref", "links", "connection resource external_id_hash entity", there, unique=True)
    waits = sa.text("wait_key_hash IS NOT NULL")
    _make("links_wait", "links", "wait_key_hash", waits)
    _make("links_waiting", "links", "id", waits)
    creates = sa.text("action IN ('create')")
    _make("operations_creates", "operations", "connection resource external_id_hash", creates)
    is_open = sa.text("closed_at IS NULL")
    _make("cases_open", "cases", "subject_hash", is_open, unique=True)
    _make("cases_subject", "cases", "subject_hash", None)
    _make("cases_link", "cases", "link_id", is_open)


def _make(name: str, table: str, columns: str, where: Any, unique: bool = False) -> None:
    op.create_index(
        name, table, columns.split(), unique=unique, sqlite_where=where, postgresql_where=where
    )
