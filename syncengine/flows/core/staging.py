"""Staging: a plan that writes more than ``safety`` allows waits, as a whole, for a person's approval.

Writes are judged in groups: one kind, one entity, one connection. A held link waits for the subject of the group's case
and stores, as its approval, which write was asked about; these links define what belongs to the case, and the case's
evidence repeats it for people.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from syncengine.flows.core.engine import Engine, new_id
from syncengine.ledger import Transaction
from syncengine.mapping import Project, Safety
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.condition import Approved, OperationSettled
from syncengine.model.link import Link, LinkState, Wait, WriteApproval
from syncengine.model.operation import Action, Hold, OperationState
from syncengine.planning.approvals import RECORD, body_digest, without_write
from syncengine.planning.identity import place_free
from syncengine.planning.plan_input import Plan
from syncengine.planning.questions import staged
from syncengine.planning.safety import allowance, said_of, waits

Group = Approved
"""Writes that are judged together; that they are approved is what the links wait for that their case holds."""


def group_of(link: Link) -> Group | None:
    """The group whose case holds a link, if any."""
    on = None if link.wait is None else link.wait.on
    return on if isinstance(on, Approved) else None


def approved(approval: WriteApproval | None, kind: str, digest: str) -> bool:
    """Whether a person has approved such a write."""
    return approval is not None and approval.answer == "approve" and approval.covers(kind, digest)


def stage(
    engine: Engine, tx: Transaction, read: Mapping[str, Link], plans: Mapping[str, Plan]
) -> dict[str, Plan]:
    """The plans, with those of groups that write too much at once replaced by plans that wait for approval. ``read``:
    the links as they were planned from. A link that was held and no longer wants the write leaves its case."""
    decided, asked, passed = (
        dict(plans),
        dict[Group, dict[str, WriteApproval]](),
        dict[str, WriteApproval](),
    )
    for link_id, plan in plans.items():
        held, wanted, said = group_of(read[link_id]), _wanted(plan), plan.link.approval
        if held is not None:
            asked.setdefault(held, {})
            if plan.requeue:
                decided[link_id] = replace(plan, link=plan.link.tied(wait=_wait(held)))
        if wanted is None:
            continue
        group, approval = wanted
        if approved(said, approval.kind, approval.digest):
            if plan.record is not None and said is not None and approval.digest == RECORD:
                passed[plan.record.id] = replace(said, digest="")
                decided[link_id] = replace(plan, link=plan.link.tied(approval=None))
            continue
        if held == group or _limited(engine, group):
            asked.setdefault(group, {})[link_id] = approval
        decided[link_id] = replace(plan, link=plan.link.tied(approval=None))
    for group in sorted(asked):
        mine = asked[group]
        out = {i for i, p in decided.items() if group_of(p.link) != group} - mine.keys()
        if _judge(engine, tx, group, mine, out):
            decided |= {i: _held(group, plans[i], approval) for i, approval in mine.items()}
    return decided | _passed_on(tx, passed, decided)


def _passed_on(
    tx: Transaction, approvals: Mapping[str, WriteApproval], plans: Mapping[str, Plan]
) -> dict[str, Plan]:
    """Who approved that a record is deleted approved that it leaves the other systems. ``approvals``: record id -> what
    was said. Returns those of the ``plans`` that this changes; it is written to the other links."""
    others = [k for k in tx.links_of(approvals) if k.state in (LinkState.LINKED, LinkState.LEFT)]
    if not others:
        return {}
    links = tx.links([k.id for k in others if k.id not in plans], lock=True).values()
    tx.write(Changeset(links=[k.tied(approval=approvals[k.record_id or ""]) for k in links]))
    return {
        k.id: replace(plan, link=plan.link.tied(approval=approvals[k.record_id or ""]))
        for k in others
        if (plan := plans.get(k.id)) is not None and not _ends(plan)
    }


def _ends(plan: Plan) -> bool:
    """Whether a plan ends its record."""
    return plan.record is not None and plan.record.deleted


def review(engine: Engine, tx: Transaction, links: Iterable[Link]) -> None:
    """Update the cases that held these links, once it is written that they are held no longer."""
    held: dict[Group, list[str]] = {}
    for link in links:
        group = group_of(link)
        if group is not None:
            held.setdefault(group, []).append(link.id)
    for group in sorted(held):
        _judge(engine, tx, group, {}, held[group])


def _wanted(plan: Plan) -> tuple[Group, WriteApproval] | None:
    """The kind and digest of the write that a plan wants, or of the deletion of our record."""
    link, operation = plan.link, plan.operation
    if operation is not None:
        group = Group(operation.entity, operation.connection, operation.kind)
        return group, WriteApproval(operation.kind, body_digest(operation))
    if plan.record is None or not plan.record.deleted:
        return None
    kind = Action.DELETE.value
    return Group(link.entity, link.connection, kind), WriteApproval(kind, RECORD)


def _limited(engine: Engine, group: Group) -> bool:
    safety = engine.project.entities[group.entity].safety
    return allowance(safety, group.kind, 0, first=True) is not None


def room(engine: Engine, tx: Transaction, group: Group) -> tuple[int | None, int]:
    """How many writes of a group the time window allows, and how many it already contains."""
    safety = engine.project.entities[group.entity].safety
    place, since = (group.entity, group.connection), engine.clock.now() - safety.window
    allowed = allowance(
        safety, group.kind, tx.live_links(*place), _is_first(tx, safety, place, since)
    )
    return allowed, tx.written_since(*place, since)[group.kind]


def _is_first(tx: Transaction, safety: Safety, place: tuple[str, str], since: float) -> bool:
    """Whether nothing of an entity was ever written to a connection and its first writes are limited."""
    if safety.first is None:
        return False
    return tx.written_since(*place, 0.0) == tx.written_since(*place, since)


def _judge(
    engine: Engine, tx: Transaction, group: Group, asked: Mapping[str, WriteApproval],
    out: Collection[str],
) -> bool:  # fmt: skip
    """Check a group: if the wanted writes plus those in the window are too many, or a case is already open, hold all of
    them together with pending ones. ``asked``: the wanted writes of links planned now, held ones included. ``out``:
    links that wait no longer. Serialised among workers."""
    tx.connection(group.connection, lock=True)
    now, entity = engine.clock.now(), engine.project.entities.get(group.entity)
    held = {
        k.id: k.approval or WriteApproval(group.kind, "")
        for k in tx.waiting_links(key=group.subject)
        if k.id not in out
    }
    if entity is not None and (asked or held):
        allowed, written = room(engine, tx, group)
        if waits(allowed, written, len(asked), bool(held)):
            back, change = _called_back(tx, group)
            everything = {**held, **asked, **back}
            gone = sum(approval.digest == RECORD for approval in everything.values())
            named = (group.entity, group.connection, group.kind)
            system = entity.systems.get(group.connection)
            leaving = {} if system is None else system.leaving
            others = [n for n, s in entity.systems.items() if s.ends and n != group.connection]
            case = staged(
                *named,
                sorted(everything),
                allowed,
                gone,
                said_of(system, group.kind),
                leaving,
                others,
            )
            tx.write(change + Changeset(raised=[replace(case, id=new_id(), opened_at=now)]))
            return True
    tx.write(Changeset(dissolved={group.subject: now}, wakes=Wakes(waiting={group})))
    return False


def _called_back(
    tx: Transaction, group: Group
) -> tuple[dict[str, WriteApproval], Changeset]:  # fmt: skip
    """Pending writes of the group that no worker has claimed and nobody approved, taken back into the case: what is
    asked about the write of each link, and what is to be written."""
    pending = {o.link_id: o for o in tx.pending_of(group.entity, group.connection, group.kind)}
    links = tx.links(pending, lock=True) if pending else {}
    approvals = {i: WriteApproval(group.kind, body_digest(pending[i])) for i in links}
    taken = [
        k for i, k in links.items() if not approved(k.approval, group.kind, approvals[i].digest)
    ]
    cancelled = [
        replace(pending[k.id], state=OperationState.CANCELLED, detail="held for approval")
        for k in taken
    ]
    change = Changeset(
        operations=cancelled,
        links=[k.tied(wait=_wait(group), approval=approvals[k.id]) for k in taken],
        wakes=Wakes(
            waiting={
                key for k in taken for key in (OperationSettled(pending[k.id].id), place_free(k))
            }
        ),
    )
    return {k.id: approvals[k.id] for k in taken}, change


def _held(group: Group, plan: Plan, approval: WriteApproval) -> Plan:
    link = plan.link.tied(wait=_wait(group), approval=approval)
    if approval.digest != RECORD:
        held = without_write(plan, link)
        return replace(held, satisfies=held.satisfies | {place_free(link)})
    missing = link.tied(state=LinkState.MISSING)
    return Plan(missing, dissolves=plan.dissolves, satisfies=plan.satisfies, earlier=plan.earlier)


def _wait(group: Group) -> Wait:
    return Wait(group, "approval")


def send_holds(engine: Engine, tx: Transaction) -> list[Hold]:
    """The holds for writes whose plan may still grow; otherwise the first part of a mass accident would be sent before
    the rest is planned. No write is held longer than the window of ``safety``."""
    project, now = engine.project, engine.clock.now()
    readable = frozenset(engine.open_connections(tx))
    found = []
    for entity in project.entities.values():
        feeders = _feeders(project, entity.name)
        places = frozenset(
            (system.connection, system.resource.name)
            for name in feeders
            for system in project.entities[name].systems.values()
        )
        since = now - entity.safety.window
        first = any(_is_first(tx, entity.safety, (entity.name, n), since) for n in entity.systems)
        for action in Action:
            if allowance(entity.safety, action.value, 0, first) is not None:
                found.append(Hold(entity.name, action.value, feeders, places, readable, since))
    return found


def _feeders(project: Project, name: str) -> frozenset[str]:
    """Entities whose changes may make a record of this one leave: itself, those it refers to, those it is derived from,
    and so on."""
    found, due = {name}, [name]
    while due:
        entity = project.entities[due.pop()]
        more = {f.to for f in entity.fields.values() if f.is_ref and f.to}
        more |= {s for d in project.derivations if d.ensure == entity.name for s in d.sources}
        due += sorted(more - found)
        found |= more
    return frozenset(found)
