"""The ways in which vendors cut a listing into pages, as values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from syncengine.adapters.rest.decoding import Large
from syncengine.errors import Unusable
from syncengine.model.values import Json

Ask = Callable[[str, Mapping[str, str]], Json]
"""GET an address with a query; None where the vendor says by 404 that there is nothing."""

Sheet = tuple[list[Any], int | None]
"""The rows of one answer, and how many rows it says that there are in all (None: it does not say)."""


class Paging(Protocol):
    """How a listing is read to its end, sheet by sheet, of which one answer may give several. ``slips``: a row that is
    removed while the pages are read moves another one past the reader, and nothing tells."""

    @property
    def slips(self) -> bool:
        """Not where the vendor counts, or goes on after a row and not after so many."""
        return False

    @property
    def streams(self) -> bool:
        """Whether an answer may be a ``Large`` one: where all of a listing comes at once."""
        return False

    def walk(self, ask: Ask, url: str, query: Mapping[str, str]) -> Iterator[Sheet]:
        """The answers in order. Raises VendorDown for an answer of another shape, and what ``MISFITS`` are."""

    def calls(self, rows: int) -> int:
        """The fewest calls that read ``rows`` rows and learn that there are no more."""


@dataclass(frozen=True, slots=True)
class Whole(Paging):
    """One answer: an array, the member ``rows`` of an object, or its only array (``rows="*"``)."""

    rows: str = ""

    @property
    def streams(self) -> bool:
        """However many rows there are."""
        return True

    def walk(self, ask: Ask, url: str, query: Mapping[str, str]) -> Iterator[Sheet]:
        """One answer."""
        answer = ask(url, query)
        if isinstance(answer, Large):
            yield from ((rows, None) for rows in answer.rows(self.rows))
        elif answer is not None:
            yield rows_of(answer, self.rows), None

    def calls(self, rows: int) -> int:
        """Always one."""
        del rows
        return 1


@dataclass(frozen=True, slots=True)
class Numbered(Paging):
    """``page`` from zero and ``pageSize``, rows in ``data`` (docs/vendors.md, "HeavenHR: listings and errors"), or as
    ``first``, ``names`` and ``rows`` say; ``more``: what else is asked.

    ``counted``: the answers tell how many rows there are (``total``) and perhaps ``totalPages``, so that the end is
    known. Otherwise a page that is not full is the last, and after a full one a 404 is. A vendor may give fewer rows a
    page than it was asked for: full is what it says that it gives, and what is counted has to come.
    """

    size: int
    counted: bool
    first: int = 0
    names: tuple[str, str] = ("page", "pageSize")
    rows: str = "data"
    total: str = "totalItems"
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def slips(self) -> bool:
        """Without a count."""
        return not self.counted

    def walk(self, ask: Ask, url: str, query: Mapping[str, str]) -> Iterator[Sheet]:
        """Pages until the last."""
        number, came, (page, size) = 0, 0, self.names
        query = {**query, **self.more}
        while True:
            answer = ask(url, {**query, page: str(number + self.first), size: str(self.size)})
            if answer is None:
                return
            rows = rows_of(answer, self.rows)
            about = answer if isinstance(answer, dict) else {}
            last, total = self._end(about)
            yield rows, total
            number, came = number + 1, came + len(rows)
            if not rows or (total is not None and last is None and came >= total):
                return
            if last is not None and number >= last and came >= (total or 0):
                return
            if last is None and total is None and len(rows) < self._full(about):
                return

    def calls(self, rows: int) -> int:
        """By the count, or one more than there are full pages."""
        return max(1, -(-rows // self.size)) if self.counted else rows // self.size + 1

    def _end(self, about: Mapping[str, Any]) -> tuple[int | None, int | None]:
        """How many pages and how many rows an answer says that there are, as far as it does."""
        pages, total = about.get("totalPages"), about.get(self.total)
        last = pages if self.counted and isinstance(pages, int) and pages > 0 else None
        known = self.counted and isinstance(total, int) and (last or "totalPages" not in about)
        return last, total if known and not isinstance(total, bool) else None

    def _full(self, about: Mapping[str, Any]) -> int:
        meta = about.get("meta")
        told = (meta if isinstance(meta, dict) else about).get("pageSize")
        return min(self.size, told) if isinstance(told, int) and told > 0 else self.size


@dataclass(frozen=True, slots=True)
class Linked(Paging):
    """``limit`` and the address of the next page in ``next``, rows in ``results`` (docs/vendors.md,
    "weekly10: listings")."""

    size: int

    def walk(self, ask: Ask, url: str, query: Mapping[str, str]) -> Iterator[Sheet]:
        """Follows ``next`` as long as it leads on; whoever asks looks where to."""
        home, been = httpx.URL(url), set[str]()
        answer = ask(url, {**query, "limit": str(self.size)})
        while True:
            rows = rows_of(answer, "results")
            total, onward = answer.get("count"), answer.get("next")
            yield rows, total if isinstance(total, int) else None
            if not onward:
                return
            goal = home.join(onward) if isinstance(onward, str) else home
            if not rows or str(goal) in been:
                raise Unusable("the listing goes round in circles: its next page is none")
            been.add(str(goal))
            answer = ask(str(goal), {})

    def calls(self, rows: int) -> int:
        """The last page says that it is the last."""
        return max(1, -(-rows // self.size))


def rows_of(answer: Json, member: str) -> list[Any]:
    """The rows in an answer: ``member`` of an object, ``*`` its only array; a bare array where no member is
    called for or the vendor leaves the object out. Raises Unusable for any other shape."""
    if isinstance(answer, list) and member != "results":
        return answer
    if isinstance(answer, dict):
        arrays = [v for k, v in answer.items() if isinstance(v, list) and k != "errors"]
        if member == "*" and len(arrays) == 1:
            return list(arrays[0])
        rows = answer.get(member)
        if isinstance(rows, list):
            return rows
    wanted = f"an object with the array {member!r}" if member.isalpha() else "an array"
    raise Unusable(f"the listing is no listing: expected {wanted}, found {_found(answer)}")


def _found(answer: Json) -> str:
    """Without the names of its members: they may be people's, since this is logged."""
    if isinstance(answer, dict):
        return f"an object with {len(answer)} other members" if answer else "an empty object"
    return type(answer).__name__
