"""Links changed by a person: a row is split from its record or pointed at another one, or two records are joined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from syncengine.flows.core.engine import Engine
from syncengine.flows.people.decisions import Decision, NotPossible
from syncengine.flows.reconcile.records import placeholder_links, retied
from syncengine.model.change import JOINED
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.link import LIVE, Base, Link, LinkState
from syncengine.model.record import Record
from syncengine.model.values import Json, as_list, is_empty
from syncengine.planning.questions import one

PLANNED = (LinkState.CREATING, LinkState.WAITING)


@dataclass(slots=True)
class LinkEditor(Decision):
    """The steps of which split, point and join are made."""

    def row(self, link_id: str) -> Link:
        """A link that has a row. Raises NotPossible."""
        link = self.link(link_id)
        if link.row is None or link.external_id is None:
            raise NotPossible(f"there is no row of it in {link.connection}")
        return link

    def untie(self, link: Link, policy: str) -> tuple[Link, Changeset]:
        """The link untied from its record, which is not among what is to be written; what refers to the row is written
        again."""
        change = self.cancelled(link) + self.questions_closed(link)
        if link.record_id is not None:
            record = self.tx.records([link.record_id], lock=True)[link.record_id]
            change += self._without_base_values(link, record)
            if not record.deleted:
                change += self.note(
                    record, policy, "", None, f"no longer linked in {link.connection}"
                )
            wakes = Wakes(siblings={link.record_id: frozenset()})
            change += Changeset(wakes=wakes + retied(self.engine, went=[link]))
        alone = link.tied(record_id=None, state=LinkState.SEEN, base=Base())
        return alone.tied(wait=None, approval=None), change

    def replan(self, record_id: str, link: Link) -> Changeset:
        """The record has no row any more where a link was untied: plan whether one is created there."""
        entity = self.engine.project.entities[link.entity]
        if self.tx.records([record_id])[record_id].deleted:
            return Changeset()
        made = [k for k in placeholder_links(entity, record_id) if k.connection == link.connection]
        # It had a row there: whoever names that one is told of the next.
        return Changeset(new_links=[placeholder.mirrored(row_version=1) for placeholder in made])

    def _without_base_values(self, link: Link, record: Record) -> Changeset:
        """Drop the base values of rows in the same connection that refer to this row, so that they are compared
        again."""
        change = Changeset()
        for user, names in self.users(record):
            for other in self.tx.links_of([user.id]):
                system = self.engine.system(other.entity, other.connection)
                if other.connection != link.connection or system is None or other.row is None:
                    continue
                rules = {n: r for n, r in system.rules.items() if n in names}
                shown = {
                    n for n, r in rules.items() if str(r.extract(other.row)) == link.external_id
                }
                if shown:
                    base = other.base.forget(shown)
                    change += self.saved(other.tied(base=base).woken())
        return change

    def users(self, record: Record) -> Iterator[tuple[Record, list[str]]]:
        """Records that refer to this one, and by which fields."""
        for entity in self.engine.project.entities.values():
            refs = [n for n, f in entity.fields.items() if f.is_ref and f.to == record.entity]
            for user in self.tx.records_of(entity.name) if refs else ():
                names = [n for n in refs if record.id in as_list(user.values.get(n))]
                if names:
                    yield user, names


def split(engine: Engine, link_id: str, own: bool, author: str, reason: str = "") -> str:
    """Untie a row from its record: it stays alone, or (``own``) becomes a record of its own. Returns what was done.
    Raises NotPossible."""
    with engine.ledger.write() as tx:
        editor = LinkEditor(engine, tx, author, reason)
        link = editor.row(link_id)
        if link.record_id is None:
            raise NotPossible("the row belongs to no record")
        if own and _is_alone(editor, link):
            said = editor.said_of(link.record_id)
            raise NotPossible(f"it is the only row of its record already{said}")
        alone, change = editor.untie(link, "split")
        if own:
            made, more = editor.own_record(alone, "split")
            done = f"record {made[-8:]} was made of the row"
        else:
            more = editor.saved(alone.at_rest().tied(state=LinkState.UNLINKED))
            done = "the row stays alone"
        editor.commit(change + more + editor.replan(link.record_id, link))
    _announce(engine)
    return done


def _is_alone(editor: LinkEditor, link: Link) -> bool:
    """Whether a record has no other row, so that splitting would leave nothing behind."""
    return not any(
        other.id != link.id and other.state in LIVE
        for other in editor.tx.links_of([link.record_id or ""])
    )


def point(engine: Engine, link_id: str, record_id: str, author: str, reason: str = "") -> str:
    """Tie a row to this record, whichever it belonged to. Returns what was done. Raises NotPossible."""
    with engine.ledger.write() as tx:
        editor = LinkEditor(engine, tx, author, reason)
        link, record = editor.row(link_id), editor.record(record_id)
        if link.record_id == record.id:
            raise NotPossible(f"the row belongs to that record already{editor.said_of(record.id)}")
        if link.entity != record.entity:
            raise NotPossible(f"a row of {one(link.entity)} cannot be that of {one(record.entity)}")
        alone, change = editor.untie(link, "point")
        change += editor.tie(alone, record, "point")
        if link.record_id is not None:
            change += editor.replan(link.record_id, link)
        editor.commit(change)
    _announce(engine)
    return f"the row belongs to record {record.id[-8:]}"


def join(engine: Engine, kept_id: str, gone_id: str, author: str, reason: str = "") -> str:
    """Make two records one: the first takes over the rows of the second, what it has no value for, and what refers to
    it; other values of the second stay in the history. Returns what was done. Raises NotPossible."""
    with engine.ledger.write() as tx:
        editor = LinkEditor(engine, tx, author, reason)
        kept, gone = editor.record(kept_id), editor.record(gone_id)
        if kept.id == gone.id or kept.entity != gone.entity:
            raise NotPossible("two different records of one entity can be joined")
        users = list(editor.users(gone))
        rows = _rows_taken(editor, kept, gone)
        # Each change is made on what the one before has written: of identities above all.
        editor.commit(rows + editor.delete(gone, f"{JOINED}{kept.id}"))
        editor.commit(_values_taken(editor, kept, gone))
        for user, names in users:
            new = {n: _instead(user.values[n], gone.id, kept.id) for n in names}
            editor.commit(editor.change(editor.record(user.id), new, "join")[1])
    _announce(engine)
    return f"record {gone.id[-8:]} went into {kept.id[-8:]}"


def _rows_taken(editor: LinkEditor, kept: Record, gone: Record) -> Changeset:
    change = Changeset()
    places = {(k.connection, k.resource): k for k in editor.tx.links_of([kept.id])}
    for link in editor.tx.links_of([gone.id]):
        rival = places.get((link.connection, link.resource))
        if link.state in LIVE and rival is not None and rival.state in LIVE:
            raise NotPossible(f"both have a row in {link.connection}: split one of them first")
        held = editor.link(link.id)
        change += editor.cancelled(held) + editor.questions_closed(held)
        if held.state in LIVE:
            change += editor.tie(held.tied(base=Base()), kept, "join")
        elif held.state in PLANNED:
            change += Changeset(removed={held.id})
    return change


def _values_taken(editor: LinkEditor, kept: Record, gone: Record) -> Changeset:
    """Fill gaps of the kept record; a value that conflicts can be brought back from the history."""
    fields = editor.engine.project.entities[kept.entity].fields
    theirs = {n: v for n, v in gone.values.items() if n in fields and not is_empty(v)}
    gaps = {n: v for n, v in theirs.items() if is_empty(kept.values.get(n))}
    made, change = editor.change(kept, gaps, "join") if gaps else (kept, Changeset())
    for name, value in theirs.items():
        ours = made.values.get(name)
        if ours != value:
            change += editor.note(made, "join", name, ours, ours, lost=value, lost_by=gone.id)
    return change


def _instead(value: Json, old: str, new: str) -> Json:
    if not isinstance(value, list):
        return new
    return list(dict.fromkeys(new if item == old else item for item in value))


def _announce(engine: Engine) -> None:
    for task in ("refresh", "reconcile"):
        engine.queue.announce(task, [])
