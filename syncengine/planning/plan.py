"""The plan of one link: what its record learns, what its vendor is to be told, what a person is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from syncengine.mapping import paths
from syncengine.model.change import ON_MISSING, Change
from syncengine.model.link import LEAVE, LIVE, WHOLE, Base, Link, LinkState, Wait
from syncengine.model.operation import Action
from syncengine.model.spelling import alike, blank
from syncengine.model.values import ABSENT, Json, is_empty
from syncengine.planning import questions
from syncengine.planning.doubts import undone
from syncengine.planning.fields import Fields
from syncengine.planning.identity import AT_VENDOR, place_free, to_make, waits_for
from syncengine.planning.outside import outside
from syncengine.planning.rulings import RECORD, body_digest, not_done, ruled, unless_refused
from syncengine.planning.safety import kind_of
from syncengine.planning.scene import Plan, Scene
from syncengine.planning.sight import body_row

TAKES_PLACE = LIVE | {LinkState.CREATING, LinkState.WAITING}
"""States of which a record has at most one link in a connection's resource."""


def decide(scene: Scene) -> Plan:
    """Plan one tied link. Pure."""
    made = ruled(scene, _decided(scene))
    over = made.link.state in (LinkState.GONE, LinkState.MISSING)
    if not (over or scene.record.deleted):
        return made
    ended = questions.subjects(scene, refused=not over)
    return replace(made, dissolves=made.dissolves | ended - {case.subject for case in made.cases})


def _decided(scene: Scene) -> Plan:
    link = scene.link
    calm = replace(link, dirty=0, wait=None) if link.dirty or link.wait else link
    match calm.state:
        case LinkState.CREATING | LinkState.WAITING:
            return _create(scene, replace(calm, state=LinkState.CREATING))
        case LinkState.UNLINKED | LinkState.SEEN:
            return Plan(replace(calm, wait=scene.link.wait))
        case LinkState.GONE if calm.row is None:
            return _again(scene, calm)
        case LinkState.GONE if _still_there(scene, calm):
            calm = _not_gone(scene, calm)
        case LinkState.GONE:
            return _returned(scene, calm)
    if calm.row is None:
        return _row_gone(scene, calm)
    if calm.state is LinkState.MISSING:
        calm = replace(calm, state=LinkState.LINKED)
    if scene.in_scope:
        linked = calm.state is LinkState.LINKED
        return Fields(scene, calm if linked else replace(calm, state=LinkState.LINKED)).plan()
    return _leave(scene, calm)


def _again(scene: Scene, link: Link) -> Plan:
    """A row that went out of scope, by our hand or another, leaves no faces behind: it is made again once its record
    is back."""
    went = link.external_id is not None and link.base.faceless
    system = scene.system
    makes = system.creates_out or system.on_missing == "recreate"
    if not (went and makes and scene.in_scope) or _taken(scene):
        return Plan(link)
    lost = _lost(scene, again=True)
    if lost is not None:
        return Plan(replace(link, wait=lost))
    return Plan(to_make(link), again=True)


def _lost(scene: Scene, again: bool) -> Wait | None:
    """What a row waits for that is not made, since the record's row in a system that owns a field of it is in
    question. Nor is one made ``again``, once that row is gone."""
    for name in sorted(_owners(scene)):
        rows = [s for s in scene.siblings if s.connection == name and s.id != scene.link.id]
        there = any(s.state in AT_VENDOR and s.row is not None for s in rows)
        if not there and any(_is_lost(s, again) for s in rows):
            return Wait("", f"its row in {name}, which is gone or in question")
    return None


def _is_lost(owner: Link, gone: bool) -> bool:
    """A row that went since its record left the scope is not lost, it is not to be there."""
    if owner.state is LinkState.GONE:
        return gone and owner.external_id is not None and owner.base != Base()
    return owner.state in LIVE and (owner.row is None or owner.state is LinkState.MISSING)


def _owners(scene: Scene) -> set[str]:
    """The other systems that own a field of the record."""
    fields = scene.entity.fields.values()
    owners = {f.owned_by(scene.record, scene.world) for f in fields}
    return {name for name in owners if name is not None} - {scene.link.connection}


def _taken(scene: Scene) -> bool:
    """Whether another link of the record stands in this place."""
    here = (scene.link.connection, scene.link.resource)
    return any(
        s.state in TAKES_PLACE and (s.connection, s.resource) == here
        for s in scene.siblings
        if s.id != scene.link.id
    )


def _still_there(scene: Scene, link: Link) -> bool:
    """Whether the vendor accepted that a row is deleted and did not delete it."""
    return undone(scene.system, link.base, WHOLE, link.row or {}) and not _taken(scene)


def _not_gone(scene: Scene, link: Link) -> Link:
    """A row that was never deleted, as it was before that was tried: what stands there is nobody's news."""
    rules, row = scene.system.rules, link.row or {}
    vendor = {n: raw for n, rule in rules.items() if (raw := rule.look(row)) is not ABSENT}
    made = {name: rules[name].fingerprint for name in vendor}
    base = Base(vendor=vendor, rules=made, doubts=link.base.doubts)
    return replace(link, state=LinkState.LINKED, base=base)


def _returned(scene: Scene, link: Link) -> Plan:
    if scene.record.deleted or _taken(scene):
        alone = replace(link, record_id=None, state=LinkState.SEEN, base=Base(), ruling=None)
        return Plan(replace(alone, dirty=1))
    return Plan(replace(link, state=LinkState.LINKED), again=True)


def _create(scene: Scene, link: Link) -> Plan:
    if scene.record.deleted:
        return Plan(replace(link, state=LinkState.GONE))
    if not scene.in_scope:
        return Plan(replace(link, wait=outside(scene)))
    if not scene.ready:
        what = f"a complete listing of {link.connection} {link.resource}"
        return Plan(replace(link, wait=Wait(f"scan:{link.connection}/{link.resource}", what)))
    wanted = link.ruling is not None and link.ruling.answer == "recreate"
    lost = None if wanted else _lost(scene, again=link.row_version > 0)
    if lost is not None:
        return Plan(replace(link, wait=lost))
    system, record = scene.system, scene.record
    external_id: str | None = None
    if system.key is not None:
        chosen = system.key.on_record(record, scene.world)
        if is_empty(chosen):
            return Plan(replace(link, wait=Wait("", f"the id for {link.connection}")))
        external_id = str(chosen)
    fields = Fields(scene, link)
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
    if scene.holder is not None:
        return Plan(waits_for(link, scene.holder))
    operation = fields.operation(Action.CREATE, body, external_id)
    return unless_refused(scene, Plan(replace(link, wait=fields.wait), operation=operation))


def _has(body: Mapping[str, Json], name: str) -> bool:
    return any(paths.root(path) == name and not is_empty(value) for path, value in body.items())


def _row_gone(scene: Scene, link: Link) -> Plan:
    """A complete scan and a confirming read proved the row gone."""
    gone = replace(link, state=LinkState.GONE)
    freed = frozenset({place_free(link)})
    if scene.record.deleted or scene.system.on_missing == "keep":
        # What was never compared leaves no faces, and is made as if it had not been there.
        return Plan(gone, wakes=freed, again=gone.base.faceless and not scene.record.deleted)
    recreated = scene.system.on_missing == "recreate"
    if not scene.in_scope and (recreated or link.state is LinkState.LEFT):
        return Plan(replace(gone, base=Base()), wakes=freed)
    match scene.system.on_missing:
        case "recreate":
            if lost := _lost(scene, again=True):
                return Plan(replace(gone, base=Base(), wait=lost), wakes=freed)
            fresh = replace(to_make(gone), base=Base())
            return Plan(fresh, wakes=freed, again=True)
        case "delete" if _let_be(link):
            return Plan(gone, wakes=freed)
        case "delete" if not _others_own(scene):
            if _unsent(scene) or _asked(scene.link):
                missing = replace(link, state=LinkState.MISSING)
                return Plan(missing, cases=(questions.missing(scene, _unsent(scene)),), wakes=freed)
            deleted = replace(scene.record, deleted=True, generation=scene.record.generation + 1)
            change = Change(scene.record.id, deleted.generation, "", old="", new="deleted",
                            connection=link.connection, rule=scene.system.cause("on_missing"),
                            policy=ON_MISSING)  # fmt: skip
            return Plan(gone, record=deleted, changes=(change,), wakes=freed)
    missing = replace(link, state=LinkState.MISSING)
    return Plan(missing, cases=(questions.missing(scene, _unsent(scene)),), wakes=freed)


def _asked(link: Link) -> bool:
    """Whether somebody is asked already what becomes of a row that is gone: then only an answer deletes the record.
    Where the deletion itself is held with others, that is another question."""
    held = link.wait is not None and link.wait.key.startswith(questions.STAGED)
    ruling = link.ruling
    said = ruling is not None and ruling.answer != "" and ruling.covers(Action.DELETE.value, RECORD)
    return link.state is LinkState.MISSING and not (held or said)


def _let_be(link: Link) -> bool:
    """Whether a person said that what is there stays: the row of a leaver, the record of a row that is gone."""
    ruling = link.ruling
    return ruling is not None and ruling.refuses and ruling.kind == Action.DELETE.value


def _others_own(scene: Scene) -> bool:
    live = {s.connection for s in scene.siblings if s.state in LIVE and s.id != scene.link.id}
    return bool(_owners(scene) & live)


def _unsent(scene: Scene) -> bool:
    """Whether our side holds a change that the vanished row never saw."""
    base, values = scene.link.base, scene.record.values
    told = any(d.stage != "open" for d in base.doubts.values())
    moved = (n for n, face in base.canonical.items() if n in values and not alike(values[n], face))
    return told or any(moved)


def _leave(scene: Scene, link: Link) -> Plan:
    """The record left the scope or was deleted: keep or delete at the vendor, as ``on_leave`` says."""
    system, row = scene.system, link.row or {}
    reading = Fields(scene, link, writing=False)
    asked = {path for path in system.set_leave if undone(system, link.base, LEAVE + path, row)}
    kept = (link.state is LinkState.LEFT and not asked) or _let_be(link)
    if system.on_leave == "delete" and system.resource.delete and not kept:
        flowing = {n: r for n, r in system.rules.items() if r.reads or r.writes}
        moved = {
            n: rule for n, rule in flowing.items()
            if reading.theirs_moved(n, rule) and link.base.released.get(n, ABSENT) != rule.look(row)
        }  # fmt: skip
        if moved:
            sides = {n: (reading.values.get(n), reading.meaning(n, r)) for n, r in moved.items()}
            return Plan(link, cases=(questions.unseen_change(scene, sides),))
        expected = {n: raw for n, r in system.rules.items() if (raw := r.look(row)) is not ABSENT}
        operation = replace(
            reading.operation(Action.DELETE, {}, link.external_id), expected=expected
        )
        if undone(system, link.base, WHOLE, row):
            return not_done(scene, link, kind_of(system, operation), body_digest(operation), {})
        return unless_refused(scene, Plan(link, operation=operation))
    freed = frozenset({place_free(link)}) if scene.record.deleted else frozenset()
    read = Plan(link, wakes=freed) if scene.record.deleted else reading.plan()
    if read.record is not None:
        return replace(read, again=True)
    body = {p: v for p, v in system.set_leave.items() if paths.get(row, p) != v}
    if body and not kept and asked >= body.keys():
        leave = replace(reading.operation(Action.UPDATE, body, link.external_id), leave=True)
        found = {path: paths.get(row, path) for path in body}
        sides = {p: (body[p], None if raw is ABSENT else raw) for p, raw in found.items()}
        held = replace(read.link, state=LinkState.LINKED)
        asks = not_done(scene, held, kind_of(system, leave), body_digest(leave), sides)
        over = read.dissolves - {case.subject for case in asks.cases}
        return replace(read, link=asks.link, cases=(*read.cases, *asks.cases), dissolves=over)
    if body and not kept:
        return unless_refused(scene, _write_leave(scene, reading, read, body))
    return replace(read, link=replace(read.link, state=LinkState.LEFT, wait=None))


def _write_leave(scene: Scene, reading: Fields, read: Plan, body: dict[str, Json]) -> Plan:
    """Write ``set.leave``; a value of the vendor's that it runs over, seen and not learned, stays on record."""
    link, record, sent = read.link, scene.record, body_row(body)
    written = {n: r for n, r in scene.system.rules.items() if r.look(sent) is not ABSENT}
    expected = {n: raw for n, r in written.items() if (raw := r.look(link.row or {})) is not ABSENT}
    lost = tuple(
        Change(record.id, record.generation, name, lost=raw, lost_by=link.connection,
               connection=link.connection, rule=str(written[name].position), policy="set.leave")
        for name, raw in expected.items()
        if reading.theirs_moved(name, written[name]) and not blank(raw)
    )  # fmt: skip
    operation = reading.operation(Action.UPDATE, body, link.external_id)
    operation = replace(operation, leave=True, expected=expected)
    return replace(read, operation=operation, changes=(*read.changes, *lost))
