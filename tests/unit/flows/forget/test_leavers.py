"""When a leaver is forgotten, and what stays as long as others need it."""

from __future__ import annotations

from dataclasses import replace

from syncengine.model.changeset import Changeset
from syncengine.simulation.clock import ManualClock
from syncengine.simulation.traits import spec
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.people import (
    COLUMNS,
    FIELDS,
    HR_DELETES,
    LMS,
    LMS_BOTH,
    LMS_DELETES,
    anna,
    bench,
    duo,
    entity,
    together,
    vendor,
)
from tests.unit.flows.forget.parts import SAFE, later, leavers, sizes, told


def test_a_leaver_goes_with_everything_once_her_time_is_over() -> None:
    """Half a year after she was deleted nothing of her is left; the day before all is."""
    made = leavers()
    mine, _ = anna(made)
    made.vendors["hr"].add(email="b@x.de", name="Bert", job="dev")
    made.sync()
    made.vendors["hr"].remove(mine)
    made.sync()
    before = sizes(made)
    assert not later(made, 179)["left"]
    assert sizes(made)["records"] == before["records"] == 2
    assert later(made, 2)["left"] == 1
    assert sizes(made)["records"] == 1
    assert sizes(made)["links"] == 2
    stays = {made.record().id}
    with made.engine.ledger.read() as tx:
        assert {o.record_id for o in tx.select_operations()} == stays
        assert {c.record_id for c in tx.select_history()} == stays
    assert made.sync()["converged"]


def test_a_leaver_whose_row_is_still_there_stays_known() -> None:
    """Forgotten, her row would be taken for a new colleague."""
    made = duo(hr_system=HR_DELETES, lms_system=LMS_BOTH, more=SAFE)
    mine, theirs = anna(made)
    made.vendors["hr"].remove(mine)
    made.sync()
    assert not later(made, 800)["left"]
    assert told(made)["left"]["needed"] == 1
    made.sync()
    assert not made.records()
    made.vendors["lms"].remove(theirs)
    made.sync()
    assert later(made, 2)["left"] == 1


RULES = """
version: 1
derive:
  - name: everyone-learns
    for: {person: "person.job != null"}
    ensure: course
    with: {person: person, text: "'basics'"}
    on_leave: delete
"""


COURSE = """
version: 1
entity: course
fields:
  person: {type: ref, to: person, required: true}
  text: {type: string}
systems: {}
"""


def learners() -> Bench:
    """Everyone with a job gets a course."""
    return duo(hr_system=HR_DELETES, lms_system=LMS_DELETES, more=SAFE, rules=(COURSE, RULES))


def test_what_a_rule_made_is_not_made_again() -> None:
    """A derived record that was deleted stays known as long as all that it was made of is there."""
    made = learners()
    mine, _ = anna(made)
    (course,) = made.records("course")
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(records=[replace(course, deleted=True)]))
    assert not later(made, 800)["left"]
    made.sync()
    assert not made.records("course")
    made.vendors["hr"].remove(mine)
    made.sync()
    assert later(made, 800)["left"] == 2
    assert not made.read(lambda tx: tx.record_ids())


NOTES = """
version: 1
entity: note
fields:
  person: {type: ref, to: person, required: true}
  text: {type: string}
identity: [[person, text]]
systems:
  lms:
    resource: notes
    flow: both
    scope: "person.job == 'dev'"
    create: both
    fields: {person: owner, text: text}
"""


def test_whom_others_read_stays() -> None:
    """Forgotten, a scope that opens her would be empty, and writes go out that nobody wants."""
    clock = ManualClock()
    people = spec("lms", *COLUMNS, search=("email",))
    notes = spec("lms", "id", "owner", "text", resource="notes")
    lms = FakeVendor(together(people, notes), clock)
    mapped = entity(FIELDS, SAFE, hr=HR_DELETES, lms=LMS)
    made = bench(vendor("hr", clock), lms, files=(mapped, NOTES))
    mine, theirs = anna(made)
    made.vendors["lms"].add("notes", owner=theirs, text="hello")
    made.sync()
    assert len(made.records("note")) == 1
    made.vendors["hr"].remove(mine)
    made.sync()
    made.vendors["lms"].remove(theirs)
    made.sync()
    assert not later(made, 800)["left"]
    assert {k.state for k in made.links() if k.record_id != made.record("note").id} == {"gone"}
    made.sync()
    assert made.vendors["lms"].wrote()[-1][0] != "update"
