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
        _show_story(document["fields"][0])
        _show_systems(document["fields"][0])


def _show_story(field: dict[str, Any]) -> None:
    """What happened to the field, in order: who showed or decided what, what we wrote where."""
    told = [(c["at"], _change(c)) for c in field["changes"]]
    told += [(w["at"], _write(w)) for w in field["writes"]]
    ui.screen().print("\nWhat happened:" if told else "\nNothing happened since it was made.")
    for at, line in sorted(told, key=lambda pair: pair[0]):
        ui.screen().print(ui.cell(f"  {ui.clock(at)}  {line}"), soft_wrap=True)
    if field["changes"]:
        ui.screen().print("  #: the change's number, for `syncengine undo`", style="dim")


def _change(change: dict[str, Any]) -> str:
    who = change["from"] or change["author"] or "syncengine"
    event = f" (event {change['event']})" if change["event"] else ""
    line = f"#{change['change']} {who}{event}: "
    if change["old"] != change["new"]:
        line += f"{ui.plain(change['old'])} → {ui.plain(change['new'])}; "
    if change["lost"] is not None:
        line += f"{ui.plain(change['lost'])} of {change['lost_by'] or 'us'} put aside; "
    because = (change["policy"], change["rule"], change["reason"])
    return line + ", ".join(part for part in because if part)


def _write(write: dict[str, Any]) -> str:
    line = f"{write['action']} {write['to']}: {ui.plain(write['value'])}; {write['state']}"
    return (
        line
        + f", {write['rule']}" * bool(write["rule"])
        + f": {write['answer']}" * bool(write["answer"])
    )


def _show_systems(field: dict[str, Any]) -> None:
    ui.screen().print(f"\nIt is changed by: {field['owner']}.")
    rows = ui.table("system", "its value", "flow", "rule", "read")
    for system in field["systems"]:
        rows.add_row(
            ui.cell(f"{system['connection']} {system['external_id'] or ''}", width=30),
            ui.cell(system["value"], width=40),
            system["flow"],
            ui.cell(system["rule"], "dim"),
            ui.cell(ui.clock(system["read_at"])[:16], "dim"),
        )
    if field["systems"]:
        ui.screen().print(rows)
