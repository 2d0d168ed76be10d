"""Ahead: what the coming days bring by themselves. The rehearsal goes on into them, day by day, on the same copy of the
ledger; a day on which nothing turns is skipped."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from syncengine.flows.core.engine import Engine
from syncengine.flows.run.planned import Planned
from syncengine.flows.run.rehearsal import Stage, played
from syncengine.flows.run.turns import Turn, Watch
from syncengine.model.changeset import Changeset

DAYS: Final = 30
"""How many days are looked at."""
_LATER: Final = 60.0
"""Seconds after midnight."""


@dataclass(frozen=True, slots=True)
class Day:
    """What one day brings. ``planned``: what is written and learned. ``turns``: the formulas that have another value.
    ``made``: ids of the records that are made then, as the plan calls them."""

    day: str
    planned: Planned
    turns: Sequence[Turn]
    made: Collection[str]


def foresee(engine: Engine, days: int = DAYS) -> Iterator[Day]:
    """The coming days on which something happens. What can be done today is taken as done; that nobody changes anything
    is assumed."""
    with engine.ledger.copy() as ledger:
        stage = played(engine, ledger)
        watch = Watch(stage.lifted, ledger)
        for before, day in _following(engine.today, days):
            turned = watch.turned(before, day)
            if turned:
                yield _played(stage, day, turned.wakes(), turned.formulas)
                watch.forget()


def _following(today: str, days: int) -> Iterator[tuple[str, str]]:
    """Each day after today, with the day before it."""
    first = date.fromisoformat(today)
    for number in range(days):
        before = first + timedelta(days=number)
        yield before.isoformat(), (before + timedelta(days=1)).isoformat()


def _played(stage: Stage, day: str, wakes: Changeset, turns: Sequence[Turn]) -> Day:
    stage.begin_day(stage.real.begins(day) + _LATER, wakes)
    stage.play(stage.lifted)
    planned, made = stage.told()
    return Day(day, planned, turns, made)
