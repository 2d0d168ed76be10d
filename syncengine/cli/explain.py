"""``explain`` and ``history``: why a field is what it is, and what changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import typer

from syncengine.cli import ui
from syncengine.cli.passes import find_one
from syncengine.cli.wanted import By, Record, Since, Until, wanted

PANEL = "Look"
_SHOWN = {
    "scan": "in a listing", "poll": "in its change feed", "read": "in a single read",
    "write": "in its answer to our write",
}  # fmt: skip
"""How a vendor showed a value, by the source of the event."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=PANEL)(explain)
    app.command(rich_help_panel=PANEL)(history)


def explain(
    entity: Annotated[str, typer.Argument(help="Of which entity, as in `person`.")],
    key: Annotated[str, typer.Argument(help="A record: id, name, address, number.")],
    field: Annotated[str | None, typer.Argument(help="One field, with all its changes.")] = None,
    sensitive: ui.Sensitive = False,
    as_json: ui.Json = False,
) -> None:
    """Say of each field of a record which system, change and rule made it so, and what it replaced.

    Examples: `syncengine explain person "Anna Meier"`, `syncengine explain person 1002 work_email`
    """
    from syncengine.flows.views.explain import explain as find_out

    with ui.engine(sensitive) as opened:
        ui.known("ENTITY", entity, list(opened.project.entities))
        ui.known("FIELD", field, list(opened.project.entities[entity].fields))
        document = find_out(opened, find_one(opened, key, entity, gone=True), field)
    if as_json:
        ui.emit(document)
        return
    head = f"{document['entity']} {document['name']}"
    ui.screen().print(ui.cell(f"{head} ({ui.short(document['record'])})", "bold"))
    _show_past(document)
    if field is None:
        _show_fields(document["fields"])
        _show_links(document["links"])
        _show_record(document)
        ui.times()
        return
    (told,) = document["fields"]
    owner = f"It belongs to {told['owner']}." if told["owner"] != "anyone" else ""
    told_now = f"{field} is {ui.plain(told['value'])}."
    if told["formula"] is not None:
        _show_formula(told_now, told["formula"])
    else:
        ui.told(ui.cell(f"{told_now} {owner or 'Anyone may change it.'}"))
    _show_story(told)
    _show_systems(told["systems"])
    ui.times()


def history(
    lost: Annotated[
        bool, typer.Option("--lost", help="Only those that put a value aside.")
    ] = False,
    record: Record = None,
    since: Since = None,
    until: Until = None,
    by: By = None,
    connection: Annotated[
        str | None, typer.Option(help="Only what was shown there.", metavar="NAME")
    ] = None,
    state: Annotated[
        Literal["made", "deleted", "changed", "lost"] | None,
        typer.Option(
            help="Only records that were made, or deleted; only values that changed; or as `--lost`.",
            show_choices=True,
        ),
    ] = None,
    limit: ui.Limit = 50,
    sensitive: ui.Sensitive = False,
    as_json: ui.Json = False,
) -> None:
    """List changes of all records, the newest first; with `--lost` the values that a merge decided against.

    Examples: `syncengine history --lost`, then `syncengine undo CHANGE` brings a value back;
    `syncengine history --by kim --since 2d`, `syncengine history --state deleted`.
    """
    from syncengine.flows.views.explain import select_history

    with ui.engine(sensitive) as opened:
        asked = wanted(opened, record, since, until, by, connection)
        lost = lost or state == "lost"
        document = select_history(
            opened, lost, limit, asked.since, asked.until, state or "", record_id=asked.record,
            author=by, connection=connection,
        )  # fmt: skip
        with opened.ledger.read() as tx:
            total = tx.count_history()
    if as_json:
        ui.emit({"history": document})
        return
    narrowed = asked.narrowed or state is not None
    _show_history(document, limit, lost and not asked.narrowed, total if narrowed else None)


def _show_history(
    document: list[dict[str, Any]], limit: int, lost: bool, total: int | None
) -> None:
    rows = ui.table("change", "at", "of", "what", "why", below=("of", "what"))
    for item in document:
        rows.add_row(
            f"#{item['change']}",
            ui.cell(ui.stamp(item["at"]), "dim"),
            ui.cell(" ".join(part for part in (item["name"], item["field"]) if part), width=44),
            ui.cell(_what(item), width=120),
            ui.cell(
                ", ".join(w for w in (item["author"], item["from"], item["policy"]) if w), "dim"
            ),
        )
    ui.listed(rows, len(document), limit, "lost value" if lost else "change", total)
    if document:
        ui.screen().print("Take one back: syncengine undo CHANGE", style="dim")
        ui.times()


def _what(change: dict[str, Any]) -> str:
    """``XL → M``; what was put aside, and whose it was."""
    old, new = ui.plain(change["old"]), ui.plain(change["new"])
    if not change["field"]:
        return new
    what = f"{old} → {new}" if change["old"] != change["new"] else f"it stays {new}"
    if change["lost"] is None:
        return what
    return f"{ui.plain(change['lost'])} of {_whose(change)} was put aside, {what}"


def _whose(change: dict[str, Any]) -> str:
    """Whose value lost; by a join of two records it is that of the other one."""
    by = change["lost_by"]
    return {"record": "our record"}.get(by, f"record {ui.short(by)}" if len(by) == 36 else by)


def _show_past(document: dict[str, Any]) -> None:
    """That the record was deleted, and who bore its identity before it."""
    kind = document["entity"]
    if document["deleted"] is not None:
        ui.screen().print(ui.cell(f"It was deleted on {_left(document['deleted'])}."))
    if document["forgotten_before"] is not None:
        since = ui.clock(document["forgotten_before"])[:10]
        text = f"Of changes before {since} only the last one of each field is on record (retention: history)."
        ui.told(ui.cell(text, "dim"))
    for past in document["earlier"]:
        command = f"syncengine explain {kind} {ui.short(past['record'])}"
        text = f"An earlier {kind} with the same identity left on {_left(past)}: `{command}`."
        ui.screen().print(ui.cell(text), soft_wrap=True)


def _left(past: dict[str, Any]) -> str:
    why = ", ".join(w for w in (past["author"], past["policy"], past["reason"]) if w)
    return f"{ui.clock(past['at'])[:10]} ({why})"


def _show_fields(fields: list[dict[str, Any]]) -> None:
    rows = ui.table("field", "value", "from", "why", "rule")
    rows.columns[-1].whole = True
    for item in fields:
        why = item["because"] or {}
        event = why.get("event") or {}
        rows.add_row(
            item["field"],
            ui.cell(item["value"], width=40),
            ui.cell(_source(why, event)),
            ui.cell(why.get("policy", "")),
            ui.cell(why.get("rule", ""), "dim"),
        )
    ui.screen().print(rows)


def _source(why: dict[str, Any], event: dict[str, Any]) -> str:
    """Whose value it is, how we saw it, and when."""
    whose = why.get("from") or why.get("author") or ""
    seen = f", {event['source']} {ui.clock(event['at'])[:10]}" if event else ""
    return f"{whose}{seen}"


def _show_links(links: list[dict[str, Any]]) -> None:
    rows = ui.table("linked with", "state", "read")
    for link in links:
        rows.add_row(
            ui.cell(f"{link['connection']} {link['external_id'] or '(no row yet)'}", width=60),
            ui.cell(ui.link_state(link)),
            ui.cell(ui.clock(link["read_at"])[:16], "dim"),
        )
    ui.screen().print()
    ui.screen().print(rows)


def _show_formula(told_now: str, formula: dict[str, Any]) -> None:
    """How the field is computed, from what, and since when it is so."""
    so = f" It is so since {ui.clock(formula['since'])[:16]}." if formula["since"] else ""
    ui.told(ui.cell(f"{told_now} It is computed.{so}"))
    ui.told(ui.cell(f"  {formula['source']}  ({formula['rule']})"))
    for given in formula["inputs"]:
        how = f" (computed: {given['formula']})" if given["formula"] else ""
        ui.told(ui.cell(f"  {given['name']} is {ui.plain(given['value'])}{how}"))


def _show_record(document: dict[str, Any]) -> None:
    """What happened to the record as a whole, in order."""
    ui.screen().print("\nWhat happened to the record:")
    for at, line in of_record([*document["changes"], *document["left"]]):
        ui.told(ui.cell(f"  {ui.clock(at)}  {line}"))


def of_record(steps: list[dict[str, Any]]) -> list[tuple[float, str]]:
    """When what happened to a record as a whole, in order; of its changes and the writes by which it left systems."""
    told = [line for step in steps for line in (_write if "to" in step else _of_record)(step)]
    return sorted(told, key=lambda line: line[0])


def _of_record(change: dict[str, Any]) -> Iterator[tuple[float, str]]:
    by = f"{change['author']}: " if change["author"] else ""
    of = f" ({change['from']})" if change["from"] else ""
    why = ", ".join(w for w in (change["policy"], change["rule"], change["reason"]) if w)
    yield change["at"], f"{by}{_what(change)}{of}; {why}"


def _show_story(field: dict[str, Any]) -> None:
    """What happened to the field, in order: who showed what, what was decided, what we wrote where, the answer."""
    steps = story_of(field)
    computed = field["formula"] is not None
    if steps or not computed:
        ui.screen().print("\nWhat happened:" if steps else "\nNothing happened to it yet.")
    for at, line in steps:
        ui.told(ui.cell(f"  {ui.clock(at)}  {line}"))
    if any(change["change"] for change in field["changes"]):
        ui.screen().print("  #: the change's number, for `syncengine undo`", style="dim")


def story_of(field: dict[str, Any]) -> list[tuple[float, str]]:
    """When what happened to a field, in order, as sentences."""
    steps = [step for change in field["changes"] for step in _change(change)]
    steps += [step for write in field["writes"] for step in _write(write)]
    return sorted(steps, key=lambda step: step[0])


def _change(change: dict[str, Any]) -> Iterator[tuple[float, str]]:
    event = change["event"]
    shown = change["lost"] if change["lost_by"] == change["from"] != "" else change["new"]
    if event and event["notice"]:
        yield event["notice"]["at"], f"{event['connection']} sent word of a change (webhook)"
    if event and event["source"] in _SHOWN:
        how = f"{_SHOWN[event['source']]} (event {event['event']})"
        yield event["at"], f"{event['connection']} showed {ui.plain(shown)} {how}"
    number = f"#{change['change']} " if change["change"] else ""
    what = _what(change) if number else f"the record was made with {ui.plain(change['new'])}"
    by = f"{change['author']}: " if change["author"] else ""
    why = ", ".join(w for w in (change["policy"], change["rule"], change["reason"]) if w)
    yield change["at"], f"{number}{by}{what}; {why}"


def _write(write: dict[str, Any]) -> Iterator[tuple[float, str]]:
    rule = f" ({write['rule']})" if write["rule"] else ""
    done, answer = write["answered_at"], write["answer"]
    told = f"{_sent(write)}{rule}"
    yield write["at"], told if done else f"{told}; {write['state']}" + f": {answer}" * bool(answer)
    if done:
        yield done, f"{write['to']} answered: {answer or write['state']}"


def _sent(write: dict[str, Any]) -> str:
    """What we wrote, as a sentence."""
    there, value = write["to"], ui.plain(write.get("value"))
    match write["action"]:
        case "leave":
            given = write.get("sets")
            what = (
                ", ".join(f"{p} to {ui.plain(v)}" for p, v in given.items())
                if given
                else f"it to {value}"
            )
            return f"the record leaves {there}, so we set {what} there"
        case "delete":
            return f"the record leaves {there}, so we delete its row there"
        case "create":
            return f"we make a row in {there}: {value}"
        case _ if write["refills"]:
            return f"{there} showed it empty, which does not empty ours (clear: false), so we put it back: {value}"
    return f"we write to {there}: {value}"


def _show_systems(systems: list[dict[str, Any]]) -> None:
    rows = ui.table("system", "its value", "flow", "rule", "link", "read")
    for system in systems:
        rows.add_row(
            ui.cell(f"{system['connection']} {system['external_id'] or ''}", width=30),
            ui.cell(system["value"], width=40),
            system["flow"],
            ui.cell(system["rule"], "dim"),
            system["state"],
            ui.cell(ui.clock(system["read_at"])[:16], "dim"),
        )
    if systems:
        ui.screen().print()
        ui.screen().print(rows)
