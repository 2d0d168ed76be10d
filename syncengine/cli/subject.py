"""``erase``, ``erasures``, ``export``: what a person may ask of whoever keeps data about her."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncengine.cli import ui
from syncengine.cli.author import As, decider, must_reach
from syncengine.cli.dossier import as_page
from syncengine.cli.noted import noted
from syncengine.cli.passes import find_one
from syncengine.model.erasure import Erasure
from syncengine.model.rights import Deed, Right

if TYPE_CHECKING:
    from syncengine.flows.core.engine import Engine

PANEL = "Decide"
REMAINS = (
    "The database's file is in use, so what was deleted is still in its free pages: stop the service, and "
    "`syncengine db compact`."
)

Of = Annotated[str, typer.Argument(metavar="ENTITY", help="Of which entity, as in `person`.")]
Who = Annotated[str, typer.Argument(metavar="KEY", help="A record: id, name, address, number.")]
_CAME_BACK = {
    "": "",
    "keep_out": "came back, and is kept out",
    "new": "came back, and was taken in as new",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (erase, erasures, export):
        app.command(rich_help_panel=PANEL)(command)


def erase(
    entity: Of,
    key: Who,
    reason: Annotated[
        str, typer.Option(help="Why, without a name; the erasure log keeps it.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    leave_rows: Annotated[
        bool,
        typer.Option("--leave-rows", help="Do not have rows deleted first, as the mapping says."),
    ] = False,
    sensitive: ui.Sensitive = False,
    by: As = None,
    as_json: ui.Json = False,
) -> None:
    """Forget a record: everything that is held of it goes, for good. This cannot be undone.

    Example: `syncengine erase person "Anna Meier" --dry-run`, then the same with `--reason "request 2026-17"`.
    Nothing is deleted at vendors, unless the mapping says so (`on_leave: delete`). Exits 4 while such a row is
    still there, and writes nothing else then.
    """
    from syncengine.flows.forget.erase import erase as forget
    from syncengine.flows.forget.erase import preview

    _check_options(reason, dry_run, yes, as_json)
    with ui.engine(sensitive) as opened:
        ui.known("ENTITY", entity, list(opened.project.entities))
        author = "" if dry_run else _eraser(opened, by, entity)
        chosen = find_one(opened, key, entity, gone=True)
        document = preview(opened, chosen)
        if not as_json:
            _show(document, leave_rows)
        if dry_run:
            if as_json:
                ui.emit(document)
            return
        if not yes:
            typer.confirm("Forget all of this? It cannot be undone.", abort=True, err=True)
        with noted(opened, author, "erase record", f"record {chosen}") as act:
            done = forget(opened, chosen, reason, author, leave_rows)
            # Of who is erased not even the id.
            act.about, act.outcome = (
                (entity, "done") if isinstance(done, Erasure) else (act.about, "asked")
            )
        if isinstance(done, Erasure) and not opened.ledger.compact():
            ui.aside().print(REMAINS, style="yellow", markup=False, soft_wrap=True)
    _tell(done, document, as_json)


def _eraser(opened: Engine, by: str | None, entity: str) -> str:
    """Who erases. Raises ConfigInvalid for whoever may not, or not what is of this entity."""
    author = decider(opened, by, Right.PRIVACY)
    must_reach(opened, author, f"this {entity}", Deed.RECORD, entity)
    return author


def _check_options(reason: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Raises BadParameter."""
    if not reason.strip() and not dry_run:
        raise typer.BadParameter(
            "say why, for the erasure log; or look first with --dry-run", param_hint="--reason"
        )
    if as_json and not (yes or dry_run):
        raise typer.BadParameter("--json cannot ask: add --yes or --dry-run", param_hint="--json")


def _tell(done: Erasure | list[dict[str, Any]], document: Mapping[str, Any], as_json: bool) -> None:
    if isinstance(done, Erasure):
        if as_json:
            ui.emit({"erased": _line(done), "vendors": document["vendors"]})
            return
        rows = ui.counted(sum(done.counts.values()), "row")
        ui.screen().print(
            ui.cell(
                f"Erased: {rows} in {len(done.counts)} tables. `syncengine erasures` has the line."
            )
        )
        return
    if as_json:
        ui.emit({"erased": None, "waits_for": done})
    else:
        _show_waits(done)
    ui.leave(ui.Exit.PERSON)


def _show_waits(places: list[dict[str, Any]]) -> None:
    console = ui.screen()
    console.print(
        "Nothing is erased yet. The mapping has these rows deleted first:", style="yellow"
    )
    for place in places:
        console.print(ui.cell(f"  {_where(place)} ({place['deletes']})"), soft_wrap=True)
    console.print(
        "Their records are deleted now, and the service or `syncengine sync` deletes the rows. Then give the same "
        "command again; with --leave-rows they stay there.",
        markup=False,
        soft_wrap=True,
    )


def _where(place: Mapping[str, Any]) -> str:
    return f"{place['connection']} {place['resource']} {place['external_id']}"


def _show(document: Mapping[str, Any], leave_rows: bool) -> None:
    """What goes, what stays, and where."""
    from syncengine.flows.views.standing_text import records_of

    console = ui.screen()
    head = f"{document['entity']} {document['name']}"
    console.print(ui.cell(f"{head} ({ui.short(document['record'])})", "bold"))
    for past in document["earlier"]:
        console.print(
            ui.cell(f"  and what it was before: {past['name']} ({ui.short(past['record'])})")
        )
    rows = ui.table("goes from here", "", right=("",))
    for name, count in document["removes"].items():
        rows.add_row(name, f"{count:,}")
    console.print(rows)
    if document["belongs"]:
        belongs = ", ".join(records_of(n, entity) for entity, n in document["belongs"].items())
        console.print(
            ui.cell(f"Records that cannot be without it go, too: {belongs}."), soft_wrap=True
        )
    if document["named_by"]:
        named = ", ".join(f"{field} ({n:,})" for field, n in document["named_by"].items())
        console.print(ui.cell(f"Others that name it forget that: {named}."), soft_wrap=True)
    _show_vendors(document["vendors"], leave_rows)
    for told in document["under_way"]:
        console.print(ui.cell(f"Not possible yet: {told}.", "yellow"), soft_wrap=True)
    for asked in document["asked"]:
        told = f"{asked['question']} (`syncengine cases show {ui.short(asked['case'])}`)"
        console.print(ui.cell(f"Not possible yet: {told}", "yellow"), soft_wrap=True)


def _show_vendors(places: list[dict[str, Any]], leave_rows: bool, most: int = 40) -> None:
    console = ui.screen()
    if not places:
        console.print("No vendor is known to hold a row of it.")
        return
    console.print(
        "\nVendors still hold these rows; erase them there, or they are asked about when they come back:"
    )
    rows = ui.table(
        "at", "resource", "row", "of", "address", "the mapping", below=("of", "address")
    )
    for place in places[:most]:
        deletes = place["deletes"] and not leave_rows
        says = f"deletes it ({place['deletes']})" if deletes else "leaves it"
        cells = (place[name] for name in ("connection", "resource", "external_id", "entity", "at"))
        rows.add_row(*(ui.cell(value, width=60) for value in cells), ui.cell(says))
    console.print(rows)
    if len(places) > most:
        more = f"and {len(places) - most} more (--dry-run --json shows all)"
        console.print(more, style="dim", markup=False)


def _line(erasure: Erasure) -> dict[str, Any]:
    return {
        "id": erasure.id, "entity": erasure.entity, "at": erasure.at, "author": erasure.author,
        "reason": erasure.reason, "counts": dict(erasure.counts), "came_back": erasure.answer or None,
    }  # fmt: skip


def erasures(
    back: Annotated[
        str | None,
        typer.Option("--take-in", metavar="ID", help="Keep this one out no more."),
    ] = None,
    by: As = None,
    as_json: ui.Json = False,
) -> None:
    """The erasure log: when what was erased, by whom and why, and never who it was.

    Examples: `syncengine erasures`, `syncengine erasures --take-in 3f9a12cd` for who is hired again
    """
    from syncengine.flows.forget.erase import erasures as read_log
    from syncengine.flows.forget.erase import take_in

    with ui.engine() as opened:
        found = read_log(opened)
        if back is not None:
            author = decider(opened, by, Right.PRIVACY)
            meant = [e.id for e in found if e.id == back or (len(back) > 5 and e.id.endswith(back))]
            if len(meant) != 1:
                raise typer.BadParameter(
                    f"{len(meant)} erasures have an id that ends in {back!r}",
                    param_hint="--take-in",
                )
            of = next(e.entity for e in found if e.id == meant[0])
            with noted(opened, author, "take in who was erased", f"erasure {meant[0]}"):
                must_reach(opened, author, "this erasure", Deed.RECORD, of)
                take_in(opened, meant[0])
            found = read_log(opened)
    if as_json:
        ui.emit({"erasures": [_line(erasure) for erasure in found]})
        return
    if not found:
        ui.screen().print("Nothing was ever erased.")
        return
    names = ("erasure", "at", "what", "by", "why", "rows", "since then")
    rows = ui.table(*names, right=("rows",), below=("why", "since then"))
    for erasure in found:
        rows.add_row(
            ui.short(erasure.id), ui.clock(erasure.at), erasure.entity, ui.cell(erasure.author),
            ui.cell(erasure.reason), f"{sum(erasure.counts.values()):,}",
            _CAME_BACK.get(erasure.answer, erasure.answer),
        )  # fmt: skip
    ui.screen().print(rows)


def export(
    entity: Of,
    key: Who,
    folder: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Where the two files go.")
    ] = Path(),
    as_json: ui.Json = False,
) -> None:
    """Write down everything that is held of a record: a JSON file and a page to read, for its person alone.

    Example: `syncengine export person "Anna Meier" --to /srv/requests`
    """
    from syncengine.flows.views.export import export as gather_all
    from syncengine.flows.views.export import readable

    with ui.engine() as opened:
        ui.known("ENTITY", entity, list(opened.project.entities))
        chosen = find_one(opened, key, entity, gone=True)
        with noted(opened, opened.author, "export record", f"record {chosen}"):
            document = gather_all(opened, chosen, opened.author)
    plain = readable(document)
    if as_json:
        ui.emit(plain)
        return
    name = folder / f"{entity}-{ui.short(document['record'])}"
    texts = {
        ".json": json.dumps(plain, indent=2, ensure_ascii=False),
        ".html": as_page(document),
    }
    for suffix, text in texts.items():
        write_private(name.with_name(name.name + suffix), text)
        ui.screen().print(ui.cell(f"Written: {name}{suffix}"), soft_wrap=True)
    told = (
        "They hold everything, sensitive values too: hand them over safely, and delete them here."
    )
    ui.screen().print(told, markup=False, soft_wrap=True)


def write_private(path: Path, text: str) -> None:
    """A new file for this account alone, whatever stood there before. Raises OSError."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
