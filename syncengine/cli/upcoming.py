"""``upcoming``: what the coming days bring by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

import typer
from rich.text import Text

from syncengine.cli import ui

PANEL = "Look"
_WORDS: Mapping[str, tuple[str, str, str]] = {
    "starts": ("+", "green", "starts"), "leaves": ("-", "red", "leaves"), "changes": ("~", "yellow", "changes"),
    "made": ("+", "green", "new"), "ends": ("-", "red", "ends"), "written": ("~", "yellow", "changes"),
}  # fmt: skip
_DOES = {
    "create": "gets a row in {}", "delete": "its row in {} is deleted", "leave": "leaves {}",
    "update": "{} is written to", "learn": "our record changes",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=PANEL)(upcoming)


def upcoming(
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days to look ahead.")] = 30,
    sensitive: ui.Sensitive = False,
    as_json: ui.Json = False,
) -> None:
    """Show who starts and leaves within 30 days, and what else dates change, day by day.

    Rules that look at the date are played for each day, on what was read last, as if nobody changed anything. No vendor
    is called, and nothing is written.

    Example: `syncengine upcoming --days 14`.
    """
    from syncengine.flows.core.runs import running
    from syncengine.flows.views import upcoming as view
    from syncengine.model.run import PLAN

    with ui.engine(sensitive) as opened, running(opened, PLAN, resource="upcoming"):
        document = view.upcoming(opened, days)
    if as_json:
        ui.emit(document)
        return
    _show(document)


def _counted(told: Mapping[str, Any]) -> str:
    """``person: 3 start``."""
    word = _WORDS[told["what"]][2]
    what = word if told["count"] == 1 else word.removesuffix("s")
    return f"{told['entity'].replace('_', ' ')}: {told['count']:,} {what}"


def _show(document: Mapping[str, Any]) -> None:
    console, found = ui.screen(), document["upcoming"]
    if not found:
        console.print(f"No date changes anything within {document['days']} days.")
        return
    for day in found:
        then = date.fromisoformat(day["day"])
        counted = ", ".join(map(_counted, day["counts"]))
        console.print(Text.assemble((f"{then:%a} {day['day']}", "bold"), f"  {counted}"))
        for line in day["records"]:
            ui.told(_line(line))
        if day["unfinished"]:
            console.print("  More follows from these writes than is foreseen.", style="yellow")
        console.print()
    console.print(f"As if nobody changed anything. Days begin in {document['zone']}.", style="dim")


def _line(line: Mapping[str, Any]) -> Text:
    sign, style, word = _WORDS[line["what"]]
    told = Text.assemble((f"  {sign} ", style), ui.plain(line["name"]), (f"  {word}", style))
    turns = [f"{t['field']}: {ui.plain(t['old'])} -> {ui.plain(t['new'])}" for t in line["turns"]]
    writes = [_write(w) for w in line["writes"]]
    told.append("  " + "; ".join([*turns, *writes] or ["it waits, nothing is written yet"]), "dim")
    return told


def _write(write: Mapping[str, Any]) -> str:
    does = _DOES[write["action"]].format(write["connection"])
    names = ", ".join(item["field"] for item in write["fields"])
    fields = f" ({names})" if write["action"] in ("update", "learn") and names else ""
    return f"{does}{fields}" + f", not sent: {write['held']}" * bool(write["held"])
