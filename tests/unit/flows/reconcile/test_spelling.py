"""Vendors that spell values their own way: written once, then silence, and edits of either side still flow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from syncengine.model.values import Json
from tests.support.bench import Bench
from tests.support.people import duo

LONG = "x" * 60
BERLIN = timezone(timedelta(hours=1))


@dataclass(frozen=True)
class Habit:
    """What a vendor makes of a value. ``declared``: our field. ``values``: entered in hr, changed in hr, changed in
    lms. ``means``: whether its spelling means the same to our field, so that a read without an answer confirms it."""

    name: str
    spell: Callable[[Any], Json]
    declared: str
    values: tuple[Json, Json, Json]
    vendor: str = "string"
    means: bool = False


def zoned(value: str) -> str:
    """The same moment on the clock of Berlin."""
    return datetime.fromisoformat(value).astimezone(BERLIN).isoformat()


HABITS = [
    Habit("trims", str.strip, "string", (" Anna  ", "Berta ", "Carla"), means=True),
    Habit("upper-cases", str.upper, "string", ("Anna", "Berta", "Carla")),
    Habit("upper-cases addresses", str.upper, "email", ("a@x.de", "b@x.de", "c@x.de"), means=True),
    Habit("cuts", lambda text: text[:50], "string", (LONG, "y" + LONG, "z" + LONG)),
    Habit("rounds", round, "number", (7.4, 8.6, 9.5), vendor="number"),
    Habit(
        "reorders", lambda items: sorted(items, reverse=True), "set, of: string",
        (["a", "b"], ["a", "b", "c"], ["a", "d"]), vendor="list", means=True,
    ),
    Habit(
        "changes the time zone", zoned, "datetime",
        ("2026-11-22T10:00:00Z", "2026-11-23T10:00:00Z", "2026-11-24T10:00:00Z"),
        vendor="datetime", means=True,
    ),
]  # fmt: skip
TEXTS = [habit for habit in HABITS if habit.declared == "string"]
SYSTEM = "{resource: people, flow: both, create: %s, fields: {mail: mail, value: value}}"


def two(lms: Habit, hr: Habit | None = None, answers: str = "full") -> Bench:
    """People in hr, copied to lms, each with its habit."""
    about = {"columns": ("id", "mail", "value"), "types": {"value": lms.vendor}}
    return duo(
        hr={**about, "shape": shape(hr)},
        lms={**about, "shape": shape(lms), "answers": answers, "search": ("mail",)},
        hr_system=SYSTEM % "in", lms_system=SYSTEM % "out", identity="[[mail]]",
        fields=f"\n  mail: {{type: email}}\n  value: {{type: {lms.declared}, on_conflict: newest}}\n",
    )  # fmt: skip


def shape(habit: Habit | None) -> Callable[[dict[str, Json]], None]:
    """What a vendor with that habit makes of its rows."""

    def spell(row: dict[str, Json]) -> None:
        if habit is not None and row.get("value") is not None:
            row["value"] = habit.spell(row["value"])

    return spell


def writes(made: Bench) -> dict[str, int]:
    """How many writes arrived where."""
    return {name: len(calls) for name, calls in made.written().items()}


@pytest.mark.parametrize("answers", ["full", "sent", "empty"])
@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_a_habit_is_no_edit(habit: Habit, answers: str) -> None:
    """Rule 1: one write, then silence; an edit of either side is one write to the other, and silence again. Where the
    answer shows nothing and the habit changes the meaning, the vendor's value counts as its edit, once."""
    made = two(habit, answers=answers)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    first, second, third = habit.values
    proven = habit.means or answers != "empty"
    mine = hr.add(mail="anna@x.de", value=first)
    for edit in (None, second):
        if edit is not None:
            hr.edit(mine, value=edit)
        before = writes(made)
        made.sync()
        made.sync()
        quiet = writes(made)
        assert quiet["lms"] == before.get("lms", 0) + 1
        assert quiet.get("hr", 0) == before.get("hr", 0) + (not proven)
        assert made.sync()["converged"]
        assert writes(made) == quiet
        if proven:
            assert hr.row(mine)["value"] == (first if edit is None else edit)
    (theirs,) = lms.rows()
    before = writes(made)
    lms.edit(theirs, value=third)
    made.sync()
    made.sync()
    after = writes(made)
    assert after == {**before, "hr": before.get("hr", 0) + 1}
    assert made.sync()["converged"]
    assert writes(made) == after
    assert not made.cases()


@pytest.mark.parametrize(
    ("first", "second"), list(zip(TEXTS, TEXTS[1:] + TEXTS[:1], strict=True)),
    ids=lambda habit: habit.name,
)  # fmt: skip
def test_two_habits_do_not_quarrel(first: Habit, second: Habit) -> None:
    """Rule 1: two vendors, each with a spelling of its own: an edit is one write to the other, and nothing comes
    back."""
    made = two(second, hr=first)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    mine = hr.add(mail="anna@x.de", value=f" Anna {LONG} ")
    made.sync()
    made.sync()
    (theirs,) = lms.rows()
    assert writes(made) == {"lms": 1}
    for vendor, row, other in ((hr, mine, "lms"), (lms, theirs, "hr"), (hr, mine, "lms")):
        before = writes(made)
        vendor.edit(row, value=f" {vendor.spec.name} {made.clock.now()} {LONG} ")
        made.sync()
        made.sync()
        assert writes(made) == {**before, other: before.get(other, 0) + 1}
    assert made.sync()["converged"]
