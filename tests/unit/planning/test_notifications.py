"""What is told when: once at the beginning, once when it gets worse, once at the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from syncengine.mapping.notify import Channel, Notify, NotifyRule, Quiet
from syncengine.model.notification import Delivery, News, Notifications
from syncengine.model.standing import Level, Line, Standing
from syncengine.planning.notifications import (
    HEARTBEAT,
    Tidings,
    first_day,
    heartbeat_due,
    pause,
    tidings,
)

ZONE = ZoneInfo("Europe/Berlin")
MINUTE, HOUR = 60.0, 3600.0
NOON = datetime(2026, 11, 27, 12, 0, tzinfo=ZONE).timestamp()
"""A Friday."""
NIGHT = NOON + 10 * HOUR
CODES = frozenset({"question", "halted", "failing", "untold"})
QUIET = Quiet(((18 * 60, 7 * 60),), frozenset({5, 6}))
OPS = Channel("ops", "slack", "en", (), "https://h.example", b"", "")


def rule(**more: Any) -> NotifyRule:
    """Tells ops of some lines."""
    return replace(NotifyRule(CODES, ("ops",)), **more)


def told(
    *lines: Line, at: float = NOON, known: Notifications | None = None, by: NotifyRule | None = None
) -> Tidings:
    """What ops is to be told."""
    notify = Notify({"ops": OPS}, (by or rule(),))
    (found,) = tidings(notify, Standing(at, lines), known or Notifications(), ZONE)
    return found


def after(found: Tidings) -> Notifications:
    """What is known once it was taken."""
    return Notifications(0.0, found.told)


def news(found: Tidings) -> list[tuple[str, str]]:
    """What became of which line."""
    return [(str(what), line.code) for what, line in found.news]


def question(count: int = 3, since: float = NOON) -> Line:
    """Questions."""
    return Line("question", Level.ASK, count, since, {"kind": "identity"})


def halted() -> Line:
    """A fault."""
    return Line("halted", Level.FAULT, 1, NOON, {"connection": "hakuna"})


def failing(level: Level, count: int = 1) -> Line:
    """A vendor that does not answer."""
    return Line("failing", level, count, NOON, {"connection": "hakuna"})


def test_a_line_is_told_once_when_it_begins_and_once_when_it_ends() -> None:
    """In between nothing is told, however often it is looked at."""
    first = told(question())
    second = told(question(), known=after(first), at=NOON + HOUR)
    last = told(known=after(second), at=NOON + 2 * HOUR)
    rest = told(known=after(last), at=NOON + 3 * HOUR)
    assert [news(x) for x in (first, second, last, rest)] == [
        [("began", "question")], [], [("ended", "question")], [],
    ]  # fmt: skip
    assert rest.told == []


def test_it_is_told_again_when_its_level_rises_and_not_when_it_falls() -> None:
    """A vendor that fails for long becomes a fault; that it does so less is no news."""
    first = told(failing(Level.NOTE))
    worse = told(failing(Level.FAULT, 40), known=after(first))
    better = told(failing(Level.NOTE, 41), known=after(worse))
    again = told(failing(Level.FAULT, 42), known=after(better))
    assert [news(x) for x in (worse, better, again)] == [[("worsened", "failing")], [], []]


def test_twice_as_many_as_were_told_are_worse() -> None:
    """Of questions; how often a vendor has failed says nothing."""
    known = after(told(question(3), failing(Level.NOTE, 1)))
    assert news(told(question(5), failing(Level.NOTE, 9), known=known)) == []
    assert news(told(question(6), failing(Level.NOTE, 9), known=known)) == [
        ("worsened", "question")
    ]


def test_which_kinds_are_asked_makes_no_other_line() -> None:
    """Another kind of question is the same line with more in it."""
    known = after(told(question(3)))
    other = replace(question(4), about={"kind": "2 identity, 2 missing"})
    assert news(told(other, known=known)) == []


def test_a_line_has_to_stand_for_as_long_as_the_rule_says() -> None:
    """Counted from its beginning; one that is over by then is never told, its end neither."""
    patient = rule(wait=15 * MINUTE)
    first = told(question(), by=patient, at=NOON + 14 * MINUTE)
    assert news(first) == []
    assert news(told(question(), known=after(first), by=patient, at=NOON + 15 * MINUTE)) == [
        ("began", "question")
    ]
    assert news(told(known=after(first), by=patient, at=NOON + HOUR)) == []


def test_what_does_not_say_when_it_began_counts_from_when_it_was_seen() -> None:
    """So ``for`` holds for it as well."""
    patient, line = rule(wait=MINUTE), replace(question(), since=None)
    first = told(line, by=patient)
    later = told(line, by=patient, known=after(first), at=NOON + MINUTE)
    assert (news(first), news(later)) == ([], [("began", "question")])


def test_quiet_hours_keep_news_until_they_end_and_a_fault_breaks_them() -> None:
    """The end of a fault, too: whoever was woken by it may sleep."""
    calm = rule(quiet=QUIET)
    night = told(question(since=NIGHT), halted(), by=calm, at=NIGHT)
    assert news(night) == [("began", "halted")]
    over = told(question(since=NIGHT), by=calm, known=after(night), at=NIGHT + HOUR)
    assert news(over) == [("ended", "halted")]
    weekend = told(question(since=NIGHT), by=calm, known=after(over), at=NOON + 24 * HOUR)
    assert news(weekend) == []
    monday = told(question(since=NIGHT), by=calm, known=after(weekend), at=NOON + 72 * HOUR)
    assert news(monday) == [("began", "question")]


def test_what_ends_within_quiet_hours_is_told_after_them() -> None:
    """And not at all if it comes back by then."""
    calm = rule(quiet=QUIET)
    day = after(told(question(), by=calm))
    night = told(by=calm, known=day, at=NIGHT)
    assert news(night) == []
    assert news(told(by=calm, known=after(night), at=NOON + 72 * HOUR)) == [("ended", "question")]
    assert news(told(question(), by=calm, known=after(night), at=NOON + 72 * HOUR)) == []


def test_that_a_channel_is_not_reached_is_no_news_on_that_channel() -> None:
    """Another one may be told."""
    own = Line("untold", Level.FAULT, 5, NOON, {"channel": "ops", "kind": "failing"})
    other = replace(own, about={"channel": "hr", "kind": "failing"})
    assert news(told(own, other)) == [("began", "untold")]


def test_a_channel_that_was_put_off_is_left_alone_until_then() -> None:
    """Nothing is due for it, and what it knows stays."""
    notify = Notify({"ops": OPS}, (rule(),))
    known = Notifications(0.0, (), {"ops": Delivery("ops", 2, NOON, NOON + MINUTE, "it is down")})
    assert tidings(notify, Standing(NOON, (halted(),)), known, ZONE) == []
    (found,) = tidings(notify, Standing(NOON + MINUTE, (halted(),)), known, ZONE)
    assert found.due


def test_a_channel_that_takes_nothing_is_tried_ever_less_often() -> None:
    """After half a minute, up to half an hour."""
    assert [pause(n) for n in (1, 2, 3, 7, 50)] == [30.0, 60.0, 120.0, 1800.0, 1800.0]


def test_a_report_is_due_once_a_day_at_its_time() -> None:
    """A channel that is new gets its first one at the next time; a service that was down sends it late, within
    the half day."""
    by = rule(codes=frozenset(), at=7 * 60 + 30)
    notify = Notify({"ops": OPS}, (by,))

    def due(at: float, reported: str) -> str:
        known = Notifications(0.0, (), {"ops": Delivery("ops", reported=reported)})
        (found,) = tidings(notify, Standing(at), known, ZONE)
        return found.report

    half_past = NOON - 4.5 * HOUR
    assert first_day(notify, "ops", NOON, ZONE) == "2026-11-27"
    assert first_day(notify, "ops", half_past - 1, ZONE) == "2026-11-26"
    assert due(half_past - 1, "2026-11-26") == ""
    assert due(half_past, "2026-11-26") == "2026-11-27"
    assert due(NOON, "2026-11-27") == ""
    assert due(half_past + 13 * HOUR, "2026-11-26") == ""


def test_the_heart_beats_while_nothing_is_a_fault() -> None:
    """Once a minute. That the heartbeat itself is not taken does not end it, or it would never come back."""
    notify = Notify(heartbeat="https://ping.example")
    own = Line("untold", Level.FAULT, 5, NOON, {"channel": HEARTBEAT, "kind": "failing"})
    sent = Notifications(0.0, (), {HEARTBEAT: Delivery(HEARTBEAT, sent_at=NOON)})
    assert heartbeat_due(notify, Standing(NOON, (question(), own)), Notifications())
    assert not heartbeat_due(notify, Standing(NOON, (halted(),)), Notifications())
    assert not heartbeat_due(notify, Standing(NOON + 59), sent)
    assert heartbeat_due(notify, Standing(NOON + 60), sent)
    assert not heartbeat_due(Notify(), Standing(NOON), Notifications())


def test_what_a_rule_asks_for_no_longer_is_forgotten_without_a_word() -> None:
    """A rule that was taken out of the file tells no end."""
    known = after(told(question()))
    other = rule(codes=frozenset({"halted"}))
    found = told(known=known, by=other)
    assert (news(found), list(found.told)) == ([], [])
    assert News.ENDED == "ended"
