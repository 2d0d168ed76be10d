"""People in hr who get an account in lms, and what is asked about them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from syncengine.flows.people import signing_in
from tests.support.bench import Bench
from tests.support.people import LMS, anna, crowd, duo


@pytest.fixture(scope="package", autouse=True)
def hasher() -> Iterator[PasswordHasher]:
    """How passwords are hashed; these tests hash with a thousandth of the work."""
    real = signing_in._hasher
    with pytest.MonkeyPatch.context() as patch:
        quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        patch.setattr(signing_in, "_hasher", quick)
        yield real
    signing_in._nobodys.cache_clear()


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
