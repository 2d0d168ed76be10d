"""Identifying words: values that tell who a person is, and whether a text contains them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from syncengine.flows.core.engine import Engine
from syncengine.flows.naming.masking import without
from syncengine.flows.naming.names import Names
from syncengine.mapping import Entity
from syncengine.model.record import Record
from syncengine.model.values import is_empty

SHORTEST = 3
"""Characters of what says who somebody is."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class IdentifyingWords:
    """Words by which a person can be recognised. ``alone``: values that identify her by themselves, such as an address
    or a number. ``names``: the words of each of her names."""

    alone: frozenset[str] = frozenset()
    names: frozenset[tuple[str, ...]] = frozenset()

    def hinted(self, text: str) -> bool:
        """Whether a text may point at her, if only by one word of a name."""
        words = {word for name in self.names for word in name}
        return any(_holds(text, part) for part in self.alone | words)

    def said(self, text: str) -> bool:
        """Whether a text identifies her for certain: not only by one word that others may be called, too."""
        return any(_holds(text, part) for part in self.alone) or any(
            len(name) > 1 and all(_holds(text, word) for word in name) for name in self.names
        )

    def without(self, text: str) -> str:
        """The text with dots in place of identifying words, if it contains any."""
        if not text or not self.said(text):
            return text
        words = {word for name in self.names for word in name}
        return without(_plain(text), sorted(self.alone | words))


def identifying(engine: Engine, called: Names, records: Iterable[Record]) -> IdentifyingWords:
    """The words that identify these records, sensitive values included: identity, addresses, and names."""
    alone, names = set[str](), set[tuple[str, ...]]()
    for record in records:
        entity = engine.project.entities.get(record.entity)
        alone |= {v for v in record.values.values() if isinstance(v, str) and "@" in v}
        alone |= _identity(entity, record) if entity is not None else set()
        spelled = [called.of(record.id, alone=True), *(_names(entity, record) if entity else ())]
        names |= {tuple(_WORD.findall(_plain(text))) for text in spelled}
    return IdentifyingWords(frozenset(alone), frozenset(names))


def _identity(entity: Entity, record: Record) -> set[str]:
    found = (record.values.get(names[0]) for names in entity.identity if len(names) == 1)
    return {str(value) for value in found if not is_empty(value)}


def _names(entity: Entity, record: Record) -> list[str]:
    """The name as it has to be given, whether it may be seen or not."""
    texts = [f.name for f in entity.fields.values() if f.required and f.type in ("string", "text")]
    return [" ".join(str(v) for n in texts if not is_empty(v := record.values.get(n)))]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _holds(text: str, part: str) -> bool:
    text, part = _plain(text).casefold(), _plain(part).casefold()
    if len(part) < SHORTEST or part not in text:
        return False
    return "@" in part or bool(re.search(rf"(?<!\w){re.escape(part)}(?!\w)", text))
