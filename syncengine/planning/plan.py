"""The plan of one link: what its record learns, what its vendor is to be told, what a person is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from syncengine.errors import RowInvalid
from syncengine.mapping import Context, Entity, Rule, System, Unresolved, paths
from syncengine.model.case import Case
from syncengine.model.change import Change
from syncengine.model.link import LIVE, Base, Link, LinkState, Wait
from syncengine.model.operation import Action, Operation
from syncengine.model.record import Record, World
from syncengine.model.values import ABSENT, Json, is_empty
from syncengine.planning import questions
from syncengine.planning.identity import quarantine
from syncengine.planning.merge import Decision, Side, Verdict, merge_field

TAKES_PLACE = LIVE | {LinkState.CREATING, LinkState.WAITING}
"""States of which a record has at most one link in a connection's resource."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One link and all that its plan rests on. ``ready``: the target resource is fully known, so that a create
    cannot duplicate a row nobody has looked at. ``refused``: digest of the body that the vendor refused last."""

    entity: Entity
    system: System
    link: Link
    record: Record
    world: World
    siblings: Sequence[Link] = ()
    ready: bool = True
    refused: str = ""

    @property
    def in_scope(self) -> bool:
        """Whether this system is to hold the record."""
        scope = self.system.scope
        if self.record.deleted or not self.system.writes:
            return not self.record.deleted
        return scope is None or bool(scope.on_record(self.record, self.world))


@dataclass(frozen=True, slots=True)
class Plan:
    """``link`` and ``record`` as they are to be (record None: unchanged). ``wakes``: wait keys that come true.
    ``again``: the link is to be looked at once more. May be empty: the echo of our own write."""

    link: Link
    record: Record | None = None
    operation: Operation | None = None
    cases: tuple[Case, ...] = ()
    dissolves: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()
    wakes: frozenset[str] = frozenset()
    again: bool = False


def decide(scene: Scene) -> Plan:
    """Plan one tied link. Pure."""
    calm = replace(scene.link, dirty=0, wait=None)
    match calm.state:
        case LinkState.CREATING:
            return _create(scene, calm)
        case LinkState.WAITING:
            return Plan(replace(calm, state=LinkState.CREATING), again=True)
        case LinkState.UNLINKED | LinkState.SEEN:
            return Plan(replace(calm, wait=scene.link.wait))
        case LinkState.GONE if calm.row is None:
            return _again(scene, calm)
        case LinkState.GONE:
            return _returned(scene, calm)
    if calm.row is None:
        return _row_gone(scene, calm)
    if calm.state is LinkState.MISSING:
        calm = replace(calm, state=LinkState.LINKED)
    if scene.in_scope:
        return _Fields(scene, replace(calm, state=LinkState.LINKED)).plan()
    return _leave(scene, calm)


def body_digest(operation: Operation) -> str:
    """What a refused write is recognised by."""
    return questions.digest([operation.action, sorted(operation.body.items(), key=repr)])


def _again(scene: Scene, link: Link) -> Plan:
    """A row that we deleted, which leaves no faces behind, is made again once its record is back in scope."""
    ours = link.external_id is not None and link.base == Base()
    wanted = scene.system.creates_out and scene.in_scope and not scene.record.deleted
    if not (ours and wanted) or _taken(scene):
        return Plan(link)
    return Plan(replace(link, external_id=None, state=LinkState.CREATING), again=True)


def _taken(scene: Scene) -> bool:
    """Whether another link of the record stands in this place."""
    here = (scene.link.connection, scene.link.resource)
    return any(
        s.state in TAKES_PLACE and (s.connection, s.resource) == here
        for s in scene.siblings
        if s.id != scene.link.id
    )


def _returned(scene: Scene, link: Link) -> Plan:
    if scene.record.deleted or _taken(scene):
        return Plan(replace(link, record_id=None, state=LinkState.SEEN, base=Base(), dirty=1))
    return Plan(replace(link, state=LinkState.LINKED), again=True)


def _create(scene: Scene, link: Link) -> Plan:
    if scene.record.deleted:
        return Plan(replace(link, state=LinkState.GONE))
    if not scene.in_scope:
        return Plan(link)
    if not scene.ready:
        what = f"a complete listing of {link.connection} {link.resource}"
        return Plan(replace(link, wait=Wait(f"scan:{link.connection}/{link.resource}", what)))
    system, record = scene.system, scene.record
    external_id: str | None = None
    if system.key is not None:
        chosen = system.key.on_record(record, scene.world)
        if is_empty(chosen):
            return Plan(replace(link, wait=Wait("", f"the id for {link.connection}")))
        external_id = str(chosen)
    fields = _Fields(scene, link)
    for name, rule in system.rules.items():
        if rule.writes and not is_empty(fields.values.get(name)):
            fields.write(name, rule, ABSENT)
    if fields.wait is not None and fields.wait_required:
        return Plan(replace(link, wait=fields.wait))
    body = {**system.set_create, **fields.body}
    if external_id is not None and system.resource.chosen_id:
        body[system.resource.chosen_id] = external_id
    lacking = [n for n, f in system.resource.fields.items() if f.required and not _has(body, n)]
    if lacking:
        return Plan(replace(link, wait=Wait("", f"{lacking[0]} for {link.connection}")))
    operation = fields.operation(Action.CREATE, body, external_id)
    return _unless_refused(scene, Plan(replace(link, wait=fields.wait), operation=operation))


def _has(body: Mapping[str, Json], name: str) -> bool:
    return any(paths.root(path) == name and not is_empty(value) for path, value in body.items())


def _unless_refused(scene: Scene, plan: Plan) -> Plan:
    if plan.operation is None or not scene.refused:
        return plan
    if scene.refused != body_digest(plan.operation):
        return plan
    wait = Wait("", f"an answer: {plan.link.connection} refused this write")
    return replace(plan, operation=None, link=replace(plan.link, wait=wait))


def _row_gone(scene: Scene, link: Link) -> Plan:
    """A complete scan and a confirming read proved the row gone."""
    gone = replace(link, state=LinkState.GONE)
    freed = frozenset({f"free:{link.connection}/{link.resource}/{link.external_id}"})
    if scene.record.deleted or link.state is LinkState.LEFT:
        return Plan(gone, wakes=freed)
    match scene.system.on_missing:
        case "keep":
            return Plan(gone, wakes=freed)
        case "recreate":
            if not scene.in_scope:
                return Plan(gone, wakes=freed)
            fresh = replace(gone, external_id=None, base=Base(), state=LinkState.CREATING)
            return Plan(fresh, wakes=freed, again=True)
        case "delete" if not _others_own(scene):
            if _unsent(scene):
                return Plan(
                    replace(link, state=LinkState.MISSING), cases=(questions.missing(scene, True),)
                )
            deleted = replace(scene.record, deleted=True, generation=scene.record.generation + 1)
            change = Change(scene.record.id, deleted.generation, "", old="", new="deleted",
                            connection=link.connection, rule=str(scene.system.position),
                            policy="on_missing: delete")  # fmt: skip
            return Plan(gone, record=deleted, changes=(change,), wakes=freed)
    return Plan(replace(link, state=LinkState.MISSING), cases=(questions.missing(scene, False),))


def _others_own(scene: Scene) -> bool:
    here = scene.link.connection
    live = {s.connection for s in scene.siblings if s.state in LIVE and s.id != scene.link.id}
    owners = {f.owned_by(scene.record, scene.world) for f in scene.entity.fields.values()}
    return bool((owners - {None, here}) & live)


def _unsent(scene: Scene) -> bool:
    """Whether our side holds a change that the vanished row never saw."""
    base = scene.link.base.canonical
    values = scene.record.values
    return any(name in values and values[name] != face for name, face in base.items())


def _leave(scene: Scene, link: Link) -> Plan:
    """The record left the scope or was deleted: keep or delete at the vendor, as ``on_leave`` says."""
    system, row = scene.system, link.row or {}
    reading = _Fields(scene, link, writing=False)
    if system.on_leave == "delete" and system.resource.delete:
        moved = (n for n, r in system.rules.items() if r.reads or r.writes)
        if any(reading.theirs_moved(name, system.rules[name]) for name in moved):
            return Plan(link, cases=(questions.unseen_change(scene),))
        expected = {n: raw for n, r in system.rules.items() if (raw := r.look(row)) is not ABSENT}
        operation = replace(
            reading.operation(Action.DELETE, {}, link.external_id), expected=expected
        )
        return _unless_refused(scene, Plan(link, operation=operation))
    body = {p: v for p, v in system.set_leave.items() if paths.get(row, p) != v}
    if link.state is not LinkState.LEFT and body:
        operation = reading.operation(Action.UPDATE, body, link.external_id)
        return _unless_refused(scene, Plan(link, operation=replace(operation, leave=True)))
    left = replace(link, state=LinkState.LEFT)
    return (
        Plan(left) if scene.record.deleted else replace(reading.plan(), link=left_of(reading, left))
    )


def left_of(reading: _Fields, left: Link) -> Link:
    """The left link with what reading on has taught its faces."""
    return replace(left, base=reading.base(), wait=None)


@dataclass(slots=True)
class _Fields:
    """The merge of all fields of a link, and what comes out of it."""

    scene: Scene
    link: Link
    writing: bool = True
    values: dict[str, Json] = field(default_factory=dict)
    stamps: dict[str, int] = field(default_factory=dict)
    canonical: dict[str, Json] = field(default_factory=dict)
    vendor: dict[str, Json] = field(default_factory=dict)
    expected_faces: set[str] = field(default_factory=set)
    body: dict[str, Json] = field(default_factory=dict)
    carried: dict[str, Json] = field(default_factory=dict)
    expected: dict[str, Json] = field(default_factory=dict)
    causes: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    conflicts: dict[str, tuple[Json, Json]] = field(default_factory=dict)
    drifts: dict[str, tuple[Json, Json]] = field(default_factory=dict)
    wait: Wait | None = None
    wait_required: bool = False
    invalid: list[Case] = field(default_factory=list)

    def __post_init__(self) -> None:
        scene, base = self.scene, self.link.base
        self.values = dict(scene.entity.values(scene.record, scene.world))
        self.stamps = dict(scene.record.stamps)
        self.canonical, self.vendor = dict(base.canonical), dict(base.vendor)
        self.expected_faces = set(base.expected)

    def plan(self) -> Plan:
        scene = self.scene
        rules = scene.system.rules
        decisions: dict[str, Decision] = {}
        for name in scene.entity.merge_order:
            if name in rules:
                decisions[name] = self.merge(name, rules[name])
        record = self.patched()
        self.values = dict(scene.entity.values(record, scene.world))
        for name in scene.entity.formulas:
            if name in rules:
                decisions[name] = self.merge(name, rules[name])
        for name, decision in decisions.items():
            if decision.verdict in (Verdict.WRITE, Verdict.JOIN):
                self.write(name, rules[name], rules[name].look(self.link.row or {}))
        return self.outcome(record)

    def outcome(self, record: Record) -> Plan:
        scene = self.scene
        patched = record is not scene.record
        cases = [*self.invalid]
        if self.conflicts:
            cases.append(questions.conflict(scene, self.conflicts))
        if self.drifts:
            cases.append(questions.drift(scene, self.drifts))
        stated = {case.subject for case in cases}
        link = replace(self.link, base=self.base(), wait=self.wait)
        operation = None
        if self.body:
            operation = self.operation(Action.UPDATE, self.body, link.external_id)
            operation = replace(operation, generation=record.generation)
        plan = Plan(
            link,
            record if patched else None,
            operation,
            tuple(cases),
            frozenset(questions.subjects(scene, refused=bool(self.body)) - stated),
            tuple(self.changes),
            again=patched and scene.system.writes and operation is None,
        )
        return _unless_refused(scene, plan)

    def base(self) -> Base:
        return Base(self.canonical, self.vendor, frozenset(self.expected_faces))

    def patched(self) -> Record:
        """The record with what was learned; the same object if that is nothing."""
        record = self.scene.record
        stored = {n: v for n, v in self.values.items() if n not in self.scene.entity.formulas}
        if stored == dict(record.values):
            return record
        return replace(record, values=stored, stamps=self.stamps, generation=record.generation + 1)

    def context(self, name: str) -> Context:
        link = self.link
        seen = datetime.fromtimestamp(link.read_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Context(
            connection=link.connection, world=self.scene.world, record=self.patched(),
            row=link.row or {}, old=self.values.get(name), seen=seen,
        )  # fmt: skip

    def theirs_moved(self, name: str, rule: Rule) -> bool:
        """Whether the vendor's raw value differs from its own face."""
        raw = rule.look(self.link.row or {})
        if raw is ABSENT:
            return False
        return name not in self.vendor or not rule.same(raw, self.vendor[name])

    def merge(self, name: str, rule: Rule) -> Decision:
        if not (rule.reads or rule.writes):
            return Decision(Verdict.AGREE)
        raw = rule.look(self.link.row or {})
        if raw is ABSENT:
            return self.unseen(name, rule)
        try:
            side = self.side(name, rule, raw)
        except Unresolved as unresolved:
            self.wait = self.wait or unresolved.wait
            return Decision(Verdict.KEEP)
        except RowInvalid as invalid:
            self.invalid.append(quarantine(self.scene.entity, self.link, name, invalid))
            return Decision(Verdict.KEEP)
        decision = merge_field(side)
        self.apply(name, rule, raw, side, decision)
        return decision

    def unseen(self, name: str, rule: Rule) -> Decision:
        """The row says nothing of this field: only what we last wrote can be compared."""
        value = self.values.get(name)
        known = name in self.canonical
        wanted = value != self.canonical[name] if known else not is_empty(value)
        writes = rule.writes and self.writing and rule.apply != "create"
        return Decision(Verdict.WRITE if wanted and writes else Verdict.KEEP)

    def side(self, name: str, rule: Rule, raw: Json) -> Side:
        declared, values = rule.field, self.values
        ours, context = values.get(name), self.context(name)
        theirs = rule.decode(raw, context) if rule.reads or declared.formula is None else None
        first = name not in self.canonical and name not in self.vendor
        can_in = rule.reads and rule.apply != "create"
        can_out = rule.writes and self.writing and rule.apply != "create"
        if rule.apply == "if_empty":
            can_in, can_out = can_in and is_empty(ours), can_out and is_empty(theirs)
        before = self.vendor.get(name) if declared.type == "set" else None
        return Side(
            here=self.link.connection,
            ours=ours,
            theirs=theirs,
            agrees=self.agrees(rule, raw, ours, theirs, context),
            ours_moved=name not in self.canonical or ours != self.canonical[name],
            theirs_moved=self.theirs_moved(name, rule),
            first=first,
            given=name in self.stamps or not is_empty(ours),
            can_in=can_in,
            can_out=can_out,
            owner=declared.owned_by(self.patched(), self.scene.world),
            on_conflict=declared.on_conflict,
            on_drift=declared.on_drift,
            clear=declared.clear or declared.formula is not None,
            is_set=declared.type == "set",
            before=None if before is None else rule.decode(before, context),
            stamp_ours=self.stamps.get(name, 0),
            stamp_theirs=self.link.stamps.get(name, 0),
        )

    def agrees(self, rule: Rule, raw: Json, ours: Json, theirs: Json, context: Context) -> bool:
        stored = rule.field.formula is None
        if stored and (theirs == ours or (is_empty(theirs) and is_empty(ours))):
            return True
        if not rule.writes:
            return False
        try:
            return rule.same(raw, rule.encode(ours, context))
        except Unresolved:
            return False

    def apply(self, name: str, rule: Rule, raw: Json, side: Side, decision: Decision) -> None:
        match decision.verdict:
            case Verdict.AGREE:
                self.agree(name, side.ours, raw)
            case Verdict.KEEP if decision.seen:
                self.vendor[name] = raw
                if self.writing:
                    self.canonical.setdefault(name, side.ours)
            case Verdict.PATCH:
                self.learn(name, rule, side, decision)
                self.agree(name, decision.value, raw)
            case Verdict.JOIN:
                self.learn(name, rule, side, decision)
                self.canonical[name], self.vendor[name] = side.theirs, raw
            case Verdict.WRITE if decision.lost is not None and not is_empty(decision.lost):
                self.note(name, rule, side.ours, side.ours, decision, 0)
            case Verdict.CONFLICT:
                self.conflicts[name] = (side.ours, side.theirs)
            case Verdict.DRIFT:
                self.drifts[name] = (side.ours, side.theirs)

    def agree(self, name: str, value: Json, raw: Json) -> None:
        self.canonical[name], self.vendor[name] = value, raw
        self.expected_faces.discard(name)

    def learn(self, name: str, rule: Rule, side: Side, decision: Decision) -> None:
        self.note(name, rule, side.ours, decision.value, decision, 1)
        self.values[name] = decision.value
        self.stamps[name] = side.stamp_theirs

    def note(
        self, name: str, rule: Rule, old: Json, new: Json, decision: Decision, step: int
    ) -> None:
        self.changes.append(
            Change(
                record_id=self.scene.record.id,
                generation=self.scene.record.generation + step,
                field=name,
                old=old,
                new=new,
                lost=decision.lost,
                lost_by=decision.lost_by,
                stamp=self.link.stamps.get(name, 0),
                connection=self.link.connection,
                rule=str(rule.position),
                policy=decision.policy,
            )
        )

    def write(self, name: str, rule: Rule, raw: Json) -> None:
        """Put a field into the body; a ref whose record has no row there yet waits."""
        value = self.values.get(name)
        try:
            sent = rule.encode(value, self.context(name))
        except Unresolved as unresolved:
            self.wait = self.wait or unresolved.wait
            needed = any(
                spec.required for root, spec in self.scene.system.resource.fields.items()
                if root in rule.roots
            )  # fmt: skip
            self.wait_required = self.wait_required or needed or rule.field.required
            return
        self.body.update(rule.body(sent))
        self.carried[name] = value
        self.causes[name] = str(rule.position)
        if raw is not ABSENT:
            self.expected[name] = raw

    def operation(
        self, action: Action, body: Mapping[str, Json], external_id: str | None
    ) -> Operation:
        link, record = self.link, self.scene.record
        return Operation(
            id="", link_id=link.id, record_id=record.id, entity=link.entity,
            connection=link.connection, resource=link.resource, action=action, body=dict(body),
            carried=dict(self.carried), expected=dict(self.expected),
            generation=record.generation, causes=dict(self.causes), external_id=external_id,
        )  # fmt: skip
