"""The page of ``export``: everything that is held of somebody, to be read in a browser. No scripts, nothing fetched."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from syncengine.cli import ui
from syncengine.cli.explain import of_record, story_of

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>What is held</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #ccc; }
td { overflow-wrap: anywhere; }
h2 { margin-top: 2.5rem; border-bottom: 2px solid; }
</style>
</head>
<body>
"""


def as_page(document: Mapping[str, Any]) -> str:
    """The document of ``export`` as one HTML page."""
    return _HEAD + "\n".join(_body(document)) + "\n</body>\n</html>\n"


def _body(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h1>{_text(document['name'])}</h1>"
    yield f"<p>{_text(document['what'])} Made on {_text(document['made_at'])} by {_text(document['made_by'])}.</p>"
    for record in document["records"]:
        yield from _record(record)
    if document["rows_of_nobody"]:
        yield "<h2>Rows at vendors that may be yours and belong to nobody here</h2>"
        yield _rows(document["rows_of_nobody"])
    if document["questions"]:
        yield "<h2>Questions that people were asked about you</h2>"
        yield from map(_question, document["questions"])
    if document["named_by"]:
        yield "<h2>Where others name you</h2>"
        yield _table(("field", "how often"), document["named_by"].items())
    if document["sightings"]:
        yield "<h2>When something of you was seen</h2>"
        seen = document["sightings"]
        names = ("connection", "resource", "row", "how")
        yield _table(("at", *names), [(ui.clock(e["at"]), *(e[n] for n in names)) for e in seen])


def _record(record: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2>{_text(record['entity'])} {_text(record['name'])}</h2>"
    yield f"<p>Held since {_text(record['since'])}.</p>"
    if record["deleted"]:
        yield "<p>It is deleted, and kept as a record of what was.</p>"
    fields = [
        (f["field"], f["value"], f["from"], _clock(f["since"]), f["why"]) for f in record["fields"]
    ]
    yield _table(("field", "value", "from", "since", "why"), fields)
    if record["rows"]:
        yield "<h3>At vendors</h3>"
        yield _rows(record["rows"])
    yield from _story(record)


def _story(record: Mapping[str, Any]) -> Iterator[str]:
    """What happened, as ``explain`` tells it."""
    steps = [(at, "", line) for at, line in of_record(record["whole"])]
    for field in record["fields"]:
        if field["story"]:
            steps += [(at, field["field"], line) for at, line in story_of(field["story"])]
    if steps:
        yield "<h3>What happened</h3>"
        steps.sort(key=lambda step: step[0])
        yield _table(
            ("at", "field", "what"), [(ui.clock(at), name, line) for at, name, line in steps]
        )


def _rows(rows: Iterable[Mapping[str, Any]]) -> str:
    names = ("connection", "resource", "row", "state")
    told = [(*(row[n] for n in names), _clock(row["read_at"]), row["shows"]) for row in rows]
    return _table((*names, "read", "what it shows"), told)


def _question(case: Mapping[str, Any]) -> str:
    by = f" by {case['answered_by']}" if case["answered_by"] else ""
    answer = f"{case['answer']}{by}" if case["answer"] else "not answered yet"
    lines = {
        "asked": ui.clock(case["asked_at"]), "answer": answer, "reason": case["reason"],
        "answered": _clock(case["answered_at"]), "what was shown": case["evidence"],
    }  # fmt: skip
    return f"<h3>{_text(case['question'])}</h3>" + _table(("", ""), lines.items())


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in names) if any(names) else ""
    lines = (f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>\n<tr>{head}</tr>\n" + "\n".join(lines) + "\n</table>"


def _clock(at: float | None) -> str:
    return ui.clock(at) if at else ""


def _text(value: Any) -> str:
    """A value in words, so that nothing in it is read as markup."""
    if isinstance(value, dict):
        text = json.dumps(value, ensure_ascii=False, default=str)
    elif value is None or value == "":
        text = "–"
    else:
        text = ui.plain(value)
    return escape(text, quote=True)
