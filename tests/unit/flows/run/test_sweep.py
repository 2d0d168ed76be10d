"""When listings are announced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from syncengine.cli.queries import _read
from syncengine.flows.capture.capture import capture, list_soon
from syncengine.flows.run.sweep import WAITS_EVERY, ask_listings, sweep
from syncengine.flows.views.status import status
from syncengine.model.changeset import Changeset
from syncengine.model.condition import condition
from syncengine.model.link import Link, Wait
from syncengine.simulation.bench import LIMITS
from syncengine.simulation.clock import ManualClock
from syncengine.simulation.traits import spec
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.people import COLUMNS, HR, bench, duo, entity, together

NOTES = """
version: 1
entity: note
fields:
  person: {type: ref, to: person, required: true}
  text: {type: string}
identity: [[person, text]]
systems:
  hr:
    resource: notes
    flow: both
    create: in
    fields: {person: owner, text: text}
"""


def announced(made: Bench) -> list[list[str]]:
    """The listings that the next sweep announces."""
    made.queue.sent.clear()
    sweep(made.engine)
    return [arguments for task, arguments in made.queue.sent if task == "capture"]


def listed_at(made: Bench) -> dict[str, Any]:
    """What status says of the listing of people."""
    found: dict[str, Any] = status(made.engine)["connections"]["hr"]["resources"]["people"]
    return found


def test_a_listing_is_announced_once_for_each_span() -> None:
    """What was announced is not announced again before it came and its span is over, or is given up for lost."""
    made = duo()
    both = [["hr", "people", "scan"], ["lms", "people", "scan"]]
    assert announced(made) == both
    assert announced(made) == []
    made.scan("hr")
    made.clock.sleep(61)
    assert announced(made) == [["lms", "people", "scan"]]
    made.scan("lms")
    made.clock.sleep(3600)
    assert announced(made) == both


def test_a_listing_that_found_no_slot_comes_with_the_next_sweep() -> None:
    """A busy connection puts a listing off by one sweep, not by the time after which it counts as lost."""
    made = duo()
    announced(made)
    with made.engine.slots("hr") as width:
        assert width == 1
        assert not capture(made.engine, "hr", "people", "scan").complete
    assert announced(made) == [["hr", "people", "scan"]]


def test_a_listing_that_somebody_asked_for_is_due_until_it_came() -> None:
    """Whatever its schedule says, and though it finds its connection busy or failing at first; then no more."""
    made = duo()
    made.sync()
    made.clock.sleep(1)
    made.queue.sent.clear()
    assert ask_listings(made.engine, "hr") == 1
    assert ", to be listed: due " in _read(listed_at(made))
    assert made.queue.sent == [("capture", ["hr", "people", "scan"])]
    with made.engine.slots("hr"):
        assert not capture(made.engine, "hr", "people", "scan").complete
    assert announced(made) == [["hr", "people", "scan"]]
    made.vendors["hr"].fault("scan", "down", "down", "down", "down")
    assert not capture(made.engine, "hr", "people", "scan").complete
    made.clock.sleep(600)
    assert ["hr", "people", "scan"] in announced(made)
    made.vendors["hr"].faults.clear()
    made.scan("hr")
    made.clock.sleep(1)
    assert ["hr", "people", "scan"] not in announced(made)
    assert listed_at(made)["asked_at"] is None


def test_a_row_that_only_a_listing_shows_has_one_made_and_the_last_one_stays_as_it_is() -> None:
    """When a connection was read last is not what is to be read again; a listing that began before does not count."""
    made = duo(hr={"single_get": False})
    made.sync()
    listed = listed_at(made)["scanned_at"]
    made.clock.sleep(60)
    with made.engine.ledger.write() as tx:
        tx.write(list_soon(made.engine, tx, "hr", "people"))
    seen, now = listed_at(made), made.clock.now()
    assert (seen["scanned_at"], seen["asked_at"]) == (listed, now)
    assert ["hr", "people", "scan"] in announced(made)
    made.clock.sleep(1)
    made.scan("hr")
    assert listed_at(made)["asked_at"] is None
    assert listed_at(made)["scanned_at"] == now + 1


def test_a_listing_that_is_wanted_later_is_due_then_and_no_earlier_wish_is_put_off() -> None:
    """What is due sooner stays so; its line says when."""
    made = duo(hr={"single_get": False})
    made.sync()
    soon = made.clock.now() + 60
    for at in (soon, soon + 200):
        with made.engine.ledger.write() as tx:
            tx.write(list_soon(made.engine, tx, "hr", "people", at))
    assert listed_at(made)["asked_at"] == soon
    made.queue.sent.clear()
    assert ["hr", "people", "scan"] not in announced(made)
    made.clock.sleep(61)
    assert ["hr", "people", "scan"] in announced(made)


def test_a_listing_that_is_due_is_not_put_off_unless_it_is_under_way() -> None:
    """What somebody asked for and a vendor was too busy for comes first; one under way may have passed the row."""
    made = duo(hr={"single_get": False})
    made.sync()
    made.clock.sleep(1)
    ask_listings(made.engine, "hr")
    asked = made.clock.now()
    made.clock.sleep(5)

    def soon() -> Any:
        with made.engine.ledger.write() as tx:
            tx.write(list_soon(made.engine, tx, "hr", "people", made.clock.now() + 200))
        return listed_at(made)["asked_at"]

    assert soon() == asked
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(listings={("hr", "people"): made.clock.now() + 60}))
    assert soon() == made.clock.now() + 200


def test_rows_are_listed_below_parents_that_are_known() -> None:
    """What is listed below each person is announced when the people are listed, read and told apart; before, it would
    come back empty and count as complete."""
    clock = ManualClock()
    people, notes = (
        spec("hr", *COLUMNS, unlisted=("job",)),
        spec("hr", "id", "owner", "text", resource="notes", parent="people"),
    )
    vendor = FakeVendor(together(people, notes), clock)
    made = bench(vendor, files=(entity(hr=HR), NOTES))
    vendor.add(email="anna@x.de", name="Anna", job="dev")
    assert announced(made) == [["hr", "people", "scan"]]
    clock.sleep(1)
    made.scan("hr")
    assert announced(made) == []
    made.think()
    assert announced(made) == [["hr", "notes", "scan"]]


def test_whatever_waits_has_its_turn_to_be_looked_at_again() -> None:
    """More rows wait than one sweep looks at: each of the next ones looks at others, and then at the first again."""
    made = duo(limits=replace(LIMITS, batch=2))
    sweep(made.engine)
    with made.engine.ledger.write() as tx:
        tx.write(
            Changeset(
                new_links=[
                    Link(
                        f"l{n:02}",
                        "person",
                        "lms",
                        "people",
                        f"p{n}",
                        wait=Wait(condition(f"free:lms/people/{n}"), "a row"),
                    )
                    for n in range(11)
                ]
            )
        )
    looked = []
    for _ in range(3):
        made.clock.sleep(WAITS_EVERY)
        sweep(made.engine)
        dirty = [link for link in made.links("lms") if link.dirty]
        looked.append([link.id for link in dirty])
        with made.engine.ledger.write() as tx:
            tx.write(Changeset(links=[replace(link, dirty=0) for link in dirty]))
    assert [len(ids) for ids in looked] == [8, 3, 8]
    assert sorted(looked[0] + looked[1]) == [f"l{n:02}" for n in range(11)]
    assert looked[2] == looked[0]
