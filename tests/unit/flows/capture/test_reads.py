"""Which read counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from syncengine.flows.capture.listing import Listing
from syncengine.flows.capture.notices import notice
from syncengine.flows.capture.refresh import CHUNK, refresh
from syncengine.flows.capture.rows import Read, store
from syncengine.ports import Item, Page
from tests.support.people import COLUMNS, HR_DELETES, LIMITS_WIDE, anna, crowd, duo, lead, row


def test_a_read_that_began_before_the_last_one_was_received_does_not_count() -> None:
    """Rule 5: an older read that arrives late asks for a fresh one instead of taking the row back."""
    made = duo()
    mine, _ = anna(made)
    hr, began = made.vendors["hr"], made.clock.now()
    hr.edit(mine, job="lead")
    made.scan("hr")
    made.settle()
    made.put("hr", "list", began, **{mine: row(job="dev")})
    assert made.link("hr").need_get
    made.settle()
    assert made.record().values["job"] == "lead"
    assert not made.link("hr").need_get


def test_a_late_read_that_shows_the_same_row_costs_nothing() -> None:
    """Rule 5: a late read of an unchanged row is neither an edit nor a reason to read again."""
    made = duo()
    mine, _ = anna(made)
    began = made.clock.now() - 60
    before = made.link("hr")
    made.put("hr", "list", began, **{mine: row()})
    after = made.link("hr")
    assert (after.need_get, after.dirty, after.read_at) == (False, 0, before.read_at)


def test_a_late_page_never_takes_the_time_of_a_newer_read_back() -> None:
    """Rule 5: among rows of one page, each link keeps its own last time of reading."""
    made = duo()
    hr = made.vendors["hr"]
    first = hr.add(email="anna@x.de", name="Anna", job="dev")
    second = hr.add(email="ben@x.de", name="Ben", job="dev")
    made.sync()
    began, ben = made.clock.now(), row(email="ben@x.de", name="Ben")
    made.clock.sleep(3)
    made.put("hr", "get", began + 2, **{first: row()})
    made.clock.sleep(6)
    made.put("hr", "get", began + 8, **{second: ben})
    made.put("hr", "list", began + 1, **{first: row(), second: ben})
    made.put("hr", "list", began + 5, **{second: ben | {"job": "old"}})
    assert {k.external_id: k.need_get for k in made.links("hr")}[second]


def test_no_row_of_a_batch_counts_as_read_before_it_was() -> None:
    """Rule 5: of rows that were read one by one and stored together, none is taken for read too early."""
    made = duo()
    hr = made.vendors["hr"]
    names = crowd(made, 2)
    made.sync()
    now, system = made.clock.now(), made.engine.project.entities["person"].systems["hr"]
    rows = hr.rows()
    reads = [Read(name, rows[name], None, now + n, now + n + 1) for n, name in enumerate(names)]
    with made.engine.ledger.write() as tx:
        store(made.engine, tx, made.engine.project.entities["person"], system, "get", reads)
    times = {k.external_id: k.read_at for k in made.links("hr")}
    assert times[names[0]] >= now + 1
    assert times[names[1]] >= now + 2


def test_a_read_begun_before_a_settle_does_not_take_our_write_back() -> None:
    """Rule 5: a listing that began before our write was settled cannot show what is there now."""
    made = duo()
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    made.think()
    began = made.clock.now()
    assert made.send() == {"applied": 1}
    made.put("lms", "list", began, **{theirs: row(job="dev")})
    made.sync()
    assert made.vendors["hr"].row(mine)["job"] == "lead"
    assert made.vendors["lms"].row(theirs)["job"] == "lead"


def test_a_single_read_may_be_behind_by_the_vendor_s_lag() -> None:
    """Rule 5: within ``read_lag`` after our write an old row from a GET is no edit."""
    made = duo(lms={"read_lag": 6.0, "answers": "full"})
    mine, theirs = anna(made)
    made.clock.sleep(10)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    made.settle()
    made.put("lms", "get", made.clock.now(), **{theirs: row(job="dev")})
    made.clock.sleep(10)
    made.sync()
    assert made.vendors["hr"].row(mine)["job"] == "lead"
    assert made.vendors["lms"].row(theirs)["job"] == "lead"


def test_rows_of_a_listing_that_lags_are_hints() -> None:
    """Rule 5: where listings lag, what they show is read singly before it counts."""
    made = duo(hr={"list_lag": 15.0})
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.clock.sleep(20)
    made.sync()
    hr.edit(mine, job="lead")
    made.clock.sleep(20)
    hr.edit(mine, job="head")
    made.scan("hr")
    assert hr.calls[-1][0] == "scan"
    assert made.record().values["job"] == "dev"
    made.settle()
    assert ("get", mine) in hr.calls
    assert made.record().values["job"] == "head"


@pytest.mark.parametrize("abilities", [{}, {"unlisted": ("job",)}, {"list_lag": 4.0}])
def test_going_back_to_a_former_value_is_seen(abilities: dict[str, Any]) -> None:
    """A row that a single read showed changed, and that then changes back, is not taken for the old listing."""
    made = duo(hr=abilities)
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.clock.sleep(10)
    made.sync()
    (theirs,) = made.vendors["lms"].rows()
    hr.edit(mine, name="Anne")
    notice(made.engine, "hr", "people", mine, "w1")
    made.settle()
    made.clock.sleep(10)
    made.sync()
    assert made.vendors["lms"].row(theirs)["name"] == "Anne"
    hr.edit(mine, name="Anna")
    made.clock.sleep(10)
    made.sync()
    assert made.vendors["lms"].row(theirs)["name"] == "Anna"


@pytest.mark.parametrize("abilities", [{}, {"unlisted": ("job",)}, {"list_lag": 4.0}])
def test_going_back_before_the_next_listing_is_seen(abilities: dict[str, Any]) -> None:
    """A change that only a single read showed, and that was taken back before any listing, is taken back here too."""
    made = duo(hr=abilities)
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.clock.sleep(10)
    made.sync()
    hr.edit(mine, name="Anne")
    notice(made.engine, "hr", "people", mine, "w1")
    made.settle()
    assert made.record().values["name"] == "Anne"
    hr.edit(mine, name="Anna")
    made.clock.sleep(10)
    made.sync()
    assert made.record().values["name"] == "Anna"


def test_a_row_that_a_lagging_listing_showed_before_the_last_change_is_seen_again() -> None:
    """What a lagging listing showed while a single read was ahead of it may become true again, and is seen."""
    made = duo(hr={"list_lag": 15.0})
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.clock.sleep(20)
    made.sync()
    hr.edit(mine, job="two")
    made.clock.sleep(20)
    hr.edit(mine, job="three")
    made.sync()
    assert made.record().values["job"] == "three"
    hr.edit(mine, job="two")
    made.clock.sleep(60)
    made.sync()
    assert made.record().values["job"] == "two"


def test_a_row_that_stops_counting_in_a_lagging_listing_is_read_before_it_is_missing() -> None:
    """Rule 5: a lagging listing proves no more that a row stopped counting than anything else."""
    made = duo(
        hr={"list_lag": 15.0},
        hr_system=HR_DELETES.replace("create: in", "create: in, where: \"row.job != 'ex'\""),
    )
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.clock.sleep(20)
    made.sync()
    hr.edit(mine, job="ex")
    made.clock.sleep(20)
    hr.edit(mine, job="dev")
    made.sync()
    assert made.record().values["job"] == "dev"
    hr.edit(mine, job="ex")
    made.clock.sleep(20)
    made.sync()
    assert not made.records()


def test_a_change_that_the_listing_hides_is_seen_by_the_row_s_stamp() -> None:
    """Where a listing shows less than the mapping needs, anything new in its row calls for a single read."""
    made = duo(hr={"unlisted": ("job",), "stamps": True, "columns": (*COLUMNS, "changed")})
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "lead"
    made.vendors["hr"].edit(mine, job="dev")
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "dev"


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("order", [1, -1])
def test_a_row_that_one_listing_shows_twice_is_read_alone(
    order: int, apart: bool, known: bool
) -> None:
    """Rule 5: where two pages show one id with rows that differ, neither is believed: a single read tells, whether the
    row was edited between them or one of them is somebody else's."""
    made = duo()
    hr = made.vendors["hr"]
    mine = anna(made)[0] if known else hr.add(email="anna@x.de", name="Anna", job="dev")
    hr.calls.clear()
    shown = [row(), row(name="Fritz", job="boss")][::order]
    listed = [Item(mine, {"id": mine, **r}) for r in shown]

    def pages(*_: Any) -> Iterator[Page]:
        made.clock.sleep(0.1)
        yield Page(listed[:1] if apart else listed)
        if apart:
            made.clock.sleep(0.1)
            yield Page(listed[1:])

    hr.scan = pages  # type: ignore[method-assign]
    made.sync()
    assert ("get", mine) in hr.calls
    assert (made.record().values["name"], made.record().values["job"]) == ("Anna", "dev")
    assert [r["name"] for r in made.vendors["lms"].rows().values()] == ["Anna"]
    hr.edit(mine, job="boss", name="Fritz")
    made.sync()
    assert [r["name"] for r in made.vendors["lms"].rows().values()] == ["Fritz"]


def test_an_unchanged_row_costs_no_single_read() -> None:
    """A listing that shows less than the mapping needs costs one GET for each row that moved, no more."""
    made = duo(hr={"unlisted": ("job",)})
    anna(made)
    made.vendors["hr"].calls.clear()
    made.sync()
    assert made.vendors["hr"].calls == [("scan", "people")]


def test_a_webhook_reads_the_row_afresh_and_repeats_do_nothing() -> None:
    """A notice is a hint: the row is read singly, and the same event id counts once."""
    made = duo()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    assert notice(made.engine, "hr", "people", mine, "w1")
    assert not notice(made.engine, "hr", "people", mine, "w1")
    assert refresh(made.engine) == 1
    made.settle()
    assert made.record().values["job"] == "lead"
    with pytest.raises(KeyError):
        notice(made.engine, "hr", "nothing", "1", "w2")


def test_a_poll_goes_on_where_the_last_one_ended() -> None:
    """The cursor moves with what it yielded: only what moved since comes, and a failed poll moves nothing."""
    made = duo(hr={"poll": True})
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    assert made.poll("hr").moved == 1
    made.clock.sleep(1)
    assert made.poll("hr").rows == 0
    hr.edit(mine, job="lead")
    made.clock.sleep(1)
    hr.fault("poll", "fail")
    assert made.poll("hr").fault
    made.clock.sleep(60)
    assert made.poll("hr").moved == 1
    made.settle()
    assert made.record().values["job"] == "lead"


@pytest.mark.parametrize("at", range(1, 7))
def test_a_notice_during_our_own_write_is_not_forgotten(at: int) -> None:
    """A row that moves at its vendor while we write it is read afresh, not at the next listing."""
    made = duo()
    _, theirs = lead(made)

    def move() -> None:
        made.vendors["lms"].edit(theirs, name="Anne")
        notice(made.engine, "lms", "people", theirs, "w1")

    with made.between(at, move):
        made.send()
    made.settle()
    moved = made.vendors["lms"].row(theirs)["name"]
    assert made.record().values["name"] == moved


def test_a_row_that_was_read_does_not_wait_for_all_others() -> None:
    """Of many rows to be read the first ones are stored and announced while the others are still to come."""
    made = duo(hr={"unlisted": ("job",)}, limits=LIMITS_WIDE)
    made.vendors["hr"].latency = 0.001
    crowd(made, 2 * CHUNK)
    made.scan("hr")
    made.queue.sent.clear()
    refresh(made.engine)
    told = [len(ids) for task, ids in made.queue.sent if task == "reconcile"]
    assert told == [CHUNK, CHUNK]


def test_the_next_page_is_fetched_while_one_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of a listing are asked for one at a time, each before the one before it is stored."""
    made = duo()
    crowd(made, 7)
    done, keep = [], Listing.keep

    def kept(listing: Listing, items: Sequence[Item], *given: Any, **named: Any) -> None:
        done.append(len([verb for verb, _ in made.vendors["hr"].calls if verb in ("scan", "page")]))
        keep(listing, items, *given, **named)

    monkeypatch.setattr(Listing, "keep", kept)
    assert made.scan("hr").complete
    assert done == [2, 3, 3]
    assert len(made.links("hr")) == 7


@pytest.mark.timeout(20)
def test_a_listing_leaves_no_call_behind() -> None:
    """However it ends, the threads that make calls are free again."""
    made = duo()
    crowd(made, 7)
    made.engine.pool = ThreadPoolExecutor(1)
    hr = made.vendors["hr"]
    for fault in (None, "fail", "partial", None):
        hr.fault("scan", fault)
        assert made.scan("hr").complete is (fault is None)
        made.clock.sleep(120)
    made.engine.pool.shutdown()
