"""The merge of all fields of one link: what the record learns and what is written to its vendor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from syncengine.errors import RowInvalid
from syncengine.mapping import Rule, Unresolved
from syncengine.model.case import Case
from syncengine.model.change import Change
from syncengine.model.link import Base, Wait
from syncengine.model.operation import Action, Operation
from syncengine.model.record import Record
from syncengine.model.spelling import alike
from syncengine.model.values import ABSENT, Json, digest, is_empty
from syncengine.planning import questions
from syncengine.planning.approvals import not_done, unless_refused
from syncengine.planning.identity import quarantine
from syncengine.planning.merge import Decision, Side, Verdict, merge_field
from syncengine.planning.plan_input import Plan
from syncengine.planning.sides import Sides


@dataclass(slots=True)
class Fields(Sides):
    """Merges all fields of a link and collects the results."""

    body: dict[str, Json] = field(default_factory=dict)
    carried: dict[str, Json] = field(default_factory=dict)
    expected: dict[str, Json] = field(default_factory=dict)
    causes: dict[str, str] = field(default_factory=dict)
    spelled: dict[str, str] = field(default_factory=dict)
    conflicts: dict[str, tuple[Json, Json]] = field(default_factory=dict)
    drifts: dict[str, tuple[Json, Json]] = field(default_factory=dict)
    undone: dict[str, tuple[Json, Json]] = field(default_factory=dict)
    wait: Wait | None = None
    wait_required: bool = False
    invalid: list[Case] = field(default_factory=list)

    def plan(self) -> Plan:
        plan_input = self.plan_input
        rules = plan_input.system.rules
        decisions: dict[str, Decision] = {}
        for name in plan_input.entity.merge_order:
            if name in rules:
                decisions[name] = self.merge(name, rules[name])
        record = self.patched()
        if record is not plan_input.record:
            self.values = dict(plan_input.entity.values(record, plan_input.world))
        for name in plan_input.entity.formulas:
            if name in rules:
                decisions[name] = self.merge(name, rules[name])
        for name, decision in decisions.items():
            if decision.verdict in (Verdict.WRITE, Verdict.JOIN):
                self.write(name, rules[name], rules[name].extract(self.link.row or {}))
        return self.outcome(record)

    def outcome(self, record: Record) -> Plan:
        plan_input = self.plan_input
        patched = record is not plan_input.record
        cases = [*self.invalid]
        if self.conflicts:
            cases.append(questions.conflict(plan_input, self.conflicts))
        if self.drifts:
            cases.append(questions.drift(plan_input, self.drifts))
        cases += self.accepted()
        stated = {case.subject for case in cases}
        link = self.link.tied(base=self.base(), wait=self.wait)
        operation = None
        if self.body:
            operation = self.operation(Action.UPDATE, self.body, link.external_id)
            operation = replace(operation, generation=record.generation)
        plan = Plan(
            link,
            record if patched else None,
            operation,
            tuple(cases),
            frozenset(questions.subjects(plan_input, refused=bool(self.body)) - stated),
            tuple(self.changes),
            requeue=patched and plan_input.system.writes and operation is None,
        )
        return unless_refused(plan_input, plan)

    def accepted(self) -> list[Case]:
        """The case about fields that the vendor accepted and did not change, unless a person rejected the write."""
        if not self.undone:
            return []
        sent = sorted((name, self.vendor[name]) for name in self.undone)
        update = Action.UPDATE.value
        asked = not_done(self.plan_input, self.link, update, digest(sent), self.undone)
        self.wait = self.wait or asked.link.wait
        return list(asked.cases)

    def base(self) -> Base:
        return Base(
            self.canonical, self.vendor, frozenset(self.expected_values), self.rules, self.doubts
        )

    def merge(self, name: str, rule: Rule) -> Decision:
        if not (rule.reads or rule.writes):
            return Decision(Verdict.AGREE)
        if name in self.as_before and self.waits(name, rule):
            return Decision(Verdict.KEEP)
        raw = rule.extract(self.link.row or {})
        if raw is ABSENT:
            return self.unseen(name, rule)
        if self.at_rest(name, rule, raw):
            return Decision(Verdict.KEEP)
        try:
            side = self.side(name, rule, raw)
        except Unresolved as unresolved:
            return self.unresolved(name, rule, raw, unresolved)
        except RowInvalid as invalid:
            self.invalid.append(quarantine(self.plan_input.entity, self.link, name, invalid))
            return Decision(Verdict.KEEP)
        decision = merge_field(side)
        self.apply(name, rule, raw, side, decision)
        return decision

    def waits(self, name: str, rule: Rule) -> bool:
        """Whether a field that still shows the value from before our write is left alone: while the write may yet take
        effect, and while a person is asked. If our value is another one by now, it is written."""
        here = self.link.connection
        if not self.writing or self.doubts[name].stage != "undone":
            what = f"{here} to show what it accepted"
            self.wait = (self.wait or Wait(None, what)) if self.writing else self.wait
            return True
        known = name in self.canonical and self.values.get(name) == self.canonical[name]
        if known and rule.apply != "create":
            self.undone[name] = (self.values.get(name), self.meaning(name, rule))
        return name in self.undone

    def unresolved(self, name: str, rule: Rule, raw: Json, unresolved: Unresolved) -> Decision:
        """The row refers to a row that is not linked. If it did so at the last agreement, nothing is learned, and our
        value is written where its target has another row, or a row at all, by now."""
        unknown = name not in self.canonical or self.rule_changed(name, rule)
        if unknown or self.theirs_moved(name, rule):
            self.wait = self.wait or unresolved.wait
            return Decision(Verdict.KEEP)
        ours, writes = self.values.get(name), rule.writes and self.writing
        another = not alike(ours, self.canonical[name])
        side = Side(
            here=self.link.connection, ours=ours, theirs=raw, agrees=False, theirs_moved=False,
            ours_moved=another or (not is_empty(ours) and self.resolved(name, rule)),
            can_in=False, can_out=writes and rule.apply == "always", clear=rule.field.clear,
        )  # fmt: skip
        return merge_field(side)

    def unseen(self, name: str, rule: Rule) -> Decision:
        """The row does not show this field: compare with what we wrote last. If the rule changed since, the value is
        written again, but never to its owner."""
        value = self.values.get(name)
        known = name in self.canonical
        wanted = not alike(value, self.canonical[name]) if known else not is_empty(value)
        if known and not wanted and rule.apply == "always" and self.rule_changed(name, rule):
            owner = rule.field.owned_by(self.patched(), self.plan_input.world)
            wanted = not is_empty(value) and owner != self.link.connection
        writes = rule.writes and self.writing and rule.apply != "create"
        return Decision(Verdict.WRITE if wanted and writes else Verdict.KEEP)

    def apply(self, name: str, rule: Rule, raw: Json, side: Side, decision: Decision) -> None:
        match decision.verdict:
            case Verdict.AGREE:
                self.agree(name, rule, side.ours, raw)
            case Verdict.KEEP if decision.seen and (self.writing or not rule.writes):
                self.meet(name, rule, raw)
                self.canonical.setdefault(name, side.ours)
                self.put_aside(name, rule, side, decision)
            case Verdict.PATCH:
                self.learn(name, rule, side, decision)
                self.agree(name, rule, decision.value, raw)
            case Verdict.JOIN:
                self.learn(name, rule, side, decision)
                self.agree(name, rule, side.theirs, raw)
            case Verdict.WRITE if self.resolved(name, rule):
                self.put_aside(name, rule, side, decision)
            case Verdict.CONFLICT:
                self.conflicts[name] = (side.ours, side.theirs)
            case Verdict.DRIFT:
                self.drifts[name] = (side.ours, side.theirs)

    def agree(self, name: str, rule: Rule, value: Json, raw: Json) -> None:
        self.canonical[name] = value
        self.meet(name, rule, raw)

    def meet(self, name: str, rule: Rule, raw: Json) -> None:
        """Store the vendor's value as its base value; a value that is only expected stays so until a read shows it."""
        doubt = self.doubts.get(name)
        if doubt is None or doubt.stage != "open" or not rule.same(raw, self.vendor[name]):
            self.doubts.pop(name, None)
            self.expected_values.discard(name)
        self.vendor[name], self.rules[name] = raw, rule.fingerprint

    def learn(self, name: str, rule: Rule, side: Side, decision: Decision) -> None:
        self.note(name, rule, side.ours, decision.value, decision, 1)
        self.values[name] = decision.value
        self.stamps[name] = side.stamp_theirs

    def put_aside(self, name: str, rule: Rule, side: Side, decision: Decision) -> None:
        """Keep a rejected value in the history once it is overwritten."""
        if not is_empty(decision.lost):
            self.note(name, rule, side.ours, side.ours, decision, 0)

    def note(
        self, name: str, rule: Rule, old: Json, new: Json, decision: Decision, step: int
    ) -> None:
        self.changes.append(
            Change(
                record_id=self.plan_input.record.id,
                generation=self.plan_input.record.generation + step,
                field=name,
                old=old,
                new=new,
                lost=decision.lost,
                lost_by=decision.lost_by,
                stamp=self.link.stamps.get(name, 0),
                connection=self.link.connection,
                rule=str(rule.position),
                policy=decision.policy,
            )
        )

    def write(self, name: str, rule: Rule, raw: Json) -> None:
        """Add a field to the body of the write; a ref waits if its target has no row there yet."""
        value = self.values.get(name)
        try:
            sent = rule.encode(value, self.context(name))
        except Unresolved as unresolved:
            self.wait = self.wait or unresolved.wait
            needed = any(
                spec.required for root, spec in self.plan_input.system.resource.fields.items()
                if root in rule.roots
            )  # fmt: skip
            self.wait_required = self.wait_required or needed or rule.field.required
            return
        self.body.update(rule.body(sent))
        self.carried[name] = value
        self.causes[name], self.spelled[name] = str(rule.position), rule.fingerprint
        if raw is not ABSENT:
            self.expected[name] = raw

    def operation(
        self, action: Action, body: Mapping[str, Json], external_id: str | None
    ) -> Operation:
        link, record = self.link, self.plan_input.record
        return Operation(
            id="", link_id=link.id, record_id=record.id, entity=link.entity,
            connection=link.connection, resource=link.resource, action=action, body=dict(body),
            carried=dict(self.carried), expected=dict(self.expected),
            generation=record.generation, causes=dict(self.causes),
            rules=dict(self.spelled), external_id=external_id,
        )  # fmt: skip
