"""What is loaded around links."""

from __future__ import annotations

from syncengine.flows.core.world import seen_rows
from syncengine.mapping.lenses import lens_report
from tests.support.people import FIELDS, LMS, duo


def test_rules_are_tried_on_rows_that_were_seen() -> None:
    """Linked rows come with their records, a bounded number of each system, and show what no sample shows."""
    spelled = LMS.replace(
        "job: job", """job: {read: row.job, write: {job: "job.contains('é') ? 'e' : job"}}"""
    )
    made = duo(lms_system=spelled, fields=FIELDS.replace("on_conflict: newest", "required: true"))
    for n in range(5):
        made.vendors["hr"].add(email=f"{n}@x.de", name=f"N{n}", job="attaché" if n == 4 else "dev")
    made.sync()
    rows = seen_rows(made.engine)
    assert {place: len(found) for place, found in rows.items()} == {
        ("person", "hr"): 5,
        ("person", "lms"): 5,
    }
    assert all(
        k.record is not None and k.record.values["email"] == k.row["email"]
        for k in rows["person", "lms"]
    )
    verdicts = {(v.connection, v.field): v for v in lens_report(made.engine.project, rows)}
    assert verdicts["lms", "job"].verdict == "lossy"
    loss = verdicts["lms", "job"].loss
    assert loss is not None
    assert (loss.given, loss.back, loss.seen) == ("é", "e", True)
    assert len(seen_rows(made.engine, most=2)["person", "hr"]) == 2
