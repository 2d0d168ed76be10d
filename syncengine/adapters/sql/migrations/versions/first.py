"""The eight tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _connections()
    _links()
    _records()
    _keys()
    _operations()
    _events()
    _cases()
    _history()


def _connections() -> None:
    op.create_table(
        "connections",
        *_texts("name part"),
        *_json("state"),
        *_texts("holder?"),
        *_times("until", default="0"),
        sa.PrimaryKeyConstraint("name", "part", name="connections_part"),
    )


def _links() -> None:
    op.create_table(
        "links",
        *_texts("id entity connection resource external_id? parent? record_id? state"),
        *_json("row"),
        *_texts("listed_hash"),
        *_counts("row_version"),
        *_json("stamps"),
        *_times("read_at"),
        *_flags("need_get"),
        *_json("base noted"),
        *_counts("version dirty"),
        *_times("nominated_at?"),
        *_flags("approved"),
        *_texts("wait_key? wait_what?"),
        *_times("lease_until", default="0"),
        sa.PrimaryKeyConstraint("id", name="links_id"),
    )
    _index("links_dirty", "links", ["id"], where="dirty > 0")
    _index("links_entity", "links", ["entity", "connection"])
    _index("links_need_get", "links", ["id"], where=sa.column("need_get").is_(sa.true()))
    _index(
        "links_place",
        "links",
        ["record_id", "connection", "resource"],
        unique=True,
        where="state IN ('creating', 'left', 'linked', 'missing', 'waiting')",
    )
    _index("links_record", "links", ["record_id"])
    _index(
        "links_ref",
        "links",
        ["connection", "resource", "external_id", "entity"],
        unique=True,
        where="external_id IS NOT NULL",
    )
    _index("links_wait", "links", ["wait_key"], where="wait_key IS NOT NULL")


def _records() -> None:
    op.create_table(
        "records",
        *_texts("id entity"),
        *_json("fields stamps"),
        *_counts("generation"),
        *_texts("created_at"),
        *_flags("deleted"),
        *_counts("derive_due", default="0"),
        sa.PrimaryKeyConstraint("id", name="records_id"),
    )
    _index("records_derive_due", "records", ["id"], where="derive_due > 0")
    _index(
        "records_entity", "records", ["entity", "id"], where=sa.column("deleted").is_(sa.false())
    )


def _keys() -> None:
    op.create_table(
        "keys",
        *_texts("kind scope hash owner"),
        sa.PrimaryKeyConstraint("kind", "hash", "scope", "owner", name="keys_bearer"),
    )
    _index("keys_owner", "keys", ["owner", "kind"])
    _index(
        "keys_unique",
        "keys",
        ["kind", "hash", "scope"],
        unique=True,
        where="kind IN ('derived', 'record')",
    )


def _operations() -> None:
    op.create_table(
        "operations",
        *_texts("id link_id record_id entity connection resource action"),
        *_json("body carried expected"),
        *_flags("leave"),
        *_texts("key"),
        *_counts("generation"),
        *_json("causes"),
        *_texts("state"),
        *_counts("attempts"),
        *_texts("token?"),
        *_times("lease_until next_at created_at"),
        *_texts("external_id?"),
        *_json("detail"),
        sa.PrimaryKeyConstraint("id", name="operations_id"),
    )
    _index("operations_claimed", "operations", ["lease_until"], where="state IN ('claimed')")
    _index(
        "operations_creates",
        "operations",
        ["connection", "resource", "external_id"],
        where="action IN ('create')",
    )
    _index("operations_made", "operations", ["entity", "connection", "created_at"])
    _index(
        "operations_one_unsettled",
        "operations",
        ["link_id"],
        unique=True,
        where="state IN ('claimed', 'pending', 'unknown')",
    )
    _index("operations_pending", "operations", ["next_at"], where="state IN ('pending')")
    _index("operations_unknown", "operations", ["next_at"], where="state IN ('unknown')")


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", SERIAL, primary_key=True),
        *_texts("connection resource external_id event_id source"),
        *_times("at"),
        sqlite_autoincrement=True,
    )
    _index("events_at", "events", ["at"])
    _index("events_once", "events", ["connection", "event_id"], unique=True)


def _cases() -> None:
    op.create_table(
        "cases",
        *_texts("id kind subject"),
        *_json("told"),
        *_texts("entity record_id? link_id? operation_id?"),
        *_times("opened_at"),
        *_texts("answer?"),
        *_json("reason"),
        *_times("closed_at?"),
        sa.PrimaryKeyConstraint("id", name="cases_id"),
    )
    _index("cases_open", "cases", ["subject"], unique=True, where="closed_at IS NULL")


def _history() -> None:
    op.create_table(
        "history",
        sa.Column("id", SERIAL, primary_key=True),
        *_texts("record_id"),
        *_counts("generation"),
        *_texts("field"),
        *_json("change"),
        *_texts("lost_by"),
        *_counts("stamp"),
        *_texts("connection rule policy author"),
        *_times("at"),
    )
    _index("history_record", "history", ["record_id", "id"])


def _columns(
    names: str, kind: sa.types.TypeEngine[Any], default: str | None = None
) -> list[sa.Column[Any]]:
    return [
        sa.Column(n.rstrip("?"), kind, nullable=n.endswith("?"), server_default=default)
        for n in names.split()
    ]


def _texts(names: str) -> list[sa.Column[Any]]:
    return _columns(names, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"))


def _json(names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text()) for name in names.split()]


def _counts(names: str, default: str | None = None) -> list[sa.Column[Any]]:
    return _columns(names, sa.BigInteger(), default)


def _times(names: str, default: str | None = None) -> list[sa.Column[Any]]:
    return _columns(names, sa.Double(), default)


def _flags(names: str) -> list[sa.Column[Any]]:
    return _columns(names, sa.Boolean())


def _index(
    name: str,
    table: str,
    columns: list[str],
    where: str | sa.ColumnElement[bool] | None = None,
    unique: bool = False,
) -> None:
    part = sa.text(where) if isinstance(where, str) else where
    op.create_index(name, table, columns, unique=unique, sqlite_where=part, postgresql_where=part)
