"""The standing of an installation: one line for each thing that waits, stands still, is out of date or is left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

from syncengine.model.connection import ConnectionState, ResourceState
from syncengine.model.link import WaitGroup
from syncengine.model.notification import Notifications
from syncengine.model.process import Process


class Level(IntEnum):
    """How bad a line is. ``OK``: nothing to tell. ``NOTE``: goes on by itself, or was decided. ``HELD``: writes are
    wanted and not sent. ``ASK``: a person is needed. ``FAULT``: something is not in order."""

    OK = 0
    NOTE = 1
    HELD = 2
    ASK = 3
    FAULT = 4

    @property
    def exit_code(self) -> int:
        """Of a command that ends with this level as the worst."""
        return {Level.HELD: 3, Level.ASK: 4, Level.FAULT: 1}.get(self, 0)


CODES: Final = (
    "worker", "beat", "mapping", "halted", "failing", "blind", "late", "untold", "question", "staged", "paused",
    "observed", "waiting", "let_be", "unlinked", "scope", "limit", "off", "unread", "moving",
)  # fmt: skip
"""What a line may be about, in the order of lines that are equally bad."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a standing. ``code``: which of the rules of ``planning.standing`` it is. ``since``: when it began
    (epoch seconds, None: not known). ``about``: connection, entity, resource, kind, channel; never a person. ``told``:
    what else its sentence needs: who decided, and words of people or vendors, which are for screens alone."""

    code: str
    level: Level
    count: int = 1
    since: float | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """How an installation stands at a time (epoch seconds): its lines, the worst first. ``mapping``: the edition of the
    project."""

    at: float
    lines: tuple[Line, ...] = ()
    mapping: str = ""

    @property
    def level(self) -> Level:
        """That of the worst line."""
        return max((line.level for line in self.lines), default=Level.OK)

    def without(self, codes: Collection[str]) -> Standing:
        """The same without these lines."""
        return replace(self, lines=tuple(x for x in self.lines if x.code not in codes))


@dataclass(frozen=True, slots=True)
class Figures:
    """What the ledger knows for a standing. ``resources``: by connection and name. ``alive``: part of the service
    (``worker``, ``beat``) -> when it was last at work. ``asked``: kind of question -> open ones, and when the first of
    them was opened. ``unsent``: connection that is only observed -> writes that are not sent; the links that want
    these are not among ``waits``. ``notifications``: what was told, and how that went. ``outbox``: connection,
    state, number, how many of these are late, and when the first is or was due; without what ``unsent`` has."""

    states: Mapping[str, ConnectionState]
    resources: Mapping[tuple[str, str], ResourceState]
    processes: Sequence[Process]
    alive: Mapping[str, float]
    asked: Mapping[str, tuple[int, float]]
    waits: Sequence[WaitGroup]
    unsent: Mapping[str, int]
    outbox: Sequence[tuple[str, str, int, int, float]]
    notifications: Notifications = field(default_factory=Notifications)
