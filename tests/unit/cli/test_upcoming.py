"""``upcoming`` and a part of held writes, as they are typed and printed."""

from __future__ import annotations

import pytest
import typer

from syncengine.cli.answering import _part
from syncengine.cli.upcoming import _show
from syncengine.flows.views import queries
from syncengine.flows.views.upcoming import upcoming
from tests.unit.flows.core.leavers import staged
from tests.unit.flows.run.test_ahead import dated, day, enter


def test_each_day_is_printed_with_who_does_what(capsys: pytest.CaptureFixture[str]) -> None:
    """The formula that turns, and what is written where."""
    made = dated()
    enter(made, "Anna", start=2)
    enter(made, "Bea", until=2)
    made.sync()
    _show(upcoming(made.engine))
    printed = capsys.readouterr().out
    assert f"{day(made, 2)}  person: 1 starts" in printed
    assert "+ Anna  starts  active: no -> yes; gets a row in lms" in printed
    assert "- Bea  leaves  active: yes -> no; its row in lms is deleted" in printed


def test_where_no_date_changes_anything_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """In one line."""
    made = dated()
    made.sync()
    _show(upcoming(made.engine, 7))
    assert capsys.readouterr().out == "No date changes anything within 7 days.\n"


def test_a_part_of_held_writes_is_named_by_its_people() -> None:
    """By name or by the end of an id; whoever is not held, or may be several, is bad usage."""
    made = staged()
    case = queries.case(made.engine, made.case().id)
    first, second, *_ = case["writes"]
    assert _part(case, [first["name"].upper(), second["record"][-8:]]) == [
        first["id"], second["id"],
    ]  # fmt: skip
    for wrong, why in (("nobody", "none of the held writes"), ("", "10 of the held writes are")):
        with pytest.raises(typer.BadParameter, match=why):
            _part(case, [wrong])
