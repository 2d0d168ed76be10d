"""A record with all its links, decided as one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from syncengine.errors import RowInvalid
from syncengine.mapping import Entity
from syncengine.model.link import Link, LinkState, Wait
from syncengine.model.record import Record, World
from syncengine.planning.approvals import without_write
from syncengine.planning.identity import AT_VENDOR, quarantine
from syncengine.planning.plan import decide
from syncengine.planning.plan_input import Plan, PlanInput

TO_BE_MADE = frozenset({LinkState.CREATING, LinkState.WAITING})
WITH_ROW = frozenset({LinkState.LINKED, LinkState.LEFT})
"""States in which a link does not ask which rows its record has elsewhere."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A record with all its links, and what their plans depend on: the unit of decision.

    ``closed``: links that nobody may plan now: a write of theirs is under way, or their row is to be read first.
    ``ready``, ``refused``, ``holders``: as in ``PlanInput``, by link id."""

    entity: Entity
    record: Record
    links: Mapping[str, Link]
    world: World
    closed: Collection[str] = ()
    ready: Collection[str] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    holders: Mapping[str, Link] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided of one record.

    ``plans``: link id -> plan, of the links that were planned. ``final``: those of them that were planned on the record
    as it is to be; the others are to be planned once more. ``learned``: the record with all that it learned,
    None for nothing. That a record ends stands in the plan of the link that ends it."""

    plans: Mapping[str, Plan]
    final: Collection[str]
    learned: Record | None = None


def decide_record(aggregate: Aggregate) -> Decided:
    """Plan the dirty links one after the other, each on the record as the plans before it left it, and then every link
    that depends on what changed, until nothing changes any more. Pure."""
    work = _Work(aggregate, aggregate.record, aggregate.world, dict(aggregate.links))
    work.due = {link.id for link in aggregate.links.values() if link.dirty}
    for _ in range(len(aggregate.links) + 1):
        if not work.due or work.over:
            break
        for link_id in sorted(work.due):
            if link_id in work.due and not work.over:
                work.plan(link_id)
    return Decided(work.plans, work.plans.keys() - work.due, work.learned)


@dataclass(slots=True)
class _Work:
    """The state of one decision. ``over``: it has to be stored before anything else can be decided."""

    of: Aggregate
    record: Record
    world: World
    links: dict[str, Link]
    due: set[str] = field(default_factory=set)
    plans: dict[str, Plan] = field(default_factory=dict)
    learned: Record | None = None
    over: bool = False

    def plan(self, link_id: str) -> None:
        """Plan one link, if it may be planned now."""
        link = self.links[link_id]
        if link_id in self.of.closed or link.record_id is None or self._unknown(link):
            return
        self.due.discard(link_id)
        plan = _plan_link(self._input(link))
        before = self.plans.get(link_id)
        self.plans[link_id] = plan if before is None else after(before, plan)
        self.links[link_id] = plan.link
        if plan.requeue:
            self.due.add(link_id)
        if plan.record is not None:
            self._patch(plan.record, link_id)
        if plan.link.state is not link.state:
            self._turn(link, plan.link)

    def _unknown(self, link: Link) -> bool:
        """Whether a row is to be created and nobody has looked up yet who may hold it already."""
        as_loaded = self.of.links[link.id].state in TO_BE_MADE and self.record is self.of.record
        return link.state in TO_BE_MADE and not as_loaded

    def _input(self, link: Link) -> PlanInput:
        before = self.plans.get(link.id)
        answered = before is not None and f"rejected:{link.id}" in before.dissolves
        return PlanInput(
            entity=self.of.entity,
            system=self.of.entity.systems[link.connection],
            link=link,
            record=self.record,
            world=self.world,
            siblings=tuple(self.links.values()),
            ready=link.id in self.of.ready,
            refused="" if answered else self.of.refused.get(link.id, ""),
            holder=self.of.holders.get(link.id),
        )

    def _patch(self, record: Record, link_id: str) -> None:
        """The record moves: its other links have to know. That it ends may need a person first, and whom it names by
        now was not loaded."""
        refs = [name for name, f in self.of.entity.fields.items() if f.is_ref]
        moved = any(record.values.get(n) != self.record.values.get(n) for n in refs)
        self.over = record.deleted or moved
        self.learned = self.learned if record.deleted else record
        self.record = record
        self.world = replace(self.world, records={**self.world.records, record.id: record})
        self.due |= self.links.keys() - {link_id}

    def _turn(self, before: Link, link: Link) -> None:
        """A link is in another state: those without a row rest on which rows their record has elsewhere."""
        others = {i for i, k in self.links.items() if k.state not in WITH_ROW}
        self.due |= others - {link.id}
        place = (self.record.id, link.connection)
        if (before.state in AT_VENDOR) != (link.state in AT_VENDOR):
            externals = {k: x for k, x in self.world.externals.items() if k != place}
            if link.state in WITH_ROW and link.external_id is not None:
                externals[place] = link.external_id
            self.world = replace(self.world, externals=externals)


def _plan_link(plan_input: PlanInput) -> Plan:
    """The plan of one link; a row that cannot be read, or does not fit, is a question."""
    link = plan_input.link
    if link.set_aside:
        return Plan(
            link.at_rest().tied(wait=Wait(None, f"a row of {link.connection} that can be read"))
        )
    try:
        return decide(plan_input)
    except RowInvalid as invalid:
        case = quarantine(plan_input.entity, link, "the row", invalid)
        return Plan(link.at_rest(), cases=(case,))


def after(first: Plan, then: Plan) -> Plan:
    """Join two plans of one link, made one after the other: the later one says what is written and asked, and what the
    record learned before it stays learned."""
    stated = {case.subject for case in then.cases}
    kept = [c for c in first.cases if c.subject not in then.dissolves | stated]
    return replace(
        then,
        cases=(*kept, *then.cases),
        dissolves=(first.dissolves - stated) | then.dissolves,
        earlier=(*first.earlier, *without_write(first, first.link).changes),
        satisfies=first.satisfies | then.satisfies,
    )
