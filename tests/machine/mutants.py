"""Named mutants: one rule of the protocol taken out of the engine, by a patch of the function that keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import pytest

from syncengine.flows.capture import capture
from syncengine.flows.capture.rows import PreflightRead
from syncengine.flows.send.outcomes import stale
from syncengine.mapping import Unresolved
from syncengine.model.changeset import Changeset
from syncengine.model.key import KeyKind
from syncengine.model.operation import Action
from syncengine.model.values import ABSENT, digest
from syncengine.planning.observation import sent_raw

Wrap = Callable[[Any], Any]
"""The function as it is -> the function without the rule."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """``rule``: its number in docs/protocol.md. ``patches``: dotted name of a function -> what takes its place.
    ``seed``, ``steps``: a run that notices. ``breaks``: how what it finds begins."""

    rule: int
    patches: Mapping[str, Wrap]
    breaks: str
    seed: int
    steps: str

    def take_its_rule(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on, and for as long as ``monkeypatch`` lasts, the engine is without the rule."""
        for dotted, wrap in self.patches.items():
            place, function = holder(dotted)
            monkeypatch.setattr(place, function, wrap(getattr(place, function)))


def holder(dotted: str) -> tuple[Any, str]:
    """The module or class that holds a function, and its name there."""
    parts, (module, rest) = dotted.split("."), ("", [""])
    for end in range(len(parts) - 1, 0, -1):
        try:
            found, rest = import_module(".".join(parts[:end])), parts[end:]
        except ModuleNotFoundError:
            continue
        for name in rest[:-1]:
            found = getattr(found, name)
        return found, rest[-1]
    raise LookupError(f"there is no {module}{dotted}")


def _whole_response(original: Any) -> Any:
    def settle(system: Any, link: Any, operation: Any, *given: Any) -> Any:
        done = original(system, link, operation, *given)
        if done.link.row is None:
            return done
        shown = {n: rule.extract(done.link.row) for n, rule in system.rules.items()}
        seen = {n: raw for n, raw in shown.items() if raw is not ABSENT}
        base = replace(done.link.base, vendor={**done.link.base.vendor, **seen})
        return replace(done, link=replace(done.link, base=base))

    return settle


def _record_at_settle(original: Any) -> Any:
    def conclude(engine: Any, tx: Any, done: Any, held: Any) -> Any:
        operation = done.operation
        values = tx.records([operation.record_id])[operation.record_id].values
        now = {n: values.get(n, v) for n, v in operation.carried.items()}
        return original(engine, tx, replace(done, operation=replace(operation, carried=now)), held)

    return conclude


def _one_base_value(_: Any) -> Any:
    def theirs_moved(self: Any, name: str, rule: Any) -> bool:
        raw = rule.extract(self.link.row or {})
        if raw is ABSENT or name not in self.canonical:
            return raw is not ABSENT
        try:
            return bool(rule.decode(raw, self.context(name)) != self.canonical[name])
        except Unresolved:
            return True

    return theirs_moved


def _sent_is_base_value(original: Any) -> Any:
    def settle(system: Any, link: Any, operation: Any, *given: Any) -> Any:
        done = original(system, link, operation, *given)
        sent = {n: sent_raw(system, operation, n) for n in operation.carried}
        base = replace(done.link.base, vendor={**done.link.base.vendor, **sent})
        return replace(done, link=replace(done.link, base=base))

    return settle


def _no_equivalence(_: Any) -> Any:
    def theirs_moved(self: Any, name: str, rule: Any) -> bool:
        raw = rule.extract(self.link.row or {})
        return raw is not ABSENT and (name not in self.vendor or raw != self.vendor[name])

    return theirs_moved


def _content_key(original: Any) -> Any:
    def write(self: Any, change: Changeset) -> None:
        same = [replace(o, key=digest([o.link_id, dict(o.body)])) for o in change.new_operations]
        original(self, replace(change, new_operations=same))

    return write


def _nobody_woken(original: Any) -> Any:
    return lambda self, change: original(
        self, replace(change, wakes=replace(change.wakes, waiting=()))
    )


def _siblings_asleep(original: Any) -> Any:
    return lambda self, change: original(
        self, replace(change, wakes=replace(change.wakes, records={}))
    )


def _lists_are_true(original: Any) -> Any:
    def judge_reading(system: Any, *given: Any) -> Any:
        return original(replace(system, resource=replace(system.resource, list_lag=0.0)), *given)

    return judge_reading


def _broken_is_whole(_: Any) -> Any:
    def note_fault(listing: Any, error: Exception) -> Any:
        del error
        with listing.engine.ledger.read() as tx:
            state = tx.resource(listing.connection, listing.resource)
        return capture._finish(listing, "scan", state)

    return note_fault


def _scan_concludes(_: Any) -> Any:
    def suspect_missing(_system: Any, unseen: Any, *_given: Any) -> Changeset:
        gone = [
            replace(k, row=None, row_version=k.row_version + 1, dirty=k.dirty + 1) for k in unseen
        ]
        return Changeset(links=gone)

    return suspect_missing


def _merge_order(original: Any) -> Any:
    return lambda side: original(replace(side, stamp_theirs=side.stamp_ours + 1))


def _no_loser(original: Any) -> Any:
    return lambda side: replace(original(side), lost=None, lost_by="")


def _zeroed(original: Any) -> Any:
    def saved(held: Any, read: Any, decided: Any, *more: Any) -> Any:
        return replace(original(held, read, decided, *more), dirty=decided.dirty)

    return saved


def _gives(value: Any) -> Wrap:
    return lambda _: lambda *_given, **_named: value


def _not_done(_: Any) -> Any:
    def unknown(self: Any, operation: Any, detail: str) -> None:
        del detail
        with self.engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True)[operation.link_id]
            self.commit(tx, stale(self.ours(tx, operation), link, self.now))

    return unknown


def _forgotten(original: Any) -> Any:
    def invalidate(engine: Any, tx: Any, records: Any, *given: Any) -> Changeset:
        dropped = {(KeyKind.DERIVED, record.id) for record in records if record.deleted}
        return original(engine, tx, records, *given) + Changeset(dropped_keys=dropped)

    return invalidate


def _blind(original: Any) -> Any:
    def looked(self: Any, operation: Any) -> Any:
        if operation.action is Action.CREATE:
            now = self.engine.clock.now()
            return PreflightRead((), now, now)
        return original(self, operation)

    return looked


def _deletes_anyway(original: Any) -> Any:
    def leave(plan_input: Any, link: Any) -> Any:
        row = link.row or {}
        seen = {n: rule.extract(row) for n, rule in plan_input.system.rules.items()}
        if plan_input.system.on_leave == "delete":
            link = replace(link, base=replace(link.base, vendor={**link.base.vendor, **seen}))
        return original(plan_input, link)

    return leave


def _answer_is_base_value(original: Any) -> Any:
    def settle(system: Any, *given: Any) -> Any:
        done = original(system, *given)
        base, row = done.link.base, done.link.row or {}
        shown = {n: system.rules[n].extract(row) for n in base.doubts if n in system.rules}
        seen = {n: raw for n, raw in shown.items() if raw is not ABSENT}
        base = replace(base, vendor={**base.vendor, **seen}, doubts={})
        return replace(done, link=replace(done.link, base=base, need_get=False))

    return settle


FLOWS, PLANNING, SQL = "syncengine.flows", "syncengine.planning", "syncengine.ledger"
MUTANTS: dict[str, Mutant] = {
    "base values from the whole response": Mutant(
        1,
        {f"{FLOWS}.send.applied.settle_applied": _whole_response},
        "lost in silence",
        3105,
        "enter.489 during.612 everything.592",
    ),
    "our base value is the record at settling": Mutant(
        1,
        {f"{FLOWS}.send.applied._conclude": _record_at_settle},
        "lms lms-",
        3514,
        "enter.647 enter.329 leave.0 bad_claim.50 everything.508 leave.210 scan.886",
    ),
    "one base value only": Mutant(
        1,
        {f"{PLANNING}.fields.Fields.theirs_moved": _one_base_value},
        "nobody entered this in lms",
        3008,
        "enter.917 leave.291 leave.205 everything.728 leave.570",
    ),
    "the sent value is the vendor's base value": Mutant(
        1,
        {
            f"{FLOWS}.send.applied.settle_applied": _sent_is_base_value,
            f"{PLANNING}.fields.Fields.theirs_moved": _no_equivalence,
        },
        "rate was written twice for nothing",
        3057,
        "enter.276 enter.604 enter.300",
    ),
    "dirty is zeroed": Mutant(
        3,
        {f"{FLOWS}.reconcile.commit.lowered": _zeroed},
        "waits for a row that is there",
        8002,
        "work.7 enter.0 scan.0 scan.3 work.3 work.3 work.3 work.1 both.23",
    ),
    "siblings are not told": Mutant(
        3,
        {f"{SQL}.writing.Writing.write": _siblings_asleep},
        "not as its scope says",
        3001,
        "enter.572 everything.575 remove.916",
    ),
    "key from content": Mutant(
        4,
        {f"{SQL}.writing.Writing.write": _content_key},
        "a create took effect twice in tm",
        3019,
        "enter.501 everything.706 remove.141",
    ),
    "lists that lag are true": Mutant(
        5,
        {f"{FLOWS}.capture.rows.judge_reading": _lists_are_true},
        "nobody entered this in hr",
        3305,
        "enter.435 everything.813 edit.3305 everything.563 edit.3306 everything.1 scan.9 settle.1",
    ),
    "a broken listing concludes": Mutant(
        6,
        {
            f"{FLOWS}.capture.capture._note_fault": _broken_is_whole,
            f"{FLOWS}.capture.capture.suspect_missing": _scan_concludes,
        },
        "a record has two rows of ours in tm people",
        9006,
        "enter.495 everything.687 bad_listing.456 scan.783",
    ),
    "unknown does not block": Mutant(
        10,
        {f"{FLOWS}.send.settle.Settle.unknown": _not_done},
        "a record has two rows of ours in lms people",
        9083,
        "enter.315 everything.661",
    ),
    "no look before a create": Mutant(
        11,
        {f"{FLOWS}.send.rounds.Round._preflight": _blind},
        "a row in lms got a twin",
        3011,
        "enter.185 everything.123 pause.280 edit.305 rehire.402 reply.287",
    ),
    "nobody is woken": Mutant(
        11,
        {f"{SQL}.writing.Writing.write": _nobody_woken},
        "waits for a row that is there",
        3008,
        "enter.933",
    ),
    "a delete beats an unseen change": Mutant(
        14,
        {f"{PLANNING}.plan._leave": _deletes_anyway},
        "lost in silence",
        9034,
        """enter.925 everything.896 leave.68 edit.953 edit.224 leave.88 edit.274 scan.957 scan.641
        scan.521 settle.453 leave.106 scan.242 scan.326 scan.514""",
    ),
    "newest is merged last": Mutant(
        15,
        {f"{PLANNING}.fields.merge_field": _merge_order},
        "an older value won",
        9089,
        "enter.0 everything.1 everything.1 edit.45 edit.13 scan.0 scan.1 settle.1",
    ),
    "derived anew after a delete": Mutant(
        16,
        {
            f"{FLOWS}.reconcile.commit.identify": _forgotten,
            f"{FLOWS}.people.decisions.invalidate": _forgotten,
        },
        "a record was derived twice for one person",
        9039,
        "enter.254 everything.730 leave.894 course.519 leave.298 everything.78",
    ),
    "the loser is forgotten": Mutant(
        8,
        {f"{PLANNING}.fields.merge_field": _no_loser},
        "lost in silence",
        3006,
        "enter.221 everything.263 scan.942 meanwhile.285",
    ),
    "an old value that stays is an edit": Mutant(
        19,
        {f"{PLANNING}.sides.compare_doubt": _gives("other")},
        "nobody entered this in lms",
        5039,
        "enter.54 everything.1 bad_claim.1 edit.84 edit.634 everything.2 everything.3",
    ),
    "what was accepted is done": Mutant(
        19,
        {f"{FLOWS}.send.applied.settle_applied": _answer_is_base_value},
        "at the vendor",
        5004,
        "enter.696",
    ),
    "a leaver is believed to have left": Mutant(
        19,
        {f"{PLANNING}.settle.leaving": _gives({})},
        "a leaver who stays active",
        5006,
        "enter.21 everything.1 bad_claim.1 leave.1 everything.2",
    ),
}
"""Without one of its rules the engine breaks a promise, and this run shows it."""
