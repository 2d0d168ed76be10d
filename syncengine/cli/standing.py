"""The standing on a terminal: its lines, each with what to do, and how a command ends by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from syncengine.cli import ui

_SIGNS: Mapping[str, tuple[str, str]] = {
    "fault": ("!", "red"), "ask": ("?", "yellow"), "held": ("-", "yellow"), "note": ("i", "dim"),
}  # fmt: skip
_STYLES = {
    "fault": "bold red", "ask": "bold yellow", "held": "bold yellow", "note": "bold green",
    "ok": "bold green",
}  # fmt: skip
_HINTS = {
    "worker": "syncengine run",
    "beat": "syncengine run",
    "mapping": "syncengine check",
    "halted": "syncengine resume {connection}",
    "failing": "syncengine check --online",
    "blind": "syncengine check --online",
    "untold": "syncengine notify --test",
    "late": "syncengine operations --connection {connection}",
    "question": "syncengine cases list",
    "staged": "syncengine cases list --kind staged",
    "paused": "syncengine resume {connection}",
    "observed": "syncengine plan",
    "waiting": "syncengine links list --waiting",
    "let_be": "syncengine cases list --closed",
    "unlinked": "syncengine links list --unlinked",
    "unread": "syncengine plan --fresh",
    "scope": "syncengine links list --waiting",
}
"""By which command a line is looked into, or ended."""
BY_PLANS = ("observed", "waiting", "scope", "moving")
"""Codes of which a plan has its own figures, those of after it."""


def show_lines(console: Console, standing: Mapping[str, Any]) -> None:
    """Each line of the document of a standing, the worst first; what to do stands whole on one line, and once."""
    rows, shown = Table.grid(padding=(0, 1, 0, 0)), set[str]()
    for line in standing["lines"]:
        sign, style = _SIGNS[line["level"]]
        text, hint = ui.plain(line["text"]).removesuffix("."), _hint(line)
        if hint and hint not in shown:
            fits = len(text) + len(hint) + 2 <= console.width - 3
            text = f"{text}{'' if text[-1] in '?!' else ':'}{' ' if fits else chr(10)}{hint}"
        shown.add(hint)
        rows.add_row(Text(sign, style), Text(text))
    if rows.row_count:
        console.print(rows)


def headline(standing: Mapping[str, Any], after: str = "") -> Text:
    """The verdict; ``after``: how long it took to come to it."""
    verdict = str(standing["verdict"]).removesuffix(".")
    return Text(f"{verdict}{after}.", _STYLES[standing["level"]])


def _hint(line: Mapping[str, Any]) -> str:
    hint = _HINTS.get(line["code"], "").format_map(line["about"])
    return f"`{hint}`" if hint else ""


def worst(*codes: int) -> ui.Exit:
    """Errors outrank what waits for a person, and that what is not sent."""
    order = (ui.Exit.DONE, ui.Exit.PENDING, ui.Exit.PERSON, ui.Exit.ERROR)
    return max((ui.Exit(code) for code in codes), key=order.index)
