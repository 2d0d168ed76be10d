"""Mentions: where other records, links and cases refer to what is erased, and what is left of them without it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from syncengine.flows.naming.identifying import IdentifyingWords
from syncengine.mapping import Entity, Rule, System
from syncengine.model.case import Case
from syncengine.model.change import Change
from syncengine.model.condition import Condition
from syncengine.model.link import Base, Doubt, Link
from syncengine.model.operation import Operation
from syncengine.model.record import Record
from syncengine.model.ref import Ref
from syncengine.model.values import ABSENT, Json, as_list


@dataclass(frozen=True, slots=True)
class Marks:
    """Ids by which erased things are referred to. ``records``: record ids; ``things``: these and the ids of links and
    operations; ``places``: entity and ref of each row; ``waits``: what waits for them; ``identifying``: words that
    identify them."""

    records: frozenset[str]
    things: frozenset[str]
    places: frozenset[tuple[str, Ref]]
    waits: frozenset[Condition]
    identifying: IdentifyingWords

    def at(self, connection: str) -> set[str]:
        """The external ids in a connection."""
        return {ref.external_id for _, ref in self.places if ref.connection == connection}

    def named_by(self, value: Json) -> bool:
        """Whether a canonical value refers to one of the records."""
        return any(isinstance(item, str) and item in self.records for item in as_list(value))

    def named_there(self, rule: Rule, raw: Json) -> bool:
        """Whether a vendor's raw value refers to one of the rows."""
        return raw is not ABSENT and raw is not None and not self.places.isdisjoint(rule.refs(raw))


def _rest(value: Json, gone: Iterable[str]) -> Json:
    """A ref, or a list of refs, without these."""
    if isinstance(value, list):
        return [item for item in value if item not in gone]
    return None


def refs_of(entity: Entity) -> list[str]:
    """Fields that refer to records."""
    return [name for name, declared in entity.fields.items() if declared.is_ref]


def bound(system: System | None, link: Link) -> set[tuple[str, Ref]]:
    """The rows that a row requires: those that its required refs name."""
    rules = system.rules.values() if system is not None and link.row is not None else ()
    required = [r for r in rules if r.field.required and r.field.type == "ref"]
    return {ref for rule in required for ref in rule.refs(rule.extract(link.row or {}))}


def in_record(record: Record, marks: Marks) -> Record:
    """A record without the refs to them."""
    named = {n: v for n, v in record.values.items() if marks.named_by(v)}
    left = {n: _rest(v, marks.records) for n, v in named.items()}
    if not named:
        return record
    return replace(record, values={**record.values, **left})


def in_link(system: System | None, link: Link, marks: Marks) -> Link:
    """A link without the parts of its row and base that refer to them, as if the vendor had not shown these yet."""
    wait = None if link.wait is not None and link.wait.on in marks.waits else link.wait
    row, named = _in_row(system, link.connection, link.row, marks)
    rules = system.rules if system is not None else {}
    kept = (link.base.vendor, link.base.released, link.foreign_values)
    named |= {n for n, v in link.base.canonical.items() if marks.named_by(v)}
    named |= {
        n for held in kept for n, raw in held.items() if n in rules and marks.named_there(rules[n], raw)
    }  # fmt: skip
    if not named:
        return link if wait == link.wait else link.tied(wait=wait)
    return link.mirrored(
        row=row,
        listed_hash="",
        foreign_values={n: raw for n, raw in link.foreign_values.items() if n not in named},
        stamps={n: stamp for n, stamp in link.stamps.items() if n not in named},
    ).tied(base=_in_base(system, link, named, marks), wait=wait)


def _in_base(system: System | None, link: Link, named: set[str], marks: Marks) -> Base:
    base = link.base.forget(named)

    def less(held: Mapping[str, Json]) -> dict[str, Json]:
        return {name: value for name, value in held.items() if name not in named}

    def doubt(held: Doubt) -> Doubt:
        if not isinstance(held.before, dict):
            return held
        return replace(held, before=_in_row(system, link.connection, held.before, marks)[0])

    return replace(
        base,
        canonical=less(base.canonical),
        rules={name: rule for name, rule in base.rules.items() if name not in named},
        released=less(base.released),
        doubts={name: doubt(held) for name, held in base.doubts.items()},
    )


def _in_row(
    system: System | None, connection: str, row: Mapping[str, Json] | None, marks: Marks
) -> tuple[dict[str, Json] | None, set[str]]:
    """A row without the roots of what names them, and the fields that do. Of a system that the project no longer has,
    whatever is an external id of theirs."""
    if row is None:
        return None, set()
    if system is None:
        gone = marks.at(connection)
        roots = {n for n, v in row.items() if any(str(item) in gone for item in as_list(v))}
        return {n: v for n, v in row.items() if n not in roots}, set(roots)
    named = {n for n, rule in system.rules.items() if marks.named_there(rule, rule.extract(row))}
    roots = {root for name in named for root in system.rules[name].roots}
    return {name: value for name, value in row.items() if name not in roots}, named


def in_operation(system: System | None, operation: Operation, marks: Marks) -> Operation:
    """An operation without the values and answers that refer to them."""
    rules = system.rules if system is not None else {}
    named = {n for n, v in operation.carried.items() if marks.named_by(v)}
    named |= {
        n for n, raw in operation.expected.items() if n in rules and marks.named_there(rules[n], raw)
    }  # fmt: skip
    body, more = _in_body(rules, operation.body, marks, named)
    named |= more
    detail = marks.identifying.without(operation.detail)
    if not named and detail == operation.detail:
        return operation
    return replace(
        operation,
        detail=detail,
        body=body,
        carried={n: v for n, v in operation.carried.items() if n not in named},
        expected={n: v for n, v in operation.expected.items() if n not in named},
    )


def _in_body(
    rules: Mapping[str, Rule], body: Mapping[str, Json], marks: Marks, named: set[str]
) -> tuple[dict[str, Json], set[str]]:
    """A body without the paths of these fields, and of those that name them; and the latter."""
    more = {
        name for name, rule in rules.items()
        if any(marks.named_there(rule, body[path]) for path in rule.paths if path in body)
    }  # fmt: skip
    paths = {path for name in named | more if name in rules for path in rules[name].paths}
    return {path: raw for path, raw in body.items() if path not in paths}, more


def in_change(change: Change, marks: Marks) -> Change:
    """A history entry of another record without references to them. A value that our write overwrote is stored as its
    vendor spells it."""
    there = marks.at(change.lost_by)
    held = {"old": change.old, "new": change.new, "lost": change.lost}
    left = {n: _rest(v, marks.records) for n, v in held.items() if marks.named_by(v)}
    if any(str(item) in there for item in as_list(change.lost)):
        left["lost"] = None
    return replace(change, **left) if left else change


def in_case(system: System | None, connection: str, case: Case, marks: Marks) -> Case:
    """A case about something else without references to them, in evidence and answers."""
    evidence = dict(_without(case.evidence, marks.things))
    if isinstance(evidence.get("row"), dict):
        evidence["row"] = _in_row(system, connection, evidence["row"], marks)[0]
    if isinstance(evidence.get("body"), dict) and system is not None:
        evidence["body"] = _in_body(system.rules, evidence["body"], marks, set())[0]
    if isinstance(words := evidence.get("answer"), str):
        evidence["answer"] = marks.identifying.without(words)
    answers = {a: does for a, does in case.answers.items() if not _names(a + does, marks.things)}
    given = case.answer
    if given is not None and _names(given, marks.things):
        given = given.partition(" ")[0]
    return replace(case, evidence=evidence, answers=answers, answer=given)


def _without(value: Json, gone: frozenset[str]) -> Json:
    """JSON without the texts, and what is called by texts, that hold one of these."""
    if isinstance(value, Mapping):
        return {k: _without(v, gone) for k, v in value.items() if not _names(k, gone)}
    if isinstance(value, (list, tuple)):
        return [_without(i, gone) for i in value if not (isinstance(i, str) and _names(i, gone))]
    return None if isinstance(value, str) and _names(value, gone) else value


def _names(text: str, gone: frozenset[str]) -> bool:
    return text in gone or (len(text) > ID and any(id_ in text for id_ in gone))


ID = 30
"""Characters that an id of ours has at least."""
