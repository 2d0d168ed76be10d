"""``links split|point|join``, ``undo``, ``pause``, ``resume``, ``db``: what a person decides unasked."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from syncengine.cli import queries, ui
from syncengine.cli.author import As, decider, must_reach
from syncengine.cli.noted import noted
from syncengine.cli.passes import find_one
from syncengine.model.rights import Deed, Right

if TYPE_CHECKING:
    from syncengine.flows.core.engine import Engine

PANEL = "Decide"
ALL = "all of them"
"""What a pause is about that names no connection, in the audit."""

database = typer.Typer(help="The database.", no_args_is_help=True)

Of = Annotated[str, typer.Argument(metavar="ENTITY", help="Of which entity, as in `person`.")]
Place = Annotated[str, typer.Argument(metavar="CONNECTION", help="Where the row is.")]
Row = Annotated[str, typer.Argument(metavar="ROW", help="The row's id there: `links list`.")]
Who = Annotated[str, typer.Argument(metavar="RECORD", help="A record: id, name, address.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept in the history.")]
Which = Annotated[str | None, typer.Argument(metavar="CONNECTION", help="All, if not given.")]


def _number(text: str) -> int:
    """A change's number, with or without the sign that stands before it on screens."""
    try:
        return int(text.removeprefix("#"))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number of a change") from None


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=PANEL)(pause)
    app.command(rich_help_panel=PANEL)(resume)
    app.command(rich_help_panel=PANEL)(undo)
    app.add_typer(database, name="db", rich_help_panel="Service")
    for command in (split, point, join):
        queries.links.command()(command)


def pause(
    connection: Which = None,
    reason: Annotated[str, typer.Option(help="Why; `status` shows it.")] = "",
    by: As = None,
    as_json: ui.Json = False,
) -> None:
    """Stop writing to a connection, or to all, at once. Reading goes on.

    Example: `syncengine pause hakuna --reason "payroll runs"`
    """
    from syncengine.flows.people import pausing

    with ui.engine() as opened:
        ui.known("CONNECTION", connection, list(opened.project.connections))
        author = decider(opened, by, Right.OPERATE, anybody=True)
        with noted(opened, author, "pause connection", connection or ALL):
            _must_reach_connection(opened, author, connection)
            names = pausing.pause(opened, connection, reason, author)
    _tell("Paused", names, as_json)


def resume(connection: Which = None, by: As = None, as_json: ui.Json = False) -> None:
    """Write again, and try a connection again that was halted.

    Example: `syncengine resume hakuna`
    """
    from syncengine.flows.people import pausing

    with ui.engine() as opened:
        ui.known("CONNECTION", connection, list(opened.project.connections))
        author = decider(opened, by, Right.OPERATE, anybody=True)
        with noted(opened, author, "resume connection", connection or ALL):
            _must_reach_connection(opened, author, connection)
            names = pausing.resume(opened, connection)
    _tell("Resumed", names, as_json)


def split(
    entity: Of,
    connection: Place,
    row: Row,
    own: Annotated[bool, typer.Option("--own", help="Make a record of its own of it.")] = False,
    reason: Reason = "",
    by: As = None,
    as_json: ui.Json = False,
) -> None:
    """Take a row from its record: it was somebody else's. It stays alone, and nothing is deleted.

    Example: `syncengine links split person hakuna 17 --reason "a namesake"`
    """
    from syncengine.flows.people import links

    with ui.engine() as opened:
        author = decider(opened, by, Right.ANSWER)
        link = _link(opened, entity, connection, row)
        with noted(opened, author, "split link", f"link {link}"):
            must_reach(opened, author, f"this {entity}", Deed.RECORD, entity)
            done = links.split(opened, link, own, author, reason)
        _done(done, as_json)


def point(
    entity: Of, connection: Place, row: Row, record: Who, reason: Reason = "",
    by: As = None, as_json: ui.Json = False,
) -> None:  # fmt: skip
    """Make a row the row of a record, whomever it belonged to before.

    Example: `syncengine links point person hakuna 17 "Anna Meier"`
    """
    from syncengine.flows.people import links

    with ui.engine() as opened:
        author = decider(opened, by, Right.ANSWER)
        link = _link(opened, entity, connection, row)
        meant = find_one(opened, record, entity)
        with noted(opened, author, "point link", f"record {meant}", other=f"link {link}"):
            must_reach(opened, author, f"this {entity}", Deed.RECORD, entity)
            done = links.point(opened, link, meant, author, reason)
        _done(done, as_json)


def join(
    entity: Of,
    kept: Who,
    gone: Annotated[str, typer.Argument(metavar="OTHER", help="The record that goes into it.")],
    reason: Reason = "",
    by: As = None,
    as_json: ui.Json = False,
) -> None:
    """Make two records one. The first keeps its values; what the second had besides stays in the history.

    Example: `syncengine links join person 77b0e1f2 9c01aa34 --reason "the same Anna"`
    """
    from syncengine.flows.people import links

    with ui.engine() as opened:
        author = decider(opened, by, Right.ANSWER)
        ui.known("ENTITY", entity, list(opened.project.entities))
        first, second = (find_one(opened, text, entity) for text in (kept, gone))
        with noted(opened, author, "join link", f"record {first}", other=f"record {second}"):
            must_reach(opened, author, f"this {entity}", Deed.RECORD, entity)
            done = links.join(opened, first, second, author, reason)
        _done(done, as_json)


def undo(
    change: Annotated[
        int,
        typer.Argument(metavar="CHANGE", help="Its number: `explain`.", parser=_number),
    ],
    reason: Reason = "",
    by: As = None,
    sensitive: ui.Sensitive = False,
    as_json: ui.Json = False,
) -> None:
    """Give a field back what a change replaced, or what a merge decided against. It is a change like any other.

    Example: `syncengine undo 4711 --reason "entered for the wrong Anna"`
    """
    from syncengine.flows.people.undo import undo as take_back

    with ui.engine(sensitive) as opened:
        author = decider(opened, by, Right.ANSWER)
        with noted(opened, author, "undo", f"change {change}"):
            must_reach(opened, author, "this change", Deed.RECORD, _entity_of(opened, change))
            undone, value = take_back(opened, change, author, reason)
        _done(f"{undone.field} is {ui.plain(value)} again", as_json)


def _must_reach_connection(opened: Engine, author: str, connection: str | None) -> None:
    """Raises ConfigInvalid where one connection, or all of them, is outside of the limits of the author."""
    if connection is None:
        must_reach(opened, author, "what is of all connections", Deed.ALL)
    else:
        must_reach(opened, author, connection, Deed.CONNECTION, connection=connection)


def _entity_of(opened: Engine, change: int) -> str:
    """Of which entity a change is; empty where there is no such change."""
    with opened.ledger.read() as tx:
        ids = [found.record_id for found in tx.changes([change])]
        return next((record.entity for record in tx.records(ids).values()), "")


def _link(opened: Engine, entity: str, connection: str, row: str) -> str:
    """The id of the one link that is meant; anything else is bad usage."""
    ui.known("ENTITY", entity, list(opened.project.entities))
    systems = opened.project.entities[entity].systems
    ui.known("CONNECTION", connection, list(systems))
    with opened.ledger.read() as tx:
        found = tx.links_at(entity, connection, systems[connection].resource.name, [row])
    if row not in found:
        raise typer.BadParameter(
            f"{connection} has no {entity} {row!r}: see `syncengine links list`", param_hint="ROW"
        )
    return found[row].id


def _done(done: str, as_json: bool) -> None:
    if as_json:
        ui.emit({"done": done})
    else:
        ui.screen().print(ui.cell(f"Done: {done}. The next sync carries it on."))


def _tell(done: str, names: list[str], as_json: bool) -> None:
    if as_json:
        ui.emit({done.lower(): names})
    else:
        ui.screen().print(f"{done}: {', '.join(names)}.")


@database.command()
def upgrade(
    wait: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN",
            help="First wait up to so long (90s, 10m) for processes of before to end.",
        ),
    ] = None,
) -> None:
    """Bring the database's schema up to date. Other commands do it, too, before they begin.

    Examples: `syncengine db upgrade`; `syncengine db upgrade --wait 10m` where nobody watches: it exits 1 and changes
    nothing where workers or web sides of before still report.
    """
    from syncengine.bootstrap import open_ledger

    if wait is not None:
        _wait_for_old(wait)
    with open_ledger(ui.settings()):
        ui.screen().print("The database is up to date.")


def _wait_for_old(span: str) -> None:
    from syncengine.bootstrap import still_at_work
    from syncengine.mapping.parts import span as seconds

    try:
        until = time.monotonic() + seconds(span)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--wait") from None
    told = False
    while found := still_at_work(ui.settings()):
        names = ", ".join(f"{p.kind} {p.pid} on {p.host}" for p in found)
        if time.monotonic() >= until:
            ui.aside().print(
                f"error: {names} still works by the schema of before: stop it, and try again.",
                markup=False, soft_wrap=True,
            )  # fmt: skip
            ui.leave(ui.Exit.ERROR)
        if not told:
            ui.aside().print(f"Waits for {names} to end.", markup=False, soft_wrap=True)
            told = True
        time.sleep(min(1.0, max(0.1, until - time.monotonic())))


@database.command()
def compact() -> None:
    """Leave nothing of what was deleted in the database's files. `erase` does it, too, unless they are in use.

    Example: `syncengine db compact`
    """
    from syncengine.bootstrap import open_ledger

    with open_ledger(ui.settings()) as ledger:
        if not ledger.compact():
            ui.aside().print("The database's file is in use: stop the service, and try again.")
            ui.leave(ui.Exit.ERROR)
        ui.screen().print("Nothing is left in its files of what was deleted.")


@database.command()
def restored(as_json: ui.Json = False) -> None:
    """Say that an older backup was restored: nothing is written until you `resume`, and everything is read again.

    Example: `syncengine db restored`, then `syncengine plan --fresh`, then `syncengine resume`
    """
    from syncengine.flows.run.restore import recover as look_again

    with ui.engine() as opened, noted(opened, opened.author, "look again after a restore"):
        told = look_again(opened)
    if as_json:
        ui.emit(asdict(told))
        return
    ui.screen().print(f"Paused: {', '.join(told.paused)}.")
    ui.screen().print(
        f"Proved by reading, as they may have been sent: {ui.counted(told.unsure, 'write')}."
    )
    ui.screen().print(f"Read and compared again: {ui.counted(told.rows, 'row')}.")
    ui.screen().print(
        "\nNext: `syncengine plan --fresh`. Read it to the end, answer `syncengine cases list`, "
        "`syncengine undo` what is wrong, then `syncengine resume`.",
        markup=False,
        soft_wrap=True,
    )
