"""The rules of the standing: what has a line, from when on, and how bad it is.

Each rule yields lines of its own code. Nothing that waits, stands still, is out of date or is left out is without one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from syncengine.model.case import CaseKind
from syncengine.model.condition import Approved
from syncengine.model.connection import ConnectionState, ResourceState
from syncengine.model.link import WaitGroup
from syncengine.model.operation import OperationState
from syncengine.model.standing import Figures, Level, Line, Standing

SILENT = 60.0
"""Seconds without a sign of life after which a part of the service counts as dead."""
FORGOTTEN = 30 * 86_400.0
"""Seconds after which nobody waits for a service any more that was stopped without a word."""
TAKEN_OVER = 120.0
"""Seconds within which a service takes over files that were changed."""
FAILING = 900.0
"""Seconds for which a vendor may fail before that is a fault."""
BLIND = 900.0
"""Seconds that the second complete listing in a row may be late."""
DAILY = 86_400.0
"""Seconds within which complete listings are expected where no service makes them."""
LATE = 300.0
"""Seconds that a write may be due."""
WAITING = 86_400.0
"""Seconds for which something may wait before a person has to look at it."""

SERVICE = ("worker", "beat", "late", "untold")
"""Codes about the service, with which a pass in a process of its own has nothing to do."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A listing that the project makes. ``span``: seconds between two complete ones, None: there are none."""

    connection: str
    resource: str
    span: float | None
    state: ResourceState


@dataclass(frozen=True, slots=True)
class Facts:
    """What a standing is told of. ``edition``: of the files as they stand, the last of which was changed at
    ``edition_at``. ``off``: connection -> why it is off; ``unused``: those that no mapping uses. ``unlinked``: (entity,
    connection) -> rows of nobody. ``dirty``: links that are to be looked at. ``approvals``: subject of the question
    about held writes -> approvals given and needed, where several are. ``called``: (entity, connection, kind) ->
    what such writes are called, where that is another word (``safety.said_of``). ``deaf``: channel of notifications
    that is off -> why; ``channels``: those that the project has."""

    now: float
    edition: str
    edition_at: float
    figures: Figures
    off: Mapping[str, str]
    unused: Sequence[str]
    listings: Sequence[Listed]
    unlinked: Mapping[tuple[str, str], int]
    dirty: int
    approvals: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    called: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    deaf: Mapping[str, str] = field(default_factory=dict)
    channels: Collection[str] = ()

    @property
    def has_service(self) -> bool:
        """Whether a worker was at work within a month, and not ended on purpose."""
        return self.now - self.figures.alive.get("worker", 0.0) < FORGOTTEN

    @property
    def on(self) -> Iterator[ConnectionState]:
        """The states of the connections that are on, in order."""
        return (s for n, s in sorted(self.figures.states.items()) if n not in self.off)

    @property
    def unread(self) -> bool:
        """Whether nothing was ever listed to its end."""
        seen = (x.state.scanned_at or x.state.polled_at for x in self.listings)
        return not any(seen)


def standing(facts: Facts) -> Standing:
    """All lines, the worst first."""
    lines = [line for rule in _RULES.values() for line in rule(facts)]
    order = {code: number for number, code in enumerate(_RULES)}
    lines.sort(key=lambda line: (-line.level, order[line.code]))
    return Standing(facts.now, tuple(lines), facts.edition)


def _worker(facts: Facts) -> Iterator[Line]:
    seen = facts.figures.alive.get("worker", 0.0)
    if facts.has_service and facts.now - seen > SILENT:
        yield Line("worker", Level.FAULT, since=seen)


def _beat(facts: Facts) -> Iterator[Line]:
    """A beat is missed only where workers are at work that would take what it sends: since its last sign they have
    gone on to show theirs."""
    seen, worker = (facts.figures.alive.get(part, 0.0) for part in ("beat", "worker"))
    went_on = worker - seen > SILENT / 2
    if facts.has_service and went_on and not any(_worker(facts)) and facts.now - seen > SILENT:
        yield Line("beat", Level.FAULT, since=seen or None)


def _mapping(facts: Facts) -> Iterator[Line]:
    """Processes that work by other files than those that stand there, and were at work long enough after these."""
    others = [p for p in facts.figures.processes if p.digest != facts.edition]
    refused = [p for p in others if p.refused]
    late = [p for p in others if not p.refused and p.seen_at - facts.edition_at > TAKEN_OVER]
    if refused:
        told = {"faults": str(len(refused[0].refused))}
        since = min(p.since for p in refused)
        yield Line("mapping", Level.FAULT, len(refused), since, {"kind": "invalid"}, told)
    if late:
        yield Line("mapping", Level.FAULT, len(late), min(p.since for p in late), {"kind": "old"})


def _halted(facts: Facts) -> Iterator[Line]:
    for state in facts.on:
        if state.halted:
            about = {"connection": state.name}
            since = state.halted_since or None
            yield Line("halted", Level.FAULT, 1, since, about, {"why": state.halted})


def _failing(facts: Facts) -> Iterator[Line]:
    for state in facts.on:
        if state.failures and not state.halted:
            long = facts.now - (state.failing_since or facts.now) >= FAILING
            level = Level.FAULT if long else Level.NOTE
            about = {"connection": state.name}
            since = state.failing_since or None
            yield Line("failing", level, state.failures, since, about, {"why": state.why})


def _limit(facts: Facts) -> Iterator[Line]:
    """The vendor, or our own budget, asked for a pause."""
    for state in facts.on:
        if state.asked and state.blocked_until > facts.now and not state.halted:
            told = {"why": state.why, "until": str(state.blocked_until)}
            about = {"connection": state.name}
            yield Line("limit", Level.NOTE, 1, state.since or None, about, told)


def _blind(facts: Facts) -> Iterator[Line]:
    """Without a service nobody lists as often as the project says. What was never listed is a fault once that failed,
    unless its connection fails as a whole, which has a line of its own. A listing that takes longer than the project
    asks for, and gets on, is no fault."""
    states = facts.figures.states
    for listed in facts.listings:
        seen, fault, whole = listed.state.scanned_at, listed.state.fault, states[listed.connection]
        if listed.span is None or whole.halted or (not seen and (whole.failures or not fault)):
            continue
        span = listed.span if facts.has_service else max(listed.span, DAILY)
        if facts.now - seen > 2 * span + BLIND:
            about = {"connection": listed.connection, "resource": listed.resource}
            told = {"why": fault} if fault else {}
            if seen and (under_way := listed.state.under_way(facts.now - BLIND)):
                parts = {"read": str(under_way["read"]), "parts": str(under_way["parts"])}
                yield Line("blind", Level.NOTE, 1, seen, about, told | parts)
            else:
                yield Line("blind", Level.FAULT, 1, seen or None, about, told)


def _late(facts: Facts) -> Iterator[Line]:
    """Writes that could go out, or be proved, and do not. Without a service they wait for the next pass."""
    if not facts.has_service:
        return
    stopped = {s.name for s in facts.on if s.paused or s.halted or s.blocked_until > facts.now}
    stopped |= facts.off.keys()
    for name, rows in groupby(sorted(facts.figures.outbox), key=lambda row: row[0]):
        some = [(count, due) for _, _, _, count, due in rows if count]
        if some and name not in stopped:
            count, due = sum(n for n, _ in some), min(at for _, at in some)
            yield Line("late", Level.FAULT, count, due, {"connection": name})


def _untold(facts: Facts) -> Iterator[Line]:
    """Channels of notifications that are off, or do not take what is sent to them; only those that the project has."""
    for name, why in sorted(facts.deaf.items()):
        yield Line("untold", Level.NOTE, 1, None, {"channel": name, "kind": "off"}, {"why": why})
    for name, sent in sorted(facts.figures.notifications.deliveries.items()):
        if name in facts.channels and name not in facts.deaf and sent.failures:
            long = facts.now - sent.failing_since >= FAILING
            level = Level.FAULT if long else Level.NOTE
            about, told = {"channel": name, "kind": "failing"}, {"why": sent.why}
            yield Line("untold", level, sent.failures, sent.failing_since, about, told)


def _each(counts: Mapping[str, int]) -> str:
    """``2 person, 12 visit``; of one kind its name alone."""
    several = len(counts) > 1
    return ", ".join(
        f"{count:,} {name}" if several else name for name, count in sorted(counts.items())
    )


def _question(facts: Facts) -> Iterator[Line]:
    asked = {k: v for k, v in facts.figures.asked.items() if k != CaseKind.STAGED}
    if asked:
        count, since = sum(n for n, _ in asked.values()), min(at for _, at in asked.values())
        kinds = _each({kind: n for kind, (n, _) in asked.items()})
        yield Line("question", Level.ASK, count, since, {"kind": kinds})


def _staged(facts: Facts) -> Iterator[Line]:
    for group in facts.figures.waits:
        if group.kind == "staged":
            about = {"entity": group.entity, "connection": group.connection, "kind": group.write}
            subject = Approved(group.entity, group.connection, group.write).subject
            given, needed = facts.approvals.get(subject, (0, 1))
            told = {"given": str(given), "needed": str(needed)} if needed > 1 else {}
            told |= _said(facts, group)
            yield Line("staged", Level.ASK, group.count, group.since, about, told)


def _said(facts: Facts, group: WaitGroup) -> dict[str, str]:
    """What writes are called whose kind says something else."""
    said = facts.called.get((group.entity, group.connection, group.write))
    return {"said": said} if said else {}


def _paused(facts: Facts) -> Iterator[Line]:
    pending = Counter[str]()
    for name, stage, count, _, _ in facts.figures.outbox:
        pending[name] += count * (stage == OperationState.PENDING)
    for state in facts.on:
        if state.paused:
            about, told = {"connection": state.name}, {"by": state.paused_by, "why": state.paused}
            since = state.paused_at or None
            yield Line("paused", Level.ASK, pending[state.name], since, about, told)


def _observed(facts: Facts) -> Iterator[Line]:
    for name, count in sorted(facts.figures.unsent.items()):
        yield Line("observed", Level.HELD, count, None, {"connection": name})


_OTHER_LINES = ("staged", "let_be", "observed", "scope")
"""Kinds of waits that have lines of their own."""


def _waiting(facts: Facts) -> Iterator[Line]:
    for group in sorted(facts.figures.waits, key=lambda g: (g.entity, g.connection, g.what)):
        if group.kind in _OTHER_LINES:
            continue
        long = facts.now - (facts.now if group.since is None else group.since) >= WAITING
        about = {"entity": group.entity, "connection": group.connection, "kind": group.kind}
        level = Level.ASK if long else Level.NOTE
        yield Line("waiting", level, group.count, group.since, about, {"what": group.what})


def _let_be(facts: Facts) -> Iterator[Line]:
    # Without the reasons: who may see how everything stands need not see what somebody wrote about people.
    groups: dict[tuple[str, ...], list[WaitGroup]] = {}
    for group in facts.figures.waits:
        if group.kind == "let_be":
            key = (group.entity, group.connection, group.write, group.what)
            groups.setdefault(key, []).append(group)
    for same in groups.values():
        first, count = same[0], sum(group.count for group in same)
        since = min((g.since for g in same if g.since is not None), default=None)
        about = {"entity": first.entity, "connection": first.connection, "kind": first.write}
        yield Line(
            "let_be", Level.NOTE, count, since, about, {"by": first.what, **_said(facts, first)}
        )


def _unlinked(facts: Facts) -> Iterator[Line]:
    rows = sorted((connection, entity, n) for (entity, connection), n in facts.unlinked.items())
    for connection, of in groupby(rows, key=lambda row: row[0]):
        kinds = {entity: count for _, entity, count in of}
        about = {"connection": connection, "kind": _each(kinds)}
        yield Line("unlinked", Level.NOTE, sum(kinds.values()), None, about)


def _scope(facts: Facts) -> Iterator[Line]:
    """``told``: on which day the first of them comes into scope by itself."""
    outside = [g for g in facts.figures.waits if g.kind == "scope"]
    outside.sort(key=lambda g: (g.entity, g.connection))
    for (entity, connection), of in groupby(outside, key=lambda g: (g.entity, g.connection)):
        groups = [*of]
        days = [day for g in groups if (day := g.what.rpartition(", until ")[2]) != g.what]
        about = {"entity": entity, "connection": connection}
        told = {"next": min(days)} if days else {}
        yield Line("scope", Level.NOTE, sum(g.count for g in groups), None, about, told)


def _off(facts: Facts) -> Iterator[Line]:
    for name, why in sorted(facts.off.items()):
        yield Line("off", Level.NOTE, 1, None, {"connection": name, "kind": "off"}, {"why": why})
    for name in sorted({*facts.unused} - facts.off.keys()):
        yield Line("off", Level.NOTE, 1, None, {"connection": name, "kind": "unused"})


def _unread(facts: Facts) -> Iterator[Line]:
    if facts.unread:
        yield Line("unread", Level.NOTE)


def _moving(facts: Facts) -> Iterator[Line]:
    """What goes on by itself: links to be looked at, writes under way, and listings that were never made."""
    paused = {state.name for state in facts.on if state.paused}
    writes = sum(
        count
        for name, state, count, _, _ in facts.figures.outbox
        if name not in paused or state != OperationState.PENDING
    )
    # Those that a plan has read in another mode than the project's are planned again by the next pass.
    writes += sum(g.count for g in facts.figures.waits if g.kind == "observed")
    unread = sum(1 for x in facts.listings if not (x.state.scanned_at or x.state.fault))
    unread *= not facts.unread
    for kind, count in (("rows", facts.dirty), ("writes", writes), ("listings", unread)):
        if count:
            yield Line("moving", Level.NOTE, count, None, {"kind": kind})


_RULES: Mapping[str, Callable[[Facts], Iterator[Line]]] = {
    "worker": _worker, "beat": _beat, "mapping": _mapping, "halted": _halted, "failing": _failing,
    "blind": _blind, "late": _late, "untold": _untold, "question": _question, "staged": _staged, "paused": _paused,
    "observed": _observed, "waiting": _waiting, "let_be": _let_be, "unlinked": _unlinked,
    "scope": _scope, "limit": _limit, "off": _off, "unread": _unread, "moving": _moving,
}  # fmt: skip
"""By code, in the order of their lines where they are equally bad."""

LEVELS: Mapping[str, tuple[Level, ...]] = {
    **dict.fromkeys(("worker", "beat", "mapping", "halted", "late"), (Level.FAULT,)),
    **dict.fromkeys(("question", "staged", "paused"), (Level.ASK,)),
    **dict.fromkeys(
        ("let_be", "unlinked", "scope", "limit", "off", "unread", "moving"), (Level.NOTE,)
    ),
    **dict.fromkeys(("failing", "untold", "blind"), (Level.NOTE, Level.FAULT)),
    "observed": (Level.HELD,),
    "waiting": (Level.NOTE, Level.ASK),
}
"""The levels that a line of each code may have."""
