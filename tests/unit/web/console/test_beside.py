"""What of the sides of a question is marked."""

from __future__ import annotations

from syncengine.flows.naming.masking import DOTS
from syncengine.flows.views.advice import advice
from syncengine.web.console.beside import beside
from tests.support.people import duo


def test_what_resembles_is_marked_where_nothing_identifies() -> None:
    """A whole name in one field is that of two; half of it, a date or a covered value is nothing."""
    made = duo()
    one = {"name": "Anna Moser", "email": "a@x.de", "job": "Anna"}
    two = {"first_name": "Anna", "last_name": "MOSER", "email": "b@x.de", "job": "Anna"}
    sides = [{"title": "a", "of": "", "values": one}, {"title": "b", "of": "", "values": two}]
    case = {"kind": "identity", "entity": "person", "answers": {}, "sides": sides,
            "connection": "lms", "external_id": "1"}  # fmt: skip
    told = advice(made.engine, case)
    assert told["alike"] == ["name", "first_name", "last_name"]
    assert [row["name"] for row in beside(case, told).first[:3]] == told["alike"]
    two |= {"first_name": "Bea", "last_name": DOTS}
    assert advice(made.engine, case)["alike"] == []
