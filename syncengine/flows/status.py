"""Status: how every connection, link and question stands; pause and resume."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from syncengine.flows.engine import Engine
from syncengine.flows.sweep import listed
from syncengine.model.operation import UNSETTLED
from syncengine.ports import Transaction


def status(engine: Engine) -> dict[str, Any]:
    """The document of ``status --json``; no personal data but what people gave as their reasons."""
    with engine.ledger.read() as tx:
        connections = {}
        for name, declared in engine.project.connections.items():
            state = tx.connection(name)
            resources = {}
            for connection, resource in listed(engine):
                if connection == name:
                    seen = tx.resource(connection, resource)
                    resources[resource] = {
                        "rows": seen.rows,
                        "scanned_at": seen.scanned_at or None,
                        "polled_at": seen.polled_at or None,
                        "fault": seen.fault,
                    }
            connections[name] = {
                "connector": declared.connector,
                "mode": declared.mode,
                "off": declared.off,
                "paused": state.paused,
                "halted": state.halted,
                "blocked_until": state.blocked_until or None,
                "failures": state.failures,
                "resources": resources,
            }
        return {
            "connections": connections,
            "links": [
                {"entity": e, "connection": c, "state": s, "count": n}
                for (e, c, s), n in sorted(tx.count_links().items())
            ],
            "operations": [
                {"connection": c, "action": a, "state": s, "count": n}
                for (c, a, s), n in sorted(tx.count_operations().items())
            ],
            "unsettled": sum(n for (_, _, s), n in tx.count_operations().items() if s in UNSETTLED),
            "cases": tx.count_cases(),
            "waiting": _waiting(tx.waiting_links(1000)),
            "let_be": _let_be(tx),
            "dirty": tx.dirty_count(),
            "events": tx.count_events(),
        }


def _waiting(links: list[Any]) -> list[dict[str, Any]]:
    """Waits, grouped by what is waited for."""
    groups: dict[tuple[str, str, str], int] = {}
    for link in links:
        if link.wait is not None and not (link.ruling is not None and link.ruling.refuses):
            group = (link.entity, link.connection, link.wait.what)
            groups[group] = groups.get(group, 0) + 1
    return [
        {"entity": e, "connection": c, "waits_for": w, "count": n}
        for (e, c, w), n in sorted(groups.items())
    ]


def let_be(engine: Engine) -> list[dict[str, Any]]:
    """The writes that are wanted and not sent since a person said so, grouped by who said it and why."""
    with engine.ledger.read() as tx:
        return _let_be(tx)


def _let_be(tx: Transaction) -> list[dict[str, Any]]:
    groups: Counter[tuple[str, ...]] = Counter()
    for link in tx.waiting_links(ruled=True):
        said = link.ruling
        if said is not None and said.refuses:
            groups[link.entity, link.connection, said.kind, said.told, said.reason] += 1
    names = ("entity", "connection", "kind", "told", "reason")
    return [
        {**dict(zip(names, group, strict=True)), "count": n} for group, n in sorted(groups.items())
    ]


def pause(engine: Engine, connection: str | None, reason: str) -> list[str]:
    """Stop writes to one connection, or to all, at once. Returns which."""
    return _set_paused(engine, connection, reason or "paused by a person")


def resume(engine: Engine, connection: str | None) -> list[str]:
    """Let writes go on, and try a halted connection again."""
    return _set_paused(engine, connection, "")


def _set_paused(engine: Engine, connection: str | None, paused: str) -> list[str]:
    names = [connection] if connection else list(engine.project.connections)
    with engine.ledger.write() as tx:
        for name in names:
            state = tx.connection(name, lock=True)
            if not paused:
                state = replace(state, halted="", blocked_until=0.0, failures=0)
            tx.save_connection(replace(state, paused=paused))
    return names
