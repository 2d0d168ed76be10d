"""People in hr who get an account in lms, and what is asked about them."""

from __future__ import annotations

import pytest

from tests.support.bench import Bench
from tests.support.people import LMS, anna, crowd, duo


@pytest.fixture
def bench() -> Bench:
    """Anna, in agreement."""
    made = duo()
    anna(made)
    return made


def leavers() -> Bench:
    """So many people leave lms at once that somebody is asked."""
    scope = "create: out, scope: \"job != 'left'\", on_leave: delete"
    made = duo(lms_system=LMS.replace("create: out", scope))
    ids = crowd(made)
    made.sync()
    for id_ in ids:
        made.vendors["hr"].edit(id_, job="left")
    made.scan("hr")
    made.think()
    return made
