"""Writes that are wanted where a connection is only observed are counted, and told as often as somebody looks."""

from __future__ import annotations

from dataclasses import replace

from syncengine.flows.reconcile.follow import follow_project
from syncengine.flows.run.sweep import sweep
from syncengine.flows.views.plan import plan
from syncengine.flows.views.queries import blocked_operations
from syncengine.flows.views.status import status
from syncengine.model.case import CaseKind
from tests.support.bench import Bench
from tests.support.people import HR, LMS, anna, crowd, duo, entity, remap
from tests.support.school import RECORD, school

WATCHED = {"lms": "observe"}


def unsent(made: Bench) -> list[dict[str, int]]:
    """What sync, status and plan say."""
    return [made.sync()["unsent"], status(made.engine)["unsent"], plan(made.engine)["unsent"]]


def observe(made: Bench, *names: str) -> None:
    """From now on nothing is written to these."""
    given = made.engine.project.connections
    watched = {n: replace(c, mode="observe") for n, c in given.items() if n in names}
    made.engine.project = replace(made.engine.project, connections={**given, **watched})


def test_a_pass_that_only_observes_says_how_many_writes_it_did_not_send() -> None:
    """Sync, status and plan name the same number, again and again; nothing is stuck, and nothing else waits."""
    made = duo(modes=WATCHED)
    crowd(made, 3)
    for _ in range(2):
        assert unsent(made) == [{"lms": 3}] * 3
    document = made.sync()
    assert (document["converged"], document["waiting"], blocked_operations(made.engine)) == (
        True,
        0,
        (0, 0),
    )
    assert status(made.engine)["waiting"] == []
    assert not made.written()


def test_what_names_an_unsent_row_is_counted_with_it() -> None:
    """A person's training record follows the person's account: the plan has both, and so have sync and status."""
    made = school(record=RECORD.replace("to: person}", "to: person, required: true}"))
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    observe(made, "lms")
    assert unsent(made) == [{"lms": 2}] * 3


def test_a_write_that_is_not_wanted_any_more_is_not_counted() -> None:
    """The row comes to show what we would have written."""
    made = duo()
    mine, theirs = anna(made)
    observe(made, "lms")
    made.vendors["hr"].edit(mine, job="lead")
    assert unsent(made) == [{"lms": 1}] * 3
    made.vendors["lms"].edit(theirs, job="lead")
    assert unsent(made) == [{}] * 3


def test_what_was_unsent_goes_out_in_the_mode_that_writes() -> None:
    """And is not counted as unsent from then on."""
    made = duo(modes=WATCHED)
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    assert not made.written()
    remap(made, entity(hr=HR, lms=LMS))
    assert plan(made.engine)["unsent"] == {}
    assert unsent(made) == [{}] * 3
    assert len(made.written()["lms"]) == 1


def test_a_write_in_the_outbox_of_what_is_only_observed_is_unsent_and_not_stuck() -> None:
    """The mode became ``observe`` before it went out."""
    made = duo()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    made.think()
    observe(made, "lms")
    assert unsent(made) == [{"lms": 1}] * 3
    assert (made.sync()["converged"], blocked_operations(made.engine)) == (True, (0, 0))
    assert len(made.written()["lms"]) == 1


def test_to_read_everything_for_a_plan_has_only_what_is_held_back_decided_again() -> None:
    """What agrees is not looked at again because a pass wrote nothing, nor by the next one that may write."""
    made = duo()
    mine, _ = anna(made)
    crowd(made, 3)
    made.sync()
    made.vendors["hr"].edit(mine, job="lead")
    modes = made.engine.project
    observe(made, "hr", "lms")
    made.sync()
    assert [link.dirty for link in made.links("lms")] == [0] * 4
    follow_project(replace(made.engine, project=modes))
    assert sum(link.dirty for link in made.links("lms")) == 1
    assert [link.dirty for link in made.links("hr")] == [0] * 4
    made.engine.project = modes
    assert unsent(made) == [{}] * 3
    assert len(made.written()["lms"]) == 4 + 1


def test_a_sweep_leaves_unsent_writes_alone() -> None:
    """They rest until what they are decided on moves; other waits have their turn."""
    made = duo(modes=WATCHED)
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    made.clock.sleep(100_000)
    sweep(made.engine)
    assert [link.dirty for link in made.links("lms")] == [0]


# the first writes of all


def test_a_pass_says_that_it_writes_where_nothing_ever_was_written_before_it_does() -> None:
    """And how much; plan and status said the same number before it. The next pass has nothing of that kind to say."""
    made = duo(modes=WATCHED)
    crowd(made, 3)
    assert [made.sync()["first"], plan(made.engine)["first"]] == [{}, {}]
    remap(made, entity(hr=HR, lms=LMS))
    assert [status(made.engine)["first"], plan(made.engine)["first"]] == [{"lms": 3}] * 2
    told: list[tuple[dict[str, int], int]] = []
    document = made.sync(first=lambda writes: told.append((writes, len(made.written()))))
    assert (told, document["first"]) == ([({"lms": 3}, 0)], {"lms": 3})
    made.vendors["hr"].add(email="new@x.de", name="P", job="dev")
    assert made.sync()["first"] == status(made.engine)["first"] == {}


def test_a_first_pass_counts_what_derivations_will_write() -> None:
    """A person and the course that a rule wants of them."""
    made = school(record=RECORD.replace("to: person}", "to: person, required: true}"))
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    document = plan(made.engine, fresh=True)
    assert document["first"] == made.sync()["first"] == {"lms": 2}


FIRST = "safety: {first: 2, window: 1h}\n"


def test_a_first_pass_beyond_what_safety_allows_is_asked_about() -> None:
    """``first: 2`` stages three writes into a system that never was written to; two go, and after an hour any number
    goes."""
    made = duo(more=FIRST)
    crowd(made, 3)
    assert [s["count"] for s in plan(made.engine, fresh=True)["staged"]] == [3]
    made.sync()
    assert made.case().kind is CaseKind.STAGED
    assert not made.written()
    made.answer("approve")
    made.sync()
    assert len(made.vendors["lms"].rows()) == 3
    made.clock.sleep(3700)
    for number in range(3, 9):
        made.vendors["hr"].add(email=f"p{number}@x.de", name="P", job="dev")
    made.sync()
    assert len(made.vendors["lms"].rows()) == 9


def test_a_small_first_pass_needs_nobody() -> None:
    """Up to ``first`` writes go out."""
    made = duo(more=FIRST)
    crowd(made, 2)
    made.sync()
    assert len(made.vendors["lms"].rows()) == 2
    assert not made.cases()
