"""Records: finding somebody, and all that is on record of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.flows.core.engine import Engine
from syncengine.flows.naming.masking import DOTS
from syncengine.flows.people.members import note
from syncengine.flows.run.sync import look_again
from syncengine.flows.views.directory import PER_PAGE
from syncengine.flows.views.explain import explain
from syncengine.flows.views.why import Reason, whys
from syncengine.model.record import Record
from syncengine.web.console.ask import Ask
from syncengine.web.console.exports import MOST, export, wanted

_STEPS: Final = 60
"""Lines of the story of a record on its page."""
STEPS: Final = ("change", "write", "record")
"""Kinds of these: a field changed, a vendor was written to, the record itself was made, linked or ended."""


def show_first(ask: Ask) -> Response:
    """On to the records that are about people, or to the first ones that there are."""
    entities = [e for e in ask.engine.project.entities.values() if ask.within.has(e.name)]
    first = next((e for e in entities if e.people), next(iter(entities), None))
    if first is None:
        raise HTTPException(404, "the project has no entity")
    return ask.to(f"/records/{first.name}", q=ask.query("q"))


def show_list(ask: Ask) -> Response:
    """Records of an entity, by name."""
    entity, text = _entity(ask), ask.query("q")
    with ask.engine.ledger.read() as tx:
        counts = tx.count_records()
    entities = [e for e in ask.engine.project.entities.values() if ask.within.has(e.name)]
    known = sorted(entities, key=lambda e: not e.people)
    limit = MOST if wanted(ask) else PER_PAGE
    found = ask.shared.directory.find(ask.engine, entity, text, ask.query("after"), limit)
    if wanted(ask):
        lines = [{"entity": entity, "record": k.id, "name": k.name} for k in found.lines]
        return export(ask, "records", ("entity", "record", "name"), lines)
    return ask.page(
        "records.html", entity=entity, found=found, text=text,
        entities=[e.name for e in known if e.name == entity or counts.get(e.name)], counts=counts,
    )  # fmt: skip


def show_one(ask: Ask) -> Response:
    """A record: its values on each side, where each comes from, what keeps it from agreeing, and its story."""
    return page_of(ask, ask.engine)


def page_of(ask: Ask, engine: Engine, uncovered: bool = False) -> Response:
    """The page of the record of the address, as this engine shows it. Raises HTTPException."""
    record = known(ask).id
    document = explain(engine, record)
    reasons = whys(engine, record)
    names = [reason.connection for reason in reasons]
    kind = ask.query("steps") if ask.query("steps") in STEPS else ""
    story = sorted(_story(document), key=lambda step: (-step["at"], -(step.get("change") or 0)))
    story = [step for step in story if not kind or step["kind"] == kind]
    older = ask.query("older")
    first = int(older) if older.isdecimal() and len(older) < 7 else 0
    rows = [_row(f, reasons) for f in document["fields"]]
    return ask.page(
        "record.html", record=document, reasons=reasons, connections=names, rows=rows,
        differing={name: _differing(rows, at) for at, name in enumerate(names)}, story=story[first : first + _STEPS],
        more=max(0, len(story) - first - _STEPS), next_step=first + _STEPS, first_step=first,
        kind=kind, uncovered=uncovered,
        covers=any(_is_covered(f) for f in document["fields"]),
    )  # fmt: skip


def known(ask: Ask) -> Record:
    """The record of the address. Raises HTTPException."""
    entity, record = _entity(ask), ask.visit.params["id"]
    with ask.engine.ledger.read() as tx:
        found = tx.records([record]).get(record)
    if found is None or found.entity != entity:
        raise HTTPException(404, "there is no such record; it may have been erased")
    return found


def sync_now(ask: Ask) -> Response:
    """Have all rows of a record read again, and written where they differ."""
    record = known(ask)
    links = look_again(ask.engine, record.id)
    ask.engine.queue.announce("refresh", links)
    with ask.engine.ledger.write() as tx:
        note(
            ask.engine, tx, ask.author, "console", "sync record", f"record {record.id}",
            address=ask.visit.address,
        )  # fmt: skip
    told = "Its rows are read again, and written where they differ, as soon as a worker is free."
    return ask.to(f"/records/{record.entity}/{record.id}", told)


def _is_covered(field: Mapping[str, Any]) -> bool:
    return DOTS in (field["value"], *(s["value"] for s in field["systems"]))


def _entity(ask: Ask) -> str:
    name = ask.visit.params["entity"]
    if name not in ask.engine.project.entities:
        raise HTTPException(404, f"the project has no records called {name[:60]}")
    return name


def _row(field: Mapping[str, Any], reasons: Sequence[Reason]) -> dict[str, Any]:
    """A field with its value on each side; ``sides``: in the order of the connections, None where it has no value."""
    sides: dict[str, Any] = {}
    for system in field["systems"]:
        if system["state"] in ("gone", "unlinked"):
            continue
        agreeing = next(
            (r.agreeing for r in reasons if r.connection == system["connection"]), frozenset()
        )
        covered = DOTS in (system["value"], field["value"])
        alike = not covered and _spoken(system["value"]) == _spoken(field["value"])
        same = alike or field["field"] in agreeing
        sides[system["connection"]] = {**system, "same": same}
    return {
        "name": field["field"], "value": field["value"], "sides": [sides.get(r.connection) for r in reasons],
        "because": field["because"], "owner": field["owner"], "formula": field["formula"],
        "undo": _last(field),
    }  # fmt: skip


def _differing(rows: Sequence[Mapping[str, Any]], at: int) -> list[str]:
    """The fields that a connection shows otherwise than our record does; covered ones are not compared."""
    sides = ((row, row["sides"][at]) for row in rows)
    return [
        row["name"] for row, side in sides
        if side is not None and not side["same"] and DOTS not in (side["value"], row["value"])
    ]  # fmt: skip


def _spoken(value: Any) -> str:
    return str(value).casefold()


def _last(field: Mapping[str, Any]) -> int | None:
    numbers = [change["change"] for change in field["changes"] if change["change"]]
    return numbers[-1] if numbers else None


def _story(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What happened to a record and its fields, as steps: ``at``, ``kind`` and what the template tells of it."""
    for change in document["changes"]:
        yield {"at": change["at"], "kind": "record", **change}
    sent: dict[tuple[Any, ...], dict[str, Any]] = {}
    for field in document["fields"]:
        for change in field["changes"]:
            if change["change"]:
                yield {"kind": "change", **change, "at": change["at"]}
        for write in field["writes"]:
            key = (write["at"], write["to"], write["action"])
            step = sent.setdefault(key, {**write, "kind": "write", "fields": []})
            step["fields"].append(field["field"])
    yield from sent.values()
    for write in document["left"]:
        key = (write["at"], write["to"], write["action"])
        if key not in sent:
            yield {**write, "kind": "write", "fields": list(write["sets"])}
