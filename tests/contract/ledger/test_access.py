"""Members, their secrets, the audit and stored plans."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncengine.errors import LostRace
from syncengine.ledger import Ledger
from syncengine.model.member import AuditEntry, Grant, GrantKind, Member
from syncengine.model.stored_plan import PlanPart

KIM = Member("m1", "kim", ("viewer", "answerer"), "a hash", created_at=5.0)


def _grant(number: int, kind: GrantKind = GrantKind.SESSION, expires_at: float = 100.0) -> Grant:
    return Grant(f"g{number}", kind, "m1", f"hash{number}", 1.0, expires_at, 1.0, 1.0)


def test_a_member_is_stored_and_found_by_name(ledger: Ledger) -> None:
    """With the roles in their order, and the hash of the password."""
    with ledger.write() as tx:
        tx.add_member(KIM)
        tx.save_member(replace(KIM, locked=True, failures=3))
    with ledger.read() as tx:
        assert tx.members(names=["kim"]) == [replace(KIM, locked=True, failures=3)]
        assert tx.members(names=["ada"]) == []


def test_two_members_never_have_one_name(ledger: Ledger) -> None:
    """Whoever comes second loses the race."""
    with ledger.write() as tx:
        tx.add_member(KIM)
    with pytest.raises(LostRace), ledger.write() as tx:
        tx.add_member(replace(KIM, id="m2"))


def test_a_secret_opens_as_what_it_was_given_for(ledger: Ledger) -> None:
    """A link is no session, and what is dropped opens nothing."""
    with ledger.write() as tx:
        for number, kind in ((1, GrantKind.SESSION), (2, GrantKind.LINK)):
            tx.add_grant(_grant(number, kind))
    with ledger.read() as tx:
        assert tx.grants("hash1", GrantKind.SESSION) == [_grant(1)]
        assert tx.grants("hash2", GrantKind.SESSION) == []
    with ledger.write() as tx:
        assert tx.drop_grants() == 0
        assert tx.drop_grants(member_id="m1", kind=GrantKind.LINK) == 1
        assert tx.drop_grants(expired_at=99.0) == 0
        assert tx.drop_grants(expired_at=100.0) == 1


def test_the_audit_is_read_from_its_end(ledger: Ledger) -> None:
    """A page at a time, by its ids, and one author's lines alone."""
    with ledger.write() as tx:
        tx.add_audit([AuditEntry("kim", "console", f"do {n}", at=float(n)) for n in range(5)])
        tx.add_audit([AuditEntry("ada", "command", "do it", detail={"roles": ["viewer"]})])
    with ledger.read() as tx:
        newest = tx.select_audit(limit=2)
        assert [line.action for line in newest] == ["do it", "do 4"]
        older = tx.select_audit(before=newest[-1].id, limit=2)
        assert [line.action for line in older] == ["do 3", "do 2"]
        assert len(tx.select_audit(author="kim")) == 5


def test_a_plan_is_read_part_by_part(ledger: Ledger) -> None:
    """The newest first, and older ones are dropped."""
    with ledger.write() as tx:
        for n in (1, 2):
            tx.add_plan(
                [PlanPart(f"p{n}", part, "kim", "d", float(n), {"n": n}) for part in ("", "a/1")]
            )
    with ledger.read() as tx:
        assert [plan.id for plan in tx.plan_summaries(5)] == ["p2", "p1"]
        assert [part.document for part in tx.plan_parts("p1", ["a/1"])] == [{"n": 1}]
    with ledger.write() as tx:
        assert tx.drop_plans(["p2"]) == 2
        assert tx.drop_plans() == 2
