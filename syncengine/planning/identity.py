"""Correlation: identity keys of rows and records, and to which record an untied row belongs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncengine.errors import RowInvalid
from syncengine.mapping import Context, Entity, System, Unresolved
from syncengine.model.case import IDENTITY, Case, CaseKind
from syncengine.model.condition import Condition, OperationSettled, PlaceFree, RecordAt, RowTied
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import LIVE, Base, Link, LinkState, Wait
from syncengine.model.operation import Operation, OperationState
from syncengine.model.record import Record, World
from syncengine.model.ref import Ref
from syncengine.model.spelling import folded
from syncengine.model.values import ABSENT, Json, as_list, is_empty
from syncengine.planning.likeness import Likes, row_likes
from syncengine.planning.questions import one, shown
from syncengine.planning.settle import inherited_base

Parts = tuple[Json, ...]
AT_VENDOR = (LinkState.LINKED, LinkState.LEFT)
"""States in which a record has a row."""


@dataclass(frozen=True, slots=True)
class RowKeys:
    """The identity keys of a row: scope (``person:0``) -> parts, in the order of the mapping's rules. ``wait``: a rule
    needs a row that is not linked yet. ``invalid``: an identity value that does not fit. ``likes``: keys by which it
    may resemble a record."""

    parts: Mapping[str, Parts]
    wait: Wait | None = None
    invalid: RowInvalid | None = None
    likes: Likes = field(default_factory=dict)


def key_scope(entity: str, connection: str) -> str:
    """Scope of keys for external ids that we choose ourselves in a connection."""
    return f"{entity}:key:{connection}"


def scopes(entity: Entity) -> list[str]:
    """Scopes of all identity keys that a record may bear."""
    chosen = [key_scope(entity.name, s.connection) for s in entity.systems.values() if s.key]
    return [f"{entity.name}:{number}" for number in range(len(entity.identity))] + chosen


def renames(entity: Entity, moved: Collection[str]) -> bool:
    """Whether one of the changed fields is part of an identity."""
    return any(name in moved for names in entity.identity for name in names)


def row_keys(entity: Entity, system: System, link: Link, context: Context) -> RowKeys:
    """The identity keys of a row. A rule of the mapping with an empty value or a field that is not mapped gives
    none."""
    found: dict[str, Parts] = {}
    wait: Wait | None = None
    misfit: RowInvalid | None = None
    if system.key is not None and link.external_id is not None:
        found[key_scope(entity.name, system.connection)] = (link.external_id,)
    for number, names in enumerate(entity.identity):
        try:
            parts = tuple(folded(_identity_value(system, link, name, context)) for name in names)
        except Unresolved as unresolved:
            wait = wait or unresolved.wait
            continue
        except RowInvalid as invalid:
            misfit = misfit or invalid
            continue
        if not any(is_empty(part) for part in parts):
            found[f"{entity.name}:{number}"] = parts
    return RowKeys(found, wait, misfit, row_likes(entity, system, link, context))


def _identity_value(system: System, link: Link, name: str, context: Context) -> Json:
    rule = system.rules.get(name)
    raw = ABSENT if rule is None or link.row is None else rule.extract(link.row)
    return None if rule is None or raw is ABSENT else rule.decode(raw, context)


def shown_keys(keys: RowKeys, link: Link) -> list[Key]:
    """The keys of an untied row as stored, so that rows with the same identity are found."""
    place = f"{link.connection}/{link.resource}"
    shown = [*keys.parts.items(), *((s, p) for s, of in keys.likes.items() for p in of)]
    return [Key(KeyKind.ROW, f"{place}/{s}", p, link.id) for s, p in shown]


def record_keys(entity: Entity, record: Record, world: World) -> list[Key]:
    """All unique identity keys of a live record."""
    if record.deleted:
        return []
    keys = []
    for number, names in enumerate(entity.identity):
        parts = tuple(folded(record.values.get(name)) for name in names)
        if not any(is_empty(part) for part in parts):
            keys.append(Key(KeyKind.RECORD, f"{entity.name}:{number}", parts, record.id))
    for system in entity.systems.values():
        if system.key is not None:
            chosen = system.key.on_record(record, world)
            if not is_empty(chosen):
                scope = key_scope(entity.name, system.connection)
                keys.append(Key(KeyKind.RECORD, scope, (str(chosen),), record.id))
    return keys


def former_keys(entity: Entity, record: Record, world: World) -> list[Key]:
    """The identity keys of a deleted record, not unique, by which its rows and successors are found."""
    keys = record_keys(entity, replace(record, deleted=False), world)
    return [replace(key, kind=KeyKind.FORMER) for key in keys]


def row_keys_of(entity: Entity, keys: Iterable[Key]) -> list[Key]:
    """The row keys, one for each system, that a row with the identity of these record keys would have."""
    return [
        Key(KeyKind.ROW, f"{s.connection}/{s.resource.name}/{key.scope}", key.parts, "")
        for key in keys
        for s in entity.systems.values()
    ]


def uses(entity: Entity, record: Record) -> list[Key]:
    """Keys for the records that this one refers to, if expressions of the entity follow refs."""
    if record.deleted or not entity.depth:
        return []
    named = {
        target
        for name, declared in entity.fields.items()
        if declared.is_ref
        for target in as_list(record.values.get(name))
    }
    return [Key(KeyKind.USES, "", (target,), record.id) for target in sorted(named)]


@dataclass(frozen=True, slots=True)
class Hits:
    """What the keys of an untied row match. ``records``: scope -> ids of live records with that key. ``rows``: scope ->
    other links of the same resource that show it. ``links``: record id -> its links. ``operations``: link id ->
    unsettled operation. ``alike``: ids of records that it resembles. ``made``: our newest create for this external
    id."""

    records: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    links: Mapping[str, Sequence[Link]] = field(default_factory=dict)
    operations: Mapping[str, Operation] = field(default_factory=dict)
    alike: Sequence[str] = ()
    made: Operation | None = None


@dataclass(frozen=True, slots=True)
class Correlation:
    """What is decided about an untied row. ``link``: after the decision. ``record``: a new record, if one is made.
    ``absorbed``: links that it replaces. ``cancelled``: operations that are no longer needed. ``ask``: the question, if
    unsure. ``replaces_row``: the record had another row there before. ``about``: keys that the question concerns and
    the row itself does not show."""

    link: Link
    record: Record | None = None
    absorbed: tuple[str, ...] = ()
    cancelled: tuple[Operation, ...] = ()
    ask: Case | None = None
    replaces_row: bool = False
    about: tuple[Key, ...] = ()


def correlate(
    entity: Entity, system: System, link: Link, keys: RowKeys, hits: Hits, context: Context
) -> Correlation:
    """Decide to which record an untied row belongs. Exactly one match ties it; anything unsure becomes a question."""
    calm = link.at_rest().tied(wait=None)
    made = hits.made
    if made is not None and made.state in (OperationState.CLAIMED, OperationState.UNKNOWN):
        return Correlation(
            calm.tied(wait=Wait(OperationSettled(made.id), "our own create under way"))
        )
    for scope, parts in keys.parts.items():
        found = tuple(dict.fromkeys(hits.records.get(scope, ())))
        sharers = tuple(hits.rows.get(scope, ()))
        if len(found) > 1 or (sharers and (found or system.creates_in)):
            makes = _makes(entity, system, calm, context)
            case = ask(entity, link, parts, found, sharers, hits.links, makes)
            return Correlation(calm, ask=case)
        if found:
            return _tie(entity, system, calm, found[0], parts, hits, context)
    if keys.wait is not None:
        return Correlation(calm.tied(wait=keys.wait))
    if system.creates_in:
        return make_record(entity, system, calm, context)
    if keys.invalid is not None:
        return Correlation(calm, ask=quarantine(entity, link, "identity", keys.invalid))
    alike = [
        r for r in hits.alike if system.creates_out or not has_row(hits.links.get(r, ()), link)
    ]
    if alike:
        return Correlation(calm, ask=ask_alike(entity, system, calm, keys, alike, hits, context))
    return Correlation(calm)


def has_row(links: Sequence[Link], there: Link) -> bool:
    """Whether a record with these links has, or had until a person decides, a row in the connection and resource of
    another link."""
    place = (there.connection, there.resource)
    return any(k.state in LIVE and (k.connection, k.resource) == place for k in links)


def _tie(
    entity: Entity, system: System, link: Link, record_id: str, parts: Parts, hits: Hits,
    context: Context,
) -> Correlation:  # fmt: skip
    here = (system.connection, system.resource.name)
    rivals = [k for k in hits.links.get(record_id, ()) if (k.connection, k.resource) == here]
    absorbed, cancelled = [], []
    for rival in rivals:
        operation = hits.operations.get(rival.id)
        if rival.state in (LinkState.CREATING, LinkState.WAITING):
            if operation is not None and operation.state is not OperationState.PENDING:
                wait = Wait(OperationSettled(operation.id), "our own create under way")
                return Correlation(link.tied(wait=wait))
            absorbed.append(rival.id)
            if operation is not None:
                cancelled.append(replace(operation, state=OperationState.CANCELLED))
        elif rival.state is LinkState.MISSING:
            absorbed.append(rival.id)
        elif rival.state in LIVE and rival.row is None and rival.dirty and not rival.need_get:
            what = f"a row of {system.connection} that is gone to be let go"
            return Correlation(link.tied(wait=Wait(place_free(rival), what)))
        elif rival.state in LIVE or rival.state is LinkState.UNLINKED:
            makes = _makes(entity, system, link, context)
            case = ask(entity, link, parts, (record_id,), (rival.id,), hits.links, makes)
            return Correlation(link, ask=case)
    base = link.base if hits.made is None else inherited_base(system, hits.made)
    tied = link.tied(record_id=record_id, state=LinkState.LINKED, base=base).at_rest().woken()
    replaces_row = any(k.external_id is not None or k.row_version > 0 for k in rivals)
    return Correlation(tied, None, tuple(absorbed), tuple(cancelled), replaces_row=replaces_row)


def place_free(link: Link) -> PlaceFree:
    """What links wait for that are to get this link's row or place."""
    return PlaceFree(Ref(link.connection, link.resource, str(link.external_id)))


def conditions_met(link: Link) -> frozenset[Condition]:
    """The conditions that come true when this row is tied to its record."""
    row = Ref(link.connection, link.resource, str(link.external_id))
    return frozenset({RowTied(row), RecordAt(str(link.record_id), link.connection)})


def to_create(link: Link) -> Link:
    """A link in state ``creating``, for a row that is to be created (again)."""
    return link.mirrored(external_id=None, row=None, need_get=False, failures=0).tied(
        state=LinkState.CREATING
    )


def waits_for(link: Link, holder: Link) -> Link:
    """A link in state ``waiting``: the row that it should create is held by another link."""
    what = f"a row of {holder.connection} that another record holds"
    return link.tied(state=LinkState.WAITING, wait=Wait(place_free(holder), what))


def make_record(entity: Entity, system: System, link: Link, context: Context) -> Correlation:
    """A new record made of a row; a link that waits if a required field has no value yet."""
    if link.row is None:
        return Correlation(link)
    values: dict[str, Json] = {}
    stamps: dict[str, int] = {}
    for name, rule in system.rules.items():
        raw = rule.extract(link.row)
        if not rule.reads or raw is ABSENT or rule.field.formula is not None:
            continue
        try:
            value = rule.decode(raw, context)
        except Unresolved as unresolved:
            if rule.field.required:
                return Correlation(link.tied(wait=unresolved.wait))
            continue
        except RowInvalid as invalid:
            return Correlation(link, ask=quarantine(entity, link, name, invalid))
        if not is_empty(value):
            values[name] = value
            stamps[name] = link.stamps.get(name, 0)
    values = with_defaults(entity, values)
    missing = lacking(entity, values)
    if missing:
        return Correlation(link.tied(wait=Wait(None, f"{missing[0]} in {link.connection}")))
    record = Record(id="", entity=entity.name, values=values, stamps=stamps)
    tied = link.tied(state=LinkState.LINKED, base=Base()).at_rest().woken()
    return Correlation(tied, record)


def with_defaults(entity: Entity, values: Mapping[str, Json]) -> dict[str, Json]:
    """The values of a new record, with defaults for fields that no system gave."""
    full = {n: f.default for n, f in entity.fields.items() if f.default is not None}
    return {**full, **values}


def lacking(entity: Entity, values: Mapping[str, Json]) -> list[str]:
    """Required fields for which a new record has no value."""
    return [n for n, f in entity.fields.items() if f.required and is_empty(values.get(n))]


def quarantine(entity: Entity, link: Link, name: str, invalid: RowInvalid) -> Case:
    """The case about a row with a value that does not fit."""
    return Case(
        id="",
        kind=CaseKind.QUARANTINED,
        subject=f"quarantined:{link.id}",
        question=f"A row of {link.connection} {link.resource} does not fit: {invalid}",
        evidence={
            "field": name,
            "found": shown(invalid.evidence),
            "external_id": link.external_id,
        },
        answers={"retry": "read the row again and go on"},
        entity=entity.name,
        link_id=link.id,
        record_id=link.record_id,
    )


def identity_subject(link: Link) -> str:
    """Subject of the case about which record a row belongs to."""
    return f"{IDENTITY}{link.id}"


def _makes(entity: Entity, system: System, link: Link, context: Context) -> bool:
    """Whether a record can be made of a row as it is."""
    return make_record(entity, system, link, context).record is not None


def answers_of(
    link: Link, records: Sequence[str], links: Mapping[str, Sequence[Link]], makes: bool
) -> dict[str, str]:
    """The possible answers about which record a row belongs to: a record without a row there, or one whose row is
    replaced. ``links``: record id -> its links. ``makes``: a new record can be made of the row."""
    answers, here = {}, (link.connection, link.resource)
    for record_id in records:
        rows = [
            k.external_id for k in links.get(record_id, ())
            if k.state in AT_VENDOR and (k.connection, k.resource) == here
        ]  # fmt: skip
        if rows:
            answers[f"replace {record_id}"] = (
                f"this row belongs to {record_id}; {link.connection} {rows[0]}, linked until now, is left alone"
            )
        else:
            answers[f"link {record_id}"] = f"this row belongs to {record_id}"
    if makes:
        answers["new"] = "it is someone new: make a record of its own"
    return {**answers, "ignore": "leave the row alone"}


def ask(
    entity: Entity, link: Link, parts: Parts, records: Sequence[str], rows: Sequence[str],
    links: Mapping[str, Sequence[Link]], makes: bool,
) -> Case:  # fmt: skip
    """The case about which record a row belongs to. ``parts``: the identity that it shares with ``records`` and
    ``rows``; the rest as in ``answers_of``."""
    return Case(
        id="",
        kind=CaseKind.IDENTITY,
        subject=identity_subject(link),
        question=f"To which {entity.name} does this row of {link.connection} {link.resource} belong?",
        evidence={
            "external_id": link.external_id,
            "row": dict(link.row or {}),
            "shared": list(parts),
            "records": list(records),
            "rows": list(rows),
        },
        answers=answers_of(link, records, links, makes),
        entity=entity.name,
        link_id=link.id,
    )


def ask_alike(
    entity: Entity, system: System, link: Link, keys: RowKeys, alike: Sequence[str], hits: Hits,
    context: Context,
) -> Case:  # fmt: skip
    """The case about a row that matches no identity but resembles one or more records."""
    makes = _makes(entity, system, link, context)
    case = ask(entity, link, (), alike, (), hits.links, makes)
    what = f"of {link.connection} {link.resource} shows nobody's identity, but the name or an address of"
    return replace(
        case,
        question=f"This row {what} {one(entity.name)}: is it the same?",
        evidence={**case.evidence, "alike": [list(p) for of in keys.likes.values() for p in of]},
    )
