"""A call of the API: by whose token, for what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from syncengine.flows.core.engine import Engine
from syncengine.flows.people.members import note
from syncengine.flows.people.tokens import Bearer
from syncengine.model.member import AuditWord, Outcome, Scope
from syncengine.model.rights import Right
from syncengine.web.console.shared import Shared

ROOT: Final = "/api/v1"
PER_PAGE: Final = 50
Document = dict[str, Any]
B = TypeVar("B", bound="Body")


class Body(BaseModel):
    """What is sent with a call. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Call:
    """One call. ``path``: below the root of the API; ``address``: from where it comes."""

    engine: Engine
    shared: Shared
    bearer: Bearer
    path: str
    params: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    body: Body | None
    address: str

    @property
    def author(self) -> str:
        """By which name a decision goes on record."""
        return self.bearer.member.name

    @property
    def within(self) -> Scope:
        """To what part of everything the member is limited."""
        return self.bearer.member.limits

    def asked(self, name: str) -> str:
        """A word of the address, ``""`` if it is not there."""
        return next(iter(self.query.get(name, ())), "").strip()[:500]

    def number(self, name: str) -> int | None:
        """A whole number of the address; None if it is not there. Raises HTTPException."""
        text = self.asked(name)
        if text and not (text.isascii() and text.isdecimal() and len(text) < 16):
            raise HTTPException(422, f"{name}: expected a whole number")
        return int(text) if text else None

    def time(self, name: str) -> float | None:
        """A time of the address in epoch seconds. Raises HTTPException."""
        found = self.number(name)
        return None if found is None else float(found)

    def one_of(self, name: str, known: Sequence[str]) -> str | None:
        """A word of the address that has to be one of these; None if it is not there. Raises HTTPException."""
        word = self.asked(name)
        if word and word not in known:
            raise HTTPException(422, f"{name}: expected one of {', '.join(known)}")
        return word or None

    @property
    def limit(self) -> int:
        """How many lines are wanted. Raises HTTPException."""
        found = self.number("limit")
        if found is not None and not 1 <= found <= 500:
            raise HTTPException(422, "limit: expected 1 to 500")
        return found or PER_PAGE

    def sent(self, kind: type[B]) -> B:
        """What was sent. Raises TypeError for another kind than the endpoint declares."""
        if not isinstance(self.body, kind):
            raise TypeError(f"{self.path} declares another body")
        return self.body

    def note(
        self, action: AuditWord, about: str, outcome: Outcome = "done", **detail: object
    ) -> None:
        """Put what was done into the audit."""
        with self.engine.ledger.write() as tx:
            note(
                self.engine, tx, self.author, "api", action, about[:100], outcome, self.address,
                token=self.bearer.grant.id, **detail,
            )  # fmt: skip


Handler = Callable[[Call], Document]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route of the API. ``answer``: the model of its document; ``body``: of what is sent; ``query``: words that its
    address may have, and what each is."""

    method: str
    path: str
    right: Right
    handle: Handler
    answer: type[BaseModel]
    body: type[Body] | None = None
    query: Mapping[str, str] | None = None
