"""Masking: which sensitive values a viewer may see. Every screen, document and text for people uses it, so that the
same is hidden everywhere in the same way."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from syncengine.mapping import Entity, Rule, System
from syncengine.model.link import Link
from syncengine.model.operation import Operation
from syncengine.model.record import Record
from syncengine.model.values import ABSENT, Json, is_empty
from syncengine.planning.observation import LABELS

if TYPE_CHECKING:
    from syncengine.flows.core.engine import Engine

DOTS: Final = "•••"
"""What is shown of a sensitive value."""

WORD: Final = 4
"""Letters from which on a word of a sensitive text is hidden by itself, and so is the beginning of a longer one."""

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Mask:
    """Hides the sensitive values of an entity from a viewer. ``entity``: None where the project does not have it (any
    more); then all of its values are hidden."""

    engine: Engine
    entity: Entity | None

    def hides(self, name: str) -> bool:
        """Whether values of a field are hidden; those of a field that the project does not have are. What is said of a
        record as a whole stands under no field and is not."""
        if self.engine.shows_sensitive or not name:
            return False
        declared = None if self.entity is None else self.entity.fields.get(name)
        return declared is None or declared.sensitive

    def value(self, name: str, value: Json) -> Json:
        """A value of a field, of our side or a vendor's, as it is shown."""
        return DOTS if self.hides(name) and not is_empty(value) else value

    def raw(self, rule: Rule, value: Json) -> Json:
        """A vendor's raw value of a field as it is shown; the id of a row that a ref names is shown as such."""
        to, shown = rule.target, self.value(rule.field.name, value)
        if shown == DOTS or to is None or value is ABSENT:
            return shown
        ids = value if isinstance(value, list) else [value]
        told = [shown_id(self.engine, to.connection, to.resource, str(i)) for i in ids if i]
        if told == [str(i) for i in ids if i]:
            return value
        return DOTS if isinstance(value, dict) else told if isinstance(value, list) else told[0]

    def at(self, system: System | None, path: str, value: Json) -> Json:
        """A value at a vendor's path as it is shown: hidden where a hidden field stands behind it, or nobody
        knows which one does."""
        if self.engine.shows_sensitive or is_empty(value):
            return value
        rules = [rule for rule in system.rules.values() if path in rule.paths] if system else []
        known = system is not None and (path in system.set_create or path in system.set_leave)
        chosen = (
            system is not None and path == system.resource.chosen_id and not _speaks(self, system)
        )
        told = [self.raw(rule, value) for rule in rules]
        if not (rules or known or chosen):
            return DOTS
        return next((other for other in told if other != value), value)

    def labels(self, system: System, row: Mapping[str, Json]) -> dict[str, Json]:
        """What else of a row people recognise it by: names and addresses that the mapping does not read. They are
        dots where any name, or any address, that the entity has is hidden: these may say it, whole or in part."""
        read = {root for rule in system.rules.values() for root in rule.roots}
        found = {n: row[n] for n in LABELS if n not in read and not is_empty(row.get(n))}
        kinds = {kind for kind in ("name", "email") if self._hides_any(kind)}
        return {n: DOTS if any(k in n.casefold() for k in kinds) else v for n, v in found.items()}

    def _hides_any(self, kind: str) -> bool:
        """Whether a hidden field is called, typed or anywhere read as a name, or as an address."""
        if self.entity is None:
            return not self.engine.shows_sensitive
        systems = self.entity.systems.values()
        for field in self.entity.fields.values():
            rules = [system.rules[field.name] for system in systems if field.name in system.rules]
            words = {field.name, field.type, *(root for rule in rules for root in rule.roots)}
            if self.hides(field.name) and any(kind in word.casefold() for word in words):
                return True
        return False

    def secrets(
        self, system: System | None = None, record: Record | None = None, link: Link | None = None,
        operation: Operation | None = None, evidence: Mapping[str, Json] | None = None,
    ) -> list[Json]:  # fmt: skip
        """The hidden values that a text about these things may contain."""
        found: list[Json] = []
        for values in (record and record.values, operation and operation.carried,
                       operation and operation.expected, link and link.base.canonical,
                       link and link.base.vendor):  # fmt: skip
            found += [value for name, value in (values or {}).items() if self.hides(name)]
        given = evidence or {}
        sides: Mapping[str, Mapping[str, Json]] = given.get("fields", {})
        found += [v for name, of in sides.items() if self.hides(name) for v in of.values()]
        for row in (link and link.row, given.get("row")):
            found += self._of_row(system, row or {})
        for body in (operation and operation.body, given.get("body")):
            found += [v for path, v in (body or {}).items() if self.at(system, path, v) == DOTS]
        return found

    def _of_row(self, system: System | None, row: Mapping[str, Json]) -> Iterator[Json]:
        for name, rule in system.rules.items() if system is not None else ():
            if self.hides(name):
                yield rule.extract(row)
                yield from (row[root] for root in rule.roots if root in row)
        told = self.labels(system, row) if system is not None else {}
        yield from (row[name] for name, shown in told.items() if shown == DOTS)


def mask(engine: Engine, entity: Entity | str | None) -> Mask:
    """The mask of an entity, given as it is or by its name."""
    found = engine.project.entities.get(entity) if isinstance(entity, str) else entity
    return Mask(engine, found)


def shown_id(engine: Engine, connection: str, resource: str, external_id: str | None) -> str | None:
    """An external id as it is shown: without those of its parts that say what is hidden (``17,2026-11-15,•••``)."""
    if engine.shows_sensitive or not external_id:
        return external_id
    for entity, system in engine.project.systems_of(connection, resource):
        at = Mask(engine, entity)
        hidden = {r for n, rule in system.rules.items() if at.hides(n) for r in rule.roots}
        names = system.resource.id_fields
        if _speaks(at, system):
            return DOTS
        if hidden & set(system.resource.id_tail) and "@" in external_id:
            external_id = f"{external_id.partition('@')[0]}@{DOTS}"
        if hidden & set(names):
            before, slash, own = external_id.rpartition("/")
            parts = own.split(",")
            if len(parts) != len(names):
                return DOTS
            kept = (DOTS if n in hidden else p for n, p in zip(names, parts, strict=True))
            external_id = before + slash + ",".join(kept)
    return external_id


def _speaks(at: Mask, system: System) -> bool:
    """Whether the ids chosen by us are made of a hidden field."""
    names = system.key.names if system.key is not None else ()
    fields = {name.partition(".")[0] for name in names} & set(at.entity.fields if at.entity else ())
    return any(at.hides(name) for name in fields)


def without(text: str, secrets: Iterable[Json]) -> str:
    """A text for people with dots in place of these values: as they are, spelled differently, or as a word of them."""
    texts = {said for value in secrets for said in _said(value)}
    if not texts or not text:
        return text
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    for said in sorted(texts, key=len, reverse=True):
        pattern = rf"(?<!\w){re.escape(said)}(?!\w)"
        text = re.sub(pattern, DOTS, text, flags=re.IGNORECASE)
    words = {w.casefold() for said in texts for w in _WORDS.findall(said) if len(w) >= WORD}
    return _WORDS.sub(
        lambda found: DOTS if _is_part(found[0].casefold(), words) else found[0], text
    )


def _is_part(word: str, words: set[str]) -> bool:
    return len(word) >= WORD and any(secret.startswith(word) for secret in words)


def _said(value: Json) -> Iterator[str]:
    """How a value may be spelled in a text. Yes and no are not hidden in texts: they would hide every one."""
    if isinstance(value, Mapping):
        yield from (said for item in value.values() for said in _said(item))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (said for item in value for said in _said(item))
    elif isinstance(value, float | int) and not isinstance(value, bool):
        yield from _number(value)
    elif isinstance(value, str) and value is not ABSENT and value.strip():
        text = value.strip()
        yield from (text, quote(text, safe=""), quote(text), html.escape(text))
        yield from _date(text)


def _number(value: float) -> Iterator[str]:
    for text in (str(value), f"{value:g}", f"{value:.2f}", f"{value:,.2f}", f"{value:,.0f}"):
        yield text
        yield text.translate(str.maketrans(",.", ".,"))


def _date(text: str) -> Iterator[str]:
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return
    y, m, d = day.year, day.month, day.day
    yield day.isoformat()
    for sign in ("-", ".", "/", " "):
        for parts in ((y, m, d), (d, m, y), (m, d, y), (d, m, y % 100)):
            yield sign.join(map(str, parts))
            yield sign.join(f"{part:02}" for part in parts)
    yield f"{y}{m:02}{d:02}"
