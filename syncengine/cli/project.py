"""``init``, ``check``, ``schema``: the project."""

from __future__ import annotations

import json
import shutil
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from syncengine.cli import ui
from syncengine.cli.faults import lines as fault_lines
from syncengine.cli.keys import key_warnings
from syncengine.errors import ConfigInvalid, SyncengineError

if TYPE_CHECKING:
    from syncengine.edition import Edition
    from syncengine.mapping import Project
    from syncengine.mapping.lenses import LensVerdict, Mirror
    from syncengine.settings import Settings

PANEL = "Project"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=PANEL)(init)
    app.command(rich_help_panel=PANEL)(check)
    app.command(rich_help_panel=PANEL)(schema)


def copy_starter(folder: Path) -> list[str]:
    """Write the starter project into ``folder``; the names of its files."""
    from syncengine.edition import starter

    folder.mkdir(parents=True, exist_ok=True)
    shipped = sorted(starter().glob("*.yaml"))
    for file in shipped:
        shutil.copyfile(file, folder / file.name)
    return [file.name for file in shipped]


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
) -> None:
    """Write a starter project.

    Example: `syncengine init mappings`
    """
    from syncengine.bootstrap import new_encryption_key

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
    console.print(
        "\nA new key, with which the database encrypts what is personal. It is kept nowhere else: put it where you keep"
        "\npasswords, never beside the database, and set it before anything is read:"
        f"\n\n  export SYNCENGINE_ENCRYPTION_KEYS={new_encryption_key()}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def check(
    online: Annotated[bool, typer.Option("--online", help="Ask every vendor, too.")] = False,
    as_json: ui.Json = False,
) -> None:
    """Validate the project: every fault with its place, every rule tried out on samples and on rows seen so far.

    Example: `syncengine check --online`. Exits 2 where the project is invalid, 1 where a vendor does not answer.
    """
    found = ui.settings()
    document = _examined(found, online)
    if as_json:
        ui.emit(document)
    else:
        _show(document, found.project)
    failed = any(c["online"] for c in document.get("connections", {}).values())
    ui.leave(ui.Exit.INVALID if document["faults"] else ui.Exit.ERROR if failed else ui.Exit.DONE)


def _examined(found: Settings, online: bool) -> dict[str, Any]:
    """The document of ``check --json``."""
    from syncengine.edition import read_edition
    from syncengine.mapping.checks import sample_faults
    from syncengine.mapping.lenses import lens_report

    try:
        edition = read_edition(found)
    except ConfigInvalid as invalid:
        return {"valid": False, "faults": list(invalid.faults), "warnings": []}
    project = edition.project
    faults = sample_faults(project)
    answers = _ask(found) if online and not faults else {}
    mirror, unread = _mirror(found, edition)
    return {
        "valid": not faults,
        "faults": faults,
        "warnings": [*_warnings(project, found), *unread],
        "connections": {
            c.name: {"mode": c.mode, "off": c.off, "online": answers.get(c.name)}
            for c in project.connections.values()
        },
        "rules": [rule_document(project, verdict) for verdict in lens_report(project, mirror)],
        "tried_on": sum(map(len, mirror.values())),
    }


def _mirror(found: Settings, edition: Edition) -> tuple[Mirror, list[str]]:
    """Rows that the database knows, if there is one, and a warning where they cannot be read."""
    from syncengine.edition import has_ledger

    if not has_ledger(found):
        return {}, []
    from syncengine.bootstrap import open_engine
    from syncengine.flows.core.world import seen_rows

    try:
        with open_engine(found, edition=edition) as engine:
            return seen_rows(engine), []
    except SyncengineError as error:
        return {}, [f"rules were tried on samples only: {error}"]


def _warnings(project: Project, found: Settings) -> list[str]:
    from syncengine.edition import exposed_files

    lines = list(project.warnings)
    lines += [
        f"{c.position}: {c.name} is off: {c.off}" for c in project.connections.values() if c.off
    ]
    notify = project.notify
    lines += [f"notify: {c.name} is off: {c.off}" for c in notify.channels.values() if c.off]
    lines += [f"notify: heartbeat is off: {notify.heartbeat_off}"] * bool(notify.heartbeat_off)
    return lines + key_warnings(found) + _notices(project, found) + exposed_files(found)


def _notices(project: Project, found: Settings) -> list[str]:
    """What is to be said of the secrets of notices."""
    lines = [
        f"{c.position}: {c.name} takes no notice: the variables that its webhook names are not set"
        for c in project.connections.values()
        if c.webhook == () and not c.off
    ]
    sharers = [c.name for c in project.connections.values() if c.webhook is None]
    if found.webhook_secret and len(sharers) > 1:
        lines.append(
            f"SYNCENGINE_WEBHOOK_SECRET signs for all of {', '.join(sharers)}: give each that sends notices a secret "
            "of its own, `webhook:` in connections.yaml, or begin its webhook-ids with its name and a colon"
        )
    return lines


_NOTHING_THERE = ("HTTP 404", "HTTP 405", "HTTP 410")
_PATH = "; it answers, but nothing is there: is the path of base_url right?"


def _ask(found: Settings) -> dict[str, str]:
    """Connection -> what is wrong with it, empty if it answers; those that are off are not asked."""
    from syncengine.bootstrap import open_engine

    with open_engine(found) as engine:
        jobs = [(name, connector.health) for name, connector in engine.connectors.items()]
        answers = dict.fromkeys(engine.connectors, "")
        for name, result in engine.call_all(jobs, width=len(jobs)):
            if isinstance(result, SyncengineError):
                told = ui.plain(result, 300)
                answers[name] = told + _PATH if told.endswith(_NOTHING_THERE) else told
            elif isinstance(result, BaseException):
                raise result
    return answers


def rule_document(project: Project, verdict: LensVerdict) -> dict[str, Any]:
    """What ``check --json`` says of one rule; a sensitive value that was seen is dotted."""
    from syncengine.flows.naming.masking import DOTS

    loss = verdict.loss
    hidden = project.entities[verdict.entity].fields[verdict.field].sensitive
    example = None
    if loss is not None:
        shown = [DOTS if hidden and loss.seen else value for value in (loss.given, loss.back)]
        example = {
            "side": loss.side, "given": shown[0], "back": shown[1], "refused": loss.refused,
        }  # fmt: skip
    return {
        "entity": verdict.entity,
        "connection": verdict.connection,
        "field": verdict.field,
        "verdict": verdict.verdict,
        "detail": verdict.detail,
        "example": example,
        "rule": str(verdict.position),
    }


def _show(document: dict[str, Any], folder: Path) -> None:
    console = ui.screen()
    for line in fault_lines(document["faults"], folder):
        ui.aside().print(line, soft_wrap=True)
    if "rules" in document:
        _show_rules(document["rules"])
        tried = ui.counted(document["tried_on"], "row") + " seen so far"
        console.print(f"Tried on samples{f' and on {tried}' if document['tried_on'] else ''}.")
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
    """Where values flow both ways and come back as they were, where one way only, and what the others lose."""
    console = ui.screen()
    signs = {"": "↔", "in": "←", "out": "→"}
    for heading, verdict in (("Both ways, nothing lost:", "two-way"), ("One way:", "one-way")):
        alike = [rule for rule in rules if rule["verdict"] == verdict]
        rows = ui.table("", "")
        rows.show_header = False
        for (entity, connection, detail), group in groupby(
            sorted(alike, key=lambda r: (r["entity"], r["connection"], r["detail"])),
            key=lambda r: (r["entity"], r["connection"], r["detail"]),
        ):
            fields = ", ".join(rule["field"] for rule in group)
            rows.add_row(f"  {entity} {signs[detail]} {connection}", ui.cell(fields, "green"))
        if alike:
            console.print(heading, style="bold")
            console.print(rows)
    lossy = [rule for rule in rules if rule["verdict"] == "lossy"]
    if lossy:
        console.print("Both ways, something is lost:", style="bold")
    for rule in lossy:
        head = f"  {rule['entity']} ↔ {rule['connection']}"
        line = Text.assemble(head, f"  {rule['field']} ", (f"loses {rule['detail']}", "yellow"))
        line.append(_loss(rule["connection"], rule["example"]))
        line.append(f"  {rule['rule']}", "dim")
        console.print(line, soft_wrap=True)


def _loss(connection: str, example: dict[str, Any] | None) -> str:
    if example is None:
        return ""
    given, back = (
        f"'{value}'" if isinstance(value, str) else ui.plain(value, 60)
        for value in (example["given"], example["back"])
    )
    whose = "ours" if example["side"] == "ours" else f"of {connection}"
    if example["refused"]:
        return f": {given} ({whose}) cannot be written there"
    return f": {given} ({whose}) comes back as {back}"


def schema(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="One file for each kind of project file.")
    ] = None,
) -> None:
    """Print the JSON Schema of the project's files, for editors.

    Example: `syncengine schema --out .schemas`, then as the first line of a file:
    `# yaml-language-server: $schema=.schemas/entity.schema.json`
    """
    from syncengine.mapping.checks import json_schema

    schemas = json_schema()
    if out is None:
        ui.emit(schemas)
        return
    out.mkdir(parents=True, exist_ok=True)
    for kind, content in schemas.items():
        path = out / f"{kind}.schema.json"
        path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        ui.screen().print(str(path), markup=False)
