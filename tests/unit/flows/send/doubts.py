"""What tests of writes that were accepted and not done begin with."""

from __future__ import annotations

from syncengine.model.case import Case, CaseKind
from syncengine.model.changeset import Changeset, Wakes
from tests.support.bench import Bench


def passes(made: Bench, count: int = 3) -> None:
    """Some passes, longer apart than any vendor takes to commit."""
    for _ in range(count):
        made.clock.sleep(10.0)
        made.sync()


def asked(made: Bench) -> Case:
    """The one question: accepted, and not done."""
    case = made.case()
    assert case.kind is CaseKind.REJECTED
    assert "and did not do it" in case.question
    return case


def at_rest(made: Bench) -> None:
    """Another pass and another look at everything change nothing."""
    before = (made.written(), [(c.subject, c.evidence) for c in made.cases()])
    history = made.history(made.records()[0].id) if made.records() else []
    ids = [link.id for link in made.links()]
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(wakes=Wakes(links=ids)))
    passes(made, 2)
    assert (made.written(), [(c.subject, c.evidence) for c in made.cases()]) == before
    assert (made.history(made.records()[0].id) if made.records() else []) == history
