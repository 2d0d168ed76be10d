"""The plan of one link."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.model.case import CaseKind
from syncengine.model.condition import condition
from syncengine.model.link import Base, LinkState, Wait
from syncengine.model.operation import Action
from syncengine.planning.approvals import body_digest
from syncengine.planning.plan import decide
from tests.support.people import FIELDS, LMS, MAPPED
from tests.unit.planning.parts import (
    DELETES,
    FRESH,
    LEAVES,
    LEFT,
    ROW,
    SCOPED,
    a_link,
    a_record,
    missing,
    plan,
    plan_input,
)

CHOSEN = (("chosen_id", "id"), ("search", ()))


def test_an_agreement_is_an_empty_plan() -> None:
    """The echo of our own write plans nothing."""
    made = plan({"dirty": 3})
    assert (made.record, made.operation, made.cases, made.changes) == (None, None, (), ())
    assert made.link == a_link(dirty=0)


def test_our_change_is_one_write_of_what_changed() -> None:
    """Only what differs is sent, with what the vendor's row is expected to hold; base values wait for the outcome."""
    made = plan(record={"values": {"job": "lead"}})
    operation = made.operation
    assert operation is not None
    assert (operation.action, operation.body) == (Action.UPDATE, {"job": "lead"})
    assert (operation.carried, operation.expected) == ({"job": "lead"}, {"job": "dev"})
    assert made.link.base == a_link().base
    assert list(operation.causes) == ["job"]


def test_their_change_becomes_ours_with_its_stamp() -> None:
    """A vendor's change is learned with the order in which it was first seen, and both base values move."""
    made = plan({"row": {**ROW, "job": "lead"}, "stamps": {"job": 7}})
    assert made.record is not None
    assert (made.record.values["job"], made.record.stamps, made.record.generation) == (
        "lead",
        {"job": 7},
        2,
    )
    assert made.operation is None
    assert made.link.base.vendor["job"] == made.link.base.canonical["job"] == "lead"
    (change,) = made.changes
    assert (change.field, change.old, change.new, change.policy) == (
        "job",
        "dev",
        "lead",
        "only change",
    )


def test_a_row_that_says_nothing_of_a_field_says_nothing() -> None:
    """A key absent from a row is no value: nothing is learned, and only what we owe is written."""
    row = {"email": "anna@x.de", "name": "Anna"}
    assert plan({"row": row}).operation is None
    made = plan({"row": row}, {"values": {"job": "lead"}})
    assert made.operation is not None
    assert made.operation.body == {"job": "lead"}
    assert made.operation.expected == {}


@given(
    st.sampled_from(["dev", "lead", None]), st.sampled_from(["dev", "boss", None]),
    st.sampled_from(["dev", "old", None]), st.booleans(),
)  # fmt: skip
def test_a_second_look_plans_the_same_again(ours: Any, theirs: Any, face: Any, faces: bool) -> None:
    """Planning is idempotent: what a plan leaves behind plans the same write, and learns nothing more."""
    base = Base({**ROW, "job": face}, {**ROW, "job": face}) if faces else Base()
    first = plan_input(
        a_link(row={**ROW, "job": theirs}, base=base), a_record(values={"job": ours}),
    )  # fmt: skip
    one = decide(first)
    two = decide(replace(first, link=one.link, record=one.record or first.record))
    assert two.record is None
    assert (two.operation and two.operation.body) == (one.operation and one.operation.body)
    assert two.link.base == one.link.base


# creating


def test_a_create_carries_what_the_rules_write() -> None:
    """A new row gets every value that the mapping writes, and constants where no rule gives one."""
    system = LMS.replace("flow: both", "flow: both, set: {create: {job: trainee}}")
    made = plan(FRESH, {"values": {"job": None}}, lms_system=system)
    assert made.operation is not None
    assert made.operation.action is Action.CREATE
    assert made.operation.body == {"email": "anna@x.de", "name": "Anna", "job": "trainee"}
    assert made.operation.carried == {"email": "anna@x.de", "name": "Anna"}


def test_a_create_waits_until_all_rows_are_known() -> None:
    """Nothing is made at a place that is not fully told who is who."""
    made = plan(FRESH, ready=False)
    assert made.operation is None
    assert made.link.wait is not None
    assert made.link.wait.key == "scan:lms/people"


def test_a_create_waits_for_its_chosen_id() -> None:
    """``key``: once chosen it is the id, and an empty one waits."""
    system = LMS.replace("create: out", "create: out, key: job")
    made = plan(FRESH, lms_system=system, abilities=CHOSEN)
    assert made.operation is not None
    assert (made.operation.external_id, made.operation.body["id"]) == ("dev", "dev")
    empty = plan(FRESH, {"values": {"job": None}}, lms_system=system, abilities=CHOSEN)
    assert empty.operation is None
    assert empty.link.wait == Wait(None, "the id for lms")


@pytest.mark.parametrize(
    ("record", "state"), [({"deleted": True}, LinkState.GONE), (LEFT, LinkState.CREATING)]
)
def test_nothing_is_made_out_of_scope(record: Any, state: LinkState) -> None:
    """A record that is deleted or out of scope makes no row."""
    made = plan(FRESH, record, lms_system=SCOPED)
    assert (made.operation, made.link.state) == (None, state)


def test_a_refused_body_is_not_sent_again() -> None:
    """What a vendor refused waits for an answer; another body goes out."""
    first = plan(record={"values": {"job": "lead"}}).operation
    assert first is not None
    refused = plan(record={"values": {"job": "lead"}}, refused=body_digest(first))
    assert refused.operation is None
    assert refused.link.wait is not None
    assert plan(record={"values": {"job": "head"}}, refused=body_digest(first)).operation


def test_a_waiting_link_tries_again_when_it_is_woken() -> None:
    """``creating <-> waiting``: a waiting link is made once nobody holds its row, and rests while somebody does."""
    waits = {
        **FRESH,
        "state": LinkState.WAITING,
        "wait": Wait(condition("free:lms/people/x"), "a row"),
    }
    made = plan(waits)
    assert (made.link.state, made.operation is not None) == (LinkState.CREATING, True)
    rests = plan(waits, holder=a_link(id="k2", external_id="x", record_id="r2"))
    assert (rests.link.state, rests.operation, rests.requeue) == (LinkState.WAITING, None, False)
    assert rests.link.wait is not None
    assert rests.link.wait.key == "free:lms/people/x"


@pytest.mark.parametrize("state", [LinkState.UNLINKED, LinkState.SEEN])
def test_who_stays_alone_is_left_alone(state: LinkState) -> None:
    """What a person unlinked plans nothing."""
    made = plan({"state": state, "row": {**ROW, "job": "x"}})
    assert (made.operation, made.record, made.link.state) == (None, None, state)


# leaving


@pytest.mark.parametrize("record", [LEFT, {"deleted": True}])
def test_leaving_writes_what_the_mapping_says_once(record: Any) -> None:
    """Out of scope: ``set.leave`` is written where it differs, and only on leaving."""
    made = plan(record=record, lms_system=LEAVES)
    assert made.operation is not None
    assert (made.operation.body, made.operation.leave) == ({"name": "gone"}, True)
    row = {**ROW, "name": "gone"}
    there = plan({"row": row, "base": Base(ROW, row)}, record, lms_system=LEAVES)
    assert (there.operation, there.link.state) == (None, LinkState.LEFT)
    left = plan({"state": LinkState.LEFT}, record, lms_system=LEAVES)
    assert (left.operation, left.link.state) == (None, LinkState.LEFT)


def test_who_has_left_is_still_read_and_never_written() -> None:
    """Reading goes on out of scope; nothing but leaving is written."""
    row = {**ROW, "name": "Anne"}
    made = plan({"state": LinkState.LEFT, "row": row}, LEFT, lms_system=SCOPED)
    assert made.operation is None
    assert made.record is not None
    assert made.record.values["name"] == "Anne"


def test_back_in_scope_is_linked_again() -> None:
    """``left -> linked``: what changed meanwhile is written."""
    made = plan({"state": LinkState.LEFT}, {"values": {"name": "Anne"}}, lms_system=LEAVES)
    assert made.link.state is LinkState.LINKED
    assert made.operation is not None
    assert made.operation.body == {"name": "Anne"}


@pytest.mark.parametrize("record", [LEFT, {"deleted": True}])
def test_a_delete_expects_the_whole_row(record: Any) -> None:
    """``on_leave: delete``: the row as the plan saw it, all mapped fields of it."""
    made = plan(record=record, lms_system=DELETES)
    assert made.operation is not None
    assert (made.operation.action, made.operation.expected) == (Action.DELETE, ROW)


def test_a_delete_against_an_unseen_change_asks() -> None:
    """Rule 14: a vendor's value that is not its base value is a change that nobody has seen."""
    made = plan({"row": {**ROW, "name": "Anne"}}, LEFT, lms_system=DELETES)
    assert made.operation is None
    (case,) = made.cases
    assert (case.kind, set(case.answers)) == (CaseKind.CONFLICT, {"delete", "keep"})
    assert case.evidence["fields"] == {"name": {"record": "Anna", "lms": "Anne"}}
    assert "changed there" in case.question
    (strange,) = plan({"base": Base()}, LEFT, lms_system=DELETES).cases
    assert "somebody else made its row" in strange.question


# gone


@pytest.mark.parametrize(
    ("policy", "state", "deleted"),
    [
        ("keep", LinkState.GONE, False),
        ("flag", LinkState.MISSING, False),
        ("delete", LinkState.GONE, True),
        ("recreate", LinkState.CREATING, False),
    ],
)
def test_a_row_that_is_gone_follows_its_policy(
    policy: str, state: LinkState, deleted: bool
) -> None:
    """``on_missing``: keep, flag, delete, recreate."""
    made = plan({"row": None}, lms_system=missing(policy))
    assert made.link.state is state
    assert (made.record is not None and made.record.deleted) is deleted
    assert bool(made.cases) is (policy == "flag")
    if policy == "recreate":
        assert (made.link.external_id, made.link.base, made.requeue) == (None, Base(), True)


def test_a_record_that_others_own_is_not_deleted() -> None:
    """``on_missing: delete`` asks where another system that has the row owns a field."""
    fields = FIELDS.replace("name: {type: string}", "name: {type: string, owner: hr}")
    other = a_link(id="k2", connection="hr")
    about = {"lms_system": missing("delete"), "fields": fields}
    made = plan({"row": None}, siblings=[other], **about)
    assert made.record is None
    assert made.link.state is LinkState.MISSING
    gone = replace(other, state=LinkState.GONE)
    asked = plan({"row": None, "state": LinkState.MISSING}, siblings=[gone], **about)
    assert (asked.record, asked.link.state) == (None, LinkState.MISSING)
    alone = plan({"row": None}, siblings=[gone], **about)
    assert alone.record is not None


def test_a_record_with_an_unsent_change_is_not_deleted() -> None:
    """``on_missing: delete`` asks where a change of ours never reached the row."""
    made = plan({"row": None}, {"values": {"job": "lead"}}, lms_system=missing("delete"))
    assert made.record is None
    assert made.cases[0].kind is CaseKind.MISSING


@pytest.mark.parametrize("policy", ["keep", "flag", "delete", "recreate"])
def test_a_deleted_record_s_row_may_go(policy: str) -> None:
    """A row that is gone after its record asks nobody and makes nothing."""
    made = plan({"row": None}, {"deleted": True}, lms_system=missing(policy))
    assert (made.link.state, made.cases, made.record) == (LinkState.GONE, (), None)


def test_a_tombstone_whose_row_returns_is_linked_or_free() -> None:
    """A row that turns up again belongs to its record; if that is gone or has another row, to nobody yet."""
    back = {"state": LinkState.GONE}
    assert plan(back).link.state is LinkState.LINKED
    freed = plan(back, {"deleted": True}).link
    assert (freed.state, freed.record_id, freed.base) == (LinkState.SEEN, None, Base())
    taken = plan(back, siblings=[a_link(id="k2", external_id="x2")]).link
    assert (taken.state, taken.record_id) == (LinkState.SEEN, None)


def test_our_own_deletion_is_undone_in_scope_and_others_are_not() -> None:
    """A tombstone without base values is our own delete; one with base values was somebody's wish and stays."""
    ours = plan({"state": LinkState.GONE, "row": None, "base": Base()}, lms_system=DELETES)
    assert (ours.link.state, ours.link.external_id, ours.requeue) == (
        LinkState.CREATING,
        None,
        True,
    )
    out = plan({"state": LinkState.GONE, "row": None, "base": Base()}, LEFT, lms_system=DELETES)
    assert out.link.state is LinkState.GONE
    theirs = plan({"state": LinkState.GONE, "row": None}, lms_system=DELETES)
    assert theirs.link.state is LinkState.GONE


# questions


def test_one_case_for_all_fields_of_a_first_link() -> None:
    """First link without a rule who wins: one case with all that differ, nothing moves."""
    fields = "\n  email: {type: email}\n  name: {type: string}\n  job: {type: string}\n"
    made = plan({"base": Base(), "row": {**ROW, "name": "X", "job": "y"}}, fields=fields)
    (case,) = made.cases
    assert list(case.evidence["fields"]) == ["name", "job"]
    assert (made.operation, made.record) == (None, None)
    assert set(made.link.base.vendor) == {"email"}


def test_a_question_whose_reason_is_gone_dissolves() -> None:
    """A plan without conflict closes the question that an earlier one asked."""
    assert "conflict:k1" in plan().dissolves


def test_an_unfit_value_does_not_hold_the_others_back() -> None:
    """A value that cannot be read is a case; the other fields of the row go on."""
    made = plan({"row": {"email": "nothing", "name": "Anne", "job": "dev"}})
    assert [case.kind for case in made.cases] == [CaseKind.QUARANTINED]
    assert made.record is not None
    assert made.record.values["name"] == "Anne"


def test_a_match_only_system_never_moves_a_value() -> None:
    """``flow: match``: only to know who is who."""
    system = f"{{resource: people, flow: match, fields: {MAPPED}}}"
    made = plan({"row": {**ROW, "name": "X"}}, {"values": {"job": "y"}}, lms_system=system)
    assert (made.record, made.operation, made.cases) == (None, None, ())
