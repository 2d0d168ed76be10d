"""``cases list|show|answer``: what waits for a person."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from syncengine.cli import ui
from syncengine.cli.answering import answer, spoken, the_one
from syncengine.cli.held import approved, show_writes
from syncengine.cli.wanted import By, Record, Since, Until, wanted
from syncengine.model.case import CaseKind

cases = typer.Typer(help="Questions that only a person can answer.", no_args_is_help=True)

_NOBODY = "Nothing waits for a person."

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
        with opened.ledger.read() as tx:
            waiting = sum(tx.count_cases().values())
        if state is not None:
            found = [case for case in found if bool(case["closed_at"]) == (state == "closed")]
    if as_json:
        ui.emit({"cases": found})
        return
    if not found:
        narrowed = kind is not None or state is not None or asked.narrowed
        told = ui.nothing("question", waiting, "open") if narrowed else _NOBODY
        ui.screen().print(told)
        return
    _show_list(found)


def _show_list(found: list[dict[str, Any]]) -> None:
    rows = ui.table("case", "since", "kind", "in", "about", "question", below=("question",))
    for case in found:
        about = case["about"] or case["external_id"] or ""
        question = case["question"]
        if case["closed_at"]:
            by = f" by {case['author']}" if case["author"] else ""
            question = f"answered {ui.stamp(case['closed_at'])}{by}: {case['answer']}"
            question = question if case["answer"] else f"closed {ui.stamp(case['closed_at'])}"
        rows.add_row(
            ui.short(case["id"]), ui.cell(ui.stamp(case["opened_at"]), "dim"), case["kind"],
            ui.cell(case["connection"] or ""), ui.cell(about, width=44), ui.cell(question),
        )  # fmt: skip
    ui.screen().print(rows)
    ui.times()
    ui.screen().print("\nLook at one: syncengine cases show CASE", style="dim")


@cases.command()
def show(
    case_id: Id,
    every: Annotated[bool, typer.Option("--all", help="List all held writes.")] = False,
    sensitive: ui.Sensitive = False,
    as_json: ui.Json = False,
) -> None:
    """Show a question with its evidence, side by side, and what each answer will do.

    Example: `syncengine cases show 3f9a12cd`; of held writes `--all` lists each with the person and the reason.
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
    if case["taken"]:
        by, since = case["taken"]["by"], ui.clock(case["taken"]["since"])
        console.print(ui.cell(f"{by} looks at this since {since}"))
    if case["advice"] and case["advice"]["why"]:
        console.print(ui.cell(case["advice"]["why"]))
    _show_sides(case["sides"])
    if case["kind"] == CaseKind.IDENTITY and case["advice"] and case["advice"]["same"]:
        console.print(ui.cell(f"The same: {', '.join(case['advice']['same'])}.", "dim"))
    if case["vendor_says"]:
        console.print()
        console.print(ui.cell(f"The vendor says: {ui.plain(case['vendor_says'], 600)}"))
    show_writes(case, every)
    if case["approvals"] and case["approvals"]["needed"] > 1:
        console.print(approved(case["approvals"]))
    _show_answers(case)
    ui.times()
    if case["answers"]:
        command = f"syncengine cases answer {ui.short(case['id'])} ANSWER [--reason TEXT]"
        console.print(f"\n{command}", style="dim", markup=False)


def _show_answers(case: dict[str, Any]) -> None:
    """How a question was answered, and which answers it takes."""
    console = ui.screen()
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


cases.command()(answer)
