"""Who is who."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.mapping import Context
from syncengine.model.key import KeyKind
from syncengine.model.link import Base, Doubt, Link, LinkState
from syncengine.model.operation import Action, Operation, OperationState
from syncengine.planning.identity import (
    Correlation,
    Hits,
    RowKeys,
    correlate,
    lacking,
    record_keys,
    row_keys,
    with_defaults,
)
from tests.support.people import FIELDS, LMS, LMS_BOTH, LMS_KEYED
from tests.unit.planning.parts import ROW, TODAY, a_link, a_record, an_operation, person

SCOPE = "person:0"
KEYS = RowKeys({SCOPE: ("anna@x.de",)})


def stranger(**given: Any) -> Link:
    return a_link(
        **{"record_id": None, "state": LinkState.SEEN, "base": Base(), "dirty": 1, **given}
    )


def rival(state: LinkState, record: str = "r1") -> Link:
    return a_link(id="k9", external_id=None, record_id=record, state=state, row=None)


def told(
    hits: Hits, keys: RowKeys = KEYS, link: Link | None = None, system: str = LMS_BOTH, **about: Any
) -> Correlation:
    entity = person(lms_system=system, **about)
    row = link or stranger()
    context = Context("lms", TODAY, row=row.row or {})
    return correlate(entity, entity.systems["lms"], row, keys, hits, context)


def test_exactly_one_hit_links() -> None:
    """One record that bears the key, and no other row that shows it: the row is that record's."""
    made = told(Hits(records={SCOPE: ["r1"]}))
    assert (made.link.record_id, made.link.state, made.link.dirty) == ("r1", LinkState.LINKED, 1)
    assert made.ask is None


@pytest.mark.parametrize(
    "hits",
    [
        Hits(records={SCOPE: ["r1", "r2"]}),
        Hits(records={SCOPE: ["r1"]}, rows={SCOPE: ["k2"]}),
        Hits(rows={SCOPE: ["k2"]}),
        *(
            Hits(records={SCOPE: ["r1"]}, links={"r1": [rival(state)]})
            for state in (LinkState.LINKED, LinkState.LEFT, LinkState.UNLINKED)
        ),
    ],
)
def test_anything_unsure_asks_and_ties_nothing(hits: Hits) -> None:
    """Several records, a shared key, or a place that is taken is a question."""
    made = told(hits)
    assert made.ask is not None
    assert (made.link.record_id, made.link.state, made.record) == (None, LinkState.SEEN, None)
    assert made.link.dirty == 0


def test_the_first_rule_that_fits_decides() -> None:
    """Identity rules are tried in order; a later one does not overrule an earlier one."""
    keys = RowKeys({SCOPE: ("anna@x.de",), "person:1": ("Anna",)})
    made = told(Hits(records={SCOPE: ["r1"], "person:1": ["r2"]}), keys)
    assert made.link.record_id == "r1"


def test_no_hit_makes_a_record_only_where_the_system_creates() -> None:
    """``create: in`` or ``both`` makes a record of an unmatched row; otherwise it stays alone, which is no case."""
    made = told(Hits())
    assert made.record is not None
    assert made.record.values == ROW
    quiet = told(Hits(), system=LMS)
    assert (quiet.record, quiet.ask, quiet.link.state) == (None, None, LinkState.SEEN)


@pytest.mark.parametrize("state", [LinkState.CREATING, LinkState.WAITING, LinkState.MISSING])
def test_a_link_that_stands_for_no_row_gives_its_place_up(state: LinkState) -> None:
    """Rule 12: the row takes the place of a link whose row was not made yet, waits, or is gone."""
    made = told(Hits(records={SCOPE: ["r1"]}, links={"r1": [rival(state)]}))
    assert (made.absorbed, made.link.record_id) == (("k9",), "r1")


def test_a_link_whose_row_is_gone_is_waited_for() -> None:
    """A place that is about to be let go is no reason to ask; one whose row is only not read yet is."""
    gone = replace(rival(LinkState.LINKED), external_id="7", dirty=1)
    made = told(Hits(records={SCOPE: ["r1"]}, links={"r1": [gone]}))
    assert (made.ask, made.link.record_id) == (None, None)
    assert made.link.wait is not None
    assert made.link.wait.key == "free:lms/people/7"
    unread = replace(gone, need_get=True)
    assert told(Hits(records={SCOPE: ["r1"]}, links={"r1": [unread]})).ask is not None


def test_a_pending_create_is_cancelled() -> None:
    """Rule 12: what was not sent yet is not needed any more."""
    pending = an_operation(id="o9", link_id="k9", action=Action.CREATE)
    hits = Hits({SCOPE: ["r1"]}, {}, {"r1": [rival(LinkState.CREATING)]}, {"k9": pending})
    made = told(hits)
    assert [(o.id, o.state) for o in made.cancelled] == [("o9", OperationState.CANCELLED)]
    assert made.absorbed == ("k9",)


@pytest.mark.parametrize("state", [OperationState.CLAIMED, OperationState.UNKNOWN])
@pytest.mark.parametrize("by", ["link", "row"])
def test_a_row_that_may_be_our_own_create_s_waits(state: OperationState, by: str) -> None:
    """Rule 12: while a create of its key or id has no outcome, a row is tied to nobody."""
    create = an_operation(id="o9", link_id="k9", action=Action.CREATE, state=state)
    hits = (
        Hits({SCOPE: ["r1"]}, {}, {"r1": [rival(LinkState.CREATING)]}, {"k9": create})
        if by == "link"
        else Hits(made=create)
    )
    made = told(hits)
    assert made.link.wait is not None
    assert made.link.wait.key == "op:o9"
    assert (made.link.record_id, made.record, made.absorbed) == (None, None, ())


def test_an_adopted_row_inherits_the_faces_of_our_own_create() -> None:
    """Rule 13: what we once wrote into the row is its base value, only expected, whichever record it was for."""
    create = Operation(
        "o9", "k8", "r8", "person", "lms", "people", Action.CREATE,
        body={"email": "anna@x.de", "name": "Anna"},
        carried={"email": "anna@x.de", "name": "Anna", "job": "dev"}, state=OperationState.APPLIED,
    )  # fmt: skip
    made = told(Hits(records={SCOPE: ["r1"]}, made=create))
    written = {"email": "anna@x.de", "name": "Anna"}
    doubts = {name: Doubt(None, claimed=False) for name in written}
    assert made.link.base == Base(written, written, frozenset(written), doubts=doubts)


def test_an_unresolved_key_waits() -> None:
    """A key that needs a row which is not linked yet waits for it, where no other rule has decided."""
    ref = "\n  boss: {type: ref, to: person}\n  email: {type: email}\n"
    system = "{resource: people, flow: both, create: both, fields: {email: email, boss: job}}"
    about = {"fields": ref, "lms_system": system, "hr_system": system, "identity": "[[boss]]"}
    entity = person(**about)
    link = stranger(row={"email": None, "job": "x7"})
    keys = row_keys(entity, entity.systems["lms"], link, Context("lms", TODAY, row=link.row or {}))
    assert keys.parts == {}
    assert keys.wait is not None
    assert keys.wait.key == "ref:lms/people/x7"


@given(st.sampled_from(["", None, "no address", "ANNA@x.de "]))
def test_only_whole_keys_count(email: str | None) -> None:
    """An empty or unfit field makes no key; another spelling of the same is the same key."""
    entity = person(lms_system=LMS_BOTH)
    link = stranger(row={**ROW, "email": email})
    context = Context("lms", TODAY, row=link.row or {})
    keys = row_keys(entity, entity.systems["lms"], link, context)
    assert keys.parts == ({SCOPE: ("anna@x.de",)} if email and "@" in email else {})


def test_a_chosen_id_is_the_first_key() -> None:
    """``key``: the external id that we choose tells who a row is before anything else does."""
    entity = person(lms_system=LMS_KEYED, abilities=(("chosen_id", "id"), ("search", ())))
    link = stranger(external_id="anna@x.de")
    keys = row_keys(entity, entity.systems["lms"], link, Context("lms", TODAY, row=ROW))
    assert list(keys.parts) == ["person:key:lms", SCOPE]
    borne = record_keys(entity, a_record(), TODAY)
    assert {k.scope for k in borne} == {"person:key:lms", SCOPE}
    assert {k.kind for k in borne} == {KeyKind.RECORD}


def test_a_deleted_record_bears_no_key() -> None:
    """Whoever comes back is somebody new."""
    assert record_keys(person(), a_record(deleted=True), TODAY) == []


def test_a_new_record_needs_its_required_fields() -> None:
    """A row without a required value waits; a default stands in where no system gave a value."""
    fields = FIELDS.replace("job: {type: string,", "job: {type: string, required: true,")
    made = told(Hits(), link=stranger(row={"email": "anna@x.de", "job": None}), fields=fields)
    assert made.record is None
    assert made.link.wait is not None
    assert made.link.wait.what == "job in lms"
    given_one = person(fields=fields.replace("required: true", "required: true, default: dev"))
    assert lacking(given_one, with_defaults(given_one, {})) == []
    assert with_defaults(given_one, {"job": "lead"})["job"] == "lead"
