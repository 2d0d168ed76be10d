"""Retention: expired data is deleted after a while, in slices, and never if something still needs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.runs import KEPT, prune_runs
from syncengine.flows.reconcile.derive import derived_key
from syncengine.flows.reconcile.records import shared_subject
from syncengine.ledger import Transaction
from syncengine.model.changeset import Changeset
from syncengine.model.connection import ResourceState
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link, LinkState
from syncengine.model.record import Record
from syncengine.model.values import as_list
from syncengine.planning.identity import scopes
from syncengine.planning.questions import about

KINDS = ("events", "operations", "cases", "history", "left", "rows")
"""What is forgotten, each with a walk of its own. ``rows``: links of nobody whose row is gone; they are kept as long
as records that left."""

SLICE = 500
"""Rows of one kind that are looked at in one transaction."""

EVERY = 86_400.0
"""Seconds between the ends of two walks: what is over is kept for at most so much longer."""

WHOLE = 30 * 86_400.0
"""Seconds between two walks that look once more at what was old already and stayed, since something rested on it; the
others go on behind that."""

AT_ONCE = 20
"""Slices of each kind that one pass of ``syncengine sync`` looks at."""

IN_ORDER = frozenset({"events", "operations", "history"})
"""Kinds that are as old as their ids: a walk ends at the first slice that holds something young."""

_PLACE = "retention:"
"""Where the walks are remembered, beside what is remembered of connections; no connection is called so."""
_OVER = frozenset({LinkState.GONE, LinkState.UNLINKED, LinkState.CREATING, LinkState.WAITING})


def spans(engine: Engine) -> dict[str, float]:
    """Seconds for which each kind of data is kept: as the project says, but not shorter than ``safety`` needs it."""
    kept = engine.project.retention
    counted = max((e.safety.window for e in engine.project.entities.values()), default=0.0)
    left = max(kept.left, counted)
    return {
        "events": kept.events, "operations": max(kept.operations, counted), "cases": kept.cases,
        "history": max(kept.history, counted), "left": left, "rows": left,
    }  # fmt: skip


def forget(engine: Engine) -> Counter[str]:
    """Look at one slice of each kind of data that is due, and delete what has expired. Returns kind -> number."""
    due = _due(engine)
    if due:
        prune_runs(engine)
        with engine.ledger.write() as tx:
            tx.drop_forms(engine.clock.now())
    return +Counter({kind: _step(engine, kind) for kind in due})


def _due(engine: Engine) -> list[str]:
    """The kinds of which a slice is to be looked at."""
    with engine.ledger.read() as tx:
        states = tx.resources(_PLACE, KINDS)
    now = engine.clock.now()
    return [kind for kind, state in states.items() if _is_due(state, now)]


def forget_slices(engine: Engine, most: int) -> Counter[str]:
    """So many slices of each kind, or all that is due."""
    gone = Counter[str]()
    for _ in range(most):
        if not _due(engine):
            break
        gone += forget(engine)
    return gone


def kept(engine: Engine, tx: Transaction) -> list[dict[str, Any]]:
    """Of each kind for how long it is kept, how many were forgotten so far, how many are older and stay (``needed``,
    as of the last walk), since when the walks were last through, and when the next one is over."""
    told, states = [], tx.resources(_PLACE, KINDS)
    for kind, span in spans(engine).items():
        state = states[kind]
        told.append(
            {
                "kind": kind,
                "kept_s": span,
                "forgotten": state.rows,
                "needed": state.progress.get("needed", 0),
                "walked_at": state.scanned_at or None,
                "next_at": _next(tx, kind, state, span),
            }
        )
    others = {"runs": engine.project.retention.runs, "passes": KEPT}
    unknown = dict.fromkeys(("forgotten", "needed", "walked_at", "next_at"))
    return [*told, *({"kind": kind, "kept_s": span, **unknown} for kind, span in others.items())]


def _next(tx: Transaction, kind: str, state: ResourceState, span: float) -> float | None:
    """When the oldest one that the last walk found young is over."""
    if kind in IN_ORDER:
        found = tx.aged(kind, state.progress.get("reached"), 1)
        return found[0][1] + span if found else None
    since = state.progress.get("since")
    return None if since is None else since + span


def started_over(tx: Transaction, ids: Collection[str]) -> list[ResourceState]:
    """Walks that have come to one of these ids, which are erased now, begin anew."""
    tx.connection(_PLACE, lock=True)
    states = tx.resources(_PLACE, KINDS).values()
    return [
        replace(state, progress={})
        for state in states
        if any(
            walk.get("reached") in ids for walk in (state.progress, state.progress.get("walk", {}))
        )
    ]


def _is_due(state: ResourceState, now: float) -> bool:
    """A walk is under way, or the last one is long over; a clock that went back does not hold it."""
    return "walk" in state.progress or not 0 <= now - state.scanned_at < EVERY


@dataclass(frozen=True, slots=True)
class _Slice:
    """What one slice has found. ``young``: the time of the oldest one that is not old yet. ``last``: the id that was
    reached; of a walk that is ``through`` and goes by age, the last old one."""

    old: list[Any]
    young: float | None
    last: Any
    through: bool


def _step(engine: Engine, kind: str) -> int:
    """One slice of one kind, in one transaction; of two sweeps the second one goes on behind the first."""
    now = engine.clock.now()
    with engine.ledger.write() as tx:
        tx.connection(_PLACE, lock=True)
        state = tx.resource(_PLACE, kind)
        if not _is_due(state, now):
            return 0
        state = _begun(state, kind, now)
        slice_ = _look(tx, kind, state, now - spans(engine)[kind])
        gone = _FORGET.get(kind, _plainly)(engine, tx, kind, slice_.old) if slice_.old else 0
        tx.write(Changeset(resources=[_after(state, slice_, gone, now)]))
    return gone


def _begun(state: ResourceState, kind: str, now: float) -> ResourceState:
    """A walk that is under way; a new one goes on behind what was old already, or looks at all again. ``progress`` is
    what the last walk found, with what this one has found beside it as ``walk``."""
    last = state.progress
    if "walk" in last:
        return state
    again = kind not in IN_ORDER or not 0 <= now - last.get("whole_at", -WHOLE) < WHOLE
    fresh = {"reached": None, "needed": 0, "whole_at": now}
    walk = fresh if again else {name: last[name] for name in fresh}
    return replace(state, progress={**last, "walk": {**walk, "since": None}})


def _look(tx: Transaction, kind: str, state: ResourceState, before: float) -> _Slice:
    reached = state.progress["walk"]["reached"]
    found = tx.aged(kind, reached, SLICE)
    old = [id_ for id_, at in found if at < before]
    young = min((at for _, at in found if at >= before), default=None)
    if len(found) < SLICE or (kind in IN_ORDER and young is not None):
        return _Slice(old, young, old[-1] if old else reached, through=True)
    return _Slice(old, young, found[-1][0], through=False)


def _after(state: ResourceState, seen: _Slice, gone: int, now: float) -> ResourceState:
    """How far the walk has come, and what it found so far; once it is through, what it found."""
    walk = state.progress["walk"]
    times = [at for at in (walk["since"], seen.young) if at is not None]
    walk = {
        **walk,
        "needed": walk["needed"] + len(seen.old) - gone,
        "since": min(times, default=None),
        "reached": seen.last,
    }
    state = replace(state, rows=state.rows + gone)
    if seen.through:
        return replace(state, scanned_at=now, progress=walk)
    return replace(state, progress={**state.progress, "walk": walk})


def _plainly(_: Engine, tx: Transaction, kind: str, old: Sequence[Any]) -> int:
    return tx.forget(kind, old)


def _cases(_: Engine, tx: Transaction, kind: str, old: Sequence[str]) -> int:
    """Delete answered cases, except those whose answer still holds back a link and may be revised."""
    found = tx.cases(ids=old, open_only=False)
    links = {c.id: {c.link_id, *c.evidence.get("links", ())} - {None} for c in found}
    held = tx.links({link for of in links.values() for link in of if link})
    kept_to = {link.approval.case for link in held.values() if link.approval is not None}
    return tx.forget(kind, [case.id for case in found if case.id not in kept_to])


def _left(engine: Engine, tx: Transaction, _: str, old: Sequence[str]) -> int:
    """Delete deleted records with everything that belongs to them."""
    records = {i: r for i, r in tx.records(old, lock=True).items() if r.deleted}
    links = [*tx.links([k.id for k in tx.links_of(records)], lock=True).values()]
    mine = {i: [k for k in links if k.record_id == i] for i in records}
    stays = _needed(engine, tx, records, mine)
    gone = [record for i, record in records.items() if i not in stays]
    if not gone:
        return 0
    theirs = [link.id for record in gone for link in mine[record.id]]
    subjects = {s for record in gone for s in _subjects(engine, record, mine[record.id])}
    tx.remove_records([record.id for record in gone], theirs, subjects)
    return len(gone)


def _subjects(engine: Engine, record: Record, links: Iterable[Link]) -> set[str]:
    """What the questions about a record and its links are told by."""
    entity = engine.project.entities.get(record.entity)
    shared = [] if entity is None else [shared_subject(record.id, s) for s in scopes(entity)]
    return {subject for link in links for subject in about(link.id)} | {*shared}


def _needed(
    engine: Engine, tx: Transaction, records: Mapping[str, Record],
    links: Mapping[str, Sequence[Link]],
) -> set[str]:  # fmt: skip
    """Those of the records that are still needed: a vendor shows their row, a write, a case, an expression or a
    derivation depends on them."""
    rows = {i for i, of in links.items() if not all(_is_over(link) for link in of)}
    places = {k.id: i for i, of in links.items() for k in of}
    rows |= {places[link] for link in tx.unsettled(places)}
    asked = {s: i for i, r in records.items() for s in _subjects(engine, r, links[i])}
    rows |= {asked[case.subject] for case in tx.cases(subjects=asked)}
    return rows | _reached(engine, tx, records) | _wanted(engine, tx, records)


def _is_over(link: Link) -> bool:
    """Whether nothing is there at the vendor, nor to be done."""
    return link.state in _OVER and link.row is None and not (link.dirty or link.need_get)


def _reached(engine: Engine, tx: Transaction, records: Mapping[str, Record]) -> set[str]:
    """Those that expressions of live records refer to. References are known one step far; beyond that, all records that
    any may refer to."""
    entities = engine.project.entities.values()
    borne = tx.key_owners([Key(KeyKind.USES, "", (i,), "") for i in records])
    users = tx.records({owner for owners in borne.values() for owner in owners})
    near = {
        str(parts[0])
        for (_, _, parts), owners in borne.items()
        if any(o in users and not users[o].deleted for o in owners)
    }
    deep = max((e.depth for e in entities), default=0) > 1
    far = {f.to for e in entities if deep and not e.depth for f in e.fields.values() if f.to}
    return near | {i for i, record in records.items() if record.entity in far}


def _wanted(engine: Engine, tx: Transaction, records: Mapping[str, Record]) -> set[str]:
    """Those that a derivation has made and would make again, of what is still there, or may be."""
    held = Counter(tx.derived_by(records))
    names = sorted({of for record in records.values() for of in _refs(engine, record)})
    live = {i for i, r in tx.records(names).items() if not r.deleted} if held else set()
    stays = set()
    for (owner, rule), count in held.items():
        combinations = _combinations(engine, rule, records[owner])
        keys = {derived_key(rule, ids): ids for ids in combinations}
        borne = tx.key_owners(keys)
        mine = [parts for (_, _, parts), owners in borne.items() if owner in owners]
        if len(mine) < count or any(live.issuperset(map(str, parts)) for parts in mine):
            stays.add(owner)
    return stays


def _refs(engine: Engine, record: Record) -> dict[str, str]:
    """Record -> entity of whom a record refers to."""
    entity = engine.project.entities.get(record.entity)
    fields = entity.fields.values() if entity is not None else ()
    return {
        str(target): f.to
        for f in fields
        if f.to is not None
        for target in as_list(record.values.get(f.name))
    }


def _combinations(engine: Engine, rule: str, record: Record) -> list[tuple[str, ...]]:
    """What a record may have been made of: those that it refers to."""
    named = next((d for d in engine.project.derivations if d.name == rule), None)
    if named is None:
        return []
    refs = _refs(engine, record)
    return [*product(*([i for i, of in refs.items() if of == name] for name in named.sources))]


_FORGET: Mapping[str, Callable[[Engine, Transaction, str, Sequence[Any]], int]] = {
    "cases": _cases,
    "left": _left,
}
