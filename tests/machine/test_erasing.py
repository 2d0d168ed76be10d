"""Erasing somebody in the middle of anything: companies, edits, faults and answers drawn from seeds."""

from __future__ import annotations

from random import Random

import pytest

from syncengine.flows.forget.erase import erase
from syncengine.flows.forget.footprint import gather
from syncengine.flows.people.decisions import NotPossible
from syncengine.model.erasure import ERASED, Erasure
from syncengine.simulation.checks import Checks, quiet
from syncengine.simulation.company import Company
from syncengine.simulation.run import Run, drawn_steps
from tests.support.bench import stored

REFUSED = ("is under way", "has no outcome", "it is asked whether")
FEW, MORE, MANY = range(6), range(6, 18), range(18, 160)


def at_rest(company: Company) -> None:
    """All that promises say of what is left. Raises Violation."""
    company.calm()
    quiet(company)
    checks = Checks(company)
    checks.outcomes()
    checks.derived_once()
    for link in checks.links:
        checks.agreement(link)
        checks.waits(link)


@pytest.mark.parametrize(
    "seed",
    [
        *FEW,
        *(pytest.param(n, marks=[pytest.mark.long, pytest.mark.ci]) for n in MORE),
        *(pytest.param(n, marks=pytest.mark.long) for n in MANY),
    ],
)
def test_somebody_is_erased_whatever_is_going_on(seed: int) -> None:
    """Rows half read, writes planned, questions open, listings broken off: no id of hers, of her rows or writes is in a
    table, nothing names her, and the rest comes to rest as promised. She comes back as a question alone. Who cannot be
    erased has a write under way, or a row in question."""
    run, told = Run(seed), list[str]()
    bench, engine = run.company.bench, run.company.bench.engine
    try:
        for step in drawn_steps(seed):
            run.do(step)
        for person in Random(seed).sample(bench.records(), k=min(2, len(bench.records()))):
            with engine.ledger.read() as tx:
                footprint = gather(engine, tx, person.id)
            try:
                done = erase(engine, person.id, "request 17", "dpo", leave_rows=True)
            except NotPossible as refusal:
                told.append(str(refusal))
                continue
            assert isinstance(done, Erasure)
            assert stored(bench.database, *footprint.marks.things) == []
            at_rest(run.company)
            # Vendors go on saying of others who was theirs, by ids that were hers there.
            said = repr([[v.rows(of) for of in v.tables] for v in bench.vendors.values()])
            ours = [mark for mark in footprint.marks.records if mark not in said]
            back = stored(bench.database, *ours)
            assert [row for row in back if ERASED not in row] == []
    finally:
        run.company.close()
    assert [why for why in told if not any(word in why for word in REFUSED)] == []
