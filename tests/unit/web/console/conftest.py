"""People in hr who get an account in lms, and what is asked about them."""

from __future__ import annotations

import pytest

from tests.support.bench import Bench
from tests.support.people import anna, duo


@pytest.fixture
def bench() -> Bench:
    """Anna, in agreement."""
    made = duo()
    anna(made)
    return made
