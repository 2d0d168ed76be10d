"""What waits is woken, also by what happens while it lies down to wait."""

from __future__ import annotations

from syncengine.flows.reconcile import reconcile
from tests.support.people import duo

COMMIT = 2
"""The write transaction of a reconcile in which plans are committed (1: claiming)."""


def test_what_begins_to_wait_while_the_wait_is_over_goes_on() -> None:
    """A create that waits for a listing is made, even if the listing ends between the decision and its commit."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan("hr")
    reconcile(made.engine)
    (stub,) = made.links("lms")
    with made.between(COMMIT, lambda: made.scan("lms")):
        reconcile(made.engine, ids=[stub.id])
    made.settle()
    assert [made.vendors["lms"].row(i)["email"] for i in made.vendors["lms"].rows()] == [
        "anna@x.de"
    ]


def test_what_waits_comes_to_rest() -> None:
    """A link that begins to wait is looked at once more, and then only when something happens."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan("hr")
    made.think()
    (stub,) = made.links("lms")
    assert stub.wait is not None
    assert not stub.dirty
