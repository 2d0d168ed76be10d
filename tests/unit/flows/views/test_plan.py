"""A plan says what the next sync does, and ``sync --plan`` does no more than that."""

from __future__ import annotations

from syncengine.flows.run.sync import observe
from syncengine.flows.views.plan import plan
from syncengine.model.link import LinkState
from syncengine.simulation.bench import project
from tests.support.people import FIELDS, HR, LMS, MAPPED, anna, crowd, duo, entity, remap
from tests.support.school import RECORD, RULES, school
from tests.unit.flows.views.plans import told, writes, wrote

MANAGED = FIELDS + "  boss: {type: ref, to: person, clear: true}\n"
BOSSES = {"columns": ("id", "email", "name", "job", "boss")}
OPENING = RECORD.replace("create: both", 'create: both, scope: "person.SCOPE", on_leave: delete')
SCOPED = LMS.replace("create: out", "create: out, scope: \"job != 'left'\"")


# complete, and without a call


def test_a_system_that_begins_to_create_is_planned_from_the_mirror() -> None:
    """``create: out`` is new in the mapping: the plan names the rows that the next sync makes."""
    made = duo(lms_system=LMS.replace("create: out", "create: none"))
    crowd(made, 3)
    made.sync()
    remap(made, entity(hr=HR, lms=LMS))
    calls = [len(v.calls) for v in made.vendors.values()]
    assert writes(plan(made.engine)) == [("person", "lms", "create")] * 3
    assert [len(v.calls) for v in made.vendors.values()] == calls
    digest = plan(made.engine)["digest"]
    assert wrote(made, digest=digest) == [("lms", "create")] * 3
    assert plan(made.engine)["changes"] == []


def test_what_a_derivation_will_make_is_planned() -> None:
    """A change that lets a rule ask for a record is planned with the record and its row, which follows the row that
    it names; the next sync writes exactly that."""
    made = school()
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="lead")
    made.sync()
    hr.edit(mine, job="dev")
    made.scan("hr")
    document = plan(made.engine)
    assert writes(document) == [("course", "lms", "create"), ("person", "lms", "update")]
    (course,) = [c for c in document["changes"] if c["entity"] == "course"]
    assert course["made_by"] == "part2.yaml:4:5"
    assert [(m["derivation"], m["count"]) for m in document["made"]] == [("basics", 1)]
    assert wrote(made, digest=document["digest"]) == [("lms", "create"), ("lms", "update")]
    assert plan(made.engine)["changes"] == []


def test_a_row_that_names_a_planned_row_is_planned_after_it() -> None:
    """A new person and a record about them: both rows are planned at once, the second after the first."""
    made = school(record=RECORD.replace("to: person}", "to: person, required: true}"))
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    document = plan(made.engine, fresh=True)
    after = {
        c["entity"]: [(a["name"], a["connection"]) for a in c["after"]] for c in document["changes"]
    }
    assert after == {"person": [], "course": [("Anna dev", "lms")]}
    assert wrote(made, digest=document["digest"]) == [("lms", "create"), ("lms", "create")]


def test_the_end_of_a_derived_record_is_planned() -> None:
    """``on_leave: delete``: when the combination ends, the plan says so of the record and of its row."""
    made = school("delete")
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    hr.edit(mine, job="lead")
    made.scan("hr")
    document = plan(made.engine)
    ended = [c for c in document["changes"] if c["entity"] == "course" and c["action"] == "learn"]
    assert [f["new"] for c in ended for f in c["fields"]] == ["deleted"]
    assert writes(document) == [("person", "lms", "update")]
    assert wrote(made, digest=document["digest"]) == [("lms", "update")]
    assert not made.records("course")


def test_who_opens_what_has_moved_is_planned() -> None:
    """A record at rest whose scope opens another one is planned once that other one has moved."""
    made = school(record=OPENING.replace("SCOPE", "job == 'dev'"))
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    hr.edit(mine, job="lead")
    made.scan("hr")
    document = plan(made.engine)
    assert writes(document) == [("course", "lms", "delete"), ("person", "lms", "update")]
    assert wrote(made, digest=document["digest"]) == [("lms", "delete"), ("lms", "update")]


def test_who_opens_a_changed_formula_is_planned() -> None:
    """A formula is another one in the mapping: so is the scope of the records that open it."""
    made = school()
    people = LMS.replace("flow: both", "flow: both, on_missing: flag")
    vendors = list(made.vendors.values())
    for job in ("dev", "lead"):
        works = f"  works: {{type: boolean, formula: \"job == '{job}'\"}}\n"
        files = (
            entity(FIELDS + works, hr=HR, lms=people),
            OPENING.replace("SCOPE", "works"),
            RULES.replace("ON_LEAVE", "keep"),
        )
        made.engine.project = project(vendors, *files)
        if job == "dev":
            made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
            made.sync()
    document = plan(made.engine)
    assert writes(document) == [("course", "lms", "delete")]
    assert wrote(made, digest=document["digest"]) == [("lms", "delete")]


def test_two_who_name_each_other_are_one_plan() -> None:
    """Two new rows that refer to each other: whatever order they are made in, it is the plan that was read."""
    bosses = "{email: email, name: name, job: job, boss: boss}"
    made = duo(
        BOSSES, BOSSES, HR.replace("{email: email, name: name, job: job}", bosses),
        LMS.replace("{email: email, name: name, job: job}", bosses), MANAGED,
    )  # fmt: skip
    hr = made.vendors["hr"]
    ida, jo = hr.add(email="ida@x.de", name="Ida"), hr.add(email="jo@x.de", name="Jo")
    hr.edit(ida, boss=jo)
    hr.edit(jo, boss=ida)
    document = plan(made.engine, fresh=True)
    assert writes(document) == [("person", "lms", "create")] * 2
    assert [len(c["after"]) for c in document["changes"]] == [1, 1]
    written = wrote(made, digest=document["digest"])
    assert written.count(("lms", "create")) == 2
    rows = made.vendors["lms"].rows()
    assert {r["name"]: rows[r["boss"]]["name"] for r in rows.values()} == {"Ida": "Jo", "Jo": "Ida"}


def test_a_plan_costs_the_same_statements_for_few_and_many() -> None:
    """Records are looked at by the hundred: ten of them cost as many statements as one."""
    counts = []
    for size in (1, 10):
        made = duo()
        people = crowd(made, size)
        made.sync()
        for mine in people:
            made.vendors["hr"].edit(mine, job="lead")
        made.scan("hr")
        with made.statements() as seen:
            document = plan(made.engine)
        assert len(writes(document)) == size
        counts.append(len(seen))
    assert counts[0] == counts[1]


# what it says


def test_who_leaves_is_told_with_field_and_line() -> None:
    """A row that leaves the scope, or is deleted: what happens to which field, why, and where that is said."""
    leaves = SCOPED.replace("flow: both", "flow: both, set: {leave: {job: gone}}")
    for system, expected in (
        (leaves, ("leave", {"job": ("dev", "gone")})),
        (
            SCOPED.replace("flow: both", "flow: both, on_leave: delete"),
            (
                "delete",
                {"email": ("anna@x.de", None), "name": ("Anna", None), "job": ("dev", None)},
            ),
        ),
    ):
        made = duo(lms_system=system)
        mine, _ = anna(made)
        made.vendors["hr"].edit(mine, job="left")
        made.scan("hr")
        (change,) = [c for c in plan(made.engine)["changes"] if c["connection"] == "lms"]
        fields = {f["field"]: (f["old"], f["new"]) for f in change["fields"]}
        assert (change["action"], fields) == expected
        assert change["why"] == "leaves the scope of lms"
        assert change["rule"].startswith("part0.yaml:")
        assert all(f["rule"].startswith("part0.yaml:") for f in change["fields"])


def test_too_much_at_once_is_told_before() -> None:
    """Ten deletes where ``safety`` allows three: the plan says that they would wait, and they do."""
    made = duo(
        lms_system=SCOPED.replace("flow: both", "flow: both, on_leave: delete"),
        more="safety: {deletes: 10%, floor: 3, window: 1h}\n",
    )
    people = crowd(made)
    made.sync()
    for name in people[2:]:
        made.vendors["hr"].edit(name, job="left")
    made.scan("hr")
    document = plan(made.engine)
    (group,) = document["staged"]
    assert (group["kind"], group["count"], group["allowed"]) == ("delete", 10, 3)
    assert {c["held"] for c in document["changes"]} == {"", "waits for approval"}
    assert wrote(made) == []
    assert made.case().kind == "staged"
    asked = plan(made.engine)
    assert (asked["staged"], asked["held"]) == ([], [made.case().question])
    assert {c["held"] for c in asked["changes"]} == {"waits for approval"}
    made.answer("approve")
    assert {c["held"] for c in plan(made.engine)["changes"]} == {""}
    assert wrote(made, digest=asked["digest"]) == [("lms", "delete")] * 10


def test_what_follows_from_a_create_is_judged_after_it() -> None:
    """Where ``safety`` allows two updates, a row that is made goes out, and so do two updates; the third one, which
    has to name the new row, waits."""
    mapped = "{email: email, name: name, job: job, boss: boss}"
    made = duo(
        hr=BOSSES,
        lms=BOSSES,
        fields=MANAGED,
        hr_system=HR.replace(MAPPED, mapped),
        lms_system=LMS.replace(MAPPED, mapped),
        more="safety: {updates: 0%, floor: 2, window: 1h}\n",
    )
    hr = made.vendors["hr"]
    names = [hr.add(email=f"p{n}@x.de", name=f"P{n}", job="dev") for n in range(2)]
    made.sync()
    made.clock.sleep(4000)
    for name in names:
        hr.edit(name, job="lead")
    ours = hr.add(email="anna@x.de", name="Anna", job="dev")
    hr.edit(ours, boss=ours)
    observe(made.engine)
    planned = [(c["action"], c["held"]) for c in plan(made.engine)["changes"]]
    waits = ("update", "waits for approval")
    assert sorted(planned) == [("create", ""), ("update", ""), ("update", ""), waits]
    assert wrote(made) == [("lms", "create"), ("lms", "update"), ("lms", "update")]


def test_who_waits_for_a_place_that_will_be_free_is_planned() -> None:
    """A new hire bears the address that the kept row of a leaver still shows: her account is made once he is back and
    his row is brought up to date."""
    made = duo(
        fields=FIELDS.replace("email: {type: email}", "email: {type: email, owner: hr}"),
        lms_system=SCOPED,
    )
    hr = made.vendors["hr"]
    mine, _ = anna(made)
    hr.edit(mine, job="left", email="berg@x.de")
    made.sync()
    hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    assert LinkState.WAITING in {link.state for link in made.links("lms")}
    hr.edit(mine, job="dev")
    observe(made.engine)
    assert [c["action"] for c in plan(made.engine)["changes"]] == ["create", "update"]
    assert wrote(made) == [("lms", "create"), ("lms", "update")]


def test_a_write_that_waits_is_planned_as_it_would_be_sent() -> None:
    """What stands in the outbox and is not wanted any more by now is no part of a plan."""
    made = duo(lms_system=SCOPED)
    mine = made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    assert [c["action"] for c in plan(made.engine)["changes"]] == ["create"]
    made.vendors["hr"].edit(mine, job="left")
    made.scan("hr")
    assert writes(plan(made.engine)) == []
    assert wrote(made) == []


def test_both_sides_are_told_in_our_words() -> None:
    """``values`` and refs are compared in one vocabulary; only what cannot be read is shown as the vendor says it."""
    values = "job: {field: job, values: {dev: [D, E], lead: [L]}}"
    made = duo(lms_system=LMS.replace("job: job", values))
    mine, theirs = anna(made)
    made.vendors["lms"].edit(theirs, job="E")
    made.vendors["hr"].edit(mine, job="lead")
    made.scan_all()
    assert ("person", "lms", "update", {"job": ("dev", "lead")}) in told(made)
    made.sync()
    remap(
        made, entity(hr=HR, lms=LMS.replace("name: name", "name: {write: {name: 'upper(name)'}}"))
    )
    (change,) = plan(made.engine)["changes"]
    told_of = {f["field"]: f for f in change["fields"]}
    assert (told_of["name"]["old"], told_of["name"]["new"]) == ("Anna", "ANNA")
    assert told_of["name"]["vendor_words"] == ["old", "new"]


def test_what_waits_is_told() -> None:
    """A row that cannot be made yet is no change, but it is said what it waits for."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan("hr")
    made.think()
    document = plan(made.engine)
    assert document["changes"] == []
    (wait,) = document["waiting"]
    assert (wait["connection"], wait["what"]) == ("lms", "a complete listing of lms people")


def test_questions_that_are_open_are_not_announced_again() -> None:
    """A plan tells the questions that it would ask from those that stand already."""
    made = duo(fields=FIELDS.replace(", on_conflict: newest", ""))
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.vendors["lms"].edit(theirs, job="head")
    made.scan_all()
    assert plan(made.engine)["questions"] == {"conflict": 1}
    made.sync()
    document = plan(made.engine)
    assert (document["questions"], document["open_questions"]) == ({}, {"conflict": 1})
