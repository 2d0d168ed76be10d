"""``plan`` and ``sync``: what would be written, and writing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from syncengine.cli import ui
from syncengine.cli.listing import Listing
from syncengine.cli.planned import show_plan
from syncengine.cli.standing import headline, show_lines, worst

if TYPE_CHECKING:
    from syncengine.flows.core.engine import Engine
    from syncengine.flows.run.sync import Progress as Report
    from syncengine.flows.run.waiting import Tell

PANEL = "Sync"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=PANEL)(plan)
    app.command(rich_help_panel=PANEL)(sync)


def plan(
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Read all vendors first; nothing is written to them.")
    ] = False,
    record: Annotated[
        str | None,
        typer.Option(
            help="Only what concerns this record: id, name, address, number.", metavar="KEY"
        ),
    ] = None,
    sensitive: ui.Sensitive = False,
    as_json: ui.Json = False,
) -> None:
    """Show what a sync would write, field by field, and write nothing.

    Examples: `syncengine plan --fresh`, then `syncengine sync --plan DIGEST` writes if the plan is still that one;
    `syncengine plan --record "Anna Meier"`. Exits 3 where changes are pending.
    """
    from syncengine.flows.core.runs import running
    from syncengine.flows.views.plan import about, preview
    from syncengine.flows.views.standing import document as standing_document
    from syncengine.flows.views.standing import standing
    from syncengine.model.run import PLAN

    with ui.engine(sensitive) as opened:
        chosen = None if record is None else find_one(opened, record, None)
        with running(opened, PLAN) as noted, _progress() as (report, tell):
            found = preview(opened, fresh, report, tell)
            noted.fault = "; ".join(found.document["faults"])
        if chosen is not None:
            found = about(opened, found, chosen)
        document = {**found.document, "standing": standing_document(opened, standing(opened))}
        if as_json:
            ui.emit(document)
        else:
            show_plan(opened, found, document["standing"])
    if document["faults"]:
        ui.leave(ui.Exit.ERROR)
    ui.leave(ui.Exit.PENDING if document["changes"] or document["unsorted"] else ui.Exit.DONE)


def sync(
    connection: ui.Connection = None,
    entity: ui.Entity = None,
    record: Annotated[
        str | None,
        typer.Option(help="Only this record: id, name, address, number.", metavar="KEY"),
    ] = None,
    digest: Annotated[
        str | None,
        typer.Option("--plan", metavar="DIGEST", help="Write exactly this plan, or nothing."),
    ] = None,
    as_json: ui.Json = False,
) -> None:
    """Read, merge and write until everything agrees, in this process; no broker is needed.

    Examples: `syncengine sync`, `syncengine sync --connection hakuna`, `syncengine sync --record "Anna Meier"`.
    Exits 0 when everything agrees, 1 on an error or a fault, 3 when changes are not sent since a connection is only
    observed, 4 when something waits for a person.
    """
    from syncengine.flows.run.sync import sync as run_sync
    from syncengine.flows.tell.tell import tell as tell_people
    from syncengine.flows.views import queries
    from syncengine.flows.views.standing import document as standing_document
    from syncengine.flows.views.standing import standing
    from syncengine.flows.views.status import rejected_writes
    from syncengine.planning.standing import SERVICE

    with ui.engine() as opened:
        ui.known("--connection", connection, list(opened.project.connections))
        ui.known("--entity", entity, list(opened.project.entities))
        chosen = None if record is None else find_one(opened, record, entity)
        console = ui.aside() if as_json else ui.screen()
        with _progress() as (report, tell):
            document = run_sync(
                opened, connection, entity, chosen, digest, report,
                lambda writes: console.print(ui.first_writes(writes)), tell,
            )  # fmt: skip
        held, unsettled = queries.blocked_operations(opened)
        document["let_be"] = rejected_writes(opened)
        now = standing(opened).without(SERVICE)
        document["standing"] = standing_document(opened, now)
        code = worst(verdict(document, held, unsettled), now.level.exit_code)
        tell_people(opened)
        if as_json:
            ui.emit(document)
        else:
            _show_sync(document, code)
    ui.leave(code)


def find_one(opened: Engine, text: str, entity: str | None, gone: bool = False) -> str:
    """The id of the one record that ``text`` means, as ``look.find_records`` says; anything else is bad usage."""
    from syncengine.flows.views import queries

    found = queries.find_records(opened, text, entity, gone)
    if len(found) == 1:
        ui.is_about(f"record {found[0][1]}")
        return found[0][1]
    if not found:
        asked = queries.questions_about(opened, text)
        shown = ", ".join(f"`syncengine cases show {ui.short(case)}`" for case in asked[:8])
        raise typer.BadParameter(
            f"no record is known by {text!r}" + f"; it is asked who that is: {shown}" * bool(asked)
        )
    lines = "; ".join(f"{e} {ui.short(i)} {ui.plain(n)}" for e, i, n in found[:8])
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    raise typer.BadParameter(
        f"{text!r} may be {lines}{more}: name one by the end of its id or by an address or number of its own"
    )


def verdict(document: Mapping[str, Any], held: int, unsettled: int) -> ui.Exit:
    """Errors outrank what waits for a person, such as writes beyond an agreed plan; what waits for another record
    alone is fine."""
    left = document["left"]
    waits = bool(document["cases"]) or held > 0 or left > 0
    stuck = not document["converged"] and (unsettled > held + left or not waits)
    if document["faults"] or stuck:
        return ui.Exit.ERROR
    return ui.Exit.PERSON if waits else ui.Exit.DONE


@contextmanager
def _progress() -> Iterator[tuple[Report | None, Tell]]:
    """A bar on standard error, if that is a terminal; and lines there of what a pass waits for."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    console = ui.aside()

    def tell(line: str) -> None:
        console.print(ui.plain(line), markup=False, soft_wrap=True)

    if not console.is_terminal:
        yield None, tell
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

        yield report, tell


def _show_sync(document: Mapping[str, Any], code: ui.Exit) -> None:
    console = ui.screen()
    console.print(_calls(document["connections"]))
    console.print()
    outcomes = {k: n for k, n in document["operations"].items() if n}
    told = ", ".join(f"{n:,} {k.replace('_', ' ')}" for k, n in outcomes.items())
    console.print(f"Writes: {told or 'none'}.")
    if document["left"]:
        writes = ui.counted(document["left"], "write")
        console.print(
            f"Not in the plan, so left for the next pass: {writes}: `syncengine plan`.",
            style="yellow",
        )
    show_lines(console, document["standing"])
    for fault in document["faults"]:
        ui.aside().print(Text(f"not done: {fault}", "red"), soft_wrap=True)
    after = f", after {document['duration_s']:.1f} s"
    if code is ui.Exit.ERROR and document["standing"]["level"] != "fault":
        told = f"Not finished{after}: see `syncengine status`; run it again."
        console.print(ui.cell(told, "bold red"))
    elif code is ui.Exit.PERSON and document["standing"]["level"] != "ask":
        console.print(ui.cell(f"Waits for a person{after}.", "bold yellow"))
    else:
        console.print(headline(document["standing"], after))


def _calls(connections: Mapping[str, Any]) -> Listing:
    """The calls that a sync took, a line for each connection."""
    rows = ui.table(
        "connection", "reads", "writes", "repeated", "lower bound",
        right=("reads", "writes", "repeated", "lower bound"),
    )  # fmt: skip
    for name, connection in connections.items():
        calls = connection["calls"]
        cells = (f"{calls[k]:,}" for k in ("reads", "writes", "retries", "lower_bound"))
        rows.add_row(name, *cells)
    return rows
