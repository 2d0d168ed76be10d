"""What is written down for whoever asks what is held of her."""

from __future__ import annotations

from typing import Any

from syncengine.flows.views.export import export
from tests.support.people import FIELDS, anna, duo
from tests.support.teams import crew, teams


def test_each_value_says_from_where_since_when_and_why() -> None:
    """Values with their source, time and rule, sensitive ones in the clear, every change with what it replaced, each
    row as its vendor shows it, and each write with what was sent and answered."""
    made = duo(fields=FIELDS.replace("type: string, on", "type: string, sensitive: true, on"))
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    document = export(made.engine, made.record().id, "dpo")
    (record,) = document["records"]
    fields = {f["field"]: f for f in record["fields"]}
    job, rule = fields["job"], made.engine.project.entities["person"].systems["hr"].rules["job"]
    assert (job["value"], job["from"]) == ("lead", "hr")
    assert job["why"] == f"only change, {rule.position}"
    assert record["since"] < "2027"
    assert job["since"] > 0
    assert [(c["old"], c["new"]) for c in job["story"]["changes"]] == [
        (None, "dev"),
        ("dev", "lead"),
    ]
    assert [(c["field"], c["old"], c["new"]) for c in record["history"]][-1] == (
        "job",
        "dev",
        "lead",
    )
    rows = {row["connection"]: row for row in record["rows"]}
    assert (rows["hr"]["row"], rows["lms"]["row"]) == (mine, theirs)
    assert rows["lms"]["shows"] == {"email": "anna@x.de", "name": "Anna", "job": "lead"}
    assert rows["lms"]["agreed_on"]["vendor_values"]["job"] == "lead"
    writes = [(w["to"], w["action"], w["sent"].get("job"), w["state"]) for w in record["writes"]]
    assert writes == [("lms", "create", "dev", "applied"), ("lms", "update", "lead", "applied")]
    assert {(s["connection"], s["row"]) for s in document["sightings"]} == {
        ("hr", mine),
        ("lms", theirs),
    }


def test_what_belongs_to_her_is_there_and_what_is_others_is_only_counted() -> None:
    """Her notes with their text; that a team names her, and not which team; nothing of a colleague."""
    made = teams()
    crew(made)
    document = export(made.engine, made.record(name="anna").id, "dpo")
    assert [r["entity"] for r in document["records"]] == ["person", "note"]
    assert values(document["records"][1])["text"] == "about no-anna"
    assert document["named_by"] == {"team.lead": 1, "team.members": 1}
    assert "bea@" not in repr(document)
    assert "no-bea" not in repr(document)


def values(record: dict[str, Any]) -> dict[str, Any]:
    """Field -> value."""
    return {f["field"]: f["value"] for f in record["fields"]}


def test_questions_and_what_people_answered_are_there() -> None:
    """Who was asked what about her, what was shown, what was answered, and why."""
    made = duo(fields=FIELDS.replace("on_conflict: newest", "on_conflict: flag"))
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.vendors["lms"].edit(theirs, job="cook")
    made.sync()
    made.answer("lms")
    (asked,) = export(made.engine, made.record().id, "dpo")["questions"]
    assert asked["evidence"]["fields"]["job"] == {"record": "lead", "lms": "cook"}
    assert (asked["answer"], asked["answered_by"]) == ("lms", "admin")
    assert asked["answered_at"] >= asked["asked_at"]
