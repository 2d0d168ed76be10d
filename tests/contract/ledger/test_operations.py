"""Operations: claims, probes and what screens ask."""

from __future__ import annotations

from typing import Any

from syncengine.model.operation import Action, OperationState
from syncengine.ports import Ledger
from tests.contract.ledger.samples import (
    NOW,
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


def test_expired_claims_are_found(ledger: Ledger) -> None:
    """A claim whose lease is over is found, one that runs is not."""
    claimed: dict[str, Any] = {"state": OperationState.CLAIMED}
    fill(ledger, an_operation("o1", lease_until=NOW, **claimed))
    fill(ledger, an_operation("o2", lease_until=NOW + 1, **claimed), an_operation("o3"))
    with ledger.write() as tx:
        assert [operation.id for operation in tx.expired_claims(NOW, 9)] == ["o1"]


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


def test_writes_are_counted_by_what_they_do(ledger: Ledger) -> None:
    """A leaving write counts as a delete, a cancelled one not at all."""
    fill(
        ledger,
        an_operation("o1", created_at=NOW),
        an_operation("o2", created_at=NOW, leave=True),
        an_operation("o3", created_at=NOW, action=Action.DELETE),
        an_operation("o4", created_at=NOW, action=Action.CREATE, state=OperationState.CANCELLED),
        an_operation("o5", created_at=NOW - 1),
    )
    with ledger.read() as tx:
        assert tx.written_since("person", "hakuna", NOW) == {"create": 0, "update": 1, "delete": 2}


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
