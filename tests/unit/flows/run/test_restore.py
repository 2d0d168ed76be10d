"""An older backup is restored: what was done since is found again, and nothing is written before a person says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from syncengine.flows.people.pausing import resume
from syncengine.flows.run.restore import WHY, RestoreReport, recover
from syncengine.flows.views.plan import plan
from syncengine.model.changeset import Changeset
from syncengine.model.operation import OperationState
from tests.support.bench import Bench
from tests.support.people import anna, duo


def backup(made: Bench) -> Callable[[], None]:
    """Take a backup of the store; returns how to restore it."""
    kept = sqlite3.connect(":memory:")

    def store() -> sqlite3.Connection:
        return cast(sqlite3.Connection, made.database.raw_connection().driver_connection)

    store().backup(kept)
    return lambda: kept.backup(store())


def test_what_was_done_since_is_neither_lost_nor_done_again() -> None:
    """Rule 17: a row that was made and values that were written after the backup are found at the vendors; when a
    person resumes, nothing is left to write, and later changes flow again."""
    made = duo()
    mine, theirs = anna(made)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    hr.edit(mine, name="Anna B.")
    made.scan("hr")
    made.think()
    restore = backup(made)
    made.settle()
    hr.add(email="ben@x.de", name="Ben", job="cook")
    lms.edit(theirs, job="lead")
    made.sync()
    before = {row: lms.row(row) for row in lms.rows()}, {row: hr.row(row) for row in hr.rows()}

    restore()
    assert recover(made.engine) == RestoreReport(["hr", "lms"], unsure=1, rows=2)
    made.sync()
    resume(made.engine, None)
    document = made.sync()
    assert (document["converged"], document["operations"]["applied"]) == (True, 0)
    assert before == (
        {row: lms.row(row) for row in lms.rows()},
        {row: hr.row(row) for row in hr.rows()},
    )
    hr.edit(mine, job="boss")
    made.sync()
    assert lms.row(theirs)["job"] == "boss"


def test_nothing_is_written_before_a_person_resumes() -> None:
    """Rule 17: every connection is paused; the plan shows what would be written, and why it is not."""
    made = duo()
    mine, theirs = anna(made)
    backup(made)()
    recover(made.engine)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    hr.edit(mine, job="lead")
    hr.add(email="ben@x.de", name="Ben", job="cook")
    made.sync()
    assert list(lms.rows()) == [theirs]
    assert lms.row(theirs)["job"] == "dev"
    changes = plan(made.engine)["changes"]
    assert {(c["action"], c["held"]) for c in changes} == {
        ("create", f"paused: {WHY}"),
        ("update", f"paused: {WHY}"),
    }
    resume(made.engine, None)
    assert made.sync()["operations"]["applied"] == 2


def test_no_row_is_made_before_all_are_listed_again() -> None:
    """Rule 17: even where a person resumes at once, a create waits until a complete listing has shown what is there."""
    made = duo()
    anna(made)
    recover(made.engine)
    resume(made.engine, None)
    made.vendors["hr"].add(email="ben@x.de", name="Ben", job="cook")
    made.scan("hr")
    made.settle()
    assert len(made.vendors["lms"].rows()) == 1
    made.scan("lms")
    made.settle()
    assert len(made.vendors["lms"].rows()) == 2


def test_a_write_under_way_is_proved_not_sent_again() -> None:
    """Rule 17: what the backup knows as not sent is doubted: a read decides."""
    made = duo()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    made.think()
    recover(made.engine)
    (doubted,) = made.read(lambda tx: tx.select_operations([OperationState.UNKNOWN]))
    assert doubted.detail == WHY
    made.sync()
    assert made.vendors["lms"].wrote()[1:] == []
    resume(made.engine, None)
    made.sync()
    assert len(made.vendors["lms"].wrote()) == 2


def test_a_listing_that_was_under_way_begins_anew() -> None:
    """What was listed in part before the backup was taken is no part of a listing after it."""
    made = duo()
    anna(made)
    with made.engine.ledger.write() as tx:
        tx.write(
            Changeset(resources=[replace(tx.resource("hr", "people"), progress={"after": "x"})])
        )
    recover(made.engine)
    assert not made.read(lambda tx: tx.resource("hr", "people")).progress
