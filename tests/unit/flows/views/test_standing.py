"""The standing of real stores: what the ledger counts, how much that costs, and what it never tells."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine as Database

from syncengine.errors import Unauthorized, VendorDown
from syncengine.flows.people.pausing import pause, resume
from syncengine.flows.run.sweep import sweep
from syncengine.flows.views.standing import document, standing
from syncengine.ledger import Ledger
from syncengine.model.case import Case, CaseKind
from syncengine.model.changeset import Changeset
from syncengine.model.condition import InScope, condition
from syncengine.model.link import Link, LinkState, Wait, WriteApproval
from syncengine.model.process import Process
from syncengine.model.standing import Level
from tests.support.bench import Bench
from tests.support.people import LMS_SCOPED, crowd, duo
from tests.support.school import RECORD, school

STATEMENTS = 11
"""Of one standing, with what each transaction begins with."""


def codes(made: Bench) -> dict[str, int]:
    """Code -> number, of all lines."""
    found: dict[str, int] = {}
    for line in standing(made.engine).lines:
        found[line.code] = found.get(line.code, 0) + line.count
    return found


def texts(made: Bench) -> list[str]:
    """The sentences of all lines."""
    return [line["text"] for line in document(made.engine, standing(made.engine))["lines"]]


@pytest.fixture
def made(database: Database) -> Bench:
    """A bench on a real database."""
    bench = duo(modes={"lms": "observe"})
    bench.database = database
    bench.engine.ledger = Ledger(database, clock=bench.clock.now)
    for gate in bench.engine.gates.values():
        gate.ledger = bench.engine.ledger
    return bench


def many(made: Bench, size: int) -> None:
    """Links that wait in each way, rows of nobody, questions; ``size`` of each."""
    ids = range(size)
    waits = {
        "o": Wait(condition("observed:lms"), "mode: write in lms"), "s": Wait(InScope(), "job is no"),
        "w": Wait(condition("scan:lms/people"), "a complete listing of lms people"),
    }  # fmt: skip
    links = [
        Link(f"{kind}{n:05}", "person", "lms", "people", f"{kind}{n}", record_id=f"{kind}r{n}",
             state=LinkState.CREATING, wait=wait)
        for kind, wait in waits.items() for n in ids
    ]  # fmt: skip
    behind = [
        Link(f"b{n:05}", "person", "lms", "badges", record_id=f"br{n}", state=LinkState.CREATING,
             wait=Wait(condition(f"rec:or{n}@lms"), "person in lms")) for n in ids
    ]  # fmt: skip
    said = WriteApproval("update", "d", "reject", "c1", "kim", "a test")
    let = [
        Link(f"l{n:05}", "person", "hr", "people", f"l{n}", record_id=f"lr{n}",
             state=LinkState.LINKED, wait=Wait(None, said.summary), approval=said) for n in ids
    ]  # fmt: skip
    nobodys = [Link(f"n{n:05}", "person", "hr", "people", f"n{n}", row={"id": n}) for n in ids]
    asked = [
        Case(f"c{n:05}", CaseKind.DRIFT, f"drift:l{n:05}", "Anna?", opened_at=1.0) for n in ids
    ]
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(new_links=[*links, *behind, *let, *nobodys]))
        tx.write(Changeset(raised=asked))


def test_every_number_is_counted_and_costs_the_same_statements(made: Bench) -> None:
    """Of 3 and of 300 of each kind, on both databases."""
    costs = []
    for size in (3, 300):
        with made.database.begin() as connection:
            for table in ("links", "cases"):
                connection.exec_driver_sql(f"DELETE FROM {table}")
        many(made, size)
        with made.statements() as statements:
            found = codes(made)
        costs.append(len(statements))
        wanted = {"observed": 2 * size, "question": size, "scope": size, "let_be": size}
        assert wanted | {"waiting": size, "unlinked": size} == {
            k: n for k, n in found.items() if k not in ("unread", "moving")
        }
    assert costs[0] == costs[1] <= STATEMENTS


@pytest.mark.long
def test_it_is_cheap_at_ten_thousand_people(made: Bench) -> None:
    """With 5,000 questions: less than it takes to notice."""
    many(made, 5000)
    standing(made.engine)
    began = time.perf_counter()
    standing(made.engine)
    assert time.perf_counter() - began < 0.5


def test_a_real_pass_that_only_observes_is_held(made: Bench) -> None:
    """The number is that of the plan; what follows from it is counted."""
    crowd(made, 3)
    made.sync()
    assert codes(made) == {"observed": 3}
    assert document(made.engine, standing(made.engine))["exit_code"] == 3


def test_what_names_an_unsent_row_is_counted_with_it() -> None:
    """As the plan counts it, and as what waits for nothing else."""
    made = school(record=RECORD.replace("to: person}", "to: person, required: true}"))
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    given = made.engine.project.connections
    watched = {**given, "lms": replace(given["lms"], mode="observe")}
    made.engine.project = replace(made.engine.project, connections=watched)
    assert made.sync()["unsent"] == {"lms": 2}
    assert codes(made) == {"observed": 2}


def test_a_link_that_waits_for_the_same_waits_since_it_began() -> None:
    """However often it is planned again; with another wait it begins anew."""
    made = duo()
    with made.engine.ledger.write() as tx:
        wait = Wait(condition("scan:lms/people"), "a listing")
        tx.write(Changeset(new_links=[Link("l1", "person", "lms", "people", record_id="r1", wait=wait,
                           state=LinkState.CREATING)]))  # fmt: skip
    began = made.clock.now()

    def since(**changes: Any) -> float | None:
        made.clock.sleep(60)
        with made.engine.ledger.write() as tx:
            tx.write(Changeset(links=[replace(tx.links(["l1"])["l1"], **changes)]))
        waits = [x.since for x in standing(made.engine).lines if x.code in ("waiting", "scope")]
        return waits[0] if waits else None

    assert since(dirty=3) == since(wait=wait) == began
    assert since(wait=Wait(None, "the id for lms")) == began + 180
    assert since(wait=None) is None
    assert since(wait=wait) == began + 300


def test_who_pauses_and_since_when_is_told_until_somebody_resumes() -> None:
    """And nothing is left of it then."""
    made = duo()
    made.sync()
    pause(made.engine, "lms", "payroll", "Kim")
    assert texts(made)[0].startswith("lms is paused by Kim since ")
    resume(made.engine, "lms")
    assert texts(made) == []


def test_a_vendor_fails_since_its_first_call_that_failed() -> None:
    """And refuses credentials since it first did; a call that goes well ends both."""
    made = duo()
    made.sync()
    made.engine.note_failure("hr", VendorDown("HTTP 500"))
    began = made.clock.now()
    for ago in (60, 600, 900):
        made.clock.sleep(ago)
        made.engine.note_failure("hr", VendorDown("HTTP 500"))
    (line,) = standing(made.engine).lines
    assert (line.code, line.level, line.since) == ("failing", Level.FAULT, began)
    made.clock.sleep(100)
    made.engine.note_failure("hr", Unauthorized("HTTP 401"))
    (line,) = standing(made.engine).lines
    assert (line.code, line.since) == ("halted", made.clock.now())
    made.engine.note_success("hr")
    assert not standing(made.engine).lines


def test_the_standing_names_nobody() -> None:
    """No value of a person, no id of a record, row or link; not in the document either."""
    made = duo(lms_system=LMS_SCOPED)
    made.vendors["hr"].add(email="anna@x.de", name="Anna Meier", job="dev")
    made.vendors["lms"].add(email="otto@x.de", name="Otto Weiss", job="dev")
    made.sync()
    shown = json.dumps(document(made.engine, standing(made.engine)))
    ids = {k.id for n in made.vendors for k in made.links(n)} | {r.id for r in made.records()}
    assert not [word for word in (*ids, "Anna", "Otto", "x.de") if word in shown]


def test_a_sweep_shows_that_beat_is_there_and_a_task_that_a_worker_is() -> None:
    """Without them there is no service, and none is missed; later both are."""
    made = duo()
    made.sync()
    sweep(made.engine)
    assert "beat" not in codes(made)
    with made.engine.ledger.write() as tx:
        tx.note_alive("worker", made.clock.now())
        tx.save_process(Process("p", "worker", "host", 1, "", 0.0, made.clock.now()))
    assert codes(made).keys() <= {"moving"}
    made.clock.sleep(91)
    assert codes(made)["worker"] == 1
    with made.engine.ledger.write() as tx:
        tx.forget_alive()
    assert "worker" not in codes(made)
