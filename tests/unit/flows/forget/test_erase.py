"""Erasing: what goes, what stays, what stands in its way, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from syncengine.errors import LostRace, Rejected
from syncengine.flows.capture.refresh import refresh
from syncengine.flows.forget.erase import described, erase, erasures, preview
from syncengine.flows.forget.footprint import gather
from syncengine.flows.naming.names import names
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.links import join
from syncengine.flows.people.undo import undo
from syncengine.flows.reconcile.derive import derive
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.flows.views.export import export
from syncengine.ledger import Transaction
from syncengine.model.changeset import Changeset
from syncengine.model.erasure import Erasure
from syncengine.model.operation import OperationState
from syncengine.ports import Item, Page
from syncengine.simulation.bench import project
from tests.support.people import (
    COLUMNS,
    FIELDS,
    HR,
    HR_DELETES,
    LMS,
    LMS_BOTH,
    LMS_DELETES,
    LMS_NONE,
    anna,
    duo,
    entity,
    lead,
)
from tests.support.teams import NOTE, TEAM, crew, teams
from tests.unit.flows.forget.parts import gone

WELCOME = """
version: 1
derive:
  - name: welcome
    for: {person: "person.job == 'dev'"}
    ensure: note
    with: {about: person, text: "'welcome'"}
"""
REQUIRED = "  email: {type: email}\n  name: {type: string, required: true}\n  job: {type: string}\n"


@pytest.mark.parametrize("state", [OperationState.CLAIMED, OperationState.UNKNOWN])
def test_a_write_under_way_is_waited_for(state: OperationState) -> None:
    """While a write may still take effect nothing is erased, and the refusal says what is under way."""
    made = duo()
    lead(made)
    (operation,) = made.unsettled()
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(operations=[replace(operation, state=state)]))
    assert preview(made.engine, made.record().id)["under_way"]
    with pytest.raises(NotPossible, match="update of person in lms"):
        gone(made)
    assert made.record()
    assert erasures(made.engine) == []


def test_a_write_that_is_not_sent_yet_is_never_sent() -> None:
    """What is planned for the erased goes with everything else."""
    made = duo()
    lead(made)
    gone(made)
    made.settle()
    assert made.operations() == []
    assert [row["job"] for row in made.vendors["lms"].rows().values()] == ["dev"]


@pytest.mark.parametrize("reason", ["Anna asked", "request of anna@x.de"])
def test_a_reason_that_names_her_is_refused(reason: str) -> None:
    """The log is kept for good, so it does not take a name or an address."""
    made = duo(fields=REQUIRED)
    anna(made)
    with pytest.raises(NotPossible, match="without a name") as refusal:
        erase(made.engine, made.record().id, reason, "dpo")
    assert "nna" not in str(refusal.value)
    assert made.record()


@pytest.mark.parametrize("said", ["HH-1001/7", "zoe@home.example", "Zoe\u0308"])
def test_a_reason_that_names_her_in_another_way_is_refused(said: str) -> None:
    """By a number with signs in it, an address that is no identity, or other code points."""
    fields = f"{REQUIRED}  home: {{type: email, sensitive: true}}\n"
    made = duo(
        {"columns": (*COLUMNS, "home")}, fields=fields, identity="[[email], [job]]",
        hr_system=HR.replace("job: job", "job: job, home: home"),
    )  # fmt: skip
    anna(made, name="Zo\u00eb", job="HH-1001/7", home="zoe@home.example")
    with pytest.raises(NotPossible, match="without a name"):
        erase(made.engine, made.record().id, f"asked: {said}", "dpo")


def test_what_a_vendor_said_of_her_in_a_write_for_another_goes() -> None:
    """A refusal of somebody else's write that names her holds dots instead; else it stays as it was."""
    made = duo(fields=REQUIRED)
    anna(made, name="Anna Meier")

    def create(*_: Any) -> Any:
        words = "taken by Anna Meier <anna@x.de>"
        raise Rejected(f"POST /people: HTTP 422; refused: {words}", 422, words)

    made.vendors["lms"].create = create  # type: ignore[method-assign]
    made.vendors["hr"].add(email="bea@x.de", name="Bea Meier", job="dev")
    made.sync()
    mine = next(r for r in made.records() if r.values["email"] == "anna@x.de")
    gone(made, mine.id)
    assert made.stored("Anna", "anna@x.de") == []
    assert (
        made.case().evidence["answer"]
        == "taken by \u2022\u2022\u2022 \u2022\u2022\u2022 <\u2022\u2022\u2022>"
    )
    assert made.case().evidence["body"]["name"] == "Bea Meier"


def test_a_row_of_hers_that_did_not_fit_goes_and_is_not_stored_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The question about a row without a usable id shows who she is, so it goes with her; listed again, the row is
    asked about as hers, without what it shows."""
    made = duo(fields=REQUIRED)
    anna(made, name="Anna Meier")
    hr = made.vendors["hr"]
    good, row = hr.scan, {"email": "anna@x.de", "name": "Anna Meier", "job": "dev"}

    def scan(*asked: Any) -> Iterator[Page]:
        for page in good(*asked):
            yield Page([Item("", row, fault="it has no usable id in 'id'")], page.cursor)

    monkeypatch.setattr(hr, "scan", scan)
    made.sync()
    assert made.case().evidence["row"] == row
    gone(made)
    assert made.stored("Anna", "anna@x.de") == []
    hr.remove(*hr.rows())
    made.sync()
    assert made.case().subject.startswith("erased:")
    assert made.stored("Anna", "anna@x.de") == []


def test_the_mapping_has_rows_deleted_first() -> None:
    """``on_leave: delete``: the row goes at its vendor by the ordinary way, and only then is everything erased; what
    the mapping keeps stays at its vendor."""
    made = duo(lms_system=LMS_DELETES)
    anna(made)
    waits = erase(made.engine, made.record().id, "request 17", "dpo")
    assert isinstance(waits, list)
    assert [(w["connection"], w["entity"]) for w in waits] == [("lms", "person")]
    assert erasures(made.engine) == []
    (record,) = made.read(lambda tx: tx.records_of("person", deleted=True))
    made.settle()
    assert made.vendors["lms"].rows() == {}
    gone(made, record.id)
    assert len(made.vendors["hr"].rows()) == 1
    assert made.links() == []


def test_rows_that_the_mapping_deletes_may_be_left() -> None:
    """Who says so erases here and leaves the row where it is."""
    made = duo(lms_system=LMS_DELETES)
    anna(made)
    done = erase(made.engine, made.record().id, "request 17", "dpo", leave_rows=True)
    assert isinstance(done, Erasure)
    assert len(made.vendors["lms"].rows()) == 1
    assert "delete" not in {verb for verb, _ in made.vendors["lms"].wrote()}


def test_what_cannot_be_without_her_goes_and_what_can_forgets_her() -> None:
    """A required ref makes a record hers; from other refs, alone or in lists, she is taken, in record, row and base
    values. Vendors keep what they have, and what names her there waits."""
    made = teams()
    anna_there, bea_there = crew(made)
    mine, other = made.record(name="anna").id, made.record(name="bea").id
    told = preview(made.engine, mine)
    assert told["belongs"] == {"note": 1}
    assert told["named_by"] == {"team.lead": 1, "team.members": 1}
    gone(made, mine)
    assert made.stored(mine, f"'{anna_there}'", f'"{anna_there}"', "anna@x.de") == []
    (team,) = made.records("team")
    assert (team.values["lead"], team.values["members"]) == (None, [other])
    assert [r.values["about"] for r in made.records("note")] == [other]
    (line,) = [c for c in made.history(team.id) if c.policy == "erasure"]
    assert line.new == "forgot whom it named in lead, members"
    assert {c.generation for c in made.history(team.id)} == {1, team.generation} == {1, 2}
    hr = made.vendors["hr"]
    writes = len(hr.wrote())
    hr.edit(bea_there, job="lead")
    made.sync()
    assert len(hr.wrote()) == writes
    assert hr.rows("teams").popitem()[1]["lead"] == anna_there
    assert {k.wait.key for k in made.links("hr") if k.wait} == {f"ref:hr/people/{anna_there}"}


def test_nobody_else_goes_along() -> None:
    """Where a required ref would take other people with her, nothing is erased, and the refusal says which field."""
    made = teams(required="true")
    chief = entity(hr=HR.replace("job: job", "job: job, team: team"), lms=LMS,
                   fields=FIELDS + "  team: {type: ref, to: team, required: true}\n")  # fmt: skip
    crew(made)
    mine, other = made.record(name="anna").id, made.record(name="bea").id
    files = (chief, TEAM.replace("REQUIRED", "true"), NOTE)
    made.engine.project = project(list(made.vendors.values()), *files)
    (team,) = made.records("team")
    with made.engine.ledger.write() as tx:
        held = tx.records([other], lock=True)[other]
        tx.write(Changeset(records=[replace(held, values={**held.values, "team": team.id})]))
    with pytest.raises(NotPossible, match="another person would go, too: its team"):
        gone(made, mine)
    assert len(made.records()) == 2


def test_who_was_joined_into_her_goes_with_her() -> None:
    """A record that went into hers is hers, too: its values and its history are not kept."""
    made = duo(lms_system=LMS_BOTH, modes={"lms": "observe"})
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.vendors["lms"].add(email="second@x.de", name="Anna B", job="cook")
    made.sync()
    mine, second = made.record(name="Anna").id, made.record(name="Anna B").id
    join(made.engine, mine, second, "kim")
    assert made.stored("second@x.de")
    assert [e["record"] for e in preview(made.engine, mine)["earlier"]] == [second]
    gone(made, mine)
    assert made.stored(mine, second, "anna@x.de", "second@x.de", "Anna") == []


def test_who_she_was_before_she_left_goes_with_her() -> None:
    """The deleted record of an earlier time, which bore the same identity, is found by it."""
    made = duo(hr_system=HR_DELETES)
    mine, theirs = anna(made)
    before = made.record().id
    made.vendors["hr"].remove(mine)
    made.vendors["lms"].remove(theirs)
    made.sync()
    made.sync()
    assert made.records() == []
    anna(made, name="Anna Again")
    now = made.record().id
    assert [e["record"] for e in preview(made.engine, now)["earlier"]] == [before]
    gone(made, now)
    assert made.stored(before, now, "anna@x.de") == []


def test_whether_a_row_is_hers_is_answered_first() -> None:
    """While it is asked whether a row of nobody is hers, nothing is erased. Said to be another's, it stays, and the
    answer is kept without her."""
    made = duo(
        fields=REQUIRED, lms_system=LMS_NONE,
    )  # fmt: skip
    made.vendors["hr"].add(email="anna@x.de", name="Anna Meier", job="dev")
    made.vendors["lms"].add(email="other@x.de", name="Meier Anna", job="dev")
    made.sync()
    mine = made.record().id
    assert made.case().evidence["records"] == [mine]
    with pytest.raises(NotPossible, match=f"1 more rows .*{made.case().id[-8:]}"):
        gone(made)
    made.answer("ignore")
    gone(made)
    made.sync()
    assert made.stored(mine, "anna@x.de") == []
    (closed,) = made.read(lambda tx: [c for c in tx.cases(open_only=False) if c.answer == "ignore"])
    assert closed.evidence["records"] == []
    assert list(closed.answers) == ["new", "ignore"] or list(closed.answers) == ["ignore"]


def test_a_record_that_would_belong_to_her_is_not_made_any_more() -> None:
    """A worker that has decided on one before she was erased is told to look again, and finds nothing to do."""
    made = teams(WELCOME)
    hr = made.vendors["hr"]
    hr.add(email="anna@x.de", name="anna", job="dev")
    made.scan_all()
    while refresh(made.engine) + reconcile(made.engine):
        pass
    mine = made.record().id
    with made.between(1, lambda: gone(made, mine)), pytest.raises(LostRace, match="erased"):
        derive(made.engine)
    made.settle()
    assert made.records("note") == []
    assert made.stored(mine) == []


def test_an_address_that_another_bears_too_is_not_hers_alone() -> None:
    """What a person said to be borne by two is no sign of the one that was erased: the other one's rows go on. The
    row of the erased one is not taken over by her; that it is in the way is asked."""
    made = duo()
    mine, theirs = anna(made)
    hr = made.vendors["hr"]
    first = made.record().id
    second_there = hr.add(email="anna@x.de", name="Anna Two", job="cook")
    made.sync()
    made.answer("new", next(c for c in made.cases() if "new" in c.answers))
    made.sync()
    second = next(r.id for r in made.records() if r.id != first)
    assert made.stored(f"free:lms/people/{theirs}")
    gone(made, first)
    assert made.stored(theirs) == []
    hr.edit(second_there, job="lead")
    hr.remove(mine)
    made.sync()
    assert made.record().id == second
    assert made.record().values["job"] == "lead"
    kinds = {case.subject.partition(":")[0] for case in made.cases()}
    assert kinds == {"erased", "rejected"}
    assert [k.external_id for k in made.links("lms")] == [None]
    made.vendors["lms"].remove(theirs)
    made.answer("retry", next(c for c in made.cases() if "retry" in c.answers))
    made.sync()
    assert made.link("lms").row == {"email": "anna@x.de", "name": "Anna Two", "job": "lead"}


def test_what_is_shown_of_her_is_known_without_the_rows_and_history_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A preview says what a look at everything would; neither it nor an export looks through all changes and writes."""
    made = teams()
    crew(made)
    record = made.record(name="anna").id
    with made.engine.ledger.read() as tx:
        whole, shown = (gather(made.engine, tx, record, to_show) for to_show in (False, True))
        called = names(made.engine, tx, whole.records)
    assert described(made.engine, shown, called) == described(made.engine, whole, called)
    assert shown.others.records == whole.others.records
    for look in ("changes_of", "operations_after"):
        monkeypatch.setattr(Transaction, look, None)
    assert preview(made.engine, record) == described(made.engine, whole, called)
    assert export(made.engine, record, "kim")["named_by"] == {"team.lead": 1, "team.members": 1}


def test_an_erasure_cannot_be_undone() -> None:
    """There is no change left that could be taken back."""
    made = duo()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    last = made.history(made.record().id)[-1]
    gone(made)
    with pytest.raises(NotPossible, match=f"no change {last.id}"):
        undo(made.engine, last.id, "kim")


def test_who_is_erased_already_is_no_record_any_more() -> None:
    """Of two who erase her at once, the second is told that she is gone."""
    made = duo()
    anna(made)
    mine = made.record().id
    with made.between(1, lambda: gone(made, mine)), pytest.raises(NotPossible, match="not there"):
        gone(made, mine)
    assert len(erasures(made.engine)) == 1
