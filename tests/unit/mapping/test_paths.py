"""Paths into vendor rows."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.errors import RowInvalid
from syncengine.mapping.paths import get, parse, put, root
from syncengine.model.values import ABSENT

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
odd = st.text(st.characters(exclude_characters="'\"", categories=("L", "N", "Zs")), min_size=1)
steps = st.one_of(
    names.map(lambda name: f".{name}"),
    odd.map(lambda name: f"['{name}']"),
    st.tuples(names, odd, names)
    .filter(lambda three: three[0] != three[2])
    .map(lambda three: f"[{three[0]}='{three[1]}'].{three[2]}"),
)
paths = st.builds(lambda head, rest: head + "".join(rest), names, st.lists(steps, max_size=4))
plain = st.one_of(st.none(), st.integers(), st.text(), st.lists(st.integers()))
rows = st.dictionaries(names, plain, max_size=3)


@given(rows, paths, plain)
def test_what_is_put_is_got(row: dict[str, object], path: str, value: object) -> None:
    """A value put at a path is found there, and the same put again changes nothing."""
    row.pop(root(path), None)
    put(row, path, value)
    assert get(row, path) == value
    once = deepcopy(row)
    put(row, path, value)
    assert row == once


@given(rows, paths)
def test_got_before_put_changes_nothing(row: dict[str, object], path: str) -> None:
    """Putting back what was got leaves the value that is got as it was."""
    try:
        value = get(row, path)
        if value is ABSENT or value is None:
            return
        put(row, path, value)
    except RowInvalid:
        return
    assert get(row, path) == value


@given(paths)
def test_root_is_the_first_step(path: str) -> None:
    """The root of a path is its first step, and other keys of a row are not touched by it."""
    assert root(path) == parse(path)[0]


@pytest.mark.parametrize(
    ("path", "row", "found"),
    [
        ("a.b", {"a": {"b": 1}}, 1),
        ("a.b", {"a": {}}, ABSENT),
        ("a.b", {"a": None}, None),
        ("a.b", {}, ABSENT),
        ("a['odd name']", {"a": {"odd name": 2}}, 2),
        ("a[k='x'].v", {"a": [{"k": "y", "v": 1}, {"k": "x", "v": 3}]}, 3),
        ("a[k='x'].v", {"a": []}, None),
        ("a[k='x'].v", {"a": [{"k": "x"}]}, ABSENT),
        ('a["x"]', {"a": {"x": 4}}, 4),
    ],
)
def test_absent_and_empty_differ(path: str, row: dict[str, object], found: object) -> None:
    """A key that is not there says nothing, while an empty one and an item that a list lacks are empty."""
    assert get(row, path) is found or get(row, path) == found


def test_a_missing_list_item_is_appended() -> None:
    """Writing below an item that a list lacks appends it with its key, and leaves the others alone."""
    row = {"a": [{"k": "y", "v": 1}]}
    put(row, "a[k='x'].v", 2)
    assert row == {"a": [{"k": "y", "v": 1}, {"k": "x", "v": 2}]}


@pytest.mark.parametrize(("path", "row"), [("a.b", {"a": 5}), ("a[k='x'].v", {"a": {"k": "x"}})])
def test_a_misfit_on_the_way_is_told(path: str, row: dict[str, object]) -> None:
    """A value that is no object or list where the path goes on is refused, reading and writing."""
    with pytest.raises(RowInvalid):
        get(row, path)
    with pytest.raises(RowInvalid):
        put(row, path, 1)


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "a.",
        "a..b",
        "a[",
        "a[b]",
        "a b",
        "1",
        "[k='x'].v",
        "a[k='x']",
        "a[k='x'].k",
        "a['']",
    ],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    """Text that is no path is refused with an example of one."""
    with pytest.raises(ValueError, match="path"):
        parse(path)
