"""Sending, losing the answer, proving by reading."""

from __future__ import annotations

from typing import Any

import pytest

from syncengine.errors import RowInvalid
from syncengine.flows.capture.refresh import refresh
from syncengine.flows.core.limits import Limits
from syncengine.flows.people.pausing import pause, resume
from syncengine.flows.send.probe import expire
from syncengine.flows.send.settle import Settle
from syncengine.model.case import CaseKind
from syncengine.model.operation import Action, OperationState
from syncengine.ports import Item
from syncengine.simulation.traits import Fault
from tests.support.bench import Bench
from tests.support.people import LMS, LMS_KEYED, LMS_SCOPED, anna, crowd, duo, lead, row

CHECK = 2
"""The write transaction of a dispatch in which what was read is compared (1: slots and claims)."""
OWNERLESS = "\n  email: {type: email}\n  name: {type: string}\n  job: {type: string}\n"


def test_a_write_that_was_not_sent_keeps_its_key() -> None:
    """Rule 4: the key is made once with the operation, and is the same at each attempt."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.vendors["lms"].fault("create", "down", "limit")
    made.sync()
    keys = [key for _, key in made.vendors["lms"].keys]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert len(made.vendors["lms"].rows()) == 1


def test_a_web_page_for_a_while_asks_nobody() -> None:
    """What stands before a vendor may refuse a write for long, while reads pass: it waits, and goes out at last."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.vendors["lms"].fault("create", *["page"] * 12)
    waits = []
    for _ in range(13):
        made.sync()
        assert not made.cases()
        (operation,) = made.operations()
        waits.append(operation.next_at - made.clock.now())
        made.clock.sleep(max(0.0, waits[-1]))
    assert len(made.vendors["lms"].rows()) == 1
    assert len({key for _, key in made.vendors["lms"].keys}) == 1
    assert max(waits) == 60


@pytest.mark.parametrize(("name", "marked"), [("Anna", True), ("Anna-Maria B", False)])
def test_a_create_without_room_for_a_marker_asks(name: str, marked: bool) -> None:
    """Where the marker would be too much for the vendor's text it is left out; a lost answer is a question then, and
    never a second row."""
    made = duo(lms={"search": (), "marker": "name", "longest_marked": 30})
    lms = made.vendors["lms"]
    lms.fault("create", "drop")
    made.vendors["hr"].add(email="anna@x.de", name=name, job="dev")
    made.scan_all()
    made.think()
    made.send()
    made.clock.sleep(60)
    made.prove()
    assert len(lms.rows()) == 1
    assert [("#" in row["name"]) for row in lms.rows().values()] == [marked]
    assert [c.kind for c in made.cases()] == ([] if marked else [CaseKind.UNKNOWN])


def test_the_same_content_again_has_another_key() -> None:
    """Rule 4: there and back and there again are three writes with three keys."""
    made = duo()
    mine, theirs = anna(made)
    for job in ("lead", "dev", "lead"):
        made.vendors["hr"].edit(mine, job=job)
        made.sync()
        assert made.vendors["lms"].row(theirs)["job"] == job
    keys = [key for verb, key in made.vendors["lms"].keys if verb == "update"]
    assert len(set(keys)) == 3
    assert all(len(key) == 32 for key in keys)


def test_a_stale_plan_s_write_is_another_operation() -> None:
    """Rule 4: what is planned anew gets a new key."""
    made = duo()
    _, theirs = lead(made)
    made.vendors["lms"].edit(theirs, name="Anne")
    made.vendors["lms"].edit(theirs, job="x")
    made.vendors["lms"].edit(theirs, job="dev", name="Anna")
    made.vendors["lms"].edit(theirs, job="boss")
    assert made.send() == {"stale": 1}
    assert not [verb for verb, _ in made.vendors["lms"].keys if verb == "update"]
    made.settle()
    assert len({o.key for o in made.operations()}) == len(made.operations())


def test_the_row_is_read_before_it_is_written() -> None:
    """Rule 7: an edit that nobody has read yet is not run over; it is found stale and merged."""
    made = duo()
    mine, theirs = lead(made)
    made.vendors["lms"].edit(theirs, job="boss")
    assert made.send() == {"stale": 1}
    assert made.vendors["lms"].row(theirs)["job"] == "boss"
    made.settle()
    assert made.vendors["hr"].row(mine)["job"] == "boss"
    assert made.vendors["lms"].row(theirs)["job"] == "boss"


def test_an_edit_of_another_field_does_not_make_a_write_stale() -> None:
    """Rule 7: only the fields that the write carries are compared; the others are merged."""
    made = duo()
    mine, theirs = lead(made)
    made.vendors["lms"].edit(theirs, name="Anne")
    assert made.send() == {"applied": 1}
    made.settle()
    assert made.vendors["lms"].row(theirs) | {"id": ""} == row(job="lead", name="Anne", id="")
    assert made.vendors["hr"].row(mine)["name"] == "Anne"


def test_what_the_read_before_the_write_shows_counts_even_if_it_is_not_the_newest() -> None:
    """Rule 7: a pre-read that a listing overtook still stops a write over what it has shown."""
    made = duo()
    mine, theirs = lead(made)
    lms, began = made.vendors["lms"], made.clock.now()
    lms.edit(theirs, job="boss")

    def overtaken() -> None:
        made.put("lms", "list", began, **{theirs: row()})

    with made.between(CHECK, overtaken):
        assert made.send() == {"stale": 1}
    made.settle()
    assert made.vendors["hr"].row(mine)["job"] == "boss"
    assert lms.row(theirs)["job"] == "boss"


def test_a_value_where_the_row_had_none_is_an_edit_too() -> None:
    """Rule 7: a field that the plan's row did not show, and that somebody filled since, is not run over."""
    made = duo(fields=OWNERLESS)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    mine = hr.add(email="anna@x.de", name="Anna")
    made.sync()
    (theirs,) = lms.rows()
    assert "job" not in lms.row(theirs)
    hr.edit(mine, job="lead")
    made.scan("hr")
    made.think()
    lms.edit(theirs, job="boss")
    assert made.send() == {"stale": 1}
    made.settle()
    assert lms.row(theirs)["job"] == "boss"
    assert made.case().kind is CaseKind.CONFLICT


def test_a_value_where_the_row_had_none_is_noted_while_our_write_is_under_way() -> None:
    """Rule 8: what fills an empty field while our late write is coming stays on record."""
    made = duo(fields=OWNERLESS)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    mine = hr.add(email="anna@x.de", name="Anna")
    made.sync()
    (theirs,) = lms.rows()
    hr.edit(mine, job="lead")
    made.scan("hr")
    made.think()
    lms.fault("update", "late")
    made.send()
    lms.edit(theirs, job="boss")
    made.scan("lms")
    made.clock.sleep(lms.late)
    made.sync()
    assert lms.row(theirs)["job"] == "lead"
    assert "boss" in [c.lost for c in made.history(made.record().id)]


def test_a_row_that_is_gone_before_the_write_is_not_written() -> None:
    """Rule 7: where the read before the write finds no row, the plan is stale."""
    made = duo()
    _, theirs = lead(made)
    made.vendors["lms"].remove(theirs)
    assert made.send() == {"stale": 1}
    made.settle()
    assert made.case().kind is CaseKind.MISSING


def test_a_row_that_does_not_fit_is_not_taken_for_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 7: a pre-read that cannot be understood proves nothing: nothing is sent, nothing is missing, and the row
    is read anew."""
    made = duo(lms_system=LMS_SCOPED)
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="left")
    made.scan("hr")
    made.think()
    lms = made.vendors["lms"]
    good = lms.get

    def unfit(*_: str) -> None:
        raise RowInvalid("the answer is a web page", {"answer": "<html>"})

    monkeypatch.setattr(lms, "get", unfit)
    assert made.send() == {"stale": 1}
    assert made.link("lms").need_get
    monkeypatch.setattr(lms, "get", good)
    assert made.link("lms").row is not None
    made.sync()
    assert not lms.rows()
    assert theirs


def test_a_foreign_value_seen_while_our_write_is_under_way_is_kept_in_the_history() -> None:
    """Rule 8: what our own late write ran over is on record, with whose it was."""
    made = duo()
    _, theirs = lead(made)
    lms = made.vendors["lms"]
    lms.fault("update", "late")
    assert made.send() == {"unknown": 1}
    lms.edit(theirs, job="boss")
    made.scan("lms")
    assert made.link("lms").noted == {"job": "boss"}
    made.clock.sleep(lms.late)
    made.sync()
    assert lms.row(theirs)["job"] == "lead"
    lost = [(c.lost, c.lost_by) for c in made.history(made.record().id) if c.lost is not None]
    assert ("boss", "lms") in lost
    assert not made.link("lms").noted


def test_a_foreign_value_in_a_read_that_arrives_after_the_settle_is_kept_too() -> None:
    """Rule 8: a read that began before the settle may show what our write ran over."""
    made = duo()
    _, theirs = lead(made)
    began = made.clock.now()
    assert made.send() == {"applied": 1}
    made.put("lms", "list", began, **{theirs: row(job="boss")})
    made.settle()
    lost = [(c.lost, c.lost_by) for c in made.history(made.record().id) if c.lost is not None]
    assert lost == [("boss", "lms")]


def test_what_our_write_did_not_run_over_is_no_loss() -> None:
    """Rule 8: a note of a value that our write left alone, or that still stands, does not enter the history."""
    made = duo()
    mine, theirs = lead(made)
    lms = made.vendors["lms"]
    lms.fault("update", "lost")
    assert made.send() == {"unknown": 1}
    lms.edit(theirs, job="boss", name="Anne")
    made.scan("lms")
    made.clock.sleep(60)
    made.settle()
    assert lms.row(theirs)["job"] == "boss"
    assert made.vendors["hr"].row(mine)["name"] == "Anne"
    assert not made.link("lms").noted
    policies = {c.policy for c in made.history(made.record().id) if c.lost is not None}
    assert "seen while our write was under way" not in policies


def test_a_write_that_could_outlive_its_lease_is_not_sent() -> None:
    """Rule 9: what waited behind a slow write until its lease ran short goes out with the next claim, same key."""
    made = duo(limits=Limits(lease=12.0, request_timeout=10.0, slice=60.0))
    lms = made.vendors["lms"]
    crowd(made, 2)
    made.scan_all()
    made.think()
    keys = {operation.key for operation in made.unsettled()}
    lms.during = lambda: made.clock.sleep(5)
    assert made.send() == {"applied": 2, "not_sent": 1}
    assert sorted(operation.attempts for operation in made.operations("lms")) == [1, 2]
    assert len(lms.rows()) == len(lms.keys) == 2
    assert {key for _, key in lms.keys} == keys
    assert not made.read(lambda tx: tx.connection("lms")).failures


def claim(made: Bench) -> None:
    """A worker claims what is due, and dies."""
    with made.engine.ledger.write() as tx:
        tx.claim_operations(made.clock.now(), made.engine.limits.lease, 10, ["hr", "lms"])


def test_a_claim_whose_lease_is_over_is_unknown_never_pending() -> None:
    """Rule 9: a dead worker may have sent it: it is proved by reading, not sent again."""
    made = duo()
    lead(made)
    claim(made)
    made.clock.sleep(made.engine.limits.lease + 1)
    assert made.send() == {}
    assert expire(made.engine) == 1
    (operation,) = made.unsettled()
    assert operation.state is OperationState.UNKNOWN
    made.sync()
    first, second = [o for o in reversed(made.operations("lms")) if o.action is Action.UPDATE]
    assert (first.id, first.state) == (operation.id, OperationState.STALE)
    assert second.key != first.key
    assert [key for verb, key in made.vendors["lms"].keys if verb == "update"] == [second.key]


def test_an_unknown_write_blocks_its_link() -> None:
    """Rule 10: nothing else is planned for a row while a write to it has no outcome."""
    made = duo()
    mine, _ = lead(made)
    made.vendors["lms"].fault("update", "late")
    made.send()
    made.vendors["hr"].edit(mine, job="head")
    made.scan("hr")
    made.think()
    assert len(made.unsettled()) == 1
    assert made.link("lms").dirty


@pytest.mark.parametrize("action", ["create", "update", "delete"])
def test_a_write_whose_answer_was_lost_is_adopted_not_repeated(action: str) -> None:
    """Rule 10: what a probe finds done is done, faces included; it is never sent again."""
    made = duo(lms_system=LMS_SCOPED)
    lms = made.vendors["lms"]
    if action == "create":
        lms.fault("create", "drop")
        made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    else:
        mine, _ = anna(made)
        lms.fault(action, "drop")
        made.vendors["hr"].edit(mine, job="lead" if action == "update" else "left")
    result = made.sync()
    assert result["converged"]
    assert result["operations"]["unknown"] == 0
    assert any("no answer came" in o.detail for o in made.operations("lms"))
    assert [verb for verb, _ in lms.keys].count(action) == 1
    made.sync()
    assert [verb for verb, _ in lms.keys].count(action) == 1


@pytest.mark.parametrize("keyed", [False, True])
def test_not_applied_is_concluded_only_after_the_horizon(keyed: bool) -> None:
    """Rule 10: before lease end, settle time and lag are over, not even a 404 says that a write did not happen."""
    made = (
        duo(lms={"chosen_id": "id", "search": ()}, lms_system=LMS_KEYED)
        if keyed
        else duo(lms={"list_lag": 7.0})
    )
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    lms.fault("create", "lost")
    made.send()
    (operation,) = made.unsettled()
    horizon = operation.lease_until + lms.spec.settle_time + (0.0 if keyed else 7.0)
    while made.clock.now() < horizon:
        made.prove()
        assert [o.state for o in made.unsettled()] == [OperationState.UNKNOWN]
        made.clock.sleep(1.0)
    made.clock.sleep(2.0)
    assert made.prove() == {"stale": 1}
    made.settle()
    first, second = [key for _, key in lms.keys]
    assert first != second
    assert len(lms.rows()) == 1


def test_a_late_commit_within_the_settle_time_is_adopted() -> None:
    """Rule 10: a create that the vendor did only later makes no second row."""
    made = duo()
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    lms.fault("create", "late")
    assert made.sync()["converged"]
    assert len(lms.rows()) == 1
    assert len(lms.keys) == 1


def test_what_nothing_can_prove_stays_unknown_and_asks() -> None:
    """Rule 10: without a chosen id, a key or a marker a lost create is a question, and is not sent again."""
    made = duo(lms={"search": ()})
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    lms.fault("create", "lost")
    made.sync()
    made.sync()
    assert made.case().kind is CaseKind.UNKNOWN
    assert len(lms.keys) == 1
    made.answer("not_applied")
    assert made.sync()["converged"]
    assert len(lms.rows()) == 1


def test_a_probe_that_cannot_compare_anything_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule 10: a row that hides what was written is no evidence that it was."""
    made = duo(lms={"columns": ("id", "email", "name")}, lms_system=LMS.replace(", job: job", ""))
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, name="Anne")
    made.scan("hr")
    made.think()
    lms = made.vendors["lms"]
    lms.fault("update", "lost")
    made.send()
    good = lms.get

    def hides(resource: str, name: str) -> Item | None:
        item = good(resource, name)
        return item and Item(name, {k: v for k, v in item.row.items() if k != "name"})

    monkeypatch.setattr(lms, "get", hides)
    made.clock.sleep(60)
    assert made.prove() == {"stale": 1}
    monkeypatch.setattr(lms, "get", good)
    made.sync()
    assert lms.row(theirs)["name"] == "Anne"


def test_an_answer_that_comes_after_the_lease_is_still_heeded() -> None:
    """A worker that stalls between the vendor's answer and its settling settles what it knows."""
    made = duo()
    _, theirs = lead(made)

    def stalled() -> None:
        made.clock.sleep(60)
        expire(made.engine)

    with made.between(CHECK + 1, stalled):
        assert made.send() == {"applied": 1}
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "lead"
    assert len([verb for verb, _ in made.vendors["lms"].keys if verb == "update"]) == 1


def test_a_refused_write_is_a_case_and_is_not_repeated() -> None:
    """A body that the vendor refused is not sent again before it or the answer changes."""
    made = duo()
    mine, theirs = lead(made)
    lms = made.vendors["lms"]
    lms.fault("update", "refuse")
    made.sync()
    made.sync()
    assert made.case().kind is CaseKind.REJECTED
    assert [verb for verb, _ in lms.keys].count("update") == 1
    made.vendors["hr"].edit(mine, job="head")
    made.sync()
    assert lms.row(theirs)["job"] == "head"
    assert not made.cases()


def test_a_vendor_that_is_down_is_not_asked_more_and_more_for_one_outage() -> None:
    """Calls that fail together count as one failure of the vendor."""
    made = duo()
    crowd(made, 6)
    made.scan_all()
    made.think()
    down: list[Fault] = ["down"] * 6
    made.vendors["lms"].fault("find", *down)
    made.vendors["lms"].fault("health", "down")
    made.send()
    state = made.read(lambda tx: tx.connection("lms"))
    assert state.failures == 1
    assert state.blocked_until <= made.clock.now() + made.engine.limits.backoff
    assert made.sync()["converged"]


def test_a_paused_connection_is_read_and_not_written() -> None:
    """A pause stops writes at once; resuming sends what waits."""
    made = duo()
    mine, theirs = anna(made)
    pause(made.engine, "lms", "look first")
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    assert len(made.written()["lms"]) == 1
    made.vendors["lms"].edit(theirs, name="Anne")
    made.sync()
    resume(made.engine, "lms")
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "lead"
    assert made.vendors["hr"].row(mine)["name"] == "Anne"


@pytest.mark.parametrize("lag", [0.0, 2.0])
def test_what_changes_where_a_write_waits_is_learned_meanwhile(lag: float) -> None:
    """Rule 22: a write that nobody has begun to send keeps nobody from reading its row and deciding on it."""
    made = duo(lms={"list_lag": lag})
    mine, theirs = anna(made)
    pause(made.engine, "lms", "look first")
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    made.vendors["lms"].edit(theirs, name="Anne")
    made.clock.sleep(5)
    made.sync()
    assert made.vendors["hr"].row(mine)["name"] == "Anne"
    assert [dict(o.body) for o in made.unsettled()] == [{"job": "lead"}]


def test_a_write_that_waits_is_planned_anew_with_its_link() -> None:
    """Rule 22: it stays the operation that it was while it writes the same, and is another one once it does not."""
    made = duo()
    mine, theirs = anna(made)
    pause(made.engine, "lms", "look first")
    for job, key in (("lead", "first"), ("lead", "first"), ("head", "second")):
        made.vendors["hr"].edit(mine, job=job)
        made.vendors["lms"].edit(theirs, email=f"{key}@x.de")
        made.sync()
    first, second = sorted(made.operations("lms"), key=lambda o: o.created_at)[-2:]
    assert (first.state, dict(first.body)) == (OperationState.CANCELLED, {"job": "lead"})
    assert (second.state, dict(second.body)) == (OperationState.PENDING, {"job": "head"})


def test_a_pause_in_the_middle_of_a_round_stops_what_is_not_sent_yet() -> None:
    """A pause stops a connection's writes at once: only requests that are under way end, the rest goes back unsent
    and goes out after resuming."""
    made = duo()
    crowd(made, 40)
    made.scan_all()
    made.think()
    engine, lms = made.engine, made.vendors["lms"]
    with made.between(CHECK + 1, lambda: pause(engine, "lms", "payroll runs")):
        made.send()
    # One call at a time: the second write was under way when the first was settled.
    assert len(lms.wrote()) <= 2
    reads = len(lms.calls)
    made.send()
    assert len(lms.calls) == reads
    assert {o.state for o in made.unsettled()} == {OperationState.PENDING}
    resume(engine, "lms")
    made.settle()
    assert len(lms.rows()) == len(lms.wrote()) == 40


def test_a_pause_during_the_reads_before_the_writes_stops_them_all() -> None:
    """A pause between the read before a write and the write lets none out."""
    made = duo()
    lead(made)
    engine, lms = made.engine, made.vendors["lms"]
    with made.between(CHECK, lambda: pause(engine, "lms", "payroll runs")):
        made.send()
    assert [verb for verb, _ in lms.wrote()] == ["create"]
    assert [o.state for o in made.unsettled()] == [OperationState.PENDING]


def test_an_observed_connection_is_never_written() -> None:
    """``mode: observe``: everything up to the plan, and no write."""
    made = duo(modes={"lms": "observe"})
    mine = made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    theirs = made.vendors["lms"].add(email="ben@x.de", name="Ben", job="dev")
    made.sync()
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    assert not made.written()
    assert list(made.vendors["lms"].rows()) == [theirs]
    assert not made.unsettled()


def test_refused_credentials_halt_a_connection() -> None:
    """A vendor that refuses the credentials is left alone until a person has acted."""
    made = duo()
    anna(made)
    made.vendors["hr"].fault("scan", "locked_out")
    made.sync()
    assert made.read(lambda tx: tx.connection("hr")).halted
    calls = len(made.vendors["hr"].calls)
    made.scan("hr")
    assert len(made.vendors["hr"].calls) == calls
    resume(made.engine, "hr")
    assert made.sync()["converged"]


def test_a_refresh_that_fails_is_tried_again() -> None:
    """A single read that failed while the vendor is down leaves the row's need for one, and is no fault of it."""
    made = duo(hr={"unlisted": ("job",)})
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan("hr")
    made.vendors["hr"].fault("get", "fail")
    made.vendors["hr"].fault("health", "fail")
    assert refresh(made.engine) == 0
    assert (made.link("hr").need_get, made.link("hr").failures) == (True, 0)
    made.sync()
    assert made.record().values["job"] == "dev"


def unsent(*_: Any) -> None:
    raise AssertionError("nothing may be sent")


def test_a_create_of_a_record_that_was_deleted_meanwhile_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A create whose record is gone is cancelled right before the send."""
    made = duo(hr_system=LMS.replace("create: out", "create: in, on_missing: delete"))
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    assert len(made.unsettled()) == 1
    hr.remove(mine)
    made.scan("hr")
    made.think()
    monkeypatch.setattr(made.vendors["lms"], "create", unsent)
    made.sync()
    assert [o.state for o in made.operations()] == [OperationState.CANCELLED]


def test_no_question_about_a_write_that_was_proved_meanwhile() -> None:
    """A worker that comes late to ask about a write leaves alone what another has settled."""
    made = duo()
    lead(made)
    made.vendors["lms"].fault("update", "late")
    made.send()
    (doubted,) = made.unsettled()
    assert made.sync()["converged"]
    Settle(made.engine).ask([doubted])
    assert not made.unsettled()
    assert not made.cases()
