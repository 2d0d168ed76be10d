"""Derivations: made once, tombstones included."""

from __future__ import annotations

from typing import Any

import pytest

from syncengine.errors import LostRace
from syncengine.flows.people.links import split
from syncengine.flows.reconcile import derive as deriving
from syncengine.flows.reconcile.derive import derive
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.record import Record, World
from syncengine.planning.derivations import derived
from tests.support.school import RECORD, school


def test_a_derived_record_is_made_once_and_reaches_its_system() -> None:
    """Rule 16: one record for one combination, whatever else happens to the inputs."""
    made = school()
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    ((course, row),) = lms.rows("courses").items()
    assert (row["person"], row["name"]) == (next(iter(lms.rows())), "basics")
    hr.edit(mine, name="Anne")
    made.sync()
    hr.edit(mine, job="lead")
    made.sync()
    hr.edit(mine, job="dev")
    made.sync()
    assert list(lms.rows("courses")) == [course]


def test_a_derived_record_that_is_gone_is_not_made_again() -> None:
    """Rule 16: a tombstone counts: what a person deleted stays deleted."""
    made = school("delete")
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    assert len(made.records("course")) == 1
    hr.edit(mine, job="lead")
    made.sync()
    assert not made.records("course")
    hr.edit(mine, job="dev")
    made.sync()
    assert not made.records("course")


def test_who_is_hired_again_gets_a_derived_record_of_his_own() -> None:
    """Rule 16: a re-hire is a new record, hence a new derived one."""
    made = school()
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    first = made.records("course")[0].id
    hr.remove(mine)
    made.sync()
    hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    assert len({r.values["person"] for r in made.records("course")}) == len(made.records("course"))
    assert {r.id for r in made.records("course")} - {first}


def test_a_record_that_is_there_already_is_not_derived() -> None:
    """A derivation looks by identity first."""
    made = school()
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    theirs = lms.add(email="anna@x.de", name="Anna", job="dev")
    course = lms.add("courses", person=theirs, name="basics")
    hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    assert made.sync()["converged"]
    assert len(made.records("course")) == 1
    assert list(lms.rows("courses")) == [course]


def test_derivations_rest_when_nothing_moved() -> None:
    """Only records that moved are looked at."""
    made = school()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    assert derive(made.engine) == 0


def test_rows_that_name_a_row_that_was_made_again_are_put_right() -> None:
    """A ref follows its record to the new row, without anybody's edit."""
    made = school(on_missing="recreate")
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    (old,) = lms.rows()
    lms.remove(old)
    made.sync()
    (new,) = lms.rows()
    assert new != old
    assert [row["person"] for row in lms.rows("courses").values()] == [new]
    assert made.sync()["converged"]
    assert made.sync()["waiting"] == 0


def test_a_row_that_names_one_that_is_gone_waits_for_nothing() -> None:
    """A ref that both sides agreed on is no reason to wait when the row it names is gone."""
    made = school(on_missing="keep")
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    (old,) = lms.rows()
    lms.remove(old)
    (course,) = lms.rows("courses")
    lms.edit(course, "courses", name="other")
    made.sync()
    result = made.sync()
    assert result["waiting"] == 0
    assert result["converged"]
    assert made.records("course")[0].values["name"] == "other"


def test_two_that_make_the_same_record_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds that another worker was quicker makes nothing, and looks again."""
    made = school(record=RECORD.replace("identity: [[person]]\n", ""))
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    person, before = made.record().id, made.records("course")
    assert len(before) == 1
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(derivations=[person]))

    def late(
        _tx: Any, rule: Any, entity: Any, wanted: Any, world: World
    ) -> dict[Any, Record | None]:
        return {ids: derived(rule, entity, inputs, world) for ids, inputs in wanted.items()}

    monkeypatch.setattr(deriving, "_candidates", late)
    monkeypatch.setattr(deriving, "_by_identity", lambda *_: {})
    with pytest.raises(LostRace):
        derive(made.engine)
    assert made.records("course") == before
    assert made.read(lambda tx: tx.derivations_due(1))


def test_a_course_whose_row_stays_alone_is_searched_for_once() -> None:
    """What waits for a row that was split from it plans nothing, however often it is looked at: that row still shows
    whose it is, by the person whom it names."""
    made = school()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    (course,) = [k for k in made.links("lms") if k.entity == "course"]
    split(made.engine, course.id, False, "kim")
    made.sync()
    before = [o.id for o in made.operations()]
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(wakes=Wakes(entities={("course", None)})))
    made.sync()
    assert [o.id for o in made.operations()] == before
    assert len(made.vendors["lms"].rows("courses")) == 1


def test_a_course_of_who_gave_her_row_to_a_new_record_waits_for_a_row_of_hers() -> None:
    """Whoever is hired again takes over the row that was left; what was yet to be made for the record before waits
    for its person, and another look finds nothing else."""
    made = school()
    hr = made.vendors["hr"]
    for _ in range(3):
        mine = hr.add(email="anna@x.de", name="Anna", job="dev")
        made.sync()
        hr.remove(mine)
        made.sync()
    hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    before = {k.id: (k.state, k.wait) for k in made.links("lms")}
    assert "person in lms" in {wait.what for _, wait in before.values() if wait}
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(wakes=Wakes(entities={("course", None)})))
    made.settle()
    assert {k.id: (k.state, k.wait) for k in made.links("lms")} == before
