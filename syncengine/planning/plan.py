"""Planning one tied link: what its record learns, what is written to the vendor, and what a person is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from syncengine.mapping import paths
from syncengine.model.change import ON_MISSING, Change
from syncengine.model.condition import Approved, Listed
from syncengine.model.link import LEAVE, LIVE, WHOLE, Base, Doubt, Link, LinkState, Wait
from syncengine.model.operation import Action
from syncengine.model.spelling import alike, blank
from syncengine.model.values import ABSENT, Json, is_empty
from syncengine.planning import questions
from syncengine.planning.approvals import (
    RECORD,
    apply_approval,
    body_digest,
    not_done,
    unless_refused,
)
from syncengine.planning.doubts import as_deleted, undone
from syncengine.planning.fields import Fields
from syncengine.planning.identity import AT_VENDOR, place_free, to_create, waits_for
from syncengine.planning.observation import body_row
from syncengine.planning.out_of_scope import why_out_of_scope
from syncengine.planning.plan_input import Plan, PlanInput
from syncengine.planning.safety import kind_of

TAKES_PLACE = LIVE | {LinkState.CREATING, LinkState.WAITING}
"""States of which a record has at most one link in a connection's resource."""


def decide(plan_input: PlanInput) -> Plan:
    """Plan one tied link. Pure: no I/O and no clock."""
    made = apply_approval(plan_input, _decided(plan_input))
    over = made.link.state in (LinkState.GONE, LinkState.MISSING)
    if not (over or plan_input.record.deleted):
        return made
    ended = questions.subjects(plan_input, refused=not over)
    return replace(made, dissolves=made.dissolves | ended - {case.subject for case in made.cases})


def _decided(plan_input: PlanInput) -> Plan:
    link = plan_input.link
    calm = link.at_rest().tied(wait=None) if link.dirty or link.wait else link
    match calm.state:
        case LinkState.CREATING | LinkState.WAITING:
            return _create(plan_input, calm.tied(state=LinkState.CREATING))
        case LinkState.UNLINKED | LinkState.SEEN:
            return Plan(calm.tied(wait=plan_input.link.wait))
        case LinkState.GONE if calm.row is None:
            return _recreate(plan_input, calm)
        case LinkState.GONE if _still_there(plan_input, calm):
            calm = _not_gone(plan_input, calm)
        case LinkState.GONE:
            return _returned(plan_input, calm)
    if calm.row is None:
        return _row_gone(plan_input, calm)
    if calm.state is LinkState.MISSING:
        calm = calm.tied(state=LinkState.LINKED)
    if plan_input.in_scope:
        linked = calm.state is LinkState.LINKED
        return Fields(plan_input, calm if linked else calm.tied(state=LinkState.LINKED)).plan()
    return _leave(plan_input, calm)


def _recreate(plan_input: PlanInput, link: Link) -> Plan:
    """A row that went out of scope leaves no base values behind; it is created again once its record is back in
    scope."""
    went = link.external_id is not None and link.base.has_no_values
    system = plan_input.system
    makes = system.creates_out or system.on_missing == "recreate"
    if not (went and makes and plan_input.in_scope) or _taken(plan_input):
        return Plan(link)
    lost = _lost(plan_input, gone=True)
    if lost is not None:
        return Plan(link.tied(wait=lost))
    return Plan(to_create(link), requeue=True)


def _lost(plan_input: PlanInput, gone: bool) -> Wait | None:
    """Why a row is not created: the record's row in a system that owns one of its fields is missing or in question.
    ``gone``: a row that is already given up counts as well."""
    for name in sorted(_owners(plan_input)):
        rows = [
            s for s in plan_input.siblings if s.connection == name and s.id != plan_input.link.id
        ]
        there = any(s.state in AT_VENDOR and s.row is not None for s in rows)
        if not there and any(_is_lost(s, gone) for s in rows):
            return Wait(None, f"its row in {name}, which is gone or in question")
    return None


def _is_lost(owner: Link, gone: bool) -> bool:
    """Whether an owner's row is missing. A row that was removed because its record left the scope is not missing."""
    if owner.state is LinkState.GONE:
        return gone and owner.external_id is not None and owner.base != Base()
    return owner.state in LIVE and (owner.row is None or owner.state is LinkState.MISSING)


def _owners(plan_input: PlanInput) -> set[str]:
    """The other systems that own a field of the record."""
    fields = plan_input.entity.fields.values()
    owners = {f.owned_by(plan_input.record, plan_input.world) for f in fields}
    return {name for name in owners if name is not None} - {plan_input.link.connection}


def _taken(plan_input: PlanInput) -> bool:
    """Whether another link of the record is in the same connection and resource."""
    here = (plan_input.link.connection, plan_input.link.resource)
    return any(
        s.state in TAKES_PLACE and (s.connection, s.resource) == here
        for s in plan_input.siblings
        if s.id != plan_input.link.id
    )


def _still_there(plan_input: PlanInput, link: Link) -> bool:
    """Whether the vendor accepted that a row is deleted and did not delete it."""
    return undone(plan_input.system, link.base, WHOLE, link.row or {}) and not _taken(plan_input)


def _not_gone(plan_input: PlanInput, link: Link) -> Link:
    """The link of a row that the vendor did not delete although it accepted the delete, as it was before the delete.
    The values that stand there are no new changes."""
    row = link.row or {}
    rules = plan_input.system.rules
    vendor = {n: raw for n, rule in rules.items() if (raw := rule.extract(row)) is not ABSENT}
    return link.tied(state=LinkState.LINKED, base=_no_news(plan_input, vendor, link.base.doubts))


def _no_news(
    plan_input: PlanInput, vendor: Mapping[str, Json], doubts: Mapping[str, Doubt]
) -> Base:
    """A base by which these values of a row are no changes; what the record says is written."""
    made = {name: plan_input.system.rules[name].fingerprint for name in vendor}
    return Base(vendor=vendor, rules=made, doubts=doubts)


def _returned(plan_input: PlanInput, link: Link) -> Plan:
    """A row is there again that was gone, perhaps since a delete was accepted and not done. What it shows as it did
    then is nobody's wish."""
    if plan_input.record.deleted or _taken(plan_input):
        alone = link.tied(record_id=None, state=LinkState.SEEN, base=Base(), approval=None)
        return Plan(alone.at_rest().woken())
    vendor = as_deleted(plan_input.system, link.base, link.row or {})
    base = _no_news(plan_input, vendor, {}) if WHOLE in link.base.doubts else link.base
    return Plan(link.tied(state=LinkState.LINKED, base=base), requeue=True)


def _create(plan_input: PlanInput, link: Link) -> Plan:
    if plan_input.record.deleted:
        return Plan(link.tied(state=LinkState.GONE))
    if not plan_input.in_scope:
        return Plan(link.tied(wait=why_out_of_scope(plan_input)))
    if not plan_input.ready:
        what = f"a complete listing of {link.connection} {link.resource}"
        return Plan(link.tied(wait=Wait(Listed(link.connection, link.resource), what)))
    wanted = link.approval is not None and link.approval.answer == "recreate"
    lost = None if wanted else _lost(plan_input, gone=link.row_version > 0)
    if lost is not None:
        return Plan(link.tied(wait=lost))
    system, record = plan_input.system, plan_input.record
    external_id: str | None = None
    if system.key is not None:
        chosen = system.key.on_record(record, plan_input.world)
        if is_empty(chosen):
            return Plan(link.tied(wait=Wait(None, f"the id for {link.connection}")))
        external_id = str(chosen)
    fields = Fields(plan_input, link)
    for name, rule in system.rules.items():
        if rule.writes and not is_empty(fields.values.get(name)):
            fields.write(name, rule, ABSENT)
    if fields.wait is not None and fields.wait_required:
        return Plan(link.tied(wait=fields.wait))
    body = {**system.set_create, **fields.body}
    if external_id is not None and system.resource.chosen_id:
        body[system.resource.chosen_id] = external_id
    lacking = [n for n, f in system.resource.fields.items() if f.required and not _has(body, n)]
    if lacking:
        return Plan(link.tied(wait=Wait(None, f"{lacking[0]} for {link.connection}")))
    if plan_input.holder is not None:
        return Plan(waits_for(link, plan_input.holder))
    operation = fields.operation(Action.CREATE, body, external_id)
    return unless_refused(plan_input, Plan(link.tied(wait=fields.wait), operation=operation))


def _has(body: Mapping[str, Json], name: str) -> bool:
    return any(paths.root(path) == name and not is_empty(value) for path, value in body.items())


def _row_gone(plan_input: PlanInput, link: Link) -> Plan:
    """Plan a link whose row is proved gone, by a complete scan and a confirming read."""
    gone = link.tied(state=LinkState.GONE)
    freed = frozenset({place_free(link)})
    if plan_input.record.deleted or plan_input.system.on_missing == "keep":
        # What was never compared leaves no base values, and is made as if it had not been there.
        return Plan(
            gone, satisfies=freed, requeue=gone.base.has_no_values and not plan_input.record.deleted
        )
    recreated = plan_input.system.on_missing == "recreate"
    if not plan_input.in_scope and (recreated or link.state is LinkState.LEFT):
        return Plan(gone.tied(base=Base()), satisfies=freed)
    match plan_input.system.on_missing:
        case "recreate":
            if lost := _lost(plan_input, gone=True):
                return Plan(gone.tied(base=Base(), wait=lost), satisfies=freed)
            fresh = to_create(gone).tied(base=Base())
            return Plan(fresh, satisfies=freed, requeue=True)
        case "delete" if _is_rejected(link):
            return Plan(gone, satisfies=freed)
        case "delete" if not _others_own(plan_input):
            if _unsent(plan_input) or _asked(plan_input.link):
                missing = link.tied(state=LinkState.MISSING)
                return Plan(
                    missing,
                    cases=(questions.missing(plan_input, _unsent(plan_input)),),
                    satisfies=freed,
                )
            deleted = replace(
                plan_input.record, deleted=True, generation=plan_input.record.generation + 1
            )
            change = Change(plan_input.record.id, deleted.generation, "", old="", new="deleted",
                            connection=link.connection, rule=plan_input.system.cause("on_missing"),
                            policy=ON_MISSING)  # fmt: skip
            return Plan(gone, record=deleted, changes=(change,), satisfies=freed)
    missing = link.tied(state=LinkState.MISSING)
    return Plan(
        missing, cases=(questions.missing(plan_input, _unsent(plan_input)),), satisfies=freed
    )


def _asked(link: Link) -> bool:
    """Whether a person is already asked what happens to a missing row; then only an answer deletes the record. A delete
    held for approval is another question."""
    held = link.wait is not None and isinstance(link.wait.on, Approved)
    approval = link.approval
    said = (
        approval is not None
        and approval.answer != ""
        and approval.covers(Action.DELETE.value, RECORD)
    )
    return link.state is LinkState.MISSING and not (held or said)


def _is_rejected(link: Link) -> bool:
    """Whether a person rejected the delete, so that the leaver's row, or the record whose row is gone, is kept."""
    approval = link.approval
    return approval is not None and approval.refuses and approval.kind == Action.DELETE.value


def _others_own(plan_input: PlanInput) -> bool:
    live = {
        s.connection for s in plan_input.siblings if s.state in LIVE and s.id != plan_input.link.id
    }
    return bool(_owners(plan_input) & live)


def _unsent(plan_input: PlanInput) -> bool:
    """Whether our record has a change that the row never got before it disappeared."""
    base, values = plan_input.link.base, plan_input.record.values
    told = any(d.stage != "open" for d in base.doubts.values())
    moved = (
        n
        for n, base_value in base.canonical.items()
        if n in values and not alike(values[n], base_value)
    )
    return told or any(moved)


def _leave(plan_input: PlanInput, link: Link) -> Plan:
    """Plan the row of a record that left the scope or was deleted: keep it or delete it, as ``on_leave`` says."""
    system, row = plan_input.system, link.row or {}
    reading = Fields(plan_input, link, writing=False)
    asked = {path for path in system.set_leave if undone(system, link.base, LEAVE + path, row)}
    kept = (link.state is LinkState.LEFT and not asked) or _is_rejected(link)
    if system.deletes and not kept:
        flowing = {n: r for n, r in system.rules.items() if r.reads or r.writes}
        moved = {
            n: rule for n, rule in flowing.items()
            if reading.theirs_moved(n, rule) and link.base.released.get(n, ABSENT) != rule.extract(row)
        }  # fmt: skip
        if moved:
            sides = {n: (reading.values.get(n), reading.meaning(n, r)) for n, r in moved.items()}
            return Plan(link, cases=(questions.unseen_change(plan_input, sides),))
        expected = {
            n: raw for n, r in system.rules.items() if (raw := r.extract(row)) is not ABSENT
        }
        operation = replace(
            reading.operation(Action.DELETE, {}, link.external_id), expected=expected
        )
        if undone(system, link.base, WHOLE, row):
            return not_done(
                plan_input, link, kind_of(system, operation), body_digest(operation), {}
            )
        return unless_refused(plan_input, Plan(link, operation=operation))
    freed = frozenset({place_free(link)}) if plan_input.record.deleted else frozenset()
    read = Plan(link, satisfies=freed) if plan_input.record.deleted else reading.plan()
    if read.record is not None:
        return replace(read, requeue=True)
    body = {p: v for p, v in system.set_leave.items() if paths.get(row, p) != v}
    if body and not kept and asked >= body.keys():
        leave = replace(reading.operation(Action.UPDATE, body, link.external_id), leave=True)
        found = {path: paths.get(row, path) for path in body}
        sides = {p: (body[p], None if raw is ABSENT else raw) for p, raw in found.items()}
        held = read.link.tied(state=LinkState.LINKED)
        asks = not_done(plan_input, held, kind_of(system, leave), body_digest(leave), sides)
        over = read.dissolves - {case.subject for case in asks.cases}
        return replace(read, link=asks.link, cases=(*read.cases, *asks.cases), dissolves=over)
    if body and not kept:
        return unless_refused(plan_input, _write_leave(plan_input, reading, read, body))
    return replace(read, link=read.link.tied(state=LinkState.LEFT, wait=None))


def _write_leave(plan_input: PlanInput, reading: Fields, read: Plan, body: dict[str, Json]) -> Plan:
    """Plan the write of ``set.leave``. Vendor values that it overwrites and that our record never took over are kept in
    the history."""
    link, record, sent = read.link, plan_input.record, body_row(body)
    written = {n: r for n, r in plan_input.system.rules.items() if r.extract(sent) is not ABSENT}
    expected = {
        n: raw for n, r in written.items() if (raw := r.extract(link.row or {})) is not ABSENT
    }
    lost = tuple(
        Change(record.id, record.generation, name, lost=raw, lost_by=link.connection,
               connection=link.connection, rule=str(written[name].position), policy="set.leave")
        for name, raw in expected.items()
        if reading.theirs_moved(name, written[name]) and not blank(raw)
    )  # fmt: skip
    operation = reading.operation(Action.UPDATE, body, link.external_id)
    operation = replace(operation, leave=True, expected=expected)
    return replace(read, operation=operation, changes=(*read.changes, *lost))
