"""What moves in the same moment in which somebody is erased goes with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from syncengine.flows.forget.erase import erasures
from syncengine.ledger import Ledger, Transaction
from syncengine.model.changeset import Changeset
from syncengine.model.link import Link
from syncengine.model.record import Record
from tests.support.people import (
    anna,
    duo,
)
from tests.support.teams import crew, teams
from tests.unit.flows.forget.parts import gone


@dataclass
class Afterwards:
    """A ledger that lets something happen right after its first write transaction."""

    ledger: Ledger
    happen: Callable[[], object] | None

    def read(self) -> AbstractContextManager[Transaction]:
        """A snapshot."""
        return self.ledger.read()

    def compact(self) -> bool:
        """As the ledger does."""
        return self.ledger.compact()

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A write, and perhaps something else."""
        with self.ledger.write() as tx:
            yield tx
        happen, self.happen = self.happen, None
        if happen is not None:
            happen()


def test_what_another_worker_commits_in_the_same_moment_goes_too() -> None:
    """A record that came to belong to her, and one that came to name her, while she was erased: the first goes, and the
    second forgets her."""
    made = teams()
    crew(made)
    mine, kept = made.record(name="anna").id, made.engine.ledger
    (team,) = made.records("team")

    def late() -> None:
        with kept.write() as tx:
            tx.write(
                Changeset(new_records=[Record("n" * 36, "note", {"about": mine, "text": "late"})])
            )
            held = tx.records([team.id], lock=True)[team.id]
            named_again = {**held.values, "lead": mine}
            tx.write(
                Changeset(
                    records=[replace(held, values=named_again, generation=held.generation + 1)]
                )
            )

    made.engine.ledger = Afterwards(kept, late)
    done = gone(made, mine)
    made.engine.ledger = kept
    assert made.stored(mine, "late") == []
    assert done.counts["records"] == 3
    assert erasures(made.engine) == [done]


def test_a_row_of_hers_that_is_first_seen_in_the_same_moment_goes_too() -> None:
    """A note about her, stored by a worker that had looked for her tombstone before it was there."""
    made = teams()
    there, _ = crew(made)
    mine, kept = made.record(name="anna").id, made.engine.ledger
    row = {"text": "late", "about": there}
    late = Link("l" * 36, "note", "hr", "notes", external_id="late-note", row=row, dirty=1)

    def first_seen() -> None:
        with kept.write() as tx:
            tx.write(Changeset(new_links=[late]))

    made.engine.ledger = Afterwards(kept, first_seen)
    gone(made, mine)
    made.engine.ledger = kept
    assert made.stored("late-note", there) == []
    made.vendors["hr"].add("notes", id="late-note", text="late", about=there)
    made.sync()
    (asked,) = made.cases()
    assert ["note", "hr", "notes", ""] in asked.evidence["places"]


def test_what_moves_while_it_is_erased_is_read_again() -> None:
    """A new value of hers that is stored between the look and the removal is removed, too."""
    made = duo()
    mine, _ = anna(made)
    record = made.record().id

    def moves() -> None:
        made.vendors["hr"].edit(mine, job="astronaut")
        made.scan("hr")

    with made.between(1, moves):
        gone(made, record)
    assert made.stored("astronaut", record, "anna@x.de") == []
