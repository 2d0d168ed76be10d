"""``pause``, ``resume``, ``db``: what an operator switches."""

from __future__ import annotations

from typing import Annotated

import typer

from syncengine.bootstrap import open_ledger
from syncengine.cli import ui
from syncengine.flows import status

PANEL = "Decide"

database = typer.Typer(help="The database.", no_args_is_help=True)

Which = Annotated[str | None, typer.Argument(metavar="CONNECTION", help="All, if not given.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=PANEL)(pause)
    app.command(rich_help_panel=PANEL)(resume)
    app.add_typer(database, name="db", rich_help_panel="Service")


def pause(
    connection: Which = None,
    reason: Annotated[str, typer.Option(help="Why; `status` shows it.")] = "",
    as_json: ui.Json = False,
) -> None:
    """Stop writing to a connection, or to all, at once. Reading goes on.

    Example: `syncengine pause hakuna --reason "payroll runs"`
    """
    with ui.engine() as opened:
        ui.known("CONNECTION", connection, list(opened.project.connections))
        names = status.pause(opened, connection, reason)
    _tell("Paused", names, as_json)


def resume(connection: Which = None, as_json: ui.Json = False) -> None:
    """Write again, and try a connection again that was halted.

    Example: `syncengine resume hakuna`
    """
    with ui.engine() as opened:
        ui.known("CONNECTION", connection, list(opened.project.connections))
        names = status.resume(opened, connection)
    _tell("Resumed", names, as_json)


def _tell(done: str, names: list[str], as_json: bool) -> None:
    if as_json:
        ui.emit({done.lower(): names})
    else:
        ui.screen().print(f"{done}: {', '.join(names)}.")


@database.command()
def upgrade() -> None:
    """Bring the database's schema up to date. Other commands do it, too, before they begin.

    Example: `syncengine db upgrade`
    """
    with open_ledger(ui.settings()):
        ui.screen().print("The database is up to date.")
