"""Of each field: which system, which change, which rule, what it replaced, and what was answered."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from syncengine.flows.capture.notices import notice
from syncengine.flows.views.explain import explain, select_history
from syncengine.flows.views.queries import find_records
from tests.support.bench import Bench
from tests.support.people import FIELDS, HR, HR_DELETES, anna, duo


def told(made: Bench, field: str = "job") -> dict[str, Any]:
    """What is explained of a field of the only record."""
    (found,) = explain(made.engine, made.record().id, field)["fields"]
    return dict(found)


def rule(made: Bench, system: str, field: str = "job") -> str:
    """Where the rule of a field stands."""
    return str(made.engine.project.entities["person"].systems[system].rules[field].position)


def test_the_first_value_names_the_rule_of_its_field_and_the_event_that_showed_it() -> None:
    """A record is made of a row: each field has its own rule, and the listing in which it was seen; the write that made
    the other row is told with what its vendor said."""
    made = duo()
    mine, _ = anna(made)
    found = told(made)
    (first,) = found["changes"]
    assert (first["old"], first["new"], first["from"]) == (None, "dev", "hr")
    assert (first["policy"], first["rule"]) == ("create: in", rule(made, "hr"))
    event = first["event"]
    assert (event["source"], event["connection"], event["external_id"]) == ("scan", "hr", mine)
    assert event["at"] <= first["at"]
    (write,) = found["writes"]
    assert (write["to"], write["action"], write["value"]) == ("lms", "create", "dev")
    assert (write["rule"], write["answer"]) == (rule(made, "lms"), "accepted")
    assert write["answered_at"] > write["at"]
    assert found["because"] == first


@pytest.mark.parametrize(
    ("how", "source"), [("scan", "scan"), ("poll", "poll"), ("notice", "read")]
)
def test_a_change_names_how_it_was_seen(how: str, source: str) -> None:
    """A change feed, a listing, or a single read after a webhook, which is named too."""
    made = duo(hr={"poll": True})
    mine, _ = anna(made)
    made.poll("hr")
    made.vendors["hr"].edit(mine, job="lead")
    if how == "notice":
        notice(made.engine, "hr", "people", mine, "w1")
    else:
        getattr(made, how)("hr")
    made.settle()
    last = told(made)["changes"][-1]
    assert (last["old"], last["new"], last["rule"]) == ("dev", "lead", rule(made, "hr"))
    assert last["event"]["source"] == source
    announced = last["event"]["notice"]
    assert (announced and announced["source"]) == ("webhook" if how == "notice" else None)


def test_what_a_vendor_makes_of_a_value_is_told() -> None:
    """The answer of a write says which values the vendor keeps in a spelling of its own, not those of sensitive
    fields."""

    def shout(row: dict[str, Any]) -> None:
        row.update({n: str(row[n]).upper() for n in ("name", "job") if row.get(n)})

    fields = FIELDS.replace("name: {type: string}", "name: {type: string, sensitive: true}")
    made = duo(lms={"shape": shout}, fields=fields)
    anna(made)
    (write,) = told(made)["writes"]
    assert write["answer"] == "accepted; it keeps job as 'DEV'"


@pytest.mark.parametrize(
    ("fault", "answer"),
    [("drop", "no answer came; a later read shows it"), ("refuse", "status 422: not allowed")],
)
def test_what_became_of_a_write_is_told(fault: Any, answer: str) -> None:
    """A write whose answer was lost says how it was proved, one that was refused says by what."""
    made = duo()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.vendors["lms"].fault("update", fault)
    made.sync()
    assert told(made)["writes"][-1]["answer"] == answer


def test_a_default_and_a_derived_value_name_where_they_stand() -> None:
    """A value that no system gave is that of the field's default."""
    fields = FIELDS.replace("name: {type: string}", "name: {type: string, default: Nobody}")
    made = duo(fields=fields, hr_system=HR.replace("name: name, ", ""))
    made.vendors["hr"].add(email="anna@x.de", job="dev")
    made.sync()
    (first, *_) = told(made, "name")["changes"]
    declared = made.engine.project.entities["person"].fields["name"]
    assert (first["new"], first["policy"], first["rule"]) == (
        "Nobody",
        "default",
        str(declared.position),
    )


def test_lost_values_of_all_records_are_listed_the_newest_first() -> None:
    """Whatever a merge decided against is in one list, whosever record it was."""
    made = duo(fields=FIELDS.replace("newest", "hr"))
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    rows = {name: hr.add(email=f"{name}@x.de", name=name, job="dev") for name in ("anna", "ben")}
    made.sync()
    theirs = {row["name"]: i for i, row in lms.rows().items()}
    for name in ("anna", "ben"):
        hr.edit(rows[name], job="lead")
        lms.edit(theirs[name], job=f"cook of {name}")
        made.sync()
    found = select_history(made.engine, lost=True, limit=10)
    assert [(item["lost"], item["lost_by"], item["field"]) for item in found] == [
        ("cook of ben", "lms", "job"),
        ("cook of anna", "lms", "job"),
    ]
    assert [item["change"] for item in select_history(made.engine, True, 1)] == [found[0]["change"]]
    assert len(select_history(made.engine, False, 100)) > len(found)


# who was here before


def rehired() -> tuple[Bench, str, str]:
    """Anna left for good and was hired again; her former record and her new one."""
    made = duo(hr_system=HR_DELETES)
    mine, _ = anna(made)
    old = made.record().id
    made.vendors["hr"].remove(mine)
    made.sync()
    made.clock.sleep(86_400)
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="lead")
    made.sync()
    return made, old, made.record().id


def test_who_is_hired_again_is_shown_beside_who_left() -> None:
    """The new record says that an earlier one of the same identity left, when and why."""
    made, old, new = rehired()
    assert old != new
    document = explain(made.engine, new)
    (past,) = document["earlier"]
    (gone,) = [c for c in made.history(old) if c.new == "deleted"]
    assert (past["record"], past["at"], past["policy"]) == (old, gone.at, "on_missing: delete")
    assert document["deleted"] is None
    assert [c["new"] for c in document["changes"]] == ["made"]


def test_who_left_can_be_looked_at() -> None:
    """A deleted record is found by its id, and by its key where no live one bears it, and tells when it went."""
    made, old, new = rehired()
    document = explain(made.engine, old)
    assert document["deleted"]["policy"] == "on_missing: delete"
    assert document["earlier"] == []

    def found(text: str) -> list[str]:
        return [i for _, i, _ in find_records(made.engine, text, "person", gone=True)]

    assert found(old) == found(old[-8:]) == [old]
    assert found("anna@x.de") == found("Anna") == [new]
    made.vendors["hr"].remove(sorted(made.vendors["hr"].rows())[-1])
    made.sync()
    assert found("anna@x.de") == found("anna") == [old, new]
    assert find_records(made.engine, "anna@x.de", "person") == []


def test_nobody_was_here_before_whose_identity_is_another() -> None:
    """Only the same identity makes an earlier record."""
    made, _, _ = rehired()
    made.vendors["hr"].add(email="ben@x.de", name="Anna", job="dev")
    made.sync()
    (ben,) = [r.id for r in made.records() if r.values["email"] == "ben@x.de"]
    assert explain(made.engine, ben)["earlier"] == []


# what is computed, put back, and left

COMPUTED = """  ends: {type: date, clear: true}
  chief: {type: boolean, formula: "job == 'lead'"}
  here: {type: boolean, formula: "ends == null || ends >= today"}
  pay: {type: string, sensitive: true}
  rich: {type: boolean, formula: "chief && pay != null"}
"""


def computing() -> tuple[Bench, str]:
    """Somebody with formulas, on 22 November 2026."""
    columns = ("id", "email", "name", "job", "ends", "pay")
    hr = HR.replace("job: job", "job: job, ends: ends, pay: pay")
    made = duo(fields=FIELDS + COMPUTED, hr={"columns": columns}, hr_system=hr)
    mine, _ = anna(made, ends=None, pay="9")
    return made, mine


def test_a_formula_is_told_with_its_inputs_and_since_when_it_is_so() -> None:
    """Not that anyone may change it and nothing happened: what it says, what it reads, the change that made it so."""
    made, mine = computing()
    born = told(made, "chief")["formula"]
    assert born["source"] == "job == 'lead'"
    assert born["inputs"] == [{"name": "job", "value": "dev", "formula": None}]
    assert born["since"] == made.history(made.record().id)[0].at
    made.clock.sleep(86_400)
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    made.vendors["hr"].edit(mine, name="Anna B.")
    made.sync()
    (change,) = [c for c in made.history(made.record().id) if c.field == "job"]
    now = told(made, "chief")
    assert (now["value"], now["formula"]["since"]) == (True, change.at)


def test_a_formula_of_formulas_names_them_and_hides_what_is_sensitive() -> None:
    """The input that is computed comes with how, the sensitive one with dots."""
    made, _ = computing()
    given = told(made, "rich")["formula"]["inputs"]
    assert given == [
        {"name": "chief", "value": False, "formula": "job == 'lead'"},
        {"name": "pay", "value": "•••", "formula": None},
    ]


def test_a_formula_that_turned_with_the_day_tells_the_day() -> None:
    """Nothing was changed on the day after the last one, and yet it is so since then."""
    made, mine = computing()
    today = date.fromisoformat(made.engine.today)
    ends = (today + timedelta(days=3)).isoformat()
    made.vendors["hr"].edit(mine, ends=ends)
    made.sync()
    assert told(made, "here")["value"] is True
    made.clock.sleep(10 * 86_400)
    made.sync()
    found = told(made, "here")
    assert found["value"] is False
    assert made.engine.day_of(found["formula"]["since"]) == (today + timedelta(days=4)).isoformat()
    assert {"name": "today", "value": made.engine.today, "formula": None} in found["formula"][
        "inputs"
    ]


def test_a_value_that_was_emptied_and_put_back_has_its_line() -> None:
    """``clear: false``: the write says that the vendor showed it empty; one that changes a value does not."""
    made = duo()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job=None)
    made.sync()
    assert made.vendors["hr"].row(mine)["job"] == "dev"
    writes = {(w["to"], w["refills"], w["value"]) for w in told(made)["writes"]}
    assert ("hr", True, "dev") in writes
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    assert [w["refills"] for w in told(made)["writes"] if w["value"] == "lead"] == [False]


def test_who_left_is_told_with_what_was_set_there() -> None:
    """``set.leave`` is a line of the record and of the field that reads it, with its rule and answer."""
    leaving = (
        "{resource: people, flow: both, create: out, scope: \"name != 'gone'\", "
        "set: {leave: {job: former}}, fields: {email: email, name: name, job: job}}"
    )
    made = duo(lms_system=leaving)
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, name="gone")
    made.sync()
    document = explain(made.engine, made.record().id, "job")
    (left,) = document["left"]
    assert (left["to"], left["action"], left["sets"]) == ("lms", "leave", {"job": "former"})
    assert (left["state"], left["rule"]) == ("applied", "part0.yaml:10:91")
    (field,) = document["fields"]
    last = field["writes"][-1]
    assert (last["action"], last["value"], last["rule"]) == ("leave", "former", left["rule"])
