"""``init``, ``check``, ``schema``: the project."""

from __future__ import annotations

import json
import shutil
from importlib.resources import as_file, files
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from syncengine.bootstrap import load, open_engine
from syncengine.cli import ui
from syncengine.errors import ConfigInvalid, SyncengineError
from syncengine.mapping import Project
from syncengine.mapping.checks import LensVerdict, json_schema, lens_report, sample_faults
from syncengine.settings import Settings

PANEL = "Project"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=PANEL)(init)
    app.command(rich_help_panel=PANEL)(check)
    app.command(rich_help_panel=PANEL)(schema)


def copy_starter(folder: Path) -> list[str]:
    """Write the starter project into ``folder``; the names of its files. It is part of the installed package, and
    in a checkout the shipped project itself."""
    packed = files("syncengine") / "starter"
    source = packed if packed.is_dir() else files("syncengine") / ".." / "mappings"
    folder.mkdir(parents=True, exist_ok=True)
    with as_file(source) as path:
        names = sorted(file.name for file in path.glob("*.yaml"))
        for name in names:
            shutil.copyfile(path / name, folder / name)
    return names


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
) -> None:
    """Write a starter project.

    Example: `syncengine init mappings`
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise typer.BadParameter(f"{folder} is not empty; name a new folder", param_hint="DIR")
    names = copy_starter(folder)
    console = ui.screen()
    console.print(f"{ui.counted(len(names), 'file')} written to {folder}:", markup=False)
    for name in names:
        console.print(f"  {name}", markup=False)
    console.print(
        f"\nNext: export SYNCENGINE_PROJECT={folder}, set the credentials that connections.yaml names,"
        "\nthen `syncengine check --online` and `syncengine plan --fresh`. Nothing is written to a vendor"
        "\nbefore you set SYNCENGINE_MODE=write.",
        markup=False,
        soft_wrap=True,
    )


def check(
    online: Annotated[bool, typer.Option("--online", help="Ask every vendor, too.")] = False,
    as_json: ui.Json = False,
) -> None:
    """Validate the project: every fault with its place, every rule tried out on samples.

    Example: `syncengine check --online`. Exits 2 where the project is invalid, 1 where a vendor does not answer.
    """
    found = ui.settings()
    document = _examined(found, online)
    if as_json:
        ui.emit(document)
    else:
        _show(document)
    failed = any(c["online"] for c in document.get("connections", {}).values())
    ui.leave(ui.Exit.INVALID if document["faults"] else ui.Exit.ERROR if failed else ui.Exit.DONE)


def _examined(found: Settings, online: bool) -> dict[str, Any]:
    """The document of ``check --json``."""
    try:
        project = load(found)
    except ConfigInvalid as invalid:
        return {"valid": False, "faults": list(invalid.faults), "warnings": []}
    faults = sample_faults(project)
    answers = _ask(found) if online and not faults else {}
    return {
        "valid": not faults,
        "faults": faults,
        "warnings": _warnings(project, found),
        "connections": {
            c.name: {"mode": c.mode, "off": c.off, "online": answers.get(c.name)}
            for c in project.connections.values()
        },
        "rules": [_rule(verdict) for verdict in lens_report(project)],
    }


def _warnings(project: Project, found: Settings) -> list[str]:
    lines = list(project.warnings)
    lines += [
        f"{c.position}: {c.name} is off: {c.off}" for c in project.connections.values() if c.off
    ]
    if not found.encryption_keys:
        lines.append("SYNCENGINE_ENCRYPTION_KEYS is not set: personal data is stored in the clear")
    return lines


def _ask(found: Settings) -> dict[str, str]:
    """Connection -> what is wrong with it, empty if it answers; those that are off are not asked."""
    with open_engine(found) as engine:
        jobs = [(name, connector.health) for name, connector in engine.connectors.items()]
        answers = dict.fromkeys(engine.connectors, "")
        for name, result in engine.call_all(jobs, width=len(jobs)):
            if isinstance(result, SyncengineError):
                answers[name] = ui.plain(result, 300)
            elif isinstance(result, BaseException):
                raise result
    return answers


def _rule(verdict: LensVerdict) -> dict[str, Any]:
    return {
        "entity": verdict.entity,
        "connection": verdict.connection,
        "field": verdict.field,
        "verdict": verdict.verdict,
        "detail": verdict.detail,
        "example": list(verdict.example) if verdict.example else None,
        "rule": str(verdict.position),
    }


def _show(document: dict[str, Any]) -> None:
    console = ui.screen()
    for fault in document["faults"]:
        ui.aside().print(Text(fault, "red"), soft_wrap=True)
    if "rules" in document:
        _show_rules(document["rules"])
        console.print()
        for name, state in document["connections"].items():
            console.print(_connection_line(name, state))
    for warning in document["warnings"]:
        ui.aside().print(Text.assemble(("warning: ", "yellow"), warning), soft_wrap=True)
    if document["faults"]:
        ui.aside().print(
            f"\n{ui.counted(len(document['faults']), 'fault')}: the project is invalid."
        )
    else:
        console.print("\nThe project is valid.", style="green")


def _connection_line(name: str, state: dict[str, Any]) -> Text:
    if state["off"]:
        return Text.assemble(f"{name}: ", ("off", "yellow"), f" ({state['off']})")
    line = Text.assemble(f"{name}: ", ("writes" if state["mode"] == "write" else "only observed"))
    if state["online"] is not None:
        line.append(", answers" if not state["online"] else "", "green")
        line.append(f", does not answer: {state['online']}" if state["online"] else "", "red")
    return line


def _show_rules(rules: list[dict[str, Any]]) -> None:
    """Where values flow both ways and come back as they were; each rule that loses something by itself."""
    console = ui.screen()
    console.print("Both ways, nothing lost:", style="bold")
    rows = ui.table("", "")
    rows.show_header = False
    same = [rule for rule in rules if rule["verdict"] == "two-way"]
    for (entity, connection), group in groupby(same, lambda r: (r["entity"], r["connection"])):
        fields = ", ".join(rule["field"] for rule in group)
        rows.add_row(f"  {entity} ↔ {connection}", ui.cell(fields, "green"))
    console.print(rows)
    one_way = sum(1 for rule in rules if rule["verdict"] == "one-way")
    console.print(f"One way only: {ui.counted(one_way, 'rule')}.")
    for rule in rules:
        if rule["verdict"] != "lossy":
            continue
        line = Text.assemble(("Lossy: ", "yellow"), f"{rule['rule']}: {rule['field']} in ")
        line.append(f"{rule['connection']} loses {rule['detail']}")
        if rule["example"]:
            ours, back = (ui.plain(value, 60) for value in rule["example"])
            line.append(f"; {ours} comes back as {back}")
        console.print(line)


def schema(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="One file for each kind of project file.")
    ] = None,
) -> None:
    """Print the JSON Schema of the project's files, for editors.

    Example: `syncengine schema --out .schemas`, then as the first line of a file:
    `# yaml-language-server: $schema=.schemas/entity.schema.json`
    """
    schemas = json_schema()
    if out is None:
        ui.emit(schemas)
        return
    out.mkdir(parents=True, exist_ok=True)
    for kind, content in schemas.items():
        path = out / f"{kind}.schema.json"
        path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        ui.screen().print(str(path), markup=False)
