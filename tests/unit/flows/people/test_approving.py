"""Held writes that several people have to approve: each for exactly these writes, nobody twice."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from syncengine.flows.people.approving import Answered
from syncengine.flows.people.cases import answer
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.members import add_member, join_members, lock, set_roles
from syncengine.flows.people.signing_on import Entrance
from syncengine.flows.people.undo import undo
from syncengine.flows.views import queries
from syncengine.flows.views.plan import plan
from syncengine.flows.views.standing import standing
from syncengine.flows.views.standing_text import sentence
from syncengine.mapping import Approvals
from syncengine.model.member import Role
from tests.support.bench import Bench
from tests.unit.flows.core.leavers import deletes, edit, people, staged


@pytest.fixture
def made() -> Bench:
    """Ten of twelve leave; two people have to approve it."""
    return by_two(staged())


def by_two(made: Bench) -> Bench:
    """From now on two people have to approve deletes."""
    made.engine.project = replace(made.engine.project, approvals=Approvals(deletes=2))
    return made


def approve(made: Bench, name: str, seen: str | None = None) -> Answered:
    """Somebody approves what is held."""
    return answer(made.engine, made.case().id, "approve", "as agreed", name, seen)


def test_one_of_two_sends_nothing_and_the_second_sends_all(made: Bench) -> None:
    """Between them the question stays open, and says who has approved."""
    first = approve(made, "kim")
    assert (first.more, first.told) == (
        1,
        "Done: your approval counts, 1 of 2 given; 1 more has to approve.",
    )
    made.sync()
    assert deletes(made) == 0
    told = queries.case(made.engine, made.case().id)["approvals"]
    assert (told["needed"], [v["by"] for v in told["given"]]) == (2, ["kim"])
    case = made.case()
    assert approve(made, "lee").more == 0
    made.sync()
    assert deletes(made) == 10
    (closed,) = made.read(lambda tx: tx.cases(ids=[case.id], open_only=False))
    assert [v.author for v in closed.votes] == ["kim", "lee"]


@pytest.mark.parametrize("again", ["kim", "Kim"])
def test_nobody_approves_twice(made: Bench, again: str) -> None:
    """However the name is spelled; the refusal says how many more have to."""
    approve(made, "kim")
    with pytest.raises(NotPossible, match="approved this already; 1 more of 2"):
        approve(made, again)
    made.sync()
    assert deletes(made) == 0


@pytest.mark.parametrize("who", [[10], []])
def test_an_approval_lapses_with_the_set_it_was_for(made: Bench, who: list[int]) -> None:
    """One more who leaves, or one who comes back: other writes, which somebody else's approval does not cover."""
    approve(made, "kim")
    if who:
        edit(made, [people(made)[n] for n in who], job="left")
    else:
        edit(made, people(made)[:1], job="dev")
    made.sync()
    assert queries.case(made.engine, made.case().id)["approvals"]["given"] == []
    assert approve(made, "lee").more == 1
    made.sync()
    assert deletes(made) == 0
    assert approve(made, "kim").more == 0


def test_an_approval_says_which_writes_were_looked_at(made: Bench) -> None:
    """Where more are held than on the page that somebody has open, nothing is approved."""
    seen = queries.case(made.engine, made.case().id)["approvals"]["digest"]
    edit(made, people(made)[10:11], job="left")
    made.sync()
    with pytest.raises(NotPossible, match="other writes are held"):
        approve(made, "kim", seen)
    assert made.case().votes == ()


def undone_by(name: str) -> Bench:
    """Ten of twelve are to leave; one of them because somebody has given her job back by an undo."""
    made = by_two(staged())
    made.answer("reject")
    edit(made, people(made)[:10], job="dev")
    made.sync()
    edit(made, people(made)[:10], job="left")
    made.sync()
    record = made.records()[0]
    last = [c for c in made.history(record.id) if c.field == "job" and c.new == "left"][-1]
    undo(made.engine, last.id, name)
    undo(made.engine, made.history(record.id)[-1].id, name)
    made.sync()
    return made


def test_nobody_approves_what_they_asked_for() -> None:
    """Who gave a value by hand from which a delete follows is refused; others may approve it."""
    made = undone_by("kim")
    with pytest.raises(NotPossible, match="follows from what you decided yourself"):
        approve(made, "kim")
    assert approve(made, "lee").more == 1
    assert approve(made, "mia").more == 0


def test_who_is_locked_has_approved_nothing(made: Bench) -> None:
    """The approval of a member who was shut out since counts no longer."""
    for name in ("kim", "lee", "mia"):
        add_member(made.engine, name, [Role.ANSWERER], "admin")
    approve(made, "kim")
    lock(made.engine, "kim", "admin")
    assert approve(made, "lee").more == 1
    assert approve(made, "mia").more == 0


def test_who_may_not_answer_any_more_has_approved_nothing(made: Bench) -> None:
    """The approval of a member who has lost the role since counts no longer."""
    for name in ("kim", "lee", "mia"):
        add_member(made.engine, name, [Role.ANSWERER], "admin")
    approve(made, "kim")
    set_roles(made.engine, "kim", [Role.VIEWER], "admin")
    assert approve(made, "lee").more == 1
    assert approve(made, "mia").more == 0


def test_one_person_with_two_ways_in_does_not_approve_twice(made: Bench) -> None:
    """Who was added here and who comes by the provider may be one: they count together once an admin has joined them,
    as one; two who come by the same way are two."""
    add_member(made.engine, "kim", [Role.ANSWERER], "admin")
    for name in ("kim", "lee", "mia"):
        Entrance(made.engine).sign_in(f"idp {name}", name, [Role.ANSWERER], 0.0, "")
    case = made.case()
    approve(made, "kim")
    for name in ("kim 2", "lee"):
        with pytest.raises(NotPossible, match="nobody has said whether you are one person"):
            approve(made, name)
    with pytest.raises(NotPossible, match="first a member who was added here"):
        join_members(made.engine, "kim 2", "kim", "admin")
    join_members(made.engine, "kim", "kim 2", "admin")
    with pytest.raises(NotPossible, match="approved this already"):
        approve(made, "kim")
    assert (
        Entrance(made.engine).sign_in("idp kim", "kim", [Role.ANSWERER], 0.0, "").member.name
        == "kim"
    )
    assert approve(made, "lee").more == 0
    assert [
        v.author for v in made.read(lambda tx: tx.cases(ids=[case.id], open_only=False))[0].votes
    ] == ["kim", "lee"]


def test_who_decided_by_one_way_in_does_not_approve_by_the_other() -> None:
    """Whoever was added here, and may be whom the provider knows, is refused until an admin has said that they are one,
    and then because it is their own decision; others who come in as they did approve."""
    made = undone_by("kim")
    for name in ("kim", "mia", "ada"):
        add_member(made.engine, name, [Role.ANSWERER], "admin")
    Entrance(made.engine).sign_in("idp kim", "kim", [Role.ANSWERER], 0.0, "")
    with pytest.raises(NotPossible, match="follows from what kim decided: one of you and kim was"):
        approve(made, "kim 2")
    join_members(made.engine, "kim", "kim 2", "admin")
    for name in ("kim", "KIM"):
        with pytest.raises(NotPossible, match="follows from what you decided yourself"):
            approve(made, name)


def test_what_was_decided_before_two_members_were_joined_is_of_both() -> None:
    """By the name that the provider had given as well; who comes in as they do approves, as before."""
    made = undone_by("kim 2")
    add_member(made.engine, "kim", [Role.ANSWERER], "admin")
    for name in ("kim", "lee", "mia"):
        Entrance(made.engine).sign_in(f"idp {name}", name, [Role.ANSWERER], 0.0, "")
    join_members(made.engine, "kim", "kim 2", "admin")
    with pytest.raises(NotPossible, match="follows from what you decided yourself"):
        approve(made, "kim")
    assert approve(made, "lee").more == 1
    assert approve(made, "mia").more == 0


def test_one_person_stops_it(made: Bench) -> None:
    """To reject takes one; to change that takes two again, also of those who had approved before."""
    case = made.case()
    approve(made, "kim")
    answer(made.engine, case.id, "reject", author="lee")
    made.sync()
    assert answer(made.engine, case.id, "approve", author="kim").more == 1
    made.sync()
    assert deletes(made) == 0
    with pytest.raises(NotPossible, match="already"):
        answer(made.engine, case.id, "approve", author="kim")
    assert answer(made.engine, case.id, "approve", author="mia").more == 0
    made.sync()
    assert deletes(made) == 10


def test_the_standing_says_how_far_it_is(made: Bench) -> None:
    """On home, in ``status`` and in notifications alike."""

    def told() -> str:
        now = standing(made.engine)
        (line,) = (x for x in now.lines if x.code == "staged")
        return sentence(line, now.at, ZoneInfo("UTC"))

    assert told().endswith(", 0 of 2 given.")
    approve(made, "kim")
    assert told().endswith(", 1 of 2 given.")


def test_a_plan_foresees_what_two_would_approve(made: Bench) -> None:
    """The rehearsal takes no approval of anybody, and leaves none."""
    assert (
        len([c for c in plan(made.engine)["changes"] if c["action"] in ("delete", "leave")]) == 10
    )
    assert made.case().votes == ()


def part(made: Bench, size: int = 3) -> list[str]:
    """The links of the first few of the held writes."""
    return sorted(made.case().evidence["links"])[:size]


@pytest.mark.parametrize(("given", "gone"), [("approve", 3), ("reject", 0)])
def test_part_of_what_is_held_is_answered_and_the_rest_stays_asked(given: str, gone: int) -> None:
    """The question goes on with the others, and says how many these are."""
    made = staged()
    case = made.case()
    done = answer(made.engine, case.id, given, only=part(made))
    assert (done.rest, "7 are still asked about" in done.told) == (7, True)
    assert (made.case().id, len(made.case().evidence["links"])) == (case.id, 7)
    assert made.case().question.startswith("7 deletes")
    made.sync()
    assert deletes(made) == gone
    answer(made.engine, case.id, "approve")
    made.sync()
    assert deletes(made) == gone + 7
    assert not made.cases()


def test_what_is_held_no_more_is_no_part() -> None:
    """Nothing is answered then."""
    made = staged()
    mine = part(made)
    answer(made.engine, made.case().id, "approve", only=mine)
    with pytest.raises(NotPossible, match="held no more"):
        answer(made.engine, made.case().id, "approve", only=mine)


def test_two_people_approve_the_same_part(made: Bench) -> None:
    """The second one is told which one it is; another part, or all, is another approval."""
    mine, case = part(made), made.case().id
    assert answer(made.engine, case, "approve", author="kim", only=mine).more == 1
    told = queries.case(made.engine, case)["approvals"]
    assert (sorted(told["part"]), [v["by"] for v in told["given"]]) == (mine, ["kim"])
    seen = told["digest"]
    assert answer(made.engine, case, "approve", author="lee", seen=seen, only=mine).rest == 7
    made.sync()
    assert deletes(made) == 3
    assert queries.case(made.engine, case)["approvals"]["given"] == []


def test_a_vote_for_a_part_does_not_count_for_all(made: Bench) -> None:
    """Nor the other way round."""
    case = made.case().id
    answer(made.engine, case, "approve", author="kim", only=part(made))
    assert answer(made.engine, case, "approve", author="lee").more == 1
    assert answer(made.engine, case, "approve", author="ada", only=part(made)).more == 1
    made.sync()
    assert deletes(made) == 0


def test_an_answer_says_whose_approvals_it_ends(made: Bench) -> None:
    """Where somebody approves or rejects others than the first one did."""
    case = made.case().id
    assert "no longer" not in answer(made.engine, case, "approve", author="kim").told
    told = answer(made.engine, case, "approve", author="lee", only=part(made)).told
    assert told == (
        "Done: your approval counts, 1 of 2 given; 1 more has to approve; "
        "what kim approved counts no longer."
    )
    told = answer(made.engine, case, "reject", author="ada", only=part(made, 5)).told
    assert "5 are still asked about; what lee approved counts no longer" in told


def test_what_a_part_of_an_answer_rejected_is_approved_afterwards() -> None:
    """Also where the question went on with others and was answered otherwise."""
    made = staged()
    case = made.case().id
    answer(made.engine, case, "reject", only=part(made))
    made.sync()
    answer(made.engine, case, "approve")
    made.sync()
    assert deletes(made) == 7
    told = queries.case(made.engine, case)
    assert (len(told["writes"]), list(told["answers"])) == (3, ["approve"])
    answer(made.engine, case, "approve", seen=told["approvals"]["digest"])
    made.sync()
    assert deletes(made) == 10
    assert queries.case(made.engine, case)["answers"] == {}


def test_of_what_was_rejected_it_is_told_how_far_it_is_approved(made: Bench) -> None:
    """After the first of two."""
    case = made.case().id
    answer(made.engine, case, "reject", author="lee")
    made.sync()
    assert answer(made.engine, case, "approve", author="kim").more == 1
    told = queries.case(made.engine, case)["approvals"]
    assert (told["needed"], [v["by"] for v in told["given"]]) == (2, ["kim"])


def test_each_held_write_says_why_it_is_wanted() -> None:
    """What changed last, from what into what, and who showed it."""
    made = staged()
    writes = queries.case(made.engine, made.case().id)["writes"]
    assert len(writes) == 10
    for write in writes:
        (scope, changed) = write["because"]
        assert (scope["code"], scope["what"]) == ("scope", "out of scope by job")
        assert (changed["field"], changed["old"], changed["new"]) == ("job", "dev", "left")
        assert changed["from"] == "hr"
