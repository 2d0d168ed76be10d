"""What people entered: learned, lost to a named policy, or asked about; and nothing that nobody entered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from syncengine.errors import RowInvalid
from syncengine.mapping import Context, Rule, Unresolved
from syncengine.model.case import CaseKind
from syncengine.model.change import Change
from syncengine.model.link import Link, LinkState
from syncengine.model.values import Json, is_empty
from syncengine.simulation.company import Edit, Violation
from syncengine.simulation.rest import Rest, same


@dataclass
class Entries(Rest):
    """A company at rest, and all that its people entered."""

    def check(self) -> None:
        """All promises about it."""
        self.no_echo()
        self.newest()
        self.edits()

    def no_echo(self) -> None:
        """What a record learned from a vendor a person had entered there."""
        entered: dict[tuple[str, str], list[Json]] = {}
        for edit in self.company.edits:
            entered.setdefault((edit.connection, edit.field), []).append(edit.raw)
        for change in self.history:
            rule = self.learned(change)
            if rule is None:
                continue
            raws = entered.get((change.connection, change.field), [])
            if self.company.misled or (self.company.ruled and change.policy == "first value"):
                continue  # a row that we wrote may belong to another record by a person's word
            if not any(same(self.meaning(rule, change, raw), change.new) for raw in raws):
                raise Violation(f"nobody entered this in {change.connection}: {change}")

    def learned(self, change: Change) -> Rule | None:
        """The rule by which a value came from a vendor as it stood there, of such as can be told."""
        entity = self.entity(self.records[change.record_id])
        system = entity.systems.get(change.connection)
        rule = None if system is None else system.rules.get(change.field)
        if rule is None or change.author or change.old == change.new or rule.field.is_ref:
            return None
        setting = self.company.setting
        lossy = entity.name == "person" and setting.spelling(change.connection, change.field).lossy
        timed = "happened" in setting.rule(change.connection, change.field)
        return None if lossy or timed or rule.field.type == "set" else rule

    def meaning(self, rule: Rule, change: Change, raw: Json) -> Json:
        """A raw value in our terms."""
        try:
            raw = {rule.field.name: raw} if rule.written else raw
            return rule.decode(raw, Context(change.connection, self.world, old=change.old))
        except (RowInvalid, Unresolved):
            return None

    def newest(self) -> None:
        """Where the newest counts, the value that lost was not shown after the one that won."""
        for change in self.history:
            told = self.entity(self.records[change.record_id]).fields.get(change.field)
            alike = told is None or told.type in ("boolean", "enum")
            if alike or change.policy != "newest" or is_empty(change.lost) or is_empty(change.new):
                continue
            won, lost = self.entries(change, change.new), self.entries(change, change.lost)
            if any(  # an admin entered it anew
                c.policy.startswith("undo") and c.record_id == change.record_id
                and c.field == change.field and c.new == change.new and c.at <= change.at
                for c in self.history
            ):  # fmt: skip
                continue
            if len(won) == 1 == len(lost) and self.later(lost[0], won[0], change):
                raise Violation(f"an older value won: {change}")

    def later(self, edit: Edit, than: Edit, change: Change) -> bool:
        """Whether one entry was stored after another, both before a change."""
        if edit.shown is None or than.shown is None:
            return False
        return edit.shown > than.shown and max(edit.shown_at, than.shown_at) <= change.at

    def entries(self, change: Change, value: Json) -> list[Edit]:
        """What people entered that means this value."""
        name = self.records[change.record_id].entity
        found = []
        for edit in self.company.edits:
            rule = self.company.rule(edit.connection, edit.field, name)
            if edit.field != change.field or rule is None:
                continue
            if same(self.meaning(rule, change, edit.raw), value):
                found.append(edit)
        return found

    def edits(self) -> None:
        """What a person entered and the engine has seen was learned, or lost to a named policy, or is asked about."""
        trail = self.trail()
        links = {(k.connection, k.resource, k.external_id): k for k in self.links}
        for edit in {edit.cell: edit for edit in self.company.edits}.values():
            link = links.get(edit.cell[:3])
            rule = (
                None
                if link is None
                else self.company.rule(link.connection, edit.field, link.entity)
            )
            if link is None or rule is None or edit.shown is None:
                continue
            if edit.cell[:3] in self.company.removed or self.stands(edit, link, rule):
                continue
            if not self.kept(edit, rule, trail.get(edit.field, [])):
                raise Violation(f"lost in silence: {edit}")

    def stands(self, edit: Edit, link: Link, rule: Rule) -> bool:
        """Whether a value is at the vendor still and nobody has to learn it, or went with a row that only we kept."""
        row, record = self.row(link), self.records.get(link.record_id or "")
        learns = rule.reads and rule.apply == "always"
        if row is None:
            return not learns
        if not same(row.get(edit.field), edit.raw):
            return False
        waits = link.wait is not None or self.asked(link, edit.field)
        return waits or not learns or record is None or link.state is not LinkState.LINKED

    def trail(self) -> dict[str, list[Json]]:
        """Field -> every value that records held, that lost, or that somebody was asked about."""
        found: dict[str, list[Json]] = {}
        for change in self.history:
            found.setdefault(change.field, []).extend((change.old, change.new, change.lost))
        for record in self.records.values():
            for name, value in record.values.items():
                found.setdefault(name, []).append(value)
        for case in self.cases:
            sides = case.evidence.get("fields", {})
            sides = sides if case.kind in (CaseKind.CONFLICT, CaseKind.DRIFT) else {}
            for name, values in sides.items():
                found.setdefault(name, []).extend(values.values())
            for name, value in (case.evidence.get("row") or {}).items():
                found.setdefault(name, []).append(value)
        return found

    def kept(self, edit: Edit, rule: Rule, trail: Iterable[Json]) -> bool:
        """Whether the trail of a field holds what was entered."""
        if is_empty(edit.raw):
            return self.emptied(edit, rule)
        setting = self.company.setting
        if "happened" in setting.rule(edit.connection, edit.field):
            return True
        if rule.field.is_ref:
            owners = self.tied(edit, rule)
            return not owners or any(value in owners or edit.raw == value for value in trail)
        change = Change("", 0, edit.field, connection=edit.connection)
        meant, values = self.meaning(rule, change, edit.raw), list(trail)
        if rule.field.type in ("set",) and isinstance(meant, list):
            items = {item for value in values if isinstance(value, list) for item in value}
            return set(meant) <= items
        return any(same(value, meant) or same(value, edit.raw) for value in values)

    def emptied(self, edit: Edit, rule: Rule) -> bool:
        """Whether an emptied cell was filled again with a reason."""
        if not rule.field.clear or rule.field.owner is not None or not rule.reads:
            return True
        if not edit.agreed:  # an empty cell is filled where two sides meet for the first time
            return True
        told = any(c.field in (edit.field, "") and c.at >= edit.at for c in self.history)
        return told or rule.apply != "always" or self.is_empty_here(edit)

    def is_empty_here(self, edit: Edit) -> bool:
        """Whether the record of an entry has no value either."""
        ids = {
            k.record_id for k in self.links
            if (k.connection, k.resource, k.external_id) == edit.cell[:3]
        }  # fmt: skip
        records = [self.records[i] for i in ids if i in self.records]
        return any(is_empty(record.values.get(edit.field)) for record in records)

    def tied(self, edit: Edit, rule: Rule) -> set[str]:
        """The records that a ref named: whose row it was, and whose it is."""
        named = (edit.connection, str(edit.raw))
        rows = [(k.connection, k.external_id, k.entity, k.record_id) for k in self.links]
        rows += [(o.connection, o.external_id, o.entity, o.record_id) for o in self.operations]
        return {r for c, i, entity, r in rows if (c, i) == named and entity == rule.field.to and r}
