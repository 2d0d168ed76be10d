"""What all commands share: options, where and how they print, how they open the engine, how they end."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from enum import IntEnum
from os import environ
from time import time
from typing import TYPE_CHECKING, Annotated, Any, TextIO, cast
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.file_proxy import FileProxy
from rich.text import Text

from syncengine.cli.listing import Column, Listing, fold
from syncengine.logs import configure_logs

if TYPE_CHECKING:
    from syncengine.flows.core.engine import Engine
    from syncengine.settings import Settings


class Exit(IntEnum):
    """How a command ends."""

    DONE = 0
    ERROR = 1
    INVALID = 2
    PENDING = 3
    PERSON = 4


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
Sensitive = Annotated[
    bool,
    typer.Option(
        "--show-sensitive", help="Show what the mapping calls sensitive, which is dots otherwise."
    ),
]
Connection = Annotated[str | None, typer.Option(help="Only this connection.", metavar="NAME")]
Entity = Annotated[str | None, typer.Option(help="Only this entity.", metavar="NAME")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")]

_zone: ContextVar[str] = ContextVar("zone", default="")
_clock: ContextVar[Callable[[], float]] = ContextVar("clock", default=time)
"""The zone of the project that this command has opened."""
_named: ContextVar[tuple[str, ...]] = ContextVar("named", default=())
"""What this command is about: ids of ours, each with its kind before it."""
_command: ContextVar[str] = ContextVar("command", default="")
"""The first word of the command that runs."""
_UNSIZED = 140
"""Columns where the output is no terminal and nobody says how wide it is."""


def screen() -> Console:
    """Standard output."""
    return _console(stderr=False)


def aside() -> Console:
    """Standard error: progress, advice, faults."""
    return _console(stderr=True)


def _console(stderr: bool) -> Console:
    sized = (sys.stderr if stderr else sys.stdout).isatty() or "COLUMNS" in environ
    return Console(stderr=stderr, highlight=False, width=None if sized else _UNSIZED)


def emit(document: Any) -> None:
    """The one JSON document of ``--json``."""
    typer.echo(json.dumps(document, indent=2, default=str))


def leave(code: Exit) -> None:
    """End the command. Raises typer.Exit, unless all is well."""
    if code is not Exit.DONE:
        raise typer.Exit(code)


def settings() -> Settings:
    """The settings, and logs to stderr from warnings on. Raises ConfigInvalid."""
    from syncengine.settings import read_settings

    found = read_settings()
    console = aside()
    stream = FileProxy(console, sys.stderr) if console.is_terminal else sys.stderr
    style = "told" if found.log_format == "console" else found.log_format
    configure_logs(style, cast(TextIO, stream))
    logging.getLogger().setLevel(logging.WARNING)
    return found


@contextmanager
def engine(show_sensitive: bool | None = None) -> Iterator[Engine]:
    """The engine of this environment. ``show_sensitive``: whether sensitive values are shown, None for a command that
    shows no values; a variable may say so, too. That is said, and stands in the audit. Raises ConfigInvalid."""
    from syncengine.bootstrap import open_engine
    from syncengine.cli.author import worker
    from syncengine.cli.noted import noted

    found = settings()
    with open_engine(found) as opened:
        _zone.set(opened.project.timezone)
        _clock.set(opened.clock.now)
        opened.author = worker(found.author)
        opened.shows_sensitive = show_sensitive or found.show_sensitive
        if opened.shows_sensitive:
            aside().print("Sensitive values are shown.", style="yellow")
        if show_sensitive is None or not opened.shows_sensitive:
            yield opened
            return
        named = _named.set(())
        about = f"command {_command.get()}"
        with noted(opened, opened.author, "uncover record", about) as act:
            yield opened
            if len(_named.get()) == 1:
                act.about = _named.get()[0]
        _named.reset(named)


def is_about(named: str) -> None:
    """Say what this command is about, an id of ours, for the audit."""
    _named.set((*_named.get(), named))


def begin(command: str) -> None:
    """Say which command runs, for the audit."""
    _command.set(command)


def known(option: str, given: str | None, names: Sequence[str]) -> None:
    """Refuse a name that the project does not have, as bad usage."""
    if given is not None and given not in names:
        expected = ", ".join(names) or "none at all"
        raise typer.BadParameter(
            f"the project knows {expected}; found {given!r}", param_hint=option
        )


def told(text: str | Text, style: str = "") -> None:
    """Print a line. A terminal too narrow for it gets it in several, broken where addresses may be, the later ones
    indented."""
    line, console = text if isinstance(text, Text) else Text(text, style), screen()
    if not (console.is_terminal or "COLUMNS" in environ):
        console.print(line, soft_wrap=True)
        return
    indent = len(line.plain) - len(line.plain.lstrip()) + 4
    first = next(fold(line, console.width))
    console.print(first, soft_wrap=True)
    behind = len(line.plain) - len(line.plain[len(first.plain) :].lstrip())
    if behind < len(line.plain):
        for part in fold(line[behind:], console.width - indent):
            console.print(Text(" " * indent).append_text(part), soft_wrap=True)


def plain(value: Any, width: int = 0) -> str:
    """A value as people read it, on one line, nothing in it that could steer a terminal; cut to ``width``."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, list):
        text = ", ".join(plain(item) for item in value)
    elif isinstance(value, dict):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = str(value)
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if not width or len(text) <= width else text[: width - 1] + "…"


def cell(value: Any, style: str = "", width: int = 0) -> Text:
    """``plain`` for a table: never read as markup."""
    return Text(plain(value, width), style)


def table(
    *columns: str, title: str | None = None, right: Sequence[str] = (), below: Sequence[str] = ()
) -> Listing:
    """An open table with these headings. ``right``: those of numbers; ``below``: those that go below their line where
    it is too narrow."""
    made = [Column(n, n in right, number == 0, n in below) for number, n in enumerate(columns)]
    return Listing(made, title)


def listed(rows: Listing, count: int, limit: int, what: str, others: int | None = None) -> None:
    """Print a list, or that there is none, or that it was cut. ``others``: how many there are in all, where only some
    were asked for."""
    if not count:
        screen().print(nothing(what, others))
        return
    screen().print(rows)
    if count == limit:
        screen().print(f"Only {limit}; --limit shows more.", style="dim")


def nothing(what: str, others: int | None, where: str = "on record") -> str:
    """That a list is empty: since nothing fits what was asked for, or since there is nothing."""
    if others is None:
        return f"No {what}s."
    how_many = {0: "none is", 1: "1 is"}.get(others, f"{others:,} are")
    return f"No {what} fits what was asked for; {how_many} {where} in all."


def counted(count: int, one: str, many: str = "") -> str:
    """``1 case``, ``2 cases``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def link_state(link: Mapping[str, Any]) -> str:
    """How a link stands, what it waits for, or what a person let be."""
    if link["out_of_scope"] and not link["let_be"]:
        return f"waits: {link['waits_for']}"
    more = link["let_be"] or (f"waits for {link['waits_for']}" if link["waits_for"] else "")
    return f"{link['state']}{', ' * bool(more)}{more}"


def unlinked(count: int) -> str:
    """Rows that are nobody's, in one line."""
    belong = "belongs" if count == 1 else "belong"
    return (
        f"{counted(count, 'row')} {belong} to nobody we know: `syncengine links list --unlinked`."
    )


def not_written(line: Mapping[str, Any]) -> Text:
    """What a person let be, of one line of ``flows.views.status.rejected_writes``."""
    writes = counted(line["count"], line["kind"])
    why = f": {line['reason']}" if line["reason"] else ""
    return cell(
        f"Not written: {writes} of {line['entity']} in {line['connection']}, {line['told']}{why}."
    )


def unsent(writes: Mapping[str, int]) -> Text:
    """The writes that would go out if their connections were not only observed. ``writes``: by connection."""
    several = len(writes) > 1
    which = "these connections are" if several else "this connection is"
    each = ", ".join(f"{name} ({count:,})" if several else name for name, count in writes.items())
    count = counted(sum(writes.values()), "write")
    text = f"{count} not sent: {which} only observed: {each}. To send them: mode: write, or SYNCENGINE_MODE=write."
    return cell(text, "yellow")


def first_writes(writes: Mapping[str, int]) -> Text:
    """What is written to connections to which nothing ever was. ``writes``: by connection."""
    each = ", ".join(f"{name} ({counted(count, 'write')})" for name, count in writes.items())
    return cell(f"Never written to before: {each}.", "yellow")


def span(seconds: float) -> str:
    """Seconds as ``connections.yaml`` writes them, in the largest unit that fits: ``90d``."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"


def clock(at: float | None) -> str:
    """Epoch seconds in the zone of the project; of this machine where no project was opened."""
    if not at:
        return "never"
    name = _zone.get()
    zone = ZoneInfo(name) if name else None
    return datetime.fromtimestamp(at, zone).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def now() -> float:
    """The time by which what is shown was stored (epoch seconds); that of this machine where no ledger was opened."""
    return _clock.get()()


def stamp(at: float) -> str:
    """A time for a list: month, day and clock, with the year where it is another one than this."""
    text = clock(at)
    return text[5:] if text[:4] == clock(now())[:4] else text


def times() -> None:
    """Say in which zone the times are that were printed."""
    if name := _zone.get():
        screen().print(f"Times: {name}.", style="dim")


def short(identifier: str | None) -> str:
    """The end of an id, which tells it from others and which commands take in place of the whole."""
    return (identifier or "")[-8:]
