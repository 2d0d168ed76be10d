"""``runs``: what ran when, by whom, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer

from syncengine.cli import ui
from syncengine.cli.when import parse

PANEL = "Look"
DAY = "24h"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=PANEL)(runs)


def runs(
    since: Annotated[
        str, typer.Option(help="From then on: 18:00, 12h, 2d, 2026-11-27, '2026-11-27 18:00'.")
    ] = DAY,
    until: Annotated[str | None, typer.Option(help="Before then; now, if not given.")] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Also runs in which nothing happened, and parts of others."),
    ] = False,
    outcome: Annotated[
        Literal["complete", "failed", "broke_off", "under_way"] | None,
        typer.Option(help="Only runs that ended so.", show_choices=True),
    ] = None,
    limit: ui.Limit = 50,
    as_json: ui.Json = False,
) -> None:
    """Show what happened in a time: syncs, plans and listings, by whom, and what was written, asked and changed.

    Example, for last night: `syncengine runs --since 18:00 --until 08:00`. Times are in the project's zone.
    What went wrong in a week: `syncengine runs --since 7d --all --outcome failed`.
    """
    from syncengine.flows.views.runs import happened

    with ui.engine() as opened:
        zone, now = ZoneInfo(opened.project.timezone), opened.clock.now()
        end = None if until is None else parse(until, now, zone, "--until")
        begin = parse(since, now if end is None else end, zone, "--since")
        if end is not None and begin >= end:
            raise typer.BadParameter("expected a time before --until", param_hint="--since")
        document = happened(opened, begin, end, every, limit, outcome)
    if as_json:
        ui.emit({**document, "zone": opened.project.timezone})
        return
    _show(document, now, zone, limit, end is not None)
    if outcome and not document["runs"]:
        ui.screen().print(f"No run of that time {_ENDED[outcome]}.")
    if not every and document["ran"]:
        ui.screen().print("Runs that found nothing new, and parts of others: --all", style="dim")


def _show(document: Mapping[str, Any], now: float, zone: ZoneInfo, limit: int, ended: bool) -> None:
    from syncengine.flows.views.runs import summary
    from syncengine.flows.views.standing_text import moment

    console = ui.screen()
    span = f"From {moment(document['since'], now, zone)}"
    span += f" to {moment(document['until'], now, zone)}" if ended else " on"
    told = summary(dict(document))
    console.print(ui.cell(f"{span} ({zone.key}): {told}.", "bold"))
    if not document["runs"]:
        return
    console.print()
    rows = ui.table(
        "at", "run", "by", "took", "what came of it", right=("took",), below=("what came of it",)
    )
    for run in document["runs"]:
        rows.add_row(
            ui.cell(moment(run["started_at"], now, zone), "dim"),
            ui.cell(_what(run)),
            ui.cell(run["author"]),
            ui.cell(_took(run)),
            ui.cell(_outcome(run), _STYLES.get(run["outcome"], "")),
        )
    console.print(rows)
    if len(document["runs"]) == limit:
        console.print(f"Only {limit}; --limit shows more.", style="dim")


_ENDED = {
    "complete": "was complete", "failed": "failed", "broke_off": "broke off", "under_way": "is under way",
}  # fmt: skip
_STYLES = {"failed": "red", "broke_off": "red", "": "yellow"}
_KINDS = {"pass": "sync", "one": "sync of one record", "plan": "plan", "listing": "list"}


def _what(run: Mapping[str, Any]) -> str:
    where = " ".join(part for part in (run["connection"], run["resource"]) if part)
    return where if run["kind"] == "listing" else f"{_KINDS[run['kind']]} {where}".rstrip()


def _took(run: Mapping[str, Any]) -> str:
    if run["ended_at"] is None:
        return "–"
    seconds = max(0.0, run["ended_at"] - run["started_at"])
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _outcome(run: Mapping[str, Any]) -> str:
    counts = run["counts"]
    told = [f"{n:,} {word}" for name, word in _COUNTS.items() if (n := counts.get(name))]
    before = {"failed": "failed: ", "broke_off": "broke off", "": "under way"}.get(
        run["outcome"], ""
    )
    fault = ui.plain(run["fault"], 200)
    return (
        "; ".join(part for part in (f"{before}{fault}", ", ".join(told)) if part) or "nothing new"
    )


_COUNTS = {
    "rows": "rows read", "moved": "moved", "gone": "not shown any more", "applied": "written", "rejected": "refused",
    "stale": "overtaken", "not_sent": "not sent", "asked": "asked",
}  # fmt: skip
