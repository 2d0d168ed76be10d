"""The standing of an installation: the one value that all screens, exit codes and metrics show."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from syncengine.flows.core.engine import Engine
from syncengine.flows.people.approving import votes_on
from syncengine.flows.run.sweep import listed
from syncengine.flows.views.questions import count_questions
from syncengine.flows.views.standing_text import sentence, verdict
from syncengine.ledger import Transaction
from syncengine.mapping import Approvals
from syncengine.model.case import CaseKind
from syncengine.model.connection import ResourceState
from syncengine.model.member import Scope
from syncengine.model.standing import Line, Standing
from syncengine.planning import standing as rules
from syncengine.planning.notifications import HEARTBEAT
from syncengine.planning.safety import said_of
from syncengine.planning.standing import LATE, Facts, Listed


def standing(engine: Engine) -> Standing:
    """How everything stands now, in a constant number of statements."""
    with engine.ledger.read() as tx:
        return rules.standing(_facts(engine, tx))


def lines_within(engine: Engine, lines: Iterable[Line], within: Scope) -> Iterator[Line]:
    """The lines within a limit; questions are counted anew."""
    for line in lines:
        if line.code == "question" and within:
            counts = count_questions(engine, within)
            kinds = {k: n for k, n in counts.items() if k != CaseKind.STAGED}
            if kinds:
                told = ", ".join(
                    f"{n:,} {k}" if len(kinds) > 1 else k for k, n in sorted(kinds.items())
                )
                yield replace(line, count=sum(kinds.values()), since=None, about={"kind": told})
        elif line.code == "staged" and within.kinds and CaseKind.STAGED not in within.kinds:
            continue
        elif within.has(line.about.get("entity", ""), line.about.get("connection", "")):
            yield line


def document(engine: Engine, now: Standing) -> dict[str, Any]:
    """The standing as JSON: levels by name, each line with its sentence."""
    zone = ZoneInfo(engine.project.timezone)
    return {
        "at": now.at,
        "level": now.level.name.lower(),
        "exit_code": now.level.exit_code,
        "verdict": verdict(now),
        "mapping": now.mapping,
        "lines": [
            {
                "code": line.code,
                "level": line.level.name.lower(),
                "count": line.count,
                "since": line.since,
                "about": dict(line.about),
                "told": dict(line.told),
                "text": sentence(line, now.at, zone),
            }
            for line in now.lines
        ],
    }


def _facts(engine: Engine, tx: Transaction) -> Facts:
    connections, now = engine.project.connections, engine.clock.now()
    observed = [name for name, c in connections.items() if c.mode == "observe"]
    figures = tx.figures(list(connections), observed, now - LATE)
    return Facts(
        now=now,
        edition=engine.edition,
        edition_at=engine.edition_at,
        figures=figures,
        off={name: c.off for name, c in connections.items() if c.off},
        unused=_unused(engine, connections),
        listings=[_listed(engine, figures.resources, *place) for place in listed(engine)
                  if place[0] in engine.connectors],
        unlinked=tx.count_untied(),
        dirty=tx.dirty_count(),
        approvals=_approvals(engine, tx),
        called={(e.name, n, "delete"): said_of(s, "delete")
                for e in engine.project.entities.values() for n, s in e.systems.items() if s.leaving},
        deaf=_deaf(engine),
        channels=_channels(engine),
    )  # fmt: skip


def _approvals(engine: Engine, tx: Transaction) -> dict[str, tuple[int, int]]:
    """How far held writes are approved, where more than one person has to."""
    if engine.project.approvals == Approvals():
        return {}
    asked = {case.subject: votes_on(engine, tx, case) for case in tx.cases(kind=CaseKind.STAGED)}
    return {subject: (len(v.given), v.needed) for subject, v in asked.items() if v is not None}


def _channels(engine: Engine) -> set[str]:
    notify = engine.project.notify
    return {*notify.channels, *([HEARTBEAT] if notify.heartbeat else ())}


def _deaf(engine: Engine) -> dict[str, str]:
    notify = engine.project.notify
    off = {name: channel.off for name, channel in notify.channels.items() if channel.off}
    return {**off, HEARTBEAT: notify.heartbeat_off} if notify.heartbeat_off else off


def _unused(engine: Engine, connections: Collection[str]) -> list[str]:
    used = {system.connection for _, system in engine.places()}
    return [name for name in connections if name not in used]


def _listed(
    engine: Engine, resources: Mapping[tuple[str, str], ResourceState], name: str, resource: str
) -> Listed:
    schedule = engine.project.connections[name].resources.get(resource)
    state = resources.get((name, resource)) or ResourceState(name, resource)
    return Listed(name, resource, None if schedule is None else schedule.scan, state)
