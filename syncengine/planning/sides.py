"""The two sides of each field of a link: the record's value, the vendor's, and which of them changed since their base
values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from syncengine.errors import RowInvalid
from syncengine.mapping import Context, Rule, Unresolved
from syncengine.model.change import Change
from syncengine.model.link import Doubt, Link
from syncengine.model.record import Record
from syncengine.model.spelling import alike
from syncengine.model.values import ABSENT, Json, is_empty, utc_text
from syncengine.planning.doubts import compare_doubt, without
from syncengine.planning.merge import Side
from syncengine.planning.plan_input import PlanInput


@dataclass(slots=True)
class Sides:
    """Record and row, field by field, beside the base values of when both last agreed (the rest is as in ``Base``).
    ``writing``: whether we may write there. ``as_before``: fields that show what stood there before our write.
    ``changes``: what the record has learned so far."""

    plan_input: PlanInput
    link: Link
    writing: bool = True
    values: dict[str, Json] = field(default_factory=dict)
    stamps: dict[str, int] = field(default_factory=dict)
    canonical: dict[str, Json] = field(default_factory=dict)
    vendor: dict[str, Json] = field(default_factory=dict)
    expected_values: set[str] = field(default_factory=set)
    doubts: dict[str, Doubt] = field(default_factory=dict)
    as_before: frozenset[str] = frozenset()
    rules: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        plan_input, base = self.plan_input, self.link.base
        row, system = self.link.row or {}, plan_input.system
        before = {n for n in base.doubts if compare_doubt(system, base, n, row) == "before"}
        base = without(base, [n for n in before if not base.doubts[n].claimed])
        self.as_before = frozenset(before & base.doubts.keys())
        self.values = dict(plan_input.entity.values(plan_input.record, plan_input.world))
        self.stamps = dict(plan_input.record.stamps)
        self.canonical, self.vendor = dict(base.canonical), dict(base.vendor)
        self.expected_values, self.rules = set(base.expected), dict(base.rules)
        # Who is back is in scope: how the row was left, or was to be deleted, is no question any more.
        fields = system.rules.keys() if self.writing else base.doubts.keys()
        self.doubts = {n: d for n, d in base.doubts.items() if n in fields}

    def patched(self) -> Record:
        """The record with the values it learned; the same object if there are none."""
        record = self.plan_input.record
        if not self.changes:
            return record
        stored = {n: v for n, v in self.values.items() if n not in self.plan_input.entity.formulas}
        if stored == dict(record.values):
            return record
        return replace(record, values=stored, stamps=self.stamps, generation=record.generation + 1)

    def context(self, name: str) -> Context:
        link = self.link
        return Context(
            connection=link.connection, world=self.plan_input.world, record=self.patched(),
            row=link.row or {}, old=self.values.get(name), seen=utc_text(link.read_at),
        )  # fmt: skip

    def theirs_moved(self, name: str, rule: Rule) -> bool:
        """Whether the vendor's raw value differs from its base value. A value read from another place than its base
        value does not count as changed."""
        raw = rule.extract(self.link.row or {})
        if raw is ABSENT:
            return False
        if name not in self.vendor:
            return True
        if name in self.as_before:
            return False
        return self.rule_changed(name, rule) != "place" and not rule.same(raw, self.vendor[name])

    def rule_changed(self, name: str, rule: Rule) -> Literal["", "spelling", "place"]:
        """What changed in the rule since the base values were made: nothing, its spelling, or its place."""
        made = self.rules.get(name, rule.fingerprint)
        if made == rule.fingerprint:
            return ""
        here = made.partition(".")[0] == rule.fingerprint.partition(".")[0]
        return "spelling" if here else "place"

    def meaning(self, name: str, rule: Rule) -> Json:
        """The vendor's value in canonical form; raw, where it cannot be decoded or means nothing but the time of the
        read."""
        raw, context = rule.extract(self.link.row or {}), self.context(name)
        try:
            meant = None if raw is ABSENT else rule.decode(raw, context)
        except (RowInvalid, Unresolved):
            return raw
        return raw if meant == context.seen else meant

    def at_rest(self, name: str, rule: Rule, raw: Json) -> bool:
        """Whether both sides and the rule are exactly as at the last merge, whose result then stands. A ref must also
        still name a row of our record, since its target may have another row by now."""
        base_value = self.vendor.get(name, ABSENT)
        return (
            type(raw) is type(base_value)
            and raw == base_value
            and not isinstance(raw, list | dict)
            and name in self.canonical
            and self.values.get(name) == self.canonical[name]
            and name not in self.expected_values
            and self.rules.get(name) == rule.fingerprint
            and (rule.target is None or self.names_ours(name, rule, raw))
        )

    def names_ours(self, name: str, rule: Rule, raw: Json) -> bool:
        named = [self.plan_input.world.tied.get(ref) for ref in rule.refs(raw)]
        return rule.field.formula is None and named == [self.values.get(name)]

    def resolved(self, name: str, rule: Rule) -> bool:
        """Whether our value can be encoded there; a ref may wait for the row of its target."""
        try:
            rule.encode(self.values.get(name), self.context(name))
        except Unresolved:
            return False
        return True

    def side(self, name: str, rule: Rule, raw: Json) -> Side:
        declared, values = rule.field, self.values
        ours, context = values.get(name), self.context(name)
        theirs = rule.decode(raw, context) if rule.reads or declared.formula is None else None
        first = name not in self.canonical and name not in self.vendor
        can_in = rule.reads and rule.apply != "create"
        can_out = rule.writes and self.writing and rule.apply != "create"
        if rule.apply == "if_empty":
            can_in, can_out = can_in and is_empty(ours), can_out and is_empty(theirs)
        rule_changed = self.rule_changed(name, rule)
        before = self.vendor.get(name) if declared.type == "set" and not rule_changed else None
        return Side(
            here=self.link.connection,
            ours=ours,
            theirs=theirs,
            agrees=self.agrees(rule, raw, ours, theirs, context),
            ours_moved=name not in self.canonical or not alike(ours, self.canonical[name]),
            theirs_moved=self.theirs_moved(name, rule),
            rule_changed=rule_changed,
            first=first,
            given=name in self.stamps or not is_empty(ours),
            can_in=can_in,
            can_out=can_out,
            writes=rule.writes,
            compared=name in self.plan_input.entity.compared,
            owner=declared.owned_by(self.patched(), self.plan_input.world),
            on_conflict=declared.on_conflict,
            on_drift=declared.on_drift,
            clear=declared.clear or declared.formula is not None,
            is_set=declared.type == "set",
            before=None if before is None else rule.decode(before, context),
            stamp_ours=self.stamps.get(name, 0),
            stamp_theirs=self.link.stamps.get(name, 0),
        )

    def agrees(self, rule: Rule, raw: Json, ours: Json, theirs: Json, context: Context) -> bool:
        meant = rule.field.formula is None and not rule.write_only
        if meant and (alike(theirs, ours) or (is_empty(theirs) and is_empty(ours))):
            return True
        if not rule.writes:
            return False
        try:
            return rule.same(raw, rule.encode(ours, context))
        except Unresolved:
            return False
