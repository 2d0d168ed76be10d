"""Which lines a list is to have: options that ``history``, ``operations``, ``events`` and ``cases`` share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from syncengine.cli import ui
from syncengine.cli.when import parse

if TYPE_CHECKING:
    from syncengine.flows.core.engine import Engine

Record = Annotated[
    str | None,
    typer.Option(help="Only about this record: id, name, address, number.", metavar="KEY"),
]
Since = Annotated[
    str | None,
    typer.Option(
        help="From then on: 18:00, 12h, 2d, 2026-11-27, '2026-11-27 18:00'.", metavar="TIME"
    ),
]
Until = Annotated[str | None, typer.Option(help="Before then.", metavar="TIME")]
By = Annotated[str | None, typer.Option(help="Only what this person did.", metavar="NAME")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """``record``: its id. ``since``, ``until``: epoch seconds, the first belongs to it and the last does not."""

    record: str | None = None
    since: float | None = None
    until: float | None = None
    by: str | None = None
    connection: str | None = None

    @property
    def narrowed(self) -> bool:
        """Whether anything was asked for."""
        return self != Wanted()


def wanted(
    opened: Engine, record: str | None = None, since: str | None = None, until: str | None = None,
    by: str | None = None, connection: str | None = None,
) -> Wanted:  # fmt: skip
    """What the options mean. Raises typer.BadParameter."""
    from syncengine.cli.passes import find_one

    ui.known("--connection", connection, list(opened.project.connections))
    zone, now = ZoneInfo(opened.project.timezone), opened.clock.now()
    end = None if until is None else parse(until, now, zone, "--until")
    begin = None if since is None else parse(since, end or now, zone, "--since")
    if begin is not None and end is not None and begin >= end:
        raise typer.BadParameter("expected a time before --until", param_hint="--since")
    chosen = None if record is None else find_one(opened, record, None, gone=True)
    return Wanted(chosen, begin, end, by, connection)
