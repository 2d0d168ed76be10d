"""What one reading of one row means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.model.operation import Action, OperationState
from syncengine.planning.observation import (
    Reading,
    body_row,
    judge_reading,
    mapped,
    roots,
    row_hash,
    stamped,
)
from tests.support.people import LMS
from tests.unit.planning.parts import ROW, a_link, an_operation, lms

SYSTEM = lms()
KEPT = roots(SYSTEM)
CLAIMED = an_operation(state=OperationState.CLAIMED)
ROWS = st.none() | st.fixed_dictionaries(
    {"email": st.just("anna@x.de"), "name": st.sampled_from(["Anna", "Anne"])},
    optional={"job": st.sampled_from(["dev", None]), "other": st.integers(0, 2)},
)


def read(
    row: Any, started: float = 200.0, source: Any = "list", system: Any = SYSTEM, **link: Any
) -> Any:
    """A reading that was received a second later."""
    return judge_reading(
        system, a_link(**link), Reading(source, row, started, started + 1), roots(system),
        link.pop("operation", None),
    )  # fmt: skip


def test_a_changed_row_is_accepted_and_names_what_moved() -> None:
    """A listing's row that differs is the row now; the link is to be looked at."""
    seen = read({**ROW, "job": "lead"})
    assert seen.moved == {"job"}
    assert (seen.link.row["job"], seen.link.row_version, seen.link.dirty) == ("lead", 4, 1)
    assert seen.link.read_at == 201.0


def test_an_unchanged_row_only_moves_the_time() -> None:
    """An unchanged row is touched: nothing to do, whatever stands in fields that nobody maps."""
    seen = read({**ROW, "phone": "1"})
    assert seen.touched
    assert (seen.link.dirty, seen.link.row_version, seen.link.read_at) == (0, 3, 201.0)


@given(ROWS, st.floats(0, 99.9), st.sampled_from(["list", "get"]))
def test_a_read_begun_before_the_last_receipt_changes_no_row(
    row: Any, started: float, source: Any
) -> None:
    """Rule 5: such a read shows the same row, or asks for a fresh one; it never becomes the row."""
    seen = read(row, started, source)
    assert seen.link.row == ROW
    assert seen.link.read_at == 100.0
    assert seen.ignored != seen.link.need_get
    assert not seen.moved


@given(ROWS, st.floats(100.1, 1e6), st.sampled_from(["list", "get", "write"]))
def test_a_timely_read_is_never_forgotten(row: Any, started: float, source: Any) -> None:
    """What a timely reading shows is the row afterwards, and it may only be dirty if something moved."""
    seen = read(row, started, source)
    assert seen.link.row == (None if row is None else mapped(row, KEPT))
    assert bool(seen.link.dirty) == (seen.link.row != ROW)


@given(ROWS, st.floats(100.1, 1e6))
def test_a_lagging_listing_never_decides(row: Any, started: float) -> None:
    """Rule 5: where listings lag, their rows only ask for a single read."""
    system = lms(abilities=(("list_lag", 15.0),))
    seen = read(row, started, system=system)
    assert seen.link.row == ROW
    assert seen.touched != seen.link.need_get


@pytest.mark.parametrize(("started", "counts"), [(104.0, False), (106.0, True)])
def test_a_single_read_may_lag(started: float, counts: bool) -> None:
    """Rule 5: a GET counts only after the vendor's ``read_lag`` since the last receipt is over."""
    system = lms(abilities=(("read_lag", 5.0),))
    seen = read({**ROW, "job": "lead"}, started, "get", system)
    assert (seen.link.row["job"] == "lead") is counts


def test_a_404_is_the_end_of_the_row() -> None:
    """A single read that finds nothing takes the row away and calls for a decision."""
    seen = read(None, source="get", need_get=True)
    assert (seen.link.row, seen.link.dirty, seen.link.need_get) == (None, 1, False)


def test_a_needed_read_that_shows_nothing_new_ends_the_need() -> None:
    """A single read of an unchanged row clears ``need_get`` and is no news."""
    seen = read(ROW, source="get", need_get=True)
    assert (seen.link.need_get, seen.link.dirty, seen.link.row_version) == (False, 0, 3)


def test_a_listing_does_not_end_the_need_for_a_single_read() -> None:
    """Where only a fresh single read counts, an unchanged listing leaves the need."""
    assert read(ROW, need_get=True).link.need_get


def test_a_row_that_does_not_count_is_none() -> None:
    """``where`` limits what comes in: a row that stops counting is gone for us."""
    system = lms(lms_system=LMS.replace("flow: both", "flow: both, where: \"row.job != 'ex'\""))
    assert read({**ROW, "job": "ex"}, system=system).link.row is None


@pytest.mark.parametrize("state", [OperationState.CLAIMED, OperationState.UNKNOWN])
@pytest.mark.parametrize(
    ("job", "foreign_values"), [("boss", {"job": "boss"}), ("lead", {}), ("dev", {})]
)
def test_values_that_are_neither_expected_nor_ours_are_noted(
    state: OperationState, job: str, foreign_values: dict[str, str]
) -> None:
    """Rule 8: while a write is under way, a value that it neither expected nor sends is a foreign one."""
    link, reading = a_link(), Reading("list", {**ROW, "job": job}, 200.0, 201.0)
    assert (
        judge_reading(SYSTEM, link, reading, KEPT, an_operation(state=state)).link.foreign_values
        == foreign_values
    )


def test_hints_are_noted_too() -> None:
    """Rule 8: even a row that does not count shows what a write may run over."""
    reading = Reading("list", {**ROW, "job": "boss"}, 50.0, 201.0)
    seen = judge_reading(SYSTEM, a_link(), reading, KEPT, CLAIMED)
    assert (seen.link.foreign_values, seen.link.row) == ({"job": "boss"}, ROW)


@pytest.mark.parametrize(
    "operation",
    [None, an_operation(), an_operation(state=OperationState.UNKNOWN, action=Action.CREATE)],
)
def test_nothing_is_noted_while_no_write_of_the_row_is_under_way(operation: Any) -> None:
    """Rule 8: a pending write, a create, or none runs over nothing."""
    reading = Reading("list", {**ROW, "job": "boss"}, 200.0, 201.0)
    assert not judge_reading(SYSTEM, a_link(), reading, KEPT, operation).link.foreign_values


@pytest.mark.parametrize(("job", "lost"), [("lead", {"job": "boss"}), ("boss", {})])
def test_a_later_read_says_what_was_run_over(job: str, lost: dict[str, str]) -> None:
    """Rule 8: a noted value that the row shows no more is lost, one that it still shows is not."""
    seen = read({**ROW, "job": job}, source="get", foreign_values={"job": "boss"}, need_get=True)
    assert (seen.lost, seen.link.foreign_values) == (lost, {})


def test_stamps_move_with_the_fields_that_moved() -> None:
    """Rule 15: only what is new takes the stamp of the event that showed it."""
    link = stamped(a_link(stamps={"name": 1, "job": 2}), frozenset({"job"}), 9)
    assert link.stamps == {"name": 1, "job": 9}


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=5))
def test_a_hash_does_not_depend_on_the_order_of_keys(row: dict[str, Any]) -> None:
    """The same row has the same hash however its keys come."""
    assert row_hash(row) == row_hash(dict(reversed(row.items())))


def test_a_body_is_laid_over_a_row_by_its_paths() -> None:
    """A body's paths reach into the row and leave the base untouched."""
    base = {"a": {"b": 1, "c": 2}}
    assert body_row({"a.b": 5, "d": 6}, base) == {"a": {"b": 5, "c": 2}, "d": 6}
    assert base == {"a": {"b": 1, "c": 2}}
