"""What is written is what was agreed: the plan that somebody saw, or nothing."""

from __future__ import annotations

import pytest

from syncengine.errors import Stale
from syncengine.flows.run.sweep import sweep
from syncengine.flows.run.sync import observe
from syncengine.flows.views.plan import plan
from tests.support.people import FIELDS, HR, LMS, anna, duo, entity, remap
from tests.unit.flows.views.plans import told, writes, wrote


def test_what_is_only_observed_is_planned_again_and_again() -> None:
    """A write that the mode keeps back leaves its link at rest, and stays in the plan."""
    made = duo(modes={"lms": "observe"})
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    for _ in range(2):
        made.sync()
        assert writes(plan(made.engine)) == [("person", "lms", "create")]


@pytest.mark.parametrize(
    "at", [pytest.param(n, marks=[] if n % 3 == 1 else pytest.mark.long) for n in range(1, 25)]
)
def test_reading_for_a_plan_takes_no_write_from_a_service_beside_it(at: int) -> None:
    """A sweep of the service in the middle of ``plan --fresh``: what was not written is still planned, and sent."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    with made.between(at, lambda: sweep(made.engine)):
        observe(made.engine)
    assert not made.vendors["lms"].rows()
    assert writes(plan(made.engine)) == [("person", "lms", "create")]
    sweep(made.engine)
    made.settle()
    assert len(made.vendors["lms"].rows()) == 1


def test_a_plan_that_the_vendors_have_overtaken_is_refused() -> None:
    """Somebody edits at a vendor after the plan was read: nothing is written, and it is said what was expected."""
    made = duo()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    digest = plan(made.engine)["digest"]
    made.vendors["hr"].edit(mine, job="head", name="Other")
    with pytest.raises(Stale, match=f"expected {digest}"):
        made.sync(digest=digest)
    assert len(made.written()["lms"]) == 1


def test_what_only_we_learn_does_not_make_a_plan_another() -> None:
    """A plan is known by its writes: that a sync learns first what the plan said, and something that is written
    nowhere, leaves it the same."""
    read = "job: {field: job, flow: in}"
    made = duo(hr_system=HR.replace("job: job", read), lms_system=LMS.replace("job: job", read))
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, name="Ida")
    made.scan("hr")
    digest = plan(made.engine)["digest"]
    made.vendors["lms"].edit(theirs, job="lead")
    assert wrote(made, digest=digest) == [("lms", "update")]
    assert made.record().values["job"] == "lead"


def test_what_turns_up_while_the_plan_is_written_is_left() -> None:
    """A write that the plan does not contain stays in the outbox, is counted, and is in the next plan."""
    made = duo()
    mine, theirs = anna(made)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    hr.edit(mine, job="lead")
    made.scan("hr")
    digest = plan(made.engine)["digest"]
    lms.during = lambda: lms.edit(theirs, name="Anne")
    document = made.sync(digest=digest)
    assert (document["left"], document["converged"]) == (1, False)
    assert (lms.row(theirs)["job"], hr.row(mine)["name"]) == ("lead", "Anna")
    assert told(made) == [("person", "hr", "update", {"name": ("Anna", "Anne")})]
    made.sync(digest=plan(made.engine)["digest"])
    assert hr.row(mine)["name"] == "Anne"
    assert plan(made.engine)["changes"] == []


def test_a_sensitive_value_is_part_of_what_was_agreed() -> None:
    """Dots on the screen do not stand for any value: another one is another plan."""
    fields = FIELDS.replace("job: {type: string,", "job: {type: string, sensitive: true,")
    made = duo(fields=fields)
    mine, _ = anna(made)
    digests = set()
    for job in ("lead", "head"):
        made.vendors["hr"].edit(mine, job=job)
        made.scan("hr")
        digests.add(plan(made.engine)["digest"])
    assert len(digests) == 2


def test_a_plan_read_while_observing_is_the_plan_that_is_written() -> None:
    """The mode is no part of a plan: what was read in ``observe`` may be written in ``write``."""
    made = duo(modes={"lms": "observe"})
    anna_in = {"email": "anna@x.de", "name": "Anna", "job": "dev"}
    made.vendors["hr"].add(**anna_in)
    document = plan(made.engine, fresh=True)
    assert [c["held"] for c in document["changes"]] == ["only observed"]
    remap(made, entity(hr=HR, lms=LMS), modes={"lms": "write"})
    assert wrote(made, digest=document["digest"]) == [("lms", "create")]
