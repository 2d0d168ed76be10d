"""Two base values: each side is compared with what it held itself when both last agreed."""

from __future__ import annotations

import pytest

from syncengine.model.values import Json
from tests.support.people import HR_DELETES, LMS, anna, duo


def shout(row: dict[str, Json]) -> None:
    """A vendor that writes names in capitals, five letters long."""
    if isinstance(row.get("name"), str):
        row["name"] = row["name"].upper()[:5]


def shout_mail(row: dict[str, Json]) -> None:
    """A vendor that spells mail addresses in capitals, which means the same."""
    if isinstance(row.get("email"), str):
        row["email"] = f" {row['email'].upper()} "


def test_a_vendor_that_spells_values_its_own_way_makes_no_ping_pong() -> None:
    """Rule 1: what the write's own answer shows is the vendor's base value, so its spelling is no edit of its own."""
    made = duo(lms={"shape": shout})
    mine, theirs = anna(made, name="Annabelle")
    made.sync()
    made.sync()
    assert made.vendors["lms"].row(theirs)["name"] == "ANNAB"
    assert made.vendors["hr"].row(mine)["name"] == "Annabelle"
    assert len(made.written()["lms"]) == 1
    assert "hr" not in made.written()


def test_a_person_s_edit_at_a_vendor_with_its_own_spelling_comes_over() -> None:
    """Rule 1: a value that differs from the vendor's own base value is an edit, even where the vendor spells its own
    way."""
    made = duo(lms={"shape": shout})
    mine, theirs = anna(made, name="Annabelle")
    made.vendors["lms"].edit(theirs, name="Berta")
    made.sync()
    assert made.vendors["hr"].row(mine)["name"] == "BERTA"
    assert made.sync()["converged"]
    assert len(made.written()["lms"]) == 1


@pytest.mark.parametrize("answers", ["empty", "sent"])
def test_what_a_write_did_not_show_is_expected_and_confirmed_up_to_the_codec(answers: str) -> None:
    """Rule 1: without an answer the sent value is the base value, and another spelling of the same value confirms
    it."""
    made = duo(lms={"shape": shout_mail, "answers": answers})
    _, theirs = anna(made)
    result = made.sync()
    assert result["converged"]
    assert made.link("lms").base.expected == frozenset()
    assert made.vendors["lms"].row(theirs)["email"] == " ANNA@X.DE "
    assert made.record().values["email"] == "anna@x.de"
    assert len(made.written()["lms"]) == 1


def test_the_canonical_face_is_what_was_sent_not_what_the_record_became() -> None:
    """Rule 1: a change of ours that came while a write was under way is still owed to the vendor afterwards."""
    made = duo()
    mine, theirs = anna(made)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    hr.edit(mine, job="lead")
    made.scan("hr")
    made.think()

    def meanwhile() -> None:
        hr.edit(mine, job="head")

    lms.during = meanwhile
    made.send()
    assert made.link("lms").base.canonical["job"] == "lead"
    made.sync()
    assert lms.row(theirs)["job"] == "head"


def test_the_vendor_face_is_never_a_later_read() -> None:
    """Rule 1: an edit made right after our write is an edit, although no read ever showed our own value."""
    made = duo(lms={"answers": "empty"})
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    made.settle()
    made.vendors["lms"].edit(theirs, job="boss")
    made.sync()
    assert made.vendors["hr"].row(mine)["job"] == "boss"
    assert made.vendors["lms"].row(theirs)["job"] == "boss"


def test_only_written_fields_move_their_faces() -> None:
    """Rule 1: an edit of another field that the write's answer shows is still to be merged."""
    made = duo()
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    made.think()
    lms = made.vendors["lms"]
    lms.during = lambda: lms.edit(theirs, name="Anne")
    made.sync()
    assert lms.row(theirs) | {"id": ""} == made.vendors["hr"].row(mine) | {"id": ""}
    assert lms.row(theirs)["name"] == "Anne"


def test_our_own_old_write_is_no_wish_of_the_vendor_when_its_row_is_adopted() -> None:
    """Rule 13: a row that our own lost create made shows our old values; they are our base values, not an edit."""
    owned = "\n  email: {type: email}\n  name: {type: string, on_conflict: lms}\n  job: {type: string}\n"
    made = duo(fields=owned)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    lms.fault("create", "drop")
    made.scan_all()
    made.think()
    made.send()
    hr.edit(mine, name="Anne")
    made.sync()
    (theirs,) = lms.rows()
    assert lms.row(theirs)["name"] == "Anne"
    assert hr.row(mine)["name"] == "Anne"
    assert sum(lms.made.values()) == 1


def test_a_leaver_s_row_brings_its_faces_to_the_record_that_takes_it_over() -> None:
    """Rule 13: who comes back adopts the row that was left; our own last value there is not taken for a wish."""
    lms_system = LMS.replace("resource: people", "resource: people, set: {leave: {job: gone}}")
    made = duo(hr_system=HR_DELETES, lms_system=lms_system)
    mine, theirs = anna(made)
    made.vendors["hr"].remove(mine)
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "gone"
    again = made.vendors["hr"].add(email="anna@x.de", name="Anna", job="lead")
    made.sync()
    made.sync()
    assert list(made.vendors["lms"].rows()) == [theirs]
    assert made.vendors["hr"].row(again)["job"] == "lead"
    assert made.vendors["lms"].row(theirs)["job"] == "lead"
