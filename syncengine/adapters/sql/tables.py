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


def _text(name: str, nullable: bool = False) -> Column[str]:
    return Column(name, _name, nullable=nullable)


def _count(name: str, default: str | None = None) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=default)


def _time(name: str, nullable: bool = False, default: str | None = None) -> Column[float]:
    return Column(name, Double, nullable=nullable, server_default=default)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _json(name: str) -> Column[str]:
    return Column(name, _sealed, nullable=True)


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
    _text("name"),
    _text("part"),
    _json("state"),
    _text("holder", nullable=True),
    _time("until", default="0"),
    PrimaryKeyConstraint("name", "part", name="connections_part"),
)

links = Table(
    "links",
    metadata,
    _text("id"),
    _text("entity"),
    _text("connection"),
    _text("resource"),
    _text("external_id", nullable=True),
    _text("parent", nullable=True),
    _text("record_id", nullable=True),
    _text("state"),
    _json("row"),
    _text("listed_hash"),
    _count("row_version"),
    _json("stamps"),
    _time("read_at"),
    _flag("need_get"),
    _json("base"),
    _json("noted"),
    _count("version"),
    _count("dirty"),
    _time("nominated_at", nullable=True),
    _flag("approved"),
    _text("wait_key", nullable=True),
    _text("wait_what", nullable=True),
    _time("lease_until", default="0"),
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
    _text("id"),
    _text("entity"),
    _json("fields"),
    _json("stamps"),
    _count("generation"),
    _text("created_at"),
    _flag("deleted"),
    _count("derive_due", default="0"),
    PrimaryKeyConstraint("id", name="records_id"),
)
is_derive_due = records.c.derive_due > _zero
is_live = records.c.deleted.is_(false())
_index("records_entity", records.c.entity, records.c.id, where=is_live)
_index("records_derive_due", records.c.id, where=is_derive_due)

keys = Table(
    "keys",
    metadata,
    _text("kind"),
    _text("scope"),
    _text("hash"),
    _text("owner"),
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
    _text("id"),
    _text("link_id"),
    _text("record_id"),
    _text("entity"),
    _text("connection"),
    _text("resource"),
    _text("action"),
    _json("body"),
    _json("carried"),
    _json("expected"),
    _flag("leave"),
    _text("key"),
    _count("generation"),
    _json("causes"),
    _text("state"),
    _count("attempts"),
    _text("token", nullable=True),
    _time("lease_until"),
    _time("next_at"),
    _time("created_at"),
    _text("external_id", nullable=True),
    _json("detail"),
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
    _text("connection"),
    _text("resource"),
    _text("external_id"),
    _text("event_id"),
    _text("source"),
    _time("at"),
    # An id that was given away never comes back, not even after the newest events were deleted.
    sqlite_autoincrement=True,
)
_index("events_once", events.c.connection, events.c.event_id, unique=True)
_index("events_at", events.c.at)

cases = Table(
    "cases",
    metadata,
    _text("id"),
    _text("kind"),
    _text("subject"),
    _json("told"),
    _text("entity"),
    _text("record_id", nullable=True),
    _text("link_id", nullable=True),
    _text("operation_id", nullable=True),
    _time("opened_at"),
    _text("answer", nullable=True),
    _json("reason"),
    _time("closed_at", nullable=True),
    PrimaryKeyConstraint("id", name="cases_id"),
)
is_open = cases.c.closed_at.is_(None)
_index("cases_open", cases.c.subject, where=is_open, unique=True)

history = Table(
    "history",
    metadata,
    Column("id", _serial, primary_key=True, autoincrement=True),
    _text("record_id"),
    _count("generation"),
    _text("field"),
    _json("change"),
    _text("lost_by"),
    _count("stamp"),
    _text("connection"),
    _text("rule"),
    _text("policy"),
    _text("author"),
    _time("at"),
)
_index("history_record", history.c.record_id, history.c.id)
