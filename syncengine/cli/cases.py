"""``cases list|show|answer``: what waits for a person."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from syncengine.cli import ui
from syncengine.cli.answering import answer, spoken, the_one
from syncengine.cli.wanted import By, Record, Since, Until, wanted
from syncengine.model.case import CaseKind

cases = typer.Typer(help="Questions that only a person can answer.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The case's id, or its end.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(cases, name="cases", rich_help_panel="Decide")


@cases.command("list")
def list_cases(
    kind: Annotated[CaseKind | None, typer.Option(help="Only of this kind.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Closed ones, too.")] = False,
    state: Annotated[
        Literal["open", "closed"] | None, typer.Option(help="Only these.", show_choices=True)
    ] = None,
    connection: ui.Connection = None,
    record: Record = None,
    since: Since = None,
    until: Until = None,
    by: By = None,
    sensitive: ui.Sensitive = False,
    as_json: ui.Json = False,
) -> None:
    """List open questions, the oldest first. Times are those of opening, or of the answer where there is one.

    Examples: `syncengine cases list --kind conflict`, `syncengine cases list --state closed --by kim --since 2d`
    """
    from syncengine.flows.views.questions import select_cases

    with ui.engine(sensitive) as opened:
        asked = wanted(opened, record, since, until, by, connection)
        every = closed or state == "closed" or by is not None
        found = select_cases(
            opened, kind, every, asked.record, connection, by, asked.since, asked.until
        )
        if state is not None:
            found = [case for case in found if bool(case["closed_at"]) == (state == "closed")]
    if as_json:
        ui.emit({"cases": found})
        return
    if not found:
        ui.screen().print("Nothing waits for a person.")
        return
    rows = ui.table("case", "kind", "about", "question")
    for case in found:
        about = case["about"] or case["external_id"] or ""
        question = case["question"] if not case["closed_at"] else f"closed: {case['answer']}"
        rows.add_row(
            ui.short(case["id"]), case["kind"], ui.cell(about, width=32), ui.cell(question)
        )
    ui.screen().print(rows)
    ui.screen().print("\nLook at one: syncengine cases show CASE", style="dim")


@cases.command()
def show(case_id: Id, sensitive: ui.Sensitive = False, as_json: ui.Json = False) -> None:
    """Show a question with its evidence, side by side, and what each answer will do.

    Example: `syncengine cases show 3f9a12cd`
    """
    from syncengine.flows.views import queries
    from syncengine.flows.views.advice import advice

    with ui.engine(sensitive) as opened:
        case = queries.case(opened, the_one(opened, case_id))
        case["advice"] = None if case["closed_at"] else advice(opened, case)
    if as_json:
        ui.emit(case)
        return
    console = ui.screen()
    about = f" – {ui.plain(case['about'], 60)}" if case["about"] else ""
    console.print(Text.assemble((case["kind"], "bold"), about))
    console.print(ui.cell(case["question"]))
    console.print(ui.cell(f"open since {ui.clock(case['opened_at'])}", "dim"))
    if case["advice"] and case["advice"]["why"]:
        console.print(ui.cell(case["advice"]["why"]))
    _show_sides(case["sides"])
    if case["kind"] == CaseKind.IDENTITY and case["advice"] and case["advice"]["same"]:
        console.print(ui.cell(f"The same: {', '.join(case['advice']['same'])}.", "dim"))
    if case["vendor_says"]:
        console.print()
        console.print(ui.cell(f"The vendor says: {ui.plain(case['vendor_says'], 600)}"))
    if case["writes"]:
        _show_writes(case["writes"], _held(case))
    if case["approvals"] and case["approvals"]["needed"] > 1:
        console.print(_approved(case["approvals"]))
    if case["closed_at"]:
        console.print()
        by = f" by {case['author']}" if case["author"] else ""
        why = f": {case['reason']}" if case["reason"] else ""
        console.print(ui.cell(f"answered{by}: {case['answer']}{why}"))
        if not case["answers"]:
            return
    console.print("\nStill possible:" if case["closed_at"] else "\nAnswers:", style="bold")
    answers = ui.table("", "")
    answers.show_header = False
    for given, does in case["answers"].items():
        answers.add_row(ui.cell(f"  {spoken(given)}", "bold"), ui.cell(does))
    console.print(answers)
    if told := case["advice"]:
        console.print()
        console.print(ui.cell(" ".join(part for part in (told["correct"], told["then"]) if part)))
    command = f"syncengine cases answer {ui.short(case['id'])} ANSWER [--reason TEXT]"
    console.print(f"\n{command}", style="dim", markup=False)


def _show_sides(sides: list[dict[str, Any]]) -> None:
    """Fields as rows, sides as columns; where two of them differ the row stands out."""
    fields = dict.fromkeys(name for side in sides for name in side["values"])
    if not fields:
        return
    rows = ui.table("", *(ui.plain(side["title"], 40) for side in sides))
    for name in fields:
        values = [side["values"].get(name) for side in sides]
        given = {
            ui.plain(v).casefold()
            for s, v in zip(sides, values, strict=True)
            if name in s["values"]
        }
        style = "yellow" if len(given) > 1 else ""
        rows.add_row(ui.cell(name, "dim"), *(ui.cell(v, style, width=60) for v in values))
    ui.screen().print()
    ui.screen().print(rows)


def _held(case: dict[str, Any]) -> str:
    """What the writes of a question are to it."""
    if not case["closed_at"]:
        return "Held back"
    return "Still held back" if case["answers"] else "It was about"


def _approved(approvals: dict[str, Any]) -> Text:
    """How many of the approvals that are needed are given, and by whom."""
    given, part = approvals["given"], approvals["part"]
    told = f"{len(given)} of {ui.counted(approvals['needed'], 'approval')} given"
    by = f" by {', '.join(vote['by'] for vote in given)}" if given else ""
    return ui.cell(f"{told}{by}{f', for {len(part)} of the writes' if part else ''}.")


def _show_writes(writes: list[dict[str, Any]], head: str, most: int = 20) -> None:
    from syncengine.flows.views.held import told

    console = ui.screen()
    console.print(f"\n{head}: {ui.counted(len(writes), 'write')}", style="bold")
    for link in writes[:most]:
        because = "; ".join(told(reason, ui.plain) for reason in link["because"])
        line = Text.assemble("  ", f"{link['connection']}: {ui.plain(link['name'])}")
        line.append(f"  {because}", "dim")
        console.print(line, soft_wrap=True)
    if len(writes) > most:
        console.print(
            f"  and {len(writes) - most} more (--json shows all)", style="dim", markup=False
        )


cases.command()(answer)
