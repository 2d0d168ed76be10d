"""Taking a question: a person says that they look at it just now, so that nobody else begins, too. It lapses by
itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from syncengine.flows.core.engine import Engine, retry_on_lost_race
from syncengine.ledger import Transaction
from syncengine.model.case import Case

LAPSES: Final = 1800.0
"""Seconds after which a question is free again."""
_TAKEN: Final = "question"


@dataclass(slots=True)
class Taking:
    """Takes questions and gives them back."""

    engine: Engine

    @retry_on_lost_race
    def take(self, case_id: str, author: str) -> None:
        """Somebody looks at it from now on, whoever did before."""
        now = self.engine.clock.now()
        with self.engine.ledger.write() as tx:
            tx.take_mark(_TAKEN, [case_id], now, now + LAPSES, author)

    @retry_on_lost_race
    def give_back(self, case_id: str) -> None:
        """Nobody does any more."""
        with self.engine.ledger.write() as tx:
            given_back(tx, case_id)


def given_back(tx: Transaction, case_id: str) -> None:
    """Nobody looks at a question any more, since it is answered."""
    tx.drop_mark(_TAKEN, [case_id])


def taken(tx: Transaction, cases: Iterable[Case], now: float) -> dict[str, dict[str, str | float]]:
    """Open question -> ``by`` whom it is taken, and ``since`` when (epoch seconds)."""
    marks = tx.marks(_TAKEN, [case.id for case in cases if case.closed_at is None], now)
    return {id_: {"by": by, "since": until - LAPSES} for id_, (by, until) in marks.items()}
