"""Leaving the scope and coming back."""

from __future__ import annotations

import pytest

from syncengine.model.link import LinkState
from tests.support.people import FIELDS, HR_DELETES, LMS, LMS_SCOPED, MAPPED, anna, duo


def keeps(leave: str = "{job: gone}") -> str:
    return (
        "{resource: people, flow: both, create: out, scope: \"job != 'left'\", "
        f"set: {{leave: {leave}}}, fields: {MAPPED}}}"
    )


def test_what_leaving_writes_is_not_read_back_as_an_edit() -> None:
    """A value of ``set.leave`` is our own write: the record does not learn it."""
    made = duo(lms_system=keeps())
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="left")
    made.sync()
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "gone"
    assert made.vendors["hr"].row(mine)["job"] == "left"
    assert made.link("lms").state is LinkState.LEFT
    assert made.sync()["converged"]
    assert len(made.written()["lms"]) == 2


def test_coming_back_undoes_what_leaving_wrote() -> None:
    """A record that is in scope again gets its own values there."""
    made = duo(lms_system=keeps("{name: nobody}"))
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="left")
    made.sync()
    made.sync()
    assert made.vendors["lms"].row(theirs)["name"] == "nobody"
    made.vendors["hr"].edit(mine, job="dev")
    made.sync()
    assert made.vendors["lms"].row(theirs) == {
        "id": theirs, "email": "anna@x.de", "name": "Anna", "job": "dev",
    }  # fmt: skip
    assert made.vendors["hr"].row(mine)["name"] == "Anna"


def test_a_row_that_we_deleted_is_made_again_when_its_record_comes_back() -> None:
    """``on_leave: delete`` and back in scope: the row is made anew, once."""
    made = duo(lms_system=LMS_SCOPED)
    mine, _ = anna(made)
    lms = made.vendors["lms"]
    made.vendors["hr"].edit(mine, job="left")
    made.sync()
    assert not lms.rows()
    made.vendors["hr"].edit(mine, job="dev")
    made.sync()
    assert [row["name"] for row in lms.rows().values()] == ["Anna"]
    assert made.sync()["converged"]
    assert [verb for verb, _ in lms.wrote()] == ["create", "delete", "create"]


def test_a_deleted_record_s_row_goes_where_the_mapping_says() -> None:
    """A record that is deleted leaves: its row is deleted once, and stays deleted."""
    made = duo(hr_system=HR_DELETES, lms_system=LMS_SCOPED)
    mine, _ = anna(made)
    made.vendors["hr"].remove(mine)
    made.sync()
    made.sync()
    assert not made.vendors["lms"].rows()
    assert not made.records()
    assert [verb for verb, _ in made.vendors["lms"].wrote()] == ["create", "delete"]


def test_who_comes_back_under_the_same_chosen_id_gets_a_row_again() -> None:
    """A tombstone holds no place: a new record may take the id of a row that is gone."""
    lms_system = (
        "{resource: people, flow: both, create: out, key: email, on_leave: delete, "
        f"fields: {MAPPED}}}"
    )
    made = duo(hr_system=HR_DELETES, lms_system=lms_system, lms={"chosen_id": "id", "search": ()})
    mine, theirs = anna(made)
    assert theirs == "anna@x.de"
    made.vendors["hr"].remove(mine)
    made.sync()
    assert not made.vendors["lms"].rows()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    assert list(made.vendors["lms"].rows()) == ["anna@x.de"]
    assert {k.state for k in made.links("lms")} == {LinkState.LINKED}
    assert made.sync()["converged"]
    assert not made.cases()


def test_a_match_only_field_does_not_stand_in_the_way_of_a_delete() -> None:
    """A field that is only looked at to know who is who cannot have moved unseen."""
    system = LMS_SCOPED.replace("email: email,", "email: {field: email, flow: match},")
    made = duo(lms_system=system.replace("create: out", "create: none"))
    made.vendors["lms"].add(email="anna@x.de", name="Anna", job="dev")
    mine = made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    made.vendors["hr"].edit(mine, job="left")
    made.sync()
    assert not made.cases()
    assert not made.vendors["lms"].rows()


def test_an_edit_that_nobody_has_merged_is_read_before_leaving_runs_over_it() -> None:
    """A vendor's change of a field that ``set.leave`` writes is learned first."""
    made = duo(lms_system=keeps("{name: nobody}"))
    mine, theirs = anna(made)
    made.vendors["lms"].edit(theirs, name="Anne")
    made.vendors["hr"].edit(mine, job="left")
    made.scan_all()
    made.settle()
    assert made.record().values["name"] == "Anne"
    assert made.vendors["hr"].row(mine)["name"] == "Anne"
    assert made.vendors["lms"].row(theirs)["name"] == "nobody"


def test_an_edit_between_the_plan_and_the_leaving_write_is_found_stale() -> None:
    """Rule 7: what ``set.leave`` runs over is compared right before, too."""
    made = duo(lms_system=keeps("{name: nobody}"))
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="left")
    made.scan("hr")
    made.think()
    made.vendors["lms"].edit(theirs, name="Anne")
    assert made.send() == {"stale": 1}
    made.settle()
    assert made.vendors["hr"].row(mine)["name"] == "Anne"
    assert made.vendors["lms"].row(theirs)["name"] == "nobody"


def test_what_leaving_runs_over_for_a_deleted_record_stays_on_record() -> None:
    """A value that a deleted record cannot learn any more is kept in its history."""
    made = duo(
        hr_system=HR_DELETES,
        lms_system=keeps("{name: nobody}"),
    )
    mine, theirs = anna(made)
    record = made.record().id
    made.vendors["hr"].remove(mine)
    made.scan("hr")
    made.vendors["lms"].edit(theirs, name="Anne")
    made.think()
    made.scan("lms")
    made.settle()
    assert made.vendors["lms"].row(theirs)["name"] == "nobody"
    assert ("Anne", "lms") in [(c.lost, c.lost_by) for c in made.history(record)]


def test_what_leaving_would_run_over_is_lost_when_it_is_written() -> None:
    """While a write of ``set.leave`` waits for an answer, nothing is lost yet, however often it is looked at."""
    made = duo(
        hr_system=HR_DELETES,
        lms_system=keeps("{name: nobody}"),
        more="safety: {deletes: 0%, floor: 1}\n",
    )
    mine, theirs = anna(made)
    made.vendors["hr"].add(email="bob@x.de", name="Bob", job="left")
    made.vendors["lms"].add(email="bob@x.de", name="Bob", job="left")
    made.sync()
    record = {k.external_id: k for k in made.links("lms")}[theirs].record_id or ""
    made.vendors["hr"].remove(mine)
    made.sync()
    made.vendors["lms"].edit(theirs, name="Anne")
    for _ in range(3):
        made.sync()
    assert not [c.lost for c in made.history(record) if c.lost]
    made.answer("approve")
    made.sync()
    assert made.vendors["lms"].row(theirs)["name"] == "nobody"
    assert [(c.lost, c.lost_by) for c in made.history(record) if c.lost] == [("Anne", "lms")]


def test_a_value_that_leaving_wrote_is_not_the_first_one_of_an_empty_field() -> None:
    """Where our own field is empty, the constant of ``set.leave`` does not fill it, and coming back empties it."""
    fields = FIELDS.replace("name: {type: string}", "name: {type: string, clear: true}")
    made = duo(lms_system=keeps("{name: nobody}"), fields=fields)
    mine, theirs = anna(made, name=None)
    made.vendors["hr"].edit(mine, job="left")
    made.sync()
    made.sync()
    assert made.vendors["lms"].row(theirs)["name"] == "nobody"
    assert made.record().values.get("name") is None
    assert made.vendors["hr"].row(mine)["name"] is None
    made.vendors["hr"].edit(mine, job="dev")
    made.sync()
    assert made.vendors["lms"].row(theirs)["name"] is None
    assert made.sync()["converged"]


def test_a_change_seen_out_of_scope_is_judged_when_its_record_is_back() -> None:
    """Who does not own a field and changes it in a row that was left is overruled once the record is in scope again,
    and the value stays on record."""
    owned = FIELDS.replace("name: {type: string}", "name: {type: string, owner: hr}")
    made = duo(lms_system=keeps("{}"), fields=owned)
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="left")
    made.sync()
    made.vendors["lms"].edit(theirs, name="Anne")
    made.sync()
    assert made.vendors["lms"].row(theirs)["name"] == "Anne"
    made.vendors["hr"].edit(mine, job="dev")
    made.sync()
    assert made.vendors["lms"].row(theirs)["name"] == "Anna"
    assert "Anne" in [c.lost for c in made.history(made.record().id)]
    assert made.sync()["converged"]


@pytest.mark.parametrize("policy", ["flag", "delete", "recreate"])
def test_a_row_that_went_while_its_record_was_out_of_scope_is_made_again(policy: str) -> None:
    """Somebody deletes the row of a leaver, which is nobody's concern; who comes back gets a row again."""
    made = duo(lms_system=keeps("{}").replace("create: out", f"create: out, on_missing: {policy}"))
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="left")
    made.sync()
    made.vendors["lms"].remove(theirs)
    made.sync()
    assert not made.cases()
    made.vendors["hr"].edit(mine, job="dev")
    made.sync()
    assert [row["name"] for row in made.vendors["lms"].rows().values()] == ["Anna"]
    assert made.sync()["converged"]


def test_a_row_that_a_person_keeps_is_not_deleted_later() -> None:
    """``keep``, answered where a delete met a change, holds also when the row is as it was or changes again."""
    made = duo(lms_system=LMS_SCOPED)
    mine, theirs = anna(made)
    lms = made.vendors["lms"]
    lms.edit(theirs, name="Anne")
    made.scan("lms")
    made.vendors["hr"].edit(mine, job="left")
    made.scan("hr")
    made.think()
    made.answer("keep")
    lms.edit(theirs, name="Anna")
    made.sync()
    made.vendors["hr"].edit(mine, email="a@x.de")
    made.sync()
    assert not made.cases()
    assert list(lms.rows()) == [theirs]


@pytest.mark.parametrize("flow", ["match", "both"])
def test_who_is_hired_again_gets_the_rows_that_were_kept(flow: str) -> None:
    """A row that nobody made for her, and that her former record kept, is that of her new record."""
    theirs = LMS.replace("flow: both, create: out", f"flow: {flow}, create: none")
    made = duo(hr_system=HR_DELETES,
               lms_system=theirs)  # fmt: skip
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    row = lms.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    old = made.record().id
    hr.remove(mine)
    made.sync()
    assert not made.records()
    hr.add(email="anna@x.de", name="Anna Berg", job="dev")
    made.sync()
    new = made.record()
    assert new.id != old
    link = made.link("lms")
    assert (link.record_id, link.state) == (new.id, LinkState.LINKED)
    assert new.values["name"] == "Anna Berg"
    assert lms.row(row)["name"] == ("Anna Berg" if flow == "both" else "Anna")
    assert made.sync()["converged"]
    assert not made.cases()
