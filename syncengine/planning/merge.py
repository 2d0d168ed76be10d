"""The three-way merge of one field of one link: each side is compared with its own base value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from syncengine.model.spelling import alike
from syncengine.model.values import Json, is_empty


class Verdict(StrEnum):
    """What the merge does with a field. ``agree``: both sides are equal. ``keep``: they differ and nothing is done.
    ``patch``: the vendor's value becomes ours. ``write``: our value is written to the vendor. ``join``: both get the
    merged value (sets). ``drift``: somebody changed a field that another system owns; a person decides. ``conflict``:
    both sides changed; a person decides."""

    AGREE = "agree"
    KEEP = "keep"
    PATCH = "patch"
    WRITE = "write"
    JOIN = "join"
    DRIFT = "drift"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Side:
    """The input of the merge of one field.

    ``ours``, ``theirs``: present canonical values. ``before``: the vendor's base value, canonical (sets only).
    ``agrees``: equal, codec considered. ``ours_moved``, ``theirs_moved``: differs from its own base value; both are set
    where there is none. ``first``: there are no base values yet. ``rule_changed``: the base values were made by another
    rule; its spelling alone changed, or its place too. ``given``: the record ever held a value. ``can_in``,
    ``can_out``: what rule, scope and ``apply`` allow. ``writes``: whether the rule flows out at all. ``compared``: two
    or more systems show the field and none is written to. ``owner``: a connection, None for anyone. ``here``: this
    connection. ``stamp_*``: order of first observation.
    """

    here: str
    ours: Json
    theirs: Json
    agrees: bool
    ours_moved: bool
    theirs_moved: bool
    first: bool = False
    rule_changed: Literal["", "spelling", "place"] = ""
    given: bool = True
    can_in: bool = True
    can_out: bool = True
    writes: bool = True
    compared: bool = False
    owner: str | None = None
    on_conflict: str = "flag"
    on_drift: str = "revert"
    clear: bool = False
    is_set: bool = False
    before: Json = None
    stamp_ours: int = 0
    stamp_theirs: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of the merge of one field. ``value``: the canonical value after a patch or join. ``policy``: what
    decided, in words. ``lost``: the rejected value, if it was somebody's change, and ``lost_by``: whose (a connection,
    or ``record``). ``seen``: store the vendor's value as its base value, so that it no longer counts as changed."""

    verdict: Verdict
    value: Json = None
    policy: str = ""
    lost: Json = None
    lost_by: str = ""
    seen: bool = False


def merge_field(side: Side) -> Decision:
    """Merge one field. Pure, and defined for every combination of inputs."""
    if side.agrees:
        return Decision(Verdict.AGREE)
    if not (side.can_in or side.can_out):
        return Decision(Verdict.KEEP, seen=True)
    if not (side.ours_moved or side.theirs_moved):
        return _by_another_rule(side) if side.rule_changed else Decision(Verdict.KEEP, seen=True)
    if is_empty(side.theirs) and (side.first or not side.clear):
        return _write(side, "filled again" if not side.first else "filled")
    first_value = side.first or (side.theirs_moved and not side.given)
    if is_empty(side.ours) and side.can_in and first_value:
        return Decision(Verdict.PATCH, side.theirs, "first value")
    if not side.ours_moved:
        return _their_change(side)
    if not side.theirs_moved:
        return _stands_apart(side) if side.compared else _write(side, "only change")
    return _both_changed(side)


def _stands_apart(side: Side) -> Decision:
    """Our value changed and the vendor's cannot be written: decide as if both had changed. Nothing is recorded as lost,
    since the vendor's value stays where it is."""
    if side.owner is not None or not side.can_in:
        flagged = side.can_in and side.owner != side.here and side.on_drift == "flag"
        return Decision(Verdict.DRIFT, policy="drift") if flagged else _write(side, "only change")
    decision = _by_policy(side)
    kept = decision.verdict is Verdict.KEEP
    return replace(decision, lost=None, lost_by="") if kept else decision


def _write(side: Side, policy: str, lost: Json = None) -> Decision:
    """Our value wins: write it, or, where it cannot be written, leave the vendor's value where it is."""
    spreads = side.clear and not is_empty(side.theirs)
    stays = not side.can_out or (is_empty(side.ours) and not spreads)
    verdict = Verdict.KEEP if stays else Verdict.WRITE
    return Decision(
        verdict, policy=policy, lost=lost, lost_by="" if lost is None else side.here, seen=stays
    )


def _their_change(side: Side) -> Decision:
    if side.owner not in (None, side.here):
        if side.on_drift == "flag":
            return Decision(Verdict.DRIFT, policy="drift")
        return _write(side, f"owner {side.owner}", side.theirs)
    if not side.can_in:
        return _write(side, "flows out only", side.theirs)
    return Decision(Verdict.PATCH, side.theirs, "only change")


def _by_another_rule(side: Side) -> Decision:
    """Neither side changed, but they no longer agree because the mapping rule did. The owner's value is read again, and
    so is a value that can only be read; otherwise ours is written again."""
    policy = "the rule changed"
    reads = side.owner == side.here or (side.owner is None and not side.writes)
    first_value = is_empty(side.ours) and (side.owner is None or not side.given)
    if side.can_in and (reads or first_value) and (side.clear or not is_empty(side.theirs)):
        return Decision(Verdict.PATCH, side.theirs, policy)
    return _write(side, policy, side.theirs if side.rule_changed == "place" else None)


def _both_changed(side: Side) -> Decision:
    if not side.can_in:
        return _write(side, "flows out only", side.theirs)
    if side.owner is not None:
        policy = f"owner {side.owner}"
        return _theirs(side, policy) if side.owner == side.here else _ours(side, policy)
    if side.is_set and not side.first:
        return _join(side)
    return _by_policy(side)


def _by_policy(side: Side) -> Decision:
    """Decide a conflict as the field's ``on_conflict`` says."""
    match side.on_conflict:
        case "flag":
            return Decision(Verdict.CONFLICT, policy="flag")
        case "newest":
            wins = side.stamp_theirs > side.stamp_ours
        case "max" | "min" if is_empty(side.ours) or is_empty(side.theirs):
            wins = is_empty(side.ours)
        case "max":
            wins = side.theirs > side.ours
        case "min":
            wins = side.theirs < side.ours
        case system:
            wins = system == side.here
    return _theirs(side, side.on_conflict) if wins else _ours(side, side.on_conflict)


def _theirs(side: Side, policy: str) -> Decision:
    lost_by = "" if is_empty(side.ours) else "record"
    return Decision(Verdict.PATCH, side.theirs, policy, side.ours, lost_by)


def _ours(side: Side, policy: str) -> Decision:
    return _write(side, policy, side.theirs)


def _join(side: Side) -> Decision:
    ours = _items(side.ours)
    theirs, before = (_spelled_as(ours, _items(other)) for other in (side.theirs, side.before))
    merged = [item for item in ours if item in theirs or item not in before]
    merged += [item for item in theirs if item not in before and item not in merged]
    value = sorted(merged, key=lambda i: repr(i) if isinstance(i, dict | list) else i) or None
    if value is None and not side.clear:
        return Decision(Verdict.CONFLICT, policy="sets merge by item")
    if alike(value, side.theirs) or (value != side.ours and not side.can_out):
        return Decision(Verdict.PATCH, value, "sets merge by item")
    if value == side.ours:
        return _write(side, "sets merge by item")
    return Decision(Verdict.JOIN, value, "sets merge by item")


def _items(value: Json) -> list[Json]:
    return list(value) if isinstance(value, Iterable) else []


def _spelled_as(ours: list[Json], items: list[Json]) -> list[Json]:
    """Items in our spelling, where we have them."""
    return [next((mine for mine in ours if alike(mine, item)), item) for item in items]
