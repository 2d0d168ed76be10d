"""Times as people read them: in the project's zone, short where they are near."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

_WEEK = 6 * 86_400


@dataclass(frozen=True, slots=True)
class Times:
    """Spells epoch seconds. ``now``: of the request; ``translate``: into the language of the page."""

    zone: ZoneInfo
    now: float
    translate: Callable[[str], str] = str

    def _at(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, self.zone)

    def short(self, at: float | None) -> str:
        """``14:02`` today, ``Tue 14:02`` within a week, ``3 Nov`` this year, else ``3 Nov 2025``."""
        if not at:
            return self.translate("never")
        then, today = self._at(at), self._at(self.now)
        if then.date() == today.date():
            return f"{then:%H:%M}"
        if abs(self.now - at) < _WEEK:
            return f"{self.translate(f'{then:%a}')} {then:%H:%M}"
        return self.day(at)

    def day(self, at: float | None) -> str:
        """``3 Nov``, with the year where it is another one."""
        if not at:
            return self.translate("never")
        then, today = self._at(at), self._at(self.now)
        year = "" if then.year == today.year else f" {then.year}"
        return f"{then.day} {self.translate(f'{then:%b}')}{year}"

    def date(self, day: str) -> str:
        """``Tue 1 Dec`` of ``2026-12-01``, with the year where it is another one."""
        then = date.fromisoformat(day)
        year = "" if then.year == self._at(self.now).year else f" {then.year}"
        word, month = self.translate(f"{then:%a}"), self.translate(f"{then:%b}")
        return f"{word} {then.day} {month}{year}"

    def days_until(self, day: str) -> int:
        """How many days it is until then; below 0 where it is over."""
        return (date.fromisoformat(day) - self._at(self.now).date()).days

    def full(self, at: float | None) -> str:
        """``Tue 3 Nov 2026, 14:02:11 CET``."""
        if not at:
            return self.translate("never")
        then = self._at(at)
        word, month = self.translate(f"{then:%a}"), self.translate(f"{then:%b}")
        return f"{word} {then.day} {month} {then.year}, {then:%H:%M:%S %Z}"

    def minute(self, at: float) -> str:
        """``3 Nov 2026, 14:02``."""
        then = self._at(at)
        return f"{then.day} {self.translate(f'{then:%b}')} {then.year}, {then:%H:%M}"

    def iso(self, at: float) -> str:
        """For machines."""
        return self._at(at).isoformat(timespec="seconds")

    def clock(self) -> str:
        """The time of the page, with its zone: ``Europe/Berlin (CET), 10:04``."""
        return f"{self.zone.key} ({self._at(self.now):%Z}), {self._at(self.now):%H:%M}"

    def ago(self, at: float | None) -> str:
        """``2 h ago``."""
        if not at:
            return self.translate("never")
        seconds = max(0, int(self.now - at))
        for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
            if seconds >= size:
                return self.translate("%s ago") % f"{seconds // size} {unit}"
        return self.translate("%s ago") % f"{seconds} s"
