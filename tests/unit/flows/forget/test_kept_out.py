"""Who is erased and kept out may be hired again, and nobody learns of it before."""

from __future__ import annotations

import pytest

from syncengine.flows.forget.erase import erasures, take_in
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.views.status import status
from tests.support.bench import Bench
from tests.support.people import (
    anna,
    duo,
)
from tests.unit.flows.forget.parts import gone


def kept_away(made: Bench) -> tuple[str, str]:
    """Anna is erased, shown again, and kept out; her ids at both vendors."""
    ids = anna(made)
    gone(made)
    made.sync()
    made.answer("keep_out")
    made.sync()
    assert made.cases() == []
    assert status(made.engine)["kept_out"] == 1
    return ids


def test_who_is_kept_out_and_hired_again_is_no_secret() -> None:
    """A new row with her address is a new question, asked once, that holds its place alone; the rows that were known
    before are not."""
    made = duo()
    mine, theirs = kept_away(made)
    made.vendors["hr"].remove(mine)
    again = made.vendors["hr"].add(email="anna@x.de", name="Anna", job="boss")
    for _ in range(2):
        made.sync()
        assert made.case().evidence["places"] == [["person", "hr", "people", again]]
    assert made.records() == []
    made.answer("new")
    made.sync()
    assert made.record().values["email"] == "anna@x.de"
    assert {k.connection: k.external_id for k in made.links()} == {"hr": again, "lms": theirs}


@pytest.mark.parametrize("how", ["answer", "command"])
def test_who_is_kept_out_can_be_taken_in_later(how: str) -> None:
    """By the other answer to the closed question, or, when that is forgotten, by the erasure's id."""
    made = duo()
    mine, theirs = kept_away(made)
    (closed,) = made.read(lambda tx: [c for c in tx.cases(open_only=False) if c.closed_at])
    if how == "answer":
        made.answer("new", closed)
    else:
        take_in(made.engine, erasures(made.engine)[0].id)
    made.sync()
    links = {k.connection: k.external_id for k in made.links()}
    assert links == {"hr": mine, "lms": theirs}
    assert made.record().values["email"] == "anna@x.de"
    assert status(made.engine)["kept_out"] == 0
    with pytest.raises(NotPossible, match="no such erasure"):
        take_in(made.engine, "nope")
