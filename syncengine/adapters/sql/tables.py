"""The eight tables. Columns of type ``sealed`` hold JSON that may be encrypted (``encryption.Vault``)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
    literal_column,
    true,
)

from syncengine.model.key import UNIQUE
from syncengine.model.link import LIVE, LinkState
from syncengine.model.operation import UNSETTLED, Action, OperationState

metadata = MetaData()

# Binary order on both databases: ids sort the same in SQL and in Python.
_name = Text().with_variant(Text(collation="C"), "postgresql")
_sealed = Text()
_serial = BigInteger().with_variant(Integer(), "sqlite")
_zero: ColumnElement[int] = literal_column("0")


def _texts(names: str) -> list[Column[str]]:
    """Columns of those names; ``?`` behind one lets it be NULL."""
    return [Column(n.rstrip("?"), _name, nullable=n.endswith("?")) for n in names.split()]


def _times(names: str, default: str | None = None) -> list[Column[float]]:
    return [
        Column(n.rstrip("?"), Double, nullable=n.endswith("?"), server_default=default)
        for n in names.split()
    ]


def _counts(names: str, default: str | None = None) -> list[Column[int]]:
    return [Column(n, BigInteger, nullable=False, server_default=default) for n in names.split()]


def _flags(names: str) -> list[Column[bool]]:
    return [Column(n, Boolean, nullable=False) for n in names.split()]


def _json(names: str) -> list[Column[str]]:
    return [Column(n, _sealed) for n in names.split()]


def among(column: ColumnElement[str], states: Iterable[StrEnum]) -> ColumnElement[bool]:
    """``column IN ('a', 'b')`` in literals, which is what lets a query use a partial index."""
    return column.in_([literal_column(f"'{state.value}'") for state in sorted(states)])


def _index(
    name: str, *columns: Column[str] | Column[int] | Column[float],
    where: ColumnElement[bool] | None = None, unique: bool = False,
) -> None:  # fmt: skip
    Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


connections = Table(
    "connections",
    metadata,
    *_texts("name part"),
    *_json("state"),
    *_texts("holder?"),
    *_times("until", default="0"),
    PrimaryKeyConstraint("name", "part", name="connections_part"),
)

links = Table(
    "links",
    metadata,
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
    PrimaryKeyConstraint("id", name="links_id"),
)
is_dirty = links.c.dirty > _zero
is_waiting_for = links.c.wait_key.is_not(None)
needs_get = links.c.need_get.is_(true())
HOLDS_PLACE = LIVE | {LinkState.CREATING, LinkState.WAITING}
"""States of which a record has at most one link per connection and resource."""
_index(
    "links_ref",
    links.c.connection, links.c.resource, links.c.external_id, links.c.entity,
    where=links.c.external_id.is_not(None), unique=True,
)  # fmt: skip
_index(
    "links_place",
    links.c.record_id, links.c.connection, links.c.resource,
    where=among(links.c.state, HOLDS_PLACE), unique=True,
)  # fmt: skip
_index("links_record", links.c.record_id)
_index("links_entity", links.c.entity, links.c.connection)
_index("links_dirty", links.c.id, where=is_dirty)
_index("links_need_get", links.c.id, where=needs_get)
_index("links_wait", links.c.wait_key, where=is_waiting_for)

records = Table(
    "records",
    metadata,
    *_texts("id entity"),
    *_json("fields stamps"),
    *_counts("generation"),
    *_texts("created_at"),
    *_flags("deleted"),
    *_counts("derive_due", default="0"),
    PrimaryKeyConstraint("id", name="records_id"),
)
is_derive_due = records.c.derive_due > _zero
is_live = records.c.deleted.is_(false())
_index("records_entity", records.c.entity, records.c.id, where=is_live)
_index("records_derive_due", records.c.id, where=is_derive_due)

keys = Table(
    "keys",
    metadata,
    *_texts("kind scope hash owner"),
    PrimaryKeyConstraint("kind", "hash", "scope", "owner", name="keys_bearer"),
)
_index(
    "keys_unique",
    keys.c.kind,
    keys.c.hash,
    keys.c.scope,
    where=among(keys.c.kind, UNIQUE),
    unique=True,
)
_index("keys_owner", keys.c.owner, keys.c.kind)

operations = Table(
    "operations",
    metadata,
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
    PrimaryKeyConstraint("id", name="operations_id"),
)
is_unsettled = among(operations.c.state, UNSETTLED)
is_pending = among(operations.c.state, [OperationState.PENDING])
is_claimed = among(operations.c.state, [OperationState.CLAIMED])
is_unknown = among(operations.c.state, [OperationState.UNKNOWN])
is_create = among(operations.c.action, [Action.CREATE])
_index("operations_one_unsettled", operations.c.link_id, where=is_unsettled, unique=True)
_index("operations_pending", operations.c.next_at, where=is_pending)
_index("operations_claimed", operations.c.lease_until, where=is_claimed)
_index("operations_unknown", operations.c.next_at, where=is_unknown)
_index(
    "operations_creates",
    operations.c.connection, operations.c.resource, operations.c.external_id,
    where=is_create,
)  # fmt: skip
_index("operations_made", operations.c.entity, operations.c.connection, operations.c.created_at)

events = Table(
    "events",
    metadata,
    Column("id", _serial, primary_key=True, autoincrement=True),
    *_texts("connection resource external_id event_id source"),
    *_times("at"),
    # An id that was given away never comes back, not even after the newest events were deleted.
    sqlite_autoincrement=True,
)
_index("events_once", events.c.connection, events.c.event_id, unique=True)
_index("events_at", events.c.at)

cases = Table(
    "cases",
    metadata,
    *_texts("id kind subject"),
    *_json("told"),
    *_texts("entity record_id? link_id? operation_id?"),
    *_times("opened_at"),
    *_texts("answer?"),
    *_json("reason"),
    *_times("closed_at?"),
    PrimaryKeyConstraint("id", name="cases_id"),
)
is_open = cases.c.closed_at.is_(None)
_index("cases_open", cases.c.subject, where=is_open, unique=True)

history = Table(
    "history",
    metadata,
    Column("id", _serial, primary_key=True, autoincrement=True),
    *_texts("record_id"),
    *_counts("generation"),
    *_texts("field"),
    *_json("change"),
    *_texts("lost_by"),
    *_counts("stamp"),
    *_texts("connection rule policy author"),
    *_times("at"),
)
_index("history_record", history.c.record_id, history.c.id)
