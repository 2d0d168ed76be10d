"""The eight tables."""

from __future__ import annotations

from alembic import op
from sqlalchemy import MetaData, and_, false, or_, true
from sqlalchemy import literal_column as sql

from syncengine.ledger.columns import index, table

revision = "0001"
down_revision = None
made = MetaData()


def upgrade() -> None:
    made.create_all(op.get_bind())


table(
    made,
    "connections",
    key="name part",
    texts="name part holder?",
    times="until=0",
    sealed="state",
)

links = table(
    made,
    "links",
    texts="id entity connection resource external_id? parent? record_id? state listed_hash"
    " wait_key? wait_what?",
    counts="row_version version dirty failures",
    times="read_at nominated_at? lease_until=0",
    flags="need_get",
    packed="stamps",
    sealed="row base noted ruling",
)
needs_get = links.c.need_get.is_(true())
unsorted = and_(sql("state IN ('seen')"), or_(needs_get, sql('dirty > 0 AND "row" IS NOT NULL')))
index(
    links, "ref", "connection resource external_id entity",
    where=sql("external_id IS NOT NULL"), unique=True,
)  # fmt: skip
index(
    links, "place", "record_id connection resource",
    where=sql("state IN ('creating', 'left', 'linked', 'missing', 'waiting')"), unique=True,
)  # fmt: skip
index(links, "record", "record_id")
index(links, "entity", "entity connection")
index(links, "dirty", "id", where=sql("dirty > 0"))
index(links, "need_get", "id", where=needs_get)
index(links, "wait", "wait_key", where=sql("wait_key IS NOT NULL"))
index(links, "waiting", "id", where=sql("wait_key IS NOT NULL"))
index(links, "unsorted", "entity connection resource", where=unsorted)

records = table(
    made,
    "records",
    texts="id entity created_at",
    counts="generation derive_due=0",
    flags="deleted",
    packed="stamps",
    sealed="values",
)
index(records, "entity", "entity id", where=records.c.deleted.is_(false()))
index(records, "derive_due", "id", where=sql("derive_due > 0"))

keys = table(made, "keys", key="kind hash scope owner", texts="kind scope hash owner")
index(keys, "unique", "kind hash scope", where=sql("kind IN ('derived', 'record')"), unique=True)
index(keys, "of", "owner kind")

operations = table(
    made,
    "operations",
    texts="id link_id record_id entity connection resource action kind key state token? external_id?",
    counts="generation attempts",
    times="lease_until next_at created_at",
    flags="leave",
    packed="causes rules",
    sealed="body carried expected detail",
)
index(
    operations,
    "one_unsettled",
    "link_id",
    where=sql("state IN ('claimed', 'pending', 'unknown')"),
    unique=True,
)
index(operations, "pending", "next_at", where=sql("state IN ('pending')"))
index(operations, "claimed", "lease_until", where=sql("state IN ('claimed')"))
index(operations, "unknown", "next_at", where=sql("state IN ('unknown')"))
index(operations, "creates", "connection resource external_id", where=sql("action IN ('create')"))
index(operations, "link", "link_id")
index(operations, "record", "record_id")
index(operations, "made", "entity connection created_at")

events = table(
    made,
    "events",
    key="",
    texts="connection resource external_id event_id source",
    times="at",
)
index(events, "once", "connection event_id", unique=True)

cases = table(
    made,
    "cases",
    texts="id kind subject entity record_id? link_id? operation_id? answer?",
    times="opened_at closed_at?",
    sealed="question evidence answers author reason",
)
index(cases, "open", "subject", where=sql("closed_at IS NULL"), unique=True)
index(cases, "subject", "subject")

history = table(
    made,
    "history",
    key="",
    texts="record_id field lost_by connection rule policy author",
    counts="generation stamp",
    times="at",
    sealed="old new lost reason",
)
index(history, "record", "record_id id")
index(history, "gone", "connection at", where=sql("policy = 'on_missing: delete'"))
