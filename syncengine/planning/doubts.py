"""Doubts: writes that a vendor accepted and no read has shown yet. The answer is a claim, which the next reads confirm
or refute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from syncengine.mapping import Rule, System, paths
from syncengine.model.link import LEAVE, WHOLE, Base, Doubt, Link
from syncengine.model.operation import Operation
from syncengine.model.spelling import blank
from syncengine.model.values import ABSENT, Json, Row, digest

Saying = Literal["", "done", "before", "other"]
"""What a row says of a write: nothing, that it was done, what stood there before, or something else."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Evidence that a write took effect. ``by_vendor``: the vendor's answer says so; else a read does. ``until``: reads
    that began before this time cannot refute it."""

    until: float = 0.0
    by_vendor: bool = True

    def doubt(self, before: Json, shown: bool) -> Doubt:
        """The doubt that remains where the answer did not show the field, or showed the value from before
        (``shown``)."""
        return Doubt(before, self.until, "shown" if shown else "open", self.by_vendor)


PLAIN: Final = Claim()
"""The vendor's answer, without a time."""


def alike(rule: Rule, left: Json, right: Json) -> bool:
    """Whether two raw values are equal by the rule; ABSENT counts as empty."""
    nothing = [value is ABSENT or blank(value) for value in (left, right)]
    return all(nothing) if any(nothing) else rule.same(left, right)


def compare_with_write(rule: Rule, shown: Json, sent: Json, before: Json) -> Saying:
    """Compare a field's raw value with a write of it: shown as sent, as before, as something else, or not at all."""
    if shown is ABSENT:
        return ""
    if alike(rule, shown, sent):
        return "done"
    return "before" if alike(rule, shown, before) else "other"


def row_hashes(system: System, row: Row) -> dict[str, str]:
    """Field -> a hash of its raw value, of the fields that we write: what a row showed when it was deleted, by which
    later changes of it are noticed."""
    return {n: digest(raw) for n, raw in _written(system, row).items()}


def _written(system: System, row: Row) -> dict[str, Json]:
    rules = {name: rule for name, rule in system.rules.items() if rule.writes}
    return {n: None if (raw := r.extract(row)) is ABSENT else raw for n, r in rules.items()}


def as_deleted(system: System, base: Base, row: Row) -> dict[str, Json]:
    """Field -> raw value, of the fields that a row shows as it did when we deleted it, as far as that is known."""
    doubt = base.doubts.get(WHOLE)
    before = doubt.before if doubt is not None and isinstance(doubt.before, dict) else {}
    now = row_hashes(system, row)
    return {n: raw for n, raw in _written(system, row).items() if before.get(n) == now[n]}


def compare_doubt(system: System, base: Base, name: str, row: Row) -> Saying:
    """Compare a row with the write that a doubt is about. If the field's rule has changed since, the row proves
    nothing."""
    doubt = base.doubts[name]
    if name == WHOLE:
        # Earlier versions kept one hash of the whole row.
        alike = (row_hashes(system, row), digest(_written(system, row)))
        return "before" if doubt.before in alike else "other"
    if name.startswith(LEAVE):
        path = name.removeprefix(LEAVE)
        return _of_constant(
            _whole(paths.get(row, path), doubt), system.set_leave.get(path), doubt.before
        )
    rule = system.rules.get(name)
    if rule is None or not rule.writes or name not in base.vendor:
        return "other"
    if base.rules.get(name, rule.fingerprint) != rule.fingerprint:
        return "other"
    told = rule.reads or not doubt.claimed  # what is never shown is told again where nobody took it
    shown = _whole(rule.extract(row), doubt) if told else rule.extract(row)
    return compare_with_write(rule, shown, base.vendor[name], doubt.before)


def _whole(shown: Json, doubt: Doubt) -> Json:
    """What a whole row leaves out, and left out before, is empty."""
    return None if shown is ABSENT and blank(doubt.before) else shown


def _of_constant(shown: Json, sent: Json, before: Json) -> Saying:
    if shown is ABSENT:
        return ""
    if shown == sent:
        return "done"
    return "before" if shown == before or (blank(shown) and blank(before)) else "other"


def judged(system: System, base: Base, row: Row | None, started: float, strong: bool) -> Base:
    """The base after a reading that counts. Fields shown with another value than before the write are no longer
    doubtful. A field shown as it was before needs one more read, after which the write counts as not done. What is
    remembered of a deleted row stays for as long as nothing is planned for it."""
    doubts: dict[str, Doubt] = {}
    for name, doubt in base.doubts.items() if row is not None else ():
        said = compare_doubt(system, base, name, row or {})
        if said == "before" and doubt.claimed:
            late = strong and doubt.stage == "shown" and started >= doubt.until
            doubt = doubt if doubt.stage == "undone" else _to(doubt, late)
        if said in ("", "before"):
            doubts[name] = doubt
        elif name == WHOLE:
            # It is there, so it was not deleted, or somebody has made it anew.
            doubts[name] = replace(doubt, stage="undone")
    over = base.doubts.keys() - doubts.keys()
    return replace(base, doubts=doubts, expected=base.expected - over)


def _to(doubt: Doubt, late: bool) -> Doubt:
    return replace(doubt, stage="undone" if late else "shown")


def unread(system: System, link: Link) -> bool:
    """Whether the row we hold shows values that only the vendor's answer confirmed, and no read."""
    base, row = link.base, link.row or {}
    return any(
        d.claimed and compare_doubt(system, base, n, row) == "done" for n, d in base.doubts.items()
    )


def leaving(operation: Operation, was: Row, answer: Row | None, claim: Claim) -> dict[str, Doubt]:
    """Doubts about the constants written by ``set.leave``. ``was``: the row before the write."""
    found = {}
    for path, sent in operation.body.items():
        before = paths.get(was, path)
        before = None if before is ABSENT else before
        said = _of_constant(ABSENT if answer is None else paths.get(answer, path), sent, before)
        if said in ("", "before"):
            found[LEAVE + path] = claim.doubt(before, said == "before")
    return found


def undone(system: System, base: Base, name: str, row: Row) -> bool:
    """Whether a write was accepted, proved not done, and the row still shows the value from before."""
    doubt = base.doubts.get(name)
    return (
        doubt is not None
        and doubt.stage == "undone"
        and compare_doubt(system, base, name, row) == "before"
    )


def without(base: Base, names: Iterable[str]) -> Base:
    """The base without these writes: the values are planned again as if the vendor had never accepted them."""
    gone = {name: base.doubts[name] for name in names}
    canonical = {n: v for n, v in base.canonical.items() if n not in gone}
    former = {n: d.before for n, d in gone.items() if n in base.vendor}
    doubts = {n: d for n, d in base.doubts.items() if n not in gone}
    vendor = {**base.vendor, **former}
    return replace(
        base,
        canonical=canonical,
        vendor=vendor,
        doubts=doubts,
        expected=base.expected - gone.keys(),
    )
