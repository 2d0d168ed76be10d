"""Status: how every connection, link and question stands; pause and resume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from syncengine.flows.capture.erased_rows import kept_out
from syncengine.flows.core.clock_setback import setback
from syncengine.flows.core.engine import Engine
from syncengine.flows.forget.retention import kept
from syncengine.flows.reconcile.unsent import untouched, wanted
from syncengine.flows.run.sweep import listed
from syncengine.ledger import Transaction
from syncengine.model.link import Link, Waiting
from syncengine.model.operation import UNSETTLED, Detail, OperationState
from syncengine.planning.safety import said_of


def status(engine: Engine) -> dict[str, Any]:
    """The document of ``status --json``; no personal data but what people gave as their reasons."""
    with engine.ledger.read() as tx:
        due, refused = wanted(tx), _refused(tx)
        back = setback(engine, tx)
        return {
            "clock": None
            if back is None
            else {"went_back_s": round(back.by), "noticed_at": back.at},
            "project": _project(engine, tx),
            "connections": {
                name: connection_document(engine, tx, name) for name in engine.project.connections
            },
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
            "unsent": due.observed(engine),
            "first": due.among(untouched(engine, tx)),
            "waiting": [*_waiting(due.waits, {link.id for link in refused}), *_untaken(tx)],
            "out_of_scope": _waiting(due.outside, ()),
            "let_be": _rejected_groups(refused),
            "unlinked": unlinked(tx),
            "kept_out": kept_out(tx),
            "dirty": tx.dirty_count(),
            "events": tx.count_events(),
            "retention": kept(engine, tx),
        }


def _project(engine: Engine, tx: Transaction) -> dict[str, Any]:
    """The edition of the project, and the processes with that by which each works."""
    return {
        "digest": engine.edition,
        "processes": [
            {**asdict(process), "same": process.digest == engine.edition}
            for process in tx.processes()
        ],
    }


def connection_document(engine: Engine, tx: Transaction, name: str) -> dict[str, Any]:
    """How a connection stands, and when each of its resources was read last."""
    declared, state = engine.project.connections[name], tx.connection(name)
    resources = {}
    for connection, resource in listed(engine):
        if connection == name:
            seen = tx.resource(connection, resource)
            resources[resource] = {
                "rows": seen.rows,
                "scanned_at": seen.scanned_at or None,
                "polled_at": seen.polled_at or None,
                "asked_at": seen.asked_at if seen.asked_for else None,
                "fault": seen.fault,
                "under_way": seen.under_way(0.0),
            }
    return {
        "connector": declared.connector,
        "mode": declared.mode,
        "off": declared.off,
        "paused": state.paused,
        "halted": state.halted,
        "blocked_until": state.blocked_until or None,
        "failures": state.failures,
        "resources": resources,
    }


def _waiting(waits: Sequence[Waiting], refused: Collection[str]) -> list[dict[str, Any]]:
    """Waits, grouped by what is waited for. ``refused``: ids of links whose writes a person lets be."""
    groups = Counter((w.entity, w.connection, w.what) for w in waits if w.link_id not in refused)
    return [
        {"entity": e, "connection": c, "waits_for": w, "count": n}
        for (e, c, w), n in sorted(groups.items())
    ]


def _untaken(tx: Transaction) -> list[dict[str, Any]]:
    """Writes that a vendor did not take so far, each of which is sent once more before a person is asked."""
    unknown = tx.select_operations([OperationState.UNKNOWN])
    groups = Counter((o.entity, o.connection) for o in unknown if o.detail == Detail.LAST_TRY)
    return [
        {"entity": e, "connection": c, "waits_for": f"the last try: {Detail.LAST_TRY}", "count": n}
        for (e, c), n in sorted(groups.items())
    ]


def unlinked(tx: Transaction) -> list[dict[str, Any]]:
    """Untied rows about which nobody is asked, since no record resembles them."""
    return [
        {"entity": entity, "connection": connection, "count": count}
        for (entity, connection), count in sorted(tx.count_untied().items())
    ]


def rejected_writes(engine: Engine) -> list[dict[str, Any]]:
    """Writes that are wanted and not sent because a person rejected them, grouped by who did and why. ``case``: the
    question that was asked about them; ``said``: what each write is called."""
    with engine.ledger.read() as tx:
        found = _rejected_groups(_refused(tx))
    return [
        {**one, "said": said_of(engine.system(one["entity"], one["connection"]), one["kind"])}
        for one in found
    ]


def _refused(tx: Transaction) -> list[Link]:
    answered = tx.waiting_links(answered=True)
    return [link for link in answered if link.approval is not None and link.approval.refuses]


def _rejected_groups(links: Iterable[Link]) -> list[dict[str, Any]]:
    groups: Counter[tuple[str, ...]] = Counter()
    for link in links:
        said = link.approval
        if said is not None:
            groups[
                link.entity, link.connection, said.kind, said.summary, said.reason, said.case
            ] += 1
    names = ("entity", "connection", "kind", "told", "reason", "case")
    return [
        {**dict(zip(names, group, strict=True)), "count": n} for group, n in sorted(groups.items())
    ]
