"""``plan`` and ``sync``: what would be written, and writing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from syncengine.cli import ui
from syncengine.flows import look
from syncengine.flows.engine import Engine
from syncengine.flows.plan import plan as make_plan
from syncengine.flows.scenes import as_list
from syncengine.flows.status import let_be
from syncengine.flows.sync import Progress as Report
from syncengine.flows.sync import sync as run_sync
from syncengine.mapping import System
from syncengine.model.case import CaseKind

PANEL = "Sync"
_SIGNS = {
    "create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red"),
    "leave": ("-", "red"), "learn": ("<", "cyan"),
}  # fmt: skip
_WIDTH = 48
"""Characters of a value on the screen."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=PANEL)(plan)
    app.command(rich_help_panel=PANEL)(sync)


def plan(
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Read all vendors first; nothing is written to them.")
    ] = False,
    as_json: ui.Json = False,
) -> None:
    """Show what a sync would write, field by field, and write nothing.

    Examples: `syncengine plan --fresh`, then `syncengine sync --plan DIGEST` writes if the plan is still that one.
    Exits 3 where changes are pending.
    """
    with ui.engine() as opened:
        faults: list[str] = []
        if fresh:
            with _progress() as report:
                faults = run_sync(_observing(opened), progress=report)["faults"]
        document = make_plan(opened)
        held = [case["question"] for case in look.select_cases(opened, CaseKind.STAGED)]
        document |= {"faults": faults, "held": held, "let_be": let_be(opened)}
        with opened.ledger.read() as tx:
            called = look.names(opened, tx, _mentioned(opened, document))
        for change in document["changes"]:
            change["name"] = called.of(change["record"])
        if as_json:
            ui.emit(document)
        else:
            _show_plan(opened, document, called)
    if faults:
        ui.leave(ui.Exit.ERROR)
    ui.leave(ui.Exit.PENDING if document["changes"] or document["unsorted"] else ui.Exit.DONE)


def _observing(opened: Engine) -> Engine:
    """The same engine, in which every connection is only looked at."""
    project = opened.project
    connections = {n: replace(c, mode="observe") for n, c in project.connections.items()}
    return replace(opened, project=replace(project, connections=connections))


def _mentioned(opened: Engine, document: Mapping[str, Any]) -> set[str]:
    """The records that a plan is about, and those that its refs name."""
    found = {change["record"] for change in document["changes"]}
    for change in document["changes"]:
        fields = opened.project.entities[change["entity"]].fields
        for item in change["fields"]:
            if item["field"] in fields and fields[item["field"]].is_ref:
                found |= {str(v) for side in ("old", "new") for v in as_list(item[side])}
    return found


def _show_plan(opened: Engine, document: dict[str, Any], called: look.Names) -> None:
    console = ui.screen()
    changes = document["changes"]
    for (entity, connection), group in groupby(
        changes, key=lambda c: (c["entity"], c["connection"])
    ):
        _show_group(console, opened, called, entity, connection, list(group))
    for fault in document["faults"]:
        ui.aside().print(Text(f"not read: {fault}", "red"), soft_wrap=True)
    for kind, count in document["questions"].items():
        console.print(f"{ui.counted(count, 'question')} of kind {kind} would be asked.")
    for question in document["held"]:
        console.print(ui.cell(f"Held for an answer (`syncengine cases list`): {question}"))
    for line in document["let_be"]:
        console.print(ui.not_written(line))
    if document["unsorted"]:
        rows = ui.counted(document["unsorted"], "row")
        console.print(
            f"{rows} not looked at yet: `syncengine plan --fresh` tells who is who.",
            style="yellow", markup=False,
        )  # fmt: skip
    if not changes:
        with opened.ledger.read() as tx:
            empty = not tx.count_links()
        hint = "Nothing has been read yet: run `syncengine plan --fresh`."
        console.print(hint if empty else "Nothing to write.", markup=False)
        return
    digest = document["digest"]
    console.print(f"{ui.counted(len(changes), 'change')}: {_counts(changes)}.", style="bold")
    if any(change.get("observed_only") for change in changes):
        console.print("Connections marked so are only observed: set SYNCENGINE_MODE=write first.")
    console.print(f"Write exactly this: syncengine sync --plan {digest}", markup=False)


def _counts(changes: list[dict[str, Any]]) -> str:
    totals = Counter(change["action"] for change in changes)
    return ", ".join(f"{totals[action]:,} {action}" for action in _SIGNS if totals[action])


def _show_group(
    console: Console,
    opened: Engine,
    called: look.Names,
    entity: str,
    connection: str,
    changes: list[dict[str, Any]],
) -> None:
    """All changes of one entity in one connection, with a heading that counts them."""
    declared = opened.project.entities[entity]
    observed = " (only observed)" if changes[0].get("observed_only") else ""
    head, counts = f"{entity} · {connection}", f"  {_counts(changes)}"
    console.print(Text.assemble((head, "bold"), counts, (observed, "yellow")))
    shown = [
        (item["field"], _move(called, declared, item), item["rule"])
        for change in changes
        for item in change["fields"]
    ]
    columns = (
        max((len(name) for name, _, _ in shown), default=0),
        max((len(move) for _, move, _ in shown), default=0),
    )
    for change in changes:
        sign, style = _SIGNS[change["action"]]
        name, end = ui.plain(change["name"]), f"  {ui.short(change['record'])}"
        console.print(Text.assemble((f"  {sign} ", style), name, (end, "dim")), soft_wrap=True)
        for item in change["fields"]:
            line = Text(f"      {item['field']:<{columns[0]}}  ")
            line.append(f"{_move(called, declared, item):<{columns[1]}}", style)
            line.append(f"  {item['rule']}", "dim")
            console.print(line, soft_wrap=True)
        system = declared.systems.get(connection)
        for path, value in _constants(system, change["action"]):
            console.print(Text(f"      {path} = {ui.plain(value)}", style), soft_wrap=True)
    console.print()


def _constants(system: System | None, action: str) -> Iterator[tuple[str, Any]]:
    """What ``set`` adds to a write."""
    if system is not None and action in ("create", "leave"):
        yield from (system.set_create if action == "create" else system.set_leave).items()


def _move(called: look.Names, entity: Any, item: Mapping[str, Any]) -> str:
    old, new = (
        ui.plain(called.value(entity, item["field"], item[k]), _WIDTH) for k in ("old", "new")
    )
    return new if item["old"] is None else f"{old} → {new}"


def sync(
    connection: ui.Connection = None,
    entity: ui.Entity = None,
    record: Annotated[
        str | None,
        typer.Option(help="Only this record: id, name, address, number.", metavar="KEY"),
    ] = None,
    digest: Annotated[
        str | None, typer.Option("--plan", metavar="DIGEST", help="Only if the plan is still this.")
    ] = None,
    as_json: ui.Json = False,
) -> None:
    """Read, merge and write until everything agrees, in this process; no broker is needed.

    Examples: `syncengine sync`, `syncengine sync --connection hakuna`, `syncengine sync --record "Anna Meier"`.
    Exits 0 when everything agrees, 1 on an error, 4 when something waits for a person.
    """
    with ui.engine() as opened:
        ui.known("--connection", connection, list(opened.project.connections))
        ui.known("--entity", entity, list(opened.project.entities))
        chosen = None if record is None else find_one(opened, record, entity)
        with _progress() as report:
            document = run_sync(opened, connection, entity, chosen, digest, report)
        held, unsettled = look.held_back(opened)
        document["let_be"] = let_be(opened)
        code = verdict(document, held, unsettled)
        if as_json:
            ui.emit(document)
        else:
            _show_sync(document, held, code)
    ui.leave(code)


def find_one(opened: Engine, text: str, entity: str | None) -> str:
    """The id of the one record that ``text`` means; anything else is bad usage."""
    found = look.find_records(opened, text, entity)
    if len(found) == 1:
        return found[0][1]
    if not found:
        raise typer.BadParameter(f"no record is known by {text!r}")
    lines = "; ".join(f"{e} {ui.short(i)} {ui.plain(n)}" for e, i, n in found[:8])
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    raise typer.BadParameter(f"{text!r} may be {lines}{more}: name one by the end of its id")


def verdict(document: Mapping[str, Any], held: int, unsettled: int) -> ui.Exit:
    """Errors outrank what waits for a person; what waits for another record alone is fine."""
    waits = bool(document["cases"]) or held > 0
    stuck = not document["converged"] and (unsettled > held or not waits)
    if document["faults"] or stuck:
        return ui.Exit.ERROR
    return ui.Exit.PERSON if waits else ui.Exit.DONE


@contextmanager
def _progress() -> Iterator[Report | None]:
    """A bar on standard error, if that is a terminal."""
    console = ui.aside()
    if not console.is_terminal:
        yield None
        return
    columns = (
        SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(20),
        MofNCompleteColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def report(what: str, done: int, of: int) -> None:
            if of:
                bar.update(task, description=what, completed=done, total=of)
            else:
                bar.update(task, description=f"{what}, {done} written")

        yield report


def _show_sync(document: Mapping[str, Any], held: int, code: ui.Exit) -> None:
    console = ui.screen()
    rows = ui.table(
        "connection", "reads", "writes", "repeated", "lower bound",
        right=("reads", "writes", "repeated", "lower bound"),
    )  # fmt: skip
    for name, connection in document["connections"].items():
        calls = connection["calls"]
        cells = (f"{calls[k]:,}" for k in ("reads", "writes", "retries", "lower_bound"))
        rows.add_row(name, *cells)
    console.print(rows)
    console.print()
    outcomes = {k: n for k, n in document["operations"].items() if n}
    told = ", ".join(f"{n:,} {k.replace('_', ' ')}" for k, n in outcomes.items())
    console.print(f"Writes: {told or 'none'}.")
    waiting = document["waiting"] - sum(line["count"] for line in document["let_be"])
    if waiting:
        links = ui.counted(waiting, "link")
        console.print(f"Waiting for something else: {links}: `syncengine status`.")
    for line in document["let_be"]:
        console.print(ui.not_written(line))
    if held:
        console.print(f"Held back by a person: {ui.counted(held, 'write')}: `syncengine status`.")
    if document["cases"]:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in document["cases"].items())
        console.print(f"Waiting for a person: {kinds}: `syncengine cases list`.", style="yellow")
    for fault in document["faults"]:
        ui.aside().print(Text(f"not read: {fault}", "red"), soft_wrap=True)
    after = f"after {document['duration_s']:.1f} s"
    headline = {
        ui.Exit.DONE: (
            f"Everything {'else ' * bool(document['let_be'])}agrees, {after}.",
            "bold green",
        ),
        ui.Exit.PERSON: (f"Everything else agrees, {after}.", "bold yellow"),
        ui.Exit.ERROR: (
            f"Not finished, {after}: see `syncengine status`; run it again.",
            "bold red",
        ),
    }
    text, style = headline[code]
    console.print(ui.cell(text, style))
