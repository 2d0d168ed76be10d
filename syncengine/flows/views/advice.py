"""What a question says besides its evidence: why it is asked, what is the same, what to correct where, what will
follow."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from syncengine.flows.core.engine import Engine
from syncengine.flows.naming.masking import DOTS
from syncengine.flows.views.standing_text import duration
from syncengine.mapping import Entity
from syncengine.model.case import CaseKind
from syncengine.model.erasure import KEEP_OUT
from syncengine.planning.likeness import like_fields

Document = dict[str, Any]

FOLLOWS = (
    "Nothing is written at once: the next sync carries the answer on, a running service within seconds. It is kept with"
    " its author and reason."
)


def advice(engine: Engine, case: Mapping[str, Any]) -> Document:
    """Of the document of an open case. ``same``, ``differ``: fields that all sides, or not all, have alike; ``shared``:
    those of the same by which one thing is known, where that is why it asks; ``alike``: where nothing is, those by
    which the sides resemble each other; ``why``, ``correct``, ``then``: sentences."""
    same, differ = compared(case["sides"])
    kind = CaseKind(case["kind"])
    return {
        "same": same,
        "differ": differ,
        "shared": (shared := _shared(engine, kind, case, same)),
        "alike": [] if shared else _alike(engine, kind, case),
        "why": _why(engine, kind, case, same),
        "correct": _correct(engine, kind, case, same),
        "then": FOLLOWS,
    }


def _shared(
    engine: Engine, kind: CaseKind, case: Mapping[str, Any], same: Sequence[str]
) -> list[str]:
    entity = engine.project.entities.get(case["entity"])
    if entity is None or kind is not CaseKind.IDENTITY:
        return []
    return _identifying(entity, same) or _partly(entity, case["sides"])


def _alike(engine: Engine, kind: CaseKind, case: Mapping[str, Any]) -> list[str]:
    """The fields of names and addresses whose words all sides show, in whichever field."""
    entity = engine.project.entities.get(case["entity"])
    if entity is None or kind is not CaseKind.IDENTITY or len(case["sides"]) < 2:
        return []
    near = like_fields(entity)
    sides = [
        {n: _words(v) for n, v in side["values"].items() if n in near} for side in case["sides"]
    ]
    shown = [set[str]().union(*side.values()) for side in sides]
    common = set.intersection(*shown)
    found = (name for side in sides for name, words in side.items() if words and words <= common)
    return list(dict.fromkeys(found))


def _words(value: Any) -> set[str]:
    """An address is one word; what is covered has none."""
    text = unicodedata.normalize("NFKC", _plain(value or ""))
    return {text} if "@" in text else set(re.findall(r"[^\W_]+", text.replace(DOTS, "")))


def _partly(entity: Entity, sides: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields by which the row in question is known as one of the sides, where these are not the same on all."""
    first, *others = sides or [{}]
    alike = [compared([first, other])[0] for other in others]
    return list(dict.fromkeys(name for same in alike for name in _identifying(entity, same)))


def compared(sides: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Fields of two or more sides that have the same value, and those that have not; what is covered is neither."""
    same, differ = list[str](), list[str]()
    for name in dict.fromkeys(n for side in sides for n in side["values"]):
        values = [side["values"][name] for side in sides if name in side["values"]]
        given = [_plain(value) for value in values if value not in (None, "", [])]
        if len(values) < 2 or DOTS in given or not given:
            continue
        alike = len(given) == len(values) and len(set(given)) == 1
        (same if alike else differ).append(name)
    return same, differ


def _plain(value: Any) -> str:
    return str(value).strip().casefold()


def _why(engine: Engine, kind: CaseKind, case: Mapping[str, Any], same: Sequence[str]) -> str:
    entity = engine.project.entities.get(case["entity"])
    fields = entity.fields if entity else {}
    asked = _fields(case)
    match kind:
        case CaseKind.IDENTITY if KEEP_OUT in case["answers"]:
            return ""
        case CaseKind.IDENTITY if entity is not None:
            where = f"{entity.position.file}: identity"
            known = f"One {entity.name} is known by {_keys(entity)} ({where})."
            shared = _identifying(entity, same)
            if shared:
                return f"{known} {_and(shared)} {_is(shared)} the same here, and that belongs to one alone."
            partly = _partly(entity, case["sides"])
            if partly:
                return f"{known} {_and(partly)} {_is(partly)} the same on some sides, and that belongs to one alone."
            return f"{known} Nothing of that is the same here, but {_and(same)}." if same else known
        case CaseKind.CONFLICT if "delete" in case["answers"]:
            return (
                "A delete would take with it what was entered there, and what nobody has looked at."
            )
        case CaseKind.CONFLICT if asked and entity is not None:
            rules = _and([f"{n} ({fields[n].position})" for n in asked if n in fields])
            return f"No rule decides about {rules}: it has no owner there, and on_conflict asks."
        case CaseKind.DRIFT:
            rules = _and([f"{n} ({fields[n].position})" for n in asked if n in fields])
            return f"A value counts where its owner shows it: {rules}."
        case CaseKind.MISSING:
            return "The row was there, and reads that count show it no more; on_missing leaves it to you."
        case CaseKind.STAGED if entity is not None:
            span = duration(entity.safety.window)
            place = entity.position.file
            return f"So many within {span} may be a mistake, those that are written included: safety ({place})."
        case CaseKind.UNKNOWN:
            return "The answer to the write was lost, and nothing that can be read tells what became of it."
        case CaseKind.REJECTED:
            return "The same write would be refused, or not be done, again and again."
        case CaseKind.QUARANTINED:
            return (
                "The row does not fit what the mapping says of it, so nothing is concluded from it."
            )
    return ""


def _correct(engine: Engine, kind: CaseKind, case: Mapping[str, Any], same: Sequence[str]) -> str:
    """Where the matter itself can be put right, so that the question ends without an answer."""
    there = (
        " ".join(part for part in (case["connection"], case["external_id"]) if part) or "the vendor"
    )
    ends = "the question ends by itself once that is read."
    match kind:
        case CaseKind.IDENTITY if KEEP_OUT in case["answers"]:
            return f"If it is to be gone, have it deleted in {there}, too; the row is kept out until then."
        case CaseKind.IDENTITY:
            entity = engine.project.entities.get(case["entity"])
            shared = _identifying(entity, same) if entity else []
            if shared:
                wrong = f"If these are two, {_and(shared)} {_is(shared)} wrong on one side"
                return f"{wrong}: correct it there; {ends}"
            keys = _keys(entity) if entity else "what identifies it"
            return f"If they are one, enter {keys} on all sides; {ends}"
        case CaseKind.CONFLICT if "delete" in case["answers"]:
            return ""
        case CaseKind.CONFLICT | CaseKind.DRIFT:
            return f"Or enter the right value of {_and(_fields(case)) or 'it'} on all sides; {ends}"
        case CaseKind.MISSING:
            return f"If it was deleted by mistake, bring it back in {case['connection'] or there}; {ends}"
        case CaseKind.STAGED:
            connection = case["connection"] or "the connection"
            return f"If it is not meant, pause {connection} and correct the mapping or the rows; it shrinks by itself."
        case CaseKind.UNKNOWN:
            return f"Look in {there} whether it is there."
        case CaseKind.REJECTED:
            owners = _owners(engine, case)
            return (
                f"If the value is wrong, correct it {owners}; if {there} must take it, have it allowed there, then"
                " answer retry."
            )
        case CaseKind.QUARANTINED:
            return f"Correct the row in {there}, or the mapping; {ends}"
    return ""


def _identifying(entity: Entity, same: Sequence[str]) -> list[str]:
    """Those of these fields that are part of an identity of which all are among them."""
    groups = [group for group in entity.identity if set(group) <= set(same)]
    return list(dict.fromkeys(name for group in groups for name in group))


def _keys(entity: Entity) -> str:
    return " or ".join(" with ".join(group) for group in entity.identity)


def _is(words: Sequence[str]) -> str:
    return "is" if len(words) == 1 else "are"


def _owners(engine: Engine, case: Mapping[str, Any]) -> str:
    entity = engine.project.entities.get(case["entity"])
    owners = {
        field.owner.source
        for field in (entity.fields.values() if entity else ())
        if field.owner is not None and field.owner.source in engine.project.connections
    }
    return f"where it is owned ({_and(sorted(owners))})" if owners else "where it was entered"


def _fields(case: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(name for side in case["sides"] for name in side["values"]))


def _and(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
