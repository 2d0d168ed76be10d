"""Lists as CSV and JSON: the same lines as on the page, further down too."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from starlette.responses import Response

from syncengine.flows.people.members import note
from syncengine.model.member import AuditWord
from syncengine.web.console.ask import Ask

Kind = Literal["csv", "json"]
MOST: Final = 5000
"""Lines of one file."""
KINDS: Final[Mapping[Kind, str]] = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_SAVED: Final[Mapping[str, AuditWord]] = {
    "records": "export records", "questions": "export questions", "writes": "export writes",
    "changes": "export changes", "runs": "export runs", "audit": "export audit",
}  # fmt: skip
"""List -> what the audit says of whoever saves it."""
_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins, after blanks, that a spreadsheet would compute; some take the wide letters for the narrow ones."""
_TIMES: Final = ("_at", "at")


def wanted(ask: Ask) -> Kind | None:
    """``csv`` or ``json``, where the address asks for one; None for a page."""
    asked = ask.query("as")
    return next((kind for kind in KINDS if kind == asked), None)


def export(
    ask: Ask, name: str, columns: Sequence[str], lines: Sequence[Mapping[str, Any]]
) -> Response:
    """These columns of a list as a file, which is put into the audit."""
    kind = wanted(ask) or "json"
    rows = [{column: _told(ask, column, line.get(column)) for column in columns} for line in lines]
    with ask.engine.ledger.write() as tx:
        note(
            ask.engine, tx, ask.author, "console", _SAVED[name], kind,
            address=ask.visit.address, lines=len(rows),
        )  # fmt: skip
    text = (
        json.dumps({name: rows}, ensure_ascii=False, indent=1)
        if kind == "json"
        else _csv(columns, rows)
    )
    day = ask.times.iso(ask.now)[:10]
    kept = {"Content-Disposition": f'attachment; filename="{name}-{day}.{kind}"'}
    return Response(text, media_type=KINDS[kind], headers=kept)


def _told(ask: Ask, column: str, value: Any) -> Any:
    if isinstance(value, float) and column.endswith(_TIMES):
        return ask.times.iso(value)
    return value


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """With a mark at the beginning by which spreadsheets know the letters, and no cell that they would compute."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return "\ufeff" + file.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = "".join(c if c.isprintable() else " " for c in text)
    computed = text.lstrip().startswith(_FORMULA) and not isinstance(value, (int, float))
    return f"'{text}" if computed else text
