"""The lines of a standing as German sentences; without words of people or vendors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from syncengine.model.standing import Level, Line, Standing

_DAYS = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")
_VERDICTS = {
    Level.OK: "Alles stimmt überein.",
    Level.NOTE: "Alles andere stimmt überein.",
    Level.ASK: "Es wartet auf einen Menschen.",
    Level.FAULT: "Nicht in Ordnung.",
}


def verdict(standing: Standing) -> str:
    """One sentence, decided by the worst line."""
    if standing.level is Level.HELD:
        unsent = sum(line.count for line in standing.lines if line.code == "observed")
        return f"{_many(unsent, 'Änderung ist', 'Änderungen sind')} nicht gesendet."
    if standing.level is Level.NOTE and any(line.code == "unread" for line in standing.lines):
        return "Es wurde noch nichts gelesen."
    return _VERDICTS[standing.level]


def sentence(line: Line, now: float, zone: ZoneInfo) -> str:
    """What a line says."""
    return _SENTENCES[line.code](_Words(line, now, zone))


def moment(at: float, now: float, zone: ZoneInfo) -> str:
    """``02:14`` of the same day, ``Di 14:02`` within six days, else ``25.11. 14:02``, with the year where it is
    another one."""
    then, today = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(now, zone)
    days, clock = (today.date() - then.date()).days, then.strftime("%H:%M")
    if days == 0:
        return clock
    if 0 < days < 7:
        return f"{_DAYS[then.weekday()]} {clock}"
    year = str(then.year) if then.year != today.year else ""
    return f"{then.day}.{then.month}.{year} {clock}"


def _number(count: int) -> str:
    return f"{count:,}".replace(",", ".")


def _many(count: int, one: str, many: str) -> str:
    return f"{_number(count)} {one if count == 1 else many}"


class _Words:
    """A line and the words that several sentences need."""

    def __init__(self, line: Line, now: float, zone: ZoneInfo) -> None:
        self.line, self.now, self.zone = line, now, zone
        self.connection = line.about.get("connection", "")
        self.channel = line.about.get("channel", "")
        self.kind = line.about.get("kind", "")
        self.resource = line.about.get("resource", "")
        self.entity = line.about.get("entity", "row").replace("_", " ")

    def count(self, one: str, many: str) -> str:
        """``1 Frage``, ``2 Fragen``."""
        return _many(self.line.count, one, many)

    def since(self, before: str = " seit ") -> str:
        """`` seit Di 14:02``; empty where it is not known."""
        at = self.line.since
        return "" if at is None else f"{before}{moment(at, self.now, self.zone)}"

    @property
    def late(self) -> str:
        """For how long something is due."""
        minutes = max(1, int((self.now - (self.line.since or self.now)) // 60))
        return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def _scope(w: _Words) -> str:
    day = w.line.told.get("next")
    found = date.fromisoformat(day) if day else None
    coming = f"; als Nächstes am {found.day}.{found.month}." if found else ""
    outside = f"{w.count('Eintrag', 'Einträge')} ({w.entity}) nicht in {w.connection}"
    return f"{outside}, da außerhalb seines Bereichs{coming}."


def _moving(w: _Words) -> str:
    return {
        "rows": w.count("Zeile wird", "Zeilen werden") + " angesehen.",
        "writes": w.count("Änderung ist", "Änderungen sind") + " unterwegs.",
        "listings": w.count("Liste wurde", "Listen wurden") + " noch nie gelesen.",
    }[w.kind]


def _blind(w: _Words) -> str:
    told, which = w.line.told, f"{w.connection} {w.resource}"
    if "read" in told:
        read = f"{told['read']} von {told['parts']} Teilen gelesen"
        return f"{which} braucht länger als vorgesehen: {read}, der Rest vom Stand{w.since(' ')}."
    return f"{which}: {w.since('letzte vollständige Liste ') or 'noch nie vollständig gelesen'}."


_SENTENCES: Mapping[str, Callable[[_Words], str]] = {
    "worker": lambda w: f"Kein Worker arbeitet{w.since()}.",
    "beat": lambda w: f"Nichts stößt Listen an: kein Beat{w.since()}.",
    "mapping": lambda _: "Der Dienst arbeitet nicht nach den Dateien, wie sie dastehen.",
    "halted": lambda w: f"{w.connection} lehnt unsere Zugangsdaten ab{w.since()}.",
    "failing": lambda w: f"{w.connection} antwortet nicht{w.since()}.",
    "blind": _blind,
    "late": lambda w: (
        f"{w.count('Änderung', 'Änderungen')} an {w.connection} seit {w.late} überfällig."
    ),
    "untold": lambda w: (
        f"Über {w.channel} erfährt niemand etwas."
        if w.kind == "off"
        else f"{w.channel} nimmt keine Nachrichten an{w.since()}."
    ),
    "question": lambda w: (
        f"{w.count('Frage', 'Fragen')}{w.since(', die älteste seit ' if w.line.count > 1 else ' seit ')}."
    ),
    "staged": lambda w: (
        f"{w.count('Änderung wartet', 'Änderungen warten')} in {w.connection} auf Freigabe{w.since()}."
    ),
    "paused": lambda w: f"{w.connection} ist angehalten{w.since()}.",
    "observed": lambda w: (
        f"{w.count('Änderung ist', 'Änderungen sind')} nicht gesendet: {w.connection} wird nur beobachtet."
    ),
    "waiting": lambda w: (
        f"{w.count('Eintrag wartet', 'Einträge warten')} ({w.entity}) in {w.connection} auf etwas anderes{w.since()}."
    ),
    "let_be": lambda w: (
        f"{w.count('Änderung bleibt', 'Änderungen bleiben')} in {w.connection} ungesendet, wie entschieden."
    ),
    "unlinked": lambda w: (
        f"{w.count('Zeile', 'Zeilen')} von {w.connection} {'gehört' if w.line.count == 1 else 'gehören'} niemandem."
    ),
    "scope": _scope,
    "limit": lambda w: f"{w.connection} wird eine Weile nicht gefragt.",
    "off": lambda w: (
        f"{w.connection} {'wird von keiner Zuordnung benutzt' if w.kind == 'unused' else 'ist aus'}."
    ),
    "unread": lambda _: "Noch kein System wurde vollständig gelesen.",
    "moving": _moving,
}
