"""The tables."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    MetaData,
    and_,
    exists,
    false,
    literal_column,
    or_,
    true,
)

from syncengine.ledger.columns import index, table
from syncengine.model.case import CaseKind
from syncengine.model.change import ON_MISSING
from syncengine.model.key import UNIQUE
from syncengine.model.link import LIVE, LinkState
from syncengine.model.operation import UNSETTLED, Action, OperationState

metadata = MetaData()

_zero: ColumnElement[int] = literal_column("0")


@cache
def among(column: ColumnElement[Any], *states: StrEnum) -> ColumnElement[bool]:
    """``column IN ('a', 'b')`` in literals, which is what lets a query use a partial index."""
    return column.in_([literal_column(f"'{state.value}'") for state in sorted(states)])


connections = table(
    metadata,
    "connections",
    key="name part",
    texts="name part holder?",
    times="until=0",
    sealed="state",
)

is_held = connections.c.holder.is_not(None)
"""Somebody holds the slots that this part is about."""

links = table(
    metadata,
    "links",
    texts="id entity connection resource record_id? state",
    found="external_id? parent? wait_key?",
    counts="row_version version dirty failures",
    times="read_at nominated_at? lease_until=0",
    flags="need_get",
    packed="stamps",
    sealed="row base noted ruling listed_hash wait_what",
    hashes="wait_group?",
    kept_texts="wait_record?",
    kept_times="waits_since?",
)
is_dirty = links.c.dirty > _zero
is_waiting_for = links.c.wait_key_hash.is_not(None)
waits_for_record = links.c.wait_record.is_not(None)
needs_get = links.c.need_get.is_(true())
is_uncorrelated = (
    among(links.c.state, LinkState.SEEN),
    or_(needs_get, and_(is_dirty, links.c.row.is_not(None))),
)
is_untied_and_gone = and_(links.c.record_id.is_(None), links.c.row.is_(None))
HOLDS_PLACE = LIVE | {LinkState.CREATING, LinkState.WAITING}
"""States of which a record has at most one link per connection and resource."""
index(
    links, "ref", "connection resource external_id_hash entity",
    where=links.c.external_id_hash.is_not(None), unique=True,
)  # fmt: skip
index(
    links, "place", "record_id connection resource",
    where=among(links.c.state, *HOLDS_PLACE), unique=True,
)  # fmt: skip
index(links, "record", "record_id")
index(links, "entity", "entity connection")
index(links, "dirty", "id", where=is_dirty)
index(links, "need_get", "id", where=needs_get)
index(links, "wait", "wait_key_hash", where=is_waiting_for)
index(links, "waiting", "id", where=is_waiting_for)
index(links, "waits_for", "wait_record", where=waits_for_record)
index(links, "nobodys", "id", where=is_untied_and_gone)
index(links, "unsorted", "entity connection resource", where=and_(*is_uncorrelated))

records = table(
    metadata,
    "records",
    texts="id entity created_at",
    counts="generation derive_due=0",
    flags="deleted",
    packed="stamps",
    sealed="values",
)
is_derive_due = records.c.derive_due > _zero
is_live = records.c.deleted.is_(false())
is_deleted = records.c.deleted.is_(true())
index(records, "entity", "entity id", where=is_live)
index(records, "gone", "id", where=is_deleted)
index(records, "derive_due", "id", where=is_derive_due)

keys = table(metadata, "keys", key="kind hash scope owner", texts="kind scope hash owner")
index(keys, "unique", "kind hash scope", where=among(keys.c.kind, *UNIQUE), unique=True)
index(keys, "of", "owner kind")

operations = table(
    metadata,
    "operations",
    texts="id link_id record_id entity connection resource action kind key state token?",
    found="external_id?",
    counts="generation attempts",
    times="lease_until next_at created_at",
    flags="leave",
    packed="causes rules",
    sealed="body carried expected detail",
    kept_texts="run_id?",
    kept_times="settled_at?",
)
is_unsettled = among(operations.c.state, *UNSETTLED)
is_pending = among(operations.c.state, OperationState.PENDING)
is_claimed = among(operations.c.state, OperationState.CLAIMED)
is_unknown = among(operations.c.state, OperationState.UNKNOWN)
is_create = among(operations.c.action, Action.CREATE)


def is_written(link: FromClause) -> ColumnElement[bool]:
    """Whether an operation of a link (the table or an alias of it) is sent, or may have been."""
    its = operations.alias("its")
    sent = (OperationState.CLAIMED, OperationState.UNKNOWN)
    return exists().where(its.c.link_id == link.c.id, among(its.c.state, *sent))


index(operations, "one_unsettled", "link_id", where=is_unsettled, unique=True)
index(operations, "pending", "next_at", where=is_pending)
index(operations, "claimed", "lease_until", where=is_claimed)
index(operations, "unknown", "next_at", where=is_unknown)
index(operations, "creates", "connection resource external_id_hash", where=is_create)
index(operations, "link", "link_id")
index(operations, "record", "record_id")
index(operations, "made", "entity connection created_at")
index(operations, "newest", "created_at id")
index(operations, "settled", "settled_at", where=operations.c.settled_at.is_not(None))
index(operations, "run", "run_id", where=operations.c.run_id.is_not(None))

events = table(
    metadata,
    "events",
    key="",
    texts="connection resource event_id source",
    found="external_id?",
    times="at",
)
index(events, "once", "connection event_id", unique=True)

cases = table(
    metadata,
    "cases",
    texts="id kind entity record_id? link_id? operation_id? answer?",
    found="subject? author?",
    times="opened_at closed_at?",
    sealed="question evidence answers reason votes",
    kept_texts="run_id?",
)
is_open = cases.c.closed_at.is_(None)
is_closed = cases.c.closed_at.is_not(None)
asks_whose = among(cases.c.kind, CaseKind.IDENTITY)
index(cases, "open", "subject_hash", where=is_open, unique=True)
index(cases, "subject", "subject_hash")
index(cases, "link", "link_id", where=is_open)
index(cases, "asked", "opened_at id", where=is_open)
index(cases, "answered", "closed_at id", where=is_closed)
index(cases, "by", "author_hash closed_at", where=is_closed)
index(cases, "opened", "opened_at")
index(cases, "run", "run_id", where=cases.c.run_id.is_not(None))

history = table(
    metadata,
    "history",
    key="",
    texts="record_id field lost_by connection rule policy author",
    counts="generation stamp",
    times="at",
    sealed="old new lost reason",
    kept_texts="run_id?",
)
is_deleted_by_rule = history.c.policy == literal_column(f"'{ON_MISSING}'")
is_by_people = history.c.author != literal_column("''")
index(history, "record", "record_id id")
index(history, "gone", "connection at", where=is_deleted_by_rule)
index(history, "at", "at")
index(history, "by", "author at", where=is_by_people)
index(history, "from", "connection at")
index(history, "run", "run_id", where=history.c.run_id.is_not(None))

erasures = table(
    metadata,
    "erasures",
    texts="id entity author answer",
    times="at",
    packed="counts",
    sealed="reason",
)

runs = table(
    metadata,
    "runs",
    texts="id kind parent connection resource author outcome mapping",
    times="started_at touched_at ended_at?",
    flags="quiet",
    packed="counts",
    sealed="fault",
)
is_quiet = runs.c.quiet.is_(true())
index(runs, "started", "started_at id")
index(runs, "quiet", "started_at", where=is_quiet)
index(runs, "parent", "parent")
index(runs, "under_way", "connection resource", where=runs.c.ended_at.is_(None))

members = table(
    metadata,
    "members",
    texts="id name subject?",
    counts="failures",
    times="created_at shut_until",
    flags="locked",
    packed="roles limits",
    sealed="password",
)
index(members, "name", "name", unique=True)
index(members, "subject", "subject", where=members.c.subject.is_not(None), unique=True)

grants = table(
    metadata,
    "grants",
    texts="id kind member_id hash name?",
    times="created_at expires_at seen_at proved_at",
    packed="rights",
)
index(grants, "hash", "hash", unique=True)
index(grants, "member", "member_id")

audit = table(
    metadata,
    "audit",
    key="",
    texts="author way action about outcome address",
    times="at",
    packed="detail",
)

plans = table(
    metadata,
    "plans",
    key="id part",
    texts="id part author digest",
    times="at",
    sealed="document",
)
