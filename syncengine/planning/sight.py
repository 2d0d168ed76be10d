"""What a read of a vendor's row means for its link: ordering, hints, first sightings, foreign values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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
    """One read of one row. ``row``: None where the vendor says that it is not there (never from a list).
    ``started``, ``received``: epoch seconds around the request. ``contested``: the row was read ``since`` its listing
    began, so that where this shows something else nobody can tell which of them it is; or it was shown otherwise at the
    same time, ``twice``."""

    source: Source
    row: Row | None
    started: float
    received: float
    contested: Contested = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """``link``: as it is after the reading. ``touched``: nothing but ``read_at`` changed; ``ignored``: not even
    that. ``moved``: fields whose vendor value is new and takes the stamp of the event that is written for it.
    ``lost``: noted foreign values that our write ran over, as this reading proves."""

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
    """The top names of a row that the mapping looks at or writes, and those by which a person recognises it;
    nothing else is kept."""
    names = {root for rule in system.rules.values() for root in rule.roots}
    names |= {paths.root(path) for path in (*system.set_create, *system.set_leave)}
    if system.where is not None:
        names |= {n.split(".")[1].split("[")[0] for n in system.where.names if "." in n}
    return frozenset(names) | (system.resource.fields.keys() & set(LABELS))


def mapped(row: Row, names: frozenset[str]) -> dict[str, Json]:
    """The part of a row that the mapping looks at."""
    return {name: row[name] for name in sorted(names) if name in row}


def looked_at(systems: Iterable[System], row: Row) -> dict[str, Json]:
    """What a question may show of a row that does not fit: what mappings look at, and of what its id is made. Of a row
    that is no object there is but one value."""
    names = {"_value"}
    for system in systems:
        names |= roots(system) | set(system.resource.id_fields)
    return mapped(row, frozenset(names))


def sight(
    system: System, link: Link, reading: Reading, kept: frozenset[str], operation: Operation | None
) -> Sight:
    """Judge one reading of one link. ``kept``: ``roots(system)``. ``operation``: the link's unsettled one, or the one
    that was settled after the reading had begun."""
    row = None if reading.row is None else mapped(reading.row, kept)
    part = "" if row is None else listed_part(system, row)
    if row is not None and not counts(system, row, reading.source):
        row = None
    link = note_foreign(system, link, row, operation)
    strong = reading.source not in LISTS or not system.resource.single_get
    shown = "" if strong or not system.needs_get else row_hash(reading.row or {}) + part
    same = shown == link.listed_hash if shown else row == link.row
    same = same and (strong or reading.contested != "twice")
    if link.read_at and reading.started < link.read_at + system.resource.read_lag:
        late = same or not system.resource.single_get
        return Sight(link, ignored=True) if late else Sight(_hint(link))
    seen = replace(link, read_at=max(link.read_at, reading.received), nominated_at=None)
    if link.set_aside and not strong:
        return Sight(replace(_hint(seen), listed_hash=shown))
    if same and not link.failures and not link.base.doubts and not (link.need_get and strong):
        return Sight(seen, touched=True)
    if not strong and (system.needs_get or system.resource.list_lag or reading.contested):
        return Sight(replace(_hint(seen), listed_hash=shown))
    moved = _moved_fields(system, link.row, row)
    base = judged(system, link.base, row, reading.started, strong)
    news = bool(moved) or (row is None) != (link.row is None) or _stages(base) != _stages(link.base)
    fresh = replace(
        seen,
        row=row,
        row_version=link.row_version + (0 if same and base == link.base else 1),
        listed_hash=still_listed(link, part),
        base=base,
        need_get=base.unproved,
        failures=0,
        dirty=link.dirty + (news or link.failures > 0),
    )
    if operation is None and link.noted:
        return Sight(replace(fresh, noted={}), moved=moved, lost=_run_over(system, link, row))
    return Sight(fresh, moved=moved)


def _stages(base: Base) -> dict[str, str]:
    return {name: doubt.stage for name, doubt in base.doubts.items() if doubt.stage != "open"}


def still_listed(link: Link, part: str) -> str:
    """The hash of the listing's whole row as long as its mapped part is what we know; else nothing, so that the
    next listing is followed by a single read. A row may change where the listing does not show it, and back."""
    return link.listed_hash if part and link.listed_hash.endswith(part) else ""


def listed_part(system: System, row: Row) -> str:
    """A hash of what the listing shows of a mapped row."""
    unlisted = system.resource.unlisted
    return row_hash({name: value for name, value in row.items() if name not in unlisted})


def _run_over(system: System, link: Link, row: Row | None) -> dict[str, Json]:
    """Noted values that the row does not show any more."""
    rules = system.rules
    return {
        name: raw
        for name, raw in link.noted.items()
        if row is not None and name in rules and not rules[name].same(rules[name].look(row), raw)
    }


def counts(system: System, row: Row, source: Source) -> bool:
    """Whether ``where`` counts a row; a listing that does not show what it asks for cannot say no."""
    where = system.where
    if where is None or (source in LISTS and where.row_fields & system.resource.unlisted):
        return True
    return bool(where.on_row(row))


def _hint(link: Link) -> Link:
    return replace(link, need_get=True, dirty=link.dirty + 1)


def _moved_fields(system: System, old: Row | None, new: Row | None) -> frozenset[str]:
    if new is None:
        return frozenset()
    return frozenset(
        name
        for name, rule in system.rules.items()
        if old is None or rule.look(old) != rule.look(new)
    )


def stamped(link: Link, moved: frozenset[str], stamp: int) -> Link:
    """The link with the moved fields first seen at ``stamp`` (an event's id)."""
    return replace(link, stamps={**link.stamps, **dict.fromkeys(moved, stamp)})


def sent_raw(system: System, operation: Operation, name: str) -> Json:
    """The vendor's raw value of one field as an operation's body carries it; ABSENT if it does not."""
    rule = system.rules.get(name)
    return ABSENT if rule is None else rule.look(body_row(operation.body))


def body_row(body: Mapping[str, Json], base: Row | None = None) -> dict[str, Json]:
    """A row that shows the values of a body (vendor path -> value), laid over ``base``."""
    row: dict[str, Json] = json.loads(json.dumps(dict(base or {})))
    for path, value in body.items():
        paths.put(row, path, value)
    return row


def note_foreign(system: System, link: Link, row: Row | None, operation: Operation | None) -> Link:
    """Note values that are neither what our write under way expected nor what it sends: it may run over them."""
    under_way = (OperationState.CLAIMED, OperationState.UNKNOWN, OperationState.APPLIED)
    if row is None or operation is None or operation.state not in under_way:
        return link
    if operation.action is Action.CREATE:
        return link
    noted = dict(link.noted)
    for name, rule in system.rules.items():
        raw = rule.look(row)
        sent = sent_raw(system, operation, name)
        ours = sent is not ABSENT and rule.same(raw, sent)
        if raw is not ABSENT and not ours and unforeseen(system, operation, name, raw):
            noted[name] = raw
    return link if noted == dict(link.noted) else replace(link, noted=noted)


def unforeseen(system: System, operation: Operation, name: str, raw: Json) -> bool:
    """Whether a raw value is not what a write rests on: what the plan saw, or nothing where the row said nothing."""
    if name in operation.expected:
        return not system.rules[name].same(raw, operation.expected[name])
    written = sent_raw(system, operation, name) is not ABSENT
    return (written or operation.action is Action.DELETE) and not blank(raw)


def never_seen(link: Link) -> bool:
    """Whether a notice alone told of a row, and no reading ever showed it."""
    return link.record_id is None and link.row is None and not link.read_at


def first_sight(
    link_id: str, entity: str, system: System, external_id: str | None, parent: str | None
) -> Link:
    """A link for a row that was never seen before, before its first reading."""
    return Link(
        id=link_id,
        entity=entity,
        connection=system.connection,
        resource=system.resource.name,
        external_id=external_id,
        parent=parent,
        state=LinkState.SEEN,
    )
