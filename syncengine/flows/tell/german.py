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
        self.written = line.told.get("said", self.kind)
        self.resource = line.about.get("resource", "")
        self.entity = line.about.get("entity", "row").replace("_", " ")
        self.why = line.told.get("why", "")
        self.what = line.told.get("what") or "etwas anderes"

    def count(self, one: str, many: str) -> str:
        """``1 Frage``, ``2 Fragen``."""
        return _many(self.line.count, one, many)

    def since(self, before: str = " seit ") -> str:
        """`` seit Di 14:02``; empty where it is not known."""
        at = self.line.since
        return "" if at is None else f"{before}{moment(at, self.now, self.zone)}"

    def reason(self, before: str = ": ", after: str = "") -> str:
        """``: ein Versuch``; empty without one, as it is in messages."""
        return f"{before}{self.why}{after}" if self.why else ""

    @property
    def kinds(self) -> str:
        """``2 Zuordnung, 12 Widerspruch``: what a line is about, in German as far as it is known."""
        words = (part.rpartition(" ") for part in self.kind.split(", "))
        return ", ".join(f"{count}{blank}{_KINDS.get(k, k)}" for count, blank, k in words)

    @property
    def late(self) -> str:
        """For how long something is due."""
        minutes = max(1, int((self.now - (self.line.since or self.now)) // 60))
        if minutes < 120:
            return f"{minutes} min"
        hours = minutes // 60
        return f"{hours} h" if hours < 48 else f"{hours // 24} Tagen"


def _scope(w: _Words) -> str:
    day = w.line.told.get("next")
    found = date.fromisoformat(day) if day else None
    coming = f"; als Nächstes am {found.day}.{found.month}." if found else ""
    outside = f"{w.count('Datensatz', 'Datensätze')} ({w.entity}) nicht in {w.connection}"
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
    seen = w.since("letzte vollständige Liste ") or "noch nie vollständig gelesen"
    return f"{which}: {seen}{w.reason()}."


def _mapping(w: _Words) -> str:
    old = w.since(" ") or " früher"
    if w.kind == "invalid":
        faults = int(w.line.told.get("faults", 1))
        return (
            f"Der Dienst arbeitet nach der Zuordnung von{old}: ihre Dateien sind jetzt ungültig"
            f" ({_many(faults, 'Fehler', 'Fehler')})."
        )
    processes = w.count("Prozess des Dienstes arbeitet", "Prozesse des Dienstes arbeiten")
    have = "hat" if w.line.count == 1 else "haben"
    return (
        f"{processes} nach der Zuordnung von{old} und {have} die Dateien nicht übernommen:"
        " starten Sie den Dienst neu."
    )


def _halted(w: _Words) -> str:
    where = w.why.partition("; ")[0]
    return f"{w.connection} lehnt unsere Zugangsdaten ab{w.since()}{': ' * bool(where)}{where}."


def _staged(w: _Words) -> str:
    one, many = _WRITES.get(w.written, ("Änderung", "Änderungen"))
    told = w.line.told
    given = f", {told['given']} von {told['needed']} erteilt" if "needed" in told else ""
    wait = "wartet" if w.line.count == 1 else "warten"
    return f"{w.count(one, many)} ({w.entity}) in {w.connection} {wait} auf Freigabe{w.since()}{given}."


def _paused(w: _Words) -> str:
    by = w.line.told.get("by", "")
    who = f"{w.connection} ist angehalten{' von ' * bool(by)}{by}{w.since()}"
    writes = (
        f"; {w.count('Schreibvorgang wartet', 'Schreibvorgänge warten')}" if w.line.count else ""
    )
    return f"{who}{w.reason(' (', ')')}{writes}."


def _let_be(w: _Words) -> str:
    one, many = _WRITES.get(w.written, ("Änderung", "Änderungen"))
    what = f"{w.count(one, many)} ({w.entity}) in {w.connection}"
    by = w.line.told.get("by", "")
    if not by:
        stay = "bleibt" if w.line.count == 1 else "bleiben"
        return f"{what} {stay} ungesendet, wie entschieden."
    return f"{what} {by}{w.reason()}."


def _limit(w: _Words) -> str:
    until = w.line.told.get("until")
    when = f"bis {moment(float(until), w.now, w.zone)}" if until else "eine Weile"
    return f"{w.connection} wird {when} nicht gefragt{w.reason()}."


_WRITES = {
    "create": ("Neuanlage", "Neuanlagen"), "update": ("Änderung", "Änderungen"),
    "delete": ("Löschung", "Löschungen"), "leaver": ("Austritt", "Austritte"),
}  # fmt: skip
_KINDS = {
    "identity": "Identität", "conflict": "Widerspruch", "missing": "verschwunden", "drift": "Abweichung",
    "unknown": "ungewiss", "rejected": "abgelehnt", "quarantined": "beiseitegelegt",
    "dead_event": "totes Ereignis", "restore": "Wiederherstellung",
}  # fmt: skip


_SENTENCES: Mapping[str, Callable[[_Words], str]] = {
    "worker": lambda w: f"Kein Worker arbeitet{w.since()}.",
    "beat": lambda w: f"Nichts stößt Listen an: kein Beat{w.since()}.",
    "mapping": _mapping,
    "halted": _halted,
    "failing": lambda w: f"{w.connection} antwortet nicht{w.since()}{w.reason()}.",
    "blind": _blind,
    "late": lambda w: (
        f"{w.count('Schreibvorgang', 'Schreibvorgänge')} an {w.connection} seit {w.late} überfällig."
    ),
    "untold": lambda w: (
        f"Über {w.channel} erfährt niemand etwas{w.reason()}."
        if w.kind == "off"
        else f"{w.channel} nimmt keine Nachrichten an{w.since()}{w.reason()}."
    ),
    "question": lambda w: (
        f"{w.count('Frage', 'Fragen')} ({w.kinds}){w.since(', die älteste seit ' if w.line.count > 1 else ' seit ')}."
    ),
    "staged": _staged,
    "paused": _paused,
    "observed": lambda w: (
        f"{w.count('Änderung ist', 'Änderungen sind')} nicht gesendet: {w.connection} wird nur beobachtet."
    ),
    "waiting": lambda w: (
        f"{w.count('Datensatz', 'Datensätze')} ({w.entity}) {'wartet' if w.line.count == 1 else 'warten'}"
        f" in {w.connection} auf {w.what}{w.since(', seit ')}."
    ),
    "let_be": _let_be,
    "unlinked": lambda w: (
        f"{w.count('Zeile', 'Zeilen')} von {w.connection} ({w.kinds})"
        f" {'gehört' if w.line.count == 1 else 'gehören'} niemandem."
    ),
    "scope": _scope,
    "limit": _limit,
    "off": lambda w: (
        f"{w.connection} wird von keiner Zuordnung benutzt."
        if w.kind == "unused"
        else f"{w.connection} ist aus{w.reason()}."
    ),
    "unread": lambda _: "Noch kein System wurde vollständig gelesen.",
    "moving": _moving,
}
