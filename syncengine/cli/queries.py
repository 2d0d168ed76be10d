"""``status``, ``operations``, ``events``, ``links list``: look, and change nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from syncengine.cli import ui
from syncengine.cli.standing import headline, show_lines
from syncengine.cli.wanted import Record, Since, Until, wanted
from syncengine.model.link import LinkState
from syncengine.model.operation import OperationState

PANEL = "Look"

OUTSIDE = "out of scope"
"""What is said of links that are to get no row yet, or not any more."""

links = typer.Typer(help="Which row of a vendor belongs to which record.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=PANEL)(status)
    app.command(rich_help_panel=PANEL)(operations)
    app.command(rich_help_panel=PANEL)(events)
    app.add_typer(links, name="links", rich_help_panel=PANEL)


def status(
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Only what is to be known; exit 3, 4 or 1 where it is not well."
        ),
    ] = False,
    as_json: ui.Json = False,
) -> None:
    """Show how everything stands: what waits, what is not in order, and every connection.

    Examples: `syncengine status`; `syncengine status --check` in a monitor exits 0 where all is well, 3 when changes
    are not sent, 4 when something waits for a person, 1 when something is not in order.
    """
    from syncengine.flows.views.standing import document as standing_document
    from syncengine.flows.views.standing import standing
    from syncengine.flows.views.status import status as read_status

    with ui.engine() as opened:
        now = standing(opened)
        told = standing_document(opened, now)
        document = told if check else {"standing": told, **read_status(opened)}
    if as_json:
        ui.emit(document)
    else:
        console = ui.screen()
        console.print(headline(told))
        show_lines(console, told)
        if not check:
            console.print()
            _show_status(document)
    if check:
        ui.leave(ui.Exit(now.level.exit_code))


def _show_status(document: dict[str, Any]) -> None:
    console = ui.screen()
    if back := document["clock"]:
        line = (
            f"The clock went back by {back['went_back_s']:,} s, as was noticed {_ago(back['noticed_at'])}: "
            "what was stored ahead of it counts as of then."
        )
        console.print(line, style="yellow", markup=False, soft_wrap=True)
    rows = ui.table("connection", "state", "listing", "rows", "read", right=("rows",))
    for name, connection in document["connections"].items():
        first: tuple[Any, Any] = (name, _state(connection))
        for resource, seen in connection["resources"].items():
            age = ui.cell(_read(seen)) if not seen["fault"] else ui.cell(seen["fault"], "red")
            rows.add_row(*first, resource, f"{seen['rows']:,}", age)
            first = ("", "")
        if first[0]:
            rows.add_row(*first)
    console.print(rows)
    console.print()
    _show_links(document["links"], document["out_of_scope"])
    _show_rest(document)
    _show_retention(document["retention"])
    _show_processes(document["project"])


def _read(seen: dict[str, Any]) -> str:
    """When a resource was read as a whole; of a listing that takes long also how old its parts are."""
    whole, going = _ago(seen["scanned_at"]), seen["under_way"]
    if seen["asked_at"]:
        due = _ago if seen["asked_at"] <= ui.now() else ui.clock
        whole += f", to be listed: due {due(seen['asked_at'])}"
    if going is None:
        return whole
    parts = f"{going['read']:,} of {going['parts']:,} parts since {_ago(going['started'])}"
    if going["reread_at"] is not None:
        parts += f", what moved lately {_ago(going['reread_at'])}"
    return f"{parts}; the rest {whole}"


def _state(connection: dict[str, Any]) -> Text:
    """What there is to say, the worst first."""
    said = [f"{n}: {connection[n]}" for n in ("off", "halted", "paused") if connection[n]]
    if said:
        return ui.cell("; ".join(said), "red" if connection["halted"] else "yellow")
    until = connection["blocked_until"] or 0
    if connection["failures"] or until > ui.now():
        word = "failing" if connection["failures"] else "at its limit"
        return ui.cell(f"{word}, not asked before {ui.clock(until)[-8:]}", "yellow")
    return ui.cell("writes", "green") if connection["mode"] == "write" else ui.cell("observes")


def _ago(at: float | None) -> str:
    if not at:
        return "never"
    seconds = max(0, int(ui.now() - at))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _show_links(links: list[dict[str, Any]], outside: list[dict[str, Any]]) -> None:
    states = [str(s) for s in LinkState if any(line["state"] == s for line in links)]
    states += [OUTSIDE] * bool(outside)
    if not states:
        return
    counts = Counter[tuple[str, str, str]]()
    for line in links:
        counts[line["entity"], line["connection"], line["state"]] += line["count"]
    for line in outside:
        counts[line["entity"], line["connection"], LinkState.CREATING] -= line["count"]
        counts[line["entity"], line["connection"], OUTSIDE] += line["count"]
    rows = ui.table("entity", "connection", *states, right=states)
    for entity, connection in dict.fromkeys((line["entity"], line["connection"]) for line in links):
        numbers = (counts[entity, connection, state] for state in states)
        rows.add_row(entity, connection, *(f"{n:,}" if n else "·" for n in numbers))
    ui.screen().print(rows)
    ui.screen().print()


def _show_rest(document: dict[str, Any]) -> None:
    console = ui.screen()
    done: Counter[str] = Counter()
    for line in document["operations"]:
        done[line["state"]] += line["count"]
    told = ", ".join(f"{n:,} {state}" for state, n in sorted(done.items())) or "none"
    console.print(f"Writes: {told}. Events: {document['events']:,}.")
    if document["first"]:
        console.print(ui.first_writes(document["first"]))
    if document["kept_out"]:
        count = document["kept_out"]
        console.print(
            f"Erased, shown again, and kept out: {count:,}: `syncengine erasures`.", markup=False
        )


def _show_retention(lines: list[dict[str, Any]]) -> None:
    """What is kept how long, what goes next, and what stays since something rests on it."""
    names = {line["kind"]: _KEPT.get(line["kind"], line["kind"]) for line in lines}
    told = ", ".join(f"{names[line['kind']]} {ui.span(line['kept_s'])}" for line in lines)
    said = f"Kept: {told}."
    coming = min(
        (x for x in lines if x["next_at"]), key=lambda x: float(x["next_at"]), default=None
    )
    if coming is not None:
        said += f" Next to go: {names[coming['kind']]}, on {ui.clock(coming['next_at'])[:10]}."
    needed = [f"{x['needed']:,} {names[x['kind']]}" for x in lines if x["needed"]]
    if needed:
        said += f" Older, and still needed: {', '.join(needed)}."
    ui.told(ui.cell(said))


_KEPT = {
    "operations": "writes", "cases": "answered questions", "left": "deleted records",
    "rows": "rows of nobody", "runs": "silent processes", "passes": "runs",
}  # fmt: skip
"""What people call a kind of ``flows.forget.retention``, where it is called otherwise there."""


@links.command("list")
def list_links(
    unlinked: Annotated[
        bool, typer.Option("--unlinked", help="Only rows that belong to no record.")
    ] = False,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only rows that wait for something.")
    ] = False,
    entity: ui.Entity = None,
    connection: ui.Connection = None,
    limit: ui.Limit = 100,
    sensitive: ui.Sensitive = False,
    as_json: ui.Json = False,
) -> None:
    """List rows of vendors and the records they belong to.

    Examples: `syncengine links list --unlinked --connection haekka`, `syncengine links list --waiting`
    """
    from syncengine.flows.views import queries

    states = queries.UNLINKED if unlinked else ()
    with ui.engine(sensitive) as opened:
        ui.known("--entity", entity, list(opened.project.entities))
        ui.known("--connection", connection, list(opened.project.connections))
        document = queries.select_links(opened, entity, connection, states, limit, waiting)
        with opened.ledger.read() as tx:
            total = sum(tx.count_links().values())
    if as_json:
        ui.emit({"links": document})
        return
    rows = ui.table("entity", "row", "name", "record", "state", below=("row", "name"))
    for link in document:
        rows.add_row(
            link["entity"],
            ui.cell(f"{link['connection']} {link['external_id'] or '(to be made)'}", width=30),
            ui.cell(link["name"], width=44),
            ui.cell(ui.short(link["record"]), "dim"),
            ui.cell(ui.link_state(link)),
        )
    narrowed = unlinked or waiting or entity is not None or connection is not None
    ui.listed(rows, len(document), limit, "link", total if narrowed else None)


def operations(
    state: Annotated[
        OperationState | None, typer.Option(help="Only in this state.", show_choices=True)
    ] = None,
    connection: ui.Connection = None,
    record: Record = None,
    since: Since = None,
    until: Until = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Only what follows from what this person decided, or was sent by their sync.",
            metavar="NAME",
        ),
    ] = None,
    limit: ui.Limit = 50,
    sensitive: ui.Sensitive = False,
    as_json: ui.Json = False,
) -> None:
    """List writes, the newest first.

    Examples: `syncengine operations --state unknown`, `syncengine operations --record "Anna Meier" --since 2d`,
    `syncengine operations --by kim`
    """
    from syncengine.flows.views import written_by
    from syncengine.flows.views.queries import select_operations

    with ui.engine(sensitive) as opened:
        asked = wanted(opened, record, since, until, by, connection)
        if by is None:
            document = select_operations(
                opened, connection, state, limit, asked.record, asked.since, asked.until
            )
        else:
            document = written_by.select(
                opened, by, limit, connection=connection, state=state, record_id=asked.record,
                created_at__ge=asked.since, created_at__lt=asked.until,
            )  # fmt: skip
        with opened.ledger.read() as tx:
            total = sum(tx.count_operations().values())
    if as_json:
        ui.emit({"operations": document})
        return
    narrowed = asked.narrowed or state is not None
    _show_operations(document, limit, total if narrowed else None)


def _show_operations(document: list[dict[str, Any]], limit: int, total: int | None) -> None:
    rows = ui.table("at", "write", "of", "fields", "state", below=("of", "state"))
    for operation in document:
        detail = operation["detail"]
        if operation["state"] == "rejected":  # the rest is the vendor's own words: `cases show`
            detail = detail.partition(":")[0]
        told = operation["state"] + (f": {detail}" if detail else "")
        rows.add_row(
            ui.cell(ui.stamp(operation["created_at"]), "dim"),
            f"{operation['action']} {operation['connection']} {operation['resource']}",
            ui.cell(operation["name"], width=44),
            ui.cell(operation["fields"] or "–"),
            ui.cell(told, _COLOURS.get(operation["state"], "yellow"), width=80),
        )
    ui.listed(rows, len(document), limit, "write", total)
    ui.times()


def _show_processes(project: dict[str, Any]) -> None:
    """Which processes of a service work by the project as its files stand, and which by another edition, and why."""
    console = ui.screen()
    same = [p for p in project["processes"] if p["same"]]
    if same:
        kinds = Counter(p["kind"] for p in same)
        told = ", ".join(ui.counted(n, kind, kind) for kind, n in sorted(kinds.items()))
        console.print(f"Service: {told} on the project as it stands ({project['digest']}).")
    for process in project["processes"]:
        if process["same"]:
            continue
        who = f"{process['kind']} {process['pid']} on {process['host']}"
        since = f"{process['digest']}, since {ui.clock(process['since'])}"
        why = (
            "its files are refused"
            if process["refused"]
            else "it takes what you see here with its next task, if it sees the same"
        )
        seen = _ago(process["seen_at"])
        text = (
            f"Service: {who} works by another edition of the project ({since}; {why}; seen {seen})."
        )
        console.print(ui.cell(text, "yellow"))
        for fault in process["refused"]:
            console.print(ui.cell(f"  {fault}", "red"))


_COLOURS = {"applied": "green", "cancelled": "dim", "stale": "dim", "rejected": "red"}


def events(
    connection: ui.Connection = None,
    record: Record = None,
    since: Since = None,
    until: Until = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Only learned in this way: scan, poll, read, write, webhook.", metavar="HOW"
        ),
    ] = None,
    limit: ui.Limit = 50,
    sensitive: ui.Sensitive = False,
    as_json: ui.Json = False,
) -> None:
    """List what vendors showed, the newest first: which row moved, and how we learned of it.

    Examples: `syncengine events --connection heavenhr --limit 20`, `syncengine events --by webhook --since 18:00`
    """
    from syncengine.flows.views import queries

    with ui.engine(sensitive) as opened:
        asked = wanted(opened, record, since, until, connection=connection)
        found = queries.select_events(
            opened, connection, limit, asked.record, asked.since, asked.until, by
        )
        with opened.ledger.read() as tx:
            total = tx.count_events()
    if as_json:
        ui.emit({"events": [asdict(event) for event in found]})
        return
    rows = ui.table("event", "at", "by", "row", right=("event",), below=("row",))
    for event in found:
        where = f"{event.connection} {event.resource} {event.external_id}"
        at = ui.cell(ui.stamp(event.at), "dim")
        rows.add_row(str(event.id), at, event.source, ui.cell(where))
    narrowed = asked.narrowed or by is not None
    ui.listed(rows, len(found), limit, "event", total if narrowed else None)
    ui.times()
