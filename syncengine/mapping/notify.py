"""Who is told what, as the project says: channels, rules, quiet hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["mail", "slack", "mattermost", "teams", "webhook"]
Language = Literal["en", "de"]
Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. ``security``: STARTTLS, TLS from the first byte, or none. ``user``: empty where the
    server asks for none. ``sender``: the address that mail comes from."""

    host: str
    port: int
    security: Security
    user: str = field(repr=False)
    password: str = field(repr=False)
    sender: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to people. ``to``: addresses of mail. ``url``: of all others; whoever knows it may write there.
    ``secret``: with which a webhook is signed. ``off``: why nothing is sent, empty if something is."""

    name: str
    kind: Kind
    language: Language
    to: tuple[str, ...] = field(repr=False)
    url: str = field(repr=False)
    secret: bytes = field(repr=False)
    off: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """When nobody is to be woken. ``spans``: minutes of the day (from, until), over midnight where until is the
    smaller one. ``days``: whole days, 0 is Monday."""

    spans: tuple[tuple[int, int], ...] = ()
    days: frozenset[int] = frozenset()

    def holds(self, weekday: int, minute: int) -> bool:
        """Whether it is quiet at this minute of a day."""
        return weekday in self.days or any(
            since <= minute < until if since <= until else minute >= since or minute < until
            for since, until in self.spans
        )


@dataclass(frozen=True, slots=True)
class NotifyRule:
    """Which lines of the standing are told to whom. ``codes``: of lines; of a daily report none. ``wait``: seconds that
    a line has to stand. ``at``: minute of the day of a daily report, None for any other rule."""

    codes: frozenset[str]
    to: tuple[str, ...]
    wait: float = 0.0
    at: int | None = None
    quiet: Quiet = Quiet()


@dataclass(frozen=True, slots=True)
class Notify:
    """All that the project says of notifications; by itself: nobody is told anything. ``console``: the address that
    links begin with. ``heartbeat``: is asked for as long as nothing is a fault; ``heartbeat_off``: why it is not."""

    channels: Mapping[str, Channel] = field(default_factory=dict)
    rules: tuple[NotifyRule, ...] = ()
    mail: MailServer | None = None
    console: str = ""
    heartbeat: str = field(default="", repr=False)
    heartbeat_off: str = ""

    def __bool__(self) -> bool:
        return bool(self.channels or self.heartbeat or self.heartbeat_off)
