"""Who is who, by a person's word."""

from __future__ import annotations

import pytest

from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.links import join, point, split
from syncengine.flows.people.undo import undo
from syncengine.model.link import LinkState
from syncengine.simulation.bench import project
from syncengine.simulation.clock import ManualClock
from syncengine.simulation.traits import spec
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.people import (
    COLUMNS,
    FIELDS,
    HR,
    LMS_BOTH,
    LMS_IN,
    LMS_NONE,
    anna,
    bench,
    duo,
    entity,
    lead,
    together,
    vendor,
)

NOTES = """
version: 1
entity: note
fields:
  person: {type: ref, to: person, required: true}
  text: {type: string}
systems:
  lms: {resource: notes, flow: both, create: in, fields: {person: owner, text: text}}
"""
OWNED = FIELDS.replace("newest", "hr")


def two(made: Bench) -> tuple[str, str]:
    """Anna and Bert in both systems; their ids in ``lms``."""
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    hr.add(email="anna@x.de", name="Anna", job="dev")
    hr.add(email="bert@x.de", name="Bert", job="cook")
    theirs = lms.add(email="anna@x.de", name="Anna", job="dev")
    his = lms.add(email="bert@x.de", name="Bert", job="cook")
    made.sync()
    return theirs, his


def test_a_split_row_stays_alone() -> None:
    """A split row takes part no longer, and its identity does not link it again."""
    made = duo(lms_system=LMS_NONE)
    theirs, _ = two(made)
    split(made.engine, made.link("lms", theirs).id, False, "kim", "a namesake")
    made.vendors["hr"].edit(next(iter(made.vendors["hr"].rows())), job="lead")
    made.sync()
    assert made.link("lms", theirs).state is LinkState.UNLINKED
    assert made.vendors["lms"].row(theirs)["job"] == "dev"
    (line,) = [c for c in made.history(made.record(name="Anna").id) if c.policy == "split"]
    assert (line.author, line.reason) == ("kim", "a namesake")
    assert made.sync()["converged"]


def test_a_record_that_lost_its_row_gets_one_where_it_is_promised() -> None:
    """Where rows are made from records, the record is given a row of its own in the place of the split one."""
    made = duo(lms={"search": ("name",)}, identity="[[email], [name]]")
    _, theirs = anna(made)
    made.vendors["lms"].edit(theirs, email="other@x.de")
    made.sync()
    split(made.engine, made.link("lms", theirs).id, False, "kim")
    made.vendors["lms"].edit(theirs, email="else@x.de", name="Else")
    made.sync()
    rows = made.vendors["lms"].rows()
    assert len(rows) == 2
    assert rows[theirs]["name"] == "Else"
    assert made.sync()["converged"]


def test_a_split_row_may_become_a_record() -> None:
    """With ``own`` the row is a record of its own, although it bears the same identity."""
    made = duo(
        lms_system=LMS_NONE.replace("flow: both", "flow: both, create: in").replace(
            ", create: none", ""
        )
    )
    theirs, _ = two(made)
    split(made.engine, made.link("lms", theirs).id, True, "kim")
    made.sync()
    assert len(made.records()) == 3
    assert made.link("lms", theirs).record_id != made.record(name="Bert").id


def test_what_a_vendor_only_said_that_it_took_is_no_value_of_a_new_record() -> None:
    """A row that nobody has read since our write is split once it was read: the record gets what stands there."""
    made = duo(lms={"answers": "empty"}, lms_system=LMS_BOTH)
    lead(made)
    made.vendors["lms"].fault("update", "mute")
    made.send()
    row = made.link("lms")
    assert row.row is not None
    assert row.row["job"] == "lead"
    with pytest.raises(NotPossible, match="nobody has read the row since"):
        split(made.engine, row.id, True, "kim")
    made.scan("lms")
    split(made.engine, row.id, True, "kim")
    assert sorted(r.values["job"] for r in made.records()) == ["dev", "lead"]


def test_a_row_is_pointed_at_another_record() -> None:
    """A row that was linked wrongly becomes the row of whom it really is, and gets that one's values."""
    made = duo(lms_system=LMS_NONE)
    theirs, his = two(made)
    bert = made.record(name="Bert")
    with pytest.raises(NotPossible, match="split that link first"):
        point(made.engine, made.link("lms", theirs).id, bert.id, "kim")
    split(made.engine, made.link("lms", his).id, False, "kim")
    point(made.engine, made.link("lms", theirs).id, bert.id, "kim")
    made.sync()
    assert made.link("lms", theirs).record_id == bert.id
    assert {k.connection for k in made.links() if k.record_id == made.record(name="Anna").id} == {
        "hr"
    }
    with pytest.raises(NotPossible, match="already"):
        point(made.engine, made.link("lms", theirs).id, bert.id, "kim")


def with_notes() -> Bench:
    """People in both, and notes about people in ``lms``."""
    clock = ManualClock()
    people = spec("lms", *COLUMNS, search=("email",))
    notes = spec("lms", "id", "owner", "text", resource="notes")
    lms = FakeVendor(together(people, notes), clock)
    return bench(vendor("hr", clock), lms, files=(entity(hr=HR, lms=LMS_NONE), NOTES))


def test_what_names_a_pointed_row_follows_it() -> None:
    """A note about a row belongs to whom the row belongs to: it follows when the row is pointed elsewhere."""
    made = with_notes()
    theirs, his = two(made)
    made.vendors["lms"].add("notes", owner=theirs, text="late")
    made.sync()
    assert made.record("note").values["person"] == made.record(name="Anna").id
    split(made.engine, made.link("lms", his).id, False, "kim")
    point(made.engine, made.link("lms", theirs).id, made.record(name="Bert").id, "kim")
    made.sync()
    assert made.record("note").values["person"] == made.record(name="Bert").id
    assert made.sync()["converged"]


def test_two_records_become_one() -> None:
    """The kept record has the rows of both, its gaps are filled, and what referred to the other one refers to it."""
    made = with_notes()
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    hr.add(email="anna@x.de", name="Anna", job=None)
    other = lms.add(email="anna@y.de", name="Anna B.", job="cook")
    lms.add("notes", owner=other, text="late")
    made.sync()
    kept = made.record()
    made.engine.project = with_notes_in(made).engine.project
    made.sync()
    gone = next(r for r in made.records() if r.id != kept.id)
    join(made.engine, kept.id, gone.id, "kim", "the same Anna")
    made.sync()
    assert made.record().id == kept.id
    assert made.record().values["job"] == "cook"
    assert made.record("note").values["person"] == kept.id
    assert {k.connection for k in made.links() if k.record_id == kept.id} >= {"hr", "lms"}
    assert made.sync()["converged"]


def with_notes_in(made: Bench) -> Bench:
    """The same project, whose ``lms`` makes records too."""
    text = entity(hr=HR, lms=LMS_IN)
    made.engine.project = project(list(made.vendors.values()), text, NOTES)
    return made


def test_a_value_that_joining_put_aside_can_be_brought_back() -> None:
    """Where both records hold a value the kept one's stays; the other is in the history and comes back by undo."""
    made = duo(lms_system=LMS_IN, fields=OWNED)
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    theirs = made.vendors["lms"].add(email="anna@y.de", name="Anna", job="cook")
    made.sync()
    kept, gone = (next(r for r in made.records() if r.values["job"] == j) for j in ("dev", "cook"))
    join(made.engine, kept.id, gone.id, "kim")
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "dev"
    (line,) = [c for c in made.history(kept.id) if c.lost == "cook" and c.policy == "join"]
    undo(made.engine, line.id, "kim")
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "cook"


def test_two_rows_in_one_place_are_not_joined() -> None:
    """Two records with a row each in the same system cannot be one; nothing is changed."""
    made = duo(lms_system=LMS_NONE)
    two(made)
    before = made.links()
    with pytest.raises(NotPossible, match="both have a row in hr"):
        join(made.engine, made.record(name="Anna").id, made.record(name="Bert").id, "kim")
    assert made.links() == before


def test_a_write_under_way_is_waited_for() -> None:
    """Nothing is split while a write for it is claimed; one that is not sent yet is called back."""
    made = duo(lms_system=LMS_NONE)
    theirs, _ = two(made)
    made.vendors["hr"].edit(next(iter(made.vendors["hr"].rows())), job="lead")
    made.scan_all()
    made.think()
    (planned,) = made.unsettled()
    split(made.engine, planned.link_id, False, "kim")
    assert not made.unsettled()
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] in ("dev", "cook")
