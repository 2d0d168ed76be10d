"""Status: how every connection, link and question stands; pause and resume."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from syncengine.flows.engine import Engine
from syncengine.flows.sweep import listed
from syncengine.model.operation import UNSETTLED


def status(engine: Engine) -> dict[str, Any]:
    """The document of ``status --json``; no personal data."""
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
            "dirty": tx.dirty_count(),
            "events": tx.count_events(),
        }


def _waiting(links: list[Any]) -> list[dict[str, Any]]:
    """Waits, grouped by what is waited for."""
    groups: dict[tuple[str, str, str], int] = {}
    for link in links:
        if link.wait is not None:
            group = (link.entity, link.connection, link.wait.what)
            groups[group] = groups.get(group, 0) + 1
    return [
        {"entity": e, "connection": c, "waits_for": w, "count": n}
        for (e, c, w), n in sorted(groups.items())
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
