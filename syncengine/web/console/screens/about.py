"""About: what runs here, and the keys."""

from __future__ import annotations

import platform
from typing import Any

from starlette.responses import Response

from syncengine.model.process import Process
from syncengine.model.rights import Right
from syncengine.web.console.ask import Ask
from syncengine.web.console.licences import licences


def show(ask: Ask) -> Response:
    """Version, encryption, the keys of the keyboard, and what to do where a part of the service is gone."""
    settings = ask.shared.settings
    return ask.page(
        "about.html", python=platform.python_version(),
        encrypted=bool(settings.encryption_keys),
        database=settings.database_url.partition(":")[0].partition("+")[0],
        zone=ask.engine.project.timezone, flower=settings.flower_url, licences=licences(),
        channels=_channels(ask), processes=_processes(ask),
    )  # fmt: skip


def _processes(ask: Ask) -> list[Process] | None:
    """The processes of the service that have reported, the last one first; None for whoever does not see how everything
    stands."""
    if not ask.may(Right.WATCH):
        return None
    with ask.engine.ledger.read() as tx:
        return sorted(tx.processes(), key=lambda process: -process.seen_at)


def _channels(ask: Ask) -> list[dict[str, Any]]:
    """By which channels people are told, and which of them takes nothing; for whoever sees how everything stands."""
    if not ask.may(Right.WATCH):
        return []
    with ask.engine.ledger.read() as tx:
        sent = tx.notifications().deliveries
    found = []
    for name, channel in sorted(ask.engine.project.notify.channels.items()):
        last = sent.get(name)
        failing = last.failing_since if last is not None and last.failures else 0.0
        found.append({"name": name, "kind": channel.kind, "off": channel.off, "failing": failing})
    return found
