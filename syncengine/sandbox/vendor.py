"""What every simulated vendor is made of: calls, replies, routes, and the base class."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, QueryParams

from syncengine.sandbox.table import Row, Table


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``payload`` is sent as JSON, but a text is sent as it is, and None is no body."""

    status: int
    payload: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media: str = "application/json"


class Refused(Exception):
    """The vendor answers with ``reply`` and changes nothing."""

    def __init__(self, status: int, payload: Any = None, **headers: str) -> None:
        super().__init__(status)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply = Reply(status, payload, named)


@dataclass(slots=True)
class Call:
    """One request that matched a route, and what the handler says about it.

    ``twist``: what a fault does to a listing (repeat_row, shrink, empty_list). ``most``: rows of its largest page.
    ``denied``: a fault makes all tokens expire. The handler sets ``ids`` and ``duplicate`` for the request ledger.
    """

    method: str
    template: str
    params: Mapping[str, str]
    query: QueryParams
    headers: Headers
    body: bytes
    origin: str
    twist: str | None = None
    most: int = 100_000
    denied: bool = False
    duplicate: bool = False
    ids: dict[str, str] = field(default_factory=dict)

    def parse(self) -> Any:
        """The JSON body. Raises ValueError."""
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


class Allowance:
    """Calls a minute, refilled evenly; a full minute may be spent at once."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self._left = float(calls)
        self._at = time.monotonic()

    def take(self) -> bool:
        moment = time.monotonic()
        self._left = min(self.calls, self._left + (moment - self._at) * self.calls / 60)
        self._at = moment
        if self._left < 1:
            return False
        self._left -= 1
        return True

    @property
    def left(self) -> int:
        return int(self._left)

    @property
    def wait(self) -> int:
        """Seconds until a call is free again, rounded up."""
        return max(1, -int(-(1 - self._left) * 60 // self.calls))


Handler = Callable[[Call], Reply]
Pager = Callable[[int, int], list[Row]]


@dataclass(frozen=True, slots=True)
class Route:
    """``template`` is the path below the vendor's prefix, without a last slash. ``open``: no login."""

    method: str
    template: str
    handler: Handler
    open: bool = False
    reads: bool = False
    """A call that changes nothing in spite of its method, as taking a token."""

    @property
    def segments(self) -> tuple[str, ...]:
        return tuple(self.template.split("/"))


class Vendor(ABC):
    """One vendor: routes, rows, and how it says no."""

    name: str
    prefix: str
    tables: dict[str, Table]
    slash: bool = False
    """Whether a path must end with a slash."""

    def __init__(self) -> None:
        self._routes: dict[int, list[Route]] = {}
        # Fixed segments are tried before placeholders.
        for route in sorted(self.routes(), key=lambda route: route.template.count("{")):
            self._routes.setdefault(len(route.segments), []).append(route)

    @abstractmethod
    def routes(self) -> list[Route]: ...

    @abstractmethod
    def authenticate(self, call: Call) -> None:
        """Raise Refused unless the call carries good credentials and may be made now."""

    @abstractmethod
    def keep(self, resource: str, values: Row) -> Row:
        """Make a row of ``values`` with an id and what else the vendor adds."""

    @abstractmethod
    def missing(self, method: str, path_known: bool) -> Reply:
        """The answer where no route is: to an unknown path, or to a wrong method on a known one."""

    def decorate(self) -> Mapping[str, str]:
        """Headers that every answer carries."""
        return {}

    def show(self, resource: str, row: Row) -> Row:  # what a single GET answers
        del resource
        return row

    def change(self, resource: str, row: Row, values: Row) -> None:
        table = self.tables[resource]
        table.change(row[table.key], values)

    def drop(self, resource: str, row: Row) -> None:
        table = self.tables[resource]
        table.remove(row[table.key])

    def typed(self, resource: str, values: Row, row: Row | None) -> Row:
        """What a person typed into the vendor's own screen as values to keep. Raises Refused."""
        del resource, row
        return values

    def state(self, resource: str) -> list[Row]:
        """All rows. Raises KeyError for an unknown resource."""
        return [dict(self.show(resource, row)) for row in self.tables[resource]]

    def mutate(self, resource: str, action: str, identifier: Any, values: Row) -> Row:
        """What a person does on the vendor's own screen; the row. Raises KeyError, ValueError."""
        table = self.tables[resource]
        row = None if action == "create" else table[identifier]
        try:
            values = self.typed(resource, values, row)
        except Refused as refused:
            raise ValueError(str(refused.reply.payload)) from refused
        if row is None:
            return dict(self.show(resource, self.keep(resource, values)))
        if action == "update":
            self.change(resource, row, values)
            return dict(self.show(resource, row))
        shown = dict(self.show(resource, row))
        self.drop(resource, row)
        return shown

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]] | Reply:
        """The route of a path and its parameters, or the answer to a path that has none."""
        if not path.startswith(f"{self.prefix}/") or (self.slash and not path.endswith("/")):
            return self.missing(method, False)
        parts = path[len(self.prefix) :].rstrip("/").split("/")
        found = False
        for route in self._routes.get(len(parts), []):
            params: dict[str, str] = {}
            for segment, part in zip(route.segments, parts, strict=True):
                if segment.startswith("{"):
                    params[segment[1:-1]] = part
                elif segment != part:
                    break
            else:
                found = True
                if route.method == method:
                    return route, params
        return self.missing(method, found)

    def handle(self, route: Route, call: Call) -> Reply:
        """The answer to a call; changes rows if it is a write that is accepted."""
        try:
            if not route.open:
                self.authenticate(call)
            return route.handler(call)
        except Refused as refused:
            return refused.reply


def listed(
    call: Call, pager: Pager, total: int, offset: int = 0, limit: int | None = None
) -> tuple[list[Row], int]:
    """The rows of a page and the total, as this call is to see them."""
    size = total if limit is None else limit
    if call.twist == "empty_list":
        return [], 0
    if call.twist == "shrink" and total:
        rows = pager(offset + 1, size) if offset else pager(0, size)[:-1]
        return rows, total - 1
    rows = pager(offset, size)
    if call.twist == "repeat_row" and rows:
        rows = [*pager(offset - 1, 1), *rows] if offset else [*rows, rows[0]]
    return rows, total


def pager_of(rows: list[Row]) -> Pager:
    return lambda offset, limit: rows[offset : offset + limit]


def is_date(text: object) -> bool:
    """Whether this is a text ``yyyy-mm-dd`` that is a day."""
    if not isinstance(text, str) or len(text) != 10:
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def minutes_of(text: object, midnight: bool = False) -> int | None:
    """Minutes since 00:00 of ``hh:mm`` or ``hh:mm:ss``; 24:00 only with ``midnight``; else None."""
    if not isinstance(text, str):
        return None
    parts = text.split(":")
    if len(parts) not in (2, 3) or not all(part.isdigit() and len(part) == 2 for part in parts):
        return None
    hours, minutes = int(parts[0]), int(parts[1])
    if midnight and hours == 24 and minutes == 0:
        return 24 * 60
    return hours * 60 + minutes if hours < 24 and minutes < 60 else None


def now() -> datetime:
    """This moment in UTC, to the millisecond."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
