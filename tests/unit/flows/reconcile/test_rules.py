"""Rule 1: a rule that is changed in the YAML concerns whom it touches, who are read or written anew, nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncengine.flows.views.plan import plan
from syncengine.model.changeset import Changeset
from tests.support.bench import Bench
from tests.support.people import COLUMNS, FIELDS, HR, LMS, anna, duo, entity, remap

WIDE = {"columns": (*COLUMNS, "nick")}
SHOUTED = LMS.replace("name: name", "name: {write: {name: 'upper(name)'}}")
MOVED = LMS.replace("name: name", "name: nick")
OWNED = FIELDS.replace("name: {type: string}", "name: {type: string, owner: hr}")


def planned(made: Bench) -> set[tuple[str, str, str, str]]:
    """Connection, action, whose and which field, of all that is planned."""
    return {
        (change["connection"], change["action"], change["name"], field["field"])
        for change in plan(made.engine)["changes"]
        for field in change["fields"]
    }


def settled(made: Bench) -> dict[str, list[tuple[str, str]]]:
    """What two passes write, the second of which must write nothing."""
    for vendor in made.vendors.values():
        vendor.calls.clear()
    made.sync()
    first = made.written()
    for vendor in made.vendors.values():
        vendor.calls.clear()
    made.sync()
    assert made.written() == {}
    assert plan(made.engine)["changes"] == []
    return first


def test_a_changed_rule_plans_its_field_of_those_whose_value_differs() -> None:
    """One rule of three is changed: the plan names that field, of the people whose row says otherwise, and the sync
    writes exactly that."""
    made = duo()
    for name in ("Ida", "Jo", "MIA"):
        made.vendors["hr"].add(email=f"{name}@x.de", name=name, job="dev")
    made.sync()
    remap(made, entity(hr=HR, lms=SHOUTED))
    assert planned(made) == {
        ("lms", "update", "Ida dev", "name"), ("lms", "update", "Jo dev", "name"),
    }  # fmt: skip
    assert [verb for verb, _ in settled(made)["lms"]] == ["update", "update"]
    assert {r["name"] for r in made.vendors["lms"].rows().values()} == {"IDA", "JO", "MIA"}
    assert {r.values["name"] for r in made.records()} == {"Ida", "Jo", "MIA"}


@pytest.mark.parametrize("there", [{}, {"nick": None}, {"nick": "other"}])
def test_a_field_that_moves_to_another_path_is_written_there(there: dict[str, Any]) -> None:
    """A field gets another path: our value is written to it, whether the vendor shows the new one, leaves it empty or
    holds something there, which stays in the history."""
    made = duo(lms=WIDE)
    _, theirs = anna(made)
    made.vendors["lms"].edit(theirs, **there)
    remap(made, entity(hr=HR, lms=MOVED))
    assert settled(made)["lms"] == [("update", theirs)]
    assert made.vendors["lms"].row(theirs)["nick"] == "Anna"
    lost = [c.lost for c in made.history(made.record().id) if c.lost is not None]
    assert lost == [n for n in there.values() if n]


@pytest.mark.parametrize(
    ("rule", "fields"), [("{field: nick, flow: in}", FIELDS), ("nick", OWNED)], ids=["in", "owner"]
)
def test_what_only_flows_in_or_belongs_there_is_read_anew(rule: str, fields: str) -> None:
    """A rule of the system that a value comes from is corrected: the value is learned, never written back."""
    made = duo(hr=WIDE, fields=fields)
    mine, theirs = anna(made, nick="Ann")
    remap(made, entity(fields, hr=HR.replace("name: name", f"name: {rule}"), lms=LMS))
    made.sync()
    assert made.record().values["name"] == "Ann"
    assert made.vendors["lms"].row(theirs)["name"] == "Ann"
    assert made.vendors["hr"].row(mine)["name"] == "Anna"
    assert settled(made) == {}


def test_a_rule_that_spells_otherwise_and_means_the_same_writes_nothing() -> None:
    """Same meaning, no write: another rule that agrees with what is there is taken note of and no more."""
    made = duo()
    anna(made)
    same = LMS.replace("job: job", "job: {field: job, values: {dev: [dev, DEV]}}")
    remap(made, entity(hr=HR, lms=same))
    assert planned(made) == set()
    assert settled(made) == {}
    rule = made.engine.project.entities["person"].systems["lms"].rules["job"]
    assert made.link("lms").base.rules["job"] == rule.fingerprint


def test_an_edit_of_the_same_day_counts_more_than_a_changed_rule() -> None:
    """Somebody edits the vendor's row before the changed rule is applied: that is a change like any other."""
    made = duo()
    _, theirs = anna(made)
    spelled = "job: {field: job, values: {dev: [D], lead: [L]}}"
    remap(made, entity(hr=HR, lms=LMS.replace("job: job", spelled)))
    made.vendors["lms"].edit(theirs, job="L")
    made.sync()
    assert made.record().values["job"] == "lead"
    assert made.vendors["hr"].row(made.link("hr").external_id or "")["job"] == "lead"


def test_a_write_that_an_older_rule_made_is_told_again() -> None:
    """A write that was planned before the rule was changed, and sent after, does not count as written by the new
    one."""
    made = duo()
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, name="Ida")
    made.scan("hr")
    made.think()
    remap(made, entity(hr=HR, lms=SHOUTED))
    made.sync()
    assert made.vendors["lms"].row(theirs)["name"] == "IDA"
    assert settled(made) == {}


def test_faces_without_a_fingerprint_are_left_alone() -> None:
    """What was stored before fingerprints were kept counts as made by the rule that there is."""
    made = duo()
    anna(made)
    old = made.link("lms").id
    with made.engine.ledger.write() as tx:
        held = tx.links([old], lock=True)
        tx.write(
            Changeset(links=[replace(k, base=replace(k.base, rules={})) for k in held.values()])
        )
    remap(made, entity(hr=HR, lms=SHOUTED))
    assert planned(made) == set()
