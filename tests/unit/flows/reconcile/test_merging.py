"""Whose value counts, through the whole way: newest, owner, flag, sets, clear, first link."""

from __future__ import annotations

import pytest

from syncengine.model.case import CaseKind
from syncengine.simulation.clock import ManualClock
from tests.support.bench import Bench
from tests.support.people import HR, LMS, anna, bench, duo, entity, vendor

NAME = "\n  email: {{type: email}}\n  name: {{type: string, {0}}}\n  job: {{type: string}}\n"


def both_edit(made: Bench, mine: str, theirs: str, first: str = "hr") -> None:
    """The name is changed in both, and one of them is read first."""
    made.vendors["hr"].edit(mine, name="Anne")
    made.vendors["lms"].edit(theirs, name="Anja")
    made.scan(first)
    made.scan("lms" if first == "hr" else "hr")
    made.settle()


def names(made: Bench, mine: str, theirs: str) -> set[str]:
    """The name everywhere."""
    values = {made.vendors["hr"].row(mine)["name"], made.vendors["lms"].row(theirs)["name"]}
    return values | {made.record().values["name"]}


@pytest.mark.parametrize(("first", "wins"), [("hr", "Anja"), ("lms", "Anne")])
def test_newest_is_what_we_saw_first_last(first: str, wins: str) -> None:
    """Rule 15: the change first seen later counts, whichever is merged first, and the other is on record."""
    made = duo(fields=NAME.format("on_conflict: newest"))
    mine, theirs = anna(made)
    both_edit(made, mine, theirs, first)
    assert names(made, mine, theirs) == {wins}
    lost = {c.lost for c in made.history(made.record().id) if c.lost is not None}
    learned = {c.new for c in made.history(made.record().id) if c.field == "name"}
    assert {"Anne", "Anja"} <= lost | learned


def test_a_value_keeps_the_stamp_of_its_first_sighting() -> None:
    """Rule 15: reading a row again makes none of its values newer."""
    made = duo(fields=NAME.format("on_conflict: newest"))
    mine, theirs = anna(made)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    hr.edit(mine, name="Anne")
    made.scan("hr")
    lms.edit(theirs, name="Anja")
    made.scan("lms")
    hr.edit(mine, job="lead")
    made.scan("hr")
    made.settle()
    assert names(made, mine, theirs) == {"Anja"}


def test_the_owner_wins_and_the_other_is_written_back() -> None:
    """A change of an owned field by somebody else is reverted, and kept in the history."""
    made = duo(fields=NAME.format("owner: hr"))
    mine, theirs = anna(made)
    made.vendors["lms"].edit(theirs, name="Anja")
    made.sync()
    assert names(made, mine, theirs) == {"Anna"}
    assert "Anja" in {c.lost for c in made.history(made.record().id)}
    both_edit(made, mine, theirs)
    assert names(made, mine, theirs) == {"Anne"}


def test_drift_may_ask_instead() -> None:
    """``on_drift: flag``: somebody else's change of an owned field is a question, and both sides stay."""
    made = duo(fields=NAME.format("owner: hr, on_drift: flag"))
    mine, theirs = anna(made)
    made.vendors["lms"].edit(theirs, name="Anja")
    made.sync()
    made.sync()
    assert made.case().kind is CaseKind.DRIFT
    assert made.vendors["lms"].row(theirs)["name"] == "Anja"
    assert made.vendors["hr"].row(mine)["name"] == "Anna"


def test_a_conflict_asks_and_moves_nothing() -> None:
    """``flag``: both changed and nobody owns it: one case, no write, until it is answered or they agree again."""
    made = duo(fields=NAME.format("on_conflict: flag"))
    mine, theirs = anna(made)
    both_edit(made, mine, theirs)
    case = made.case()
    assert case.kind is CaseKind.CONFLICT
    assert case.evidence["fields"] == {"name": {"record": "Anne", "lms": "Anja"}}
    assert made.vendors["lms"].row(theirs)["name"] == "Anja"
    assert made.sync()["converged"]
    made.vendors["lms"].edit(theirs, name="Anne")
    made.sync()
    assert not made.cases()


def test_a_named_system_wins_conflicts_only() -> None:
    """``on_conflict: lms``: its value counts where both changed; alone, anybody's change does."""
    made = duo(fields=NAME.format("on_conflict: lms"))
    mine, theirs = anna(made)
    both_edit(made, mine, theirs)
    assert names(made, mine, theirs) == {"Anja"}
    made.vendors["hr"].edit(mine, name="Anna")
    made.sync()
    assert names(made, mine, theirs) == {"Anna"}


def test_sets_merge_item_by_item() -> None:
    """A set takes what either side added and drops what either side removed."""
    fields = "\n  email: {type: email}\n  tags: {type: set, of: string}\n"
    columns = {"columns": ("id", "email", "tags"), "types": {"tags": "set"}}
    system = "{{resource: people, flow: both, create: {0}, fields: {{email: email, tags: tags}}}}"
    made = duo(columns, columns, system.format("in"), system.format("out"), fields)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    mine = hr.add(email="anna@x.de", tags=["a", "b"])
    made.sync()
    (theirs,) = lms.rows()
    hr.edit(mine, tags=["a", "c"])
    lms.edit(theirs, tags=["a", "b", "d"])
    made.sync()
    assert hr.row(mine)["tags"] == lms.row(theirs)["tags"] == ["a", "c", "d"]


def test_numbers_in_sets_come_to_rest() -> None:
    """A set of numbers keeps its order of numbers, so that nothing is written twice."""
    fields = "\n  email: {type: email}\n  tags: {type: set, of: integer}\n"
    columns = {"columns": ("id", "email", "tags"), "types": {"tags": "set"}}
    system = "{{resource: people, flow: {1}, create: {0}, fields: {{email: email, tags: tags}}}}"
    made = duo(columns, columns, system.format("in", "in"), system.format("out", "both"), fields)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    mine = hr.add(email="anna@x.de", tags=[9])
    made.sync()
    (theirs,) = lms.rows()
    hr.edit(mine, tags=[9, 10])
    lms.edit(theirs, tags=[9, 2])
    made.sync()
    assert made.record().values["tags"] == [2, 9, 10]
    assert lms.row(theirs)["tags"] == [2, 9, 10]
    assert hr.row(mine)["tags"] == [9, 10]
    assert made.sync()["converged"]
    assert "hr" not in made.written()


def test_empty_spreads_only_where_the_field_says_so() -> None:
    """``clear``: an emptied value is emptied everywhere; otherwise it is filled again."""
    fields = (
        "\n  email: {type: email}\n  name: {type: string}\n  job: {type: string, clear: true}\n"
    )
    made = duo(fields=fields)
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, name=None, job=None)
    made.sync()
    assert made.vendors["lms"].row(theirs) == {
        "id": theirs, "email": "anna@x.de", "name": "Anna", "job": None,
    }  # fmt: skip
    assert made.vendors["hr"].row(mine)["name"] == "Anna"


def test_a_first_link_fills_and_asks_once() -> None:
    """First link: equal values agree, an empty side is filled, and all that differ are one case."""
    made = duo(fields="\n  email: {type: email}\n  name: {type: string}\n  job: {type: string}\n")
    theirs = made.vendors["lms"].add(email="anna@x.de", name="Anja", job=None)
    mine = made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    case = made.case()
    assert list(case.evidence["fields"]) == ["name"]
    assert made.vendors["lms"].row(theirs)["job"] == "dev"
    assert made.vendors["hr"].row(mine)["name"] == "Anna"


def test_three_systems_agree() -> None:
    """A change in one of three systems reaches the two others, and none echoes."""
    clock = ManualClock()
    three = [vendor(n, clock, search=("email",)) for n in ("hr", "lms", "tm")]
    text = entity(hr=HR, lms=LMS, tm=LMS)
    made = bench(*three, files=(text,))
    mine = made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    (tm,) = made.vendors["tm"].rows()
    made.vendors["tm"].edit(tm, job="lead")
    made.sync()
    assert {v.row(next(iter(v.rows())))["job"] for v in three} == {"lead"}
    made.sync()
    counts = {name: len(v.keys) for name, v in made.vendors.items()}
    assert counts == {"hr": 1, "lms": 2, "tm": 1}
    assert mine


def test_if_empty_and_create_are_judged_where_the_value_arrives() -> None:
    """``apply``: ``create`` writes only while a row is made, ``if_empty`` only where nothing stands."""
    system = LMS.replace("name: name", "name: {field: name, apply: create}").replace(
        "job: job", "job: {field: job, apply: if_empty}"
    )
    made = duo(lms_system=system)
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, name="Anne", job="lead")
    made.sync()
    row = made.vendors["lms"].row(theirs)
    assert (row["name"], row["job"]) == ("Anna", "dev")
    made.vendors["lms"].edit(theirs, job=None)
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "lead"
    assert made.vendors["hr"].row(mine)["name"] == "Anne"


def test_what_is_only_written_to_keeps_its_value_on_record() -> None:
    """Where we only write and have no value yet, the vendor's own stays, and is on record once ours overwrites it."""
    hr = "{resource: people, flow: both, create: in, fields: {email: email, name: {field: name, flow: out}}}"
    made = duo(hr_system=hr)
    mine, theirs = anna(made, name="Anna")
    assert made.vendors["hr"].row(mine)["name"] == "Anna"
    made.vendors["lms"].edit(theirs, name="Anja")
    made.sync()
    assert made.vendors["hr"].row(mine)["name"] == "Anja"
    assert "Anna" in {c.lost for c in made.history(made.record().id)}


def test_what_is_only_read_keeps_a_value_that_lost_on_record() -> None:
    """Where we only read, a value that a policy decided against stays at the vendor, and the history names it once."""
    lms = "{resource: people, flow: both, create: out, fields: {email: email, name: {field: name, flow: in}}}"
    made = duo(fields=NAME.format("owner: hr"), lms_system=lms)
    _, theirs = anna(made)
    made.vendors["lms"].edit(theirs, name="Anja")
    made.sync()
    made.sync()
    lost = [(c.lost, c.lost_by, c.policy) for c in made.history(made.record().id) if c.lost]
    assert lost == [("Anja", "lms", "owner hr")]
