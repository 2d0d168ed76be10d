"""Operations: claims, probes and what screens ask."""

from __future__ import annotations

from typing import Any

import pytest

from syncengine.ledger import Ledger
from syncengine.model.change import ON_MISSING, Change
from syncengine.model.changeset import Changeset
from syncengine.model.operation import Action, Hold, OperationState
from syncengine.model.record import Record
from tests.contract.ledger.samples import (
    NOW,
    a_link,
    an_operation,
    fill,
)


def test_operations_are_claimed_when_due(ledger: Ledger) -> None:
    """A claim takes pending ones whose time has come, earliest first, and marks them as its own."""
    fill(
        ledger,
        an_operation("o1", next_at=NOW, attempts=2),
        an_operation("o2", next_at=NOW - 1),
        an_operation("o3", next_at=NOW + 1),
        an_operation("o4", connection="haekka"),
        an_operation("o5", state=OperationState.UNKNOWN),
    )
    with ledger.write() as tx:
        assert tx.claim_operations(NOW, 20, 9, ["hakuna"], ids=["o3"]) == []
        first, second = tx.claim_operations(NOW, 20, 9, ["hakuna"])
        assert (first.id, second.id, second.attempts) == ("o2", "o1", 3)
        assert second.state is OperationState.CLAIMED
        assert second.lease_until == NOW + 20
        assert tx.operations(["o1"]) == {"o1": second}
        (other,) = tx.claim_operations(NOW, 20, 9, ["haekka"])
        assert other.token not in (None, second.token)


def test_places_of_what_is_pending(ledger: Ledger) -> None:
    """Connection and record of what is in the outbox, and of nothing else."""
    fill(
        ledger,
        an_operation("o1", "l1"),
        an_operation("o2", "l2", state=OperationState.APPLIED),
    )
    with ledger.read() as tx:
        assert tx.pending_places() == [("hakuna", "r1")]


def test_expired_claims_are_found(ledger: Ledger) -> None:
    """A claim whose lease is over is found, one that runs is not."""
    claimed: dict[str, Any] = {"state": OperationState.CLAIMED}
    fill(ledger, an_operation("o1", lease_until=NOW, **claimed))
    fill(ledger, an_operation("o2", lease_until=NOW + 1, **claimed), an_operation("o3"))
    with ledger.write() as tx:
        assert [operation.id for operation in tx.expired_claims(NOW, 9)] == ["o1"]


def test_claims_are_renewed_by_their_token(ledger: Ledger) -> None:
    """Only what is claimed still, and by this token, lasts longer."""
    mine: dict[str, Any] = {"token": "mine", "lease_until": NOW}
    fill(
        ledger,
        an_operation("o1", state=OperationState.CLAIMED, **mine),
        an_operation("o2", state=OperationState.UNKNOWN, **mine),
        an_operation("o3", state=OperationState.CLAIMED, **{**mine, "token": "other"}),
    )
    with ledger.write() as tx:
        tx.renew_claims("mine", NOW + 20)
        found = tx.operations(["o1", "o2", "o3"])
    assert {i: o.lease_until - NOW for i, o in found.items()} == {"o1": 20, "o2": 0, "o3": 0}


def test_probes_are_claimed_when_due(ledger: Ledger) -> None:
    """A probe moves on and leaves the lease of the sending as it was."""
    unknown: dict[str, Any] = {"state": OperationState.UNKNOWN, "lease_until": NOW - 9}
    fill(ledger, an_operation("o1", next_at=NOW, **unknown), an_operation("o2"))
    with ledger.write() as tx:
        assert tx.claim_probes(NOW, 20, 9, ["haekka"]) == []
        (probe,) = tx.claim_probes(NOW, 20, 9, ["hakuna"])
        assert probe == an_operation("o1", next_at=NOW + 20, **unknown)
        assert tx.operations(["o1"]) == {"o1": probe}
        assert tx.claim_probes(NOW + 19, 20, 9, ["hakuna"]) == []


def test_the_next_due_time(ledger: Ledger) -> None:
    """It is the earliest retry, probe or end of a lease of what is not settled."""
    with ledger.read() as tx:
        assert tx.next_due() is None
    fill(
        ledger,
        an_operation("o1", next_at=NOW + 9),
        an_operation("o2", next_at=1, lease_until=NOW + 5, state=OperationState.CLAIMED),
        an_operation("o3", next_at=NOW + 7, lease_until=1, state=OperationState.UNKNOWN),
        an_operation("o4", next_at=1, state=OperationState.REJECTED),
    )
    with ledger.read() as tx:
        assert tx.next_due() == NOW + 5


def test_unsettled_operations_by_link(ledger: Ledger) -> None:
    """A link has at most one, and settled ones do not count."""
    unknown = an_operation("o1", "l1", state=OperationState.UNKNOWN)
    fill(ledger, unknown, an_operation("o2", "l2", state=OperationState.STALE))
    with ledger.read() as tx:
        assert tx.unsettled(["l1", "l2"]) == {"l1": unknown}


def test_the_newest_create_of_an_external_id(ledger: Ledger) -> None:
    """Of several creates for an id the newest counts, settled or not."""
    create: dict[str, Any] = {
        "action": Action.CREATE,
        "external_id": "7",
        "state": OperationState.APPLIED,
    }
    newest = an_operation("o1", created_at=NOW, **create)
    fill(ledger, newest, an_operation("o2", created_at=NOW - 1, **create))
    fill(ledger, an_operation("o3", external_id="7", created_at=NOW + 1))
    with ledger.read() as tx:
        assert tx.creates("hakuna", "users", ["7", "8"]) == {"7": newest}


def a_hold(**given: Any) -> Hold:
    known: dict[str, Any] = {
        "entity": "person", "kind": "delete", "feeders": frozenset({"person", "team"}),
        "places": frozenset({("hakuna", "users")}), "readable": frozenset({"hakuna"}),
        "since": NOW - 60,
    }  # fmt: skip
    return Hold(**{**known, **given})


TO_DO: dict[str, list[Any]] = {
    "nothing": [],
    "a dirty link": [a_link("l1", "r1", entity="team", dirty=1)],
    "a dirty link of another entity": [a_link("l1", "r1", entity="absence", dirty=1)],
    "a dirty link that waits for its own write": [
        a_link("l1", "r1", dirty=1), an_operation("o9", "l1", state=OperationState.CLAIMED),
    ],
    "a row to be read": [a_link("l1", "r1", need_get=True)],
    "a row to be read where nothing can be": [
        a_link("l1", "r1", need_get=True, dirty=1, connection="haekka")
    ],
    "a derivation": [Record("r1", "team", {})],
}  # fmt: skip


@pytest.mark.parametrize("there", TO_DO)
def test_a_hold_keeps_a_plan_together(ledger: Ledger, there: str) -> None:
    """Operations of the kind stay while something is to be looked at that may add to them, and for no other reason;
    others go."""
    fill(ledger, *TO_DO[there])
    deletes = {"action": Action.DELETE, "created_at": NOW}
    fill(
        ledger,
        an_operation("o1", kind="delete", created_at=NOW),
        an_operation("o2", **deletes),
        an_operation("o3", created_at=NOW),
        an_operation("o4", entity="team", **deletes),
        an_operation("o5", **{**deletes, "created_at": NOW - 61}),
    )
    with ledger.write() as tx:
        tx.write(Changeset(derivations=["r1"]))
        claimed = tx.claim_operations(NOW, 20, 9, ["hakuna"], holds=[a_hold()])
    free = {"nothing", "a dirty link of another entity", "a row to be read where nothing can be"}
    free |= {"a dirty link that waits for its own write"}
    held = set() if there in free else {"o1", "o2"}
    assert {o.id for o in claimed} == {"o1", "o2", "o3", "o4", "o5"} - held


def test_a_hold_waits_for_a_listing(ledger: Ledger) -> None:
    """A listing under way may add to a plan, until it ends or its time is over."""
    fill(ledger, *[an_operation(f"o{n}", kind="delete", created_at=NOW) for n in range(2)])
    with ledger.write() as tx:
        tx.write(Changeset(listings={("haekka", "users"): NOW + 9}))
        tx.write(Changeset(listings={("hakuna", "users"): NOW + 9}))
        assert not tx.claim_operations(NOW, 20, 9, ["hakuna"], holds=[a_hold()])
        assert len(tx.claim_operations(NOW + 9, 20, 1, ["hakuna"], holds=[a_hold()])) == 1
        tx.write(Changeset(listings={("hakuna", "users"): 0.0}))
        assert len(tx.claim_operations(NOW, 20, 9, ["hakuna"], holds=[a_hold()])) == 1


def test_pending_operations_of_a_kind(ledger: Ledger) -> None:
    """What may still be called back: of one entity, connection and kind, not claimed yet."""
    fill(
        ledger,
        an_operation("o1", leave=True),
        an_operation("o2", kind="delete"),
        an_operation("o3", action=Action.DELETE, state=OperationState.CLAIMED),
        an_operation("o4"),
        an_operation("o5", kind="delete", connection="haekka"),
        an_operation("o6", kind="delete", entity="absence"),
    )
    with ledger.write() as tx:
        assert {o.id for o in tx.pending_of("person", "hakuna", "delete")} == {"o1", "o2"}


def test_creates_that_were_planned_anew(ledger: Ledger) -> None:
    """Of these links, creates that became stale, with what is known of them; nothing else."""
    create, stale = {"action": Action.CREATE}, {"state": OperationState.STALE}
    fill(
        ledger,
        an_operation("o1", "l1", detail="no answer", **create, **stale),
        an_operation("o2", "l1", **create),
        an_operation("o3", "l2", **stale),
        an_operation("o4", "l3", **create, **stale),
    )
    with ledger.read() as tx:
        found = tx.stale_creates(["l1", "l2"])
    assert [(o.id, o.link_id, o.detail) for o in found] == [("o1", "l1", "no answer")]


def test_creates_whose_row_nobody_has_told(ledger: Ledger) -> None:
    """Those of this place that took effect and have no id; nothing else."""
    create = {"action": Action.CREATE, "external_id": None}
    applied = {"state": OperationState.APPLIED}
    fill(
        ledger,
        an_operation("o1", "l1", **create, **applied),
        an_operation("o2", "l2", **create),
        an_operation("o3", "l3", **{**create, "external_id": "7"}, **applied),
        an_operation("o4", "l4", external_id=None, **applied),
        an_operation("o5", "l5", **create, **applied, resource="absences"),
    )
    with ledger.read() as tx:
        found = tx.unnamed_creates("hakuna", "users")
    assert [o.id for o in found] == ["o1"]


def test_writes_are_counted_by_what_they_do(ledger: Ledger) -> None:
    """A leaving write counts as a delete; what surely had no effect counts not at all."""
    fill(
        ledger,
        an_operation("o1", created_at=NOW),
        an_operation("o2", created_at=NOW, leave=True),
        an_operation("o3", created_at=NOW, action=Action.DELETE),
        an_operation("o4", created_at=NOW, action=Action.CREATE, state=OperationState.CANCELLED),
        an_operation("o5", created_at=NOW - 1),
        an_operation("o6", created_at=NOW, kind="delete"),
        an_operation("o7", created_at=NOW, state=OperationState.STALE),
        an_operation("o8", created_at=NOW, state=OperationState.REJECTED),
    )
    with ledger.read() as tx:
        assert tx.written_since("person", "hakuna", NOW) == {"create": 0, "update": 1, "delete": 3}


def test_records_that_a_rule_deleted_are_counted(ledger: Ledger) -> None:
    """A record that was deleted because its row was gone counts as a delete where the row was."""
    fill(ledger, Record("r1", "person", {}, deleted=True), Record("r2", "team", {}, deleted=True))

    def gone(record: str, **given: Any) -> Change:
        known: dict[str, Any] = {"connection": "hakuna", "policy": ON_MISSING, "at": NOW}
        return Change(record, 2, "", new="deleted", **{**known, **given})

    with ledger.write() as tx:
        tx.write(
            Changeset(
                history=[
                    gone("r1"),
                    gone("r1", at=NOW - 1),
                    gone("r1", connection="haekka"),
                    gone("r1", policy="missing"),
                    gone("r2"),
                ]
            )
        )
        assert tx.written_since("person", "hakuna", NOW)["delete"] == 1


def test_operations_can_be_looked_at(ledger: Ledger) -> None:
    """Screens get operations as asked, newest first, and counts."""
    fill(
        ledger,
        an_operation("o1", "l1", created_at=NOW - 1),
        an_operation("o2", "l1", created_at=NOW, state=OperationState.APPLIED),
        an_operation("o3", "l3", created_at=NOW, record_id="r3"),
    )
    with ledger.read() as tx:
        assert [o.id for o in tx.select_operations()] == ["o3", "o2", "o1"]
        assert [o.id for o in tx.select_operations(link_id="l1", limit=1)] == ["o2"]
        assert [o.id for o in tx.select_operations(["pending"], "hakuna", record_id="r1")] == ["o1"]
        assert tx.count_operations() == {
            ("hakuna", "update", "pending"): 2,
            ("hakuna", "update", "applied"): 1,
        }
