"""Likeness: resemblance by name or address between a row and records, without a shared identity. It ties nothing; a
person is asked.

Two things are alike if both have the same whole name, of two words or more in any order and letter case, or an address
in common, in whichever field. The name of a record is made of its required texts; that of a row of what it shows of
these, or of well-known name fields.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from syncengine.errors import RowInvalid
from syncengine.mapping import Context, Entity, System, Unresolved
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link
from syncengine.model.record import Record
from syncengine.model.values import ABSENT, Json, is_empty

NAMES = (("first_name", "last_name"), ("firstName", "lastName"), ("name",))
"""Fields of rows, beside those of the mapping, that make up a whole name."""
ADDRESS = "email"
_WORD = re.compile(r"[^\W_]+")

Likes = Mapping[str, tuple[tuple[Json, ...], ...]]
"""Scope -> what others may share under it."""


def name_scope(entity: str) -> str:
    """Scope of whole names."""
    return f"{entity}~name"


def address_scope(entity: str) -> str:
    """Scope of addresses."""
    return f"{entity}~address"


def _naming(entity: Entity) -> list[str]:
    """The fields of which a name is made: required texts that are not an identity by themselves."""
    alone = {names[0] for names in entity.identity if len(names) == 1}
    return [
        name for name, declared in entity.fields.items()
        if declared.required and declared.type in ("string", "text") and name not in alone
    ]  # fmt: skip


def _addresses(entity: Entity) -> list[str]:
    return [name for name, declared in entity.fields.items() if declared.type == "email"]


def _likes(entity: Entity, texts: Iterable[Json], addresses: Iterable[Json]) -> Likes:
    whole = unicodedata.normalize("NFKC", " ".join(str(t) for t in texts if not is_empty(t)))
    words = sorted(_WORD.findall(whole.casefold()))
    found = {str(a).strip().casefold() for a in addresses if not is_empty(a)}
    return {
        name_scope(entity.name): ((" ".join(words),),) if len(words) > 1 else (),
        address_scope(entity.name): tuple((a,) for a in sorted(found) if "@" in a),
    }


def like_fields(entity: Entity) -> set[str]:
    """The fields, of records and of rows, that a likeness is about."""
    return {*_naming(entity), *_addresses(entity), *(n for names in NAMES for n in names), ADDRESS}


def record_likes(entity: Entity, record: Record) -> list[Key]:
    """Keys by which rows may resemble a live record."""
    values, naming = record.values, _naming(entity)
    if record.deleted or not naming:
        return []
    addresses = (values.get(name) for name in _addresses(entity))
    likes = _likes(entity, [values.get(name) for name in naming], addresses)
    return [Key(KeyKind.LIKE, scope, p, record.id) for scope, of in likes.items() for p in of]


def row_likes(entity: Entity, system: System, link: Link, context: Context) -> Likes:
    """Keys by which an untied row may resemble a record."""
    naming, row = _naming(entity), link.row
    if not naming or row is None:
        return {}
    shown = dict(_shown(system, link, context, [*naming, *_addresses(entity)]))
    texts = [shown.get(name) for name in naming]
    if all(is_empty(text) for text in texts):
        known = ([row.get(name) for name in names] for names in NAMES)
        texts = next((found for found in known if not any(map(is_empty, found))), [])
    addresses = [shown.get(name) for name in _addresses(entity)]
    return _likes(entity, texts, [*addresses, row.get(ADDRESS)])


def _shown(
    system: System, link: Link, context: Context, names: Iterable[str]
) -> Iterator[tuple[str, Json]]:
    """What the row shows of these fields, in our terms; what does not fit is nothing."""
    for name in names:
        rule = system.rules.get(name)
        raw = ABSENT if rule is None or link.row is None else rule.extract(link.row)
        if rule is None or raw is ABSENT:
            continue
        try:
            yield name, rule.decode(raw, context)
        except (RowInvalid, Unresolved):
            continue
