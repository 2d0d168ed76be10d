"""Access: members and their secrets, the audit of what they did, and the plans that they look at."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import NamedTuple

from syncengine.ledger import tables as t
from syncengine.ledger.session import Session
from syncengine.ledger.stored import Stored
from syncengine.model.member import AuditEntry, Grant, Member, Scope
from syncengine.model.stored_plan import SUMMARY, PlanPart


def _scope(told: dict[str, list[str]]) -> Scope:
    return Scope(**{name: tuple(words) for name, words in told.items()})


MEMBERS = Stored(t.members, Member, roles=(list, tuple), limits=(asdict, _scope))
GRANTS = Stored(t.grants, Grant, rights=(list, tuple))
AUDIT = Stored(t.audit, AuditEntry, bound=("author",))
PLANS = Stored(t.plans, PlanPart, bound=("id", "part"))
_BY_NAME = (t.members.c.name,)
_NEWEST = (t.audit.c.id.desc(),)
_LATEST = (t.plans.c.at.desc(), t.plans.c.id.desc())


class AuditAsked(NamedTuple):
    """Which lines of the audit: by whom, what was done, from when until before when (epoch seconds); None: any."""

    author: str | None = None
    action: str | None = None
    since: float | None = None
    until: float | None = None


ANY_AUDIT = AuditAsked()


class Access(Session):
    """The part of a transaction that is about members, the audit and stored plans."""

    def members(
        self, ids: Collection[str] | None = None, names: Collection[str] | None = None,
        lock: bool = False, subjects: Collection[str] | None = None,
    ) -> list[Member]:  # fmt: skip
        """As asked, by name."""
        return self._found(MEMBERS, order=_BY_NAME, id=ids, name=names, subject=subjects, lock=lock)

    def add_member(self, member: Member) -> None:
        """Insert. Raises LostRace where the name is taken."""
        self._add(MEMBERS, [member])

    def save_member(self, member: Member) -> None:
        """Write a locked member."""
        self._save(MEMBERS, [member])

    def grants(self, hash: str, kind: str, lock: bool = False) -> list[Grant]:
        """The one with this hash, if it is of this kind."""
        return self._found(GRANTS, hash=hash, kind=kind, lock=lock)

    def grants_of(self, member_id: str) -> list[Grant]:
        """All of a member, the newest first."""
        return self._found(
            GRANTS, order=(t.grants.c.created_at.desc(), t.grants.c.id), member_id=member_id
        )

    def add_grant(self, grant: Grant) -> None:
        """Insert."""
        self._add(GRANTS, [grant])

    def save_grant(self, grant: Grant) -> None:
        """Write a locked one."""
        self._save(GRANTS, [grant])

    def drop_grants(
        self, ids: Collection[str] | None = None, member_id: str | None = None,
        kind: str | None = None, expired_at: float | None = None,
    ) -> int:  # fmt: skip
        """Delete those that meet all of this; returns how many. Deletes nothing where nothing is asked."""
        if ids is None and member_id is None and expired_at is None:
            return 0
        return self._drop(
            t.grants, id=ids, member_id=member_id, kind=kind, expires_at__le=expired_at
        )

    def add_audit(self, entries: Sequence[AuditEntry]) -> None:
        """Append."""
        self._add(AUDIT, entries)

    def select_audit(
        self, before: int | None = None, author: str | None = None, limit: int = 50,
        asked: AuditAsked = ANY_AUDIT,
    ) -> list[AuditEntry]:  # fmt: skip
        """Lines as asked with ids below ``before``, the newest first."""
        return self._found(
            AUDIT, order=_NEWEST, limit=limit, id__lt=before, author=author or asked.author,
            action=asked.action, at__ge=asked.since, at__lt=asked.until,
        )  # fmt: skip

    def add_plan(self, parts: Sequence[PlanPart]) -> None:
        """Insert all parts of a plan."""
        self._add(PLANS, parts)

    def plan_summaries(self, limit: int = 1, part: str = SUMMARY) -> list[PlanPart]:
        """The summaries of stored plans of one kind, the newest first."""
        return self._found(PLANS, order=_LATEST, limit=limit, part=part)

    def plan_parts(self, id_: str, parts: Collection[str]) -> list[PlanPart]:
        """These parts of one stored plan."""
        return self._found(PLANS, id=id_, part=parts)

    def drop_plans(self, but: Collection[str] = ()) -> int:
        """Delete stored plans, except these; returns how many parts."""
        return self._drop(t.plans, id__not=list(but) or None)
