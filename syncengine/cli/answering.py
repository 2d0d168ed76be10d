"""``cases answer``: one question, or many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncengine.cli import ui
from syncengine.cli.author import As, decider, limits_of, must_reach_question
from syncengine.cli.held import Seen, Yes, bound, can_ask
from syncengine.cli.noted import noted
from syncengine.cli.wanted import Record, Since, Until, Wanted, wanted
from syncengine.errors import ConfigInvalid
from syncengine.model.case import CaseKind
from syncengine.model.rights import Right

if TYPE_CHECKING:
    from syncengine.flows.core.engine import Engine

Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY", help="Of held writes only that of this record; also several times."
    ),
]
ALL = "all"
MANY = 20
"""Questions above which their number has to be said."""

Count = Annotated[int | None, typer.Option(help=f"How many you mean; needed above {MANY}.")]


def answer(
    case_id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="The case's id, or its end; several apart by commas; or `all`, with --kind.",
        ),
    ],
    words: Annotated[list[str], typer.Argument(metavar="ANSWER", help="As `cases show` says.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the case.")] = "",
    kind: Annotated[CaseKind | None, typer.Option(help="Of `all`: only of this kind.")] = None,
    connection: ui.Connection = None,
    record: Record = None,
    since: Since = None,
    until: Until = None,
    count: Count = None,
    only: Only = None,
    seen: Seen = None,
    yes: Yes = False,
    by: As = None,
    as_json: ui.Json = False,
) -> None:
    """Answer a question, or many. The answers are carried out with the next sync.

    Examples: `syncengine cases answer 3f9a12cd link 77b0e1f2 --reason "asked HR"`;
    `syncengine cases answer 3f9a12cd,9c01aa34 new`;
    `syncengine cases answer all keep --kind missing --connection hakuna`;
    `syncengine cases answer 9c01aa34 approve --only "Anna Meier"`: about the other held writes is still asked then.

    An approval is for the writes that `cases show` has shown with a digest, `--seen DIGEST`; at a terminal, without it,
    it shows what is held now, and asks. A script has to say what was looked at.

    Of many, `link` alone means the only record that it may be. Each is answered by itself; what did not go is named,
    and the exit code is 1.
    """
    with ui.engine() as opened:
        author = decider(opened, by, Right.ANSWER)
        given = " ".join(words)
        if case_id != ALL and "," not in case_id:
            asks = not yes and not as_json and can_ask()
            _one(opened, case_id, Given(given, reason, author, only, seen, asks), as_json)
            return
        asked = wanted(opened, record, since, until, connection=connection)
        chosen = _many(opened, case_id, kind, asked, author)
        if len(chosen) > MANY and count != len(chosen):
            told = f"these are {len(chosen)} questions; say so: --count {len(chosen)}"
            raise typer.BadParameter(told, param_hint="--count")
        done = [_tried(opened, each, given, reason, author) for each in chosen]
    _show(done, as_json)
    ui.leave(ui.Exit.ERROR if any(line["refused"] for line in done) else ui.Exit.DONE)


def _many(
    opened: Engine, text: str, kind: CaseKind | None, asked: Wanted, author: str
) -> list[str]:
    """The ids of the questions that are meant: of all those within the limits of the author. Raises
    typer.BadParameter."""
    from syncengine.flows.views.questions import question_within, select_cases

    if text != ALL:
        return [the_one(opened, part.strip()) for part in text.split(",") if part.strip()]
    if kind is None:
        raise typer.BadParameter("expected the kind that you mean", param_hint="--kind")
    found = select_cases(
        opened, kind, False, asked.record, asked.connection, None, asked.since, asked.until
    )
    limits = limits_of(opened, author)
    ids = [case["id"] for case in found]
    return [i for i in ids if not limits or question_within(opened, i, limits) is not None]


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as it was typed. ``asks``: somebody can be asked whether they mean what is held now."""

    text: str
    reason: str
    author: str
    only: list[str] | None = None
    seen: str | None = None
    asks: bool = False


def _one(opened: Engine, case_id: str, given: Given, as_json: bool) -> None:
    from syncengine.flows.people.cases import ANSWERED
    from syncengine.flows.people.cases import answer as give
    from syncengine.flows.views import queries

    chosen = the_one(opened, case_id)
    must_reach_question(opened, given.author, chosen)
    case = queries.case(opened, chosen)
    meant, part = _meant(case, given.text), _part(case, given.only) if given.only else None
    seen = ANSWERED if case["closed_at"] else None
    if meant == "approve":
        seen = bound(case, part, given.seen, given.asks)
    with noted(opened, given.author, "answer", f"case {chosen}", answer=meant) as act:
        done = give(opened, chosen, meant, given.reason, given.author, seen, part)
        act.outcome = "approved, more have to" if done.more else "done"
    if as_json:
        told = {"done": done.done, "more_approvals": done.more, "rest": done.rest}
        told["approvals"] = queries.case(opened, chosen)["approvals"]
        ui.emit({"case": chosen, "answer": meant, **told})
    else:
        ui.screen().print(ui.cell(done.told))


def _part(case: dict[str, Any], only: list[str]) -> list[str]:
    """The links of held writes that are those of the named records; anything else is bad usage."""
    found: list[str] = []
    for text in only:
        wanted = text.strip().casefold()
        mine = [
            write["id"]
            for write in case["writes"]
            if wanted in (write["name"].casefold(), str(write["external_id"]).casefold())
            or str(write["record"]).endswith(wanted)
        ]
        if len(mine) != 1:
            what = f"{len(mine)} of the held writes are" if mine else "none of the held writes is"
            raise typer.BadParameter(f"{what} of {text!r}", param_hint="--only")
        found += mine
    return found


def _tried(opened: Engine, case_id: str, given: str, reason: str, author: str) -> dict[str, Any]:
    """One of many: what was done, or why not."""
    from syncengine.flows.people.cases import answer as give
    from syncengine.flows.people.decisions import NotPossible
    from syncengine.flows.views import queries

    case = queries.case(opened, case_id)
    line: dict[str, Any] = {"case": case_id, "about": case["about"], "answer": given}
    line |= {"done": "", "refused": ""}
    if case["kind"] == CaseKind.STAGED:
        return {**line, "refused": "held writes are looked at one by one"}
    fits = [a for a in case["answers"] if given in (a, spoken(a))]
    if given == "link":
        fits = [a for a in case["answers"] if a.startswith("link ")]
        if len(fits) != 1:
            some = f"{len(fits)} records" if fits else "no record"
            return {**line, "refused": f"it may belong to {some}: look at it by itself"}
    if not fits:
        expected = ", ".join(spoken(a) for a in case["answers"])
        return {**line, "refused": f"expected one of {expected}"}
    try:
        with noted(opened, author, "answer", f"case {case_id}", answer=fits[0]):
            must_reach_question(opened, author, case_id)
            done = give(opened, case_id, fits[0], reason, author)
    except (NotPossible, ConfigInvalid) as why:
        return {**line, "refused": str(why)}
    return {**line, "answer": fits[0], "done": done.done}


def _show(done: list[dict[str, Any]], as_json: bool) -> None:
    refused = [line for line in done if line["refused"]]
    went = len(done) - len(refused)
    if as_json:
        ui.emit({"answered": went, "refused": len(refused), "cases": done})
        return
    if refused:
        rows = ui.table("not answered", "about", "why", below=("why",))
        for line in refused:
            rows.add_row(
                ui.short(line["case"]), ui.cell(line["about"], width=32), ui.cell(line["refused"])
            )
        ui.screen().print(rows)
    ui.screen().print(f"{ui.counted(went, 'question')} answered. The next sync carries them on.")


def the_one(opened: Engine, text: str) -> str:
    """The id of the case that is meant. Raises typer.BadParameter."""
    from syncengine.flows.views import queries

    found = queries.find_cases(opened, text)
    if len(found) != 1:
        what = "no case has" if not found else f"{len(found)} cases have"
        raise typer.BadParameter(
            f"{what} an id that ends in {text!r}: see `syncengine cases list`", param_hint="ID"
        )
    ui.is_about(f"case {found[0]}")
    return found[0]


def spoken(given: str) -> str:
    """An answer as it may be typed: the end of a record's id is enough."""
    verb, _, record = given.partition(" ")
    return f"{verb} {ui.short(record)}".strip()


def _meant(case: dict[str, Any], given: str) -> str:
    """The one answer that was typed; a record may be named by the end of its id."""
    fits = [a for a in case["answers"] if given in (a, spoken(a))]
    if len(fits) != 1 and not case["closed_at"]:
        expected = ", ".join(spoken(a) for a in case["answers"])
        raise typer.BadParameter(
            f"expected one of {expected}; found {given!r}", param_hint="ANSWER"
        )
    return fits[0] if fits else given
