"""What the coming days bring is what the engine does on these days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from syncengine.flows.run.ahead import foresee
from syncengine.flows.run.sweep import sweep
from syncengine.flows.views.upcoming import upcoming
from syncengine.simulation.nets import picture
from tests.support.bench import Bench
from tests.support.people import HR, LMS, LMS_DELETES, duo

FIELDS = """
  email: {type: email}
  name: {type: string, required: true}
  job: {type: string}
  start: {type: date}
  until: {type: date}
  active: {type: boolean, formula: "(start == null || start <= today) && (until == null || until >= today)"}
"""
COLUMNS = ("id", "email", "name", "job", "start", "until")
SCOPED = LMS_DELETES.replace("create: out", 'create: out, scope: "active"')
BY_JOB = LMS.replace("create: out", "create: out, scope: \"active || job == 'boss'\"")


def dated(lms: str = SCOPED, **how: Any) -> Bench:
    """People with a first and a last day, who have an account in between."""
    return duo(
        hr={"columns": COLUMNS}, fields=FIELDS, more="people: employees\n",
        hr_system=HR.replace("job: job", "job: job, start: start, until: until"),
        lms_system=lms, **how,
    )  # fmt: skip


def day(made: Bench, days: int) -> str:
    """So many days from the bench's one."""
    return (date.fromisoformat(made.engine.today) + timedelta(days=days)).isoformat()


def enter(made: Bench, name: str, **dates: int) -> None:
    """Somebody with these dates, in days from now."""
    given = {field: day(made, days) for field, days in dates.items()}
    made.vendors["hr"].add(email=f"{name}@x.de", name=name, job="dev", **given)


def told(made: Bench, days: int = 30) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each day with who does what."""
    document = upcoming(made.engine, days)
    return [
        (d["day"], [(r["name"], r["what"]) for r in d["records"]]) for d in document["upcoming"]
    ]


def test_what_is_foreseen_is_what_happens() -> None:
    """Day by day the same accounts are made and deleted as once the days have come."""
    made = dated()
    for number in range(12):
        enter(made, f"p{number:02}", start=number % 7 - 3, until=3 + number % 5)
    made.sync()
    foreseen = {
        d.day: sorted((w.action, w.operation.record_id) for w in d.planned.writes.values())
        for d in foresee(made.engine, 10)
    }
    happened = {}
    for _ in range(10):
        made.clock.sleep(86_400.0)
        before = {o.id for o in made.operations("lms")}
        sweep(made.engine)
        made.settle()
        done = [o for o in made.operations("lms") if o.id not in before]
        if done:
            happened[made.engine.today] = sorted((str(o.action), o.record_id) for o in done)
    assert len(happened) > 4
    assert foreseen == happened


def test_who_starts_and_who_leaves_is_told_by_day() -> None:
    """With the formula that turns and what is written; days on which nothing turns are left out."""
    made = dated()
    enter(made, "Anna", start=2)
    enter(made, "Bea", until=2)
    enter(made, "Carl", start=40)
    made.sync()
    assert told(made) == [
        (day(made, 2), [("Anna", "starts")]),
        (day(made, 3), [("Bea", "leaves")]),
    ]
    first = upcoming(made.engine)["upcoming"][0]["records"][0]
    assert first["turns"] == [{"field": "active", "old": False, "new": True}]
    assert [(w["connection"], w["action"], w["held"]) for w in first["writes"]] == [
        ("lms", "create", "")
    ]


def test_what_is_only_observed_is_foreseen_as_not_sent() -> None:
    """It would still be wanted."""
    made = dated(modes={"lms": "observe"})
    enter(made, "Anna", start=2)
    made.sync()
    (only,) = upcoming(made.engine)["upcoming"]
    assert [w["held"] for w in only["records"][0]["writes"]] == ["only observed"]


def test_a_formula_that_turns_without_a_write_is_told() -> None:
    """A boss has the account either way."""
    made = dated(BY_JOB)
    made.vendors["hr"].add(email="a@x.de", name="Anna", job="boss", until=day(made, 1))
    made.sync()
    (only,) = upcoming(made.engine)["upcoming"]
    (line,) = only["records"]
    assert (line["what"], line["writes"]) == ("changes", [])
    assert line["turns"] == [{"field": "active", "old": True, "new": False}]


def test_looking_ahead_leaves_everything_as_it_was() -> None:
    """The ledger, the vendors, the queue and the clock."""
    made = dated()
    enter(made, "Anna", start=2)
    made.sync()
    before, said, now = picture(made), len(made.queue.sent), made.clock.now()
    assert told(made)
    assert (picture(made), len(made.queue.sent), made.clock.now()) == (before, said, now)


def test_without_dates_nothing_is_upcoming() -> None:
    """And no day is played."""
    made = duo()
    made.vendors["hr"].add(email="a@x.de", name="Anna", job="dev")
    made.sync()
    assert upcoming(made.engine)["upcoming"] == []


def test_a_rule_of_a_derivation_that_looks_at_the_date_is_foreseen() -> None:
    """The record that it makes is new on that day."""
    record = """
version: 1
entity: badge
fields:
  person: {type: ref, to: person, required: true}
identity: [[person]]
systems: {}
"""
    rules = """
version: 1
derive:
  - name: badges
    for: {person: "person.start != null && person.start <= today"}
    ensure: badge
    with: {person: person}
"""
    made = dated(rules=(record, rules))
    enter(made, "Anna", start=5)
    made.sync()
    (only,) = upcoming(made.engine)["upcoming"]
    assert {(r["entity"], r["what"]) for r in only["records"]} == {
        ("person", "starts"), ("badge", "made"),
    }  # fmt: skip
