from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.adapters.rest.paging import Linked, Numbered, Paging, Whole, rows_of
from syncengine.errors import VendorDown

URL = "https://v.example/rows/"


class Shelf:
    """A vendor with rows 0, 1, 2, ... that pages in all documented ways. ``cap``: the largest page it gives."""

    def __init__(self, rows: int, cap: int = 10_000) -> None:
        self.rows = [{"id": number} for number in range(rows)]
        self.cap = cap
        self.calls = 0

    def numbered(self, _url: str, query: Mapping[str, str]) -> Any:
        self.calls += 1
        page, size = int(query["page"]), min(int(query["pageSize"]), self.cap)
        rows = self.rows[page * size : (page + 1) * size]
        if not rows:
            return None
        meta = {"page": page, "pageSize": size, "count": len(rows)}
        return {"links": [], "data": rows, "meta": meta}

    def counted(self, url: str, query: Mapping[str, str]) -> Any:
        answer = self.numbered(url, query)
        size, total = int(query["pageSize"]), len(self.rows)  # pages of the size that was asked for
        about = {"totalItems": total, "totalPages": -(-total // size)}
        return {**about, "data": answer["data"], "pageSize": 0} if answer else None

    def total(self, url: str, query: Mapping[str, str]) -> Any:
        answer = self.numbered(url, query)
        rows = answer["data"] if answer else []
        total = len(self.rows) if query.get("total_required") else None
        return {"data": rows, "total": total}

    def linked(self, url: str, query: Mapping[str, str]) -> Any:
        self.calls += 1
        size = min(int(query.get("limit") or url.rpartition("=")[2]), self.cap)
        start = int(url.partition("offset=")[2].partition("&")[0] or 0)
        more = start + size < len(self.rows)
        onward = f"{URL}?offset={start + size}&limit={size}" if more else None
        rows = self.rows[start : start + size]
        return {"count": len(self.rows), "next": onward, "previous": None, "results": rows}

    def whole(self, _url: str, _query: Mapping[str, str]) -> Any:
        self.calls += 1
        return self.rows


WAYS: dict[str, Callable[[int], Paging]] = {
    "numbered": lambda size: Numbered(size, counted=False),
    "counted": lambda size: Numbered(size, counted=True),
    "total": lambda size: Numbered(size, True, total="total", more={"total_required": "true"}),
    "linked": Linked,
    "whole": lambda _: Whole(),
}


@pytest.mark.parametrize("way", WAYS)
@given(rows=st.integers(0, 40), size=st.integers(1, 12))
def test_a_listing_is_read_to_its_end_in_the_fewest_calls(way: str, rows: int, size: int) -> None:
    """All rows come, each once and in order, in exactly as many calls as the paging promises."""
    shelf, paging = Shelf(rows), WAYS[way](size)
    sheets = list(paging.walk(getattr(shelf, way), URL, {}))
    assert [row["id"] for found, _ in sheets for row in found] == list(range(rows))
    assert shelf.calls == paging.calls(rows)


@pytest.mark.parametrize("way", ["numbered", "counted", "total", "linked"])
@given(rows=st.integers(0, 40), cap=st.integers(1, 12))
def test_a_vendor_that_gives_smaller_pages_is_read_to_the_end(
    way: str, rows: int, cap: int
) -> None:
    """A page cut below the asked size is not taken for the last one."""
    shelf, paging = Shelf(rows, cap), WAYS[way](12)
    sheets = list(paging.walk(getattr(shelf, way), URL, {}))
    assert [row["id"] for found, _ in sheets for row in found] == list(range(rows))


@pytest.mark.parametrize(
    "answer",
    [{"detail": "oops"}, {"data": None}, {"results": {}}, "text", 7, True, {"errors": []}, {}],
)
@pytest.mark.parametrize("member", ["", "*", "data", "results"])
def test_what_is_no_listing_is_refused(answer: Any, member: str) -> None:
    """An answer of another shape is never taken for an empty listing."""
    with pytest.raises(VendorDown, match="expected"):
        rows_of(answer, member)


def test_an_array_may_stand_bare_or_alone_in_an_object() -> None:
    """Both forms in which undocumented listings are seen are understood."""
    assert rows_of([{"id": 1}], "*") == [{"id": 1}]
    assert rows_of({"employees": [{"id": 1}], "errors": []}, "*") == [{"id": 1}]
    assert rows_of([{"id": 1}], "data") == [{"id": 1}]


def test_a_page_size_of_zero_ends_no_listing() -> None:
    """HeavenHR prints ``"pageSize": 0``: the asked size counts."""
    paging: Paging = Numbered(2, counted=False)
    answers = iter([{"data": [1, 2], "pageSize": 0}, {"data": [3], "pageSize": 0}])
    sheets = list(paging.walk(lambda _u, _q: next(answers), URL, {}))
    assert [row for rows, _ in sheets for row in rows] == [1, 2, 3]
