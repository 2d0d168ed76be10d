"""Notifications: what was told to whom, and a message on its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Reported:
    """What a channel knows of one line of the standing. ``code`` and ``about`` tell the line. ``seen_at``: when it was
    first seen there; ``since``: when it says that it began, None where it does not. ``level``, ``count``: as they were
    told last; a level of 0: nothing was told yet. Times are epoch seconds."""

    channel: str
    code: str
    about: Mapping[str, str]
    seen_at: float
    since: float | None = None
    level: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a channel takes what is sent to it. ``failures``: in a row, ``failing_since`` when, not tried again before
    ``next_at``; ``why``: in our words, without anything of the answer. ``sent_at``: when it last took something.
    ``reported``: the day of its last daily report. Times are epoch seconds."""

    channel: str
    failures: int = 0
    failing_since: float = 0.0
    next_at: float = 0.0
    why: str = ""
    sent_at: float = 0.0
    reported: str = ""


@dataclass(frozen=True, slots=True)
class Notifications:
    """All that is remembered of notifications. ``looked_at``: when the standing was last looked at for them."""

    looked_at: float = 0.0
    told: Sequence[Reported] = ()
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)


class News(StrEnum):
    """What became of a line. ``STANDS``: nothing, it is part of a report."""

    BEGAN = "began"
    WORSENED = "worsened"
    ENDED = "ended"
    STANDS = "stands"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a message. ``level``: its name. ``text``: one sentence. ``link``: where to look, or empty."""

    news: News
    code: str
    level: str
    count: int
    since: float | None
    about: Mapping[str, str]
    text: str
    link: str


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent to a channel at once. ``id``: the same whenever the same is sent again. ``kind``: change, report or
    test. ``head``: one sentence. ``link``: the console, or empty. ``verdict``: how everything stands."""

    id: str
    at: float
    kind: str
    head: str
    items: Sequence[Item] = ()
    verdict: str = ""
    link: str = ""
