"""The program: all commands, and what becomes of an error."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from syncengine.cli import (
    cases,
    decide,
    explain,
    keys,
    members,
    notify,
    passes,
    privacy,
    project,
    queries,
    runs,
    serve,
    simulate,
    subject,
    ui,
    upcoming,
)
from syncengine.errors import Bug, ConfigInvalid, SyncengineError
from syncengine.logs import hide_values, place, show_values
from syncengine.process import keep_private


class Commands(TyperGroup):
    """Errors become advice and an exit code; a traceback is shown with ``--debug`` only."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (SyncengineError, OSError) as error:
            if ctx.params.get("debug"):
                raise
            for line in _advice(error):
                ui.aside().print(line, markup=False, soft_wrap=True)
            code = ui.Exit.INVALID if isinstance(error, ConfigInvalid) else ui.Exit.ERROR
            raise typer.Exit(code) from None


def _advice(error: SyncengineError | OSError) -> list[str]:
    if isinstance(error, ConfigInvalid):
        return list(error.faults)
    hint = "; run it again with --debug to see where, and please report it"
    return [f"error: {ui.plain(_said(error), 600)}" + hint * isinstance(error, Bug)]


def _said(error: SyncengineError | OSError) -> str:
    """What an error says, if it is ours or the system's: the text of another one may quote a row."""
    if isinstance(error, SyncengineError):
        return str(error) or type(error).__name__
    if error.strerror is None or error.errno is None:
        return place(error)
    file = f": {error.filename}" if error.filename else ""
    return f"{error.strerror}{file}"


def unexpected(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    """The last resort: one line, since a message of a stranger may quote a row."""
    hint = "run it again with --debug to see all of it, and please report it, without what it quotes of people"
    ui.aside().print(f"error: unexpected {place(error)}; {hint}", markup=False, soft_wrap=True)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    project,
    passes,
    queries,
    upcoming,
    runs,
    explain,
    privacy,
    cases,
    decide,
    subject,
    keys,
    members,
    notify,
    serve,
    simulate,
):
    group.register(app)


def _version(asked: bool) -> None:
    from importlib.metadata import version

    if asked:
        typer.echo(version("syncengine"))
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show the whole traceback of an error; it may quote rows."),
    ] = False,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keeps people, trainings, time entries and absences in agreement across HR systems.

    Begin with `syncengine init`, `syncengine check`, `syncengine plan --fresh`. The environment says which
    project (`SYNCENGINE_PROJECT`, default `mappings`) and which database (`SYNCENGINE_DATABASE_URL`).

    Exit codes: 0 done, 1 error, 2 bad usage or invalid project, 3 `plan` has changes or `sync` did not send some,
    4 `sync` waits for a person.
    """
    ui.begin(context.invoked_subcommand or "")
    if debug:
        show_values()


def main() -> None:
    """The entry point ``syncengine``."""
    hide_values()
    sys.excepthook = unexpected
    keep_private()
    get_command(app)(prog_name="syncengine")
