"""``privacy``: the records of processing, of the project as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from syncengine.cli import ui

PANEL = "Look"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=PANEL)(privacy)


def privacy(as_json: ui.Json = False) -> None:
    """Print the records of processing: which data of whom come from where, go where, by which rule, and how long.

    It reads the project alone and calls nobody. Example: `syncengine privacy --json`
    """
    from syncengine.edition import load
    from syncengine.flows.views.processing import processing

    found = ui.settings()
    document = processing(load(found), bool(found.encryption_keys))
    if as_json:
        ui.emit(document)
    else:
        _show(document)


def _show(document: Mapping[str, Any]) -> None:
    console = ui.screen()
    below = ("from", "to", "by which rule")
    rows = ui.table("of whom", "data", "sensitive", *below, below=below)
    for line in document["data"]:
        rows.add_row(
            ui.cell(line["of_whom"] or "nobody in particular"),
            ui.cell(f"{line['entity']}.{line['field']}"),
            ui.cell("sensitive" if line["sensitive"] else "", "yellow"),
            ui.cell(_from(line)),
            ui.cell(_places(line["to"])),
            ui.cell(_rules(line), "dim"),
        )
    console.print(rows)
    console.print()
    systems = ui.table("system", "by", "at", "is written to")
    for name, told in document["connections"].items():
        written = (
            "off" if told["off"] else "yes" if told["mode"] == "write" else "no, only observed"
        )
        systems.add_row(name, told["connector"], ui.cell(told["host"]), written)
    console.print(systems)
    console.print()
    for line in document["rows"]:
        if line["kept_beside"]:
            text = f"Kept of {line['connection']} {line['resource']} beside these: {', '.join(line['kept_beside'])}."
            ui.told(ui.cell(text))
    ui.told(ui.cell(_kept(document["kept_s"])))
    ui.told(ui.cell(_encrypted(document["encrypted"])))


def _from(line: Mapping[str, Any]) -> str:
    told = [_places(line["from"])] if line["from"] else []
    told += ["computed here"] * (line["computed"] is not None)
    told += [f"made by the rule {d['derivation']}" for d in line["derived"]]
    told += [f"only compared: {_places(line['compared_with'])}"] * bool(line["compared_with"])
    return "; ".join(told) or "people's answers alone"


def _places(places: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{p['connection']} {p['resource']} ({', '.join(p['paths'])})" for p in places)


def _rules(line: Mapping[str, Any]) -> list[str]:
    places = [*line["from"], *line["to"], *line["compared_with"], *line["derived"]]
    return list(dict.fromkeys(p["rule"] for p in places)) or [line["computed"] or line["rule"]]


def _kept(kept: Mapping[str, float]) -> str:
    return (
        f"Kept: values as long as their record, and {ui.span(kept['left'])} after it was deleted; former values "
        f"{ui.span(kept['history'])}; writes {ui.span(kept['operations'])}; answered questions "
        f"{ui.span(kept['cases'])}; notices {ui.span(kept['events'])} (what stays longer, and why: "
        "docs/operations.md)."
    )


def _encrypted(keys: bool) -> str:
    if not keys:
        return "Encrypted in the database: no, SYNCENGINE_ENCRYPTION_KEYS is not set."
    return "Encrypted in the database: yes, all values of records, rows, writes, questions and history."
