"""Rows of erased persons: they are not stored again, however often vendors show them; a person is asked once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from syncengine.flows.core.engine import Engine, new_id
from syncengine.flows.naming.mentions import bound
from syncengine.ledger import Transaction
from syncengine.mapping import Context, Entity, System
from syncengine.model.case import Case, CaseKind
from syncengine.model.changeset import Changeset
from syncengine.model.erasure import ERASED, KEEP_OUT, TAKE_IN, Erasure
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link
from syncengine.model.record import World
from syncengine.model.ref import Ref
from syncengine.model.values import Row
from syncengine.planning.identity import Parts, row_keys
from syncengine.planning.observation import mapped, new_link, roots
from syncengine.planning.questions import one, sentence

IN_THE_WAY = (
    "the row that a search shows is of somebody who was erased: delete it there and retry, or answer what is "
    "asked about the erasure"
)
"""Why a create is not sent, and its row not taken over."""


def place_key(entity: str, ref: Ref, erasure: str = "") -> Key:
    """The key by which a row of an erased person is recognised."""
    scope = f"row:{entity}:{ref.connection}/{ref.resource}"
    return Key(KeyKind.ERASED, scope, (ref.external_id,), erasure)


def is_erased(tx: Transaction, link: Link, external_id: str) -> bool:
    """Whether a row at this place is known as one of an erased person."""
    ref = Ref(link.connection, link.resource, external_id)
    return bool(tx.key_owners([place_key(link.entity, ref)]))


def withhold_erased(
    engine: Engine, tx: Transaction, entity: Entity, system: System, links: Sequence[Link]
) -> set[str]:
    """Ids of those of these untied rows that belong to an erased person: the row was known, shows her identity, or
    requires one of her rows. None of them is stored; a person is asked whether she is to be taken in as new. A row
    without a usable id is recognised by what it shows."""
    known = [(k, [*_known_by(engine, entity, system, k)]) for k in links]
    asked = [key for _, keys in known for key in keys]
    found = tx.key_owners(asked) if asked else {}
    back: dict[str, str] = {}
    fresh: set[str] = set()
    held: set[str] = set()
    for link, keys in known:
        owners = [o for k in keys for o in found.get((k.kind.value, k.scope, k.parts), ())]
        if owners:
            held.add(link.id)
            external_id = link.external_id or ""
            back[external_id] = owners[0]
            place = place_key(entity.name, link.ref) if external_id else None
            if place and (place.kind.value, place.scope, place.parts) not in found:
                fresh.add(external_id)
    if back:
        here = (system.connection, system.resource.name)
        cases = list[Case]()
        for erasure in tx.erasures(set(back.values())):
            shown = {x for x, owner in back.items() if owner == erasure.id}
            cases += _asked(engine, tx, erasure, _to_ask(entity, here, erasure, shown, fresh))
        keys = [place_key(entity.name, Ref(*here, x), back[x]) for x in sorted(fresh)]
        tx.write(Changeset(keys=keys, raised=cases))
    return held


def shown_by(engine: Engine, case: Case) -> Iterator[tuple[str, Parts]]:
    """The keys (scope and parts) of the row in a case about a part of a listing."""
    row = case.evidence.get("row")
    if (
        case.kind is not CaseKind.QUARANTINED
        or case.link_id is not None
        or not isinstance(row, dict)
    ):
        return
    connection, resource = case.subject.removeprefix("quarantined:").split("/")[:2]
    for entity, system in engine.project.systems_of(connection, resource):
        link = unfit(entity, system, "", str(case.evidence.get("external_id") or ""), None, row)
        yield from ((key.scope, key.parts) for key in _known_by(engine, entity, system, link))


def unfit(
    entity: Entity, system: System, link_id: str, external_id: str, parent: str | None, row: Row
) -> Link:
    """The link of a row that does not fit, as it would be stored if it did."""
    link = new_link(link_id, entity.name, system, external_id or None, parent)
    return link.mirrored(row=mapped(row, roots(system)))


def _to_ask(
    entity: Entity, here: tuple[str, str], erasure: Erasure, shown: set[str], fresh: set[str]
) -> list[list[str]]:
    """The places that a person is asked about. Once she is kept out, only a row of hers that was never seen is news. Of
    what belongs to her the resource is enough, since its id may say when she was ill."""
    hers = entity.name == erasure.entity
    if erasure.answer:
        shown = shown & fresh if hers else set()
    told = sorted(shown) if hers else [""] * bool(shown)
    return [[entity.name, *here, external_id] for external_id in told]


def _known_by(engine: Engine, entity: Entity, system: System, link: Link) -> Iterator[Key]:
    if link.external_id:
        yield place_key(entity.name, link.ref)
    yield from (place_key(name, ref) for name, ref in sorted(bound(system, link)))
    context = Context(system.connection, World(engine.today), row=link.row or {})
    for scope, parts in row_keys(entity, system, link, context).parts.items():
        yield Key(KeyKind.ERASED, scope, parts, "")


def _asked(
    engine: Engine, tx: Transaction, erasure: Erasure, places: Sequence[Sequence[str]]
) -> Iterator[Case]:
    """One question about each erasure, whatever comes back. It holds where her own rows are, and of what belongs to her
    that there is some."""
    subject, day = f"{ERASED}{erasure.id}", engine.day_of(erasure.at)
    held = [case.evidence["places"] for case in tx.cases(subjects=[subject])]
    told = [list(place) for of in held for place in of]
    fresh = [list(place) for place in places if list(place) not in told]
    if not fresh:
        return
    question = (
        f"{sentence(one(erasure.entity))} that was erased on {day} is shown again by {fresh[0][1]}."
    )
    yield Case(
        id=new_id(), kind=CaseKind.IDENTITY, subject=subject, question=question,
        evidence={"erased": day, "places": [*told, *fresh]},
        answers={
            KEEP_OUT: "nothing of it is kept here, and nobody is asked again",
            TAKE_IN: "it is taken in as new, with whatever vendors show of it",
        },
        entity=erasure.entity, opened_at=engine.clock.now(),
    )  # fmt: skip


def kept_out(tx: Transaction) -> int:
    """How many erased persons are kept out although vendors show them."""
    return sum(erasure.answer == KEEP_OUT for erasure in tx.erasures())


def settle_return(tx: Transaction, erasure_id: str, given: str) -> None:
    """Carry out the answer about an erased person who is shown again: keep her out for good, or drop the tombstone and
    take everything in as new."""
    if given == TAKE_IN:
        tx.write(Changeset(dropped_keys={(KeyKind.ERASED, erasure_id)}))
    tx.save_erasures([replace(e, answer=given) for e in tx.erasures([erasure_id], lock=True)])
