"""Whatever a person decides is decided once: of two people at the same moment the second is told who was first."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine as Database

from syncengine.flows.core.engine import Engine
from syncengine.flows.people.cases import answer
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.links import join, point, split
from syncengine.flows.people.undo import undo
from syncengine.simulation.bench import LIMITS
from tests.support.bench import Bench
from tests.support.people import LMS, LMS_BOTH, MAPPED, anna, duo

Act = Callable[[Engine, str], object]
FIELDS = "\n  email: {type: email}\n  name: {type: string}\n  job: {type: string, on_drift: flag, owner: hr}\n"
LEAVING = (
    "{resource: people, flow: both, create: out, scope: \"job != 'left'\", on_leave: delete, "
    f"on_missing: flag, fields: {MAPPED}}}"
)
NO_DELETES = "safety: {deletes: 1%, floor: 0, window: 1h}\n"


def company(database: Database, lms: str = LMS_BOTH, more: str = "") -> tuple[Bench, str, str]:
    """Anna in two systems, on this database; her ids there."""
    made = duo(lms_system=lms, fields=FIELDS, more=more)
    vendors, project = list(made.vendors.values()), made.engine.project
    there = Bench.on(vendors, project, database, made.clock, LIMITS)
    return there, *anna(there)


def asked(made: Bench, given: str) -> Act:
    """Both give one answer to the one question."""
    made.sync()
    case = made.case()
    record = made.records()[0].id
    return lambda engine, who: answer(engine, case.id, given.format(record), "", who)


def whose(given: str) -> Callable[[Database], tuple[Bench, Act]]:
    def begin(database: Database) -> tuple[Bench, Act]:
        made, _, _ = company(database)
        made.vendors["lms"].add(email="anna@x.de", name="Anna", job="dev")
        return made, asked(made, given)

    return begin


def conflict(given: str) -> Callable[[Database], tuple[Bench, Act]]:
    def begin(database: Database) -> tuple[Bench, Act]:
        made, mine, theirs = company(database)
        made.vendors["hr"].edit(mine, name="Anne")
        made.vendors["lms"].edit(theirs, name="Anja")
        return made, asked(made, given)

    return begin


def drift(given: str) -> Callable[[Database], tuple[Bench, Act]]:
    def begin(database: Database) -> tuple[Bench, Act]:
        made, _, theirs = company(database)
        made.vendors["lms"].edit(theirs, job="boss")
        return made, asked(made, given)

    return begin


def missing(given: str) -> Callable[[Database], tuple[Bench, Act]]:
    def begin(database: Database) -> tuple[Bench, Act]:
        made, _, theirs = company(database)
        made.vendors["lms"].remove(theirs)
        return made, asked(made, given)

    return begin


def staged(given: str) -> Callable[[Database], tuple[Bench, Act]]:
    def begin(database: Database) -> tuple[Bench, Act]:
        made, mine, _ = company(database, LEAVING, NO_DELETES)
        made.vendors["hr"].edit(mine, job="left")
        return made, asked(made, given)

    return begin


def rejected(given: str) -> Callable[[Database], tuple[Bench, Act]]:
    def begin(database: Database) -> tuple[Bench, Act]:
        made, mine, _ = company(database)
        made.vendors["lms"].fault("update", "refuse")
        made.vendors["hr"].edit(mine, name="Anne")
        return made, asked(made, given)

    return begin


def taken_back(database: Database) -> tuple[Bench, Act]:
    made, mine, _ = company(database)
    made.vendors["hr"].edit(mine, name="Anne")
    made.sync()
    line = next(c for c in made.history(made.record().id) if c.new == "Anne")
    return made, lambda engine, who: undo(engine, line.id, who)


def split_off(database: Database) -> tuple[Bench, Act]:
    made, _, _ = company(database)
    link = made.link("lms")
    return made, lambda engine, who: split(engine, link.id, True, who)


def pointed(database: Database) -> tuple[Bench, Act]:
    made, _, _ = company(database, LMS)
    theirs = made.vendors["lms"].add(email="nobody@x.de", name="Anna", job="dev")
    made.sync()
    link = made.link("lms", theirs)
    split(made.engine, made.links("lms")[0].id, False, "kim")
    record = made.record().id
    return made, lambda engine, who: point(engine, link.id, record, who)


def joined(database: Database) -> tuple[Bench, Act]:
    made, _, theirs = company(database)
    split(made.engine, made.link("lms").id, True, "kim")
    made.vendors["lms"].edit(theirs, email="anna@y.de")
    made.sync()
    kept, gone = (record.id for record in made.records())
    links = [k for k in made.links() if k.record_id == gone and k.external_id]
    for link in links[:-1]:
        split(made.engine, link.id, False, "kim")
    for link in [k for k in made.links(links[-1].connection) if k.record_id == kept]:
        if link.external_id:
            split(made.engine, link.id, False, "kim")
    return made, lambda engine, who: join(engine, kept, gone, who)


DECISIONS: dict[str, Callable[[Database], tuple[Bench, Act]]] = {
    "someone new": whose("new"),
    "in the place of another": whose("replace {}"),
    "left alone": whose("ignore"),
    "whose value counts": conflict("lms"),
    "ours counts": conflict("record"),
    "drift adopted": drift("adopt"),
    "drift reverted": drift("revert"),
    "missing, kept": missing("keep"),
    "missing, deleted": missing("delete"),
    "missing, made again": missing("recreate"),
    "approved": staged("approve"),
    "rejected": staged("reject"),
    "tried again": rejected("retry"),
    "dropped": rejected("drop"),
    "undone": taken_back,
    "split": split_off,
    "pointed": pointed,
    "joined": joined,
}


@pytest.mark.parametrize("name", DECISIONS)
def test_what_two_people_decide_at_once_is_decided_once(database: Database, name: str) -> None:
    """One of them did it; the other changed nothing, and knows who was first, or that it is so already."""
    made, act = DECISIONS[name](database)
    before = len(made.records()), len(made.history(made.records()[0].id))
    together, said = Barrier(2), dict[str, str]()

    def decide(who: str) -> None:
        together.wait()
        try:
            act(made.engine, who)
            said[who] = ""
        except NotPossible as refusal:
            said[who] = str(refusal)

    people = [Thread(target=decide, args=(who,)) for who in ("kim", "lee")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    first, second = sorted(said, key=lambda who: said[who])
    assert said[first] == ""
    assert f"{first} " in said[second], said
    records, lines = (
        len(made.records()),
        len(made.history(made.records()[0].id) if made.records() else []),
    )
    assert records - before[0] in ({1} if name in ("someone new", "split") else {0, -1})
    assert lines - before[1] <= 3
    assert [c.author for c in made.cases()] == [""] * len(made.cases())
