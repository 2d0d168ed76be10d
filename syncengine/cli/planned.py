"""The screen of a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from syncengine.cli import ui
from syncengine.cli.standing import BY_PLANS, show_lines

if TYPE_CHECKING:
    from syncengine.flows.core.engine import Engine
    from syncengine.flows.naming.names import Names
    from syncengine.flows.views.plan import Preview
    from syncengine.mapping import Entity

Change = Mapping[str, Any]

_SIGNS = {
    "create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red"),
    "leave": ("-", "red"), "learn": ("<", "cyan"),
}  # fmt: skip
_WIDTH = 48
"""Characters of a value on the screen."""
_MANY = 20
"""Changes from which on they are summed up at the end."""


def show_plan(opened: Engine, found: Preview, standing: Mapping[str, Any]) -> None:
    """Print a plan: what changes, field by field, what it waits for, how everything stands, and how to write it."""
    from syncengine.flows.views.standing_text import UNREAD

    console, document = ui.screen(), found.document
    changes = document["changes"]
    for (entity, connection), group in groupby(
        changes, key=lambda c: (c["entity"], c["connection"])
    ):
        _show_group(console, found.called, opened.project.entities[entity], connection, [*group])
    if len(changes) >= _MANY:
        _show_sums(console, changes)
    for fault in document["faults"]:
        ui.aside().print(Text(f"not read: {fault}", "red"), soft_wrap=True)
    for line in _remarks(document):
        console.print(Text(line, "yellow"), soft_wrap=True)
    lines = [line for line in standing["lines"] if line["code"] not in BY_PLANS]
    if "record" not in document:
        show_lines(console, {**standing, "lines": lines})
    if not changes:
        console.print(UNREAD if standing["verdict"] == UNREAD else "Nothing to write.")
        _show_others(console, document)
        return
    console.print(f"{ui.counted(len(changes), 'change')}: {_counts(changes)}.", style="bold")
    if document["unsent"]:
        console.print(ui.unsent(document["unsent"]))
    if document["first"]:
        console.print(ui.first_writes(document["first"]))
    _show_others(console, document)
    writes = [change for change in changes if change["action"] != "learn"]
    if "record" not in document and writes:
        sent = any(not change["observed_only"] for change in writes)
        does = "Write exactly this" if sent else "Write exactly this, once it may be written"
        console.print(f"{does}: syncengine sync --plan {document['digest']}", markup=False)


def _show_others(console: Console, document: Mapping[str, Any]) -> None:
    """What a plan of one record leaves out, and how to write it alone."""
    if others := document.get("others"):
        console.print(f"{ui.counted(others, 'other change')}: `syncengine plan`.", style="dim")
    if "record" in document and document["changes"]:
        key = ui.short(document["record"])
        console.print(f"Write these alone: syncengine sync --record {key}", markup=False)


def _remarks(document: Mapping[str, Any]) -> Iterator[str]:
    """What else is to be known of a plan, in sentences."""
    from syncengine.flows.views.standing_text import records_of

    for made in document["made"]:
        new = records_of(made["count"], made["entity"])
        yield f"New: {new}, wanted by the rule {made['derivation']} ({made['rule']})."
    for group in document["staged"]:
        written = f", {group['written']:,} of them written already" if group["written"] else ""
        yield (
            f"{ui.counted(group['count'], group['said'])} of {group['entity']} in "
            f"{group['connection']} would wait for approval: safety allows {group['allowed']:,} at a "
            f"time{written}."
        )
    for question in document["held"]:
        yield f"Held for an answer (`syncengine cases list`): {ui.plain(question)}"
    for kind, count in document["questions"].items():
        yield f"{ui.counted(count, 'question')} of kind {kind} would be asked."
    for wait in document["waiting"]:
        rows = ui.counted(wait["count"], "row")
        waits = "waits" if wait["count"] == 1 else "wait"
        yield f"{rows} of {wait['entity']} in {wait['connection']} {waits} for {wait['what']}."
    if document["unsorted"]:
        rows = ui.counted(document["unsorted"], "row")
        yield f"{rows} not looked at yet: `syncengine plan --fresh` tells who is who."
    if document["unread"]:
        rows = ui.counted(document["unread"], "row")
        yield f"{rows} changed out of the listing's sight: `syncengine plan --fresh` reads them."
    if document["unfinished"]:
        yield "More follows from these writes than is foreseen: plan again once they are made."
    if any(change["action"] == "create" for change in document["changes"]):
        yield "What vendors add to new rows by themselves is known once they are made: plan again then."


def _counts(changes: Sequence[Change]) -> str:
    totals = Counter(change["action"] for change in changes)
    return ", ".join(f"{totals[action]:,} {action}" for action in _SIGNS if totals[action])


def _show_sums(console: Console, changes: Sequence[Change]) -> None:
    """How often each field changes where, and by which rule."""
    sums = Counter(
        (c["entity"], c["connection"], c["action"], item["field"], item["rule"])
        for c in changes
        for item in c["fields"]
    )
    rows = ui.table("in sum", "", "", "field", "times", "rule", right=("times",))
    for (entity, connection, action, field, rule), count in sorted(sums.items()):
        style = _SIGNS[action][1]
        cells = (entity, connection, ui.cell(action, style), field, f"{count:,}", rule)
        rows.add_row(*cells)
    console.print(rows)
    console.print()


def _show_group(
    console: Console, called: Names, entity: Entity, connection: str, changes: list[Change]
) -> None:
    """All changes of one entity in one connection, with a heading that counts them."""
    place = connection or "our records"
    held = {change["held"] for change in changes if change["action"] != "learn"}
    head = Text.assemble((f"{entity.name} · {place}", "bold"), f"  {_counts(changes)}")
    if len(held) == 1:
        _held(head, *held)
    console.print(head)
    shown = [item for change in changes for item in change["fields"]]
    columns = (
        max((len(_label(item)) for item in shown), default=0),
        max((len(_move(called, entity, item)) for item in shown), default=0),
    )
    for change in changes:
        sign, style = _SIGNS[change["action"]]
        head = Text.assemble((f"  {sign} ", style), ui.plain(change["name"]))
        head.append(f"  {_about(change)}".rstrip(), "dim")
        if len(held) > 1:
            _held(head, change["held"])
        ui.told(head)
        for item in change["fields"]:
            line = Text(f"      {_label(item):<{columns[0]}}  ")
            line.append(f"{_move(called, entity, item):<{columns[1]}}", style)
            line.append(f"  {item['rule']}", "dim")
            ui.told(line)
    console.print()


def _held(line: Text, reason: str) -> None:
    if reason:
        line.append(f" ({reason})", "yellow")


def _about(change: Change) -> str:
    """The record, why its row is made or leaves, and which creates come first."""
    parts = [] if change["made_by"] else [ui.short(change["record"])]
    if change["made_by"]:
        parts.append(f"new record, by {change['made_by']}")
    if change["why"]:
        parts.append(f"{change['why']}, {change['rule']}")
    others = [after["name"] for after in change["after"] if after["record"] != change["record"]]
    if others:
        parts.append(f"after {', '.join(ui.plain(name) for name in others)}")
    return "; ".join(parts)


def _label(item: Mapping[str, Any]) -> str:
    return item["field"] or "record"


def _move(called: Names, entity: Entity, item: Mapping[str, Any]) -> str:
    old, new = (
        ui.plain(
            item[side]
            if side in item["vendor_words"]
            else called.value(entity, item["field"], item[side]),
            _WIDTH,
        )
        for side in ("old", "new")
    )
    return new if item["old"] is None else f"{old} → {new}"
