"""What is told to whom: a line of the standing once when it begins, when it gets worse, and when it ends; and a report
of everything once a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from syncengine.mapping.notify import Notify, NotifyRule
from syncengine.model.notification import Delivery, News, Notifications, Reported
from syncengine.model.pauses import doubled
from syncengine.model.standing import Level, Line, Standing

GROWN = 2
"""As many times as many as were told are worse."""
HEARTBEAT = "heartbeat"
"""Under this name stands how the heartbeat goes."""
BEAT = 60.0
"""Seconds between two heartbeats."""
STALE = 12 * 60
"""Minutes after its time for which a daily report is still worth sending."""
_RESTLESS = ("failing", "moving", "mapping", "untold")
"""Codes whose counts say nothing of how bad it is."""
Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Tidings:
    """What one channel is to be told now. ``news``: what became of which line. ``told``: what it knows of each line
    once it took them; ``before``: what it knows until then. ``report``: the day of the daily report that is due, or
    empty."""

    channel: str
    news: Sequence[tuple[News, Line]]
    told: Sequence[Reported]
    before: Sequence[Reported]
    report: str = ""

    @property
    def due(self) -> bool:
        """Whether there is anything to send."""
        return bool(self.news or self.report)


def tidings(
    notify: Notify, standing: Standing, known: Notifications, zone: ZoneInfo
) -> list[Tidings]:
    """For each channel that is on and may be tried now, what it is to be told, and what it knows."""
    now, found = standing.at, list[Tidings]()
    for name, channel in notify.channels.items():
        delivery = known.deliveries.get(name, Delivery(name))
        if channel.off or delivery.next_at > now:
            continue
        rules = [rule for rule in notify.rules if name in rule.to]
        before = [told for told in known.told if told.channel == name]
        found.append(_of_channel(name, rules, standing, before, delivery, zone))
    return found


def heartbeat_due(notify: Notify, standing: Standing, known: Notifications) -> bool:
    """Whether whoever watches us from outside is to be told that all is well. That the heartbeat itself is not taken is
    no reason to end it."""
    delivery = known.deliveries.get(HEARTBEAT, Delivery(HEARTBEAT))
    faults = [
        line
        for line in standing.lines
        if line.level is Level.FAULT and line.about.get("channel") != HEARTBEAT
    ]
    waited = not 0 <= standing.at - delivery.sent_at < BEAT
    return bool(notify.heartbeat and not faults and waited and delivery.next_at <= standing.at)


def _of_channel(
    name: str, rules: Sequence[NotifyRule], standing: Standing, before: Sequence[Reported],
    delivery: Delivery, zone: ZoneInfo,
) -> Tidings:  # fmt: skip
    now = standing.at
    at = datetime.fromtimestamp(now, zone)
    minute = at.hour * 60 + at.minute
    awake = [rule for rule in rules if not rule.quiet.holds(at.weekday(), minute)]
    known = {_key(told.code, told.about): told for told in before}
    # That a channel is not reached, or is again, is no news on that channel.
    lines = {
        key: line
        for line in standing.lines
        if line.about.get("channel") != name and any(line.code in r.codes for r in rules)
        for key in [_key(line.code, line.about)]
    }
    news, after = list[tuple[News, Line]](), list[Reported]()
    seen = list[Reported]()
    for key, line in lines.items():
        told = known.get(key) or Reported(name, line.code, line.about, now, line.since)
        told = replace(told, since=line.since)
        seen.append(told)
        what = _news(line, told)
        if what is not None and _may_tell(line, told, rules, awake, now):
            news.append((what, line))
            told = replace(told, level=int(line.level), count=line.count)
        after.append(told)
    for key, told in known.items():
        if key in lines or not told.level or not any(told.code in r.codes for r in rules):
            continue
        line = Line(told.code, Level(told.level), told.count, told.since, told.about)
        seen.append(told)
        if line.level is Level.FAULT or any(told.code in rule.codes for rule in awake):
            news.append((News.ENDED, line))
        else:
            after.append(told)
    report = _report(awake, delivery, at)
    return Tidings(name, news, after, seen, report)


def _key(code: str, about: Mapping[str, str]) -> Key:
    """By which a line is known again; of which kinds its questions or rows are may change."""
    same = {n: v for n, v in about.items() if n != "kind" or code not in ("question", "unlinked")}
    return code, tuple(sorted(same.items()))


def _news(line: Line, told: Reported) -> News | None:
    if not told.level:
        return News.BEGAN
    grown = line.code not in _RESTLESS and line.count >= GROWN * max(1, told.count)
    return News.WORSENED if line.level > told.level or grown else None


def _may_tell(
    line: Line, told: Reported, rules: Sequence[NotifyRule], awake: Sequence[NotifyRule], now: float
) -> bool:
    """Whether a rule that is not quiet asks for it by now; a fault breaks the quiet."""
    began = told.seen_at if line.since is None else min(line.since, told.seen_at)
    asked = rules if line.level is Level.FAULT else awake
    return any(line.code in rule.codes and now - began >= rule.wait for rule in asked)


def _report(awake: Sequence[NotifyRule], delivery: Delivery, at: datetime) -> str:
    """The day whose report is due; a channel that had none before begins with the next one."""
    day, minute = at.date().isoformat(), at.hour * 60 + at.minute
    times = [rule.at for rule in awake if rule.at is not None]
    if not delivery.reported or delivery.reported >= day:
        return ""
    return day if any(0 <= minute - time < STALE for time in times) else ""


def first_day(notify: Notify, name: str, now: float, zone: ZoneInfo) -> str:
    """The day for which a channel that was never reported to counts as told: today, where its time is over, else the
    day before; empty where it gets no report."""
    at = datetime.fromtimestamp(now, zone)
    times = [r.at for r in notify.rules if r.at is not None and name in r.to]
    if not times:
        return ""
    passed = at.hour * 60 + at.minute >= min(times)
    day = at.date().toordinal() - (not passed)
    return datetime.fromordinal(day).date().isoformat()


def pause(failures: int) -> float:
    """Seconds before a channel is tried again after so many failures in a row: 30 s to 30 min."""
    return doubled(30.0, failures, 1800.0)
