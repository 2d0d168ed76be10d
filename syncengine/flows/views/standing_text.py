"""The sentences of a standing, in English; times in the zone of the project."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from syncengine.model.standing import Level, Line, Standing

_VERDICTS = {
    Level.OK: "Everything agrees.",
    Level.NOTE: "Everything else agrees.",
    Level.ASK: "Waits for a person.",
    Level.FAULT: "Not in order.",
}


UNREAD = "Nothing has been read yet."
"""The verdict on a store in which nothing was ever listed."""


def verdict(standing: Standing) -> str:
    """One sentence, decided by the worst line."""
    if standing.level is Level.HELD:
        unsent = sum(line.count for line in standing.lines if line.code == "observed")
        return f"{_many(unsent, 'change is', 'changes are')} not sent."
    if standing.level is Level.NOTE and any(line.code == "unread" for line in standing.lines):
        return UNREAD
    return _VERDICTS[standing.level]


def sentence(line: Line, now: float, zone: ZoneInfo) -> str:
    """What a line says."""
    return _SENTENCES[line.code](_Words(line, now, zone))


def moment(at: float, now: float, zone: ZoneInfo) -> str:
    """A time as people say it: ``02:14`` of the same day, ``Tue 14:02`` within six days, else ``25 Nov 14:02``, with
    the year where it is another one."""
    then, today = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(now, zone)
    days = (today.date() - then.date()).days
    clock = then.strftime("%H:%M")
    if days == 0:
        return clock
    if 0 < days < 7:
        return f"{_DAYS[then.weekday()]} {clock}"
    year = f" {then.year}" if then.year != today.year else ""
    return f"{_day(then)}{year} {clock}"


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _day(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]}"


def duration(seconds: float) -> str:
    """``12 min``, ``3 h``, ``2 days``."""
    minutes = max(1, int(seconds // 60))
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def _many(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def records_of(count: int, entity: str) -> str:
    """``12 records of time entry``: whatever an entity is called, without a plural of that."""
    return f"{_many(count, 'record', 'records')} of {entity.replace('_', ' ')}"


class _Words:
    """A line and the words that several sentences need."""

    def __init__(self, line: Line, now: float, zone: ZoneInfo) -> None:
        self.line, self.now, self.zone = line, now, zone
        self.connection = line.about.get("connection", "")
        self.kind = line.about.get("kind", "")
        self.written = line.told.get("said", self.kind)
        self.why = line.told.get("why", "")

    def count(self, one: str, many: str = "") -> str:
        """``1 write``, ``2 writes``."""
        return _many(self.line.count, one, many or f"{one}s")

    @property
    def entities(self) -> str:
        """``3 records of visit``."""
        return records_of(self.line.count, self.entity)

    @property
    def entity(self) -> str:
        """``training record``."""
        return self.line.about.get("entity", "row").replace("_", " ")

    def since(self, before: str = " since ") -> str:
        """`` since Tue 14:02``; empty where it is not known."""
        at = self.line.since
        return "" if at is None else f"{before}{moment(at, self.now, self.zone)}"

    def reason(self, before: str = ": ", after: str = "") -> str:
        """``: a test``; empty without one."""
        return f"{before}{self.why}{after}" if self.why else ""


def _mapping(w: _Words) -> str:
    if w.kind == "invalid":
        faults = _many(int(w.line.told["faults"]), "fault", "faults")
        return f"The service works by the mapping of{w.since(' ')}: its files are invalid now ({faults})."
    processes = w.count("process of the service works", "processes of the service work")
    return f"{processes} by the mapping of{w.since(' ')} and did not take over the files: restart the service."


def _question(w: _Words) -> str:
    oldest = w.since(", the oldest since ") if w.line.count > 1 else w.since()
    return f"{w.count('question')} ({w.kind}){oldest}."


def _staged(w: _Words) -> str:
    wait = "waits" if w.line.count == 1 else "wait"
    what = f"{w.count(w.written)} of {w.entity} in {w.connection}"
    told = w.line.told
    given = f", {told['given']} of {told['needed']} given" if "needed" in told else ""
    return f"{what} {wait} for approval{w.since()}{given}."


def _paused(w: _Words) -> str:
    by = w.line.told.get("by", "")
    who = f"{w.connection} is paused{' by ' * bool(by)}{by}{w.since()}"
    writes = f"; {w.count('write waits', 'writes wait')}" if w.line.count else ""
    return f"{who}{w.reason(' (', ')')}{writes}."


def _waiting(w: _Words) -> str:
    wait = "waits" if w.line.count == 1 else "wait"
    return f"{w.entities} in {w.connection} {wait} for {w.line.told['what']}{w.since(', since ')}."


def _let_be(w: _Words) -> str:
    what = f"{w.count(w.written)} of {w.entity} in {w.connection}"
    return f"{what} {w.line.told['by']}{w.reason()}."


def _unlinked(w: _Words) -> str:
    belong = "belongs" if w.line.count == 1 else "belong"
    return f"{w.count('row')} of {w.connection} ({w.kind}) {belong} to nobody."


def _scope(w: _Words) -> str:
    day = w.line.told.get("next")
    coming = f"; next {_day(date.fromisoformat(day))}" if day else ""
    return f"{w.entities} not in {w.connection}, being out of its scope{coming}."


def _limit(w: _Words) -> str:
    until = moment(float(w.line.told["until"]), w.now, w.zone)
    return f"{w.connection} is not called until {until}{w.reason()}."


def _off(w: _Words) -> str:
    if w.kind == "unused":
        return f"{w.connection} is used by no mapping."
    return f"{w.connection} is off{w.reason()}."


def _moving(w: _Words) -> str:
    return {
        "rows": w.count("row is", "rows are") + " being looked at.",
        "writes": w.count("write is", "writes are") + " under way.",
        "listings": w.count("listing was", "listings were") + " never made yet.",
    }[w.kind]


def _untold(w: _Words) -> str:
    channel = w.line.about["channel"]
    if w.kind == "off":
        return f"Nobody is told anything by {channel}{w.reason()}."
    return f"{channel} takes no notifications{w.since()}{w.reason()}."


def _halted(w: _Words) -> str:
    where = w.why.partition("; ")[0]
    return f"{w.connection} refuses our credentials{w.since()}{': ' * bool(where)}{where}."


def _blind(w: _Words) -> str:
    seen = w.since("last complete listing ") or "never listed completely"
    told, which = w.line.told, f"{w.connection} {w.line.about['resource']}"
    if "read" in told:
        read, parts = int(told["read"]), int(told["parts"])
        return f"{which} takes longer than its span: {read:,} of {parts:,} parts read, the rest as of{w.since(' ')}."
    return f"{which}: {seen}{w.reason()}."


_SENTENCES: Mapping[str, Callable[[_Words], str]] = {
    "worker": lambda w: f"No worker{w.since()}.",
    "beat": lambda w: f"Nothing starts listings: no beat{w.since()}.",
    "mapping": _mapping,
    "halted": _halted,
    "failing": lambda w: f"{w.connection} does not answer{w.since()}{w.reason()}.",
    "blind": _blind,
    "late": lambda w: (
        f"{w.count('write')} to {w.connection} {'is' if w.line.count == 1 else 'are'} late"
        f" by {duration(w.now - (w.line.since or w.now))}."
    ),
    "untold": _untold,
    "question": _question,
    "staged": _staged,
    "paused": _paused,
    "observed": lambda w: (
        f"{w.count('change is', 'changes are')} not sent: {w.connection} is only observed."
    ),
    "waiting": _waiting,
    "let_be": _let_be,
    "unlinked": _unlinked,
    "scope": _scope,
    "limit": _limit,
    "off": _off,
    "unread": lambda _: "No vendor has been read to the end yet.",
    "moving": _moving,
}
