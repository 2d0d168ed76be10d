"""Held writes on a terminal: which ones, why each is wanted, and that an approval is for those that were shown."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.text import Text

from syncengine.cli import ui

SHOWN = 40
"""Writes up to which all are listed without being asked for."""
Seen = Annotated[
    str | None,
    typer.Option(
        metavar="DIGEST",
        help="Of held writes: approve only what `cases show` has shown with this digest.",
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", hidden=True, help="Do not ask: --seen says what was looked at.")
]


def show_writes(case: dict[str, Any], every: bool = False) -> None:
    """Each held write of a question with the person and the reasons, and the digest of all of them."""
    from syncengine.flows.views.held import told

    writes = case["writes"]
    if not writes:
        return
    console = ui.screen()
    console.print(f"\n{_held(case)}: {ui.counted(len(writes), 'write')}", style="bold")
    for link in writes if every or len(writes) <= SHOWN else writes[:SHOWN]:
        because = "; ".join(told(reason, ui.plain) for reason in link["because"])
        line = Text.assemble("  ", f"{link['connection']}: {ui.plain(link['name'])}")
        line.append(f"  {because}", "dim")
        ui.told(line)
    if not every and len(writes) > SHOWN:
        console.print(f"  and {len(writes) - SHOWN} more, which --all lists", style="dim")
    if case["approvals"]:
        ui.told(_digest(case))


def _held(case: dict[str, Any]) -> str:
    """What the writes of a question are to it."""
    if not case["closed_at"]:
        return "Held back"
    return "Still held back" if case["answers"] else "It was about"


def _digest(case: dict[str, Any]) -> Text:
    digest = case["approvals"]["digest"]
    command = f"syncengine cases answer {ui.short(case['id'])} approve --seen {digest}"
    return ui.cell(f"To approve these and no others: {command}", "dim")


def approved(approvals: dict[str, Any]) -> Text:
    """How many of the approvals that are needed are given, and by whom."""
    given, part = approvals["given"], approvals["part"]
    told = f"{len(given)} of {ui.counted(approvals['needed'], 'approval')} given"
    by = f" by {', '.join(vote['by'] for vote in given)}" if given else ""
    return ui.cell(f"{told}{by}{f', for {len(part)} of the writes' if part else ''}.")


def bound(case: dict[str, Any], part: list[str] | None, seen: str | None, asks: bool) -> str | None:
    """The digest of the writes that an approval of this question is for: those that were seen. ``asks``: what is held
    now is shown, and somebody has to say yes. Raises typer.Abort for a no; and typer.BadParameter where nobody can be
    asked, since others may be held by now than those that somebody has read."""
    if seen is not None or not case["approvals"]:
        return seen
    writes = [w for w in case["writes"] if part is None or w["id"] in part]
    count = ui.counted(len(writes), "write")
    if not asks:
        id_ = ui.short(case["id"])
        raise typer.BadParameter(
            f"say which writes you have looked at: {count} held now, and nobody can be asked here (no terminal, --json "
            f"or --yes) whether they are those. `syncengine cases show {id_} --all` lists them with their digest; then "
            f"type: syncengine cases answer {id_} approve --seen DIGEST",
            param_hint="--seen",
        )
    show_writes({**case, "writes": writes}, True)
    typer.confirm(f"Approve {count}?", abort=True, err=True)
    digest: str = case["approvals"]["digest"]
    return digest


def can_ask() -> bool:
    """Whether somebody sits at this terminal who can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()
