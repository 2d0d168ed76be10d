"""``cases list|show|answer``: what waits for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from syncengine.cli import ui
from syncengine.cli.author import As, decider
from syncengine.model.case import CaseKind

if TYPE_CHECKING:
    from syncengine.flows.core.engine import Engine

cases = typer.Typer(help="Questions that only a person can answer.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The case's id, or its end.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(cases, name="cases", rich_help_panel="Decide")


@cases.command("list")
def list_cases(
    kind: Annotated[CaseKind | None, typer.Option(help="Only of this kind.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Closed ones, too.")] = False,
    sensitive: ui.Sensitive = False,
    as_json: ui.Json = False,
) -> None:
    """List open questions, the oldest first.

    Example: `syncengine cases list --kind conflict`
    """
    from syncengine.flows.views import queries

    with ui.engine(sensitive) as opened:
        found = queries.select_cases(opened, kind, closed)
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

    with ui.engine(sensitive) as opened:
        case = queries.case(opened, _the_one(opened, case_id))
    if as_json:
        ui.emit(case)
        return
    console = ui.screen()
    about = f" – {ui.plain(case['about'], 60)}" if case["about"] else ""
    console.print(Text.assemble((case["kind"], "bold"), about))
    console.print(ui.cell(case["question"]))
    console.print(ui.cell(f"open since {ui.clock(case['opened_at'])}", "dim"))
    _show_sides(case["sides"])
    if case["vendor_says"]:
        console.print()
        console.print(ui.cell(f"The vendor says: {ui.plain(case['vendor_says'], 600)}"))
    if case["writes"]:
        _show_writes(case["writes"], "Held back" if not case["closed_at"] else "It was about")
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
        answers.add_row(ui.cell(f"  {_spoken(given)}", "bold"), ui.cell(does))
    console.print(answers)
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


def _show_writes(writes: list[dict[str, Any]], head: str, most: int = 20) -> None:
    console = ui.screen()
    console.print(f"\n{head}: {ui.counted(len(writes), 'write')}", style="bold")
    for link in writes[:most]:
        console.print(ui.cell(f"  {link['connection']}: {link['name']}"))
    if len(writes) > most:
        console.print(
            f"  and {len(writes) - most} more (--json shows all)", style="dim", markup=False
        )


def _spoken(given: str) -> str:
    """An answer as it may be typed: the end of a record's id is enough."""
    verb, _, record = given.partition(" ")
    return f"{verb} {ui.short(record)}".strip()


@cases.command()
def answer(
    case_id: Id,
    words: Annotated[list[str], typer.Argument(metavar="ANSWER", help="As `cases show` says.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the case.")] = "",
    by: As = None,
    as_json: ui.Json = False,
) -> None:
    """Answer a question. The answer is carried out with the next sync.

    Example: `syncengine cases answer 3f9a12cd link 77b0e1f2 --reason "asked HR"`
    """
    from syncengine.flows.people.cases import answer as give
    from syncengine.flows.views import queries

    with ui.engine() as opened:
        author = decider(opened, by)
        chosen = _the_one(opened, case_id)
        case = queries.case(opened, chosen)
        given = _meant(case, " ".join(words))
        done = give(opened, chosen, given, reason, author)
    if as_json:
        ui.emit({"case": chosen, "answer": given, "done": done.done, "more_approvals": done.more})
    else:
        ui.screen().print(ui.cell(done.told))


def _the_one(opened: Engine, text: str) -> str:
    from syncengine.flows.views import queries

    found = queries.find_cases(opened, text)
    if len(found) != 1:
        what = "no case has" if not found else f"{len(found)} cases have"
        raise typer.BadParameter(
            f"{what} an id that ends in {text!r}: see `syncengine cases list`", param_hint="ID"
        )
    return found[0]


def _meant(case: dict[str, Any], given: str) -> str:
    """The one answer that was typed; a record may be named by the end of its id."""
    fits = [a for a in case["answers"] if given in (a, _spoken(a))]
    if len(fits) != 1 and not case["closed_at"]:
        expected = ", ".join(_spoken(a) for a in case["answers"])
        raise typer.BadParameter(
            f"expected one of {expected}; found {given!r}", param_hint="ANSWER"
        )
    return fits[0] if fits else given
