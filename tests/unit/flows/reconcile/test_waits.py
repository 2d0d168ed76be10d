"""What waits is woken, also by what happens while it lies down to wait."""

from __future__ import annotations

from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.model.case import CaseKind
from tests.support.bench import COMMIT, Bench
from tests.support.people import COLUMNS, FIELDS, HR, LMS, duo


def test_what_begins_to_wait_while_the_wait_is_over_goes_on() -> None:
    """A create that waits for a listing is made, even if the listing ends between the decision and its commit."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan("hr")
    reconcile(made.engine)
    (placeholder,) = made.links("lms")
    with made.between(COMMIT, lambda: made.scan("lms")):
        reconcile(made.engine, ids=[placeholder.id])
    made.settle()
    assert [made.vendors["lms"].row(i)["email"] for i in made.vendors["lms"].rows()] == [
        "anna@x.de"
    ]


def test_what_waits_comes_to_rest() -> None:
    """A link that begins to wait is looked at once more, and then only when something happens."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan("hr")
    made.think()
    (placeholder,) = made.links("lms")
    assert placeholder.wait is not None
    assert not placeholder.dirty


def bosses(lms_columns: tuple[str, ...] = (*COLUMNS, "boss"), on_missing: str = "flag") -> Bench:
    """People who refer to each other, in both systems by that system's own ids. ``on_missing``: in ``lms``."""
    named = ("job: job", "job: job, boss: boss")
    return duo(
        hr={"columns": (*COLUMNS, "boss")},
        lms={"columns": lms_columns},
        hr_system=HR.replace(*named),
        lms_system=LMS.replace(*named).replace("both", f"both, on_missing: {on_missing}"),
        fields=FIELDS + "  boss: {type: ref, to: person, clear: true}\n",
    )


def test_two_people_who_manage_each_other_settle() -> None:
    """A circle of refs comes to rest: both rows name each other, nothing waits, and a second pass writes nothing."""
    made = bosses()
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    anna = hr.add(email="anna@x.de", name="Anna", job="dev")
    ben = hr.add(email="ben@x.de", name="Ben", job="dev", boss=anna)
    hr.edit(anna, boss=ben)
    made.sync()
    rows = {row["name"]: row for row in lms.rows().values()}
    assert rows["Anna"]["boss"] == rows["Ben"]["id"]
    assert rows["Ben"]["boss"] == rows["Anna"]["id"]
    assert not made.cases()
    assert not [k for k in made.links() if k.wait]
    before = made.written()
    assert made.sync()["converged"]
    assert made.written() == before


def test_a_circle_that_turns_settles_too() -> None:
    """Who manages whom may be changed in either system, and one may come to manage herself."""
    made = bosses()
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    anna = hr.add(email="anna@x.de", name="Anna", job="dev")
    ben = hr.add(email="ben@x.de", name="Ben", job="dev", boss=anna)
    hr.edit(anna, boss=ben)
    made.sync()
    rows = {row["name"]: key for key, row in lms.rows().items()}
    lms.edit(rows["Anna"], boss=rows["Anna"])
    hr.edit(ben, boss=None)
    made.sync()
    assert hr.row(anna)["boss"] == anna
    assert lms.row(rows["Ben"])["boss"] is None
    before = made.written()
    assert made.sync()["converged"]
    assert made.written() == before


def test_who_has_no_manager_any_more_has_none_where_the_managers_row_is_gone() -> None:
    """A ref that is emptied is emptied at a vendor, too, whose row still names one that was deleted there."""
    made = bosses(on_missing="keep")
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    anna = hr.add(email="anna@x.de", name="Anna", job="lead")
    ben = hr.add(email="ben@x.de", name="Ben", job="dev", boss=anna)
    made.sync()
    rows = {row["name"]: key for key, row in lms.rows().items()}
    lms.remove(rows["Anna"])
    made.sync()
    assert lms.row(rows["Ben"])["boss"] == rows["Anna"]
    hr.edit(ben, boss=None)
    made.sync()
    assert lms.row(rows["Ben"])["boss"] is None


def test_what_was_refused_is_another_write_once_whom_it_names_has_no_row() -> None:
    """A create waits for an answer no longer where it would say something else, since a row that it named is gone."""
    made = bosses()
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    anna = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    (theirs,) = lms.rows()
    lms.fault("create", "refuse")
    hr.add(email="ben@x.de", name="Ben", job="dev", boss=anna)
    made.sync()
    assert made.case().kind is CaseKind.REJECTED
    lms.remove(theirs)
    made.sync()
    assert [row["name"] for row in lms.rows().values()] == ["Ben"]
    assert made.case().kind is CaseKind.MISSING


def test_what_was_refused_is_another_write_once_whom_it_left_out_has_a_row() -> None:
    """An update waits for an answer, and for the row of whom it could not name; once that is there, both are told."""
    made = bosses()
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    ben = hr.add(email="ben@x.de", name="Ben", job="dev")
    made.sync()
    anna = hr.add(email="anna@x.de", name="Anna", job="dev")
    hr.edit(ben, job="lead", boss=anna)
    lms.fault("create", "refuse")
    lms.fault("update", "refuse", "refuse")
    made.sync()
    assert len(made.cases()) == 2
    made.answer("retry", next(c for c in made.cases() if "create" in c.question))
    made.sync()
    assert {(row["name"], row["job"]) for row in lms.rows().values()} == {
        ("Anna", "dev"), ("Ben", "lead"),
    }  # fmt: skip
    assert not made.cases()
