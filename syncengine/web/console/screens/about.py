"""About: what runs here, the keys, who may sign in, and what members did."""

from __future__ import annotations

import platform

from starlette.responses import Response

from syncengine.model.rights import Right
from syncengine.web.console.ask import Ask


def show(ask: Ask) -> Response:
    """Version, encryption, and the keys of the keyboard."""
    settings = ask.shared.settings
    return ask.page(
        "about.html", python=platform.python_version(),
        encrypted=bool(settings.encryption_keys),
        database=settings.database_url.partition(":")[0].partition("+")[0],
        zone=ask.engine.project.timezone, flower=settings.flower_url,
    )  # fmt: skip


def show_access(ask: Ask) -> Response:
    """Members and their roles; for the privacy officer what they did."""
    before = ask.query("before")
    with ask.engine.ledger.read() as tx:
        members = tx.members()
        number = int(before) if before.isdecimal() and len(before) < 19 else None
        audit = tx.select_audit(number, None, 51) if ask.may(Right.AUDIT) else []
    return ask.page(
        "access.html", members=members, audit=audit[:50], more=len(audit) > 50,
        names={m.id: m.name for m in members},
    )  # fmt: skip
