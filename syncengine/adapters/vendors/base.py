"""The one connector: speaks to any vendor that is declared as data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Final, Literal

from syncengine.adapters.rest.auth import Auth, TokenAuth
from syncengine.adapters.rest.paging import rows_of
from syncengine.adapters.rest.session import Missing, Session
from syncengine.adapters.rest.stamps import seconds, stamp
from syncengine.adapters.rest.transport import Client
from syncengine.adapters.rest.verdicts import Kind, fitting
from syncengine.adapters.vendors.bound import Bound, marker
from syncengine.adapters.vendors.declare import Step, Vendor
from syncengine.adapters.vendors.listings import Calls, Listings
from syncengine.adapters.vendors.names import NamedIds
from syncengine.errors import (
    Bug,
    Exists,
    Rejected,
    RowInvalid,
    SyncengineError,
    Unknown,
    Unnamed,
    Unusable,
)
from syncengine.mapping.project import LARGEST_LISTING, LONGEST_LISTING
from syncengine.model.operation import Written
from syncengine.model.resource import ConnectorSpec
from syncengine.model.spelling import folded
from syncengine.model.values import Json, Row, is_empty
from syncengine.ports import Clock, Item, Page, Tally, Window

_FIGURES: Final = re.compile(r"(?<=/)(?!v\d+/)[^/]*\d[^/]*(?=/|$)")
"""Parts of a path that may name a row."""

_OVERLAP: Final = 300.0
"""Seconds that a poll looks back behind its cursor: stamps come in no promised order (docs/vendors.md,
"HeavenHR: employees")."""


class RestConnector:
    """Keeps ``ports.Connector`` for one connection of a vendor.

    Whatever a vendor may answer, nothing but the errors of ``ports.Connector`` comes out of here: a row that does
    not fit is an item with a fault, a listing that is none is VendorDown, a single read RowInvalid.
    A marker is dropped when its text is later updated: no update is planned before the create is settled.
    """

    def __init__(
        self,
        vendor: Vendor,
        base_url: str,
        auth: Auth,
        client: Client,
        tally: Tally,
        clock: Clock,
        zone: tzinfo,
        options: Mapping[str, str],
        largest_listing: int = LARGEST_LISTING,
        longest_listing: int = LONGEST_LISTING,
    ) -> None:
        self._vendor = vendor
        self._base_url = base_url
        self._auth = auth
        self._client = client
        self._session = Session(client, clock, base_url)
        self._tally = tally
        self._clock = clock
        self._zone = zone
        self._listings = Listings(self._session, largest_listing, longest_listing)
        self._resources = {
            n: Bound(r, base_url, zone, options) for n, r in vendor.resources.items()
        }
        self._names = NamedIds(self._session, base_url)

    @property
    def spec(self) -> ConnectorSpec:
        """What the vendor declares."""
        return self._vendor.spec

    @property
    def tally(self) -> Tally:
        """What was sent."""
        return self._tally

    def health(self) -> None:
        """One cheap authenticated call."""
        path = self._vendor.health
        self._session.read(self._base_url + path, f"GET {path}", {})

    def scan(
        self, resource: str, parent: str | None = None, window: Window | None = None
    ) -> Iterator[Page]:
        """The complete listing. Raises Bug where a parent or a window is lacking."""
        bound = self._bound(resource)
        if bound.spec.parent and parent is None:
            raise Bug(f"{resource} are listed below one of {bound.spec.parent}")
        if bound.spec.dated and not bound.declared.days and window is None:
            raise Bug(f"{resource} are listed for a window of dates")
        if bound.declared.listing:
            today = self._today()
            span = window or Window(str(today), str(today))
            calls = Calls()
            with fitting(f"GET {bound.declared.path}"):
                rows = bound.declared.listing(calls.counted(self._look), parent or "", span, today)
            yield Page(bound.items(rows, parent), calls=calls.take())
            return
        for query in bound.queries(window):
            calls = Calls()
            for items in bound.standing(self._listings.read(bound, parent, query, calls=calls)):
                yield Page(bound.within(items, window), calls=calls.take())
            if rest := calls.take():
                yield Page((), calls=rest)

    def poll(self, resource: str, cursor: str | None) -> Iterator[Page]:
        """What moved, a page for each call; only the last one moves the cursor, since rows come in no promised
        order."""
        bound = self._bound(resource, "poll")
        changed, started = bound.declared.changed, self._clock.now()
        since = seconds(cursor)
        query = {changed: stamp(since - _OVERLAP)} if since else {}
        newest, last, calls = since, None, Calls()
        for items in self._listings.read(bound, None, query, calls=calls):
            if last is not None:
                yield Page(last, cursor, calls.take())
            with fitting(f"GET {bound.declared.path}"):
                newest = max([newest, *(self._cautious(i.row.get(changed)) for i in items)])
            last = items
        yield Page(last or (), stamp(min(newest, started)) if newest else None, calls.take())

    def get(self, resource: str, external_id: str) -> Item | None:
        """One full row; None for a 404 or 410."""
        bound = self._bound(resource, "single_get")
        what = f"GET {bound.route}"
        try:
            with fitting(what):
                answer = self._full(bound, external_id, what)
                if answer is None:
                    return None
                if bound.declared.boxed:
                    answer = next(iter(rows_of(answer, bound.declared.boxed)), None)
                item = bound.item(answer, bound.parent(external_id))
        except Missing:
            return None
        except Unusable as error:
            raise RowInvalid(str(error)) from error
        if not item.fault and item.external_id != external_id:
            # Whose that one is nobody knows, so it is not shown in a question about this one.
            raise RowInvalid(f"{what}: it is another row than the one asked for")
        if item.fault:
            raise RowInvalid(f"{what}: {item.fault}", {"row": dict(item.row)})
        return item

    def _full(self, bound: Bound, external_id: str, what: str) -> Any:
        parent, single = bound.parent(external_id), bound.declared.single
        if single is None:
            return self._session.read(bound.row(external_id), what, bound.acting(parent))
        own, listed = bound.own(external_id), bound.listed.get(external_id)
        return single(self._look, parent or "", own, listed)

    def find(self, resource: str, body: Mapping[str, Json], key: str) -> Sequence[Item]:
        """By chosen id one GET; by marker the narrowest listing; else by the first of ``search`` that the body
        gives."""
        bound = self._bound(resource)
        spec, given = bound.spec, {n: v for n, v in body.items() if not is_empty(v)}
        if spec.chosen_id in given:
            item = self.get(resource, str(given[spec.chosen_id]))
            return [item] if item else []
        by = next((names for names in spec.keys if given.keys() >= {*names}), ())
        narrow = {p: str(given[n]) for p, n in bound.declared.narrow.items() if n in given}
        marks = spec.marks(given)
        if not by and not (marks and len(narrow) == len(bound.declared.narrow)):
            wanted = " or ".join((spec.chosen_id or "", *spec.search)).strip(" or") or "its date"
            raise Bug(f"a create of {resource} cannot be found without {wanted}")
        holding = marker(key) if marks else ""
        pages = self._listings.read(bound, self._parent(bound, body), narrow, holding)
        found = [
            i for items in pages for i in items if all(_alike(i.row.get(n), given[n]) for n in by)
        ]
        for item in found:
            if item.fault:
                why = (
                    f"GET {bound.declared.path}: a row that may be ours does not fit: {item.fault}"
                )
                raise RowInvalid(why, {"row": dict(item.row)})
        return list({item.external_id: item for item in found}.values())

    def create(self, resource: str, body: Mapping[str, Json], key: str) -> Written:
        """POST, and what the vendor takes only afterwards; Unknown if that last part fails, or no row is named."""
        bound = self._bound(resource, "create")
        sent = self._names.given(bound.declared, bound.sent(body, {}))
        parent = self._parent(bound, sent)
        if bound.spec.marker and bound.spec.marks(sent):
            text = sent.get(bound.spec.marker)
            sent[bound.spec.marker] = f"{text or ''} {marker(key)}".strip()
        first, *others = bound.steps(sent, {})
        url, what = bound.creation(parent), f"POST {bound.declared.path}"
        try:
            answer = self._session.write(Kind.CREATE, "POST", url, what, {}, first.body)
        except Rejected as refusal:
            self._look_for_a_twin(bound, body, key, refusal)
            raise
        written = bound.written(answer, parent)
        named = sent.get(bound.declared.id)
        if written is None and not (bound.spec.provable or is_empty(named)):
            written = Written(str(named))  # no read shows such rows: nothing else can be known
        if written is None or bound.declared.nameless:
            written = self._found(bound, body, key)
        if written is None:
            raise Unnamed(f"{what}: accepted, but the answer names no id")
        for step in others:
            written = self._change(bound, written, step, partly=True)
        return written

    def update(
        self,
        resource: str,
        external_id: str,
        body: Mapping[str, Json],
        current: Row,
        key: str,
    ) -> Written:
        """PATCH with whole top members; Unknown if a part was taken and another was not."""
        del key  # an update is proved by its values
        bound = self._bound(resource, "update")
        sent = bound.sent(body, current)
        parent = bound.parent(external_id)
        if str(sent.get(bound.declared.holds_parent, parent)) != str(parent):
            raise Rejected(f"a row of {resource} cannot move to another of {bound.spec.parent}")
        written = Written(external_id)
        sent = self._names.given(bound.declared, sent)
        for number, step in enumerate(bound.steps(sent, current)):
            written = self._change(bound, written, step, partly=number > 0)
        shown = written.row or {}
        moved = (other for name, other in bound.declared.moves.items() if name in sent)
        lacks = any(other not in shown for other in moved)
        return replace(written, unread=written.unread or lacks)

    def delete(self, resource: str, external_id: str, key: str) -> None:
        """DELETE; a 404 or 410 is as good."""
        del key  # a delete is proved by a 404
        bound = self._bound(resource, "delete")
        url, query = bound.row(external_id), bound.acting(bound.parent(external_id))
        try:
            self._session.write(Kind.DELETE, "DELETE", url, f"DELETE {bound.route}", query, None)
        except Missing:
            return

    def pages(self, resource: str, rows: int, window: Window | None = None) -> int:
        """By the vendor's way of paging."""
        bound = self._bound(resource)
        calls = bound.declared.paging.calls(rows) + len(bound.queries(window)) - 1
        return 2 * calls if bound.declared.paging.slips and calls > 1 else calls

    @property
    def token_calls(self) -> int:
        """One where a token is needed."""
        return int(isinstance(self._auth, TokenAuth))

    def calls_of(self, resource: str, body: Mapping[str, Json], current: Row | None = None) -> int:
        """As many as there are steps; exact where ``current`` is the row to be updated (none: a create)."""
        bound, row = self._bound(resource), current or {}
        looks = bound.declared.nameless and not row
        return len(bound.steps(bound.sent(body, row), row)) + looks if body else 1

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    def _bound(
        self,
        name: str,
        ability: Literal["", "poll", "single_get", "create", "update", "delete"] = "",
    ) -> Bound:
        bound = self._resources.get(name)
        if bound is None or (ability and not getattr(bound.spec, ability)):
            raise Bug(f"{self.spec.name} has no {name!r} with {ability or 'that name'}")
        return bound

    def _look(self, path: str, query: Mapping[str, str]) -> Json:
        """For listings and single reads that a vendor has in a way of its own."""
        try:
            return self._session.read(
                self._base_url + path, f"GET {_FIGURES.sub('{}', path)}", query
            )
        except Missing:
            return None

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock.now(), self._zone).date()

    def _change(self, bound: Bound, written: Written, step: Step, partly: bool) -> Written:
        external_id = written.external_id
        parent, url = bound.parent(external_id), bound.row(external_id) + step.suffix
        verb, query = bound.declared.verb, bound.acting(parent)
        what = f"{verb} {bound.route}{step.suffix}"
        try:
            answer = self._session.write(Kind.CHANGE, verb, url, what, query, step.body)
        except SyncengineError as error:
            if partly:
                raise Unknown(f"{error}; the part before it was accepted") from error
            raise
        shown = bound.written(answer, parent)
        if shown and shown.external_id != external_id:
            shown = None
        # An answer that shows something else than the row, or another row, may say that nothing was done.
        unread = written.unread or (bool(answer) and not shown)
        return Written(external_id, shown.row if shown else None, unread)

    def _look_for_a_twin(
        self, bound: Bound, body: Mapping[str, Json], key: str, refusal: Rejected
    ) -> None:
        keys = [k for k in (bound.spec.chosen_id, *sum(bound.spec.keys, ())) if k]
        named = any(k in refusal.answer and not is_empty(body.get(k)) for k in keys)
        if named and self.find(bound.spec.name, body, key):
            raise Exists(f"{refusal}; the vendor has such a row") from refusal

    def _found(self, bound: Bound, body: Mapping[str, Json], key: str) -> Written | None:
        """The row of a create whose answer names none, by its natural key."""
        if not any(body.keys() >= {*names} for names in bound.spec.keys):
            return None
        try:
            found = self.find(bound.spec.name, body, key)
        except SyncengineError:
            return None
        return Written(found[0].external_id, found[0].row) if len(found) == 1 else None

    def _parent(self, bound: Bound, body: Mapping[str, Json]) -> str | None:
        if not bound.spec.parent:
            return None
        parent = body.get("_parent") or body.get(bound.declared.holds_parent)
        if is_empty(parent):
            raise Bug(f"a row of {bound.spec.name} needs its parent in _parent")
        return str(parent)

    def _cautious(self, text: Json) -> float:
        """The earlier reading of a stamp: a vendor that names no offset may mean UTC or its local time."""
        at = seconds(text)
        offset = datetime.fromtimestamp(at, UTC).astimezone(self._zone).utcoffset()
        return min(at, at + offset.total_seconds()) if offset else at


def _alike(left: Json, right: Json) -> bool:
    return str(folded(str(left))).casefold() == str(folded(str(right))).casefold()
