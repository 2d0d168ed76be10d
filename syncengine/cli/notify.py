"""``notify``: who is told, how that goes, and a test."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from syncengine.cli import ui

NOBODY = (
    "Nobody is told anything: the project has no notify.yaml, see docs/how-to/notifications.md."
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Service")(notify)


def notify(
    channel: Annotated[
        str | None, typer.Argument(metavar="[CHANNEL]", help="One channel; all of them if none.")
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="Send a message that says that it is a test.")
    ] = False,
    as_json: ui.Json = False,
) -> None:
    """Show the channels of notifications and how they take what is sent to them; `--test` sends a test message.

    Example: `syncengine notify --test hr`. Exits 1 where a channel did not take it.
    """
    from syncengine.flows.tell.tell import send_test

    with ui.engine() as opened:
        names = list(opened.project.notify.channels)
        ui.known("CHANNEL", channel, names)
        chosen = [channel] if channel else names
        if test:
            on = [name for name in chosen if not opened.project.notify.channels[name].off]
            answers = send_test(opened, on)
        with opened.ledger.read() as tx:
            known = tx.notifications()
        document = [_channel(opened.project.notify, known, name) for name in chosen]
    for line in document:
        line["test"] = answers.get(str(line["channel"])) if test else None
    if as_json:
        ui.emit({"channels": document})
    elif not document:
        ui.screen().print(NOBODY, soft_wrap=True)
    else:
        _show(document, test)
    ui.leave(ui.Exit.ERROR if test and any(line["test"] for line in document) else ui.Exit.DONE)


def _channel(notify: Any, known: Any, name: str) -> dict[str, Any]:
    declared, sent = notify.channels[name], known.deliveries.get(name)
    rules = [rule for rule in notify.rules if name in rule.to]
    codes = sorted({code for rule in rules for code in rule.codes})
    daily = [f"{r.at // 60:02}:{r.at % 60:02}" for r in rules if r.at is not None]
    return {
        "channel": name,
        "kind": declared.kind,
        "off": declared.off,
        "when": codes,
        "daily": daily,
        "sent_at": (sent.sent_at or None) if sent else None,
        "failures": sent.failures if sent else 0,
        "failing_since": sent.failing_since if sent and sent.failures else None,
        "why": sent.why if sent else "",
    }


def _show(document: list[dict[str, Any]], test: bool) -> None:
    rows = ui.table(
        "channel", "kind", "is told of", "last sent", "state", below=("is told of", "state")
    )
    for line in document:
        told = [*line["when"], *(f"daily at {at}" for at in line["daily"])]
        rows.add_row(
            line["channel"],
            line["kind"],
            ui.cell(", ".join(told) or "nothing"),
            ui.cell(ui.clock(line["sent_at"])[:16], "dim"),
            _state(line, test),
        )
    ui.screen().print(rows)
    ui.times()


def _state(line: dict[str, Any], test: bool) -> Any:
    if line["off"]:
        return ui.cell(f"off: {line['off']}", "yellow")
    if test:
        failed = line["test"]
        return (
            ui.cell(f"test not taken: {failed}", "red") if failed else ui.cell("test sent", "green")
        )
    if line["failures"]:
        since = ui.clock(line["failing_since"])[:16]
        return ui.cell(f"not taken since {since}: {line['why']}", "red")
    return ui.cell("ready", "green")
