"""Judging reads: what one read of a vendor's row changes in its link, and when a read is too old or too weak to
count."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from syncengine.mapping import System, paths
from syncengine.model.link import Base, Link, LinkState
from syncengine.model.operation import Action, Operation, OperationState
from syncengine.model.spelling import blank
from syncengine.model.values import ABSENT, Json, Row
from syncengine.planning.doubts import judged

LABELS = ("name", "first_name", "last_name", "firstName", "lastName", "email")
"""Fields that tell a person who a row is, when it is asked to whom it belongs."""

Source = Literal["list", "poll", "get", "write"]
Contested = Literal["", "since", "twice"]
LISTS: Final = ("list", "poll")


@dataclass(frozen=True, slots=True)
class Reading:
    """One read of one row. ``row``: None where the vendor says that it does not exist (never from a listing).
    ``started``, ``received``: epoch seconds around the request. ``contested``: why a listed row cannot be trusted if it
    differs from the link: the row was read on its own ``since`` the listing began, or the listing showed it ``twice``
    with different values."""

    source: Source
    row: Row | None
    started: float
    received: float
    contested: Contested = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of judging one reading. ``link``: the link after it. ``touched``: only ``read_at`` changed;
    ``ignored``: nothing did. ``moved``: fields whose vendor value is new; they get the id of the event that is written
    for it as their stamp. ``lost``: foreign values that our own write has overwritten, as this reading proves."""

    link: Link
    touched: bool = False
    ignored: bool = False
    moved: frozenset[str] = frozenset()
    lost: Mapping[str, Json] = field(default_factory=dict)


def row_hash(row: Row) -> str:
    """A short hash of a row, independent of the order of its keys."""
    text = json.dumps(row, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def roots(system: System) -> frozenset[str]:
    """Top-level names of a row that the mapping reads or writes, and those by which a person recognises it. Nothing
    else of a row is stored."""
    names = {root for rule in system.rules.values() for root in rule.roots}
    names |= {paths.root(path) for path in (*system.set_create, *system.set_leave)}
    if system.where is not None:
        names |= {n.split(".")[1].split("[")[0] for n in system.where.names if "." in n}
    return frozenset(names) | (system.resource.fields.keys() & set(LABELS))


def mapped(row: Row, names: frozenset[str]) -> dict[str, Json]:
    """The part of a row that is stored: the given top-level names."""
    return {name: row[name] for name in sorted(names) if name in row}


def evidence_row(systems: Iterable[System], row: Row) -> dict[str, Json]:
    """The part of a row that does not fit which a question may show: fields that mappings read, and those its id is
    made of. If the row is no object, there is only the key ``_value``."""
    names = {"_value"}
    for system in systems:
        names |= roots(system) | set(system.resource.id_fields)
    return mapped(row, frozenset(names))


def judge_reading(
    system: System, link: Link, reading: Reading, kept: frozenset[str], operation: Operation | None
) -> Observation:
    """Judge one reading of one link: ignore it, ask for a single read, or accept the row. ``kept``: ``roots(system)``.
    ``operation``: the link's unsettled write, or the one that was settled after the reading began."""
    row = None if reading.row is None else mapped(reading.row, kept)
    part = "" if row is None else listed_part(system, row)
    if row is not None and not counts(system, row, reading.source):
        row = None
    link = note_foreign_values(system, link, row, operation)
    strong = reading.source not in LISTS or not system.resource.single_get
    shown = "" if strong or not system.needs_get else row_hash(reading.row or {}) + part
    same = shown == link.listed_hash if shown else row == link.row
    same = same and (strong or reading.contested != "twice")
    if link.read_at and reading.started < link.read_at + system.resource.read_lag:
        late = same or not system.resource.single_get
        return Observation(link, ignored=True) if late else Observation(link.to_read().woken())
    seen = link.mirrored(read_at=max(link.read_at, reading.received), suspected_at=None)
    if link.set_aside and not strong:
        return Observation(seen.to_read().woken().mirrored(listed_hash=shown))
    if same and not link.failures and not link.base.doubts and not (link.need_get and strong):
        return Observation(seen, touched=True)
    if not strong and (system.needs_get or system.resource.list_lag or reading.contested):
        return Observation(seen.to_read().woken().mirrored(listed_hash=shown))
    moved = _moved_fields(system, link.row, row)
    base = judged(system, link.base, row, reading.started, strong)
    news = bool(moved) or (row is None) != (link.row is None) or _stages(base) != _stages(link.base)
    fresh = (
        seen.mirrored(
            row=row,
            row_version=link.row_version + (0 if same and base == link.base else 1),
            listed_hash=still_listed(link, part),
            need_get=base.unproved,
            failures=0,
        )
        .proved(base)
        .woken(news or link.failures > 0)
    )
    if operation is None and link.foreign_values:
        return Observation(
            fresh.mirrored(foreign_values={}),
            moved=moved,
            lost=_overwritten_values(system, link, row),
        )
    return Observation(fresh, moved=moved)


def _stages(base: Base) -> dict[str, str]:
    return {name: doubt.stage for name, doubt in base.doubts.items() if doubt.stage != "open"}


def still_listed(link: Link, part: str) -> str:
    """The stored hash of the listed row, as long as the part of it that the mapping reads is unchanged; else "", so
    that the next listing is followed by a single read. (A row may change in fields that the listing does not show, and
    back.)"""
    return link.listed_hash if part and link.listed_hash.endswith(part) else ""


def listed_part(system: System, row: Row) -> str:
    """A hash of what the listing shows of a mapped row."""
    unlisted = system.resource.unlisted
    return row_hash({name: value for name, value in row.items() if name not in unlisted})


def _overwritten_values(system: System, link: Link, row: Row | None) -> dict[str, Json]:
    """The foreign values that this row no longer shows: our write has overwritten them."""
    rules = system.rules
    return {
        name: raw
        for name, raw in link.foreign_values.items()
        if row is not None and name in rules and not rules[name].same(rules[name].extract(row), raw)
    }


def counts(system: System, row: Row, source: Source) -> bool:
    """Whether the mapping's ``where`` condition accepts a row. A listing that hides a field of the condition cannot
    reject it."""
    where = system.where
    if where is None or (source in LISTS and where.row_fields & system.resource.unlisted):
        return True
    return bool(where.on_row(row))


def _moved_fields(system: System, old: Row | None, new: Row | None) -> frozenset[str]:
    if new is None:
        return frozenset()
    return frozenset(
        name
        for name, rule in system.rules.items()
        if old is None or rule.extract(old) != rule.extract(new)
    )


def stamped(link: Link, moved: frozenset[str], stamp: int) -> Link:
    """The link with ``stamp`` (an event's id) as first observation of the changed fields."""
    return link.mirrored(stamps={**link.stamps, **dict.fromkeys(moved, stamp)})


def sent_raw(system: System, operation: Operation, name: str) -> Json:
    """The vendor's raw value of one field as an operation's body carries it; ABSENT if it does not."""
    rule = system.rules.get(name)
    return ABSENT if rule is None else rule.extract(body_row(operation.body))


def body_row(body: Mapping[str, Json], base: Row | None = None) -> dict[str, Json]:
    """A row that shows the values of a body (vendor path -> value), laid over ``base``."""
    row: dict[str, Json] = json.loads(json.dumps(dict(base or {})))
    for path, value in body.items():
        paths.put(row, path, value)
    return row


def note_foreign_values(
    system: System, link: Link, row: Row | None, operation: Operation | None
) -> Link:
    """Remember vendor values that are neither what our write under way was planned on nor what it sends: the write may
    overwrite them."""
    under_way = (OperationState.CLAIMED, OperationState.UNKNOWN, OperationState.APPLIED)
    if row is None or operation is None or operation.state not in under_way:
        return link
    if operation.action is Action.CREATE:
        return link
    foreign_values = dict(link.foreign_values)
    for name, rule in system.rules.items():
        raw = rule.extract(row)
        sent = sent_raw(system, operation, name)
        ours = sent is not ABSENT and rule.same(raw, sent)
        if raw is not ABSENT and not ours and unforeseen(system, operation, name, raw):
            foreign_values[name] = raw
    return (
        link
        if foreign_values == dict(link.foreign_values)
        else link.mirrored(foreign_values=foreign_values)
    )


def unforeseen(system: System, operation: Operation, name: str, raw: Json) -> bool:
    """Whether a raw value differs from what the operation was planned on, so that somebody else must have written
    it."""
    if name in operation.expected:
        return not system.rules[name].same(raw, operation.expected[name])
    written = sent_raw(system, operation, name) is not ABSENT
    return (written or operation.action is Action.DELETE) and not blank(raw)


def never_seen(link: Link) -> bool:
    """Whether only a webhook reported the row and no read has shown it."""
    return link.record_id is None and link.row is None and not link.read_at


def new_link(
    link_id: str, entity: str, system: System, external_id: str | None, parent: str | None
) -> Link:
    """The link of a row that was never seen before, before its first reading is applied."""
    return Link(
        id=link_id,
        entity=entity,
        connection=system.connection,
        resource=system.resource.name,
        external_id=external_id,
        parent=parent,
        state=LinkState.SEEN,
    )
