"""Sending: each write has its key, and its row is read before it is written."""

from __future__ import annotations

import pytest

from syncengine.errors import RowInvalid
from syncengine.flows.core.limits import Limits
from syncengine.model.case import CaseKind
from tests.support.bench import CHECK
from tests.support.people import LMS_SCOPED, anna, crowd, duo, lead, row

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
    assert made.link("lms").foreign_values == {"job": "boss"}
    made.clock.sleep(lms.late)
    made.sync()
    assert lms.row(theirs)["job"] == "lead"
    lost = [(c.lost, c.lost_by) for c in made.history(made.record().id) if c.lost is not None]
    assert ("boss", "lms") in lost
    assert not made.link("lms").foreign_values


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
    assert not made.link("lms").foreign_values
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
