"""No mass accident."""

from __future__ import annotations

from syncengine.model.case import CaseKind
from tests.support.bench import Bench
from tests.support.people import (
    COLUMNS,
    FIELDS,
    HR_DELETES,
    LMS,
    LMS_DELETES,
    LMS_SCOPED,
    crowd,
    duo,
)

SAFETY = "safety: {deletes: 10%, floor: 3, window: 1h}\n"


def deleting() -> Bench:
    """Whoever goes in ``hr`` goes in ``lms``, a tenth at a time."""
    return duo(hr_system=HR_DELETES, lms_system=LMS_DELETES, more=SAFETY)


def test_few_deletes_go_through() -> None:
    """Up to ``floor`` writes need nobody."""
    made = deleting()
    people = crowd(made)
    made.sync()
    for name in people[:3]:
        made.vendors["hr"].remove(name)
    made.sync()
    assert len(made.vendors["lms"].rows()) == 9
    assert not made.cases()


def test_the_window_rolls() -> None:
    """What was written in the last ``window`` counts, one by one, and later no more."""
    made = deleting()
    people = crowd(made)
    made.sync()
    for name in people[:5]:
        made.vendors["hr"].remove(name)
        made.sync()
    assert len(made.vendors["lms"].rows()) == 9
    assert len(made.records()) == 9
    assert made.case().kind is CaseKind.STAGED
    assert len(made.case().evidence["links"]) == 2
    made.answer("reject")
    made.clock.sleep(3700)
    made.vendors["hr"].remove(people[6])
    made.sync()
    assert len(made.vendors["lms"].rows()) == 8


def test_leaving_counts_as_deleting() -> None:
    """Writes of ``set.leave`` are limited like deletes."""
    leave = LMS.replace(
        "create: out", "create: out, scope: \"job != 'left'\", set: {leave: {name: gone}}"
    )
    made = duo(lms_system=leave, more=SAFETY)
    people = crowd(made)
    made.sync()
    for name in people[:6]:
        made.vendors["hr"].edit(name, job="left")
    made.sync()
    assert made.case().kind is CaseKind.STAGED
    assert not [r for r in made.vendors["lms"].rows().values() if r["name"] == "gone"]


def test_a_field_that_deactivates_counts_as_deleting() -> None:
    """A field that writes what leaving would write is limited like a delete, even while the record stays in scope."""
    active = LMS.replace(
        "create: out, fields: {email: email,",
        "create: out, set: {leave: {active: false}}, "
        "fields: {active: {field: active, flow: out}, email: email,",
    )
    fields = FIELDS + "  active: {type: boolean, formula: \"job != 'left'\"}\n"
    made = duo(
        lms={"columns": (*COLUMNS, "active"), "types": {"active": "boolean"}},
        lms_system=active,
        fields=fields,
        more=SAFETY,
    )
    people = crowd(made)
    made.sync()
    for name in people[:2]:
        made.vendors["hr"].edit(name, job="left")
    made.sync()
    assert [r["active"] for r in made.vendors["lms"].rows().values()].count(False) == 2
    for name in people[2:5]:
        made.vendors["hr"].edit(name, job="left")
    made.sync()
    assert made.case().subject == "staged:person:lms:delete"
    assert [r["active"] for r in made.vendors["lms"].rows().values()].count(False) == 2


def test_creates_are_limited_where_the_mapping_says_so() -> None:
    """``creates``: a share of the live links; without it creates are not limited."""
    made = duo(more="safety: {creates: 10%, floor: 3, window: 1h}\n")
    crowd(made, 5)
    made.sync()
    assert made.case().kind is CaseKind.STAGED
    assert not made.vendors["lms"].rows()
    made.answer("approve")
    made.sync()
    assert len(made.vendors["lms"].rows()) == 5
    free = duo()
    crowd(free, 5)
    free.sync()
    assert len(free.vendors["lms"].rows()) == 5


def test_an_approval_is_good_for_one_write() -> None:
    """What was approved once does not let later writes of the row through unasked."""
    made = deleting()
    people = crowd(made)
    made.sync()
    for name in people[2:]:
        made.vendors["hr"].remove(name)
    made.sync()
    made.answer("approve")
    made.sync()
    assert not [k for k in made.links() if k.approval]


def test_an_approval_that_is_not_needed_any_more_ends() -> None:
    """A record that came back before its approved write was planned leaves no approval behind."""
    made = duo(lms_system=LMS_SCOPED, more=SAFETY)
    people = crowd(made)
    made.sync()
    for name in people[:6]:
        made.vendors["hr"].edit(name, job="left")
    made.sync()
    made.answer("approve")
    for name in people[:6]:
        made.vendors["hr"].edit(name, job="dev")
    made.scan("hr")
    made.think()
    made.sync()
    assert len(made.vendors["lms"].rows()) >= 6
    assert not [k for k in made.links() if k.approval]
