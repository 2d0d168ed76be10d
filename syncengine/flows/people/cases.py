"""Cases: what a person's answer does. Answers are changes like any other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from syncengine.errors import RowInvalid
from syncengine.flows.capture.capture import suspect_missing, unseen_links
from syncengine.flows.capture.erased_rows import settle_return
from syncengine.flows.capture.notices import sought
from syncengine.flows.core.engine import Engine, retry_on_lost_race
from syncengine.flows.core.world import load_world
from syncengine.flows.people.approving import Answered, held_by, keeps_back
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.held_writes import Done, HeldWrites
from syncengine.flows.people.links import LinkEditor
from syncengine.flows.people.offers import offered, outdated
from syncengine.flows.people.taking import given_back
from syncengine.ledger import Transaction
from syncengine.mapping import Context, Rule, Unresolved
from syncengine.model.case import Case, CaseKind
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.condition import OperationSettled
from syncengine.model.erasure import ERASED, KEEP_OUT, TAKE_IN
from syncengine.model.link import Base, Link, LinkState, WriteApproval
from syncengine.model.operation import Action, OperationState
from syncengine.model.record import Record
from syncengine.model.values import ABSENT, is_empty, utc_text
from syncengine.planning.doubts import without
from syncengine.planning.identity import AT_VENDOR, place_free, to_create
from syncengine.planning.questions import undone_subject

REVISED = {
    (CaseKind.REJECTED, "drop"): "retry",
    (CaseKind.IDENTITY, KEEP_OUT): TAKE_IN,
}
"""Kind and answer of a closed case -> the answer that may still be given instead; of held writes as long as some are
held back."""


class Closed(NotPossible):
    """A case takes no answer any more: somebody was first, or what it asked about is no longer so."""


LONGEST_REASON: Final = 1000
"""Characters of a reason."""
ANSWERED: Final = "answered"
"""What was seen of a question whose answer is to be another one."""


def answer(
    engine: Engine, case_id: str, given: str, reason: str = "", author: str = "admin",
    seen: str | None = None, only: Collection[str] | None = None,
) -> Answered:  # fmt: skip
    """Carry out a person's answer to a case in one transaction. ``seen``: the digest of the held writes that they have
    looked at, where they approve such; ``ANSWERED`` where they know that somebody left the row alone, and say
    otherwise. ``only``: the links of held writes that the answer is about; the others stay asked about. Raises
    NotPossible."""
    if len(reason) > LONGEST_REASON:
        told = f"expected a reason of at most {LONGEST_REASON:,} characters, found {len(reason):,}"
        raise NotPossible(told)
    answered = _Answers(engine).give(case_id, given, reason, author, seen, only)
    if not answered.more:
        engine.queue.announce("refresh", [])
        engine.queue.announce("reconcile", [])
    return answered


@dataclass(slots=True)
class _Answers:
    engine: Engine

    @retry_on_lost_race
    def give(
        self, case_id: str, given: str, reason: str, author: str, seen: str | None,
        only: Collection[str] | None,
    ) -> Answered:  # fmt: skip
        """One answer; who comes second waits for the first one and is told what that was."""
        engine = self.engine
        with engine.ledger.write() as tx:
            found = tx.cases(ids=[case_id], open_only=False, lock=True)
            if not found:
                raise NotPossible(f"there is no case {case_id}: see `syncengine cases list`")
            case = found[0]
            possible = answers_now(engine, tx, case)
            if case.closed_at is not None and case.answer == "ignore" and seen != ANSWERED:
                raise Closed(_over(case))
            if given not in possible:
                if case.closed_at is not None:
                    raise Closed(_over(case))
                raise NotPossible(_refusal(engine, tx, case, given, possible))
            act = _Answer(engine, tx, author, reason, case=case, given=given, seen=seen, only=only)
            done, change = act.carried_out()
            answered = act.case
            if not act.more and not act.rest:
                answered = replace(
                    answered,
                    answer=given,
                    author=author,
                    reason=reason,
                    closed_at=engine.clock.now(),
                )
            if not act.more:
                given_back(tx, case.id)
            act.commit(change + Changeset(cases=[answered]))
        return Answered(done, act.more, act.rest)


def _refusal(
    engine: Engine, tx: Transaction, case: Case, given: str, possible: Mapping[str, str]
) -> str:
    """Why an answer is not taken: what has changed since it was offered."""
    expected = f"expected one of {', '.join(possible)}; found {given!r}"
    changed = outdated(engine, tx, case, given)
    return f"{expected}, which fits no longer: {changed}" if changed else expected


def _over(case: Case) -> str:
    at = utc_text(case.closed_at or 0.0)
    if not case.author:
        return f"the case is closed already: what it asked about is no longer so, since {at}"
    said = f"the case is closed already: {case.author} answered {case.answer!r} at {at}"
    kept = case.kind is CaseKind.STAGED and case.answer == "reject"
    return said + "; nothing is held back by that any more" * kept


def answers_now(engine: Engine, tx: Transaction, case: Case) -> dict[str, str]:
    """The answers that a case takes now: while it is open all of them (about the identity of a row, those that still
    fit); afterwards the opposite one, where what was rejected can still be sent, or the other ones about a row that was
    left alone and still is."""
    if case.kind is CaseKind.IDENTITY and case.closed_at is None and case.link_id is not None:
        return offered(engine, tx, case)
    if case.kind is CaseKind.IDENTITY and case.answer == "ignore":
        links = tx.links([case.link_id or ""]).values()
        alone = any(k.state is LinkState.UNLINKED and k.record_id is None for k in links)
        told = offered(engine, tx, case) if alone else {}
        return {given: does for given, does in told.items() if given != "ignore"}
    if case.closed_at is None:
        return case.answers
    other = REVISED.get((case.kind, case.answer or ""))
    if case.kind is CaseKind.STAGED and held_by(tx, case):
        other = "approve"
    return {given: does for given, does in case.answers.items() if given == other}


@dataclass(slots=True)
class _Answer(HeldWrites):
    def carried_out(self) -> Done:
        acts: dict[CaseKind, Callable[[], Done]] = {
            CaseKind.IDENTITY: self.identity,
            CaseKind.CONFLICT: self.conflict,
            CaseKind.DRIFT: self.drift,
            CaseKind.MISSING: self.missing,
            CaseKind.STAGED: self.staged,
            CaseKind.UNKNOWN: self.unknown,
            CaseKind.REJECTED: self.rejected,
        }
        act = acts.get(self.case.kind)
        if act is not None:
            return act()
        change = Changeset()
        if self.case.link_id is not None:
            link = self.asked()
            change = self.saved(link.to_read().woken())
        return "it is looked at again", change

    def asked(self) -> Link:
        """The link that the case is about, locked."""
        return self.link(self.case.link_id or "")

    # kinds

    def _returned(self) -> Done:
        """Somebody who was erased is shown again."""
        settle_return(self.tx, self.case.subject.removeprefix(ERASED), self.given)
        if self.given == KEEP_OUT:
            return "nothing of it is kept", Changeset()
        for name, connection, _, external_id in self.case.evidence["places"]:
            system = self.engine.system(name, connection)
            if system is not None:
                entity = self.engine.project.entities[name]
                self.commit(sought(self.engine, self.tx, entity, system, external_id))
        return "it is read as if it had never been here", Changeset()

    def identity(self) -> Done:
        if self.case.subject.startswith(ERASED):
            return self._returned()
        verb, _, record_id = self.given.partition(" ")
        if verb == "ignore":
            change = Changeset()
            for link in self.tx.links([self.case.link_id or ""], lock=True).values():
                if link.record_id is None:
                    alone = link.at_rest().tied(state=LinkState.UNLINKED, wait=None)
                    change += self.row_forgotten(link) + self.saved(alone)
            return "it stays as it is", change
        link = self.asked()
        if verb == "new":
            _, change = self.own_record(link, self.policy)
            return "a record of its own was made", change
        record = self.record(record_id)
        untied, change = self._left_alone(record, link) if verb == "replace" else ([], Changeset())
        change += self.tie(link, record, self.policy, untied)
        return "the row belongs to that record now", change

    def _left_alone(self, record: Record, link: Link) -> tuple[list[str], Changeset]:
        """The row that a record has where another row takes its place is untied; it stays at the vendor. Returns which
        links that are."""
        editor = LinkEditor(self.engine, self.tx, self.author, self.reason, freed=self.freed)
        untied, change = list[str](), Changeset()
        for other in self.tx.links_of([record.id]):
            here = (other.connection, other.resource) == (link.connection, link.resource)
            if here and other.state in AT_VENDOR:
                alone, more = editor.untie(editor.link(other.id), self.policy)
                change += more + editor.saved(alone.at_rest().tied(state=LinkState.UNLINKED))
                untied.append(other.id)
        return untied, change

    def conflict(self) -> Done:
        link = self.asked()
        if self.given in ("delete", "keep"):
            return self._delete_or_keep(link)
        if self.given == "record":
            return "our value counts", self._insisted(link)
        return f"the value of {link.connection} counts", self._adopted(link)

    def _delete_or_keep(self, link: Link) -> Done:
        if self.given == "keep":
            approval = self.approval(Action.DELETE.value, "")
            kept = link.tied(state=LinkState.LEFT, approval=approval).woken()
            return "it stays there", self.saved(kept)
        shown = {n: rule.extract(link.row or {}) for n, rule in self._rules(link).items()}
        seen = {n: raw for n, raw in shown.items() if raw is not ABSENT}
        base = replace(link.base, released=seen)
        return "it is deleted there", self.saved(link.tied(base=base).woken())

    def drift(self) -> Done:
        link = self.asked()
        if self.given == "revert":
            return "our value is written again", self._insisted(link)
        return f"the value of {link.connection} was taken over", self._adopted(link)

    def _insisted(self, link: Link) -> Changeset:
        """Our values are written to the vendor again; the values of its row are kept in the history."""
        record, rules = self.record(link.record_id or ""), self._rules(link)
        fields = self.case.evidence.get("fields", {})
        world = load_world(self.engine, self.tx, [link], {record.id: record})
        canonical, vendor = dict(link.base.canonical), dict(link.base.vendor)
        change = Changeset()
        for name, sides in fields.items():
            ours, raw = record.values.get(name), rules[name].extract(link.row or {})
            canonical.pop(name, None)
            vendor[name] = raw
            context = Context(link.connection, world, record, link.row or {}, ours)
            try:
                theirs = rules[name].decode(raw, context)
            except (RowInvalid, Unresolved):
                theirs = sides[link.connection]
            by = "" if is_empty(theirs) else link.connection
            change += self.note(record, self.policy, name, ours, ours, lost=theirs, lost_by=by)
        base = replace(link.base, canonical=canonical, vendor=vendor)
        entity = self.engine.project.entities[link.entity]
        compared = [name for name in fields if name in entity.compared]
        base = self.accept_difference(link.tied(base=base), record, compared)
        return change + self.saved(link.tied(base=base).woken())

    def _adopted(self, link: Link) -> Changeset:
        """The vendor's values become ours; the present row is compared with them."""
        record, fields = self.record(link.record_id or ""), self.case.evidence.get("fields", {})
        values = {name: sides[link.connection] for name, sides in fields.items()}
        _, change = self.change(record, values, self.policy, [link.id])
        canonical = {**link.base.canonical, **values}
        base = replace(link.base.forget(fields), canonical=canonical)
        return change + self.saved(link.tied(base=base).woken())

    def _rules(self, link: Link) -> Mapping[str, Rule]:
        return self.engine.project.entities[link.entity].systems[link.connection].rules

    def missing(self) -> Done:
        if self.case.link_id is None:
            return self._emptied()
        link = self.asked()
        change = Changeset(wakes=Wakes(waiting={place_free(link)}))
        if self.given == "recreate":
            fresh = to_create(link).tied(base=Base())
            approval = self.approval(Action.CREATE.value, "")
            change += self.saved(fresh.tied(approval=approval).woken())
            return f"the row is made again in {link.connection}", change
        change += self.saved(link.at_rest().tied(state=LinkState.GONE))
        if self.given == "delete":
            change += self.delete(self.record(link.record_id or ""), self.policy)
            return "the record is deleted", change
        return "the record is kept", change

    def _emptied(self) -> Done:
        connection, resource = self.case.evidence["connection"], self.case.evidence["resource"]
        if self.given == "wait":
            return "nothing is concluded", Changeset()
        now, change = self.engine.clock.now(), Changeset()
        listed = self.tx.resource(connection, resource).scanned_at
        for entity, system in self.engine.project.systems_of(connection, resource):
            links = unseen_links(self.engine, self.tx, entity.name, system, listed)
            change += suspect_missing(system, links, now, sure=True)
        count = sum(link.dirty > 0 for link in change.links)
        return f"{count} rows are taken for gone where a read shows nothing else", change

    def unknown(self) -> Done:
        operation_id = self.case.operation_id or ""
        held = self.tx.operations([operation_id], lock=True).get(operation_id)
        if held is None or held.state is not OperationState.UNKNOWN:
            return "it was settled meanwhile", Changeset()
        link, woken = self.asked(), Wakes(waiting={OperationSettled(operation_id)})
        again = link.woken()
        if self.given == "applied":
            state = LinkState.GONE if link.external_id is None else link.state
            applied = replace(held, state=OperationState.APPLIED)
            change = self.saved(again.to_read().tied(state=state))
            change += Changeset(operations=[applied], wakes=woken)
            return "the row is looked for in the next listing", change
        stale = replace(held, state=OperationState.STALE)
        change = self.saved(again) + Changeset(operations=[stale], wakes=woken)
        return "it is planned anew", change

    def rejected(self) -> Done:
        link = self.asked()
        if self.case.closed_at is not None and not keeps_back(self.case, link):
            raise NotPossible("that write is not wanted any more")
        approval = self._dropped() if self.given == "drop" else None
        base = link.base
        if self.case.subject == undone_subject(link.id) and not approval:
            base = without(base, [n for n, d in base.doubts.items() if d.stage == "undone"])
        again = link.tied(base=base, approval=approval, wait=None).woken()
        return "it is left" if approval else "it is tried again", self.saved(again)

    def _dropped(self) -> WriteApproval:
        operation_id, evidence = self.case.operation_id or "", self.case.evidence
        kind = evidence.get("kind") or self.tx.operations([operation_id])[operation_id].kind
        return self.approval(str(kind), str(evidence.get("digest", "")))
