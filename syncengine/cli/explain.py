"""``explain``: why a field is what it is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from syncengine.cli import ui
from syncengine.cli.passes import find_one
from syncengine.flows.explain import explain as find_out


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Look")(explain)


def explain(
    entity: Annotated[str, typer.Argument(help="Of which entity, as in `person`.")],
    key: Annotated[str, typer.Argument(help="A record: id, name, address, number.")],
    field: Annotated[str | None, typer.Argument(help="One field, with all its changes.")] = None,
    as_json: ui.Json = False,
) -> None:
    """Say of each field of a record which system, change and rule made it so, and what it replaced.

    Examples: `syncengine explain person "Anna Meier"`, `syncengine explain person 1002 work_email`
    """
    with ui.engine() as opened:
        ui.known("ENTITY", entity, list(opened.project.entities))
        ui.known("FIELD", field, list(opened.project.entities[entity].fields))
        document = find_out(opened, find_one(opened, key, entity), field)
    if as_json:
        ui.emit(document)
        return
    head = f"{document['entity']} {document['name']}"
    ui.screen().print(ui.cell(f"{head} ({ui.short(document['record'])})", "bold"))
    rows = ui.table("field", "value", "from", "why", "rule", "since")
    for item in document["fields"]:
        why = item["because"] or {}
        rows.add_row(
            item["field"],
            ui.cell(item["value"], width=40),
            ui.cell(why.get("from") or why.get("author") or ""),
            ui.cell(why.get("policy", "")),
            ui.cell(why.get("rule", ""), "dim"),
            ui.cell(ui.clock(why["at"])[:10] if "at" in why else "", "dim"),
        )
    ui.screen().print(rows)
    if field is not None:
        _show_changes(document["fields"][0]["changes"])
        _show_systems(document["fields"][0]["systems"])


def _show_changes(changes: list[dict[str, Any]]) -> None:
    ui.screen().print("\nChanges:" if changes else "\nNo changes since the record was made.")
    for change in changes:
        who = change["from"] or change["author"] or "us"
        line = f"  {ui.clock(change['at'])}  {ui.plain(change['old'])} → {ui.plain(change['new'])}"
        line += f"  from {who}: {change['policy']} ({change['rule'] or 'no rule'})"
        if change["lost"] is not None:
            line += f"; {ui.plain(change['lost'])} of {change['lost_by']} lost"
        ui.screen().print(ui.cell(line), soft_wrap=True)


def _show_systems(systems: list[dict[str, Any]]) -> None:
    rows = ui.table("system", "its value", "flow", "read", "our last write")
    for system in systems:
        last = system["written"]
        rows.add_row(
            ui.cell(f"{system['connection']} {system['external_id'] or ''}", width=30),
            ui.cell(system["value"], width=40),
            system["flow"],
            ui.cell(ui.clock(system["read_at"])[:16], "dim"),
            ui.cell(f"{last['state']} {ui.clock(last['at'])[:16]}" if last else "–"),
        )
    if systems:
        ui.screen().print()
        ui.screen().print(rows)
