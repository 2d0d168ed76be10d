"""Kept forms: what somebody sent whose session was over, sealed, until they have signed in again."""

from __future__ import annotations

from typing import Any, Final

from syncengine.ledger import tables as t
from syncengine.ledger.connections import Connections
from syncengine.ledger.stored import Values

FORMS: Final = ":forms"
"""Under this name they stand; no connection is called so."""
_c = t.connections.c


class Forms(Connections):
    """The part of a transaction that is about kept forms."""

    def keep_form(self, whose: str, form: dict[str, Any], until: float) -> None:
        """Keep a form until then, in place of an earlier one. ``whose``: a hash by which it is found."""
        state = self._sealed(_c.state, form, FORMS, whose)
        row: Values = {"name": FORMS, "part": whose, "until": until, "state": state}
        self._put(t.connections, [row], "until", "state", key=("name", "part"))

    def kept_form(self, whose: str, now: float) -> dict[str, Any]:
        """The one that is kept; {} if there is none."""
        asked: Values = {"name": FORMS, "part": whose, "until__gt": now}
        rows = self._rows(t.connections, (_c.state,), **asked)
        found: dict[str, Any] = self._open(_c.state, rows[0][0], FORMS, whose) if rows else {}
        return found or {}

    def drop_forms(self, until: float | None = None) -> None:
        """Delete all, or those that are kept no longer than until then."""
        self._drop(t.connections, name=FORMS, until__le=until)
