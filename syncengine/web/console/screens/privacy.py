"""What a privacy officer does with a record: uncover, export, erase."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.flows.forget import erase as forgetting
from syncengine.flows.naming.names import names
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.members import note
from syncengine.flows.views.export import export as gather_all
from syncengine.flows.views.export import readable
from syncengine.model.erasure import Erasure
from syncengine.model.member import AuditWord, Outcome
from syncengine.model.record import Record
from syncengine.web.console import templating
from syncengine.web.console.ask import Ask
from syncengine.web.console.proof import asked_again
from syncengine.web.console.screens.records import known, page_of
from syncengine.web.console.words import short_id

KINDS: Final = {"json": "application/json", "html": "text/html; charset=utf-8"}


def uncover(ask: Ask) -> Response:
    """The page of a record with its covered values, which is put into the audit."""
    _note(ask, "uncover record", known(ask))
    return page_of(ask, replace(ask.engine, shows_sensitive=True), uncovered=True)


def show_export(ask: Ask) -> Response:
    """What an export has, and in which forms."""
    record = known(ask)
    return ask.page("export.html", record=record, name=_name(ask, record), proved=ask.proved)


def export(ask: Ask) -> Response:
    """Everything that is held of a record, as a file; the password is asked for again before."""
    record, kind = known(ask), ask.given("kind")
    if kind not in KINDS:
        raise HTTPException(422, "expected json or html")
    if page := asked_again(ask, "Everything that is held is exported.", [_name(ask, record)]):
        return page
    document = gather_all(ask.engine, record.id, ask.author)
    _note(ask, "export record", record, kind=kind)
    plain: Any = readable(document)
    if kind == "json":
        text = json.dumps(plain, indent=2, ensure_ascii=False)
    else:
        told = {"document": plain, "language": ask.visit.language}
        text = templating.render("dossier.html", ask.visit.language, told)
    file = f"{record.entity}-{short_id(record.id)}.{kind}"
    kept = {"Content-Disposition": f'attachment; filename="{file}"'}
    return Response(text, media_type=KINDS[kind], headers=kept)


def show_erase(ask: Ask) -> Response:
    """What an erasure removes, what stays, and why."""
    return _erase_page(ask, known(ask))


def erase(ask: Ask) -> Response:
    """Forget a record; the password is asked for again before."""
    record = known(ask)
    reason, sure = ask.reason, ask.given("sure")
    if not reason or not sure:
        error = "Say why, for the log of erasures." if sure else "Tick that you are sure."
        return _erase_page(ask, record, 422, error=error)
    if page := asked_again(ask, "It is erased for good.", [_name(ask, record)]):
        return page
    document = forgetting.preview(ask.engine, record.id)
    try:
        done = forgetting.erase(
            ask.engine, record.id, reason, ask.author, bool(ask.given("leave_rows"))
        )
    except NotPossible as why:
        _note(ask, "erase record", record, "refused")
        return _erase_page(ask, record, 409, error=f"{why}"[:1].upper() + f"{why}"[1:] + ".")
    if not isinstance(done, Erasure):
        _note(ask, "erase record", record, "asked")
        return _erase_page(ask, record, waits=done)
    _note(ask, "erase record", record)
    in_file = ask.shared.settings.database_url.startswith("sqlite")
    return ask.page("erased.html", done=done, preview=document, in_file=in_file)


def _erase_page(ask: Ask, record: Record, status: int = 200, **more: Any) -> Response:
    try:
        document = forgetting.preview(ask.engine, record.id)
    except NotPossible as why:
        raise HTTPException(409, f"{why}") from None
    given = {"reason": ask.reason, "leave_rows": ask.given("leave_rows")}
    base = {"record": record, "p": document, "waits": [], "given": given, "proved": ask.proved}
    return ask.page("erase.html", status, **{**base, **more})


def _name(ask: Ask, record: Record) -> str:
    with ask.engine.ledger.read() as tx:
        return names(ask.engine, tx, [record.id]).of(record.id)


def _note(
    ask: Ask, action: AuditWord, record: Record, outcome: Outcome = "done", **detail: object
) -> None:
    """Into the audit; of an erased record not even the id."""
    about = (
        f"record {record.id}" if (action, outcome) != ("erase record", "done") else record.entity
    )
    with ask.engine.ledger.write() as tx:
        note(
            ask.engine, tx, ask.author, "console", action, about, outcome, ask.visit.address, **detail
        )  # fmt: skip
