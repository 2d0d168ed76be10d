"""What is due, a mapping that changes, and what a plan and the status say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncengine.errors import Stale
from syncengine.flows.run.sweep import sweep
from syncengine.flows.run.sync import sync
from syncengine.flows.views.plan import plan
from syncengine.flows.views.status import status
from syncengine.model.changeset import Changeset
from syncengine.model.link import LinkState
from syncengine.model.operation import OperationState
from tests.support.people import COLUMNS, FIELDS, HR, LMS, LMS_NONE, anna, duo, entity, lead, remap

TODAY = FIELDS + "  until: {type: date}\n"
DATED = "{email: email, name: name, job: job, until: until}"


def test_what_is_due_is_announced_and_nothing_else() -> None:
    """Listings whose span is over, dirty links, waiting writes: each is announced; a quiet engine announces nothing."""
    made = duo()
    assert sweep(made.engine)["capture"] == 2
    mine, _ = anna(made)
    made.queue.sent.clear()
    assert not sweep(made.engine)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    assert sweep(made.engine)["reconcile"] == 1
    made.think()
    sent = sweep(made.engine)
    assert (sent["dispatch"], sent["probe"]) == (1, 1)
    assert ("dispatch", []) in made.queue.sent
    made.settle()
    made.clock.sleep(3601)
    assert sweep(made.engine)["capture"] == 2


def test_announcements_carry_ids_only() -> None:
    """No name, no address ever reaches the queue."""
    made = duo()
    anna(made)
    said = repr(made.queue.sent).lower()
    assert "anna" not in said
    assert "dev" not in said


def test_midnight_is_an_event() -> None:
    """What reads ``today`` is looked at again each day: a leaver leaves without an event."""
    scoped = (
        '{resource: people, flow: both, create: out, scope: "until == null || until >= today", '
        f"on_leave: delete, fields: {DATED}}}"
    )
    columns = {"columns": (*COLUMNS, "until"), "types": {"until": "date"}}
    made = duo(columns, columns, HR.replace("job: job", "job: job, until: until"), scoped, TODAY)
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev", until=made.engine.today)
    made.sync()
    assert made.vendors["lms"].rows()
    made.clock.sleep(86_400)
    sweep(made.engine)
    made.settle()
    assert not made.vendors["lms"].rows()


def test_a_new_system_gets_the_records_that_are_there() -> None:
    """A system that comes into the mapping gets rows of the records that were there before."""
    made = duo(lms_system=LMS_NONE)
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    assert not made.vendors["lms"].rows()
    remap(made, entity(hr=HR, lms=LMS))
    made.sync()
    assert len(made.vendors["lms"].rows()) == 1


def test_rows_that_now_make_records_are_looked_at_again() -> None:
    """``create: none`` that becomes ``in`` takes in the rows that were left alone."""
    made = duo(
        hr_system=HR.replace("create: in", "create: none"), lms_system=LMS.replace("out", "both")
    )
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    assert not made.records()
    remap(made, entity(hr=HR, lms=LMS.replace("out", "both")))
    made.sync()
    assert made.record().values["name"] == "Anna"


def test_a_changed_identity_finds_who_is_there() -> None:
    """Identity rules that change tell the records that are there apart by the new rules, and make nobody twice."""
    made = duo(lms_system=LMS_NONE)
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.vendors["lms"].add(email=None, name="Anna", job="dev")
    made.sync()
    assert len(made.records()) == 1
    text = entity(hr=HR, lms=LMS.replace("out", "both"), identity="[[name], [email]]")
    remap(made, text)
    made.sync()
    assert len(made.records()) == 1
    assert {k.state for k in made.links()} == {LinkState.LINKED}


def test_a_field_that_is_mapped_later_is_read() -> None:
    """A new rule for a field that the listing hides gets its value, though the listing shows nothing new."""
    less = "{resource: people, flow: both, create: in, fields: {email: email, name: name}}"
    made = duo(
        hr={"unlisted": ("name", "job")}, hr_system=less, lms_system=less.replace("in,", "out,")
    )
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    remap(made, entity(hr=HR, lms=LMS))
    made.sync()
    assert [r["job"] for r in made.vendors["lms"].rows().values()] == ["dev"]


def test_a_plan_says_what_a_sync_then_does() -> None:
    """The plan names each write field by field, calls nobody, and is what the next sync sends."""
    made = duo()
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    calls = [len(v.calls) for v in made.vendors.values()]
    document = plan(made.engine)
    assert [len(v.calls) for v in made.vendors.values()] == calls
    assert {(c["connection"], c["action"]) for c in document["changes"]} == {
        ("hr", "learn"), ("lms", "update"),
    }  # fmt: skip
    (update,) = [c for c in document["changes"] if c["action"] == "update"]
    assert [(f["field"], f["old"], f["new"]) for f in update["fields"]] == [("job", "dev", "lead")]
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "lead"
    assert plan(made.engine)["changes"] == []


def test_a_plan_has_the_same_digest_until_something_moves() -> None:
    """``sync --plan DIGEST`` sends only the plan that was looked at."""
    made = duo()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    first = plan(made.engine)["digest"]
    assert plan(made.engine)["digest"] == first
    made.vendors["hr"].edit(mine, job="head")
    made.scan("hr")
    with pytest.raises(Stale):
        sync(made.engine, digest=first)
    assert len(made.written()["lms"]) == 1


def test_sensitive_values_are_dots_in_a_plan() -> None:
    """``sensitive``: a plan says that the value changes, not what it is."""
    made = duo(fields=FIELDS.replace("job: {type: string,", "job: {type: string, sensitive: true,"))
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="secret")
    made.scan("hr")
    assert "secret" not in repr(plan(made.engine))


def test_a_fresh_plan_reads_and_writes_nothing() -> None:
    """``plan --fresh``: the vendors are read, nobody is written to."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    document = plan(made.engine, fresh=True)
    assert made.written() == {}
    assert [(c["connection"], c["action"]) for c in document["changes"]] == [("lms", "create")]


def test_status_names_nobody() -> None:
    """The document of ``status`` has counts and reasons, no personal data."""
    made = duo()
    anna(made)
    document = status(made.engine)
    assert "Anna" not in repr(document)
    assert {(e["connection"], e["count"]) for e in document["links"]} == {("hr", 1), ("lms", 1)}
    assert document["connections"]["hr"]["resources"]["people"]["rows"] == 1


@pytest.mark.parametrize("fault", ["", "late"])
def test_a_system_that_leaves_the_project_leaves_no_write_behind(fault: str) -> None:
    """Writes to a system that the mapping names no more are called off, unsent and unproved ones; all comes to rest."""
    made = duo()
    lead(made)
    if fault:
        made.vendors["lms"].fault("update", fault)
        made.send()
    assert made.unsettled()
    remap(made, entity(hr=HR))
    assert made.sync()["converged"]
    assert not made.unsettled()


@pytest.mark.parametrize("looks", ["sweep", "sync"])
def test_what_a_dead_worker_was_sending_to_a_system_that_left_comes_to_an_end(looks: str) -> None:
    """Nobody can prove it any more: it is called off once the worker's time is over."""
    made = duo()
    lead(made)
    with made.engine.ledger.write() as tx:
        tx.claim_operations(made.clock.now(), 60.0, 10, ["lms"], None, [])
    remap(made, entity(hr=HR))
    sweep(made.engine)
    assert [o.state for o in made.unsettled()] == [OperationState.CLAIMED]
    made.clock.sleep(61)
    if looks == "sweep":
        sweep(made.engine)
    else:
        assert made.sync()["converged"]
    assert not made.unsettled()


def test_what_a_worker_with_the_mapping_of_before_left_unproved_is_called_off() -> None:
    """Its call ended without an answer after the others had gone over to the new mapping."""
    made = duo()
    lead(made)
    with made.engine.ledger.write() as tx:
        (sent,) = tx.claim_operations(made.clock.now(), 60.0, 10, ["lms"], None, [])
    remap(made, entity(hr=HR))
    sweep(made.engine)
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(operations=[replace(sent, state=OperationState.UNKNOWN)]))
    sweep(made.engine)
    assert not made.unsettled()
